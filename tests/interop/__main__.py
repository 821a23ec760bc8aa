"""`make interop`: every tool on the same night, as a table; a wrong cell fails. --write puts it into docs/policy.md."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from tests.interop import neighbours
from tests.interop.judges import JUDGES, Judged, Toolbox
from tests.interop.night import AT_ZERO, CREATED, UPDATED, Documents, documents, mixed_night
from tests.interop.policies import PAGE, write_policies

Neighbour = Callable[[Toolbox], tuple[bool, str]]

NEIGHBOURS: dict[str, tuple[str, Neighbour]] = {
    "unidiff": ("", neighbours.unidiff),
    "pre-commit": ("", neighbours.pre_commit),
    "ajv": ("node", neighbours.ajv),
    "yaml-language-server": ("node", neighbours.language_server),
    "terraform": ("terraform", neighbours.terraform),
}
"""By name, with the program that this machine has to have for it."""

HEADINGS = {"mixed": "planned", "refused": "refused", "failed": "could not be made", "applied": "applied"}

MARKS = ("<!-- interop: written by make interop -->\n", "<!-- /interop -->")


def wrong(name: str, judged: Judged) -> str:
    """What is not right about a judgement of the document of that name; empty where all is."""
    if name in {"mixed", "applied"}:
        if (judged.create, judged.update) != (len(CREATED), len(UPDATED)):
            return f"{judged.create} create, {judged.update} update"
        if judged.at_zero is not None and judged.at_zero != set(AT_ZERO):
            return f"at 0: {sorted(judged.at_zero)}"
        return "" if judged.content else f"found something amiss: {judged.words}"
    if judged.create or judged.update:
        return f"counts {judged.create} and {judged.update} in a {name} plan"
    return f"finds a {name} plan in order" if judged.content else ""


def cell(name: str, judged: Judged) -> str:
    """The judgement in the table."""
    if name not in {"mixed", "applied"}:
        return judged.words
    zero = f"; at 0: {len(judged.at_zero)}" if judged.at_zero is not None else ""
    return f"{judged.create} create, {judged.update} update{zero}"


def judged_table(tools: Toolbox, night: Documents) -> tuple[list[str], list[str], list[str]]:
    """The table of tools that judge plans, what is wrong, and which tools are missing here."""
    names = [field.name for field in fields(night)]
    lines = [f"| tool | {' | '.join(HEADINGS[name] for name in names)} |", f"|{'---|' * (len(names) + 1)}"]
    problems, missing = [], []
    for tool, judge in JUDGES.items():
        version = tools.version(tool)
        if not version:
            missing.append(tool)
            continue
        found = {name: judge(tools, getattr(night, name)) for name in names}
        problems += [f"{tool}, {name}: {told}" for name in names if (told := wrong(name, found[name]))]
        lines.append(f"| {tool} {version} | {' | '.join(cell(name, found[name]) for name in names)} |")
    return lines, problems, missing


def neighbours_table(tools: Toolbox) -> tuple[list[str], list[str], list[str]]:
    """The same of the tools that read something else."""
    lines, problems, missing = ["", "| tool | finds |", "|---|---|"], [], []
    for tool, (needs, look) in NEIGHBOURS.items():
        if needs and not (shutil.which(needs) and (needs != "node" or (tools.programs.parent / "npm").is_dir())):
            missing.append(tool)
            continue
        right, told = look(tools)
        problems += [] if right else [f"{tool}: {told}"]
        version = tools.version(tool) if not needs else _npm_version(tools, tool)
        lines.append(f"| {' '.join(filter(None, [tool, version]))} | {told} |")
    return lines, problems, missing


def _npm_version(tools: Toolbox, package: str) -> str:
    file = tools.programs.parent / "npm" / "node_modules" / package / "package.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.is_file() else ""


def main() -> int:
    """Judge, print, and say what is wrong or missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", type=Path, help="The environment with the tools.")
    parser.add_argument("--write", action="store_true", help="Put the table into docs/policy.md.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tools = Toolbox(programs=given.tools.absolute() / "bin", folder=Path(place))
        write_policies(tools.folder)
        night = tools.folder / "night"
        night.mkdir()
        with mixed_night(night) as shell:
            judged = judged_table(tools, documents(shell))
        others = neighbours_table(tools)
    table = "\n".join([*judged[0], *others[0]]) + "\n"
    missing, problems = judged[2] + others[2], judged[1] + others[1]
    sys.stdout.write(table)
    for tool in missing:
        sys.stdout.write(f"Left out, for it is not here: {tool}\n")
    for problem in problems:
        sys.stdout.write(f"WRONG: {problem}\n")
    if given.write and not problems and not missing:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(f"(?s)(?<={MARKS[0]}).*(?={MARKS[1]})", lambda _: table, page), encoding="utf-8")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
