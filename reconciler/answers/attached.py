"""Which Subscriptions are on a recurring invoice: what is remembered, what a night looks at, what a person has to do.

A Subscription that is not seen on a live recurring invoice bills nothing. Nothing here ever writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from reconciler.answers.invoices import PHASE, Attachment, InvoiceReader, Looked, Wanted, look
from reconciler.answers.words import as_sentence, as_step, day_words, who_of
from reconciler.errors import ApiError
from reconciler.events import Observer, PhaseFinished
from reconciler.model import MappingKey, Mappings, SubscriptionId
from reconciler.plan import LOOKS_HOLD
from reconciler.planning.changes import Action, Change, Plan
from reconciler.planning.rules import Rule, attached_command
from reconciler.state.recorded import (
    Attached,
    Binding,
    BindingOrigin,
    InvoiceLook,
    Need,
    NeedKind,
    Outlook,
    Recorded,
    screen_numbers,
)

NEW_HAS_NO_PRICE = "A new Subscription has no price: set that as well."

NIGHT_REQUESTS = 50
"""The most requests that a night spends on recurring invoices (DESIGN 14)."""

FRESH = timedelta(hours=20)
"""A Subscription that was seen attached within this time is not looked at again."""


def look_of(key: MappingKey, recorded: Recorded) -> InvoiceLook | None:
    """The remembered look at this key's Subscription; one at another Subscription says nothing of this one."""
    seen, binding = recorded.looks.get(key), recorded.bindings.get(key)
    fits = seen is not None and (binding is None or binding.subscription_id == seen.subscription_id)
    return seen if fits else None


def invoice_note(seen: Attachment | InvoiceLook) -> str:
    """A Subscription's place on recurring invoices, in words."""
    numbers, noun = _numbers(seen), "invoice" if len(seen.invoices) == 1 else "invoices"
    match seen.verdict:
        case Attached.YES:
            return f"on recurring {noun} {numbers}"
        case Attached.PERHAPS:
            return f"perhaps on recurring {noun} {numbers}, which selects by criteria: look there"
        case Attached.DISABLED:
            return f"only on recurring {noun} {numbers}, where it is switched off or has ended: it bills nothing"
        case Attached.NO if not seen.everywhere:
            return "on no recurring invoice of its customer; the invoices of others were not checked"
        case _:
            return "on no recurring invoice: it bills nothing"


def _numbers(seen: Attachment | InvoiceLook) -> str:
    return ", ".join(str(number) for number in screen_numbers(seen.invoices))


# ---------------------------------------------------------------------------------------------------------------------
# A night's look
# ---------------------------------------------------------------------------------------------------------------------


def night_look(
    reader: InvoiceReader, changes: Sequence[Change], recorded: Recorded, *, now: datetime, observe: Observer
) -> Outlook:
    """What a night sees of the recurring invoices, within its requests, on top of what was remembered.

    It looks first at the Subscriptions that were never seen attached, then at the oldest looks, and last at those that
    may be meant by a held create. Where nothing is due nothing is asked; where HaloPSA refuses, the outlook says why,
    and all looks stay as they are.
    """
    outlook = recorded.outlook
    wanted, others = _due(changes, recorded, now=now), _others_due(changes, recorded, now=now)
    everything = [*wanted.values(), *others]
    if not everything:
        return outlook
    try:
        looked = look(reader, everything, today=now.date(), observe=observe, requests=NIGHT_REQUESTS)
    except ApiError as error:
        observe(PhaseFinished(phase=PHASE, detail=f"not checked: {error.message}"))
        return replace(outlook, unread=f"{error.message} {error.hint}".strip())
    outlook = remember(outlook, looked, {key: one.subscription_id for key, one in wanted.items()}, now=now)
    seen = {one.subscription_id: _seen(one.subscription_id, looked, now) for one in others}
    kept = {number: one for number, one in outlook.other_looks.items() if now - one.looked_at <= LOOKS_HOLD}
    return replace(outlook, other_looks=kept | {number: one for number, one in seen.items() if one is not None})


def _due(changes: Sequence[Change], recorded: Recorded, *, now: datetime) -> dict[MappingKey, Wanted]:
    """The Subscriptions that a night looks for, in that order; none where every look is fresh enough."""
    wanted = wanted_of(changes, recorded)
    looks = [look_of(key, recorded) for key in wanted]
    fresh = all(seen is not None and seen.verdict is Attached.YES and now - seen.looked_at < FRESH for seen in looks)
    return {} if fresh else wanted


def wanted_of(changes: Sequence[Change], recorded: Recorded) -> dict[MappingKey, Wanted]:
    """Every Subscription that should be billed: those never seen attached first, then the oldest looks."""
    found: list[tuple[tuple[bool, str, MappingKey], Wanted]] = []
    for change in changes:
        binding, seen = recorded.bindings.get(change.key), look_of(change.key, recorded)
        number = binding.subscription_id if binding else change.before.id if change.before else None
        if number is None or change.mapping.retired:
            continue
        customer = binding.customer_id if binding else change.mapping.halo_customer.id
        wanted = Wanted(subscription_id=number, customer_id=customer, seen_on=seen.invoices if seen else ())
        attached = seen is not None and seen.verdict is Attached.YES
        looked_at = seen.looked_at.astimezone(UTC).isoformat() if seen is not None else ""
        found.append(((attached, looked_at, change.key), wanted))
    return {rank[2]: wanted for rank, wanted in sorted(found, key=lambda row: row[0])}


