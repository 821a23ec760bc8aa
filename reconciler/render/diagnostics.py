"""Problems in mappings.yaml for a person, as JSON, and as annotations on the lines of the file."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.config.diagnostics import Diagnostic, printable
from reconciler.plan_document.write import diagnostic_json
from reconciler.render.github import MOST, Annotation
from reconciler.render.text import display_width

_SHOWN_CHARACTERS = 100  # of a source line; a longer one is cut around the caret
_TITLE_CHARACTERS = 80


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
    caret = " " * display_width(shown[:column]) + "^"
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


def diagnostics_document(diagnostics: Iterable[Diagnostic]) -> dict[str, object]:
    """The same as plain data for `-o json`: `valid`, `error_count`, `warning_count` and the list."""
    listed = tuple(diagnostics)
    errors = sum(d.severity == "error" for d in listed)
    return {
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(listed) - errors,
        "diagnostics": [diagnostic_json(one) for one in listed],
    }


def annotation_lines(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """GitHub workflow commands, errors first, at most ten lines; the last says how many problems are not shown."""
    ranked = sorted(diagnostics, key=lambda d: d.severity != "error")
    if len(ranked) <= MOST:
        return tuple(_annotation(d) for d in ranked)
    shown = ranked[: MOST - 1]
    last = Annotation(
        level="notice",
        title="mappings",
        message=f"{len(ranked) - len(shown)} more problems are not shown here; `reconciler validate` lists all of them",
    )
    return (*(_annotation(d) for d in shown), str(last))


def _annotation(diagnostic: Diagnostic) -> str:
    place, message = diagnostic.place, diagnostic.message
    return str(
        Annotation(
            level=diagnostic.severity,
            title=message if len(message) <= _TITLE_CHARACTERS else message[: _TITLE_CHARACTERS - 1] + "…",
            message=f"{message} — {diagnostic.hint}" if diagnostic.hint else message,
            place={"file": place.file, "line": place.line, "column": place.column},
        )
    )
