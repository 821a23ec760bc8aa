"""Both providers over scripted servers: a fake is a callable from request to response, and remembers what it got."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import httpx

from reconciler.events import Event, Waiting
from reconciler.model import Settings
from reconciler.providers.connect import ConnectedSystems, connect
from reconciler.providers.credentials import read_credentials
from tests.clock import VirtualClock

HALO = "https://halo.example.com"
INFIMA = "https://app.infimasecapis.com"
SECRET = "Zq7-canary-halo-secret-41"
API_KEY = "Xw9-canary-infima-key-77"
TOKEN = "Tk3-canary-bearer-token-58"

ENVIRON = {
    "HALO_URL": HALO,
    "HALO_CLIENT_ID": "0b6f2c1e-client-id",
    "HALO_CLIENT_SECRET": SECRET,
    "INFIMA_API_KEY": API_KEY,
}

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def token_answer(**members: Any) -> httpx.Response:
    granted = "read:customers read:invoices edit:softwarelicensing"
    body = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "scope": granted}
    return httpx.Response(200, json={k: v for k, v in {**body, **members}.items() if v is not None})


class Server:
    """Answers each path from its own script; the last answer of a script is given again and again."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.scripts: dict[str, list[Answer]] = {}
        self.answer("/auth/token", lambda _request: token_answer())

    def answer(self, path: str, *answers: Answer) -> Server:
        self.scripts[path] = list(answers)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        script = self.scripts.get(request.url.path)
        if script is None:
            return httpx.Response(404)
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)

    def asked(self, path: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path == path]


class Wiring:
    """Both systems on a virtual clock, with everything that was heard."""

    def __init__(self, *, settings: Settings | None = None, environ: dict[str, str] | None = None) -> None:
        self.halo, self.infima = Server(), Server()
        self.clock = VirtualClock()
        self.events: list[Event] = []
        self.origins: list[str] = []
        self.systems: ConnectedSystems = connect(
            read_credentials(environ or ENVIRON),
            settings or Settings(),
            clock=self.clock,
            observer=self.events.append,
            rng=Random(7),  # noqa: S311 - jitter, not a secret
            transport_factory=self._transport,
        )

    @property
    def source(self) -> Any:
        return self.systems.source

    @property
    def target(self) -> Any:
        return self.systems.target

    @property
    def waits(self) -> list[float]:
        return [event.seconds for event in self.events if isinstance(event, Waiting)]

    def _transport(self, origin: str) -> httpx.BaseTransport:
        self.origins.append(origin)
        return httpx.MockTransport(self.infima if origin == INFIMA else self.halo)


def halo_list(
    rows: Iterable[dict[str, Any]], *, envelope: str = "licences", cap: int = 1_000, total: Any = "count"
) -> Callable[[httpx.Request], httpx.Response]:
    """A Halo list that honours page_no and page_size up to a cap; `total` None leaves record_count out."""
    held = list(rows)

    def page(request: httpx.Request) -> httpx.Response:
        size = min(cap, int(request.url.params["page_size"]))
        start = (int(request.url.params["page_no"]) - 1) * size
        body: dict[str, Any] = {envelope: held[start : start + size], "page_no": 1, "page_size": size}
        if total is not None:
            body["record_count"] = len(held) if total == "count" else total
        return httpx.Response(200, json=body)

    return page


def infima_list(rows: Iterable[dict[str, Any]], *, total: Any = "count") -> Callable[[httpx.Request], httpx.Response]:
    """An INFIMA list that honours limit and offset; `total` None leaves it out."""
    held = list(rows)

    def page(request: httpx.Request) -> httpx.Response:
        start, size = int(request.url.params["offset"]), int(request.url.params["limit"])
        body: dict[str, Any] = {"items": held[start : start + size]}
        if total is not None:
            body["total"] = len(held) if total == "count" else total
        return httpx.Response(200, json=body)

    return page


def licence(number: int, **members: Any) -> dict[str, Any]:
    return {"id": number, "client_id": 12, "name": f"Training {number}", "count": 5, "type": 1, **members}


def client(number: int, **members: Any) -> dict[str, Any]:
    return {"id": number, "client_name": f"Client {number}", "user_count": 4, "inactive_user_count": 1, **members}
