"""The complete listings of past runs, and the periods in which they showed the same of a Subscription. Pure.

Listings follow each other as they were recorded, in the order of the chain. A machine's clock may be wrong, so each has
two times: no record puts it later than `latest`, none earlier than `earliest`. Where clocks agree, both are its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from reconciler.history.account import is_whole
from reconciler.model import MappingKey, Shown, Standing, SubscriptionId
from reconciler.planning.changes import CAME_RIGHT, Outcome
from reconciler.state.base import HistoryChange
from reconciler.state.history import MonthRecord, PastRun

Subject = SubscriptionId | MappingKey
"""What a line is about: a Subscription; in records of old versions, which do not name it for sure, a mapping's key."""

UNNAMED = SubscriptionId(0)
"""The id in rows that are known by their key alone."""

# ---------------------------------------------------------------------------------------------------------------------
# Listings, also of runs whose version did not record them
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One complete listing: what it showed that the ones before did not.

    `whole` is true where saying nothing of a Subscription means that it was as before. `after_gap` says that records
    between it and the one before are lost.
    """

    at: datetime
    rows: tuple[Shown, ...]
    whole: bool = True
    after_gap: bool = False


def looks_of(runs: Sequence[PastRun], snapshots: Iterable[MonthRecord]) -> Iterator[Look]:
    """Every listing, in the order in which the runs were recorded; a month's full record stands behind its run."""
    known: set[MappingKey] = set()  # of records that name keys alone
    fulls = list(snapshots)
    names = {run.info.id for run in runs}
    for run in runs:
        while fulls and fulls[0].run not in names and fulls[0].taken_at < run.verdict.finished_at:
            yield _full_look(fulls.pop(0), known)  # its run's own line is lost
        for i, look in enumerate(looks_of_run(run, known)):
            yield replace(look, after_gap=run.after_gap) if i == 0 else look
        if fulls and fulls[0].run == run.info.id:
            yield _full_look(fulls.pop(0), known)
    for snapshot in fulls:
        yield _full_look(snapshot, known)


def looks_of_run(run: PastRun, known: set[MappingKey]) -> list[Look]:
    """The run's own listings; `known` are the keys of old records so far. A run that was cut off recorded none."""
    if run.verdict.sightings is not None:
        return [Look(at=one.at, rows=one.rows) for one in run.verdict.sightings]
    return [] if run.verdict.recovered_by else list(_old_looks(run, known))


def _full_look(snapshot: MonthRecord, known: set[MappingKey]) -> Look:
    if snapshot.rows is not None:
        return Look(at=snapshot.taken_at, rows=snapshot.rows)
    left = [_row(key, None, Standing.LET_GO) for key in known - snapshot.quantities.keys()]
    known.update(snapshot.quantities)
    return Look(at=snapshot.taken_at, rows=(*(_row(key, n) for key, n in snapshot.quantities.items()), *left))


_TELL_BEFORE = frozenset({Outcome.APPLIED, Outcome.UNCHANGED, Outcome.HELD, Outcome.FAILED, Outcome.UNKNOWN})
"""Outcomes whose `before` was live in that run; a stale row's was not, that is why it is stale."""


def _old_looks(run: PastRun, known: set[MappingKey]) -> Iterator[Look]:
    """What a run whose version recorded changes alone found and left; what failed or is unknown may be either."""
    if run.verdict.decision:
        return
    told = [change for change in run.verdict.changes if change.outcome in _TELL_BEFORE]
    known.update(change.key for change in told)
    found = {change.key: change.before for change in told if change.before is not None}
    left = {change.key: _left(change) for change in told if change.key in found or _left(change) is not None}
    whole = is_whole(run)
    if whole or told:
        yield Look(at=run.info.started_at, rows=_rows(found), whole=whole)
        yield Look(at=run.verdict.finished_at, rows=_rows(left), whole=whole)


def _left(change: HistoryChange) -> int | None:
    if change.outcome == Outcome.HELD:
        return change.before
    return change.after if change.outcome in CAME_RIGHT else None


def _rows(quantities: Mapping[MappingKey, int | None]) -> tuple[Shown, ...]:
    return tuple(_row(key, quantity) for key, quantity in sorted(quantities.items()))


def _row(key: MappingKey, quantity: int | None, standing: Standing = Standing.LIVE) -> Shown:
    return Shown(
        subscription_id=UNNAMED, key=key, quantity=quantity, standing=standing, managed=standing is not Standing.LET_GO
    )


# ---------------------------------------------------------------------------------------------------------------------
# Spans
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """While the listings showed the same: from the first of them to the last.

    `first` is that first listing's number. `lost` says that records right behind the span are damaged or missing.
    """

    shown: Shown
    since: datetime
    until: datetime
    first: int
    lost: bool = False

    @property
    def last_seen(self) -> datetime:
        """When it was seen last; where clocks disagree, `until` may lie before `since`."""
        return max(self.since, self.until)


Times = tuple[datetime, ...]
"""The times of all complete listings, in the order of the chain."""


def times_of(looks: Sequence[Look]) -> tuple[Times, Times]:
    """When the listings were made at the latest and at the earliest, as far as clocks that disagree can tell."""
    times = [look.at for look in looks]
    return tuple(accumulate(times, max)), tuple(accumulate(reversed(times), min))[::-1]


def draw_spans(looks: Sequence[Look], latest: Times, earliest: Times) -> dict[Subject, tuple[Span, ...]]:
    """The spans of every Subscription."""
    return {
        subject: tuple(
            Span(shown=one.shown, since=latest[one.first], until=earliest[one.last], first=one.first, lost=one.lost)
            for one in line
        )
        for subject, line in _follow(looks).items()
    }


@dataclass(slots=True, kw_only=True)
class _OpenSpan:
    """A span under way: numbers of the first and the last listing that are known to have shown it."""

    shown: Shown
    first: int
    last: int
    ended: bool = False
    lost: bool = False

    def end(self, whole: Sequence[int], before: int, *, lost: bool = False) -> None:
        """It lasted to the last whole listing before that one, if none named it later."""
        if self.ended:
            return
        index = bisect_left(whole, before)
        if index:
            self.last = max(self.last, whole[index - 1])
        self.ended, self.lost = True, lost


def _follow(looks: Sequence[Look]) -> Mapping[Subject, list[_OpenSpan]]:
    lines: dict[Subject, list[_OpenSpan]] = {}
    whole: list[int] = []
    for number, look in enumerate(looks):
        if look.after_gap:
            for line in lines.values():
                line[-1].end(whole, number, lost=True)
        for row in look.rows:
            line = lines.setdefault(_subject(row, lines), [])
            if line and line[-1].shown == row and not line[-1].ended:
                line[-1].last = number
                continue
            if line:
                line[-1].end(whole, number)
            line.append(_OpenSpan(shown=row, first=number, last=number))
        if look.whole:
            whole.append(number)
    for line in lines.values():
        line[-1].end(whole, len(looks))
    return lines


def _subject(row: Shown, lines: dict[Subject, list[_OpenSpan]]) -> Subject:
    """Whose line a row goes on. An old record's line, kept by key, becomes the Subscription's at its first listing."""
    if row.subscription_id == UNNAMED:
        return row.key
    if row.subscription_id not in lines and row.managed and row.key in lines:
        lines[row.subscription_id] = lines.pop(row.key)
    return row.subscription_id
