"""What each mapping billed at any moment of the past, from runs and snapshots. Pure.

The history holds a line where something happened and once a month everything; between two lines a quantity stands. A
quantity of None means "not known": before the first line, and after a month's snapshot that no longer lists the key.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from reconciler.errors import ExitCode, UsageError
from reconciler.model import MappingKey, UnitPrice
from reconciler.planning.changes import CAME_RIGHT, Outcome
from reconciler.state.base import HistoryChange, RunVerdict
from reconciler.state.history import PastChange, PastRun, Snapshot, recorded_price


class Ending(StrEnum):
    """How a run ended, in one word."""

    GOOD = "good"
    HELD = "held"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    DECISION = "decision"


_ENDINGS: dict[int, Ending] = {
    ExitCode.DONE: Ending.GOOD,
    ExitCode.HELD: Ending.HELD,
    ExitCode.INCOMPLETE: Ending.INCOMPLETE,
    ExitCode.INTERRUPTED: Ending.INTERRUPTED,
}


def ending_of(verdict: RunVerdict) -> Ending:
    """The word for a run's exit code; a person's decision about a binding is none of the others."""
    return Ending.DECISION if verdict.decision else _ENDINGS.get(verdict.exit_code, Ending.FAILED)


def is_whole(run: PastRun) -> bool:
    """True for a run over all mappings whose reads were complete: what it does not mention was in step."""
    partial = any(word in run.info.command.split() for word in ("--only", "--exclude"))
    return ending_of(run.verdict) in _LOOKED and not partial


_LOOKED = frozenset({Ending.GOOD, Ending.HELD, Ending.INCOMPLETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """From this moment on: the billed quantity and INFIMA's newest recorded count, each None where not known."""

    at: datetime
    quantity: int | None
    counted: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Points by key, each in the order of time."""

    points: Mapping[MappingKey, tuple[Point, ...]]

    def at(self, key: MappingKey, moment: datetime) -> Point | None:
        """What held at that moment, None before anything is known."""
        line = self.points.get(key, ())
        index = bisect_right(line, moment, key=lambda point: point.at)
        return line[index - 1] if index else None

    def between(self, key: MappingKey, start: datetime, end: datetime) -> tuple[Point, ...]:
        """What held at `start`, moved to `start`, and what changed until before `end`."""
        first = self.at(key, start)
        line = [] if first is None else [Point(at=start, quantity=first.quantity, counted=first.counted)]
        return (*line, *(point for point in self.points.get(key, ()) if start < point.at < end))


def draw_timeline(runs: Iterable[PastRun], snapshots: Iterable[Snapshot]) -> Timeline:
    """The timeline that runs and snapshots come to, whatever order they are in."""
    lines: defaultdict[MappingKey, list[Point]] = defaultdict(list)
    confirmed: dict[MappingKey, int | None] = {}
    doubtful: set[MappingKey] = set()
    runs_in_order = sorted((run for run in runs if not run.verdict.decision), key=lambda run: run.verdict.finished_at)
    fulls = sorted(snapshots, key=lambda snapshot: snapshot.taken_at)
    for run in runs_in_order:
        while fulls and fulls[0].taken_at < run.verdict.finished_at:
            _add_snapshot(lines, fulls.pop(0))
        told = {change.key for change in run.verdict.changes}
        if is_whole(run):
            # No line means "in step": the count that was withheld the night before has gone back to the confirmed one.
            for key in doubtful - told:
                line = lines[key]
                _add(line, run.verdict.finished_at, line[-1].quantity if line else None, confirmed.get(key))
            doubtful &= told
        for change in run.verdict.changes:
            _add_change(lines[change.key], run, change)
            if change.outcome in CAME_RIGHT:
                confirmed[change.key] = change.counted
                doubtful.discard(change.key)
            else:
                doubtful.add(change.key)
    for snapshot in fulls:
        _add_snapshot(lines, snapshot)
    return Timeline(points={key: tuple(line) for key, line in lines.items() if line})


"""Outcomes after which the state remembers the count as the one that the quantity came from."""

_TELL_BEFORE = CAME_RIGHT | {Outcome.HELD, Outcome.FAILED, Outcome.UNKNOWN}
"""Outcomes whose `before` was live in that run; a stale row's was not, that is why it is stale."""


