"""The one list of what waits for a person (DESIGN 14), from a plan or a run's outcomes and from what is remembered.

Status, explain, report, summary, comment, issue, outputs and notification draw this list and make none of their own. A
need stays until a read showed it met: what this read could not tell is taken over from what was remembered. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reconciler.answers.attached import not_on_invoices
from reconciler.answers.words import as_sentence, as_step, capital, day_words, in_days, who_of
from reconciler.model import Approval, HaloCustomerId, InfimaClient, Mapping, MappingKey, Mappings
from reconciler.moments import spelled
from reconciler.planning.changes import (
    CAME_RIGHT,
    ActionReason,
    Change,
    Outcome,
    Plan,
    Settled,
    UnmanagedSubscription,
)
from reconciler.planning.index import DEFAULT_KEY
from reconciler.planning.outcomes import ending_of
from reconciler.planning.rules import Rule
from reconciler.state.recorded import Need, NeedKind, Recorded

THE_RUN = "The whole run"

ENDING_DAYS = 30
"""A contract becomes a need this many days before its last day."""

OVERDUE_AFTER = timedelta(hours=36)
"""When the last good run is older than this, somebody has to look."""

TOLD_ONE_BY_ONE = 3
"""Up to this many changes that a run did not come to are told one by one; more of them are told as one need."""

_OF_ROWS = frozenset({NeedKind.HELD, NeedKind.FAILED, NeedKind.UNKNOWN, NeedKind.STALE})
_FROM_MEMORY = frozenset({NeedKind.NOT_INVOICED, NeedKind.ENDING, NeedKind.OVERDUE})
"""Kinds that are made anew each time from the state, the file and the clock: they are never carried over."""

_KINDS_IN_ORDER = {kind: place for place, kind in enumerate(NeedKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedInput:
    """What the list is made from. Without a `plan` it is what is remembered, brought up to `now`.

    `outcomes` are those of an apply that came to its end; it is None for a plan, a preview or a status.
    """

    recorded: Recorded
    now: datetime
    mappings: Mappings | None = None
    plan: Plan | None = None
    outcomes: MappingABC[MappingKey, Settled] | None = None

    def spell(self, moment: datetime) -> str:
        """A moment in a sentence, in the user's time zone where it is known."""
        return spelled(moment, self.mappings.settings.timezone if self.mappings else None)

    @property
    def today(self) -> date:
        """The day on which days are counted, in the user's time zone where it is known."""
        return self.mappings.settings.day(self.now) if self.mappings else self.now.date()

    @property
    def ran(self) -> bool:
        """True after an apply that was not refused."""
        return self.outcomes is not None and self.plan is not None and not self.plan.refused

    def ends_soon(self, last_day: date) -> bool:
        """True from ENDING_DAYS before a last day until that day."""
        return self.today <= last_day <= self.today + timedelta(days=ENDING_DAYS)


# ---------------------------------------------------------------------------------------------------------------------
# The list: what is new, what stands from earlier nights, in the order in which it is due
# ---------------------------------------------------------------------------------------------------------------------


def find_needs(given: NeedInput, *more: Need) -> tuple[Need, ...]:
    """The list, what is due first at the top. `more` are needs that only the caller knows, such as a failed run."""
    remembered = given.recorded.needs
    fresh = {need.id: need for need in (*more, *_fresh(given))}
    row_keys = {need.key for need in fresh.values() if need.kind in _OF_ROWS}
    kept = {
        old.id: old
        for old in remembered
        if old.id not in fresh and old.kind not in _FROM_MEMORY and _stands(old, given, row_keys)
    }
    since = {old.id: old.since for old in remembered}
    listed = [replace(need, since=min(since.get(need.id, need.since), need.since)) for need in fresh.values()]
    today = given.today
    days = {customer: day for customer, day in given.recorded.invoice_days.items() if day >= today}
    return _sorted(replace(need, next_invoice=_next_invoice(need, days)) for need in (*listed, *kept.values()))


def _next_invoice(need: Need, days: MappingABC[HaloCustomerId, date]) -> date | None:
    if need.who == THE_RUN and not need.key:
        return min(days.values(), default=None)
    return None if need.customer_id is None else days.get(need.customer_id)


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
    return _sorted(met.values())


