"""Which connection carries a request: few of them, used again while they are good, and never one that is not."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Self, cast

import httpcore
import httpx
import pytest

from reconciler.errors import ReconcilerError
from reconciler.http import connections
from reconciler.http.connections import GuardedPool, PooledTransport
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


Start = Callable[..., tuple[Server, PooledTransport]]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[tuple[Server, PooledTransport]] = []

    def begin(answer: bytes = OK, *, connections: int = 3, **server: float) -> tuple[Server, PooledTransport]:
        one = Server(answer, **server)  # type: ignore[arg-type]
        made.append((one, PooledTransport(connections=connections)))
        return made[-1]

    yield begin
    for server, kept in made:
        kept.close()
        server.close()


def ask(server: Server, kept: PooledTransport, *, deadline: float = 5.0) -> bytes:
    """One request to its end, as `Transport` makes it."""
    REQUEST_DEADLINE.set(RequestDeadline(deadline=time.monotonic() + 5, clock=time.monotonic, stopped=lambda: False))
    request = httpx.Request("GET", f"{server.origin}/x", extensions={"timeout": {"pool": deadline, "connect": 5.0}})
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
            ask(server, kept, deadline=0.01)
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
    assert ask(server, kept, deadline=0.5) == b"ok"
    assert server.connections == 2, "what is left of the first answer must not be taken for the second"


def test_what_comes_behind_an_answer_is_nobodys(start: Start) -> None:
    """A proxy that answers twice must not have one client's users counted as another's."""
    server, kept = start(OK + OK.replace(b"ok", b"no"), connections=1)
    assert [ask(server, kept) for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 3


def test_what_tls_still_holds_behind_an_answer_is_nobodys() -> None:
    for held in (20, 0):
        tls = SimpleNamespace(pending=lambda held=held: held)
        assert connections._tls_holds_more(cast("httpcore.NetworkStream", Holding(tls))) is bool(held)


class Holding:
    """A stream under TLS."""

    def __init__(self, tls: object) -> None:
        self.tls = tls

    def get_extra_info(self, info: str) -> object:
        return self.tls if info == "ssl_object" else None


class Buffered(ssl.SSLObject):
    """TLS inside a proxy's TLS: what it holds shows only when it is read."""

    held: bytes | ssl.SSLError = b""

    def __new__(cls, held: bytes | ssl.SSLError) -> Self:
        made = object.__new__(cls)
        made.held = held
        return made

    def __init__(self, held: bytes | ssl.SSLError) -> None:
        """Without a handshake."""

    def pending(self) -> int:
        return 0

    def read(self, len: int = 1024, buffer: object = None) -> bytes:  # type: ignore[override]  # noqa: A002
        if isinstance(self.held, ssl.SSLError):
            raise self.held
        return self.held[:len]


@pytest.mark.parametrize(
    ("held", "more"),
    [(ssl.SSLWantReadError(), False), (b"HTTP/1.1 200", True), (b"", True), (ssl.SSLZeroReturnError(), True)],
    ids=repr,
)
def test_what_tls_inside_tls_still_holds_is_looked_at_too(held: bytes | ssl.SSLError, *, more: bool) -> None:
    assert connections._tls_holds_more(cast("httpcore.NetworkStream", Holding(Buffered(held)))) is more


class Plain(httpcore.MockBackend):
    """A server without TLS."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__(answers)
        self._answers = answers

    def connect_tcp(self, *_where: object, **_how: object) -> httpcore.NetworkStream:
        stream = httpcore.MockStream(self._answers)
        stream.get_extra_info = lambda _info: None  # type: ignore[method-assign]
        return stream


def test_the_guard_sees_what_the_installed_httpcore_holds() -> None:
    """Only the bytes differ: a connection with nothing behind its answer is good, one with anything is not."""
    for behind, good in ((b"", True), (b"HTTP/1.1 200 OK", False), (b"\n", False)):
        inner = httpcore.HTTPConnection(
            httpcore.Origin(b"http", b"halo.example.com", 80), network_backend=Plain([OK + behind])
        )
        guarded = connections.GuardedConnection(inner)
        request = httpcore.Request("GET", "http://halo.example.com/", headers={"Host": "halo.example.com"})
        response = guarded.handle_request(request)
        response.read()
        response.close()
        assert inner.is_idle(), "httpcore itself would use it again"
        assert not inner.has_expired()
        assert guarded.has_expired() is not good


def test_an_httpcore_that_hides_its_parser_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hiding(httpcore.HTTP11Connection):
        def __getattribute__(self, name: str) -> object:
            if name == "_h11_state":
                raise AttributeError(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(httpcore, "HTTP11Connection", Hiding)
    with pytest.raises(ReconcilerError, match="does not show whether anything came behind") as error:
        GuardedPool(connections=1)
    assert "requirements/run.txt" in error.value.hint


def test_a_connection_that_cannot_be_made_frees_its_place(start: Start) -> None:
    server, kept = start(connections=1)
    server.close()
    for _ in range(3):
        with pytest.raises(httpx.ConnectError):
            ask(server, kept, deadline=0.5)


def test_closing_ends_every_connection(start: Start) -> None:
    server, kept = start()
    ask(server, kept)
    kept.close()
    assert server.ended.wait(5), "the server sees the end of the connection"


HTTPCORE_ERRORS = [
    error for error in vars(httpcore).values() if isinstance(error, type) and issubclass(error, Exception)
]


@pytest.mark.parametrize("error", HTTPCORE_ERRORS, ids=lambda error: error.__name__)
def test_each_error_of_httpcore_has_its_counterpart(error: type[Exception]) -> None:
    with pytest.raises(httpx.TransportError) as raised, connections._as_httpx():
        raise error("why")
    assert type(raised.value) is getattr(httpx, error.__name__, httpx.TransportError)
    assert str(raised.value) == "why"


def test_every_other_error_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), connections._as_httpx():
        raise ZeroDivisionError
