"""A problem in mappings.yaml with its place and its next step. `render/annotations.py` draws it.

Whatever was written in the file may come back in a message, so a problem on one line goes through `printable`: a name
cannot move the cursor or turn the reading direction.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reconciler.model import Place

Severity = Literal["error", "warning"]

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem. `hint` says how to fix it and may be empty; `source_line` is the line of `place`."""

    place: Place
    severity: Severity
    message: str
    hint: str = ""
    source_line: str = ""

    def render(self) -> str:
        """`file:line:column: error: what — how to fix`, on one line."""
        what = f"{self.message} — {self.hint}" if self.hint else self.message
        return printable(f"{self.place}: {self.severity}: {what}")


def printable(text: str) -> str:
    """`text` with control, bidirectional and invisible characters replaced, so that a terminal shows it as written."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c == "\t" else "\ufffd" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def quoted(value: object, *, limit: int = 60) -> str:
    """`value` between quotes for a message: cut when long, invisible characters spelled out as `\\uXXXX`."""
    text = str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return '"' + "".join(_spelled(c) for c in text) + '"'


def _spelled(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return character.encode("unicode_escape").decode("ascii")


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by place; at one place errors come before warnings."""
    return tuple(sorted(diagnostics, key=lambda d: (d.place.line, d.place.column, d.severity, d.message)))
