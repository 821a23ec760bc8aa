"""Performs a plan: re-read, write once, read back; one outcome per change (DESIGN 7).

It reads nothing but the plan, the listing it is given and what the target answers, and it never decides for a write
that the plan does not hold: a saved plan can only take writes away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reconciler.errors import ReconcilerError, as_failure
from reconciler.events import PhaseFinished, PhaseStarted
from reconciler.model import MappingKey, SubscriptionId
from reconciler.planning.changes import CAME_RIGHT, Action, Change, Outcome, Plan, PlannedRow
from reconciler.planning.outcomes import NOT_ATTEMPTED, ending_of
from reconciler.planning.rules import Rule
from reconciler.planning.twins import known_keys
from reconciler.state.recorded import Binding, BindingOrigin
from reconciler.writing.create import Creator
from reconciler.writing.session import Applied, CountTarget, WriteSession, what_moved
from reconciler.writing.update import set_counts, settle_moved, verify
from reconciler.writing.verdict import created_for, planned_lines

Recount = Callable[[Sequence[Change]], Mapping[MappingKey, int | None]]
"""Reads the counts of these mappings once more, completely; None where that failed."""


def apply(
    plan: Plan,
    session: WriteSession,
    recount: Recount,
    *,
    agreed: Mapping[MappingKey, PlannedRow] | None = None,
    confirmed_by_person: bool = False,
) -> Applied:
    """Perform the plan's writes and return an outcome for every change.

    With `agreed`, the rows that somebody saw, only what stands in both is performed; rows that moved are stale. After
    a person took time to confirm, Subscriptions are listed again before the first write. Raises `StateError` where the
    state takes no record before the first request: then nothing is sent. After that nothing that a server, the state or
    a bug of ours did is raised: what was not done, or is not known, stands in the outcomes and in `error`.
    """
    writes = _agreed_writes(plan, session, agreed)
    for change in plan.changes:
        if change.hold is not None:
            session.settle(change.key, Outcome.HELD, change.hold.message, at=change.live_id)
        elif plan.refused and change.performs_write:
            session.settle(change.key, Outcome.HELD, f"the run is refused: {plan.refusals[0].message}")
        elif change.action is Action.NO_OP:
            session.settle(change.key, Outcome.UNCHANGED, at=change.live_id)
    error = None
    if not plan.refused:
        error = _perform(plan, writes, session, recount, confirmed_by_person=confirmed_by_person)
    outcomes = {c.key: session.told(c.key) for c in plan.changes}
    created = sum(ending_of(c, outcomes[c.key]).created for c in plan.changes)
    return Applied(outcomes=outcomes, created=created, halted=session.halted, error=error)


# -- A saved plan takes writes away -----------------------------------------------------------------------------------


def _agreed_writes(
    plan: Plan, session: WriteSession, agreed: Mapping[MappingKey, PlannedRow] | None
) -> tuple[Change, ...]:
    if agreed is None:
        return plan.writes
    kept = []
    for change in plan.writes:
        moved = _moved_since(agreed.get(change.key), change)
        if moved:
            session.settle(change.key, Outcome.STALE, f"not what the saved plan shows: {moved}", at=change.live_id)
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
            "live quantity": change.live_quantity,
            "new quantity": change.after.count,
            "customer": change.after.customer_id,
        },
    )


# -- The writing ------------------------------------------------------------------------------------------------------


def _perform(
    plan: Plan, writes: tuple[Change, ...], session: WriteSession, recount: Recount, *, confirmed_by_person: bool
) -> ReconcilerError | None:
    error: ReconcilerError | None = None
    names = _names(plan)
    _record_loss(plan, session, names)
    bindings, planned = _found_bindings(plan, session), planned_lines(plan, writes)
    never_bound = {name for key in plan.facts.never_bound for name in names[key]}
    session.state.record_ground(plan.tenant, bindings, planned, sorted(never_bound))
    try:
        if writes and confirmed_by_person:
            session.relist()
        _still_zero(writes, session, recount)
        _update(writes, session)
        _create(writes, session)
    except Exception as problem:  # noqa: BLE001 - from the first request on every outcome is told, whatever breaks here
        error = as_failure(problem)
        session.halted = session.halted or error.message
    try:
        _verify(session)
        session.look_again()
        settle_moved(session, _unchanged(plan, session))
    except Exception as problem:  # noqa: BLE001 - as above
        error = error or as_failure(problem)
    for change in writes:
        if change.key not in session.outcomes:
            _settle_leftover(change, session)
    try:
        session.state.record_bindings(_confirmed_bindings(plan, session))
    except Exception as problem:  # noqa: BLE001 - as above
        error = error or as_failure(problem)
    return error or session.unrecorded


def _update(writes: Sequence[Change], session: WriteSession) -> None:
    wanted = [c for c in writes if c.action is Action.UPDATE and c.key not in session.outcomes]
    targets = [target for c in wanted if (target := _target(c, c.after.count))]
    if targets:
        session.observe(PhaseStarted(phase="Setting quantities", total=len(targets)))
        set_counts(session, targets)
        sent = sum(target.key in session.sent for target in targets)
        session.observe(PhaseFinished(phase="Setting quantities", detail=f"{sent} sent"))


def _target(change: Change, after: int | None) -> CountTarget | None:
    """What the change writes; None where it cannot be said on which Subscription, or from or to which number."""
    before = change.before
    if before is None or before.id is None or before.count is None or after is None:
        return None
    return CountTarget(change=change, subscription_id=before.id, before=before.count, after=after)


def _create(writes: Sequence[Change], session: WriteSession) -> None:
    Creator(session=session).create([c for c in writes if c.action is Action.CREATE and c.key not in session.outcomes])


def _verify(session: WriteSession) -> None:
    if any(key not in session.outcomes for key in session.written):
        session.observe(PhaseStarted(phase="Verifying"))
        verify(session)
        session.observe(PhaseFinished(phase="Verifying"))


def _unchanged(plan: Plan, session: WriteSession) -> list[CountTarget]:
    """The rows that need no write; what the last listing shows of them has the last word."""
    ended = ((c, session.outcomes.get(c.key)) for c in plan.changes)
    rows = [c for c, settled in ended if settled is not None and settled.outcome is Outcome.UNCHANGED]
    return [target for c in rows if (target := _target(c, c.live_quantity))]


def _still_zero(writes: tuple[Change, ...], session: WriteSession, recount: Recount) -> None:
    """A count of 0, or a quantity of 0, is written only when a second complete read agrees (FAULTS I17, M6)."""
    falls = [
        c
        for c in writes
        if c.mapping.counts_users and c.action is Action.UPDATE and 0 in (c.quantity.counted, c.quantity.result)
    ]
    if not falls:
        return
    again = recount(falls)
    for change in falls:
        first, second = change.quantity.counted, again.get(change.key)
        if second != first:
            seen = "could not be read" if second is None else f"gave {second}"
            message = (
                f"INFIMA counted {first} active users, and a second read {seen}; nothing was written. "
                "Look into INFIMA, then run again"
            )
            session.settle(change.key, Outcome.HELD, message, at=change.live_id)


def _settle_leftover(change: Change, session: WriteSession) -> None:
    """A change that the writing never came to, or came to and could not read back."""
    target = session.written.get(change.key)
    if target is not None:
        message = f"the quantity {target.after} was sent and could not be read back"
        session.settle(change.key, Outcome.UNKNOWN, message, at=target.subscription_id)
    elif change.action is not Action.CREATE or change.key not in session.sent:
        session.settle(change.key, Outcome.FAILED, NOT_ATTEMPTED, at=change.live_id)
    elif (made := _made(change, session)) is not None:
        message = "its Subscription was created, and its quantity was not set any more: the next run sets it"
        session.settle(change.key, Outcome.FAILED, message, at=made)
    else:
        message = "a create was sent, and the run could not follow it to its end: the next run looks for it"
        session.settle(change.key, Outcome.UNKNOWN, message)


def _made(change: Change, session: WriteSession) -> SubscriptionId | None:
    new = (row for row in session.listing.values() if row.id not in session.planned)
    return created_for(change.key, new, session.state.recorded)


# -- Bindings ---------------------------------------------------------------------------------------------------------

_IDENTITY_RULES = frozenset(
    {
        Rule.IDENTITY_CONFLICT,
        Rule.DUPLICATE_MARKER,
        Rule.SUBSCRIPTION_GONE,
        Rule.MOVED,
        Rule.SAME_NAME,
        Rule.STATE_LOST,
        Rule.NAME_SWAPPED,
    }
)


def _record_loss(plan: Plan, session: WriteSession, names: Mapping[MappingKey, set[MappingKey]]) -> None:
    """What a lost state leaves open stays open, run after run; what a person lifted is decided for good.

    A mapping's doubt is noted under all its `names`, so that a key which is renamed takes it along.
    """
    recorded = session.state.recorded
    lifted = {key for key, rule in _lifted(plan) if rule is Rule.STATE_LOST}
    settled = {c.key for c in plan.changes if c.key in lifted} | {c.key for c in plan.every_change if c.before}
    decided = {name for key in settled for name in names[key]}
    undecided = {name for key in plan.facts.undecided for name in names[key]} - decided
    known = {*recorded.undecided, *recorded.never_bound}
    if undecided - {*recorded.undecided} or known & decided:
        session.state.record_loss(sorted(undecided), sorted(known & decided))


def _names(plan: Plan) -> dict[MappingKey, set[MappingKey]]:
    """Each mapping's key, and those that its clients had by default."""
    keys = {c.key for c in plan.every_change}
    return {c.key: known_keys(c.mapping, keys) for c in plan.every_change}


