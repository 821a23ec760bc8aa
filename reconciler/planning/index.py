"""A complete listing of Subscriptions: looked up by id, marker and customer, with everybody's claims; which are ours.

Ours is what the file, the state or a marker names: of the mappings in the file, of keys that have left it, and what was
given up. Also where several claim one mapping, and where a mapping is held: each of them bills what it bills.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model import (
    HaloCustomer,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    Shown,
    Sighting,
    Standing,
    Subscription,
    SubscriptionId,
)
from reconciler.state.recorded import Recorded

DEFAULT_KEY = re.compile(r"infima-[0-9]+")
"""Shape of a default key. A marker of that shape is ours even when no state remembers it; another may be anybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The live Subscriptions by id, by marker and by customer, and who claims which id.

    `billing` are the mappings by key, retired ones left out, and `siblings` those of each customer in the order of the
    file; whose customer a Subscription is may have changed since in HaloPSA, or in the file. `forgotten` are
    the Subscriptions that carry a marker of this file and that the state does not know: it has lost its memory, or it
    is another one.
    """

    by_id: MappingABC[SubscriptionId, Subscription]
    by_marker: MappingABC[str, tuple[Subscription, ...]]
    by_customer: MappingABC[int, tuple[Subscription, ...]]
    keys: frozenset[MappingKey]
    claims: MappingABC[SubscriptionId, frozenset[MappingKey]] = field(default_factory=dict)
    billing: MappingABC[MappingKey, Mapping] = field(default_factory=dict)
    siblings: MappingABC[int, tuple[Mapping, ...]] = field(default_factory=dict)
    forgotten: tuple[SubscriptionId, ...] = ()

    def owners(self, number: SubscriptionId) -> frozenset[MappingKey]:
        """The mappings of the file that claim this Subscription; a key that has left the file keeps nothing."""
        return self.claims.get(number, frozenset()) & self.keys


def index_subscriptions(
    subscriptions: Iterable[Subscription], mappings: Iterable[Mapping], recorded: Recorded
) -> Index:
    """Index a complete listing in the order of its ids; every id that file, state or marker claims is noted as such."""
    by_id: dict[SubscriptionId, Subscription] = {}
    by_marker: dict[str, list[Subscription]] = defaultdict(list)
    by_customer: dict[int, list[Subscription]] = defaultdict(list)
    for subscription in sorted(subscriptions, key=lambda s: s.id):
        by_id[subscription.id] = subscription
        if subscription.marker:
            by_marker[subscription.marker].append(subscription)
        if subscription.customer_id is not None:
            by_customer[subscription.customer_id].append(subscription)
    claims: dict[SubscriptionId, set[MappingKey]] = defaultdict(set)
    keys = set()
    billing: dict[MappingKey, Mapping] = {}
    siblings: dict[int, list[Mapping]] = defaultdict(list)
    for mapping in sorted(mappings, key=lambda m: (m.place.line, m.place.column, m.key)):
        keys.add(mapping.key)
        if not mapping.retired:
            billing[mapping.key] = mapping
            siblings[mapping.halo_customer.id].append(mapping)
        if mapping.subscription_id is not None:
            claims[mapping.subscription_id].add(mapping.key)
        for hit in by_marker.get(mapping.key, ()):
            if hit.id not in recorded.given_up.get(mapping.key, ()):
                claims[hit.id].add(mapping.key)
    for binding in recorded.bindings.values():
        claims[binding.subscription_id].add(binding.key)
    return Index(
        by_id=by_id,
        by_marker={marker: tuple(hits) for marker, hits in by_marker.items()},
        by_customer={customer: tuple(rows) for customer, rows in by_customer.items()},
        keys=frozenset(keys),
        claims={number: frozenset(owners) for number, owners in claims.items()},
        billing=billing,
        siblings={customer: tuple(own) for customer, own in siblings.items()},
        forgotten=tuple(sorted(_forgotten(by_marker, keys, claims, recorded))),
    )


def _forgotten(
    by_marker: MappingABC[str, list[Subscription]],
    keys: set[MappingKey],
    claims: MappingABC[SubscriptionId, set[MappingKey]],
    recorded: Recorded,
) -> Iterator[SubscriptionId]:
    """A create is recorded before it is sent, so a marker whose key the state does not know speaks of another state."""
    for key in keys - recorded.bindings.keys() - recorded.attempts.keys():
        for hit in by_marker.get(key, ()):
            if claims[hit.id] == {key}:
                yield hit.id


# -- What a listing shows of ours -------------------------------------------------------------------------------------


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
                quantity=found.quantity if found is not None else 0,
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


def _standing(found: Subscription | None) -> Standing:
    if found is None:
        return Standing.GONE
    if found.deleted:
        return Standing.DELETED
    return Standing.LIVE if found.is_active else Standing.INACTIVE
