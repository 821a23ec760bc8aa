"""Both APIs as callables from request to response, which count, log and, where asked, go wrong.

Mount one in `httpx.MockTransport`; `server` serves the same ones over real HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import httpx

from reconciler.simulator import halopsa, infima
from reconciler.simulator.faults import Exchange, Faults
from reconciler.simulator.inject import Injection, as_httpx
from reconciler.simulator.records import Endpoint, RequestRecord, System
from reconciler.simulator.world import World

INFIMA_URL = "https://app.infimasecapis.com"
HALO_URL = "https://halo.example.com"


class App:
    """One system's API over a world."""

    def __init__(
        self,
        world: World,
        system: System,
        answer: Callable[[World, httpx.Request], httpx.Response],
        endpoint_of: Callable[[str, str], Endpoint],
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults if faults is not None else Faults()
        self.world = world
        self._system = system
        self._answer = answer
        self._endpoint_of = endpoint_of

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        return as_httpx(self.world, request, self.exchange(request))

    def exchange(self, request: httpx.Request) -> Exchange:
        """Handle one request, its faults included; what a broken wire makes of it is left to the caller."""
        request.read()
        with self.world.lock:
            self.world.run_due()
            record = self._receive(request)
            met = self.faults.take(record)
            with self.world.acting_for(record.number):
                exchange = Injection(self.world, record, request, self._answer).run(met)
            status = None if exchange.response is None else exchange.response.status_code
            fault = ", ".join(f"{each.kind}{' after' if each.after else ''}" for each in met) or None
            self.world.requests[record.number - 1] = replace(record, status=status, fault=fault)
            return exchange

    def _receive(self, request: httpx.Request) -> RequestRecord:
        endpoint = self._endpoint_of(request.method, request.url.path)
        record = RequestRecord(
            number=len(self.world.requests) + 1,
            time=self.world.clock.now(),
            system=self._system,
            endpoint=endpoint,
            method=request.method,
            path=request.url.path,
            query=tuple(request.url.params.multi_items()),
            body=_loggable(endpoint, request.content),
            user_agent=request.headers.get("User-Agent", ""),
            mutating=request.method not in {"GET", "HEAD", "OPTIONS"} and endpoint is not Endpoint.TOKEN,
            connection=request.extensions.get("connection"),
        )
        self.world.requests.append(record)
        return record


def infima_app(world: World, *, faults: Faults | None = None) -> App:
    """INFIMA's API over the world."""
    return App(world, System.INFIMA, infima.answer, infima.endpoint_of, faults)


def halo_app(world: World, *, faults: Faults | None = None) -> App:
    """HaloPSA's API over the world."""
    return App(world, System.HALO, halopsa.answer, halopsa.endpoint_of, faults)


def _loggable(endpoint: Endpoint, body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if endpoint is not Endpoint.TOKEN:
        return text
    kept = [(name, value) for name, value in httpx.QueryParams(text).multi_items() if name != "client_secret"]
    return urlencode(kept)
