"""Which Subscription belongs to which mapping (DESIGN 7).

In this order: `subscription_id` in the file, the binding in the state, the marker on the object. Ids decide, names
never do. Whatever contradicts itself becomes a `Doubt` that names the ids; nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from reconciler.model import Mapping, MappingKey, Subscription, SubscriptionId
from reconciler.moments import spelled
from reconciler.planning.index import Index
from reconciler.planning.rules import (
    Doubt,
    Rule,
    abandon_command,
    adopt_command,
    recreate_command,
    resolved_by,
)
from reconciler.planning.twins import candidates, given_up_perhaps, namesakes, twin_doubts, with_quantities
from reconciler.state.recorded import Attempt, BindingOrigin, Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The Subscription of a mapping, how it is known, and what is doubtful about it.

    `subscription` is None when there is none yet; `settled_attempt` is an attempt that is old enough to be replaced
    after a second look.
    """

    subscription: Subscription | None
    origin: BindingOrigin | None = None
    doubts: tuple[Doubt, ...] = ()
    settled_attempt: Attempt | None = None


def identify(mapping: Mapping, index: Index, recorded: Recorded, *, now: datetime, settle: timedelta) -> Identity:
    """Find the mapping's Subscription, or say why it cannot be told."""
    given_up = recorded.given_up.get(mapping.key, ())
    hits = tuple(s for s in index.by_marker.get(mapping.key, ()) if s.id not in given_up)
    live_hits = tuple(s for s in hits if s.live)
    if len(live_hits) > 1:
        return Identity(subscription=None, doubts=(_duplicate_marker(mapping, live_hits),))
    binding = recorded.bindings.get(mapping.key)
    marked = live_hits or hits
    claims = [
        (BindingOrigin.FILE, mapping.subscription_id),
        (binding.origin if binding else BindingOrigin.MARKER, binding.subscription_id if binding else None),
        (BindingOrigin.MARKER, marked[0].id if marked else None),
    ]
    made = [(origin, number) for origin, number in claims if number is not None]
    if not made:
        return _without_subscription(mapping, index, recorded, now=now, settle=settle)
    origin, number = made[0]
    # A deleted object that still carries our marker does not contradict the id that file or state names.
    named = {claimed for _, claimed in claims[:2] if claimed is not None}
    if len(named | {hit.id for hit in live_hits}) > 1:
        return Identity(subscription=None, doubts=(_conflict(mapping, claims),))
    others = index.claims.get(number, frozenset()) - {mapping.key}
    if others:
        return Identity(subscription=None, doubts=(_claimed_twice(mapping, number, others),))
    if binding is not None and binding.subscription_id == number:
        origin = binding.origin
    found = index.by_id.get(number)
    if mapping.retired and (found is None or not found.live):
        return Identity(subscription=None)  # what is deleted or inactive needs no bringing to 0
    doubt = _doubt_about(mapping, number, found, recorded, today=now.date())
    if doubt is None and named == set():
        doubt = given_up_perhaps(mapping, hits, index, recorded)
    return Identity(subscription=found, origin=origin, doubts=(doubt,) if doubt else ())


def _without_subscription(
    mapping: Mapping, index: Index, recorded: Recorded, *, now: datetime, settle: timedelta
) -> Identity:
    attempt = recorded.attempts.get(mapping.key)
    if attempt is not None and now - attempt.recorded_at < settle:
        found = namesakes(mapping, candidates(mapping, index, recorded))
        return Identity(
            subscription=None, doubts=(_attempt_open(mapping, attempt, found, settle=settle, zone=now.tzinfo),)
        )
    if mapping.retired:
        return Identity(subscription=None)
    return Identity(subscription=None, doubts=twin_doubts(mapping, index, recorded), settled_attempt=attempt)


def _doubt_about(
    mapping: Mapping, number: SubscriptionId, found: Subscription | None, recorded: Recorded, *, today: date
) -> Doubt | None:
    if found is None:
        return Doubt(
            rule=Rule.SUBSCRIPTION_GONE,
            message=f"HaloPSA does not list Subscription {number} any more",
            remedy=f"find out who removed it; for a new one run: {recreate_command(mapping.key)}",
        )
    if not found.is_subscription:
        return _plain_licence(mapping, found, recorded)
    if (over := _over(mapping, found, today=today)) is not None:
        return over
    if found.customer_id != mapping.halo_customer.id:
        return _moved(mapping, found, recorded)
    if found.count is None:
        return Doubt(
            rule=Rule.IDENTITY_CONFLICT,
            message=f"HaloPSA gives no whole number as the quantity of Subscription {number}",
            remedy="correct the quantity in HaloPSA by hand, once; the next run goes on from there",
        )
    return None


def _plain_licence(mapping: Mapping, found: Subscription, recorded: Recorded) -> Doubt:
    """What to do depends on who says that this row is meant: a person, our own memory, or the row itself."""
    if mapping.subscription_id is not None:
        remedy = "name a Subscription's id in mappings.yaml, or leave subscription_id out"
    elif mapping.key in recorded.bindings:
        remedy = (
            "the state has it for this mapping: make it a Subscription again in HaloPSA, or bind the right one: "
            f"{adopt_command(mapping.key)}"
        )
    else:
        remedy = (
            f"it carries the marker {mapping.key}: if somebody turned the Subscription into a licence, turn it back in "
            "HaloPSA; if the marker was copied there, clear it there"
        )
    return Doubt(
        rule=Rule.IDENTITY_CONFLICT,
        message=f"{found.id} ({found.name}) is a plain licence, not a Subscription",
        remedy=remedy,
    )


