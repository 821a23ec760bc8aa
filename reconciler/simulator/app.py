"""Both APIs as callables from request to response, which count and log.

Mount one in `httpx.MockTransport`; `server` serves the same ones over real HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import httpx

from reconciler.simulator import halopsa, infima
from reconciler.simulator.records import Endpoint, RequestRecord, System
from reconciler.simulator.world import World

INFIMA_URL = "https://app.infimasecapis.com"
HALO_URL = "https://halo.example.com"

Answer = Callable[[World, httpx.Request], httpx.Response]


class App:
    """One system's API over a world."""

    def __init__(
        self, world: World, system: System, answer: Answer, endpoint_of: Callable[[str, str], Endpoint]
    ) -> None:
        self.world = world
        self.answer = answer
        self._system = system
        self._endpoint_of = endpoint_of

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        request.read()
        with self.world.lock:
            self.world.run_due()
            record = self.receive(request)
            with self.world.acting_for(record.number):
                response = self.answer(self.world, request)
            self.settle(record, status=response.status_code)
            return response

    def settle(self, record: RequestRecord, **members: object) -> None:
        """Add to the log what became of a request."""
        self.world.requests[record.number - 1] = replace(record, **members)  # type: ignore[arg-type]

    def receive(self, request: httpx.Request) -> RequestRecord:
        """Write a request down in the log."""
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


def infima_app(world: World) -> App:
    """INFIMA's API over the world."""
    return App(world, System.INFIMA, infima.answer, infima.endpoint_of)


def halo_app(world: World) -> App:
    """HaloPSA's API over the world."""
    return App(world, System.HALO, halopsa.answer, halopsa.endpoint_of)


def _loggable(endpoint: Endpoint, body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if endpoint is not Endpoint.TOKEN:
        return text
    kept = [(name, value) for name, value in httpx.QueryParams(text).multi_items() if name != "client_secret"]
    return urlencode(kept)