def _others_due(changes: Sequence[Change], recorded: Recorded, *, now: datetime) -> list[Wanted]:
    """The Subscriptions that no mapping has, beside a create that is held; none where every look is fresh enough."""
    held = (c for c in changes if c.action is Action.CREATE and c.hold is not None)
    found = {one.id: change.mapping.halo_customer.id for change in held for one in change.unowned if one.live}
    looks = {number: recorded.other_looks.get(number) for number in found}
    if all(seen is not None and now - seen.looked_at < FRESH for seen in looks.values()):
        return []
    return [
        Wanted(subscription_id=number, customer_id=customer, seen_on=seen.invoices if (seen := looks[number]) else ())
        for number, customer in found.items()
    ]


def remember(
    outlook: Outlook, looked: Looked, asked: MappingABC[MappingKey, SubscriptionId], *, now: datetime
) -> Outlook:
    """The outlook with a look's verdicts in it. A person's word stands while no look contradicts it."""
    looks = dict(outlook.looks)
    for key, number in asked.items():
        seen, before = _seen(number, looked, now), looks.get(key)
        if seen is None:
            continue
        known = before if before is not None and before.subscription_id == number else None
        open_question = seen.verdict is Attached.PERHAPS or not seen.everywhere
        looks[key] = replace(
            seen,
            attached_at=now if seen.verdict is Attached.YES else known.attached_at if known else None,
            word=known.word if known and open_question else "",
        )
    return replace(outlook, looks=looks, invoice_days={**outlook.invoice_days, **looked.invoice_days}, unread="")


def _seen(number: SubscriptionId, looked: Looked, now: datetime) -> InvoiceLook | None:
    found = looked.attachments.get(number)
    if found is None:
        return None
    return InvoiceLook(
        subscription_id=number,
        looked_at=now,
        verdict=found.verdict,
        invoices=found.invoices,
        everywhere=found.everywhere,
    )


# ---------------------------------------------------------------------------------------------------------------------
# What waits for a person
# ---------------------------------------------------------------------------------------------------------------------


def not_on_invoices(plan: Plan | None, mappings: Mappings | None, recorded: Recorded, now: datetime) -> Iterator[Need]:
    """Needs about the Subscriptions that were not seen on a live recurring invoice."""
    changes = {change.key: change for change in plan.every_change} if plan else {}
    mapped = {m.key: m for m in mappings.mappings} if mappings else {}
    old = {need.key: need for need in recorded.needs if need.kind is NeedKind.NOT_INVOICED}
    for key, binding in bound(changes.values(), recorded, now).items():
        change, known = changes.get(key), old.get(key)
        mapping = change.mapping if change else mapped.get(key)
        if mapping is None and (plan is not None or mappings is not None):
            continue  # it has left the file: its quantity is told as unmanaged
        gone = change is not None and change.hold is not None and change.hold.rule is Rule.SUBSCRIPTION_GONE
        told = None if gone or (mapping is not None and mapping.retired) else not_invoiced(key, binding, recorded)
        if told is None:
            continue
        what, step, since = told
        customer = mapping.halo_customer.name if mapping else known.who if known else ""
        yield Need(
            kind=NeedKind.NOT_INVOICED,
            id=f"{NeedKind.NOT_INVOICED}:{key}",
            key=key,
            who=who_of(mapping) if mapping else known.who if known else key,
            what=as_sentence(what),
            step=as_step(step.replace("{customer}", customer or f"customer {binding.customer_id}")),
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
        return max(change.live_quantity or 0, change.quantity.result or 0)
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
        f"{number}, and save. {f'{NEW_HAS_NO_PRICE} ' if ours else ''}Then: reconciler check-invoices --only {key}"
    )
    if seen is None:
        if not ours:
            return None
        what = f"Subscription {number} is new; whether it is on a recurring invoice is not checked{_why(recorded)}"
        if recorded.invoices_unread:
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


def _why(recorded: Recorded) -> str:
    """Behind "not checked": why the invoices could not be read."""
    return f" ({recorded.invoices_unread.rstrip('.')})" if recorded.invoices_unread else ""


def _invoice_step(seen: InvoiceLook, key: MappingKey, number: SubscriptionId, add: str) -> str:
    match seen.verdict:
        case Attached.DISABLED:
            return (
                f"in HaloPSA switch recurring invoice {_numbers(seen)} or its line on again, or add a line to another "
                f"one; then: reconciler check-invoices --only {key}"
            )
        case Attached.PERHAPS:
            return (
                f"in HaloPSA look whether the line of recurring invoice {_numbers(seen)} takes Subscription {number} "
                f"in; if it does: {attached_command(key)}"
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
    if not keys:
        return InvoicesKnown()
    looks = [seen for key in keys if (seen := look_of(key, recorded)) is not None]
    good = sum(seen.verdict is Attached.YES or bool(seen.word) for seen in looks)
    days = sorted(seen.looked_at for seen in looks)
    parts = [f"{good} of {len(keys)} Subscriptions were seen on a live recurring invoice"]
    if days:
        same = days[0].date() == days[-1].date()
        on = f"on {day_words(days[0])}" if same else f"between {day_words(days[0])} and {day_words(days[-1])}"
        parts[0] += f", looked at {on}"
    if missing := len(keys) - len(looks):
        parts.append(f"{missing} not checked{_why(recorded)}")
    elif recorded.invoices_unread and days:
        parts.append(f"not checked since {day_words(days[-1])}{_why(recorded)}")
    return InvoicesKnown(sentence=as_sentence("; ".join(parts)), all_seen=good == len(keys))
