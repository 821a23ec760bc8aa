"""A problem in mappings.yaml with its place and its next step, and three drawings of it: text, JSON, annotations.

Whatever was written in the file may come back in a message, so every drawing goes through `printable`: a name cannot
move the cursor, turn the reading direction or start a workflow command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reconciler.model import Json, Place

Severity = Literal["error", "warning"]

MAX_ANNOTATIONS = 10
"""GitHub shows ten annotations of one kind per step and drops the rest without a word."""

_SHOWN_CHARACTERS = 100  # of a source line; a longer one is cut around the caret
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


def draw_diagnostics(diagnostics: Iterable[Diagnostic]) -> str:
    """Text for a person: each problem, its source line and a caret under the column; ends with a line break."""
    return "".join(_draw_one(diagnostic) for diagnostic in diagnostics)


def _draw_one(diagnostic: Diagnostic) -> str:
    drawn = diagnostic.render() + "\n"
    if not diagnostic.source_line.strip():
        return drawn
    line, column = _window(diagnostic.source_line, diagnostic.place.column - 1)
    shown = printable(line)
    number = str(diagnostic.place.line)
    caret = " " * _cells(shown[:column]) + "^"
    return f"{drawn}  {number} | {shown}\n  {' ' * len(number)} | {caret}\n"


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around `column` (from 0), and the column within that part."""
    if len(line) <= _SHOWN_CHARACTERS:
        return line, column
    start = max(0, min(column - _SHOWN_CHARACTERS // 2, len(line) - _SHOWN_CHARACTERS))
    part = line[start : start + _SHOWN_CHARACTERS]
    before = "…" if start else ""
    after = "…" if start + _SHOWN_CHARACTERS < len(line) else ""
    return before + part + after, column - start + len(before)


def _cells(text: str) -> int:
    """Columns that a terminal needs for `text`: two for wide characters, none for combining ones."""
    return sum(_cell(c) for c in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def diagnostics_document(diagnostics: Iterable[Diagnostic]) -> dict[str, Json]:
    """The same as plain data for `-o json`: `valid`, `error_count`, `warning_count` and the list."""
    listed = tuple(diagnostics)
    errors = sum(d.severity == "error" for d in listed)
    return {
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(listed) - errors,
        "diagnostics": [
            {
                "file": d.place.file,
                "line": d.place.line,
                "column": d.place.column,
                "severity": d.severity,
                "message": d.message,
                "hint": d.hint,
            }
            for d in listed
        ],
    }


def annotation_lines(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """GitHub workflow commands, errors first, at most ten lines; the last says how many problems are not shown."""
    ranked = sorted(diagnostics, key=lambda d: d.severity != "error")
    if len(ranked) <= MAX_ANNOTATIONS:
        return tuple(_annotation(d) for d in ranked)
    shown = ranked[: MAX_ANNOTATIONS - 1]
    rest = len(ranked) - len(shown)
    last = f"::notice title=mappings::{rest} more problems are not shown here; `reconciler validate` lists all of them"
    return (*(_annotation(d) for d in shown), last)


def _annotation(diagnostic: Diagnostic) -> str:
    place = diagnostic.place
    properties = {
        "file": place.file,
        "line": str(place.line),
        "col": str(place.column),
        "title": diagnostic.message if len(diagnostic.message) <= 80 else diagnostic.message[:79] + "…",  # noqa: PLR2004 - a title's length
    }
    body = f"{diagnostic.message} — {diagnostic.hint}" if diagnostic.hint else diagnostic.message
    named = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::{diagnostic.severity} {named}::{_escape_data(body)}"


def _escape_data(text: str) -> str:
    return re.sub(r"[%\r\n]", lambda found: f"%{ord(found[0]):02X}", text)


def _escape_property(text: str) -> str:
    return re.sub(r"[%\r\n:,]", lambda found: f"%{ord(found[0]):02X}", text)
