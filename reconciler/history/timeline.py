"""What quantity each of our Subscriptions had at any moment of the past, as far as the records tell. Pure.

A run sees HaloPSA in its complete listings. Between two listings that show the same quantity it stood; between two
that differ nobody knows when it changed. Only that is said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.history.listings import looks_of
from reconciler.history.points import Point, draw_points
from reconciler.history.spans import Listed, Span, Subject, draw_spans, times_of
from reconciler.model import MappingKey, Standing
from reconciler.state.history import MonthRecord, PastRun


class Why(StrEnum):
    """Why a quantity is not known."""

    NO_LOOK_YET = "no-look-yet"  # no run had listed Subscriptions
    NOT_OURS_YET = "not-ours-yet"  # a listing of that time or later did not show it as ours
    NOT_SINCE = "not-looked-at-since"
    BETWEEN = "changed-between"  # two listings differ, and the moment lies between them
    LOST = "records-lost"
    UNREADABLE = "no-whole-number"
    LET_GO = "let-go"  # no mapping, record or marker named it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What stood at a moment; `seen_at` is the newest listing by then that showed it."""

    span: Span
    seen_at: datetime

    @property
    def quantity(self) -> int:
        """Users on the Subscription."""
        return self.span.shown.quantity or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKnown:
    """That the quantity at a moment is not known, why, and what was seen before and after."""

    why: Why
    before: Span | None = None
    after: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What the records tell over time: `lines` for each Subscription, `points` for each mapping's chart."""

    lines: Mapping[Subject, tuple[Span, ...]] = field(default_factory=dict)
    listed: Listed = field(default_factory=Listed)
    points: Mapping[MappingKey, tuple[Point, ...]] = field(default_factory=dict)

    def at(self, key: MappingKey, moment: datetime) -> Point | None:
        """What was last seen of a mapping at that moment, None before anything is known."""
        line = self.points.get(key, ())
        index = bisect_right(line, moment, key=lambda point: point.at)
        return line[index - 1] if index else None

    def between(self, key: MappingKey, start: datetime, end: datetime) -> tuple[Point, ...]:
        """What was last seen at `start`, moved to `start`, and what was seen anew until before `end`."""
        first = self.at(key, start)
        line = [] if first is None else [Point(at=start, quantity=first.quantity, counted=first.counted)]
        return (*line, *(point for point in self.points.get(key, ()) if start < point.at < end))

    def stood(self, subject: Subject, moment: datetime) -> Known | NotKnown:
        """What stood at a moment of the past: said only where a listing before and one after it agree."""
        line = self.lines[subject]
        begun = bisect_right(line, moment, key=lambda span: span.since) - 1
        lasts = bisect_left(line, moment, key=lambda span: span.until)
        if begun < 0:
            return NotKnown(why=self._why_not_yet(line[0], moment), after=line[0])
        before = line[begun]
        if lasts == len(line):
            return NotKnown(why=Why.LOST if before.lost else Why.NOT_SINCE, before=before)
        around = line[min(begun, lasts) : max(begun, lasts) + 1]
        if any(span.shown.quantity != before.shown.quantity for span in around):
            return NotKnown(why=Why.BETWEEN, before=before, after=line[lasts])
        if any(span.lost for span in around[:-1]):
            return NotKnown(why=Why.LOST, before=before, after=line[lasts])
        return _known(before, seen_at=min(before.until, moment))

    def newest(self, subject: Subject, *, since: datetime) -> Known | NotKnown:
        """What the newest listing shows, if that was made at `since` or later."""
        last = self.lines[subject][-1]
        if last.lost or not self.listed.latest or self.listed.latest[-1] < since:
            return NotKnown(why=Why.LOST if last.lost else Why.NOT_SINCE, before=last)
        return _known(last, seen_at=self.listed.latest[-1])

    def _why_not_yet(self, first: Span, moment: datetime) -> Why:
        """Before the first listing of it: had others been made by then, and did one of that time or later lack it?"""
        if not self.listed.latest or moment < self.listed.latest[0]:
            return Why.NO_LOOK_YET
        without = self.listed.earliest[: first.first]
        return Why.NOT_OURS_YET if without and without[-1] >= moment else Why.BETWEEN


def _known(span: Span, *, seen_at: datetime) -> Known | NotKnown:
    if span.shown.quantity is None:
        let_go = span.shown.standing is Standing.LET_GO
        return NotKnown(why=Why.LET_GO if let_go else Why.UNREADABLE, before=span)
    return Known(span=span, seen_at=max(seen_at, span.since))


def draw_timeline(runs: Iterable[PastRun], snapshots: Iterable[MonthRecord]) -> Timeline:
    """The timeline that runs and monthly records come to; the runs in the order in which they were recorded."""
    told = tuple(runs)
    looks = tuple(looks_of(told, snapshots))
    listed = times_of(looks)
    lines = draw_spans(looks, listed)
    return Timeline(lines=lines, listed=listed, points=draw_points(lines, told))
