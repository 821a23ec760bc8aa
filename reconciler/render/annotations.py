"""What is said beside the lines of mappings.yaml: a plan's rows and the file's problems, as GitHub's annotations.

An annotation is one workflow command, a line each. GitHub shows ten of a kind for a step and drops the others without
a word, so the most important come first and the last line says how many are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from reconciler.answers.words import plural
from reconciler.config.source import Diagnostic, printable
from reconciler.plan_document.write import diagnostic_json
from reconciler.render.document import Kind, Problem, Row, View, signed, view
from reconciler.render.text import annotation_data, annotation_property, display_width

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlaceJson, PlanJson
    from reconciler.plan_document.write import DiagnosticJson

T = TypeVar("T")

MOST = 10
"""Annotations that GitHub shows for one step."""

_SHOWN_CHARACTERS = 100  # of a source line; a longer one is cut around the caret
_TITLE_CHARACTERS = 80


def annotation(level: str, title: str, message: str, place: PlaceJson | DiagnosticJson | None = None) -> str:
    """One workflow command. `level` is GitHub's: error, warning or notice; without a place it is about the whole."""
    where = ""
    if place is not None:
        where = f"file={annotation_property(place['file'])},line={place['line']},col={place['column']},"
    return f"::{level} {where}title={annotation_property(title)}::{annotation_data(message)}"


def render_annotations(document: PlanJson) -> str:
    """Return at most ten annotations: refusals, holds, then changes, those of the edit under review first.

    Empty when there is nothing to say.
    """
    elsewhere = "The plan in the job summary or the pull-request comment has them all."
    found, missing = _at_most_ten(list(_annotations(view(document))))
    rest = [annotation("notice", f"{plural(missing, 'annotation')} not shown", elsewhere)] if missing else []
    return "".join(f"{line}\n" for line in [*found, *rest])


def _at_most_ten(found: list[T]) -> tuple[list[T], int]:
    """As many as GitHub shows, with room for a line about the others, and the number of those."""
    shown = found if len(found) <= MOST else found[: MOST - 1]
    return shown, len(found) - len(shown)


def _annotations(shown: View) -> Iterator[str]:
    for problem in shown.refusals:
        yield annotation("error", f"Refused by {problem.rule}", _told(problem))
    for row in shown.of_kind(Kind.HELD):
        message = f"{row.parties}. " + " ".join(f"{problem.rule}: {_told(problem)}" for problem in row.problems)
        yield annotation("warning", f"Held: {row.key}", message, row.change["place"])
    for row in sorted(shown.pending_writes, key=lambda row: (not row.caused_by_edit, row.kind, row.key)):
        anyway = "" if row.caused_by_edit else ", not from this edit"
        title = f"{row.action.capitalize()}: {row.key}{anyway}"
        yield annotation("notice", title, _summed_up(row), row.change["place"])
    for warning in shown.document["warnings"]:
        yield annotation("notice", "Worth knowing", warning)


def _told(problem: Problem) -> str:
    return " ".join(part for part in (problem.message, problem.measure, problem.remedy) if part)


def _summed_up(row: Row) -> str:
    return f"{row.parties}: {row.before_in_words} -> {row.after_in_words} users ({signed(row.delta)}), {row.reason}."


# --- problems in mappings.yaml: as annotations, as JSON, for a person -------------------------------------------------


def annotation_lines(diagnostics: Iterable[Diagnostic]) -> tuple[str, ...]:
    """The problems as annotations, errors first; the last one says how many problems are not shown."""
    found, missing = _at_most_ten(sorted(diagnostics, key=lambda d: d.severity != "error"))
    more = f"{missing} more problems are not shown here; `reconciler validate` lists all of them"
    return (*map(_annotation, found), *([annotation("notice", "mappings", more)] if missing else []))


def _annotation(diagnostic: Diagnostic) -> str:
    title = message = diagnostic.message
    if len(title) > _TITLE_CHARACTERS:
        title = f"{title[: _TITLE_CHARACTERS - 1]}…"
    told = f"{message} — {diagnostic.hint}" if diagnostic.hint else message
    return annotation(diagnostic.severity, title, told, diagnostic_json(diagnostic))


def diagnostics_document(diagnostics: Iterable[Diagnostic]) -> dict[str, object]:
    """The problems as plain data for `-o json`: `valid`, `error_count`, `warning_count` and the list."""
    listed = tuple(diagnostics)
    errors = sum(d.severity == "error" for d in listed)
    return {
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(listed) - errors,
        "diagnostics": [diagnostic_json(one) for one in listed],
    }


def draw_diagnostics(diagnostics: Iterable[Diagnostic]) -> str:
    """Text for a person: each problem, its source line and a caret under the column; ends with a line break."""
    return "".join(_draw_one(diagnostic) for diagnostic in diagnostics)


def _draw_one(diagnostic: Diagnostic) -> str:
    drawn = diagnostic.render() + "\n"
    if not diagnostic.source_line.strip():
        return drawn
    line, column = _window(diagnostic.source_line, diagnostic.place.column - 1)
    shown, number = printable(line), str(diagnostic.place.line)
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
