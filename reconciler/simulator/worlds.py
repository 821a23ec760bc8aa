"""Where worlds come from: the demo's and the nights that pass over it, worlds of any size, worlds kept in a file."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict
from random import Random
from typing import Any

from reconciler.clock import Clock
from reconciler.simulator.records import Row
from reconciler.simulator.roster import IGNORED, SECTIONS, RosterEntry
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World, WorldCredentials

TRAINING = "INFIMA Security Awareness Training"
CHANGES_OF_FIRST_NIGHT = {105: 3, 106: -4, 107: 4, 111: -3, 117: 6, 118: -2, 120: 2, 127: 2, 130: 1, 134: -1}
"""INFIMA client id -> people who join, or leave where it is negative."""

EMPTIED_CLIENT = 112
CLOSED_CUSTOMER = 47
RENAMED_CUSTOMER = 23
NEWCOMER = (142, "Zephyr Cycles", 17)
NEWCOMER_CUSTOMER = (71, "Zephyr Cycles Ltd")
RENAMED_CLIENT = (122, "Vale Physiotherapy")
SECOND_NEWCOMER = (143, "Tidewater Yoga", 9)
SECOND_NEWCOMER_CUSTOMER = (72, "Tidewater Yoga Ltd")

FOREIGN: tuple[tuple[int, str, int, Row], ...] = (
    (21, "Microsoft 365 Business Premium", 26, {"vendor": "Microsoft", "status": "Active", "snowid": "CSP-44120"}),
    (25, "Cloud Backup Seats", 61, {"vendor": "Example Backup", "product_sku": "BKP-SEAT"}),
    (31, "Endpoint Detection", 155, {"vendor": "Example Security", "third_party_productid": "edr-31"}),
    (37, "Microsoft 365 Business Basic", 50, {"vendor": "Microsoft", "term_duration": "P1Y", "autorenew": True}),
    (48, "Password Manager", 9, {"vendor": "Example Vault", "is_active": False}),
    (57, "Cloud Backup Seats", 12, {"vendor": "Example Backup"}),
)
LICENCES: tuple[tuple[int, str, int], ...] = ((22, "Case Manager, perpetual", 40), (30, "Tax Suite 2024", 30))
OTHER_CUSTOMERS: tuple[tuple[int, str, bool], ...] = (
    (12, "Northwind Managed IT", False),
    (57, "Aspen Interiors", False),
    (58, "Bramble Catering", False),
    (59, "Copper Kettle Cafe", True),
)


def demo_world(*, seed: int = 1, clock: Clock | None = None) -> World:
    """A partner with about forty clients, as its systems stand before the first apply.

    The same seed gives the same world; it decides how many inactive users each client has.
    """
    world = World(clock=clock, switches=Switches(rate_limit=300, page_ceiling=100, post_shape="object"))
    choose = Random(seed)  # noqa: S311 - has to repeat, not to be secret
    for customer_id, name, inactive in OTHER_CUSTOMERS:
        world.add_customer(customer_id, name, inactive=inactive)
    for _, entries in SECTIONS:
        for entry in entries:
            _add_entry(world, entry, choose)
    for client_id, name, active, _ in IGNORED:
        world.add_client(client_id, name, active=active)
    for customer_id, name, count, members in FOREIGN:
        world.add_licence(customer_id, name, count, **members)
    for customer_id, name, count in LICENCES:
        world.add_licence(customer_id, name, count, type=0)
    _add_invoices(world)
    return world


def night_passes(world: World) -> None:
    """One night over the demo's world: people join and leave, and on the first two nights things go wrong or new.

    On the first night one client drops to nobody, one customer goes inactive, someone renames a Subscription, and a
    client that nobody mapped appears. On the second someone makes that client's Subscription by hand, another client
    appears, and one gets another name. Later nights only bring ordinary coming and going. Fits any other world as well.
    """
    with world.lock:
        world.nights += 1
        if world.nights == 1 and EMPTIED_CLIENT in world.infima_clients and CLOSED_CUSTOMER in world.customers:
            _first_night(world)
            return
        _ordinary_night(world)
        if world.nights == 2 and NEWCOMER_CUSTOMER[0] in world.customers:  # noqa: PLR2004 - the second one
            _second_night(world)


def _first_night(world: World) -> None:
    for client_id, change in CHANGES_OF_FIRST_NIGHT.items():
        if change > 0:
            world.users_join(client_id, change)
        else:
            world.users_leave(client_id, -change)
    world.users_leave(EMPTIED_CLIENT, world.infima_clients[EMPTIED_CLIENT].active)
    world.person_deactivates_customer(CLOSED_CUSTOMER)
    for row in world.live_subscriptions():
        if row["client_id"] == RENAMED_CUSTOMER:
            world.person_renames(row["id"], "Awareness training for the bakery")
    world.add_client(*NEWCOMER)
    world.add_customer(*NEWCOMER_CUSTOMER)


def _second_night(world: World) -> None:
    world.person_creates(NEWCOMER_CUSTOMER[0], "Awareness training, by hand", NEWCOMER[2])
    world.person_renames_client(*RENAMED_CLIENT)
    world.add_client(*SECOND_NEWCOMER)
    world.add_customer(*SECOND_NEWCOMER_CUSTOMER)


def _ordinary_night(world: World) -> None:
    choose = Random(world.nights)  # noqa: S311 - has to repeat, not to be secret
    grown = [client for client in world.infima_clients.values() if client.active > 2]  # noqa: PLR2004 - no more zeros
    for client in choose.sample(grown, k=max(len(grown) // 10, min(1, len(grown)))):
        if choose.random() < 0.6:  # noqa: PLR2004 - firms grow a little more often than they shrink
            world.users_join(client.id, choose.randint(1, 2))
        else:
            world.users_leave(client.id, 1)


def _add_entry(world: World, entry: RosterEntry, choose: Random) -> None:
    world.add_customer(entry.customer_id, entry.customer)
    for client_id, name, active in entry.clients:
        world.add_client(client_id, name, active=active, inactive=choose.randint(0, 6), archived=entry.archived)
    if entry.existing is None:
        return
    members: Row = {"price": 2.75, "purchase_price": 1.2, "monthly_price": 2.75, "monthly_cost": 1.2}
    if entry.by_hand:
        members |= {"notes": "made by hand"}
    name = f"Awareness training ({entry.customer})" if entry.by_hand else TRAINING
    world.add_licence(entry.customer_id, name, entry.existing, licence_id=entry.adopted, **members)


ODD_INVOICES = {1: "by criteria", 2: "line switched off", 3: "forgotten", 4: "disabled"}
"""Customers that are billed already, by their place, whose recurring invoice is not the plain one."""


def _add_invoices(world: World) -> None:
    """One recurring invoice for each customer that is billed already, but for the one that was forgotten."""
    for place, row in enumerate([row for row in world.live_subscriptions() if row["price"]]):
        odd = ODD_INVOICES.get(place)
        if odd == "forgotten":
            continue
        line = invoice_line(1, row["id"], row["name"])
        if odd == "by criteria":
            line = invoice_line(1, 0, "All training", by_criteria=True)
        line["isinactive"] = odd == "line switched off"
        world.add_invoice(row["client_id"], "Monthly services", [line], disabled=odd == "disabled")


def invoice_line(line_id: int, licence_id: int, text: str, *, by_criteria: bool = False) -> Row:
    """A line of a recurring invoice that bills a Subscription's quantity, by its id or by criteria."""
    quantity: Row = {
        "id": line_id,
        "invoice_line_id": line_id,
        "kind": 4,
        "licence_id": 0 if by_criteria else licence_id,
        "licence_name": text,
        "qty_free": 0,
        "minimum_qty": 0,
        "criteria": [{"id": 1, "fieldname": "name", "value_string": TRAINING}] if by_criteria else [],
    }
    return {
        "id": line_id,
        "item_shortdescription": text,
        "recurring_invoice_quantity_type": 4,
        "isinactive": False,
        "unit_price": 2.75,
        "qty_order": 0,
        "_is_calculated_line": True,
        "quantity_licences": [],
        "quantity_subscriptions": [quantity],
    }


