"""The one list of what waits for a person (DESIGN 14), from a plan or a run's outcomes and from what is remembered.

Status, explain, report, summary, comment, issue, outputs and notification draw this list and make none of their own. A
need stays until a read showed it met: what this read could not tell is taken over from what was remembered. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reconciler.answers.invoices import invoice_note, look_of, screen_numbers
from reconciler.model import (
    Attached,
    Binding,
    BindingOrigin,
    InvoiceLook,
    Mapping,
    MappingKey,
    Mappings,
    Need,
    NeedKind,
    Recorded,
    SubscriptionId,
)
from reconciler.names import same_name
from reconciler.planning.changes import (
    CAME_RIGHT,
    ActionReason,
    Change,
    Outcome,
    Plan,
    Settled,
    UnmanagedSubscription,
    UnmappedClient,
    Violation,
)
from reconciler.planning.index import DEFAULT_KEY
from reconciler.planning.outcomes import ending_of
from reconciler.planning.rules import Rule, attached_command

OVERDUE_AFTER = timedelta(hours=36)
"""From this age on, the last good run is old enough that somebody has to look."""

ENDING_DAYS = 30
"""So many days before its last day a contract is a need."""

THE_RUN = "The whole run"
NEW_HAS_NO_PRICE = "A new Subscription has no price: set that as well."

_OF_ROWS = frozenset({NeedKind.HELD, NeedKind.FAILED, NeedKind.UNKNOWN, NeedKind.STALE})
_FROM_MEMORY = frozenset({NeedKind.NOT_INVOICED, NeedKind.ENDING, NeedKind.OVERDUE})
"""Kinds that follow from what is remembered, the file and the clock: nobody has to take them over."""

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

    @property
    def today(self) -> date:
        """The day on which days are counted, in the user's time zone where it is known."""
        return self.mappings.settings.day(self.now) if self.mappings else self.now.date()

    @property
    def ran(self) -> bool:
        """True after an apply that was not refused."""
        return self.outcomes is not None and self.plan is not None and not self.plan.refused


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
    return tuple(
        sorted(needs, key=lambda n: (n.next_invoice or date.max, -n.users, _KINDS_IN_ORDER[n.kind], n.id)),
    )


def _fresh(given: NeedInput) -> Iterator[Need]:
    plan = given.plan
    yield from _invoices(given)
    yield from _ending(given)
    yield from _approvals(given)
    if not (given.ran and plan is not None and _came_right(given)):
        yield from _overdue(given)
    if given.outcomes is None:
        yield from _cut_off(given)
    if plan is None:
        return
    for refusal in plan.refusals:
        yield _run_need(NeedKind.REFUSED, str(refusal.rule), refusal.message, refusal.remedy, given, rule=refusal.rule)
    if any(refusal.rule is Rule.WRONG_TENANT for refusal in plan.refusals):
        return  # what another HaloPSA or partner shows says nothing of these mappings
    yield from _held(plan, given)
    yield from _unsettled(plan, given)
    for client in plan.unmapped:
        yield _unmapped(client, given)
    for left in plan.unmanaged:
        if left.count != 0:
            yield _unmanaged(left, plan, given)


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


# ---------------------------------------------------------------------------------------------------------------------
# Rows of the plan
# ---------------------------------------------------------------------------------------------------------------------


def _held(plan: Plan, given: NeedInput) -> Iterator[Need]:
    broken: dict[str, list[Violation]] = {}
    for violation in plan.violations:
        if violation.stops and violation.name:
            broken.setdefault(violation.name, []).append(violation)
    for change in plan.every_change:
        if change.hold is not None:
            told = [f"{v.rule}: {v.message}" for v in broken.get(change.key, ())]
            what = ". ".join(told) or f"{change.hold.rule}: {change.hold.message}"
            yield _about(NeedKind.HELD, change, what, change.hold.remedy, given, rule=change.hold.rule)


TOLD_ONE_BY_ONE = 3
"""So many changes that a run did not come to are told one by one; more of them are one thing to do."""


def _not_attempted(plan: Plan, outcomes: MappingABC[MappingKey, Settled]) -> list[MappingKey]:
    told = ((c, outcomes.get(c.key) or Settled(outcome=Outcome.FAILED)) for c in plan.changes)
    return [change.key for change, settled in told if ending_of(change, settled).not_attempted]


