"""The demo's clients and customers: one line for each mapping; the world and mappings.yaml are made from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """One mapping of the demo: its INFIMA clients with their active users, its customer, and what Halo has already.

    `existing` is the quantity of a Subscription that is there from the start, None where the first apply creates one.
    `adopted` is the id that mappings.yaml names for it; `by_hand` ones have a name of their own.
    """

    clients: tuple[tuple[int, str, int], ...]
    customer_id: int
    customer: str
    existing: int | None = None
    adopted: int | None = None
    by_hand: bool = False
    key: str | None = None
    rule: str | None = None
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Mappings that stand together in mappings.yaml under one comment."""

    comment: tuple[str, ...]
    entries: tuple[RosterEntry, ...]


def _plain(row: tuple[int, str, int, int, str, int | None]) -> RosterEntry:
    client_id, name, active, customer_id, customer, existing = row
    return RosterEntry(
        clients=((client_id, name, active),),
        customer_id=customer_id,
        customer=customer,
        existing=existing,
        adopted=None if existing is None else 8900 + client_id,
    )


BILLED_ALREADY: tuple[tuple[int, str, int, int, str, int | None], ...] = (
    (101, "Alder Dental", 24, 21, "Alder Dental Group", 22),
    (102, "Birchwood Legal", 41, 22, "Birchwood Legal LLP", 41),
    (103, "Canal Street Bakery", 9, 23, "Canal Street Bakery", 8),
    (104, "Dovetail Joinery", 14, 24, "Dovetail Joinery Ltd", 14),
    (105, "Eastgate Homes", 63, 25, "Eastgate Homes", 60),
    (106, "Fernhill Care", 118, 26, "Fernhill Care Homes", 112),
    (107, "Gorse Engineering", 87, 27, "Gorse Engineering plc", 87),
    (108, "Harbour Pilots", 12, 28, "Harbour Pilots Association", 12),
    (109, "Ivy House Nursery", 18, 29, "Ivy House Nursery", 19),
    (110, "Juniper Accountants", 33, 30, "Juniper Accountants", 33),
    (111, "Kestrel Logistics", 142, 31, "Kestrel Logistics Ltd", 139),
    (112, "Larkfield Surgery", 27, 32, "Larkfield Surgery", 27),
)
NEW_TO_BILLING: tuple[tuple[int, str, int, int, str, int | None], ...] = (
    (113, "Marlow Architects", 22, 33, "Marlow Architects", None),
    (114, "Northgate Optics", 8, 34, "Northgate Optics", None),
    (115, "Oakridge Vets", 16, 35, "Oakridge Veterinary Centre", None),
    (116, "Pebble Studios", 5, 36, "Pebble Studios Ltd", None),
    (117, "Quayside Hotels", 46, 37, "Quayside Hotels & Spa", None),
    (118, "Redwood Insurance", 48, 38, "Redwood Insurance Brokers", None),
    (119, "Saltmarsh Brewery", 31, 39, "Saltmarsh Brewery", None),
    (120, "Thistle Housing", 44, 40, "Thistle Housing Association", None),
    (121, "Upland Farms", 3, 41, "Upland Farms", None),
    (122, "Vale Physio", 11, 42, "Vale Physiotherapy", None),
    (123, "Wharf Theatre", 19, 43, "Wharf Theatre Trust", None),
    (124, "Yarrow Pharmacy", 13, 44, "Yarrow Pharmacy", None),
)

