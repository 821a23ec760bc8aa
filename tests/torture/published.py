"""Writes the campaign's own figures into docs/reliability.md: `python -m tests.torture.published FIGURES.json`."""

from __future__ import annotations

from typing import Any

from tests.figures import DOCS, Figures, publish

FIGURES = DOCS / "reliability.json"
META = frozenset({"part", "seed", "scale", "seconds"})


def tables(figures: Figures) -> str:
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


if __name__ == "__main__":
    publish("figures", tables, FIGURES)
