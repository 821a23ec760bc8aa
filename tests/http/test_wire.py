"""The real network, on loopback: slow, broken, lying and untrusted servers."""

from __future__ import annotations

import contextvars
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpcore
import pytest
import truststore

from reconciler.clock import SystemClock
from reconciler.errors import ApiError, ConnectFailed, DeadlineExceeded, Interrupted, ResponseLost, UnreadableAnswer
from reconciler.http import wire
from reconciler.http.connections import kept_connections
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Call, Route, Transport
from reconciler.http.waiting import Deadline
from tests.providers.loopback import Loopback, answering
from tests.quiet import ignore_events

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'
OPENSSL = shutil.which("openssl")


class ImpatientClock(SystemClock):
    """The machine's clock, but a wait between retries passes in no time."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += seconds


class Bench:
    def __init__(self, origin: str, timeout: float) -> None:
        self.deadline = Deadline(clock=ImpatientClock(), observer=ignore_events, ends_at=time.monotonic() + 60)
        path = re.compile("/x")
        self.transport = Transport(
            system="HaloPSA",
            routes=[Route(method=method, origin=origin, path=path) for method in ("GET", "POST")],
            factory=kept_connections(4),
            deadline=self.deadline,
            rng=Random(1),  # noqa: S311 - jitter, not a secret
            timeout=timeout,
            redactor=Redactor(),
        )
        self._origin = origin

    def read(self, **call: Any) -> Any:
        return self.transport.read(Call(**{"method": "GET", "origin": self._origin, "path": "/x", **call}))

    def write(self, body: bytes = b"[]") -> Any:
        return self.transport.write(Call(method="POST", origin=self._origin, path="/x", body=body))


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Loopback, Bench]]]:
    made: list[tuple[Loopback, Bench]] = []

    def start(script: Any, *, timeout: float = 2.0, tls: Any = None, host: str = "127.0.0.1") -> tuple[Loopback, Bench]:
        server = Loopback(script, tls)
        scheme = "http" if tls is None else "https"
        made.append((server, Bench(f"{scheme}://{host}:{server.port}", timeout)))
        return made[-1]

    yield start
    for server, bench in made:
        bench.transport.close()
        server.close()


Serve = Callable[..., tuple[Loopback, Bench]]


def failure_of(call: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value


def test_an_answer_arrives_and_its_connection_serves_again(serve: Serve) -> None:
    server, bench = serve(answering(OK))
    assert [bench.read(), bench.read()] == [{"ok": True}, {"ok": True}]
    assert server.connections == 1


def test_chunks_are_put_together(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    _, bench = serve(answering(head, b'5\r\n{"ok"\r\n', b"6\r\n:true}\r\n", b"0\r\n\r\n", pause=0.01))
    assert bench.read() == {"ok": True}


@pytest.mark.parametrize(
    "parts",
    [
        [bytes([byte]) for byte in OK],
        [b"HTTP/1.1 200 OK\r\n", *[b"X-%d: y\r\n" % n for n in range(1_000)]],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", *[b" "] * 1_000],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 1_000,
    ],
    ids=["head", "headers", "body", "continue"],
)
def test_a_server_that_trickles_does_not_outlast_the_deadline(serve: Serve, parts: list[bytes]) -> None:
    _, bench = serve(answering(*parts, pause=0.05), timeout=0.4)
    started = time.monotonic()
    assert isinstance(failure_of(bench.write), DeadlineExceeded)
    assert time.monotonic() - started < 1.5


def test_a_server_that_never_answers_does_not_outlast_the_deadline(serve: Serve) -> None:
    _, bench = serve(answering(OK, pause=20), timeout=0.3)
    assert isinstance(failure_of(bench.write), DeadlineExceeded)


def test_a_pause_longer_than_a_slice_but_within_the_deadline_is_fine(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_SLICE_SECONDS", 0.02)
    _, bench = serve(answering(OK[:20], OK[20:], pause=0.15))
    assert bench.read() == {"ok": True}


BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{}",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 40_000,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_to_a_write_is_lost_and_the_write_went_out_once(serve: Serve, answer: bytes) -> None:
    server, bench = serve(answering(answer, close=True))
    assert isinstance(failure_of(bench.write), ResponseLost)
    assert len(server.requests) == 1


def test_a_broken_answer_to_a_read_is_asked_for_again(serve: Serve) -> None:
    answers = [BROKEN["half a body"], BROKEN["bad chunk"], OK]

    def script(server: Loopback, connection: socket.socket) -> None:
        if server.receive(connection):
            connection.sendall(answers.pop(0))

    server, bench = serve(script)
    assert bench.read() == {"ok": True}
    assert len(server.requests) == 3


def test_a_reset_is_a_lost_response(serve: Serve) -> None:
    def script(server: Loopback, connection: socket.socket) -> None:
        server.receive(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    _, bench = serve(script)
    assert isinstance(failure_of(bench.write), ResponseLost)


def test_a_connection_that_the_server_closed_while_idle_costs_no_write(serve: Serve) -> None:
    server, bench = serve(answering(OK, close=True))
    bench.read()
    time.sleep(0.05)
    assert bench.write().status == 200
    assert len(server.requests) == 2


def test_nobody_listening_means_that_nothing_was_sent(serve: Serve) -> None:
    server, bench = serve(answering(OK))
    server.close()
    assert isinstance(failure_of(bench.write), ConnectFailed)


def test_a_name_that_does_not_resolve_means_that_nothing_was_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    _, bench = serve(answering(OK))
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert "cannot be resolved" in failure_of(bench.write).message


def test_the_next_address_is_tried(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bench = serve(answering(OK))
    monkeypatch.setattr(wire, "_addresses", lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
    assert bench.read() == {"ok": True}


def test_a_redirect_reaches_nobody(serve: Serve) -> None:
    trap, _ = serve(answering(OK))
    location = b"http://127.0.0.1:%d/x" % trap.port
    _, bench = serve(answering(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"))
    assert isinstance(failure_of(bench.read), UnreadableAnswer)
    assert trap.connections == 0


def test_proxies_and_netrc_of_the_environment_are_ignored(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trap, _ = serve(answering(OK))
    server, bench = serve(answering(OK))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login trap password trap\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    bench.read(headers={"Authorization": "Bearer mine"})
    assert trap.connections == 0
    assert b"Authorization: Bearer mine" in server.requests[0]
    assert b"Basic" not in server.requests[0]


def test_a_stop_ends_a_read_in_flight(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SLICE_SECONDS", 0.02)
    _, bench = serve(answering(OK, pause=20), timeout=10)
    threading.Timer(0.1, bench.deadline.stop).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        bench.read()
    assert time.monotonic() - started < 2


def test_a_stop_lets_a_write_in_flight_finish(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SLICE_SECONDS", 0.02)
    _, bench = serve(answering(OK, pause=0.3))
    threading.Timer(0.1, bench.deadline.stop).start()
    assert bench.write().status == 200


def test_a_long_body_is_sent_whole(serve: Serve) -> None:
    server, bench = serve(answering(OK))
    bench.write(b"x" * 100_000)
    assert server.requests[0].endswith(b"\r\n\r\n" + b"x" * 100_000)


def test_a_backend_without_allowance_sends_nothing() -> None:
    def connect() -> None:
        wire.REQUEST_DEADLINE.set(wire.RequestDeadline(deadline=0.0, clock=lambda: 1.0, stopped=lambda: False))
        with pytest.raises(httpcore.ConnectTimeout):
            wire.DeadlineBackend().connect_tcp("127.0.0.1", 9)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()


class Untouched(httpcore.NetworkStream):
    """A connection that nobody may use any more: every method of the base class raises `NotImplementedError`."""


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda stream: stream.read(1), httpcore.ReadTimeout),
        (lambda stream: stream.write(b"x"), httpcore.WriteTimeout),
        (lambda stream: stream.start_tls(ssl.create_default_context()), httpcore.ConnectTimeout),
    ],
    ids=["read", "write", "TLS"],
)
def test_when_the_requests_time_is_over_its_connection_is_left_alone(
    use: Callable[[wire.DeadlineStream], object], error: type[Exception]
) -> None:
    def spend_and_use() -> None:
        wire.REQUEST_DEADLINE.set(wire.RequestDeadline(deadline=1.0, clock=lambda: 1.0, stopped=lambda: False))
        with pytest.raises(error, match="time is over"):
            use(wire.DeadlineStream(Untouched()))

    contextvars.copy_context().run(spend_and_use)


# -- TLS ----------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host name, made with the openssl of the machine."""
    if OPENSSL is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(cert), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return key, cert


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    cache: dict[str, tuple[Path, Path]] = {}
    return lambda name: cache.get(name) or cache.setdefault(name, certificate(folder, name))


