"""Writes what `make mutation` found into docs/reliability.md: `python -m tests.mutation.published FIGURES.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.mutation.subjects import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "docs" / "mutation.json"
BEGIN, END = "<!-- mutation: begin -->\n", "<!-- mutation: end -->\n"

Figures = dict[str, dict[str, Any]]


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


def document(text: str, figures: Figures) -> str:
    """The document with its table replaced."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} has no place for the figures: {BEGIN.strip()} {END.strip()}")
    return head + BEGIN + table(figures) + END + tail


def main() -> None:
    """Take the figures over, next to the document that shows them."""
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    main()