SECTIONS: tuple[Section, ...] = (
    Section(
        comment=("As counted. Their Subscriptions exist already and are adopted by their id.",),
        entries=tuple(map(_plain, BILLED_ALREADY)),
    ),
    Section(
        comment=("As counted, and new: the first apply creates their Subscriptions.",),
        entries=tuple(map(_plain, NEW_TO_BILLING)),
    ),
    Section(
        comment=("Adopted as well, under the names that somebody gave them: only their quantity is ever set.",),
        entries=(
            RosterEntry(
                clients=((125, "Amber Couriers", 37),),
                customer_id=45,
                customer="Amber Couriers",
                existing=35,
                adopted=9041,
                by_hand=True,
            ),
            RosterEntry(
                clients=((126, "Beacon Trust", 52),),
                customer_id=46,
                customer="The Beacon Trust",
                existing=52,
                adopted=9042,
                by_hand=True,
            ),
            RosterEntry(
                clients=((127, "Cedar Motors", 20),),
                customer_id=47,
                customer="Cedar Motors",
                existing=21,
                adopted=9043,
                by_hand=True,
            ),
        ),
    ),
    Section(
        comment=("The quantity is never below the minimum, even when fewer people are active.",),
        entries=(
            RosterEntry(
                clients=((128, "Delta Signs", 6),),
                customer_id=48,
                customer="Delta Signs",
                existing=10,
                adopted=9028,
                rule="{minimum: 10}",
            ),
            RosterEntry(
                clients=((129, "Elm Grove Dental", 8),),
                customer_id=49,
                customer="Elm Grove Dental Practice",
                rule="{minimum: 10}",
            ),
        ),
    ),
    Section(
        comment=("The contract includes five users: only those above are counted.",),
        entries=(
            RosterEntry(
                clients=((130, "Foxglove Retail", 45),),
                customer_id=50,
                customer="Foxglove Retail",
                existing=38,
                adopted=9030,
                rule="{included: 5}",
            ),
        ),
    ),
    Section(
        comment=(
            "A quantity agreed in a contract. `until` is the last day on which it holds: after that, validate says so",
            "and nothing runs before somebody has decided what comes next.",
        ),
        entries=(
            RosterEntry(
                clients=((131, "Grange School", 180),),
                customer_id=51,
                customer="Grange School",
                existing=150,
                adopted=9031,
                rule='{fixed: 150, reason: "three-year contract", until: 2027-12-31}',
            ),
            RosterEntry(
                clients=((132, "Hillcrest Academy", 38),),
                customer_id=52,
                customer="Hillcrest Academy",
                rule='{fixed: 40, reason: "pilot price for 40 seats", until: 2027-12-31}',
            ),
        ),
    ),
    Section(
        comment=("Several INFIMA clients on one Subscription: the key names it, and never changes.",),
        entries=(
            RosterEntry(
                key="kingfisher",
                clients=((133, "Kingfisher HQ", 66), (134, "Kingfisher Labs", 12), (135, "Kingfisher Depot", 21)),
                customer_id=53,
                customer="Kingfisher plc",
                existing=95,
                adopted=9033,
            ),
            RosterEntry(
                key="moorland",
                clients=((136, "Moorland North", 15), (137, "Moorland South", 17)),
                customer_id=54,
                customer="Moorland Estates",
            ),
        ),
    ),
    Section(
        comment=("Closed from October to April: nobody may be active, and that is no mistake.",),
        entries=(
            RosterEntry(
                clients=((138, "Summer Lodge Camps", 0),),
                customer_id=55,
                customer="Summer Lodge Camps",
                existing=3,
                adopted=9038,
                rule="{allow_zero: true}",
            ),
        ),
    ),
    Section(
        comment=("Left us in autumn: set to 0, and kept there.",),
        entries=(
            RosterEntry(
                clients=((139, "Tollgate Printing", 6),),
                customer_id=56,
                customer="Tollgate Printing",
                existing=6,
                adopted=9039,
                rule="retired",
                archived=True,
            ),
        ),
    ),
)

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
    for section in SECTIONS:
        parts += [f"  # {line}\n" for line in section.comment]
        parts += [f"{_mapping(entry)}\n" for entry in section.entries]
    parts.append("ignore: # INFIMA clients that are left out, on purpose\n")
    for client_id, name, _, reason in IGNORED:
        parts.append(f'  - infima_client: {{id: {client_id}, name: "{name}"}}\n    reason: "{reason}"\n')
    return "".join(parts)


def _mapping(entry: RosterEntry) -> str:
    named = [f'{{id: {client_id}, name: "{name}"}}' for client_id, name, _ in entry.clients]
    if len(named) == 1:
        clients = f"infima_client: {named[0]}"
    else:
        clients = "infima_clients:\n" + "\n".join(f"      - {each}" for each in named)
    lines = [f"key: {entry.key}"] if entry.key else []
    lines += [clients, f'halo_customer: {{id: {entry.customer_id}, name: "{entry.customer}"}}']
    if entry.adopted is not None:
        lines.append(f"subscription_id: {entry.adopted}")
    if entry.rule == "retired":
        lines.append("retired: true")
    elif entry.rule is not None:
        lines.append(f"quantity: {entry.rule}")
    return "  - " + "\n    ".join(lines) + "\n"
