"""Performs a plan: re-read, write once, read back; one outcome per change (DESIGN 7).

It reads nothing but the plan, the listing it is given and what the target answers, and it never decides for a write
that the plan does not hold: a saved plan can only take writes away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reconciler.changes import Action, Change, Plan, PlannedRow
from reconciler.clock import Clock
from reconciler.create import Creator
from reconciler.errors import ReconcilerError
from reconciler.events import Observer, PhaseFinished, PhaseStarted
from reconciler.model import (
    Binding,
    BindingOrigin,
    MappingKey,
    RunId,
    Settings,
    Subscription,
    SubscriptionId,
)
from reconciler.outcomes import Outcome, Settled
from reconciler.providers.base import SubscriptionTarget
from reconciler.rules import Rule
from reconciler.state.base import RunState
from reconciler.update import set_counts, settle_moved, verify
from reconciler.values import dataclass
from reconciler.writes import CountTarget, Ground, what_moved

Recount = Callable[[Sequence[Change]], Mapping[MappingKey, int | None]]
"""Reads the counts of these mappings once more, completely; None where that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A complete listing of Subscriptions and the monotonic time at which its reading began."""

    subscriptions: Sequence[Subscription]
    listed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What `apply` works with: the ports, the clock, and whom to tell. `stop` asks whether the run shall end."""

    target: SubscriptionTarget
    recount: Recount
    state: RunState
    clock: Clock
    settings: Settings
    observe: Observer
    stop: Callable[[], bool]
    run: RunId
    nonce: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The outcome of every change of the plan, how many Subscriptions are new, and what ended the writing early."""

    outcomes: Mapping[MappingKey, Settled]
    created: int = 0
    error: ReconcilerError | None = None

    def count(self, outcome: Outcome) -> int:
        """How many changes ended that way."""
        return sum(settled.outcome is outcome for settled in self.outcomes.values())


def apply(
    plan: Plan,
    tools: Tools,
    listing: Listing,
    *,
    agreed: Mapping[MappingKey, PlannedRow] | None = None,
    confirmed_by_person: bool = False,
) -> Applied:
    """Perform the plan's writes and return an outcome for every change.

    With `agreed`, the rows of a saved plan, only what stands in both is performed; rows that moved are stale. After a
    person took time to confirm, Subscriptions are listed again before the first write. Raises nothing that a server
    or the state did: what was not done, or is not known, stands in the outcomes and in `error`.
    """
    ground = _ground(tools, listing)
    writes = _agreed_writes(plan, ground, agreed)
    for change in plan.changes:
        if change.hold is not None:
            ground.settle(change.key, Outcome.HELD, change.hold.message, at=_id_of(change))
        elif plan.refused and change.performs_write:
            ground.settle(change.key, Outcome.HELD, f"the run is refused: {plan.refusals[0].message}")
        elif change.action is Action.NO_OP:
            ground.settle(change.key, Outcome.UNCHANGED, at=_id_of(change))
    error = None
    if not plan.refused:
        error = _perform(plan, writes, tools, ground, confirmed_by_person=confirmed_by_person)
    created = sum(c.action is Action.CREATE and ground.outcomes[c.key].outcome is Outcome.APPLIED for c in plan.changes)
    return Applied(outcomes={c.key: ground.outcomes[c.key] for c in plan.changes}, created=created, error=error)


def _ground(tools: Tools, listing: Listing) -> Ground:
    return Ground(
        target=tools.target,
        state=tools.state,
        clock=tools.clock,
        settings=tools.settings,
        observe=tools.observe,
        stop=tools.stop,
        listing={s.id: s for s in listing.subscriptions},
        listed_at=listing.listed_at,
        planned=frozenset(s.id for s in listing.subscriptions),
    )


def _id_of(change: Change) -> SubscriptionId | None:
    return change.before.id if change.before else None


# ---------------------------------------------------------------------------------------------------------------------
# A saved plan takes writes away
# ---------------------------------------------------------------------------------------------------------------------


def _agreed_writes(plan: Plan, ground: Ground, agreed: Mapping[MappingKey, PlannedRow] | None) -> tuple[Change, ...]:
    if agreed is None:
        return plan.writes
    kept = []
    for change in plan.writes:
        moved = _moved_since(agreed.get(change.key), change)
        if moved:
            ground.settle(change.key, Outcome.STALE, f"not what the saved plan shows: {moved}", at=_id_of(change))
        else:
            kept.append(change)
    return tuple(kept)


def _moved_since(row: PlannedRow | None, change: Change) -> str:
    """What differs between the saved row and today's change, in words; empty when nothing does."""
    if row is None:
        return "the saved plan has no such row"
    if row.hold is not None:
        return "the saved plan holds it"
    return what_moved(
        {
            "action": str(row.action),
            "subscription": row.subscription_id,
            "live quantity": row.before,
            "new quantity": row.after,
            "customer": row.customer_id,
        },
        {
            "action": str(change.action),
            "subscription": change.after.id,
            "live quantity": change.before.count if change.before else None,
            "new quantity": change.after.count,
            "customer": change.after.customer_id,
        },
    )


# ---------------------------------------------------------------------------------------------------------------------
# The writing
# ---------------------------------------------------------------------------------------------------------------------


