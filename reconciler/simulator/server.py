"""Both APIs as callables from request to response, which count and log; and over real HTTP on 127.0.0.1.

Mount an `App` in `httpx.MockTransport`, or start a `Server`: a port for each system, since a client is given hosts
without a path, and a control address with the world's log and edits of the world between two runs.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

import httpx

from reconciler.simulator import halopsa, infima
from reconciler.simulator.answers import reply
from reconciler.simulator.records import Endpoint, Mutation, RequestRecord, Row, System
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World
from reconciler.simulator.worlds import night_passes, world_document

INFIMA_URL = "https://app.infimasecapis.com"
HALO_URL = "https://halo.example.com"

_APIS = {
    System.INFIMA: (infima.answer, infima.endpoint_of),
    System.HALO: (halopsa.answer, halopsa.endpoint_of),
}


class App:
    """One system's API over a world."""

    def __init__(self, world: World, system: System) -> None:
        self.world = world
        self._system = system
        self.answer, self._endpoint_of = _APIS[system]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        request.read()
        with self.world.lock:
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
    return App(world, System.INFIMA)


def halo_app(world: World) -> App:
    """HaloPSA's API over the world."""
    return App(world, System.HALO)


def _loggable(endpoint: Endpoint, body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if endpoint is not Endpoint.TOKEN:
        return text
    return urlencode([pair for pair in httpx.QueryParams(text).multi_items() if pair[0] != "client_secret"])


# ---- the control address --------------------------------------------------------------------------------------------

CONTROL_PREFIX = "/_simulator/"
CONTROL_HEADER = "X-Simulator-Control"
"""Has to be sent, with any value: a page in a browser cannot send it to another origin."""

ASK_SECONDS = 10.0
EDITS = ("person_", "users_")
"""Beginnings of the world's methods that may be called from outside."""


def _control(world: World, request: httpx.Request) -> httpx.Response:
    """Answer a request under `/_simulator/`; it is not part of the world's log."""
    if CONTROL_HEADER not in request.headers:
        return reply(403, {"message": f"the header {CONTROL_HEADER} is missing"})
    command = f"{request.method} {request.url.path.removeprefix(CONTROL_PREFIX)}"
    with world.lock:
        try:
            return reply(200, _perform(world, command, request))
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            return reply(400, {"message": str(problem)})


def _perform(world: World, command: str, request: httpx.Request) -> Any:
    match command:
        case "GET log":
            return {"requests": _logged(world.requests), "mutations": _logged(world.mutations)}
        case "GET world":
            return world_document(world)
        case "POST night":
            night_passes(world)
            return {"nights": world.nights}
        case "POST edit":
            asked = json.loads(request.content)
            name = str(asked["method"])
            if not name.startswith(EDITS):
                raise ValueError(f"not an edit: {name}")
            return {"result": getattr(world, name)(*asked.get("arguments", []), **asked.get("options", {}))}
        case "POST switches":
            world.switches = Switches.from_json(world.switches.to_json() | json.loads(request.content))
            return world.switches.to_json()
        case _:
            raise ValueError(f"no such command: {command}")


def _logged(entries: Iterable[Mutation | RequestRecord]) -> list[Row]:
    return [asdict(entry) | {"time": entry.time.isoformat()} for entry in entries]


def ask(url: str, verb: str, command: str, /, **body: Any) -> Any:
    """Ask a running simulator, from another process. Raises `httpx.HTTPError` and `ValueError`."""
    with httpx.Client(trust_env=False, timeout=ASK_SECONDS) as client:
        address = f"{url.rstrip('/')}{CONTROL_PREFIX}{command}"
        answer = client.request(verb, address, headers={CONTROL_HEADER: "1"}, json=body or None)
    answer.raise_for_status()
    return answer.json()


# ---- over HTTP ------------------------------------------------------------------------------------------------------

LOOPBACK = "127.0.0.1"
MAX_LINE = 65_536
MAX_BODY = 16_000_000

Respond = Callable[[httpx.Request], Any]


class Port(ThreadingHTTPServer):
    """One system's port; a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond, numbers: Callable[[], int], handler: type[Connection]) -> None:
        self.respond = respond
        self.numbers = numbers
        self._open: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """Base URL of the system's API."""
        return f"http://{LOOPBACK}:{self.server_port}"

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is not reported."""

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            with suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)


class Connection(BaseHTTPRequestHandler):
    """Reads the requests of one connection, and sends what the simulator answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    timeout = 120  # seconds that a kept-alive connection may be silent
    server: Port

    def setup(self) -> None:
        super().setup()
        self.number = self.server.numbers()

    def handle_one_request(self) -> None:
        """Read a request of any method: what it may be is the simulator's to say."""
        self.raw_requestline = self.rfile.readline(MAX_LINE)
        body = None
        if self.raw_requestline.strip() and self.parse_request() and self.path.startswith("/"):
            body = self._body()
        if body is None:
            self.close_connection = True
            return
        url, known = f"{self.server.url}{self.path}", {"connection": self.number}
        self.answer(httpx.Request(self.command, url, headers=self.headers.items(), content=body, extensions=known))

    def _body(self) -> bytes | None:
        """The request's body; None where it cannot be read to its end."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def answer(self, request: httpx.Request) -> None:
        """Answer one request."""
        response = self.server.respond(request)
        self.send_response_only(response.status_code)
        for name, value in response.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)
        self.wfile.flush()

    def log_message(self, *_args: object) -> None:
        """The world keeps its own log."""


class Server:
    """A world that answers on two loopback ports until its context ends, or its process.

    `port` is HaloPSA's, INFIMA's is the next one; 0 finds two free ones. `latency_ms` is added to every request. Raises
    `OSError` when a port is taken.
    """

    handler: ClassVar[type[Connection]] = Connection

    def __init__(self, world: World, *, latency_ms: float = 0, port: int = 0) -> None:
        self.world = world
        self.latency_ms = latency_ms
        halo, infima = self.apps()
        numbers = count(1)
        self._halo = Port(port, self._answers(halo), numbers.__next__, self.handler)
        try:
            self._infima = Port(port + 1 if port else 0, self._answers(infima), numbers.__next__, self.handler)
        except OSError:
            self._halo.close()
            raise
        self.halo_url, self.infima_url = self._halo.url, self._infima.url

    def apps(self) -> tuple[Respond, Respond]:
        """HaloPSA's and INFIMA's API over the world."""
        return halo_app(self.world), infima_app(self.world)

    def environment(self) -> Mapping[str, str]:
        """The variables that a run against this server needs."""
        known = self.world.credentials
        return {
            "HALO_URL": self.halo_url,
            "HALO_CLIENT_ID": known.halo_client_id,
            "HALO_CLIENT_SECRET": known.halo_client_secret,
            "INFIMA_URL": self.infima_url,
            "INFIMA_API_KEY": known.infima_api_key,
        }

    def close(self) -> None:
        """Stop listening and drop every open connection."""
        self._halo.close()
        self._infima.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _answers(self, app: Respond) -> Respond:
        def respond(request: httpx.Request) -> Any:
            if request.url.path.startswith(CONTROL_PREFIX):
                return _control(self.world, request)
            if self.latency_ms:
                time.sleep(self.latency_ms / 1000)
            return app(request)

        return respond
