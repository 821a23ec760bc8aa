"""Tools that read something else than a plan: patches, schemas, mappings.yaml in an editor, hooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.interop import editor
from tests.interop.judges import SECONDS, Toolbox
from tests.interop.night import Shell, mixed_night
from tests.render.test_terraform import SHOWN, alike

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

_PATCHES = """
import json, pathlib, sys
from unidiff import PatchSet
made = [PatchSet(pathlib.Path(name).read_text()) for name in sys.argv[1:]]
print(json.dumps([[f.path, f.added, f.removed] for patch in made for f in patch]))
"""


def unidiff(tools: Toolbox) -> tuple[bool, str]:
    """Every edit that a command prints as a patch is one hunk or more of mappings.yaml."""
    place = tools.folder / "patches"
    place.mkdir()
    with mixed_night(place, adoptable=True) as shell:
        made = [
            shell.keep("adopt.patch", "adopt", "infima-501", "9501", "--reason", "x", "--yes", "-o", "patch"),
            shell.keep("propose.patch", "propose", "--likely", "-o", "patch"),
        ]
    found = tools.ask(_PATCHES, *made)
    right = [path for path, added, _ in found if added] == ["mappings.yaml"] * len(made)
    return right, ", ".join(f"{path} +{added} -{removed}" for path, added, removed in found)


def _node(tools: Toolbox, script: str, *words: Path, stdin: str = "") -> dict[str, dict[str, str]]:
    done = subprocess.run(
        ["node", HERE / script, *words],
        cwd=tools.programs.parent / "npm",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    answer: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answer


def ajv(tools: Toolbox) -> tuple[bool, str]:
    """Every schema compiles in strict mode; the words that only editors read are declared."""
    told = _node(tools, "strict.mjs", *sorted((ROOT / "schema").glob("*.json")))
    wrong = [f"{name}: {problem}" for name, problem in told["schemas"].items() if problem]
    return not wrong, "; ".join(wrong) or f"{', '.join(told['schemas'])}: strict"


def language_server(tools: Toolbox) -> tuple[bool, str]:
    """It says of each mistake what the golden file has, and completes a mapping to client and customer."""
    told = _node(tools, "editor.mjs", ROOT / "schema" / "mappings.schema.json", stdin=editor.questions())
    text = editor.as_text(told["problems"])  # type: ignore[arg-type]
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        editor.GOLDEN.write_text(text, encoding="utf-8")
    whole = told["completions"]["a mapping"]["client to customer"]  # type: ignore[index]
    right = "infima_client:" in whole and "halo_customer:" in whole and "retired" not in whole
    right = right and "retired" not in told["completions"]["the list"]["mappings"]  # type: ignore[index]
    right = right and text == editor.GOLDEN.read_text(encoding="utf-8")
    return (
        right,
        f"{len(editor.MISTAKES)} mistakes as in tests/golden/editor.txt; a mapping completes to both sides",
    )


def pre_commit(tools: Toolbox) -> tuple[bool, str]:
    """The hooks that `init` writes, and those of this repository, find a wrong file and pass a right one."""
    place = tools.folder / "hooks"
    place.mkdir()
    dist = tools.folder / "dist"
    subprocess.run([ROOT / ".ci" / "dist", dist], check=True, capture_output=True, timeout=SECONDS)
    shell = Shell(folder=place, environment=dict(os.environ))
    shell.run("init", "--no-workflows")
    _git(place, "add", "-A")
    more = {"PRE_COMMIT_HOME": str(tools.folder / "pre-commit"), "PIP_FIND_LINKS": str(dist)}
    offered = ["try-repo", str(ROOT), "reconciler-validate", "--all-files"]
    good = [_hooks(tools, place, more, *words) for words in (["run", "--all-files"], offered)]
    file = place / "mappings.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "  - infima_clint: {id: 1}\n", encoding="utf-8")
    bad = [_hooks(tools, place, more, *words) for words in (["run", "--all-files"], offered)]
    right = good == [0, 0] and bad == [1, 1]
    told = "install the program, pass a good file, stop a wrong one" if right else f"good {good}, wrong {bad}"
    return right, f"`init`'s hooks and this repository's {told}"


def _hooks(tools: Toolbox, place: Path, more: dict[str, str], *words: str) -> int:
    done = subprocess.run(
        [tools.programs / "pre-commit", *words],
        cwd=place,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    if done.returncode not in {0, 1}:
        sys.stderr.write(done.stdout + done.stderr)
    return done.returncode


def _git(place: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, timeout=60)


def terraform(tools: Toolbox) -> tuple[bool, str]:
    """This machine's Terraform still prints the members that tests/golden/terraform has."""
    place = tools.folder / "terraform"
    shutil.copytree(ROOT / "tests" / "golden" / "terraform", place)
    (place / "terraform.rc").write_text("", encoding="utf-8")

    def run(*words: str) -> str:
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(place / "terraform.rc"), "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run(
            ["terraform", *words],
            cwd=place,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return done.stdout

    run("init")
    targets = ("-target", "terraform_data.same", "-target", "terraform_data.changed")
    run("apply", "-auto-approve", "-var", "night=1", *targets)
    run("plan", "-var", "night=2", "-out", "planned")
    fresh = json.loads(run("show", "-json", "planned"))
    right = set(fresh) == set(SHOWN) and all(alike(fresh[name], SHOWN[name]) for name in ("resource_changes", "checks"))
    return right, f"`show -json` of Terraform {fresh['terraform_version']} has the same members"
