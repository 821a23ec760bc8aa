"""Reads one line of a timeline for one month: days, averages, and reasons where a quantity is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from reconciler.history.months import Month, end_of, start_of
from reconciler.history.spans import Span, Subject
from reconciler.history.timeline import Known, NotKnown, Timeline, Why
from reconciler.history.words import why_not_known
from reconciler.model import MappingKey, Standing
from reconciler.moments import moment_in
from reconciler.planning.money import CENT

FRESH = timedelta(hours=36)
"""How old the newest listing may be to stand for a day that is not over."""

INSTANT = timedelta(microseconds=1)
"""A day ends this much before midnight: what is written at midnight belongs to the next day."""

State = Known | NotKnown


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRead:
    """One line's month. `about` is the span that the invoice day fell into, or the nearest one that was seen."""

    key: MappingKey
    about: Span
    invoiced: int | None
    not_ours_yet: bool
    why: str
    seen_at: datetime | None
    first: int | None
    last: int | None
    peak: int | None
    average: Decimal | None
    days_known: int
    days: int
    counted: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReader:
    """What the lines of a timeline say of a month that has begun, and of its invoice day."""

    timeline: Timeline
    month: Month
    day: date
    now: datetime

    def read(self, subject: Subject) -> MonthRead | None:
        """One line; None where nothing of it belongs to the month."""
        begun = [day for day in self.month.days if start_of(day, self.month.zone) <= self.now]
        states = {day: self.at_end_of(subject, day) for day in begun}
        spans = self._spans_of_month(subject)
        if not _belongs(states, spans):
            return None
        invoice, last = states.get(self.day, states[begun[-1]]), states[begun[-1]]
        about = _about(invoice) or self.timeline.lines[subject][-1]
        known = [state.quantity for state in states.values() if isinstance(state, Known)]
        seen = [span.shown.quantity for span in spans if span.shown.quantity is not None]
        return MonthRead(
            key=about.shown.key,
            about=about,
            invoiced=invoice.quantity if isinstance(invoice, Known) else None,
            not_ours_yet=_not_ours_yet(invoice),
            why=why_not_known(invoice, self.timeline, self.month.zone) if isinstance(invoice, NotKnown) else "",
            seen_at=invoice.seen_at if isinstance(invoice, Known) else None,
            first=seen[0] if seen else None,
            last=last.quantity if isinstance(last, Known) else None,
            peak=max(seen, default=None),
            average=_mean(known),
            days_known=len(known),
            days=sum(not _not_ours_yet(state) for state in states.values()),
            counted=self._counted(about.shown.key),
            notes=tuple(self._notes(about, spans)),
        )

    def at_end_of(self, subject: Subject, day: date) -> State:
        """What stood when a day ended; of a day that is not over, what the newest listing shows."""
        end = end_of(day, self.month.zone)
        if end <= self.now:
            return self.timeline.stood(subject, end - INSTANT)
        return self.timeline.newest(subject, since=self.now - FRESH)

    def _spans_of_month(self, subject: Subject) -> list[Span]:
        until = min(self.month.end, self.now)
        line = self.timeline.lines[subject]
        return [s for s in line if s.since < until and max(s.since, s.until) >= self.month.start]

    def _counted(self, key: MappingKey) -> int | None:
        end = min(end_of(self.day, self.month.zone) - INSTANT, self.now)
        point = self.timeline.at(key, end)
        return point.counted if point else None

    def _notes(self, about: Span, spans: Sequence[Span]) -> Iterator[str]:
        shown, zone = about.shown, self.month.zone
        if shown.standing in _STANDING:
            yield f"{_STANDING[shown.standing]}, first seen so {moment_in(about.since, zone)}"
        if not shown.managed:
            yield "no mapping in mappings.yaml has it any more"
        for key in sorted({s.shown.key for s in spans} - {shown.key}):
            newest = max(max(s.since, s.until) for s in spans if s.shown.key == key)
            yield f"under the key {key} when seen {moment_in(newest, zone)}"


_STANDING = {
    Standing.INACTIVE: "inactive in HaloPSA",
    Standing.DELETED: "deleted in HaloPSA",
    Standing.GONE: "not in HaloPSA's list any more",
}


def _belongs(states: Mapping[date, State], spans: Sequence[Span]) -> bool:
    """False for what was not ours yet in the whole month, and for what had left with nothing before it began."""
    if all(_not_ours_yet(state) for state in states.values()):
        return False
    relevant = spans or [s.before for s in states.values() if isinstance(s, NotKnown) and s.before is not None]
    return not relevant or any(span.shown.managed or span.shown.quantity for span in relevant)


def _not_ours_yet(state: State) -> bool:
    return isinstance(state, NotKnown) and state.why is Why.NOT_OURS_YET


def _about(state: State) -> Span | None:
    return state.span if isinstance(state, Known) else state.before or state.after


def _mean(daily: Sequence[int]) -> Decimal | None:
    if not daily:
        return None
    return (Decimal(sum(daily)) / len(daily)).quantize(CENT, rounding=ROUND_HALF_UP)
