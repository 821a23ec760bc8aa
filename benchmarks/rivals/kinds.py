"""What a rival is to the driver: words to run, files to write first, requests to expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.simulator.worlds import scaled_world
from tests.scaled import scaled_mappings_yaml

SHARES = {"plan": 0.0, "apply": 0.1}
"""Which share of the Subscriptions differs, by job; serve.py's stories `unchanged` and `changed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One pair of client and Subscription as both systems hold it when a run begins."""

    licence: int
    client: int
    customer: int
    name: str
    count: int
    due: int

    @property
    def marker(self) -> str:
        """The key that the Subscription carries."""
        return f"infima-{self.client}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The world that a row is measured in: the simulator's own, which the same numbers make again."""

    job: str
    subscriptions: tuple[Subscription, ...]
    mappings: Mapping[str, str]

    @property
    def changed(self) -> int:
        """How many quantities an apply has to set."""
        return sum(each.count != each.due for each in self.subscriptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Something that does the job.

    `mode` says which run of the program it is held against; an `offline` one asks no system and is measured without
    latency only; an `optional` one takes part when it is asked for by name.
    """

    name: str
    label: str
    command: Callable[[str], list[str]]
    prepare: Callable[[Path, Ground], None]
    reset: Callable[[Path], None]
    requests: Callable[[Ground], Mapping[str, int]]
    mode: str = "client_record"
    environment: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A rival that could not be had here, and why."""

    label: str
    reason: str


def ground(job: str, clients: int) -> Ground:
    """Lay out the world of a job."""
    world = scaled_world(clients, changed=SHARES[job])
    by_customer = {row["client_id"]: row for row in world.licences.values()}
    pairs = zip(sorted(world.infima_clients), sorted(world.customers), strict=True)
    return Ground(
        job=job,
        subscriptions=tuple(
            Subscription(
                licence=by_customer[customer]["id"],
                client=client,
                customer=customer,
                name=by_customer[customer]["name"],
                count=by_customer[customer]["count"],
                due=world.infima_clients[client].active,
            )
            for client, customer in pairs
        ),
        mappings={mode: scaled_mappings_yaml(world, count=mode) for mode in ("client_record", "active_users")},
    )
