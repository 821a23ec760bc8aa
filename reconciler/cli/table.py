"""A list on stdout in the format that -o asks for."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.cli.output import say

if TYPE_CHECKING:
    from reconciler.model import Json
    from reconciler.render.grid import Cell, Column


def show_json(document: Mapping[str, Json]) -> None:
    """One JSON document, ASCII only."""
    say(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False))


def show_table(output: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Draw rows as text, csv or markdown."""
    from reconciler.render.grid import draw_columns, draw_csv, draw_markdown  # noqa: PLC0415

    match output:
        case "csv":
            say(draw_csv(columns, rows))
        case "markdown":
            say(draw_markdown(columns, rows))
        case _:
            width = shutil.get_terminal_size((120, 24)).columns
            say(draw_columns(columns, rows, width=width, encoding=sys.stdout.encoding or "ascii"))
