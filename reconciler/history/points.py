"""Each mapping's line for charts, and what INFIMA counted: what was last known at each moment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.history.endings import is_whole
from reconciler.history.spans import Span, Subject
from reconciler.model import MappingKey, UnitPrice
from reconciler.planning.changes import CAME_RIGHT
from reconciler.state.history import MonthRecord, PastChange, PastRun, recorded_price


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """From this moment on: the quantity as last seen and INFIMA's newest recorded count, each None if unknown."""

    at: datetime
    quantity: int | None
    counted: int | None


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
"""When, whether it is a count and no quantity, and the number."""


def _quantities(lines: Mapping[Subject, tuple[Span, ...]]) -> dict[MappingKey, list[Event]]:
    """The quantities of a mapping's Subscriptions, added up: of one, or of two in doubt or after one was made anew."""
    told: defaultdict[MappingKey, list[tuple[datetime, int, Subject, int | None]]] = defaultdict(list)
    for subject, line in lines.items():
        former: set[MappingKey] = set()
        for span in line:
            mine = {span.shown.key} if span.shown.managed else set()
            for key in mine:
                told[key].append((span.since, span.first, subject, span.shown.quantity))
            for key in former - mine:
                told[key].append((span.since, span.first, subject, None))
            former = mine
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


def recorded_prices(
    runs: Iterable[PastRun], snapshots: Iterable[MonthRecord], until: datetime
) -> dict[MappingKey, UnitPrice]:
    """HaloPSA's newest recorded unit prices at a moment. A line without one says that none was known any more."""
    full = {snapshot.run: snapshot for snapshot in snapshots}
    newest: dict[MappingKey, UnitPrice | None] = {}
    for run in runs:
        if run.verdict.finished_at > until:
            continue
        for change in () if run.verdict.decision else run.verdict.changes:
            newest[change.key] = recorded_price(change.unit_price, change.currency) if change.unit_price else None
        if run.info.id in full:
            newest |= full[run.info.id].prices
    return {key: price for key, price in newest.items() if price is not None}


def changes_by_key(runs: Sequence[PastRun]) -> dict[MappingKey, list[PastChange]]:
    """What runs did or withheld, for each mapping, in the order of the runs."""
    found: defaultdict[MappingKey, list[PastChange]] = defaultdict(list)
    for run in runs:
        for change in run.verdict.changes:
            found[change.key].append(PastChange(run=run, change=change))
    return dict(found)
