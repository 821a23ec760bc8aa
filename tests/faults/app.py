"""The simulator's two APIs, which go wrong where a script of faults says so."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from reconciler.simulator import halopsa, infima
from reconciler.simulator.records import Endpoint, System
from reconciler.simulator.server import Answer, App
from reconciler.simulator.world import World
from tests.faults.inject import Injection, as_httpx
from tests.faults.kinds import Exchange, Faults


class FaultyApp(App):
    """One system's API over a world, with faults."""

    def __init__(
        self,
        world: World,
        system: System,
        answer: Answer,
        endpoint_of: Callable[[str, str], Endpoint],
        faults: Faults | None,
    ) -> None:
        super().__init__(world, system, answer, endpoint_of)
        self.faults = faults if faults is not None else Faults()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or raise what httpx would make of a broken wire."""
        return as_httpx(self.world, request, self.exchange(request))

    def exchange(self, request: httpx.Request) -> Exchange:
        """Handle one request, its faults included; what a broken wire makes of it is left to the caller."""
        request.read()
        with self.world.lock:
            self.world.run_due()
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
    return FaultyApp(world, System.INFIMA, infima.answer, infima.endpoint_of, faults)


def halo_app(world: World, *, faults: Faults | None = None) -> FaultyApp:
    """HaloPSA's API over the world."""
    return FaultyApp(world, System.HALO, halopsa.answer, halopsa.endpoint_of, faults)
