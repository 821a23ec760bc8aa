"""Which modules are changed, and whose tests have to notice."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITING = (
    "writing/update", "writing/odd_answers", "writing/freshen", "writing/create", "writing/create_failures", "apply",
    "apply_edges", "writing/session",
)  # fmt: skip
SAFETY = (
    "safety/check", "safety/approvals", "safety/check_edges", "safety/sharp_drops", "safety/amounts",
)  # fmt: skip
LEFT_OUT = ("planning/markers", "planning/known_ids", "planning/identity")
SUBJECTS = {
    "planning.quantity": ("planning/quantity", "safety/check", "plan"),
    "planning.identity": ("planning/identity", "planning/identity_words", "plan"),
    "planning.doubts": ("planning/doubts", "planning/witness", "plan"),
    "planning.money": ("planning/money", "safety/amounts", "plan"),
    "planning.changes": ("planning/changes", "plan", "safety/check", "planning/money"),
    "planning.observation": ("planning/observation", *LEFT_OUT, "plan", "run"),
    "plan": ("plan", "plan_time", "planning/doubts", "planning/money", "planning/quantity", "planning/twins"),
    "safety.amounts": ("safety/amounts", "safety/check"),
    "safety.check": SAFETY,
    "safety.counts": SAFETY,
    "safety.state": SAFETY,
    "safety.approvals": ("safety/approvals", "safety/check"),
    "planning.twins": ("planning/twins", "safety/lost_counts", "planning/identity", "plan"),
    "planning.index": ("planning/index", "state/sightings", "planning/identity", "planning/twins", "plan"),
    "planning.outcomes": ("planning/outcomes", "writing/verdict", "apply"),
    "planning.attribution": ("planning/attribution",),
    "names": ("names", "planning/witness"),
    "writing.session": WRITING,
    "writing.update": (*WRITING, "writing/sending"),
    "writing.create": (*WRITING, "planning/markers"),
    "writing.verdict": ("writing/verdict",),
    "apply": (*WRITING, "whole_runs"),
    "run": ("run", "faults_of_ours", "apply", "whole_runs"),
}
"""Each module of the core with the test files that answer for it, those that notice most first."""


def source_of(module: str) -> str:
    """A module's text."""
    spec = importlib.util.find_spec(f"reconciler.{module}")  # installed or beside the tests
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def files_of(module: str) -> list[str]:
    """Paths of the test files that answer for a module."""
    paths = (ROOT / "tests" / name for name in SUBJECTS[module])
    return [str(path.with_name(f"test_{path.name}.py")) for path in paths]