def _over(mapping: Mapping, found: Subscription, *, today: date) -> Doubt | None:
    """A Subscription that somebody ended, in one of HaloPSA's three ways."""
    number = found.id
    if not found.live:
        what = "deleted" if found.deleted else "inactive"
        return Doubt(
            rule=Rule.SUBSCRIPTION_GONE,
            message=(
                f"Subscription {number} ({found.name}) is {what} in HaloPSA: it bills nobody, "
                f"whatever number it carries{'' if found.count is None else f' ({found.count})'}"
            ),
            remedy=f"restore it in HaloPSA, or give it up: {recreate_command(mapping.key)}",
        )
    if found.last_day is not None and found.last_day < today and not mapping.retired:
        return Doubt(
            rule=Rule.SUBSCRIPTION_GONE,
            message=f"Subscription {number} ({found.name}) ended on {found.last_day.isoformat()}, as HaloPSA has it",
            remedy=(
                "clear or move its end date in HaloPSA if it goes on; if it has ended, set retired: true, or make it "
                f"inactive in HaloPSA and run: {recreate_command(mapping.key)}"
            ),
        )
    return None


def _moved(mapping: Mapping, found: Subscription, recorded: Recorded) -> Doubt:
    binding = recorded.bindings.get(mapping.key)
    where = "no customer" if found.customer_id is None else f"customer {found.customer_id}"
    quantity = "is not known" if found.count is None else f"is {found.count}"
    in_halo = binding is not None and binding.customer_id == mapping.halo_customer.id
    if in_halo:
        remedy = (
            f"move it back to customer {mapping.halo_customer.id} in HaloPSA, or correct halo_customer in mappings.yaml"
        )
    else:
        remedy = (
            "one key is one Subscription for ever: to bill another customer give the mapping a new key, and keep the "
            "old key with retired: true to bring the old Subscription to 0"
        )
    return Doubt(
        rule=Rule.MOVED,
        message=(
            f"Subscription {found.id} ({found.name}) belongs to {where} in HaloPSA, and its quantity {quantity}; "
            f"the mapping says customer {mapping.halo_customer.id} ({mapping.halo_customer.name})"
        ),
        remedy=remedy,
    )


def _duplicate_marker(mapping: Mapping, hits: tuple[Subscription, ...]) -> Doubt:
    ids = ", ".join(str(s.id) for s in hits)
    return Doubt(
        rule=Rule.DUPLICATE_MARKER,
        message=f"{len(hits)} Subscriptions carry the marker {mapping.key}: {ids}; none of them is touched",
        remedy=(
            "delete the one that is wrong in HaloPSA, or say which is right; to keep "
            f"{hits[0].id}: {adopt_command(mapping.key, hits[0].id)}"
        ),
        measured=len(hits),
        limit=1,
    )


def _conflict(mapping: Mapping, claims: list[tuple[BindingOrigin, SubscriptionId | None]]) -> Doubt:
    said = list(zip(("mappings.yaml", "the state", "the marker"), claims, strict=True))
    first = next(number for _, (_, number) in said if number is not None)
    ids = ", ".join(f"{who} says {number}" for who, (_, number) in said if number is not None)
    return Doubt(
        rule=Rule.IDENTITY_CONFLICT,
        message=f"it cannot be told which Subscription is meant: {ids}",
        remedy=f"correct subscription_id, or say which is right; for {first}: {adopt_command(mapping.key, first)}",
    )


def _claimed_twice(mapping: Mapping, number: SubscriptionId, others: frozenset[MappingKey]) -> Doubt:
    return Doubt(
        rule=Rule.IDENTITY_CONFLICT,
        message=f"Subscription {number} is claimed by {mapping.key} and by {', '.join(sorted(others))}",
        remedy="one Subscription belongs to one mapping: correct subscription_id, or the key, in mappings.yaml",
    )


def _attempt_open(
    mapping: Mapping, attempt: Attempt, namesakes: Sequence[Subscription], *, settle: timedelta, zone: tzinfo | None
) -> Doubt:
    """A namesake may well be what the create made; whether it is, only a person can tell."""
    seen = f"; {mapping.halo_customer.name} has one of that name: {with_quantities(namesakes)}" if namesakes else ""
    decided = spelled(attempt.recorded_at + settle, zone)
    if namesakes:
        look = f"look into HaloPSA; if it is what the create made: {resolved_by(mapping.key, namesakes[0].id)}; "
    else:
        look = f"nothing to do: the first run after {decided} decides it. Sooner, after a look into HaloPSA, "
    return Doubt(
        rule=Rule.ATTEMPT_OPEN,
        message=(
            f"a create was begun at {spelled(attempt.recorded_at, zone)} and its outcome is not known; "
            f"a second one could bill twice{seen}"
        ),
        remedy=f"{look}if it made nothing: {abandon_command(mapping.key)}",
    )
