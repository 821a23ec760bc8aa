"""The simulator's server, which misbehaves byte by byte where a script of faults says so."""

from __future__ import annotations

import os
from typing import Any

import httpx

from reconciler.simulator.server import Connection, Respond, Server
from reconciler.simulator.world import World
from tests.faults import wire
from tests.faults.app import apps_of
from tests.faults.kinds import Exchange, Faults


class FaultyConnection(Connection):
    """Sends what an exchange says, badly if need be."""

    def answer(self, request: httpx.Request) -> None:
        found = self.server.respond(request)
        exchange = found if isinstance(found, Exchange) else Exchange(response=found)
        if not wire.send(self.connection, exchange):
            self.close_connection = True
            os.close(self.connection.detach())  # at once, as it stands: the server would say goodbye first


class FaultyServer(Server):
    """A world over real HTTP, with faults."""

    handler = FaultyConnection

    def __init__(self, world: World, *, faults: Faults | None = None, **options: Any) -> None:
        self.faults = faults if faults is not None else Faults()
        super().__init__(world, **options)

    def apps(self) -> tuple[Respond, Respond]:
        halo, infima = apps_of(self.world, self.faults).values()
        return halo.exchange, infima.exchange


def serve(world: World, *, faults: Faults | None = None) -> FaultyServer:
    """Serve the world at once; use the result as a context manager, or close it."""
    return FaultyServer(world, faults=faults)