def _sorted(needs: Iterable[Need]) -> tuple[Need, ...]:
    """By the customer's next invoice, then by the users at stake."""
    return tuple(sorted(needs, key=lambda n: (n.next_invoice or date.max, -n.users, _KINDS_IN_ORDER[n.kind], n.id)))


def _fresh(given: NeedInput) -> Iterator[Need]:
    plan = given.plan
    yield from not_on_invoices(plan, given.mappings, given.recorded, given.now)
    yield from _ending(given)
    yield from _ending_approvals(given)
    if not (given.ran and _came_right(given)):
        yield from _overdue(given)
    if given.outcomes is None:
        yield from _cut_off(given)
    if plan is None:
        return
    for refusal in plan.refusals:
        yield _run_need(NeedKind.REFUSED, refusal.rule, refusal.message, refusal.remedy, given, rule=refusal.rule)
    if any(refusal.rule is Rule.WRONG_TENANT for refusal in plan.refusals):
        return  # what another HaloPSA or partner shows says nothing of these mappings
    yield from _held(plan, given)
    yield from _unsettled(plan, given)
    yield from (_unmapped(client, given) for client in plan.unmapped)
    yield from (_unmanaged(left, plan, given) for left in plan.unmanaged if left.count != 0)


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
            return old.key not in row_keys and not _settled(old.key, plan, given)
        case NeedKind.HELD | NeedKind.UNMAPPED | NeedKind.UNMANAGED:
            return plan.refused and old.key not in row_keys  # a refused run has not seen how things are
        case _:
            return False


def _settled(key: str, plan: Plan, given: NeedInput) -> bool:
    """True where the mapping was seen to be in step, or has left the file."""
    outcome = (given.outcomes or {}).get(MappingKey(key))
    if outcome is not None and given.ran:
        return outcome.outcome in CAME_RIGHT
    change = next((c for c in plan.every_change if c.key == key), None)
    if change is None:
        return True
    return change.hold is None and change.reason in {ActionReason.IN_STEP, ActionReason.NOTHING_TO_RETIRE}


# ---------------------------------------------------------------------------------------------------------------------
# The whole run: failed, cut off, without a record, overdue
# ---------------------------------------------------------------------------------------------------------------------


def failed_run(what: str, step: str, given: NeedInput) -> Need:
    """A run that ended before it could do its work."""
    return _run_need(NeedKind.FAILED, "run", what, step or "find out why: reconciler doctor", given)


def record_missing(what: str, given: NeedInput) -> Need:
    """What was written to HaloPSA and could not be recorded."""
    told = f"what the run did could not be recorded: {what}"
    step = "mend the state (see: reconciler doctor), then: reconciler apply"
    return _run_need(NeedKind.RECORD_MISSING, "run", told, step, given)


def _cut_off(given: NeedInput) -> Iterator[Need]:
    """Runs that began to write and whose end is not known; an apply that comes to its end takes them up."""
    for run in given.recorded.open_runs:
        what = (
            f"run {run.run} of {given.spell(run.since)} began to write and has not ended: it is under way or was "
            "cut off, and how far it came is not known"
        )
        step = "wait until it has ended; if it was cut off: reconciler apply"
        yield replace(_run_need(NeedKind.UNKNOWN, f"run-{run.run}", what, step, given), since=run.since)


def _overdue(given: NeedInput) -> Iterator[Need]:
    """The last good run is too long ago."""
    last = given.recorded.last_good_run
    if last is not None and given.now - last > OVERDUE_AFTER:
        hours = int((given.now - last) / timedelta(hours=1))
        what = f"the last run that came to its end was {hours} hours ago ({given.spell(last)})"
        step = "look whether the nightly run still runs; by hand: reconciler apply"
        yield replace(_run_need(NeedKind.OVERDUE, "run", what, step, given), since=last)


