"""A world as a JSON document and back, so that one can be kept in a file."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict
from typing import Any

from reconciler.clock import Clock
from reconciler.simulator.demo import invoice_line
from reconciler.simulator.records import Row
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World, WorldCredentials

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
            world.add_client(client["id"], **_without(client, "id"))
        for row in document["customers"]:
            world.add_customer(row["id"], **_without(row, "id"))
        for row in document.get("licences", []):
            world.add_licence(row["client_id"], licence_id=row.get("id"), **_without(row, "id", "client_id"))
        for row in document.get("invoices", []):
            _add_invoice(world, row)
        world.nights = document.get("nights", 0)
    except (AttributeError, KeyError, TypeError) as exc:
        raise NotAWorld(f"not a world: {exc}") from exc
    return world


def _add_invoice(world: World, row: Row) -> None:
    lines = row.get("lines", [])
    for number, licence_id in enumerate(row.get("subscriptions", []), 1):
        lines = [*lines, invoice_line(number, licence_id, world.licences[licence_id]["name"])]
    made = world.add_invoice(row["client_id"], "Monthly services", lines)
    kept = world.invoices.pop(made) | _without(row, "subscriptions", "lines")
    world.invoices[kept["id"]] = kept


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
