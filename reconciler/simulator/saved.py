"""A world as a JSON document and back, so that one can be kept in a file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reconciler.clock import Clock
from reconciler.simulator.records import ClientRecord, Row
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
    """The world that a document holds, on the clock given; raises `NotAWorld`."""
    try:
        if document["format"] != FORMAT:
            raise NotAWorld(f"format {document['format']} is not known")
        world = World(
            clock=clock,
            partner=document["partner"],
            switches=Switches.from_json(document["switches"]),
            credentials=WorldCredentials(**document["credentials"]),
        )
        for client in document["infima_clients"]:
            world.infima_clients[client["id"]] = ClientRecord(**client)
        world.customers = {row["id"]: dict(row) for row in document["customers"]}
        world.invoices = {row["id"]: dict(row) for row in document["invoices"]}
        world.restore_licences({row["id"]: dict(row) for row in document["licences"]})
        world.nights = document["nights"]
    except (KeyError, TypeError) as exc:
        raise NotAWorld(f"not a world: {exc}") from exc
    return world
