"""Which Subscriptions are ours, and what a complete listing shows of them. Pure.

Ours is what the file, the state or a marker names: of the mappings in the file, of keys that have left it, and what was
given up. Also where several claim one mapping, and where a mapping is held: each of them bills what it bills.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from reconciler.model import (
    HaloCustomer,
    MappingKey,
    Mappings,
    Observation,
    Recorded,
    Shown,
    Sighting,
    Standing,
    Subscription,
    SubscriptionId,
)
from reconciler.planning.index import DEFAULT_KEY, Index, index_subscriptions


def first_sighting(mappings: Mappings, observation: Observation, recorded: Recorded) -> Sighting:
    """What a run's own reading of HaloPSA shows of our Subscriptions."""
    at = observation.listed_at or observation.taken_at
    return sight(mappings, recorded, observation.subscriptions, customers=observation.customers, at=at)


def sight(
    mappings: Mappings,
    recorded: Recorded,
    listing: Iterable[Subscription],
    *,
    customers: Iterable[HaloCustomer],
    at: datetime,
    known: Iterable[Shown] = (),
) -> Sighting:
    """What a complete listing that began `at` shows of our Subscriptions.

    `known` are rows of the same run's listing before it: whose they are may have been read from their details.
    """
    index = index_subscriptions(listing, mappings.mappings, recorded)
    names = {customer.id: customer.name for customer in customers}
    rows = []
    owners = {row.subscription_id: (row.key, row.managed) for row in known} | _owners(index, mappings, recorded)
    for number, (key, managed) in sorted(owners.items()):
        found = index.by_id.get(number)
        customer = found.customer_id if found is not None else None
        rows.append(
            Shown(
                subscription_id=number,
                key=key,
                quantity=_bills(found),
                standing=_standing(found),
                managed=managed,
                customer_id=customer,
                customer=names.get(customer, "") if customer is not None else "",
            )
        )
    return Sighting(at=at, rows=tuple(rows))


def _owners(index: Index, mappings: Mappings, recorded: Recorded) -> dict[SubscriptionId, tuple[MappingKey, bool]]:
    """Whose each Subscription is, and whether a mapping of the file claims it: the first word that is said counts."""
    file = [(m.subscription_id, m.key) for m in mappings.mappings if m.subscription_id is not None]
    bound = [(binding.subscription_id, binding.key) for binding in recorded.bindings.values()]
    claimed = [(number, key) for number, keys in index.claims.items() for key in sorted(keys)]
    given_up = [(number, key) for key, numbers in recorded.given_up.items() for number in numbers]
    marked = [
        (hit.id, MappingKey(marker))
        for marker, hits in index.by_marker.items()
        if DEFAULT_KEY.fullmatch(marker)
        for hit in hits
    ]
    owners: dict[SubscriptionId, tuple[MappingKey, bool]] = {}
    for number, key in (*file, *bound, *claimed):
        if key in index.keys:
            owners.setdefault(number, (key, True))
    for number, key in (*bound, *given_up, *marked):
        owners.setdefault(number, (key, False))
    return owners


def _bills(found: Subscription | None) -> int | None:
    return found.quantity if found is not None else 0


def _standing(found: Subscription | None) -> Standing:
    if found is None:
        return Standing.GONE
    if found.deleted:
        return Standing.DELETED
    return Standing.LIVE if found.is_active else Standing.INACTIVE