# ---- any size -------------------------------------------------------------------------------------------------------

FIRST_CLIENT = 100_001
FIRST_CUSTOMER = 200_001


def scaled_world(
    mappings: int,
    *,
    users_per_client: int = 12,
    seed: int = 1,
    marked: bool = True,
    changed: float = 0.0,
    clock: Clock | None = None,
) -> World:
    """A world with that many mapped clients, for measuring.

    Sizes vary by a third around `users_per_client`. `marked`: each has a Subscription that carries its key and, but
    for the share `changed`, the right quantity; otherwise none has one, as before a first run.
    """
    world = World(clock=clock)
    choose = Random(seed)  # noqa: S311 - has to repeat, not to be secret
    spread = users_per_client // 3
    for place in range(mappings):
        client_id, customer_id = FIRST_CLIENT + place, FIRST_CUSTOMER + place
        active = users_per_client + choose.randint(-spread, spread)
        world.add_client(client_id, f"Client {place + 1:05}", active=active, inactive=choose.randint(0, 3))
        world.add_customer(customer_id, f"Client {place + 1:05} Ltd")
        if marked:
            count = active + 1 if choose.random() < changed else active
            world.add_licence(customer_id, TRAINING, count, snowid=f"infima-{client_id}", price=2.75)
    return world


# ---- in a file ------------------------------------------------------------------------------------------------------

FORMAT = 1


class NotAWorld(ValueError):
    """The document does not hold a world."""


def world_document(world: World) -> Row:
    """The state of the world as plain JSON values; its logs and tokens are not part of it."""
    with world.lock:
        return {
            "format": FORMAT,
            "partner": world.partner,
            "credentials": asdict(world.credentials),
            "switches": world.switches.to_json(),
            "nights": world.nights,
            "infima_clients": [asdict(client) for client in world.infima_clients.values()],
            "customers": list(world.customers.values()),
            "licences": list(world.licences.values()),
            "invoices": list(world.invoices.values()),
        }


def world_from(document: Any, *, clock: Clock | None = None) -> World:
    """The world that a document holds, on the clock given; what it leaves out gets usual values. Raises `NotAWorld`."""
    document = deepcopy(document)
    try:
        if document.get("format", FORMAT) != FORMAT:
            raise NotAWorld(f"format {document['format']} is not known")
        world = World(
            clock=clock,
            partner=str(document.get("partner", "Practice Partner")),
            switches=Switches.from_json(document.get("switches", {})),
            credentials=WorldCredentials(**document.get("credentials", {})),
        )
        for client in document["infima_clients"]:
            world.add_client(client.pop("id"), **client)
        for row in document["customers"]:
            world.add_customer(row.pop("id"), **row)
        for row in document.get("licences", []):
            world.add_licence(row.pop("client_id"), licence_id=row.pop("id", None), **row)
        for row in document.get("invoices", []):
            lines = row.pop("lines", [])
            for number, licence_id in enumerate(row.pop("subscriptions", []), 1):
                lines = [*lines, invoice_line(number, licence_id, world.licences[licence_id]["name"])]
            world.add_invoice(row["client_id"], "Monthly services", lines, **row)
        world.nights = document.get("nights", 0)
    except (AttributeError, KeyError, TypeError) as exc:
        raise NotAWorld(f"not a world: {exc}") from exc
    return world
