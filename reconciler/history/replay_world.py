"""The made-up world in which a recorded night is planned again. Pure."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model import (
    HaloCustomer,
    InfimaClient,
    Mapping,
    MappingKey,
    Observation,
    Subscription,
    SubscriptionId,
    Tenant,
    UserCount,
)

TENANT = Tenant(halo_url="https://replay.example", infima_partner="replay")
_FIRST_ID = 1_000_000_000
"""Made-up Subscription ids count up from here: far from any that a mappings file names."""


@dataclass(slots=True)
class Numbers:
    """A made-up Subscription id for each key, the same throughout a replay."""

    _ids: dict[MappingKey, SubscriptionId] = field(default_factory=dict)

    def of(self, key: MappingKey) -> SubscriptionId:
        """The key's id."""
        return self._ids.setdefault(key, SubscriptionId(_FIRST_ID + len(self._ids)))


def observation_of(
    known: Sequence[Mapping],
    counts: MappingABC[MappingKey, int | None],
    quantities: MappingABC[MappingKey, int],
    numbers: Numbers,
    at: datetime,
) -> Observation:
    """A world in which the recorded counts are read. A mapping's whole count stands with its first client.

    A mapping whose count is not known has no client in it, unless its quantity comes from the file alone.
    """
    users = {
        client.id: (client.name, (counts[m.key] or 0) if client is m.infima_clients[0] else 0)
        for m in known
        if counts[m.key] is not None or not m.counts_users
        for client in m.infima_clients
    }
    return Observation(
        taken_at=at,
        tenant=TENANT,
        clients=tuple(InfimaClient(id=number, name=name, user_count=n) for number, (name, n) in users.items()),
        user_counts=tuple(UserCount(client_id=number, active=n, listed=n) for number, (_, n) in users.items()),
        customers=tuple(
            {m.halo_customer.id: HaloCustomer(id=m.halo_customer.id, name=m.halo_customer.name) for m in known}.values()
        ),
        subscriptions=tuple(
            Subscription(
                id=numbers.of(m.key),
                customer_id=m.halo_customer.id,
                name=m.subscription_name,
                count=quantities[m.key],
            )
            for m in known
            if m.key in quantities
        ),
    )
