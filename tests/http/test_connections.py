"""Which connection carries a request: few of them, used again while they are good, and never one that is not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import httpcore
import pytest

from reconciler.http import connections
from reconciler.http.bare_httpx import httpx
from reconciler.http.connections import KeptConnections
from reconciler.http.wire import REQUEST_DEADLINE, RequestDeadline
from tests.providers.loopback import Loopback

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"


class Server(Loopback):
    """Answers every request with `answer` after `pause`, and counts the requests that are under way."""

    def __init__(self, answer: bytes = OK, *, pause: float = 0.0, requests_a_connection: int = 1_000) -> None:
        self.answer, self.pause, self.requests_a_connection = answer, pause, requests_a_connection
        self.busy = self.most = 0
        self.ended = threading.Event()
        self._lock = threading.Lock()
        super().__init__(Server._answer)
        self.origin = f"http://127.0.0.1:{self.port}"

    def _answer(self, connection: socket.socket) -> None:
        for _ in range(self.requests_a_connection):
            if not self.receive(connection):
                break
            with self._lock:
                self.busy += 1
                self.most = max(self.most, self.busy)
            time.sleep(self.pause)
            with self._lock:
                self.busy -= 1
            connection.sendall(self.answer)
            if self.answer is CUT:
                break
        connection.close()
        self.ended.set()


Start = Callable[..., tuple[Server, KeptConnections]]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[tuple[Server, KeptConnections]] = []

    def begin(answer: bytes = OK, *, connections: int = 3, **server: float) -> tuple[Server, KeptConnections]:
        one = Server(answer, **server)  # type: ignore[arg-type]
        made.append((one, KeptConnections(one.origin, connections=connections)))
        return made[-1]

    yield begin
    for server, kept in made:
        kept.close()
        server.close()


def ask(server: Server, kept: KeptConnections, *, patience: float = 5.0) -> bytes:
    """One request to its end, as `Transport` makes it."""
    REQUEST_DEADLINE.set(RequestDeadline(deadline=time.monotonic() + 5, clock=time.monotonic, stopped=lambda: False))
    request = httpx.Request("GET", f"{server.origin}/x", extensions={"timeout": {"pool": patience, "connect": 5.0}})
    response = kept.handle_request(request)
    try:
        assert isinstance(response.stream, httpx.SyncByteStream)
        return b"".join(response.stream)
    finally:
        response.close()


def test_one_after_the_other_they_share_a_connection(start: Start) -> None:
    server, kept = start()
    assert [ask(server, kept) for _ in range(5)] == [b"ok"] * 5
    assert server.connections == 1


def test_side_by_side_there_are_never_more_than_permitted(start: Start) -> None:
    server, kept = start(connections=3, pause=0.02)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask(server, kept), range(60)))
    assert answers == [b"ok"] * 60
    assert server.most == 3
    assert server.connections <= 3


def test_who_waits_too_long_for_one_sends_nothing(start: Start) -> None:
    server, kept = start(connections=1, pause=0.5)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, server, kept)
        while not server.busy:
            time.sleep(0.005)
        with pytest.raises(httpx.PoolTimeout):
            ask(server, kept, patience=0.01)
        assert first.result() == b"ok"
    assert ask(server, kept) == b"ok", "and the one connection is free again"
    assert server.connections == 1


@pytest.mark.parametrize("answer", [LAST, CUT])
def test_a_connection_that_an_answer_ended_carries_no_other_request(start: Start, answer: bytes) -> None:
    server, kept = start(answer, connections=1)
    for _ in range(3):
        with suppress(httpx.TransportError):
            ask(server, kept)
    assert server.connections == 3


def test_a_connection_that_the_server_closed_is_not_used(start: Start) -> None:
    server, kept = start(connections=1, requests_a_connection=1)
    for number in range(1, 4):
        assert ask(server, kept) == b"ok"
        assert server.ended.wait(5)
        server.ended.clear()
        assert server.connections == number


def test_a_connection_that_nobody_used_for_long_is_not_used(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEPT_SECONDS", 0.0)
    server, kept = start()
    ask(server, kept)
    time.sleep(0.01)
    ask(server, kept)
    assert server.connections == 2


def test_an_answer_that_nobody_reads_to_its_end_frees_its_place(start: Start) -> None:
    server, kept = start(connections=1)
    REQUEST_DEADLINE.set(RequestDeadline(deadline=time.monotonic() + 5, clock=time.monotonic, stopped=lambda: False))
    request = httpx.Request("GET", f"{server.origin}/x", extensions={"timeout": {"pool": 5.0}})
    unread = kept.handle_request(request)
    unread.close()
    unread.close()
    assert ask(server, kept, patience=0.5) == b"ok"
    assert server.connections == 2, "what is left of the first answer must not be taken for the second"


def test_what_comes_behind_an_answer_is_nobodys(start: Start) -> None:
    """A proxy that answers twice must not have one client's users counted as another's."""
    server, kept = start(OK + OK.replace(b"ok", b"no"), connections=1)
    assert [ask(server, kept) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 3


def test_what_tls_still_holds_behind_an_answer_is_nobodys() -> None:
    origin = httpcore.Origin(b"https", b"halo.example.com", 443)
    kept = SimpleNamespace(_connection=httpcore.HTTP11Connection(origin, httpcore.MockStream([])))
    for held, left in ((20, True), (0, False)):
        tls = SimpleNamespace(pending=lambda held=held: held)
        assert connections._left_over(kept, tls) is left  # type: ignore[arg-type]


def test_a_connection_that_cannot_be_taken_frees_its_place(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server, kept = start(connections=1)
    with monkeypatch.context() as broken:
        broken.setattr(KeptConnections, "_take", lambda _self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(server, kept)
    assert ask(server, kept, patience=0.5) == b"ok"


def test_a_connection_that_cannot_be_made_frees_its_place(start: Start) -> None:
    server, kept = start(connections=1)
    server.close()
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            ask(server, kept, patience=0.5)


def test_what_ends_after_closing_is_closed_too(start: Start) -> None:
    server, kept = start(pause=0.1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, kept)
        while not server.busy:
            time.sleep(0.005)
        kept.close()
        assert answer.result() == b"ok"
    assert server.ended.wait(5), "the server sees the end of the connection"


def test_a_request_to_another_origin_is_refused(start: Start) -> None:
    server, kept = start()
    request = httpx.Request("GET", "http://127.0.0.2:1/x", extensions={"timeout": {"pool": 1.0}})
    with pytest.raises(RuntimeError, match="Attempted to send request"):
        kept.handle_request(request)
    assert server.connections == 0
