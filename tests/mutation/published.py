"""Writes what `make mutation` found into docs/reliability.md: `python -m tests.mutation.published FIGURES.json`."""

from __future__ import annotations

from typing import Any

from tests.figures import DOCS, Figures, publish

FIGURES = DOCS / "mutation.json"


def percent(row: dict[str, Any]) -> float:
    """The killed among those that can be told from the code as it is, rounded down to a tenth."""
    return row["killed"] * 1000 // max(row["mutants"] - row["equivalent"], 1) / 10


def table(figures: Figures) -> str:
    """The figures as Markdown, with every survivor that a test should have noticed."""
    lines = ["| module | changes | noticed | equivalent | score |", "|---|---|---|---|---|"]
    for name, row in figures.items():
        lines.append(f"| {name} | {row['mutants']} | {row['killed']} | {row['equivalent']} | {percent(row)} % |")
    total = {word: sum(row[word] for row in figures.values()) for word in ("mutants", "killed", "equivalent")}
    lines.append(f"| all | {total['mutants']:,} | {total['killed']:,} | {total['equivalent']} | {percent(total)} % |")
    missed = [f"* `{name}`, line {told}" for name, row in figures.items() for told in row["survivors"]]
    return "\n".join([*lines, "", *(["Not noticed:", "", *missed] if missed else ["No other change survives."]), ""])


if __name__ == "__main__":
    publish("mutation", table, FIGURES)
