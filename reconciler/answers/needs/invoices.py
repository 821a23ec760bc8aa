"""Needs about recurring invoices: a Subscription that is not seen on a live one bills nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.answers.invoices import invoice_note, look_of
from reconciler.answers.needs.given import NeedInput, who_of
from reconciler.answers.needs.words import as_sentence, as_step, day_words
from reconciler.model import (
    Attached,
    Binding,
    BindingOrigin,
    InvoiceLook,
    MappingKey,
    Mappings,
    Need,
    NeedKind,
    Recorded,
    SubscriptionId,
    screen_numbers,
)
from reconciler.planning.changes import Change
from reconciler.planning.rules import Rule, attached_command

NEW_HAS_NO_PRICE = "A new Subscription has no price: set that as well."


def not_on_invoices(given: NeedInput) -> Iterator[Need]:
    """Subscriptions that were not seen on a live recurring invoice."""
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
    return InvoicesKnown(sentence=as_sentence("; ".join(parts)), all_seen=len(good) == len(keys))
