"""The simulator's two APIs, which go wrong where a script of faults says so, and the shipped code connected to them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import httpx

from reconciler.model import Settings
from reconciler.providers.connect import ConnectedSystems, connect
from reconciler.providers.credentials import read_credentials
from reconciler.simulator.records import System
from reconciler.simulator.server import HALO_URL, INFIMA_URL, App
from reconciler.simulator.world import World
from tests.faults.inject import Injection, as_httpx
from tests.faults.kinds import Exchange, Faults
from tests.quiet import ignore_events


class FaultyApp(App):
    """One system's API over a world, with faults."""

    def __init__(self, world: World, system: System, faults: Faults | None) -> None:
        super().__init__(world, system)
        self.faults = faults if faults is not None else Faults()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or raise what httpx would make of a broken wire."""
        return as_httpx(self.world, request, self.exchange(request))

    def exchange(self, request: httpx.Request) -> Exchange:
        """Handle one request, its faults included; what a broken wire makes of it is left to the caller."""
        request.read()
        with self.world.lock:
            record = self.receive(request)
            met = self.faults.take(record)
            with self.world.acting_for(record.number):
                exchange = Injection(self.world, record, request, self.answer).run(met)
            status = None if exchange.response is None else exchange.response.status_code
            fault = ", ".join(f"{each.kind}{' after' if each.after else ''}" for each in met) or None
            self.settle(record, status=status, fault=fault)
            return exchange


def infima_app(world: World, *, faults: Faults | None = None) -> FaultyApp:
    """INFIMA's API over the world."""
    return FaultyApp(world, System.INFIMA, faults)


def halo_app(world: World, *, faults: Faults | None = None) -> FaultyApp:
    """HaloPSA's API over the world."""
    return FaultyApp(world, System.HALO, faults)


def apps_of(world: World, faults: Faults | None = None) -> dict[str, FaultyApp]:
    """Both, by the address under which a run in this process finds them."""
    return {HALO_URL: halo_app(world, faults=faults), INFIMA_URL: infima_app(world, faults=faults)}


def environment_of(world: World, *, halo_url: str = HALO_URL, infima_url: str = INFIMA_URL) -> dict[str, str]:
    """The variables that a run against this world needs."""
    known = world.credentials
    return {
        "HALO_URL": halo_url, "HALO_CLIENT_ID": known.halo_client_id, "HALO_CLIENT_SECRET": known.halo_client_secret,
        "INFIMA_URL": infima_url, "INFIMA_API_KEY": known.infima_api_key,
    }  # fmt: skip


def connect_to(
    world: World,
    settings: Settings | None = None,
    *,
    faults: Faults | None = None,
    wire: Callable[[str, FaultyApp], httpx.BaseTransport] = lambda _origin, app: httpx.MockTransport(app),
    seed: int = 1,
    **around: Any,
) -> ConnectedSystems:
    """Both systems as a run has them, on the world's clock; `wire` makes what stands between it and an app."""
    apps = apps_of(world, faults)
    return connect(
        read_credentials(environment_of(world)),
        settings or Settings(),
        rng=Random(seed),  # noqa: S311 - has to repeat, not to be secret
        transport_factory=lambda origin: wire(origin, apps[origin]),
        **({"clock": world.clock, "observer": ignore_events} | around),
    )