def _run_need(kind: NeedKind, name: str, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    """All customers are at stake, so it is due before the first of their invoices."""
    changes = given.plan.every_change if given.plan else ()
    users = sum(change.live_quantity or 0 for change in changes)
    if not changes:
        users = sum(binding.last_counted or 0 for binding in given.recorded.bindings.values())
    return replace(_need(given, kind, name, who=THE_RUN, what=what, step=step), rule=str(rule), users=users)


def _need(given: NeedInput, kind: NeedKind, name: str, *, who: str, what: str, step: str) -> Need:
    """A need that is new, and about no mapping."""
    return Need(
        kind=kind, id=f"{kind}:{name}", key="", who=who, what=as_sentence(what), step=as_step(step), since=given.now
    )


# ---------------------------------------------------------------------------------------------------------------------
# Changes of the plan: held, failed, unknown, stale
# ---------------------------------------------------------------------------------------------------------------------


def _held(plan: Plan, given: NeedInput) -> Iterator[Need]:
    """Changes that a safety rule holds, with every rule that they break."""
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for violation in plan.violations:
        if violation.stops:
            broken[violation.name].append(f"{violation.rule}: {violation.message}")
    for change in plan.every_change:
        if change.hold is not None:
            what = ". ".join(broken[change.key]) or f"{change.hold.rule}: {change.hold.message}"
            yield _about(NeedKind.HELD, change, what, change.hold.remedy, given, rule=change.hold.rule)


def _unsettled(plan: Plan, given: NeedInput) -> Iterator[Need]:
    """Changes that a run did not bring to a good end."""
    if given.outcomes is None or plan.refused:
        return
    settled = {c.key: given.outcomes.get(c.key) or Settled(outcome=Outcome.FAILED) for c in plan.changes}
    endings = {change.key: ending_of(change, settled[change.key]) for change in plan.changes}
    waiting = [key for key, ending in endings.items() if ending.not_attempted]
    if len(waiting) > TOLD_ONE_BY_ONE:
        names = ", ".join(waiting[:TOLD_ONE_BY_ONE])
        what = f"{len(waiting)} changes were not attempted and nothing was sent for them: {names} and more"
        step = "the next run does them; sooner: reconciler apply"
        yield _run_need(NeedKind.FAILED, "not-attempted", what, step, given)
    for change in plan.changes:
        ending, said = endings[change.key], settled[change.key].message
        if ending.not_attempted and len(waiting) > TOLD_ONE_BY_ONE:
            continue
        message = ". ".join(filter(None, [ending.told, "" if ending.not_attempted else capital(said)]))
        again = f"reconciler apply --only {change.key}"
        match ending.outcome:
            case Outcome.FAILED:
                yield _about(NeedKind.FAILED, change, message, f"the next run tries again; sooner: {again}", given)
            case Outcome.UNKNOWN:
                step = f"the next run looks what became of it; sooner, look into HaloPSA, then: {again}"
                yield _about(NeedKind.UNKNOWN, change, message, step, given)
            case Outcome.STALE:
                step = f"see what it is now: reconciler plan --only {change.key}"
                yield _about(NeedKind.STALE, change, message, step, given)
            case Outcome.HELD if change.hold is None:
                yield _about(NeedKind.HELD, change, said, f"then: {again}", given)
            case _:
                pass


def _about(kind: NeedKind, change: Change, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    return replace(
        _need(given, kind, change.key, who=who_of(change.mapping), what=what, step=step),
        key=change.key,
        rule=rule,
        customer_id=change.mapping.halo_customer.id,
        subscription_id=change.before.id if change.before else None,
        users=max(change.live_quantity or 0, change.quantity.result or 0),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Days to come: contracts and approvals that end
# ---------------------------------------------------------------------------------------------------------------------


def _ending(given: NeedInput) -> Iterator[Need]:
    """Contracts (`fixed` with `until`) that end soon."""
    every = given.plan.every_change if given.plan else ()
    for mapping in given.mappings.mappings if given.mappings else (change.mapping for change in every):
        until, fixed = mapping.quantity.until, mapping.quantity.fixed
        if until is None or mapping.retired or not given.ends_soon(until):
            continue
        longer, reason = until.replace(year=until.year + 1, day=min(until.day, 28)), mapping.quantity.reason or ""
        what = (
            f"the fixed quantity {fixed} ({reason}) ends {in_days(until, given.today)}; after {day_words(until)} this "
            "mapping is held until the file says what follows"
        )
        step = (
            f"at {mapping.place}, if the contract goes on: quantity: {{fixed: {fixed}, reason: {_quoted(reason)}, "
            f"until: {longer.isoformat()}}}; if it ends, take fixed, reason and until out, and see what follows: "
            f"reconciler plan --only {mapping.key}"
        )
        yield replace(_end(given, mapping.key, mapping, until, what=what, step=step), users=fixed or 0)


def _ending_approvals(given: NeedInput) -> Iterator[Need]:
    """Approvals that end soon: after that day what they let through is held again."""
    if given.mappings is None:
        return
    by_key = {m.key: m for m in given.mappings.mappings}
    for approval in given.mappings.approvals:
        if given.ends_soon(approval.until):
            yield _ending_approval(approval, by_key.get(approval.key) if approval.key else None, given)


def _ending_approval(approval: Approval, mapping: Mapping | None, given: NeedInput) -> Need:
    subject = f"{approval.rule}:{approval.key}" if approval.key else approval.rule
    later = (given.today + timedelta(days=2 * ENDING_DAYS)).isoformat()
    renew = f"reconciler approve {approval.key} --until {later} --reason '...'" if approval.key else f"until: {later}"
    what = f"the approval of {subject} ({approval.reason}) ends {in_days(approval.until, given.today)}"
    step = f"if it is still needed, renew it at {approval.place}: {renew}; if not, take it out there"
    need = _end(given, f"approval:{subject}", mapping, approval.until, what=what, step=step)
    return replace(need, key=approval.key or "", rule=approval.rule)


def _end(given: NeedInput, name: str, mapping: Mapping | None, last_day: date, *, what: str, step: str) -> Need:
    first = last_day - timedelta(days=ENDING_DAYS)
    return replace(
        _need(given, NeedKind.ENDING, name, who=who_of(mapping) if mapping else THE_RUN, what=what, step=step),
        key=mapping.key if mapping else "",
        since=datetime.combine(first, datetime.min.time(), tzinfo=given.now.tzinfo),
        customer_id=mapping.halo_customer.id if mapping else None,
    )


def _quoted(text: str) -> str:
    """A text as YAML and JSON quote it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---------------------------------------------------------------------------------------------------------------------
# What no mapping claims: unmapped INFIMA clients, unmanaged Subscriptions
# ---------------------------------------------------------------------------------------------------------------------


def _unmapped(client: InfimaClient, given: NeedInput) -> Need:
    """An INFIMA client that is neither mapped nor ignored."""
    who = f"{client.name} (INFIMA client {client.id})"
    users = "" if client.user_count is None else f" ({client.user_count} users)"
    what = f"Neither mapped nor ignored{users}: no mapping counts it."
    step = f"reconciler map {client.id}"
    need = _need(given, NeedKind.UNMAPPED, str(client.id), who=who, what=what, step=step)
    return replace(need, users=client.user_count or 0)


def _unmanaged(left: UnmanagedSubscription, plan: Plan, given: NeedInput) -> Need:
    """A Subscription of ours that no mapping claims any more and that still has a quantity."""
    count = "an unknown quantity" if left.count is None else f"the quantity {left.count}"
    who = f"{left.customer_name or f'customer {left.customer_id}'}, once {left.key}"
    what = f"Subscription {left.id} ({left.name}) is claimed by no mapping any more and still has {count}."
    return replace(
        _need(given, NeedKind.UNMANAGED, str(left.id), who=who, what=what, step=_write_back(left, plan)),
        customer_id=left.customer_id,
        subscription_id=left.id,
        users=left.count or 0,
    )


def _write_back(left: UnmanagedSubscription, plan: Plan) -> str:
    """A retired mapping as a line that can be pasted, where its client can be told from the key."""
    by_hand = f"set the quantity of Subscription {left.id} to 0 in HaloPSA by hand"
    if any(change.key == left.key for change in plan.every_change):
        return f"the mapping {left.key} has given it up: {by_hand}, or end it there"
    if not DEFAULT_KEY.fullmatch(left.key) or left.customer_id is None:
        return f"write the mapping back with retired: true, or {by_hand}"
    client = int(left.key.removeprefix("infima-"))
    name = next((one.name for one in plan.unmapped if one.id == client), left.customer_name)
    return (
        f"to bring it to 0, write under mappings: - {{infima_client: {{id: {client}, name: {_yaml_name(name)}}}, "
        f"halo_customer: {{id: {left.customer_id}, name: {_yaml_name(left.customer_name)}}}, "
        f"subscription_id: {left.id}, retired: true}}; or {by_hand}"
    )


def _yaml_name(name: str) -> str:
    return _quoted("".join(one if one.isprintable() else " " for one in name).strip() or "unknown")
