"""Which modules are changed, and whose tests have to notice."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITING = ("update", "odd_answers", "freshen", "create", "create_failures", "apply", "apply_edges", "writes")
SAFETY = ("safety", "safety_edges", "source_steep", "amount_limits", "amount_edges")
SUBJECTS = {
    "quantity": ("quantity", "safety", "plan"),
    "identity": ("identity", "identity_words", "plan"),
    "doubts": ("doubts", "plan"),
    "money": ("money", "money_edges", "amount_limits", "plan"),
    "changes": ("changes", "plan_values", "plan", "safety", "money", "money_edges"),
    "plan": ("plan", "plan_time", "doubts", "money", "money_edges"),
    "ground": SAFETY,
    "amount_limits": ("amount_limits", "amount_edges", "safety"),
    "safety": SAFETY,
    "writes": WRITING,
    "update": WRITING,
    "create": (*WRITING, "hidden_markers"),
    "apply": WRITING,
    "verdict": ("verdict",),
    "planning": ("run", "planning"),
    "run": ("run",),
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
    return [str(ROOT / "tests" / f"test_{name}.py") for name in SUBJECTS[module]]
