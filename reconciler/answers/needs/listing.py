"""The list itself: what is new, what stands from earlier nights, in the order in which it is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from reconciler.answers.needs.ending import ending, ending_approvals
from reconciler.answers.needs.given import THE_RUN, NeedInput, run_need
from reconciler.answers.needs.invoices import not_on_invoices
from reconciler.answers.needs.rows import held, unsettled
from reconciler.answers.needs.runs import cut_off, overdue
from reconciler.answers.needs.unclaimed import unmanaged, unmapped
from reconciler.model import MappingKey, Need, NeedKind
from reconciler.planning.changes import CAME_RIGHT, ActionReason, Outcome
from reconciler.planning.rules import Rule

_OF_ROWS = frozenset({NeedKind.HELD, NeedKind.FAILED, NeedKind.UNKNOWN, NeedKind.STALE})
_FROM_MEMORY = frozenset({NeedKind.NOT_INVOICED, NeedKind.ENDING, NeedKind.OVERDUE})
"""Kinds that follow from what is remembered, the file and the clock: nobody has to take them over."""

_KINDS_IN_ORDER = {kind: place for place, kind in enumerate(NeedKind)}


def find_needs(given: NeedInput, *more: Need) -> tuple[Need, ...]:
    """The list, what is due first at the top. `more` are needs that only the caller knows, such as a failed run."""
    fresh = {need.id: need for need in (*more, *_fresh(given))}
    row_keys = {need.key for need in fresh.values() if need.kind in _OF_ROWS}
    kept = {
        old.id: old
        for old in given.recorded.outlook.needs
        if old.id not in fresh and old.kind not in _FROM_MEMORY and _stands(old, given, row_keys)
    }
    since = {old.id: old.since for old in given.recorded.outlook.needs}
    listed = [replace(need, since=min(since.get(need.id, need.since), need.since)) for need in fresh.values()]
    return sort_needs([_dated(need, given) for need in (*listed, *kept.values())])


def needs_met(before: Iterable[Need], after: Iterable[Need]) -> tuple[Need, ...]:
    """What waited for a person before a run and waits no longer, the soonest invoice first.

    Of a mapping, and of the whole run, nothing is called met while anything of it still waits.
    """
    waiting = tuple(after)
    ids, keys = {need.id for need in waiting}, {need.key for need in waiting if need.key}
    run_waits = any(need.who == THE_RUN for need in waiting)
    met = {
        need.id: need
        for need in before
        if need.id not in ids and need.key not in keys and not (run_waits and need.who == THE_RUN)
    }
    return sort_needs(met.values())


def sort_needs(needs: Iterable[Need]) -> tuple[Need, ...]:
    """By the customer's next invoice, then by the users at stake."""
    return tuple(sorted(needs, key=lambda n: (n.next_invoice or date.max, -n.users, _KINDS_IN_ORDER[n.kind], n.id)))


def _fresh(given: NeedInput) -> Iterator[Need]:
    plan = given.plan
    yield from not_on_invoices(given)
    yield from ending(given)
    yield from ending_approvals(given)
    if not (given.ran and plan is not None and _came_right(given)):
        yield from overdue(given)
    if given.outcomes is None:
        yield from cut_off(given)
    if plan is None:
        return
    for refusal in plan.refusals:
        yield run_need(NeedKind.REFUSED, str(refusal.rule), refusal.message, refusal.remedy, given, rule=refusal.rule)
    if any(refusal.rule is Rule.WRONG_TENANT for refusal in plan.refusals):
        return  # what another HaloPSA or partner shows says nothing of these mappings
    yield from held(plan, given)
    yield from unsettled(plan, given)
    for client in plan.unmapped:
        yield unmapped(client, given)
    for left in plan.unmanaged:
        if left.count != 0:
            yield unmanaged(left, plan, given)


def _came_right(given: NeedInput) -> bool:
    return all(one.outcome in CAME_RIGHT or one.outcome is Outcome.HELD for one in (given.outcomes or {}).values())


def _stands(old: Need, given: NeedInput, row_keys: set[str]) -> bool:
    """True where nothing that was read shows the remembered need met."""
    plan = given.plan
    if plan is None:
        return True
    match old.kind:
        case NeedKind.UNKNOWN if not old.key:
            return False  # it follows from the open runs that the state remembers
        case NeedKind.RECORD_MISSING | NeedKind.FAILED if not old.key:
            return not given.ran
        case NeedKind.FAILED | NeedKind.UNKNOWN | NeedKind.STALE:
            return old.key not in row_keys and not _settled(old.key, given)
        case NeedKind.HELD | NeedKind.UNMAPPED | NeedKind.UNMANAGED:
            return plan.refused and old.key not in row_keys  # a refused run has not seen how things are
        case _:
            return False


def _settled(key: str, given: NeedInput) -> bool:
    """True where the mapping was seen to be in step, or has left the file."""
    outcome = (given.outcomes or {}).get(MappingKey(key))
    if outcome is not None and given.ran:
        return outcome.outcome in CAME_RIGHT
    change = next((c for c in given.plan.every_change if c.key == key), None) if given.plan else None
    if change is None:
        return True
    return change.hold is None and change.reason in {ActionReason.IN_STEP, ActionReason.NOTHING_TO_RETIRE}


def _dated(need: Need, given: NeedInput) -> Need:
    days = {customer: day for customer, day in given.recorded.outlook.invoice_days.items() if day >= given.today}
    if need.who == THE_RUN and not need.key:
        return replace(need, next_invoice=min(days.values(), default=None))
    return replace(need, next_invoice=None if need.customer_id is None else days.get(need.customer_id))
