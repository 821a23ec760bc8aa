"""The real network: httpcore's pool of connections, spoken to through httpx's transport interface.

httpcore keeps the connections, speaks HTTP on them and decides which one carries a request. One thing is added: a
connection on which anything came behind an answer carries no other request.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import httpcore
import httpx

from reconciler.errors import ReconcilerError
from reconciler.http.transport import TransportFactory
from reconciler.http.wire import DeadlineBackend, Proxy, read_proxy, tls_context

KEPT_SECONDS = 15.0
"""An idle connection is not used any more after this long."""

_ALIKE: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.ProxyError, httpx.ProxyError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.TimeoutException, httpx.TimeoutException),
    (httpcore.NetworkError, httpx.NetworkError),
    (httpcore.ProtocolError, httpx.ProtocolError),
    (httpcore.ConnectionNotAvailable, httpx.TransportError),
)
"""httpcore's errors and what they are in httpx: the exact ones first, then their roots."""


class GuardedPool(httpcore.ConnectionPool):
    """httpcore's pool, each of its connections guarded. Nothing is sent twice: httpcore's own retries are off."""

    def __init__(self, *, connections: int, proxy: Proxy | None = None) -> None:
        super().__init__(max_connections=connections, keepalive_expiry=KEPT_SECONDS, network_backend=DeadlineBackend())
        self._through = proxy
        # Looked at before anything is sent: a release of httpcore that hides its parser must not be found in mid-run.
        parser_of(httpcore.HTTP11Connection(httpcore.Origin(b"http", b"127.0.0.1", 80), httpcore.MockStream([])))

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        """A new connection, guarded; to an https origin through the proxy, where there is one."""
        secure = origin.scheme == b"https"
        if secure and self._through is not None:
            return GuardedConnection(self._tunnel(origin, self._through))
        return GuardedConnection(
            httpcore.HTTPConnection(
                origin,
                ssl_context=tls_context() if secure else None,
                keepalive_expiry=KEPT_SECONDS,
                network_backend=self._network_backend,
            )
        )

    def _tunnel(self, origin: httpcore.Origin, proxy: Proxy) -> httpcore.ConnectionInterface:
        """A pool of httpcore's own makes it: it has one way to tunnel, and its name is not part of the interface."""
        pool = httpcore.HTTPProxy(
            proxy_url=str(proxy),
            proxy_headers=[(b"Proxy-Authorization", proxy.authorization)] if proxy.authorization else None,
            ssl_context=tls_context(),
            proxy_ssl_context=tls_context() if proxy.scheme == "https" else None,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=self._network_backend,
        )
        return pool.create_connection(origin)


class GuardedConnection(httpcore.ConnectionInterface):
    """A connection that counts as expired once more came on it than was asked for.

    The next request would take that for its own answer: one client's users counted as another's. httpcore looks only
    at what the operating system still holds; h11's buffer, which it keeps to itself, is asked here, and TLS's.
    """

    def __init__(self, inner: httpcore.ConnectionInterface) -> None:
        self._inner = inner
        self._stream: httpcore.NetworkStream | None = None

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        response = self._inner.handle_request(request)
        self._stream = response.extensions["network_stream"]
        return response

    def has_expired(self) -> bool:
        return self._inner.has_expired() or (self._inner.is_idle() and self._holds_more())

    def _holds_more(self) -> bool:
        return parser_of(self._inner).trailing_data[0] != b"" or (
            self._stream is not None and _tls_holds_more(self._stream)
        )

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return self._inner.can_handle_request(origin)

    def is_available(self) -> bool:
        return self._inner.is_available()

    def is_idle(self) -> bool:
        return self._inner.is_idle()

    def is_closed(self) -> bool:
        return self._inner.is_closed()

    def close(self) -> None:
        self._inner.close()


def parser_of(connection: object) -> h11.Connection:
    """The parser of a connection, which holds what came behind an answer. Raises where httpcore does not show it."""
    inner = connection
    while inner is not None:
        parser = getattr(inner, "_h11_state", None)
        if isinstance(parser, h11.Connection):
            return parser
        inner = getattr(inner, "_connection", None)
    raise ReconcilerError(
        f"httpcore {httpcore.__version__} does not show whether anything came behind an answer, so that one client's "
        "users could be counted as another's.",
        hint="Install the releases that requirements/run.txt names: "
        "`python -m pip install --require-hashes -r requirements/run.txt`.",
    )


def _tls_holds_more(stream: httpcore.NetworkStream) -> bool:
    """True when TLS has decrypted, or can decrypt, anything that nobody asked for."""
    tls: Any = stream.get_extra_info("ssl_object")
    if tls is None:
        return False
    if tls.pending() > 0:
        return True
    if not isinstance(tls, ssl.SSLObject):
        return False
    # TLS inside a proxy's TLS: what waits there shows only when it is read.
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


class PooledTransport(httpx.BaseTransport):
    """At most `connections` to each origin, each for one request at a time. Safe to use from several threads."""

    def __init__(self, *, connections: int, proxy: Proxy | None = None) -> None:
        self._pool = GuardedPool(connections=connections, proxy=proxy)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        same = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            response = self._pool.handle_request(same)
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        """Close what is idle and what still carries a request."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """An answer's body."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn httpcore's errors into httpx's, as httpx's own transport does."""
    try:
        yield
    except Exception as exc:
        kind = next((kind for error, kind in _ALIKE if isinstance(exc, error)), None)
        if kind is None:
            raise
        raise kind(str(exc)) from exc


def kept_connections(connections: int) -> TransportFactory:
    """The factory for the real network: at most so many connections to each origin.

    RECONCILER_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are read from the environment. Raises `UsageError` where one of
    them cannot be used, before anything is sent.
    """
    proxy = read_proxy(os.environ)

    def make(origin: str) -> PooledTransport:
        if origin.startswith("https:"):
            tls_context()
        return PooledTransport(connections=connections, proxy=proxy)

    return make