def _perform(
    plan: Plan, writes: tuple[Change, ...], tools: Tools, ground: Ground, *, confirmed_by_person: bool
) -> ReconcilerError | None:
    error: ReconcilerError | None = None
    try:
        tools.state.record_ground(plan.tenant, _found_bindings(plan, tools))
        if writes and confirmed_by_person:
            ground.relist()
        _still_zero(writes, tools, ground)
        _update(writes, ground)
        _create(writes, tools, ground)
    except ReconcilerError as problem:
        error = problem
        ground.halted = ground.halted or problem.message
    try:
        _verify(ground)
        settle_moved(ground, _unchanged(plan, ground))
        tools.state.record_bindings(_confirmed_bindings(plan, tools, ground))
    except ReconcilerError as problem:
        error = error or problem
    for change in writes:
        if change.key not in ground.outcomes:
            _settle_leftover(change, ground, error)
    return error


def _update(writes: Sequence[Change], ground: Ground) -> None:
    targets = [
        CountTarget(change=c, subscription_id=c.before.id, before=c.before.count, after=c.after.count)
        for c in writes
        if c.action is Action.UPDATE
        and c.key not in ground.outcomes
        and c.before is not None
        and c.before.id is not None
        and c.before.count is not None
        and c.after.count is not None
    ]
    if targets:
        ground.observe(PhaseStarted(phase="Setting quantities", total=len(targets)))
        set_counts(ground, targets)
        ground.observe(PhaseFinished(phase="Setting quantities", detail=f"{len(targets)} sent"))


def _create(writes: Sequence[Change], tools: Tools, ground: Ground) -> None:
    given_up = frozenset(n for ids in tools.state.recorded.given_up.values() for n in ids)
    creator = Creator(ground=ground, run=tools.run, nonce=tools.nonce, given_up=given_up)
    creator.create([c for c in writes if c.action is Action.CREATE and c.key not in ground.outcomes])


def _verify(ground: Ground) -> None:
    if any(key not in ground.outcomes for key in ground.written):
        ground.observe(PhaseStarted(phase="Verifying"))
        verify(ground)
        ground.observe(PhaseFinished(phase="Verifying"))


def _unchanged(plan: Plan, ground: Ground) -> list[CountTarget]:
    """The rows that need no write; what the last listing shows of them has the last word."""
    return [
        CountTarget(change=c, subscription_id=c.before.id, before=c.before.count, after=c.before.count)
        for c in plan.changes
        if (settled := ground.outcomes.get(c.key)) is not None
        and settled.outcome is Outcome.UNCHANGED
        and c.before is not None
        and c.before.id is not None
        and c.before.count is not None
    ]


def _still_zero(writes: tuple[Change, ...], tools: Tools, ground: Ground) -> None:
    """A count of 0, or a quantity of 0, is written only when a second complete read agrees (FAULTS I17, M6)."""
    falls = [
        c
        for c in writes
        if c.mapping.counts_users and c.action is Action.UPDATE and 0 in (c.quantity.counted, c.quantity.result)
    ]
    if not falls:
        return
    again = tools.recount(falls)
    for change in falls:
        first, second = change.quantity.counted, again.get(change.key)
        if second != first:
            seen = "could not be read" if second is None else f"gave {second}"
            message = (
                f"INFIMA counted {first} active users, and a second read {seen}; nothing was written. "
                "Look into INFIMA, then run again"
            )
            ground.settle(change.key, Outcome.HELD, message, at=_id_of(change))


def _settle_leftover(change: Change, ground: Ground, error: ReconcilerError | None) -> None:
    """A change that the writing never came to, or came to and could not read back."""
    why = error.message if error else ground.halted
    target = ground.written.get(change.key)
    if target is not None:
        message = f"the quantity {target.after} was sent and could not be read back: {why}"
        ground.settle(change.key, Outcome.UNKNOWN, message, at=target.subscription_id)
    elif change.key in ground.state.recorded.attempts:
        ground.settle(change.key, Outcome.UNKNOWN, f"a create may have been sent and could not be followed: {why}")
    else:
        ground.settle(change.key, Outcome.FAILED, f"not attempted: {why}", at=_id_of(change))


# ---------------------------------------------------------------------------------------------------------------------
# Bindings
# ---------------------------------------------------------------------------------------------------------------------

_IDENTITY_RULES = frozenset(
    {Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.SUBSCRIPTION_GONE, Rule.MOVED, Rule.SAME_NAME}
)


def _found_bindings(plan: Plan, tools: Tools) -> list[Binding]:
    """Bindings for Subscriptions that the file or a marker names and that the state does not know yet."""
    known = tools.state.recorded.bindings
    now = tools.clock.now()
    return [
        Binding(
            key=c.key,
            subscription_id=c.before.id,
            customer_id=c.before.customer_id,
            origin=c.origin or BindingOrigin.MARKER,
            bound_at=now,
            awaiting_first_count=c.awaiting_first_count,
        )
        for c in plan.changes
        if c.key not in known
        and c.before is not None
        and c.before.id is not None
        and c.before.customer_id is not None
        and not any(d.rule in _IDENTITY_RULES for d in c.doubts)
    ]


def _confirmed_bindings(plan: Plan, tools: Tools, ground: Ground) -> list[Binding]:
    """Bindings whose quantity this run has confirmed: the first count is no longer due, the count is remembered."""
    known = tools.state.recorded.bindings
    confirmed = []
    for change in plan.changes:
        settled, binding = ground.outcomes.get(change.key), known.get(change.key)
        if binding is None or settled is None or settled.outcome not in (Outcome.APPLIED, Outcome.UNCHANGED):
            continue
        counted = change.quantity.counted if change.mapping.counts_users else binding.last_counted
        fresh = replace(binding, awaiting_first_count=False, last_counted=counted)
        if fresh != binding:
            confirmed.append(fresh)
    return confirmed