def _add_change(line: list[Point], run: PastRun, change: HistoryChange) -> None:
    if change.outcome not in _TELL_BEFORE:
        return
    last = line[-1] if line else None
    if change.before is not None and (last is None or last.quantity != change.before):
        _add(line, run.info.started_at, change.before, last.counted if last else None)
    written = change.outcome == Outcome.APPLIED and change.after is not None
    quantity = change.after if written else (line[-1].quantity if line else None)
    counted = change.counted if change.counted is not None else (line[-1].counted if line else None)
    _add(line, run.verdict.finished_at, quantity, counted)


def _add_snapshot(lines: defaultdict[MappingKey, list[Point]], snapshot: Snapshot) -> None:
    for key in lines.keys() | snapshot.quantities.keys():
        line = lines[key]
        _add(line, snapshot.taken_at, snapshot.quantities.get(key), line[-1].counted if line else None)


def _add(line: list[Point], at: datetime, quantity: int | None, counted: int | None) -> None:
    """Add a point where it says something new; time never runs backwards along a line."""
    if line:
        last = line[-1]
        if (last.quantity, last.counted) == (quantity, counted):
            return
        at = max(at, last.at)
    elif quantity is None and counted is None:
        return
    line.append(Point(at=at, quantity=quantity, counted=counted))


# ---------------------------------------------------------------------------------------------------------------------
# Months
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month in UTC."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment of the next month."""
        return (self.start + timedelta(days=32)).replace(day=1)

    @property
    def days(self) -> tuple[date, ...]:
        """Its days."""
        return tuple((self.start + timedelta(days=i)).date() for i in range((self.end - self.start).days))

    def back(self, months: int) -> Month:
        """The month that many months earlier."""
        index = self.year * 12 + self.number - 1 - months
        return Month(year=index // 12, number=index % 12 + 1)


def month_of(moment: datetime) -> Month:
    """The month (UTC) of a moment."""
    day = moment.astimezone(UTC)
    return Month(year=day.year, number=day.month)


def parse_month(text: str) -> Month:
    """The month that `2026-11` names. Raises `UsageError`."""
    try:
        day = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise UsageError(f"{text!r} is no month.", hint="Write year and month, for example 2026-11.") from None
    return Month(year=day.year, number=day.month)


def recorded_prices(
    runs: Iterable[PastRun], snapshots: Iterable[Snapshot], until: datetime
) -> dict[MappingKey, UnitPrice]:
    """HaloPSA's newest recorded unit prices at a moment. A line without one says that none was known any more."""
    told: list[tuple[datetime, MappingKey, UnitPrice | None]] = [
        (full.taken_at, key, price) for full in snapshots for key, price in full.prices.items()
    ]
    for run in runs:
        for change in () if run.verdict.decision else run.verdict.changes:
            price = recorded_price(change.unit_price, change.currency) if change.unit_price else None
            told.append((run.verdict.finished_at, change.key, price))
    newest = {key: price for at, key, price in sorted(told, key=lambda one: one[0]) if at <= until}
    return {key: price for key, price in newest.items() if price is not None}


def changes_by_key(runs: Sequence[PastRun]) -> dict[MappingKey, list[PastChange]]:
    """What runs did or withheld, for each mapping, in the order of the runs."""
    found: defaultdict[MappingKey, list[PastChange]] = defaultdict(list)
    for run in runs:
        for change in run.verdict.changes:
            found[change.key].append(PastChange(run=run, change=change))
    return dict(found)
