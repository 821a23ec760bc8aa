"""The demo's clients and customers: one line for each mapping; the world and mappings.yaml are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Client = tuple[int, str, int]
"""An INFIMA client: its id, its name, its active users."""


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One mapping of the demo: its INFIMA clients, its Halo customer, and what Halo has already.

    `existing` is the quantity of a Subscription that is there from the start, None where the first apply creates one.
    `adopted` is the id that mappings.yaml names for it; `by_hand` ones have a name of their own. `settings` are
    further lines of the mapping.
    """

    clients: tuple[Client, ...]
    customer_id: int
    customer: str
    existing: int | None = None
    adopted: int | None = None
    by_hand: bool = False
    key: str | None = None
    settings: str = ""
    archived: bool = False


def _one(client: Client, customer_id: int, customer: str, existing: int | None = None, **more: Any) -> RosterEntry:
    """A mapping of one client. A Subscription that exists is adopted, by the id 8900 + the client's own."""
    adopted = None if existing is None else 8900 + client[0]
    return RosterEntry((client,), customer_id, customer, existing, **{"adopted": adopted, **more})


SECTIONS: tuple[tuple[str, tuple[RosterEntry, ...]], ...] = (
    (
        "As counted. Their Subscriptions exist already and are adopted by their id.",
        (
            _one((101, "Alder Dental", 24), 21, "Alder Dental Group", 22),
            _one((102, "Birchwood Legal", 41), 22, "Birchwood Legal LLP", 41),
            _one((103, "Canal Street Bakery", 9), 23, "Canal Street Bakery", 8),
            _one((104, "Dovetail Joinery", 14), 24, "Dovetail Joinery Ltd", 14),
            _one((105, "Eastgate Homes", 63), 25, "Eastgate Homes", 60),
            _one((106, "Fernhill Care", 118), 26, "Fernhill Care Homes", 112),
            _one((107, "Gorse Engineering", 87), 27, "Gorse Engineering plc", 87),
            _one((108, "Harbour Pilots", 12), 28, "Harbour Pilots Association", 12),
            _one((109, "Ivy House Nursery", 18), 29, "Ivy House Nursery", 19),
            _one((110, "Juniper Accountants", 33), 30, "Juniper Accountants", 33),
            _one((111, "Kestrel Logistics", 142), 31, "Kestrel Logistics Ltd", 139),
            _one((112, "Larkfield Surgery", 27), 32, "Larkfield Surgery", 27),
        ),
    ),
    (
        "As counted, and new: the first apply creates their Subscriptions.",
        (
            _one((113, "Marlow Architects", 22), 33, "Marlow Architects"),
            _one((114, "Northgate Optics", 8), 34, "Northgate Optics"),
            _one((115, "Oakridge Vets", 16), 35, "Oakridge Veterinary Centre"),
            _one((116, "Pebble Studios", 5), 36, "Pebble Studios Ltd"),
            _one((117, "Quayside Hotels", 46), 37, "Quayside Hotels & Spa"),
            _one((118, "Redwood Insurance", 48), 38, "Redwood Insurance Brokers"),
            _one((119, "Saltmarsh Brewery", 31), 39, "Saltmarsh Brewery"),
            _one((120, "Thistle Housing", 44), 40, "Thistle Housing Association"),
            _one((121, "Upland Farms", 3), 41, "Upland Farms"),
            _one((122, "Vale Physio", 11), 42, "Vale Physiotherapy"),
            _one((123, "Wharf Theatre", 19), 43, "Wharf Theatre Trust"),
            _one((124, "Yarrow Pharmacy", 13), 44, "Yarrow Pharmacy"),
        ),
    ),
    (
        "Adopted as well, under the names that somebody gave them: only their quantity is ever set.",
        (
            _one((125, "Amber Couriers", 37), 45, "Amber Couriers", 35, adopted=9041, by_hand=True),
            _one((126, "Beacon Trust", 52), 46, "The Beacon Trust", 52, adopted=9042, by_hand=True),
            _one((127, "Cedar Motors", 20), 47, "Cedar Motors", 21, adopted=9043, by_hand=True),
        ),
    ),
    (
        "The quantity is never below the minimum, even when fewer people are active.",
        (
            _one((128, "Delta Signs", 6), 48, "Delta Signs", 10, settings="quantity: {minimum: 10}"),
            _one((129, "Elm Grove Dental", 8), 49, "Elm Grove Dental Practice", settings="quantity: {minimum: 10}"),
        ),
    ),
    (
        "The contract includes five users: only those above are counted.",
        (_one((130, "Foxglove Retail", 45), 50, "Foxglove Retail", 38, settings="quantity: {included: 5}"),),
    ),
    (
        (
            "A quantity agreed in a contract. `until` is the last day on which it holds: after that, validate says so\n"
            "and nothing runs before somebody has decided what comes next."
        ),
        (
            _one(
                (131, "Grange School", 180), 51, "Grange School", 150,
                settings='quantity: {fixed: 150, reason: "three-year contract", until: 2027-12-31}',
            ),
            _one(
                (132, "Hillcrest Academy", 38), 52, "Hillcrest Academy",
                settings='quantity: {fixed: 40, reason: "pilot price for 40 seats", until: 2027-12-31}',
            ),
        ),
    ),
    (
        "Several INFIMA clients on one Subscription: the key names it, and never changes.",
        (
            RosterEntry(
                ((133, "Kingfisher HQ", 66), (134, "Kingfisher Labs", 12), (135, "Kingfisher Depot", 21)),
                53, "Kingfisher plc", existing=95, adopted=9033, key="kingfisher",
            ),
            RosterEntry(
                ((136, "Moorland North", 15), (137, "Moorland South", 17)), 54, "Moorland Estates", key="moorland"
            ),
        ),
    ),
    (
        "Closed from October to April: nobody may be active, and that is no mistake.",
        (_one((138, "Summer Lodge Camps", 0), 55, "Summer Lodge Camps", 3, settings="quantity: {allow_zero: true}"),),
    ),
    (
        "Left us in autumn: set to 0, and kept there.",
        (_one((139, "Tollgate Printing", 6), 56, "Tollgate Printing", 6, settings="retired: true", archived=True),),
    ),
)  # fmt: skip
"""Mappings that stand together in mappings.yaml, under the comment before them."""

