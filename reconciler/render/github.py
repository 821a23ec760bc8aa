"""The plan as annotations on the lines of mappings.yaml: GitHub's workflow commands, a line each, at most ten.

GitHub shows ten annotations of a kind for a step and drops the others without a word, so the most important come first
and the last line says how many are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.render.document import Kind, Problem, Row, View, pending_writes, plural, signed, view
from reconciler.render.text import annotation_data, annotation_property

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlaceJson, PlanJson

MOST = 10
"""Annotations that GitHub shows for one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One workflow command. `level` is GitHub's: error, warning or notice; `place` is None for the whole file."""

    level: str
    title: str
    message: str
    place: PlaceJson | None = None

    def __str__(self) -> str:
        properties = []
        if self.place is not None:
            properties = [
                f"file={annotation_property(self.place['file'])}",
                f"line={self.place['line']}",
                f"col={self.place['column']}",
            ]
        properties.append(f"title={annotation_property(self.title)}")
        return f"::{self.level} {','.join(properties)}::{annotation_data(self.message)}"


def render_annotations(document: PlanJson, *, most: int = MOST) -> str:
    """Return at most `most` annotations: refusals, holds, then changes, those of the edit under review first.

    Empty when there is nothing to say.
    """
    found = list(_annotations(view(document)))
    if len(found) > most:
        missing = len(found) - most + 1
        rest = Annotation(
            level="notice",
            title=f"{plural(missing, 'annotation')} not shown",
            message="The plan in the job summary or the pull-request comment has them all.",
        )
        found = [*found[: most - 1], rest]
    return "".join(f"{annotation}\n" for annotation in found)


def _annotations(shown: View) -> Iterator[Annotation]:
    for problem in shown.refusals:
        yield Annotation(level="error", title=f"Refused by {problem.rule}", message=_told(problem))
    for row in shown.of_kind(Kind.HELD):
        message = f"{row.parties}. " + " ".join(f"{problem.rule}: {_told(problem)}" for problem in row.problems)
        yield Annotation(level="warning", title=f"Held: {row.key}", message=message, place=row.place)
    for row in sorted(pending_writes(shown), key=lambda row: (not row.caused_by_edit, row.kind, row.key)):
        yield Annotation(level="notice", title=_title(row), message=_summed_up(row), place=row.place)
    for warning in shown.document["warnings"]:
        yield Annotation(level="notice", title="Worth knowing", message=warning)


def _told(problem: Problem) -> str:
    return " ".join(part for part in (problem.message, problem.measure, problem.remedy) if part)


def _title(row: Row) -> str:
    anyway = "" if row.caused_by_edit else ", not from this edit"
    return f"{row.action.capitalize()}: {row.key}{anyway}"


def _summed_up(row: Row) -> str:
    return f"{row.parties}: {row.before_in_words} -> {row.after_in_words} users ({signed(row.delta)}), {row.reason}."