def _lifted(plan: Plan) -> set[tuple[MappingKey, Rule]]:
    """The mapping rules that a person lifted."""
    return {(MappingKey(v.name), v.rule) for v in plan.violations if v.name and not v.stops}


def _found_bindings(plan: Plan, session: WriteSession) -> list[Binding]:
    """Bindings for Subscriptions that the file or a marker names and that the state does not know yet."""
    known, lifted = session.state.recorded.bindings, _lifted(plan)
    now = session.clock.now()
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
        and not any(d.rule in _IDENTITY_RULES and (c.key, d.rule) not in lifted for d in c.doubts)
    ]


def _confirmed_bindings(plan: Plan, session: WriteSession) -> list[Binding]:
    """Bindings whose quantity this run has confirmed: the first count is no longer due, the count is remembered."""
    known = session.state.recorded.bindings
    confirmed = []
    for change in plan.changes:
        settled, binding = session.outcomes.get(change.key), known.get(change.key)
        if binding is None or settled is None:
            continue
        if settled.outcome not in CAME_RIGHT:
            # What shows there later may be our own write.
            if change.key in session.sent and binding.last_quantity is not None:
                confirmed.append(replace(binding, last_quantity=None))
            continue
        counted = change.quantity.counted if change.mapping.counts_users else binding.last_counted
        quantity = change.after.count if settled.outcome is Outcome.APPLIED else change.live_quantity
        fresh = replace(binding, awaiting_first_count=False, last_counted=counted, last_quantity=quantity)
        if fresh != binding:
            confirmed.append(fresh)
    return confirmed
