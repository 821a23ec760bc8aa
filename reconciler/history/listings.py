"""The complete listings that past runs made, also of runs whose version did not record them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.history.endings import is_whole
from reconciler.history.spans import UNNAMED, Look
from reconciler.model import MappingKey, Shown, Standing
from reconciler.planning.changes import CAME_RIGHT, Outcome
from reconciler.state.base import HistoryChange
from reconciler.state.history import MonthRecord, PastRun


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


def _row(key: MappingKey, quantity: int | None, standing: Standing = Standing.LIVE) -> Shown:
    return Shown(
        subscription_id=UNNAMED, key=key, quantity=quantity, standing=standing, managed=standing is not Standing.LET_GO
    )


# ---------------------------------------------------------------------------------------------------------------------
# Runs of versions that recorded changes alone
# ---------------------------------------------------------------------------------------------------------------------

_TELL_BEFORE = frozenset({Outcome.APPLIED, Outcome.UNCHANGED, Outcome.HELD, Outcome.FAILED, Outcome.UNKNOWN})
"""Outcomes whose `before` was live in that run; a stale row's was not, that is why it is stale."""


def _old_looks(run: PastRun, known: set[MappingKey]) -> Iterator[Look]:
    """What the run found, and what it left: a row that failed or is unknown may have either quantity."""
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