def _unsettled(plan: Plan, given: NeedInput) -> Iterator[Need]:
    if given.outcomes is None or plan.refused:
        return
    waiting = _not_attempted(plan, given.outcomes)
    if len(waiting) > TOLD_ONE_BY_ONE:
        names = ", ".join(waiting[:TOLD_ONE_BY_ONE])
        what = f"{len(waiting)} changes were not attempted and nothing was sent for them: {names} and more"
        yield _run_need(
            NeedKind.FAILED, "not-attempted", what, "the next run does them; sooner: reconciler apply", given
        )
    for change in plan.changes:
        settled = given.outcomes.get(change.key)
        ending = ending_of(change, settled or Settled(outcome=Outcome.FAILED))
        if ending.not_attempted and len(waiting) > TOLD_ONE_BY_ONE:
            continue
        outcome = ending.outcome
        known = ": ".join(filter(None, [ending.word, ending.details]))
        said = settled.message if settled is not None and not ending.not_attempted else ""
        message = ". ".join(filter(None, [known, said[:1].upper() + said[1:]]))
        again = f"reconciler apply --only {change.key}"
        match outcome:
            case Outcome.FAILED:
                yield _about(NeedKind.FAILED, change, message, f"the next run tries again; sooner: {again}", given)
            case Outcome.UNKNOWN:
                step = f"the next run looks what became of it; sooner, look into HaloPSA, then: {again}"
                yield _about(NeedKind.UNKNOWN, change, message, step, given)
            case Outcome.STALE:
                step = f"see what it is now: reconciler plan --only {change.key}"
                yield _about(NeedKind.STALE, change, message, step, given)
            case Outcome.HELD if change.hold is None:
                why = settled.message if settled is not None else ""
                yield _about(NeedKind.HELD, change, why, f"then: {again}", given)
            case _:
                pass


def _about(kind: NeedKind, change: Change, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    numbers = (change.billed or 0, change.quantity.result or 0)
    return Need(
        kind=kind,
        id=f"{kind}:{change.key}",
        key=change.key,
        who=who_of(change.mapping),
        what=_sentence(what),
        step=_step(step),
        since=given.now,
        rule=rule,
        customer_id=change.mapping.halo_customer.id,
        subscription_id=change.before.id if change.before else None,
        users=max(numbers),
    )


def who_of(mapping: Mapping) -> str:
    """Whom a mapping is about, in names."""
    clients = " + ".join(client.name for client in mapping.infima_clients)
    customer = mapping.halo_customer.name
    return customer if same_name(clients, customer) else f"{clients} -> {customer}"


# ---------------------------------------------------------------------------------------------------------------------
# The whole run
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
            f"run {run.run} of {run.since:%Y-%m-%d %H:%M} UTC began to write and has not ended: it is under way or was "
            "cut off, and how far it came is not known"
        )
        step = "wait until it has ended; if it was cut off: reconciler apply"
        yield replace(_run_need(NeedKind.UNKNOWN, f"run-{run.run}", what, step, given), since=run.since)


def _overdue(given: NeedInput) -> Iterator[Need]:
    last = given.recorded.last_good_run
    if last is None or given.now - last <= OVERDUE_AFTER:
        return
    hours = int((given.now - last) / timedelta(hours=1))
    what = f"the last run that came to its end was {hours} hours ago ({last:%Y-%m-%d %H:%M} UTC)"
    step = "look whether the nightly run still runs; by hand: reconciler apply"
    yield replace(_run_need(NeedKind.OVERDUE, "run", what, step, given), since=last)


