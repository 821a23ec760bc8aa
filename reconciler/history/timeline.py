"""What quantity each of our Subscriptions had at any moment of the past, as far as the records tell. Pure.

A run sees HaloPSA in its complete listings. Between two listings that show the same quantity it stood; between two
that differ nobody knows when it changed. Only that is said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import ClassVar

from reconciler.history.account import is_whole
from reconciler.history.spans import Span, Subject, Times, draw_spans, looks_of, times_of
from reconciler.model import MappingKey, Standing
from reconciler.moments import moment_in
from reconciler.planning.changes import CAME_RIGHT
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

    quantity: ClassVar[None] = None
    seen_at: ClassVar[None] = None
    why: Why
    before: Span | None = None
    after: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """From this moment on: the quantity as last seen and INFIMA's newest recorded count, each None if unknown."""

    at: datetime
    quantity: int | None
    counted: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What the records tell over time: `lines` for each Subscription, `points` for each mapping's chart.

    `latest` and `earliest` are the times of all listings (`spans`).
    """

    lines: Mapping[Subject, tuple[Span, ...]] = field(default_factory=dict)
    latest: Times = ()
    earliest: Times = ()
    points: Mapping[MappingKey, tuple[Point, ...]] = field(default_factory=dict)

    def at(self, key: MappingKey, moment: datetime) -> Point | None:
        """What was last seen of a mapping at that moment, None before anything is known."""
        line = self.points.get(key, ())
        index = bisect_right(line, moment, key=lambda point: point.at)
        return line[index - 1] if index else None

    def between(self, key: MappingKey, start: datetime, end: datetime) -> tuple[Point, ...]:
        """What was last seen at `start`, moved to `start`, and what was seen anew until before `end`."""
        first = self.at(key, start)
        line = [] if first is None else [replace(first, at=start)]
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
        if last.lost or not self.latest or self.latest[-1] < since:
            return NotKnown(why=Why.LOST if last.lost else Why.NOT_SINCE, before=last)
        return _known(last, seen_at=self.latest[-1])

    def _why_not_yet(self, first: Span, moment: datetime) -> Why:
        """Before the first listing of it: had others been made by then, and did one of that time or later lack it?"""
        if not self.latest or moment < self.latest[0]:
            return Why.NO_LOOK_YET
        without = self.earliest[: first.first]
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
    latest, earliest = times_of(looks)
    lines = draw_spans(looks, latest, earliest)
    return Timeline(lines=lines, latest=latest, earliest=earliest, points=draw_points(lines, told))


# ---------------------------------------------------------------------------------------------------------------------
# Each mapping's line for charts: what was last known at each moment
# ---------------------------------------------------------------------------------------------------------------------


def draw_points(
    lines: Mapping[Subject, tuple[Span, ...]], runs: Sequence[PastRun]
) -> dict[MappingKey, tuple[Point, ...]]:
    """The points of every mapping that ever had a Subscription or a count."""
    quantities, counts = _quantities(lines), _counts(runs)
    found = {}
    for key in quantities.keys() | counts.keys():
        events = [*quantities.get(key, ()), *counts.get(key, ())]
        line: list[Point] = []
        quantity = counted = None
        for at, is_count, value in sorted(events, key=lambda event: event[:2]):
            quantity, counted = (quantity, value) if is_count else (value, counted)
            if line and line[-1].at == at:
                line.pop()
            if not line or (line[-1].quantity, line[-1].counted) != (quantity, counted):
                line.append(Point(at=at, quantity=quantity, counted=counted))
        if line:
            found[key] = tuple(line)
    return found


Event = tuple[datetime, bool, int | None]
"""The moment, whether the number is a count (else it is a quantity), and the number."""


def _quantities(lines: Mapping[Subject, tuple[Span, ...]]) -> dict[MappingKey, list[Event]]:
    """The sum over a mapping's Subscriptions: two of them while one is in doubt, or after one was made anew."""
    told: defaultdict[MappingKey, list[tuple[datetime, int, Subject, int | None]]] = defaultdict(list)
    for subject, line in lines.items():
        former = None
        for span in line:
            key = span.shown.key if span.shown.managed else None
            if key is not None:
                told[key].append((span.since, span.first, subject, span.shown.quantity))
            if former is not None and former != key:
                told[former].append((span.since, span.first, subject, None))
            former = key
    found: dict[MappingKey, list[Event]] = {}
    for key, events in told.items():
        standing: dict[Subject, int | None] = {}
        found[key] = []
        for at, _, subject, quantity in sorted(events, key=lambda event: event[:2]):
            standing[subject] = quantity
            known = [number for number in standing.values() if number is not None]
            found[key].append((at, False, sum(known) if known else None))
    return found


def _counts(runs: Sequence[PastRun]) -> dict[MappingKey, list[Event]]:
    """What INFIMA counted: a run that says nothing of a mapping counted what the last confirmed quantity came from."""
    found: defaultdict[MappingKey, list[Event]] = defaultdict(list)
    confirmed: dict[MappingKey, int | None] = {}
    doubtful: set[MappingKey] = set()
    latest = None
    for run in runs:
        if run.verdict.decision:
            continue
        latest = max(latest or run.verdict.finished_at, run.verdict.finished_at)
        told = {change.key for change in run.verdict.changes}
        if is_whole(run):
            for key in doubtful - told:
                found[key].append((latest, True, confirmed.get(key)))
            doubtful &= told
        for change in run.verdict.changes:
            if change.counted is not None:
                found[change.key].append((latest, True, change.counted))
            if change.outcome in CAME_RIGHT:
                confirmed[change.key] = change.counted
                doubtful.discard(change.key)
            else:
                doubtful.add(change.key)
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Words
# ---------------------------------------------------------------------------------------------------------------------


def why_not_known(state: NotKnown, timeline: Timeline, zone: tzinfo) -> str:
    """Why a quantity is not known, in one clause that can stand behind "not known: "."""
    if state.why is Why.NO_LOOK_YET:
        return f"the first recorded look at HaloPSA was {moment_in(timeline.latest[0], zone)}"
    if state.why in _PLAIN:
        return _PLAIN[state.why]
    before, after = state.before, state.after
    if before is not None and after is None:
        return f"not looked at since {moment_in(before.last_seen, zone)}, when it was {_quantity(before)}"
    first_seen = moment_in(after.since, zone) if after is not None else "later"
    if state.why is Why.NOT_OURS_YET:
        return f"no Subscription of ours yet, first seen {first_seen}"
    if before is None:
        return f"first seen {first_seen}"
    seen = moment_in(before.last_seen, zone)
    return f"it was {_quantity(before)} when seen {seen} and {_quantity(after)} when seen {first_seen}"


_PLAIN = {
    Why.LOST: "records of that time are lost or damaged: reconciler history --verify",
    Why.LET_GO: "no mapping, record or marker names it any more, so nobody looks at it",
    Why.UNREADABLE: "no whole number was read, or a write was not confirmed",
}


def _quantity(span: Span | None) -> str:
    return "not known" if span is None or span.shown.quantity is None else str(span.shown.quantity)
