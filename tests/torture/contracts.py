"""What a mapping promises, restated for the oracles in plain numbers, and the worlds the campaign plays in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World
from tests.clock import VirtualClock

TEMPLATE = "INFIMA Security Awareness Training"
UNOWNED = (9050, 9060)
"""Rows of Halo that no mapping may ever touch: another vendor's Subscription, and a plain licence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One mapping as the oracles understand it. `name` is also the customer's and, where single, the client's name."""

    key: str
    clients: tuple[int, ...]
    customer: int
    name: str
    pinned: int | None = None
    included: int = 0
    minimum: int | None = None
    maximum: int | None = None
    fixed: int | None = None
    retired: bool = False
    allow_zero: bool = False
    by_record: bool = False

    @property
    def counts(self) -> bool:
        """Whether the quantity comes from INFIMA, not from the reviewed file."""
        return not self.retired and self.fixed is None

    def quantity(self, counted: int | None) -> int | None:
        """DESIGN 5 in one line each; None where nothing was counted and something had to be."""
        if self.retired:
            return 0
        if self.fixed is not None:
            return self.fixed
        if counted is None:
            return None
        low = max(counted - self.included, 0)
        if self.minimum is not None:
            low = max(low, self.minimum)
        return low if self.maximum is None else min(low, self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The settings of mappings.yaml that a schedule varies. `budget` is in requests to Halo in 300 seconds."""

    marker: str = "snowid"
    budget: int = 240
    batch: int = 50
    marker_wait_seconds: int = 60


def mappings_text(contracts: Iterable[Contract], tuning: Tuning = Tuning(), *, settle_hours: int = 20) -> str:
    """mappings.yaml for these contracts."""
    settings = (
        f"marker_field: {tuning.marker}, settle_hours: {settle_hours}, batch: {tuning.batch}, "
        f"halo_budget: {{requests: {tuning.budget}, seconds: 300}}, marker_wait_seconds: {tuning.marker_wait_seconds}"
    )
    lines = ["version: 1", f"settings: {{{settings}}}", "mappings:"]
    for each in contracts:
        names = {number: f"{each.name} {number}" if len(each.clients) > 1 else each.name for number in each.clients}
        refs = [f'{{id: {number}, name: "{names[number]}"}}' for number in each.clients]
        lines.append(f"  - key: {each.key}")
        lines.append(f"    infima_client: {refs[0]}" if len(refs) == 1 else f"    infima_clients: [{', '.join(refs)}]")
        lines.append(f'    halo_customer: {{id: {each.customer}, name: "{each.name}"}}')
        if each.pinned is not None:
            lines.append(f"    subscription_id: {each.pinned}")
        if each.retired:
            lines.append("    retired: true")
        lines += _quantity_lines(each)
    return "\n".join(lines) + "\n"


def _quantity_lines(each: Contract) -> list[str]:
    rule: list[str] = []
    if each.by_record:
        rule.append("count: client_record")
    rule += [
        f"{name}: {value}"
        for name, value in (("included", each.included or None), ("minimum", each.minimum), ("maximum", each.maximum))
        if value is not None
    ]
    if each.fixed is not None:
        rule.append(f'fixed: {each.fixed}, reason: "contract"')
    if each.allow_zero:
        rule.append("allow_zero: true")
    return [f"    quantity: {{{', '.join(rule)}}}"] if rule else []


@dataclass(slots=True, kw_only=True)
class Scene:
    """A world before the first run, with the contracts that hold in it."""

    world: World
    contracts: tuple[Contract, ...]
    tuning: Tuning = Tuning()


def six_mappings(switches: Switches | None = None) -> Scene:
    """Two updates (one downwards), one no-op over two pages of users, one adoption, two creates."""
    world = World(clock=VirtualClock(), switches=switches)
    rows = ((15, 9001, 12), (25, 9002, 30), (53, 9003, 53), (14, ADOPTED, 13), (8, None, None), (9, None, None))
    contracts = add_mapped(world, rows, adopted=ADOPTED, inactive=2, price=2.5, notes="by hand")
    add_unowned(world)
    return Scene(world=world, contracts=contracts)


def add_mapped(
    world: World, rows: Iterable[tuple[int, int | None, int | None]], *, adopted: int, inactive: int = 0, **members: Any
) -> tuple[Contract, ...]:
    """Clients with so many active users, each with its customer, and the row there is of it: its id and its count."""
    contracts = []
    for place, (active, row, count) in enumerate(rows):
        client, customer, name = 101 + place, 11 + place, NAMES[place]
        world.add_client(client, name, active=active, inactive=inactive)
        world.add_customer(customer, name)
        pinned = row if row == adopted else None
        if row is not None and count is not None:
            marker = {} if pinned else {"snowid": f"infima-{client}"}
            world.add_licence(customer, TEMPLATE, count, licence_id=row, **members, **marker)
        key = f"infima-{client}"
        contracts.append(Contract(key=key, clients=(client,), customer=customer, name=name, pinned=pinned))
    return tuple(contracts)


ADOPTED = 9010
KINDS = (
    "create", "create", "create", "update", "update", "adopt", "no-op", "retired", "fixed", "zero", "nobody", "fall",
)  # fmt: skip
"""What a random mapping can be, the more likely more often."""
NAMES = ("Acme Dental", "Borealis Freight", "Corvid Labs", "Dunmore School", "Eastgate Homes", "Fenwick Law")


def add_unowned(world: World) -> None:
    """Rows that belong to nobody in the file: their ids stand above all others, so a new row is never one of them."""
    world.add_customer(99, "Somebody Else")
    world.add_client(999, "Not Mapped", active=33)
    world.add_licence(11, "Microsoft 365 Business", 70, licence_id=UNOWNED[0], snowid="ms-subscription")
    world.add_licence(99, TEMPLATE, 7, licence_id=UNOWNED[1], type=0)


def random_scene(rng: Random, switches: Switches, tuning: Tuning = Tuning()) -> Scene:
    """Two to four mappings of random kinds."""
    world = World(clock=VirtualClock(), switches=switches)
    contracts = [_random_mapping(rng, world, place, (switches, tuning)) for place in range(rng.randint(2, 4))]
    add_unowned(world)
    return Scene(world=world, contracts=tuple(contracts), tuning=tuning)


def _random_mapping(rng: Random, world: World, place: int, habits: tuple[Switches, Tuning]) -> Contract:
    switches, tuning = habits
    kind = rng.choice(KINDS)
    several = kind == "create" and rng.random() < 0.3
    client, customer, name = 101 + place * 2, 11 + place, NAMES[place]
    clients = (client, client + 1) if several else (client,)
    total = 0
    for number in clients:
        active = 0 if kind in {"zero", "nobody"} else rng.choice((1, 3, 9, 24, 51))
        total += active
        shown = f"{name} {number}" if several else name
        world.add_client(number, shown, active=active, inactive=rng.choice((0, 2)))
    world.add_customer(customer, name)
    rule: Mapping[str, object] = rng.choice(({}, {}, {}, {"included": 2}, {"minimum": 5}, {"maximum": 40}))
    if kind == "fixed":
        rule = {"fixed": rng.choice((4, 40))}
    contract = Contract(
        key=f"group-{client}" if several else f"infima-{client}",
        clients=clients,
        customer=customer,
        name=name,
        pinned=9001 + place if kind == "adopt" else None,
        retired=kind == "retired",
        allow_zero=kind == "zero",
        by_record=rng.random() < 0.1,
        **rule,  # type: ignore[arg-type]
    )
    if kind not in {"create", "fixed"}:
        wanted = contract.quantity(total) or 0
        count = {
            "no-op": wanted,
            "nobody": rng.choice((3, 60)),  # held by a guard
            "fall": wanted + rng.choice((11, 60)),  # held beyond 30 %
        }.get(kind, max(0, wanted + rng.choice((-3, -1, 1, 2, 4))))
        marked = kind != "adopt" and tuning.marker in switches.marker_fields and switches.marker == "kept"
        pinned = 9001 + place if kind != "adopt" and not marked else None
        marker = {tuning.marker: contract.key} if marked else {}
        world.add_licence(customer, TEMPLATE, count, licence_id=9001 + place, **marker)
        if pinned is not None:
            contract = replace(contract, pinned=pinned)
    return contract
