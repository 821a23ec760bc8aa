"""Which modules are changed, and whose tests have to notice."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITING = ("update", "odd_answers", "freshen", "create", "create_failures", "apply", "apply_edges", "writes")
SAFETY = ("safety", "safety_edges", "source_steep", "amount_limits")
SUBJECTS = {
    "quantity": ("quantity", "safety", "plan"),
    "identity": ("identity", "identity_words", "plan"),
    "doubts": ("doubts", "plan"),
    "money": ("money", "amount_limits", "plan"),
    "changes": ("changes", "plan_values", "plan", "safety", "money"),
    "plan": ("plan", "plan_time", "doubts", "money"),
    "ground": SAFETY,
    "amount_limits": ("amount_limits", "safety"),
    "safety": SAFETY,
    "writes": WRITING,
    "update": WRITING,
    "create": WRITING,
    "apply": WRITING,
    "verdict": ("verdict",),
    "planning": ("run", "planning"),
    "run": ("run",),
}
"""Each module of the core with the test files that answer for it, those that notice most first."""


def source_of(module: str) -> str:
    """A module's text."""
    return (ROOT / "reconciler" / f"{module}.py").read_text(encoding="utf-8")


def files_of(module: str) -> list[str]:
    """Paths of the test files that answer for a module."""
    return [str(ROOT / "tests" / f"test_{name}.py") for name in SUBJECTS[module]]
