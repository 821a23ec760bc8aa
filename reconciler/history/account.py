"""What the records tell of past runs: how each ended, what it did or withheld, and what others did. Pure.

In a line `after` is always what HaloPSA showed, `wanted` what the run meant to write. A listing that shows what no run
wrote has a line of its own, where no line of the same run tells it already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from reconciler.errors import ExitCode
from reconciler.model import MappingKey, Shown, Standing, SubscriptionId, UnitPrice
from reconciler.planning.changes import CAME_RIGHT, Outcome
from reconciler.state.base import HistoryChange, RunVerdict
from reconciler.state.history import MonthRecord, PastChange, PastRun, recorded_price

# ---------------------------------------------------------------------------------------------------------------------
# Whole runs
# ---------------------------------------------------------------------------------------------------------------------


class RunEnding(StrEnum):
    """How a run ended, in one word."""

    GOOD = "good"
    HELD = "held"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    DECISION = "decision"


_ENDINGS: dict[int, RunEnding] = {
    ExitCode.DONE: RunEnding.GOOD,
    ExitCode.HELD: RunEnding.HELD,
    ExitCode.INCOMPLETE: RunEnding.INCOMPLETE,
    ExitCode.INTERRUPTED: RunEnding.INTERRUPTED,
}
_LOOKED = frozenset({RunEnding.GOOD, RunEnding.HELD, RunEnding.INCOMPLETE})


def ending_of(verdict: RunVerdict) -> RunEnding:
    """The word for a run's exit code; a person's decision about a binding has its own word."""
    return RunEnding.DECISION if verdict.decision else _ENDINGS.get(verdict.exit_code, RunEnding.FAILED)


def is_partial(run: PastRun) -> bool:
    """True for a run that --only or --exclude kept to some of the mappings."""
    return any(word.split("=")[0] in ("--only", "--exclude") for word in run.info.command.split())


def is_whole(run: PastRun) -> bool:
    """True for a run over all mappings whose reads were complete: what it does not mention was in step.

    Of a run that was cut off nobody knows what it found.
    """
    return ending_of(run.verdict) in _LOOKED and not is_partial(run) and not run.verdict.recovered_by


def users_of(run: PastRun) -> tuple[int, int] | None:
    """Users before and after the run, over all mappings; None where the run did not look at all of them."""
    verdict = run.verdict
    looked = bool(verdict.sightings) if verdict.sightings is not None else bool(verdict.changes or verdict.users_after)
    if verdict.decision or verdict.recovered_by or is_partial(run) or not looked:
        return None
    return verdict.users_before, verdict.users_after


def changes_by_key(runs: Sequence[PastRun]) -> dict[MappingKey, list[PastChange]]:
    """What runs did or withheld, for each mapping, in the order of the runs."""
    found: defaultdict[MappingKey, list[PastChange]] = defaultdict(list)
    for run in runs:
        for change in run.verdict.changes:
            found[change.key].append(PastChange(run=run, change=change))
    return dict(found)


def recorded_prices(
    runs: Iterable[PastRun], snapshots: Iterable[MonthRecord], until: datetime
) -> dict[MappingKey, UnitPrice]:
    """HaloPSA's newest recorded unit prices at a moment. A line without one says that none was known any more."""
    full = {snapshot.run: snapshot.prices for snapshot in snapshots}
    newest: dict[MappingKey, UnitPrice | None] = {}
    for run in runs:
        if run.verdict.finished_at > until:
            continue
        for change in () if run.verdict.decision else run.verdict.changes:
            newest[change.key] = recorded_price(change.unit_price, change.currency) if change.unit_price else None
        newest |= full.get(run.info.id, {})
    return {key: price for key, price in newest.items() if price is not None}


# ---------------------------------------------------------------------------------------------------------------------
# Line by line
# ---------------------------------------------------------------------------------------------------------------------

SEEN = "seen"
"""The outcome of a line about a change that a listing showed and no run is known to have made."""


def lines_of(runs: Iterable[PastRun]) -> Iterator[PastChange]:
    """Every line of the runs, in the order in which they were recorded."""
    told: dict[SubscriptionId, Shown] = {}
    for run in runs:
        named = {change.subscription_id for change in run.verdict.changes}
        for change in run.verdict.changes if run.verdict.recovered_by else ():
            _expect(change, told)
        for sighting in run.verdict.sightings or ():
            for row in sighting.rows:
                before = told.get(row.subscription_id)
                if row.subscription_id not in named and row != before:
                    yield PastChange(run=run, change=_seen(row, before))
            told |= {row.subscription_id: row for row in sighting.rows}
        for change in run.verdict.changes:
            after, wanted = after_and_wanted(change)
            yield PastChange(run=run, change=replace(change, after=after, wanted=wanted))


def _expect(change: HistoryChange, told: dict[SubscriptionId, Shown]) -> None:
    """What a cut-off run is known to have written is not told again when a listing shows it."""
    row = None if change.subscription_id is None else told.get(change.subscription_id)
    if row is not None and change.outcome == Outcome.APPLIED:
        told[row.subscription_id] = replace(row, quantity=change.after)


def _seen(row: Shown, before: Shown | None) -> HistoryChange:
    return HistoryChange(
        key=row.key,
        subscription_id=row.subscription_id,
        action="",
        before=None if before is None else before.quantity,
        after=row.quantity,
        counted=None,
        rule="",
        outcome=SEEN,
        message=_what_is_new(before, row),
    )


def _what_is_new(before: Shown | None, row: Shown) -> str:
    """How a listing differs from the one before."""
    if before is None:
        return "seen for the first time" if row.managed else "seen for the first time; no mapping has it"
    told = []
    if row.standing is not before.standing:
        told.append(_STANDING[row.standing])
    elif row.quantity != before.quantity:
        told.append("changed in HaloPSA, and no run of this history confirmed it")
    if row.key != before.key:
        told.append(f"it was under the key {before.key}")
    if row.managed is not before.managed and row.standing is not Standing.LET_GO:
        told.append("a mapping has it again" if row.managed else "no mapping has it any more")
    if row.customer_id != before.customer_id and row.customer_id is not None and before.customer_id is not None:
        told.append(f"its customer was {before.customer_id} and is {row.customer_id}")
    return "; ".join(told) or "its customer's name changed"


_STANDING = {
    Standing.LIVE: "live again in HaloPSA",
    Standing.INACTIVE: "made inactive in HaloPSA",
    Standing.DELETED: "deleted in HaloPSA",
    Standing.GONE: "no longer in HaloPSA's list",
    Standing.LET_GO: "nothing names it as ours any more, and nobody looks at it",
}


def after_and_wanted(change: HistoryChange) -> tuple[int | None, int | None]:
    """What HaloPSA showed and what was wanted. The first versions wrote down what was wanted, and called it after."""
    if change.wanted is not None or change.sent:
        return change.after, change.wanted
    if change.outcome in CAME_RIGHT:
        return change.after, change.after
    return (change.before if change.outcome == Outcome.HELD else None), change.after
