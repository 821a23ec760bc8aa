"""How lines and rows for a terminal are written: colours, wrapped prose, aligned rows, foreign text made safe."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from reconciler.answers.words import plural
from reconciler.planning.changes import Action, Outcome
from reconciler.render.document import OTHERS, Kind, Row, other_in_words, signed
from reconciler.render.text import display_width, pad, terminal_safe
from reconciler.render.words import amount_in_words, priced

_PROSE = 2000
"""Characters of one message or remedy that are shown."""

_WHOLE = re.compile(
    r"reconciler [a-z]+ [^;,.]{1,240}?--reason '\.\.\.'(?: --yes)?"
    r"|reconciler [a-z-]+ (?:--only )?[^\s;,]+|`[^`]{1,120}`"
    r"|(?:Users: )?[0-9,.?]+ -> [0-9,.?]+|[0-9]+ %|[0-9:]+ UTC"
)
"""What a line break must not divide: commands that are there to be copied, and numbers that belong together."""

_GLUE = "\x1f"  # a control character, so no cleaned text holds it


class Ink(Enum):
    """ANSI colours. They repeat what the words say."""

    GREEN = "32"
    YELLOW = "33"
    RED = "31"
    BOLD = "1"
    PLAIN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How this terminal is written on: colour or not, columns, what its encoding can express, and whether all is told.

    `verbose` draws every row and every name.
    """

    colour: bool = False
    width: int = 100
    encoding: str = "utf-8"
    verbose: bool = False

    def clean(self, text: str, width: int = 80) -> str:
        """Foreign text, safe here."""
        return terminal_safe(text, width, encoding=self.encoding)

    def ink(self, text: str, ink: Ink) -> str:
        """Our own text in a colour, where colours are wanted."""
        return f"\x1b[{ink.value}m{text}\x1b[0m" if self.colour and ink is not Ink.PLAIN else text

    def coloured(self, opening: str, rest: str = "", *, ink: Ink) -> Iterator[str]:
        """Our own sentences, wrapped, with the opening in a colour."""
        left = len(opening)
        for line in self.prose(f"{opening} {rest}".rstrip()):
            words = line.lstrip()
            inked = words[:left]
            left = max(0, left - len(words) - 1)
            yield line[: -len(words)] + (self.ink(inked, ink) if inked else "") + words[len(inked) :]

    def prose(self, text: str, *, indent: str = "", first: str = "") -> Iterator[str]:
        """Text wrapped into lines; `first` is our own opening, which keeps foreign text off the line's start.

        What is there to be copied and what belongs together stays on one line, however narrow the terminal is.
        """
        words = _WHOLE.sub(lambda command: command[0].replace(" ", _GLUE), self.clean(text, _PROSE))
        lines = textwrap.wrap(
            first + words,
            width=max(self.width, 40),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (line.replace(_GLUE, " ") for line in lines)


PLAIN = Pen()
"""For texts that no terminal shapes."""


def joined(sections: Iterable[Sequence[str]]) -> str:
    """Sections of lines, one empty line between two; a section without lines is left out."""
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


# --- rows ------------------------------------------------------------------------------------------------------------

LISTED = 20
"""Rows of a long list that are drawn without `verbose`."""

ONE_LINE = 115
"""Columns from which on a row stands on one line."""

KEY = 64
"""Characters of the longest key: half a key is none."""

LEAST_NAMES = 30
"""Columns that the two names of a row have at least; a row with less room takes a second line."""

Mark = tuple[str, str, Ink, str]
"""Symbol, word, colour and last words of a row."""

MARKS = {
    Kind.HELD: ("!", "held", Ink.RED),
    Kind.CREATE: ("+", "create", Ink.GREEN),
    Kind.UPDATE: ("~", "update", Ink.YELLOW),
    Kind.UNCHANGED: (" ", "no change", Ink.PLAIN),
}

_OUTCOME_MARKS = {
    Outcome.APPLIED: ("~", Ink.GREEN),
    Outcome.UNCHANGED: (" ", Ink.PLAIN),
    Outcome.HELD: ("!", Ink.RED),
    Outcome.STALE: ("!", Ink.YELLOW),
    Outcome.FAILED: ("!", Ink.RED),
    Outcome.UNKNOWN: ("!", Ink.RED),
    None: ("!", Ink.YELLOW),
}


def _is_ordinary(row: Row) -> bool:
    """True where the quantity becomes just the number of users counted, which the heading says once for all rows."""
    counted = f"{plural(row.after or 0, 'user')} counted"
    return row.reason in {f"count changed: {counted}", f"no Subscription yet: {counted}"}


def rows_title(pen: Pen, title: str, rows: Sequence[Row]) -> Iterator[str]:
    """A group's heading, with the ordinary reason where some row has just that."""
    ordinary = "where a row gives no reason, its quantity becomes the number of users counted."
    return pen.coloured(title, ordinary if any(map(_is_ordinary, rows)) else "", ink=Ink.BOLD)


def plan_mark(row: Row) -> Mark:
    """How a plan marks a row."""
    if row.kind is Kind.HELD:
        return *MARKS[row.kind], "" if row.action == Action.NO_OP else f"{row.action} withheld"
    return *MARKS[row.kind], "" if _is_ordinary(row) else row.reason


def outcome_mark(row: Row) -> Mark:
    """How a row is marked after `apply`, where the plan was drawn before."""
    mark, ink = _OUTCOME_MARKS[row.outcome]
    if row.ending is None:
        return mark, "", ink, ""
    tail = row.ending.details
    if row.problems:
        tail = f"{tail}: {', '.join(problem.rule for problem in row.problems)}"
    return ("+" if row.ending.word == "created" else mark), row.ending.word, ink, tail


def only_mark(row: Row) -> Mark:
    """How a row is marked after an `apply` that did not draw it before: what came right tells its reason here."""
    mark, word, ink, tail = outcome_mark(row)
    came_right = row.outcome is Outcome.APPLIED and not _is_ordinary(row)
    return mark, word, ink, row.reason if came_right else tail


def draw_rows(pen: Pen, rows: Sequence[Row], mark_of: Callable[[Row], Mark]) -> list[str]:
    """One text for each row, of one line or several. Names are cut to fit; ids and numbers never are.

    Below `ONE_LINE` columns a row takes a second line, from the key on. A reason that finds no room beside the
    numbers goes on below them.
    """
    if not rows:
        return []
    marks = [mark_of(row) for row in rows]
    word = max(display_width(mark[1]) for mark in marks)
    figures = _figures(pen, rows)
    customers = max(display_width(_customer_id(row)) for row in rows)
    beside = pen.width - word - customers - 7
    narrow = pen.width < ONE_LINE or beside - display_width(figures[0]) - 2 < LEAST_NAMES
    room = max(LEAST_NAMES, beside if narrow else beside - display_width(figures[0]) - 2)
    parties = [_parties(pen, row, room) for row in rows]
    widest = max(map(display_width, parties))
    drawn = []
    for (mark, name, ink, tail), names, figures_of_row in zip(marks, parties, figures, strict=True):
        first = f"  {pen.ink(f'{mark} {pad(name, word)}', ink)}  {names if narrow else pad(names, widest)}"
        numbers, *below = _with_tail(pen, figures_of_row, tail, pen.width - (6 if narrow else 6 + word + widest))
        start = f"{first.rstrip()}\n      {numbers}" if narrow else f"{first}  {numbers}"
        drawn.append("\n".join([start.rstrip(), *below]))
    return drawn


def _figures(pen: Pen, rows: Sequence[Row]) -> list[str]:
    """Key, Subscription, before -> after, difference and amount of each row, all of one width."""
    with_amounts = priced(rows)
    cells = [
        (
            pen.clean(row.key, KEY),
            "new" if row.subscription_id is None else f"#{row.subscription_id}",
            row.before_in_words,
            row.after_in_words,
            f"({signed(row.delta)})",
            amount_in_words(row) if with_amounts else "",
        )
        for row in rows
    ]
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    texts = 2  # the numbers behind them are aligned to the right
    lines = []
    for row_cells in cells:
        key, subscription, before, after, delta, amount = (
            pad(cell, width, right=at >= texts) for at, (cell, width) in enumerate(zip(row_cells, widths, strict=True))
        )
        lines.append(f"{key}  {subscription}  {before} -> {after}  {delta}  {amount}".rstrip())
    return lines


def _with_tail(pen: Pen, numbers: str, tail: str, room: int) -> list[str]:
    """The numbers with their reason beside them, or in lines below where the room is too small for both."""
    if not tail:
        return [numbers]
    text = pen.clean(tail, 2 * pen.width)
    if display_width(numbers) + 2 + display_width(text) <= room:
        return [f"{numbers}  {text}"]
    return [numbers, *pen.prose(tail, indent="      ")]


def _customer_id(row: Row) -> str:
    return f" (customer {row.customer_id})"


def _parties(pen: Pen, row: Row, width: int) -> str:
    """INFIMA client -> HaloPSA customer; one name where an update has the same for both."""
    if row.clients == row.customer and not row.names_both:
        return pen.clean(row.customer, width) + _customer_id(row)
    client, customer = pen.clean(row.clients, width), pen.clean(row.customer, width)
    half = (width - 4) // 2
    # a short name leaves its room to the other
    for_client = max(half, width - 4 - display_width(customer))
    for_customer = max(half, width - 4 - display_width(client))
    return f"{pen.clean(row.clients, for_client)} -> {pen.clean(row.customer, for_customer)}{_customer_id(row)}"


def others(pen: Pen, row: Row) -> list[str]:
    """What the customer of a create has already: perhaps the very Subscription that is wanted."""
    if not row.others:
        return []
    listed = [f"        #{other_in_words(other, pen.clean(other['name'], 60))}" for other in row.others[:LISTED]]
    more = [f"        and {len(row.others) - LISTED} more"] if len(row.others) > LISTED else []
    return [f"      {OTHERS}:", *listed, *more]
