"""Networks as they are: dead addresses, proxies, certificates of one's own."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpcore
import pytest

from reconciler.errors import ConnectFailed, UsageError
from reconciler.http import wire
from reconciler.http.connections import kept_connections
from reconciler.http.wire import proxy_hint, proxy_secrets, read_proxy, unused_proxy
from tests.http.test_wire import OK, Bench, certificate, failure_of, server_tls
from tests.providers.loopback import Loopback, answering

DEAD = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]


# -- addresses --------------------------------------------------------------------------------------------------------


class Dialled(httpcore.SyncBackend):
    """Addresses that swallow what is sent to them, or that answer; `given` is the time each was given."""

    def __init__(self, good: str | None) -> None:
        self.good = good
        self.now = 0.0
        self.given: list[tuple[str, float]] = []

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_rest: object) -> httpcore.NetworkStream:
        self.given.append((host, timeout or 0.0))
        if host == self.good:
            return httpcore.MockStream([])
        self.now += timeout or 0.0
        raise httpcore.ConnectTimeout("timed out")


def dialling(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], good: str | None
) -> tuple[wire.DeadlineBackend, Dialled]:
    monkeypatch.setattr(wire, "_addresses", lambda _host, _port: addresses)
    backend, dialled = wire.DeadlineBackend(), Dialled(good)
    backend._inner = dialled
    wire.REQUEST_DEADLINE.set(wire.RequestDeadline(deadline=60.0, clock=lambda: dialled.now, stopped=lambda: False))
    return backend, dialled


@pytest.mark.parametrize("dead", [1, 2, 4, 9])
def test_dead_addresses_leave_time_for_a_good_one(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    addresses = [f"127.0.1.{number}" for number in range(dead)] + ["127.0.0.1"]
    backend, dialled = dialling(monkeypatch, addresses, "127.0.0.1")
    backend.connect_tcp("halo.example.com", 443, timeout=15.0)
    assert dialled.now < 15
    assert min(seconds for _, seconds in dialled.given) >= 15 / (dead + 1) - 1e-9


def test_an_address_that_was_dead_is_tried_last_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, dialled = dialling(monkeypatch, [*DEAD, "127.0.0.1"], "127.0.0.1")
    backend.connect_tcp("halo.example.com", 443, timeout=15.0)
    before = dialled.now
    for _ in range(5):
        backend.connect_tcp("halo.example.com", 443, timeout=15.0)
    assert dialled.now == before
    assert [address for address, _ in dialled.given[5:]] == ["127.0.0.1"] * 5


def test_where_all_are_dead_the_error_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, dialled = dialling(monkeypatch, DEAD, None)
    for _ in range(2):
        with pytest.raises(httpcore.ConnectError) as error:
            backend.connect_tcp("halo.example.com", 443, timeout=15.0)
        assert all(address in str(error.value) for address in DEAD)
    assert dialled.now == pytest.approx(30)


def test_a_name_without_an_address_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, _ = dialling(monkeypatch, [], None)
    with pytest.raises(httpcore.ConnectError, match="it has no address"):
        backend.connect_tcp("halo.example.com", 443)


def test_four_addresses_that_refuse_cost_a_request_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Loopback(answering(OK))
    monkeypatch.setattr(wire, "_addresses", lambda _host, _port: [*DEAD, "127.0.0.1"])
    bench = Bench(f"http://localhost:{server.port}", 5.0)
    started = time.monotonic()
    assert bench.read() == {"ok": True}
    assert time.monotonic() - started < 2
    bench.transport.close()
    server.close()


# -- proxies ----------------------------------------------------------------------------------------------------------


class Tunnel(Loopback):
    """A proxy that knows CONNECT; with `password` it asks for it. `heads` is what clients said to it."""

    def __init__(self, *, password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.wanted = password
        super().__init__(lambda _server, connection: self._tunnel(connection), tls=tls)

    def _tunnel(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (part := connection.recv(4096)):
                return
            head += part
        self.heads.append(head.decode("latin-1"))
        if self.wanted and f"Proxy-Authorization: Basic {self.wanted}" not in self.heads[-1]:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(self.heads[-1].split()[1].rpartition(":")[2])
        connection.settimeout(0.02)
        with socket.create_connection(("127.0.0.1", port), timeout=0.02) as behind:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while not self.closing.is_set() and self._pass(connection, behind) and self._pass(behind, connection):
                pass

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> bool:
        """Pass on what is there; false when the source has closed."""
        try:
            part = source.recv(65536)
        except TimeoutError:
            return True
        if part:
            sink.sendall(part)
        return bool(part)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("certificates"), "localhost")


@pytest.fixture
def halo(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A server with TLS, whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[1]))
    server = Loopback(answering(OK), tls=server_tls(pair))
    yield server
    server.close()


@pytest.fixture
def tunnel() -> Iterator[Callable[..., Tunnel]]:
    made: list[Tunnel] = []

    def make(**how: object) -> Tunnel:
        made.append(Tunnel(**how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_proxy_is_asked_to_connect_and_sees_nothing_of_what_is_said(
    halo: Loopback, tunnel: Callable[..., Tunnel], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = tunnel()
    monkeypatch.setenv("RECONCILER_PROXY", f"http://127.0.0.1:{proxy.port}")
    bench = Bench(f"https://localhost:{halo.port}", 5.0)
    assert [bench.read() for _ in range(3)] == [{"ok": True}] * 3
    assert proxy.heads[0].startswith(f"CONNECT localhost:{halo.port} HTTP/1.1")
    assert "Authorization: Bearer" not in "".join(proxy.heads)
    bench.transport.close()


def test_a_proxy_may_itself_speak_tls(
    halo: Loopback, tunnel: Callable[..., Tunnel], pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = tunnel(tls=server_tls(pair))
    monkeypatch.setenv("RECONCILER_PROXY", f"https://localhost:{proxy.port}")
    bench = Bench(f"https://localhost:{halo.port}", 5.0)
    assert [bench.read() for _ in range(3)] == [{"ok": True}] * 3
    assert len(proxy.heads) == 1, "the connection is used again"
    bench.transport.close()


def test_a_password_goes_to_the_proxy_and_into_no_message(
    halo: Loopback, tunnel: Callable[..., Tunnel], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = tunnel(password="YWxpY2U6b3BlbiBzZXNhbWU=")
    monkeypatch.setenv("RECONCILER_PROXY", f"http://alice:open%20sesame@127.0.0.1:{proxy.port}")
    bench = Bench(f"https://localhost:{halo.port}", 5.0)
    assert bench.read() == {"ok": True}
    assert halo.requests
    assert b"Proxy-Authorization" not in b"".join(halo.requests)
    bench.transport.close()
    monkeypatch.setenv("RECONCILER_PROXY", f"http://alice:wrong-word@127.0.0.1:{proxy.port}")
    bench = Bench(f"https://localhost:{halo.port}", 5.0)
    error = failure_of(bench.read)
    assert isinstance(error, ConnectFailed)
    assert "407 Proxy Authentication Required" in error.message
    assert "RECONCILER_PROXY is used" in error.hint
    assert not any(word in f"{error.message} {error.hint}" for word in ("alice", "wrong-word"))
    bench.transport.close()


def test_plain_http_to_this_machine_takes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_PROXY", "http://127.0.0.1:9")
    server = Loopback(answering(OK))
    bench = Bench(f"http://127.0.0.1:{server.port}", 5.0)
    assert bench.read() == {"ok": True}
    bench.transport.close()
    server.close()


def test_a_proxy_that_is_not_used_is_named_where_no_connection_comes_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://alice:secret-word@proxy.example.com:3128")
    bench = Bench("http://127.0.0.1:9", 2.0)
    error = failure_of(bench.read)
    assert "HTTPS_PROXY is set and is not used" in error.hint
    assert "RECONCILER_PROXY" in error.hint
    assert "secret-word" not in f"{error.message} {error.hint}"
    bench.transport.close()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://proxy.example.com:8080", "http://proxy.example.com:8080"),
        ("http://proxy.example.com", "http://proxy.example.com:3128"),
        ("https://alice:pw@proxy.example.com/", "https://proxy.example.com:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_proxy_is_shown_without_its_password(value: str, shown: str) -> None:
    proxy = read_proxy({"RECONCILER_PROXY": value})
    assert str(proxy) == shown
    assert "pw" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    ["proxy.example.com:3128", "socks5://proxy.example.com", "http://", "http://x:y", "http://a b", "http://x/path",
     "http://x?q", "http://x:99999", "http://[", "http://ü.example.com"],
)  # fmt: skip
def test_an_address_that_is_no_proxys_is_refused_and_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_PROXY", value)
    with pytest.raises(UsageError) as error:
        kept_connections(1)
    assert error.value.message.startswith("RECONCILER_PROXY ")
    assert value == "http://" or value not in error.value.message


def test_what_the_environment_says_of_proxies() -> None:
    assert (unused_proxy({}), proxy_hint({}), proxy_secrets({}), read_proxy({})) == ("", "", (), None)
    assert unused_proxy({"all_proxy": "x"}) == "all_proxy"
    assert unused_proxy({"https_proxy": "x", "RECONCILER_PROXY": "http://y"}) == ""
    assert proxy_secrets({"RECONCILER_PROXY": "http://a:pass%2Fword@x:1"}) == ("pass/word", "YTpwYXNzL3dvcmQ=")
    assert proxy_secrets({"RECONCILER_PROXY": "http://x:1"}) == ()


# -- certificates -----------------------------------------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    wire._openssl_context.cache_clear()
    return monkeypatch


@pytest.mark.parametrize(("content", "why"), [("", "holds no certificate"), ("a letter\n", "holds no certificate"),
                                              (None, "cannot be read (No such file or directory)")])  # fmt: skip
def test_a_file_without_a_certificate_is_named_as_such(
    own: pytest.MonkeyPatch, tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    own.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(UsageError) as error:
        kept_connections(1)("https://halo.example.com")
    assert error.value.message == f"SSL_CERT_FILE names {file}, which {why}."


def test_a_folder_of_certificates_is_used(own: pytest.MonkeyPatch, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    digest = ssl_hash(pair[1])
    (tmp_path / f"{digest}.0").write_bytes(pair[1].read_bytes())
    own.setenv("SSL_CERT_DIR", str(tmp_path))
    server = Loopback(answering(OK), tls=server_tls(pair))
    bench = Bench(f"https://localhost:{server.port}", 5.0)
    assert bench.read() == {"ok": True}
    bench.transport.close()
    server.close()


def ssl_hash(file: Path) -> str:
    """The name under which OpenSSL looks for a certificate."""
    import subprocess  # noqa: PLC0415 - here only

    words = ["openssl", "x509", "-hash", "-noout", "-in", str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("made", "why"), [(True, "holds no certificate under its hash"),
                                           (False, "cannot be read (No such file or directory)")])  # fmt: skip
def test_a_folder_without_certificates_is_named_as_such(
    own: pytest.MonkeyPatch, tmp_path: Path, why: str, *, made: bool
) -> None:
    folder = tmp_path / "certs"
    if made:
        folder.mkdir()
        (folder / "bundle.pem").write_text("x")
    own.setenv("SSL_CERT_DIR", str(folder))
    with pytest.raises(UsageError) as error:
        kept_connections(1)("https://halo.example.com")
    assert error.value.message == f"SSL_CERT_DIR names {folder}, which {why}."
    kept_connections(1)("http://127.0.0.1:1").close()