IGNORED: tuple[tuple[int, str, int, str], ...] = (
    (140, "Northwind Managed IT", 14, "our own staff"),
    (141, "Northwind Sandbox", 2, "a tenant to try things in"),
)

HEAD = """\
# yaml-language-server: $schema=./schema/mappings.schema.json
#
# Which INFIMA client belongs to which HaloPSA customer, and by which rule.
# This is the demo's file: its clients live in the simulator. `reconciler init` starts one of your own.
version: 1

defaults:
  subscription: # used only when a Subscription is created; people may rename it in Halo afterwards
    name: "INFIMA Security Awareness Training"
  quantity:
    count: active_users # count the users whose status is active, client by client

limits: # a change beyond these is held until somebody allows it
  max_decrease: {users: 10, percent: 30}
  max_increase: {users: 50, percent: 100}
  max_total_decrease_percent: 20
  max_creates: 20

settings:
  currency: EUR # of the prices in Halo, from which amounts are estimated

mappings:
"""


def demo_mappings_yaml() -> str:
    """mappings.yaml of the demo, as it stands at the root of the repository."""
    parts = [HEAD]
    for comment, entries in SECTIONS:
        parts += [f"  # {line}\n" for line in comment.splitlines()]
        parts += [f"{_mapping(entry)}\n" for entry in entries]
    parts.append("ignore: # INFIMA clients that are left out, on purpose\n")
    for client_id, name, _, reason in IGNORED:
        parts.append(f'  - infima_client: {{id: {client_id}, name: "{name}"}}\n    reason: "{reason}"\n')
    return "".join(parts)


def _mapping(entry: RosterEntry) -> str:
    named = [f'{{id: {client_id}, name: "{name}"}}' for client_id, name, _ in entry.clients]
    several = "infima_clients:" + "".join(f"\n      - {each}" for each in named)
    clients = several if len(named) > 1 else f"infima_client: {named[0]}"
    lines = [f"key: {entry.key}"] if entry.key else []
    lines += [clients, f'halo_customer: {{id: {entry.customer_id}, name: "{entry.customer}"}}']
    if entry.adopted is not None:
        lines.append(f"subscription_id: {entry.adopted}")
    if entry.settings:
        lines.append(entry.settings)
    return "  - " + "\n    ".join(lines) + "\n"