def _run_need(kind: NeedKind, name: str, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    """All customers are at stake, so it is due before the first of their invoices."""
    changes = given.plan.every_change if given.plan else ()
    users = sum(change.billed or 0 for change in changes)
    if not changes:
        users = sum(binding.last_counted or 0 for binding in given.recorded.bindings.values())
    return Need(
        kind=kind,
        id=f"{kind}:{name}",
        key="",
        who=THE_RUN,
        what=_sentence(what),
        step=_step(step),
        since=given.now,
        rule=str(rule),
        users=users,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Recurring invoices
# ---------------------------------------------------------------------------------------------------------------------


def _invoices(given: NeedInput) -> Iterator[Need]:
    changes = {change.key: change for change in given.plan.every_change} if given.plan else {}
    mapped = {m.key: m for m in given.mappings.mappings} if given.mappings else {}
    old = {need.key: need for need in given.recorded.outlook.needs if need.kind is NeedKind.NOT_INVOICED}
    for key, binding in bound(changes.values(), given.recorded, given.now).items():
        change, known = changes.get(key), old.get(key)
        mapping = change.mapping if change else mapped.get(key)
        if mapping is None and (given.plan is not None or given.mappings is not None):
            continue  # it has left the file: its quantity is told as unmanaged
        gone = change is not None and change.hold is not None and change.hold.rule is Rule.SUBSCRIPTION_GONE
        if gone or (mapping is not None and mapping.retired):
            continue
        told = not_invoiced(key, binding, given.recorded)
        if told is None:
            continue
        what, step, since = told
        customer = mapping.halo_customer.name if mapping else known.who if known else ""
        yield Need(
            kind=NeedKind.NOT_INVOICED,
            id=f"{NeedKind.NOT_INVOICED}:{key}",
            key=key,
            who=who_of(mapping) if mapping else known.who if known else key,
            what=_sentence(what),
            step=_step(step.replace("{customer}", customer or f"customer {binding.customer_id}")),
            since=since,
            customer_id=binding.customer_id,
            subscription_id=binding.subscription_id,
            users=_quantity(change, binding, known),
        )


def bound(changes: Iterable[Change], recorded: Recorded, now: datetime) -> dict[MappingKey, Binding]:
    """Which Subscription is whose: as recorded, else as the plan found it."""
    found = {
        change.key: Binding(
            key=change.key,
            subscription_id=change.before.id,
            customer_id=change.mapping.halo_customer.id,
            origin=change.origin or BindingOrigin.MARKER,
            bound_at=now,
        )
        for change in changes
        if change.before is not None and change.before.id is not None
    }
    return found | dict(recorded.bindings)


def _quantity(change: Change | None, binding: Binding, known: Need | None) -> int:
    if change is not None:
        return max(change.billed or 0, change.quantity.result or 0)
    return binding.last_counted or (known.users if known else 0)


def not_invoiced(key: MappingKey, binding: Binding, recorded: Recorded) -> tuple[str, str, datetime] | None:
    """What is wrong with a Subscription's place on recurring invoices, the next step, and since when; None for nothing.

    A Subscription that this program made is a need until it is seen attached. One that was there before is a need only
    when a look found it billing nothing: what nobody has looked at is "not checked", not "not attached".
    """
    seen, number = look_of(key, recorded), binding.subscription_id
    ours = binding.origin is BindingOrigin.CREATED
    add = (
        f"in HaloPSA open the recurring invoice of {{customer}}, add a line whose quantity comes from Subscription "
        f"{number}, and save. {NEW_HAS_NO_PRICE if ours else ''} Then: reconciler check-invoices --only {key}"
    ).replace("  ", " ")
    if seen is None:
        if not ours:
            return None
        why = f" ({recorded.outlook.unread.rstrip('.')})" if recorded.outlook.unread else ""
        what = f"Subscription {number} is new; whether it is on a recurring invoice is not checked{why}"
        if recorded.outlook.unread:
            add = f"{add}; where that may not read invoices, say so by hand: {attached_command(key)}"
        return what, add, binding.bound_at
    if seen.word or seen.verdict is Attached.YES:
        return None
    if seen.verdict is Attached.PERHAPS and not ours and seen.attached_at is None:
        return None  # told as "perhaps"; it may well have been so for years
    since = binding.bound_at if ours and seen.attached_at is None else seen.attached_at or seen.looked_at
    before = f", and was on one on {day_words(seen.attached_at)}" if seen.attached_at else ""
    what = f"Subscription {number} is {invoice_note(seen)} (looked at on {day_words(seen.looked_at)}){before}"
    return what, _invoice_step(seen, key, number, add), since


def _invoice_step(seen: InvoiceLook, key: MappingKey, number: SubscriptionId, add: str) -> str:
    numbers = ", ".join(str(one) for one in screen_numbers(seen.invoices))
    match seen.verdict:
        case Attached.DISABLED:
            return (
                f"in HaloPSA switch recurring invoice {numbers} or its line on again, or add a line to another one; "
                f"then: reconciler check-invoices --only {key}"
            )
        case Attached.PERHAPS:
            return (
                f"in HaloPSA look whether the line of recurring invoice {numbers} takes Subscription {number} in; if "
                f"it does: {attached_command(key)}"
            )
        case _:
            return add


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesKnown:
    """What is known of the recurring invoices of all Subscriptions that should be billed, as a sentence."""

    sentence: str = ""
    all_seen: bool = False


def invoices_known(recorded: Recorded, mappings: Mappings) -> InvoicesKnown:
    """How many Subscriptions were seen on a live recurring invoice and when; the rest is "not checked"."""
    keys = [m.key for m in mappings.mappings if not m.retired and m.key in recorded.bindings]
    looks = {key: seen for key in keys if (seen := look_of(key, recorded)) is not None}
    good = [key for key, seen in looks.items() if seen.verdict is Attached.YES or seen.word]
    days = sorted(seen.looked_at for seen in looks.values())
    if not keys:
        return InvoicesKnown()
    parts = [f"{len(good)} of {len(keys)} Subscriptions were seen on a live recurring invoice"]
    if days:
        same = days[0].date() == days[-1].date()
        on = f"on {day_words(days[0])}" if same else f"between {day_words(days[0])} and {day_words(days[-1])}"
        parts[0] += f", looked at {on}"
    if missing := len(keys) - len(looks):
        why = f" ({recorded.invoices_unread.rstrip('.')})" if recorded.invoices_unread else ""
        parts.append(f"{missing} not checked{why}")
    elif recorded.invoices_unread and days:
        parts.append(f"not checked since {day_words(days[-1])} ({recorded.invoices_unread.rstrip('.')})")
    return InvoicesKnown(sentence=_sentence("; ".join(parts)), all_seen=len(good) == len(keys))


# ---------------------------------------------------------------------------------------------------------------------
# Contracts, clients and Subscriptions that nobody claims
# ---------------------------------------------------------------------------------------------------------------------


def _ending(given: NeedInput) -> Iterator[Need]:
    every = given.plan.every_change if given.plan else ()
    mapped = given.mappings.mappings if given.mappings else tuple(change.mapping for change in every)
    for mapping in mapped:
        until = mapping.quantity.until
        if until is None or mapping.retired or not given.today <= until <= given.today + timedelta(days=ENDING_DAYS):
            continue
        longer, reason = until.replace(year=until.year + 1, day=min(until.day, 28)), mapping.quantity.reason or ""
        quoted = reason.replace("\\", "\\\\").replace('"', '\\"')
        yield Need(
            kind=NeedKind.ENDING,
            id=f"{NeedKind.ENDING}:{mapping.key}",
            key=mapping.key,
            who=who_of(mapping),
            what=_sentence(
                f"the fixed quantity {mapping.quantity.fixed} ({reason}) ends {_in_days(until, given.today)}"
                f"; after {day_words(until)} this mapping is held until the file says what follows"
            ),
            step=_step(
                f"at {mapping.place}, if the contract goes on: quantity: {{fixed: {mapping.quantity.fixed}, reason: "
                f'"{quoted}", until: {longer.isoformat()}}}; if it ends, take fixed, reason and until out, and '
                f"see what follows: reconciler plan --only {mapping.key}"
            ),
            since=datetime.combine(until - timedelta(days=ENDING_DAYS), datetime.min.time(), tzinfo=given.now.tzinfo),
            customer_id=mapping.halo_customer.id,
            users=mapping.quantity.fixed or 0,
        )


def _approvals(given: NeedInput) -> Iterator[Need]:
    """Approvals that end soon: after that day what they let through is held again."""
    every = given.mappings.approvals if given.mappings else ()
    names = {m.key: m for m in given.mappings.mappings} if given.mappings else {}
    for approval in every:
        if not given.today <= approval.until <= given.today + timedelta(days=ENDING_DAYS):
            continue
        mapping = names.get(approval.key) if approval.key else None
        subject = f"{approval.rule}:{approval.key}" if approval.key else approval.rule
        later = (given.today + timedelta(days=2 * ENDING_DAYS)).isoformat()
        renew = (
            f"reconciler approve {approval.key} --until {later} --reason '...'" if approval.key else f"until: {later}"
        )
        yield Need(
            kind=NeedKind.ENDING,
            id=f"{NeedKind.ENDING}:approval:{subject}",
            key=approval.key or "",
            who=who_of(mapping) if mapping else THE_RUN,
            what=_sentence(
                f"the approval of {subject} ({approval.reason}) ends {_in_days(approval.until, given.today)}"
            ),
            step=_step(f"if it is still needed, renew it at {approval.place}: {renew}; if not, take it out there"),
            since=datetime.combine(
                approval.until - timedelta(days=ENDING_DAYS), datetime.min.time(), tzinfo=given.now.tzinfo
            ),
            rule=approval.rule,
            customer_id=mapping.halo_customer.id if mapping else None,
        )


def _unmapped(client: UnmappedClient, given: NeedInput) -> Need:
    users = "" if client.user_count is None else f" ({client.user_count} users)"
    return Need(
        kind=NeedKind.UNMAPPED,
        id=f"{NeedKind.UNMAPPED}:{client.id}",
        key="",
        who=f"{client.name} (INFIMA client {client.id})",
        what=f"Neither mapped nor ignored{users}: no mapping bills it.",
        step=f"reconciler map {client.id}",
        since=given.now,
        users=client.user_count or 0,
    )


def _unmanaged(left: UnmanagedSubscription, plan: Plan, given: NeedInput) -> Need:
    count = "an unknown quantity" if left.count is None else f"the quantity {left.count}"
    customer = left.customer_name or f"customer {left.customer_id}"
    return Need(
        kind=NeedKind.UNMANAGED,
        id=f"{NeedKind.UNMANAGED}:{left.id}",
        key="",
        who=f"{customer}, once {left.key}",
        what=f"Subscription {left.id} ({left.name}) is claimed by no mapping any more and still has {count}.",
        step=_step(_write_back(left, plan)),
        since=given.now,
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
    names = [one.name for one in plan.unmapped if one.id == client]
    name, customer = (_yaml_text(text) for text in (names[0] if names else left.customer_name, left.customer_name))
    return (
        f"to bring it to 0, write under mappings: - {{infima_client: {{id: {client}, name: {name}}}, halo_customer: "
        f"{{id: {left.customer_id}, name: {customer}}}, subscription_id: {left.id}, retired: true}}; or {by_hand}"
    )


def _yaml_text(text: str) -> str:
    shown = "".join(one if one.isprintable() else " " for one in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown.strip() or "unknown"}"'


# ---------------------------------------------------------------------------------------------------------------------
# Words that all drawings share
# ---------------------------------------------------------------------------------------------------------------------


def _dated(need: Need, given: NeedInput) -> Need:
    days = {customer: day for customer, day in given.recorded.outlook.invoice_days.items() if day >= given.today}
    if need.who == THE_RUN and not need.key:
        return replace(need, next_invoice=min(days.values(), default=None))
    return replace(need, next_invoice=None if need.customer_id is None else days.get(need.customer_id))


def due_words(next_invoice: date | None, today: date) -> str:
    """ "before the invoice of 1 Dec (in 2 days)"; empty where no day is known."""
    return "" if next_invoice is None else f"before the invoice of {_in_days(next_invoice, today, short=True)}"


def _in_days(day: date, today: date, *, short: bool = False) -> str:
    left = (day - today).days
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    return f"{day.day} {day:%b} ({when})" if short else f"{when} ({day.isoformat()})"


def edited_words(live: int | None, since: datetime | None, counted: int | None, counted_then: int | None) -> str:
    """ "changed in HaloPSA to 20 since the run of 26 Nov; INFIMA still counts 12"."""
    when = f"since the run of {since.day} {since:%b}" if since else "since the last run"
    still = " still" if counted is not None and counted == counted_then else ""
    counts = "" if counted is None else f"; INFIMA{still} counts {counted}"
    return f"changed in HaloPSA to {'an unknown number' if live is None else live} {when}{counts}"


def fixed_beside(fixed: int | None, listed: int | None) -> str:
    """What INFIMA lists, where that is not what the contract says; empty where it is, or is not known."""
    return "" if listed is None or listed == fixed else f" (INFIMA's client list says {listed} users)"


def day_words(moment: datetime | date) -> str:
    """ "26 Nov 2026"."""
    return f"{moment.day} {moment:%b %Y}"


def _step(text: str) -> str:
    """A next step as a sentence; where it ends with a command, no full stop gets into what is pasted."""
    text = text.strip()
    return text if text.startswith("reconciler ") else text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else f"{text}."
