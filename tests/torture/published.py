"""Writes the campaign's own figures into docs/reliability.md: `python -m tests.torture.published FIGURES.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "docs" / "reliability.json"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


def tables(figures: dict[str, dict[str, Any]]) -> str:
    """The figures as Markdown, each with the command that reproduces it."""
    lines = ["| what | schedules | violated | reached | reproduce |", "|---|---|---|---|---|"]
    for name, row in figures.items():
        if "violated" in row:
            reached = ", ".join(f"{word}: {n}" for word, n in _reached(row))
            lines.append(f"| {name} | {row['schedules']:,} | {row['violated']} | {reached} | {_command(row)} |")
    lines.append("")
    for name, row in figures.items():
        if "violated" not in row:
            lines += [f"**{name}** ({_command(row)})", ""]
            lines += [f"* {word.replace('_', ' ')}: {_shown(value)}" for word, value in row.items() if word not in META]
            lines.append("")
    return "\n".join(lines)


META = frozenset({"part", "seed", "scale", "seconds"})


def _reached(row: dict[str, Any]) -> list[tuple[str, int]]:
    skip = META | {"schedules", "violated"}
    return sorted((word, n) for word, n in row.items() if word not in skip)


def _command(row: dict[str, Any]) -> str:
    scale = f" --scale {row['scale']:g}" if row["scale"] != 1 else ""
    return f"`python -m tests.torture.campaign {row['part']} --seed {row['seed']}{scale}`"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{word}: {'not found' if n is None else n}" for word, n in value.items())
    return str(value)


def document(text: str, figures: dict[str, dict[str, Any]]) -> str:
    """The document with its figures replaced."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + tables(figures) + END + tail


def main() -> None:
    """Take the figures over, next to the document that shows them."""
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    main()
