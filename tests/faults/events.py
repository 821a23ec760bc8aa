"""What happens in the world just before a request: people edit, lists change, tokens and keys end."""

from __future__ import annotations

from reconciler.simulator.records import Endpoint, RequestRecord
from reconciler.simulator.world import World
from tests.faults.kinds import Fault, FaultKind


def happen(world: World, fault: Fault, record: RequestRecord) -> None:
    """Let the event happen; one whose object does not exist does nothing."""
    with world.acting_for(None):
        match fault.kind:
            case FaultKind.TOKEN_EXPIRED:
                world.tokens.clear()
            case FaultKind.KEY_REVOKED:
                world.infima_key_revoked = True
            case FaultKind.LIST_CHANGES:
                _change_list(world, record)
            case _:
                _edit(world, fault)


def _change_list(world: World, record: RequestRecord) -> None:
    match record.endpoint:
        case Endpoint.CLIENTS:
            # Before all others, so that every later row moves one place down.
            world.add_client(min(world.infima_clients, default=100) - 1, "Newly Signed", active=4)
        case Endpoint.USERS:
            client_id = int(record.path.split("/")[3])
            if client_id in world.infima_clients:
                world.users_leave(client_id, 1, removed=True)
        case Endpoint.CUSTOMERS:
            world.add_customer(min(world.customers, default=100) - 1, "Newly Signed")
        case _:
            if world.customers:
                world.person_creates(min(world.customers), "Backup seats", 3)


def _edit(world: World, fault: Fault) -> None:
    target = fault.target
    if target is None:
        target = min((int(row["id"]) for row in world.live_subscriptions()), default=None)
    row = world.licences.get(target) if target is not None else None
    if row is None or target is None:
        return
    match fault.kind:
        case FaultKind.PERSON_SETS_COUNT:
            world.person_sets_count(target, row["count"] + 1)
        case FaultKind.PERSON_RENAMES:
            world.person_renames(target, f"{row['name']} (renamed)")
        case FaultKind.PERSON_DEACTIVATES:
            world.person_deactivates(target)
        case FaultKind.PERSON_DELETES:
            world.person_deletes(target)
        case FaultKind.PERSON_MOVES:
            others = [customer for customer in sorted(world.customers) if customer != row.get("client_id")]
            if others:
                world.person_moves(target, others[0])
        case _:
            world.person_edits(target, snowid="typed-by-hand")
