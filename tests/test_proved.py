"""The list of what must be covered whole is itself whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import reconciler
from tests.mutation.subjects import SUBJECTS

ROOT = Path(__file__).parents[1]
INSTALLED = Path(reconciler.__file__).parents[1]
DRAWN_OR_NAMED = {"model", "errors", "events", "plan_document"}
"""Of the core, what decides nothing: values, names and the shape of a document."""


def proved() -> set[str]:
    [said] = re.findall(r"^PROVED := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return set(said.split(","))


def test_the_whole_core_is_on_the_list() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [core] = [each["source_modules"] for each in contracts if each["name"].startswith("The core knows")]
    names = {name.removeprefix("reconciler.") for name in core} - DRAWN_OR_NAMED
    packages = {name for name in names if (INSTALLED / "reconciler" / name).is_dir()}
    assert {f"reconciler/{name}/*" for name in packages} | {
        f"reconciler/{name}.py" for name in names - packages
    } <= proved()


def test_what_is_judged_by_wrong_changes_is_covered_whole() -> None:
    covered = {str(path.relative_to(INSTALLED)) for pattern in proved() for path in INSTALLED.glob(pattern)}
    assert {f"reconciler/{name.replace('.', '/')}.py" for name in SUBJECTS} <= covered


def test_state_and_providers_are_on_the_list_and_nothing_on_it_is_gone() -> None:
    assert {"reconciler/state/*", "reconciler/providers/*", "reconciler/http/*"} <= proved()
    assert [pattern for pattern in proved() if not list(INSTALLED.glob(pattern))] == []


def test_nothing_is_left_out_of_the_measure_but_what_says_why() -> None:
    """No line of these modules is excused by hand; what the settings excuse cannot run or has no body."""
    files = [path for pattern in proved() for path in INSTALLED.glob(pattern) if path.suffix == ".py"]
    assert len(files) > 40
    assert [path.name for path in files if "pragma: no" in path.read_text(encoding="utf-8")] == []
