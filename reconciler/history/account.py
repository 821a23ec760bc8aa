"""What happened to each Subscription and mapping, run by run: what runs did or withheld, and what others did. Pure.

`after` is always what HaloPSA showed, `wanted` what the run meant to write. A listing that shows what no run wrote has
a line of its own, where no line of the same run tells it already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reconciler.history.endings import is_partial
from reconciler.model import MappingKey, Shown, Sighting, Standing, SubscriptionId
from reconciler.planning.changes import CAME_RIGHT, Outcome
from reconciler.state.base import HistoryChange, Lifted
from reconciler.state.history import PastRun

SEEN = "seen"
"""The outcome of a line about a change that a listing showed and no run is known to have made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened. Quantities are whole users, None where not known or where there was no Subscription."""

    run: PastRun
    key: MappingKey
    subscription_id: SubscriptionId | None
    action: str
    outcome: str
    before: int | None
    after: int | None
    wanted: int | None = None
    counted: int | None = None
    rule: str = ""
    why: str = ""
    held_by: str = ""
    sent: bool = False
    lifted: tuple[Lifted, ...] = ()


def lines_of(runs: Iterable[PastRun]) -> Iterator[Line]:
    """Every line of the runs, in the order in which they were recorded."""
    told: dict[SubscriptionId, Shown] = {}
    for run in runs:
        named = {change.subscription_id for change in run.verdict.changes}
        for change in run.verdict.changes if run.verdict.recovered_by else ():
            _expect(change, told)
        for sighting in run.verdict.sightings or ():
            yield from _seen(run, sighting, told, named)
            told |= {row.subscription_id: row for row in sighting.rows}
        for change in run.verdict.changes:
            yield _line(run, change)


def _expect(change: HistoryChange, told: dict[SubscriptionId, Shown]) -> None:
    """What a cut-off run is known to have written is not told again when a listing shows it."""
    row = None if change.subscription_id is None else told.get(change.subscription_id)
    if row is not None and change.outcome == Outcome.APPLIED:
        told[row.subscription_id] = replace(row, quantity=change.after)


def _seen(
    run: PastRun, sighting: Sighting, told: dict[SubscriptionId, Shown], named: set[SubscriptionId | None]
) -> Iterator[Line]:
    for row in sighting.rows:
        before = told.get(row.subscription_id)
        if row.subscription_id in named or row == before:
            continue
        yield Line(
            run=run,
            key=row.key,
            subscription_id=row.subscription_id,
            action="",
            outcome=SEEN,
            before=None if before is None else before.quantity,
            after=row.quantity,
            why=_what_is_new(before, row),
        )


def _what_is_new(before: Shown | None, row: Shown) -> str:
    """What a listing shows otherwise than the one before."""
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


def _line(run: PastRun, change: HistoryChange) -> Line:
    after, wanted = after_and_wanted(change)
    return Line(
        run=run,
        key=change.key,
        subscription_id=change.subscription_id,
        action=change.action,
        outcome=change.outcome,
        before=change.before,
        after=after,
        wanted=wanted,
        counted=change.counted,
        rule=change.rule,
        why=change.message,
        held_by=change.held_by,
        sent=change.sent,
        lifted=change.lifted,
    )


def after_and_wanted(change: HistoryChange) -> tuple[int | None, int | None]:
    """What HaloPSA showed and what was wanted. The first versions wrote down what was wanted, and called it after."""
    if change.wanted is not None or change.sent:
        return change.after, change.wanted
    if change.outcome in CAME_RIGHT:
        return change.after, change.after
    return (change.before if change.outcome == Outcome.HELD else None), change.after


def users_of(run: PastRun) -> tuple[int, int] | None:
    """Users before and after the run, over all mappings; None where the run did not look at all of them."""
    verdict = run.verdict
    looked = bool(verdict.sightings) if verdict.sightings is not None else bool(verdict.changes or verdict.users_after)
    if verdict.decision or verdict.recovered_by or is_partial(run) or not looked:
        return None
    return verdict.users_before, verdict.users_after
