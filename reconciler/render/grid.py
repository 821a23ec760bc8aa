"""Lists of rows in four drawings: columns on a terminal, CSV for a spreadsheet, a Markdown table, JSON's plain text.

Cells are text, whole numbers or None. Names are cleaned here, at the exit of each format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from reconciler.render.text import csv_cell, cut, display_width, markdown_safe, pad, terminal_safe

Cell = str | int | None
GAP = "  "
NARROWEST = 10
"""Columns that a shrunk column keeps."""

NARROWEST_WRAPPED = 24
NAME_WITH_LINES_BELOW = 24
"""Columns that a name keeps where other columns can go below instead."""

TWO_LINES = 60
"""Columns from which on a row that is too wide takes lines below instead of a block."""

LONGEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its title, and whether it holds numbers (aligned to the right).

    A `name` is cut where the terminal is narrow; nothing else is, as half an id or half a date is none. `wrap` lets the
    last column go on in the lines below instead: what it says is what people came for.
    """

    title: str
    number: bool = False
    wrap: bool = False
    name: bool = False


def draw_columns(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int, encoding: str) -> str:
    """Columns under their titles in at most `width` characters.

    Where they do not fit, the last ones go into the lines below each row, with their titles; on a very narrow
    terminal each row becomes a block. Never colour, never symbols: what a screen reader reads aloud is what there is.
    """
    texts = _clean(rows, encoding=encoding)
    fewest = min(2, len(columns)) if width >= TWO_LINES else len(columns)
    for count in range(len(columns), fewest - 1, -1):
        name = NARROWEST if count == len(columns) else NAME_WITH_LINES_BELOW
        widths = _widths(columns[:count], texts, width=width, name=name)
        if _total(widths) <= width:
            return _table(columns, texts, widths, width=width)
    return _blocks(columns, texts)


def _table(columns: Sequence[Column], texts: Sequence[Sequence[str]], widths: Sequence[int], *, width: int) -> str:
    """As many columns as there are widths; the others below each row, as `Title: value`, what is empty left out."""
    kept, below = columns[: len(widths)], columns[len(widths) :]
    lines = [_line(kept, [column.title for column in kept], widths)]
    indent = " " * (_total(widths) - widths[-1])
    for row in texts:
        cells, rest = row[: len(widths)], row[len(widths) :]
        last, *more = _wrapped(cells[-1], widths[-1]) if kept[-1].wrap and not below else [cells[-1]]
        lines += [_line(kept, [*cells[:-1], last], widths), *(indent + line for line in more)]
        told = [f"{column.title}: {cell}" for column, cell in zip(below, rest, strict=True) if cell != "-"]
        lines += [f"    {line}" for line in _wrapped("; ".join(told), width - 4) if line]
    return "".join(f"{line}\n" for line in lines)


def fits(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int, encoding: str) -> bool:
    """True where `draw_columns` draws one table, with nothing below its rows."""
    return _total(_widths(columns, _clean(rows, encoding=encoding), width=width)) <= width


def _clean(rows: Sequence[Sequence[Cell]], *, encoding: str) -> list[list[str]]:
    return [[terminal_safe(_text(cell), LONGEST, encoding=encoding) for cell in row] for row in rows]


def _widths(
    columns: Sequence[Column], texts: Sequence[Sequence[str]], *, width: int, name: int = NARROWEST
) -> list[int]:
    """How wide each column is drawn: names are made narrower until a line fits, down to `name` columns."""
    widths = [max(display_width(c.title), *(display_width(row[i]) for row in texts), 0) for i, c in enumerate(columns)]
    least = {i: NARROWEST_WRAPPED if c.wrap else name for i, c in enumerate(columns) if c.name or c.wrap}
    while _total(widths) > width:
        able = [i for i, narrowest in least.items() if widths[i] > narrowest]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def draw_csv(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    """CSV with a header line, line breaks as RFC 4180 has them, and no cell that a spreadsheet takes for a formula."""
    lines = [",".join(csv_cell(column.title) for column in columns)]
    lines += [",".join(csv_cell(cell) for cell in row) for row in rows]
    return "".join(f"{line}\r\n" for line in lines)


def draw_markdown(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    """A table for GitHub's or GitLab's Markdown."""
    lines = [
        "| " + " | ".join(column.title for column in columns) + " |",
        "|" + "|".join("---:" if column.number else "---" for column in columns) + "|",
    ]
    lines += ["| " + " | ".join(markdown_safe(_text(cell), LONGEST) for cell in row) + " |" for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _text(cell: Cell) -> str:
    return "-" if cell is None or cell == "" else str(cell)


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    drawn = zip(columns, cells, widths, strict=True)
    return GAP.join(pad(cut(cell, width), width, right=column.number) for column, cell, width in drawn).rstrip()


def _blocks(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Each row as lines of `title: value`, for a terminal too narrow for columns."""
    blocks = [
        "".join(f"{column.title}: {cell}\n" for column, cell in zip(columns, row, strict=True) if cell != "-")
        for row in rows
    ]
    return "\n".join(blocks)
