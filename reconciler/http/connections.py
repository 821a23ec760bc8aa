"""The real network: a few kept connections to one origin, spoken to through httpx's transport interface.

httpcore opens the connections and speaks HTTP on them; only which one is taken is decided here. httpcore's own pool
looks at each connection, and asks the operating system about each idle one, before and after every request: with eight
readers that took a third of a request's time, and a lock that all of them share.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore

import httpcore

from reconciler.http.bare_httpx import httpx
from reconciler.http.transport import TransportFactory
from reconciler.http.wire import DeadlineBackend, tls_context

KEPT_SECONDS = 15.0
"""An idle connection is not used any more after this long."""


class KeptConnections(httpx.BaseTransport):
    """At most `connections` to one origin, each for one request at a time. Safe to use from several threads.

    The one that became idle last is taken first; one that the server has closed meanwhile, or that nobody used for
    long, is closed and not used again. Nothing is sent twice: httpcore's own retries are off.
    """

    def __init__(self, origin: str, *, connections: int) -> None:
        self._origin = httpcore.URL(origin).origin
        self._tls = tls_context() if self._origin.scheme == b"https" else None
        self._free = BoundedSemaphore(connections)
        self._idle: deque[httpcore.HTTPConnection] = deque()  # its append and pop are atomic
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self._free.acquire(timeout=request.extensions["timeout"]["pool"]):
            raise httpx.PoolTimeout("no connection became free in time")
        try:
            connection = self._take()
        except BaseException:
            self._free.release()
            raise
        try:
            with _as_httpx():
                response = connection.handle_request(_plain(request))
        except BaseException:
            self._give_back(connection)
            raise
        tls = response.extensions["network_stream"].get_extra_info("ssl_object")
        body = _Body(response, done=lambda: self._give_back(connection, tls))
        return httpx.Response(response.status, headers=response.headers, stream=body)

    def _take(self) -> httpcore.HTTPConnection:
        while (kept := self._pop()) is not None:
            if not kept.has_expired():
                return kept
            kept.close()
        return httpcore.HTTPConnection(
            self._origin,
            ssl_context=self._tls,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=DeadlineBackend(),
        )

    def _pop(self) -> httpcore.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, connection: httpcore.HTTPConnection, tls: ssl.SSLObject | None = None) -> None:
        """Keep it where it can carry another request: only after a complete answer, and nothing behind that."""
        try:
            if connection.is_idle() and not self._closed and not _left_over(connection, tls):
                self._idle.append(connection)
            else:
                connection.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what is idle; what still carries a request is closed when that ends."""
        self._closed = True
        while (kept := self._pop()) is not None:
            kept.close()


def _left_over(connection: httpcore.HTTPConnection, tls: ssl.SSLObject | None) -> bool:
    """True when more came than was asked for, or where that cannot be told.

    The next request would take it for its own answer: one client's users counted as another's. httpcore looks only at
    what the operating system still holds; h11's buffer, which it keeps to itself, is asked here, and TLS's.
    """
    spoken = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return spoken is None or spoken.trailing_data[0] != b"" or (tls is not None and tls.pending() > 0)


def _plain(request: httpx.Request) -> httpcore.Request:
    """The same request in httpcore's words."""
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


class _Body(httpx.SyncByteStream):
    """An answer's body; `done` is called once, when it is closed."""

    def __init__(self, response: httpcore.Response, *, done: Callable[[], None]) -> None:
        self._response = response
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        done, self._done = self._done, lambda: None
        try:
            self._response.close()
        finally:
            done()


class _as_httpx:  # noqa: N801 - reads as the statement it is
    """Turn httpcore's exceptions into those of the same name in httpx, as httpx's own transport does."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _trace: object) -> None:
        if isinstance(exc, Exception) and type(exc).__module__.partition(".")[0] == "httpcore":
            named = getattr(httpx, type(exc).__name__, httpx.TransportError)
            raise named(str(exc)) from exc


def kept_connections(connections: int) -> TransportFactory:
    """The factory for the real network: at most so many connections to each origin."""
    return lambda origin: KeptConnections(origin, connections=connections)
