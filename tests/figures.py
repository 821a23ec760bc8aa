"""A long run's figures: its file of JSON in docs/, and the table of docs/reliability.md that is made from them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENT = DOCS / "reliability.md"

Figures = dict[str, dict[str, Any]]


def document(text: str, mark: str, table: str) -> str:
    """The document with the table between the two marks of that name. Raises `ValueError` where it has none."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{DOCUMENT.name} has no place for the figures: {begin.strip()} {end.strip()}")
    return head + begin + table + end + tail


def publish(mark: str, table: Callable[[Figures], str], beside: Path) -> None:
    """Take over the figures of the file that the command line names, next to the document that shows them."""
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    beside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), mark, table(figures)), encoding="utf-8")