def server_tls(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile=pair[1], keyfile=pair[0])
    return context


def test_a_trusted_certificate_of_the_right_name_is_accepted(
    serve: Serve, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = made("localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[1]))
    monkeypatch.setattr(wire, "_SLICE_SECONDS", 0.02)
    _, bench = serve(answering(OK[:20], OK[20:], pause=0.1), tls=server_tls(pair), host="localhost")
    assert bench.read() == {"ok": True}


def test_a_self_signed_certificate_is_refused_at_the_first_try(serve: Serve, made: Any) -> None:
    server, bench = serve(answering(OK), tls=server_tls(made("localhost")), host="localhost")
    error = failure_of(bench.read)
    assert isinstance(error, ConnectFailed)
    assert "certificate" in error.message.lower()
    assert server.connections == 1
    assert server.requests == []


def test_a_certificate_of_another_name_is_refused(serve: Serve, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = made("other.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[1]))
    server, bench = serve(answering(OK), tls=server_tls(pair), host="localhost")
    assert isinstance(failure_of(bench.read), ConnectFailed)
    assert server.requests == []


def test_plain_http_behind_https_is_refused() -> None:
    server = Loopback(lambda _server, connection: connection.sendall(OK))
    bench = Bench(f"https://127.0.0.1:{server.port}", 2.0)
    assert isinstance(failure_of(bench.write), ConnectFailed)
    bench.transport.close()
    server.close()
    assert server.requests == []


def test_a_handshake_that_never_ends_does_not_outlast_the_deadline() -> None:
    server = Loopback(lambda server, _connection: server.closing.wait(20) and None)
    bench = Bench(f"https://127.0.0.1:{server.port}", 0.3)
    started = time.monotonic()
    assert isinstance(failure_of(bench.write), ConnectFailed)
    assert time.monotonic() - started < 1.5
    bench.transport.close()
    server.close()


def test_a_stalled_handshake_keeps_no_other_connection_waiting() -> None:
    server = Loopback(lambda server, _connection: server.closing.wait(20) and None)
    bench = Bench(f"https://127.0.0.1:{server.port}", 0.4)
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        errors = list(pool.map(lambda _number: failure_of(bench.write), range(4)))
    assert time.monotonic() - started < 1.2
    assert {type(error) for error in errors} == {ConnectFailed}
    bench.transport.close()
    server.close()


@pytest.mark.parametrize("bundle", [True, False], ids=["with a bundle", "without"])
def test_tls_is_verified_and_at_least_1_2(monkeypatch: pytest.MonkeyPatch, *, bundle: bool) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if not bundle:
        paths = ssl.get_default_verify_paths()._replace(cafile=None)
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    context = wire.tls_context()
    assert isinstance(context, truststore.SSLContext) or bundle
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
