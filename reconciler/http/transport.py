"""The one place where requests leave: pinned hosts and paths, total deadlines, retries of reads, strict answers.

What is here is what a bug elsewhere cannot undo: a request that is not on the list of routes is never sent, a redirect
is never followed, a write is sent exactly once, and no secret is part of any message. httpx's `Client` is not used:
it follows the environment (proxies, .netrc), keeps cookies, and can be told to follow redirects. Its transport
interface is, so that tests put the simulator's callables in the place of the network.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from random import Random
from urllib.parse import urlencode

import httpcore
import httpx

import reconciler
from reconciler.errors import (
    AnswerTooLarge,
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    Forbidden,
    NotAuthorised,
    NotFound,
    RateLimited,
    Rejected,
    RequestForbidden,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.http.decoding import Undecodable, clean, decode_json, error_words, oauth_error
from reconciler.http.redaction import Redactor
from reconciler.http.waiting import Deadline, RateLimiter, Retries, moment_of, retry_after_seconds
from reconciler.http.wire import CONNECT_SECONDS, REQUEST_DEADLINE, RequestDeadline, proxy_hint
from reconciler.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One thing that may be asked: method, origin ("https://host[:port]") and a pattern for the whole path."""

    method: str
    origin: str
    path: re.Pattern[str]

    def permits(self, method: str, origin: str, path: str) -> bool:
        """True when exactly this is asked."""
        return method == self.method and origin == self.origin and self.path.fullmatch(path) is not None


Query = tuple[tuple[str, str], ...]
"""The parameters of a request's address, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as data. `query`, `headers` and `body` may hold secrets: none is ever part of a message."""

    method: str
    origin: str
    path: str
    query: Query = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer. `headers` ignores case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


MAX_ANSWER_BYTES = 10 * 1024 * 1024
"""A page of 1,000 Subscriptions with every member fits three times."""

OLDEST_ANSWER_SECONDS = 300
"""An answer that a cache on the way has kept longer than this is refused (FAULTS I26)."""

TransportFactory = Callable[[str], httpx.BaseTransport]
"""Makes the transport for one origin, such as "https://halo.example.com"."""

_REDIRECTS = range(300, 400)
_HEADERS = {
    "User-Agent": f"reconciler/{reconciler.__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
}

for _name in (httpx.__name__, httpcore.__name__):
    # Both log URLs and headers, httpx already at INFO: their loggers stay silent whatever an application configures.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Transport:
    """Sends the calls of one system. Safe to use from several threads.

    `hint` gives the next step for a failed call, from the call and the status. `timeout` is the total time of one
    request in seconds, on the wall and whatever trickles in meanwhile.
    """

    def __init__(
        self,
        *,
        system: str,
        routes: Iterable[Route],
        factory: TransportFactory,
        deadline: Deadline,
        rng: Random,
        timeout: float,
        redactor: Redactor,
        limiter: RateLimiter | None = None,
        hint: Callable[[Call, int], str] = lambda _call, _status: "",
    ) -> None:
        self.system = system
        self._routes = tuple(routes)
        self._carriers = {origin: factory(origin) for origin in sorted({route.origin for route in self._routes})}
        self._deadline = deadline
        self._retries = Retries(deadline=deadline, rng=rng)
        self._timeout = timeout
        self._redactor = redactor
        self._slot = nullcontext if limiter is None else limiter.slot
        self._hint = hint
        self._ahead: dict[str, timedelta] = {}

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far this machine's clock is ahead of the system's; None where no answer had a usable date.

        The newest answer of each origin counts, and of these the largest difference. No decision hangs on it.
        """
        return max(self._ahead.values(), key=abs, default=None)

    def read(self, call: Call) -> Json:
        """Send a call that changes nothing, again if need be, and return the decoded answer.

        Raises an `ApiError` once retrying is no use or no longer permitted.
        """
        return self._retries.run(lambda: self._read_once(call))

    def _read_once(self, call: Call) -> Json:
        reply = self.look(call)
        error = self.complaint(call, reply)
        if error is not None:
            raise error
        try:
            return decode_json(reply.body)
        except Undecodable as exc:
            raise self._error(UnreadableAnswer, call, f"{exc} ({reply.status})", status=reply.status) from exc

    def look(self, call: Call) -> Reply:
        """Send a call that changes nothing once, and return the answer whatever its status. Raises `ApiError`."""
        request = self._request(call)
        self._deadline.check()
        with self._slot():
            return self._send(call, request, stoppable=True)

    def write(self, call: Call) -> Reply:
        """Send a call exactly once and return the answer, whatever its status.

        Raises `ConnectFailed` when the request surely never left; any other `ApiError` means that its outcome is
        unknown.
        """
        request = self._request(call)
        with ExitStack() as stack:
            try:
                self._deadline.check()
                stack.enter_context(self._slot())
            except DeadlineExceeded as exc:
                message = f"{call} was not sent to {self.system}: {exc.message}"
                raise ConnectFailed(message, **self._where(call), hint=exc.hint) from exc
            try:
                return self._send(call, request, stoppable=False)
            except ApiError:
                raise
            except Exception as exc:
                # Whatever broke, it broke when the request may have left: that is "unknown", never "failed".
                raise self._error(ResponseLost, call, f"no usable answer ({type(exc).__name__})") from exc

    def close(self) -> None:
        """Close all connections."""
        for carrier in self._carriers.values():
            carrier.close()

    def complaint(self, call: Call, reply: Reply) -> ApiError | None:
        """The error that a status other than 2xx stands for; None for a 2xx."""
        status = reply.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        error = self._redirected(call, reply) if status in _REDIRECTS else self._refused(call, reply)
        error.retry_after = self.asks_to_wait(reply)
        return error

    def asks_to_wait(self, reply: Reply) -> float | None:
        """How many seconds an answer asks to wait; None where it does not say, or says something absurd."""
        return retry_after_seconds(reply.headers.get("retry-after"), self._deadline.clock.now())

    def _redirected(self, call: Call, reply: Reply) -> ApiError:
        host, status = _host_of(reply.headers.get("location", "")), reply.status
        got = f"a redirect to {host}, which is not followed ({status})"
        return self._error(UnreadableAnswer, call, got, status=status)

    def _refused(self, call: Call, reply: Reply) -> ApiError:
        status, words = reply.status, self._redactor.hide(error_words(reply.body))
        message = f"{self.system} answered {status}" + (f": {words}" if words else "") + f" ({call})."
        about = {**self._where(call), "hint": self._hint(call, status)}
        kind = {401: NotAuthorised, 403: Forbidden, 404: NotFound, 408: ServerFailed, 429: RateLimited}.get(status)
        if kind is None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Rejected(message, status=status, oauth_error=oauth_error(reply.body), **about)
        return (kind or ServerFailed)(message, **about)

    def _request(self, call: Call) -> httpx.Request:
        """Build the request and hold what would really go out against the list of routes."""
        target = call.path + (f"?{urlencode(call.query)}" if call.query else "")
        try:
            url = httpx.URL(call.origin + target)
        except httpx.InvalidURL as exc:
            raise self._forbidden(call) from exc
        # What httpx made of the address must be what was meant: no other origin, no path that hides a query.
        as_meant = url.raw_path == target.encode("ascii", "replace")
        if not as_meant or not any(route.permits(call.method, origin_of(url), call.path) for route in self._routes):
            raise self._forbidden(call)
        return httpx.Request(call.method, url, headers={**_HEADERS, **call.headers}, content=call.body)

    def _forbidden(self, call: Call) -> RequestForbidden:
        return RequestForbidden(
            f"{call} is not on the list of requests that may be sent to {self.system}.",
            hint="This is a bug in reconciler: please report it. Nothing was sent.",
        )

    def _send(self, call: Call, request: httpx.Request, *, stoppable: bool) -> Reply:
        clock = self._deadline.clock
        seconds = min(self._timeout, self._deadline.remaining)
        timeouts = dict.fromkeys(("read", "write", "pool"), seconds) | {"connect": min(CONNECT_SECONDS, seconds)}
        request.extensions["timeout"] = timeouts
        ends_at, stopped = clock.monotonic() + seconds, lambda: stoppable and self._deadline.stopped
        REQUEST_DEADLINE.set(RequestDeadline(deadline=ends_at, clock=clock.monotonic, stopped=stopped))
        try:
            response = self._carriers[call.origin].handle_request(request)
            if theirs := moment_of(response.headers.get("date", "")):
                self._ahead[call.origin] = clock.now() - theirs
            try:
                body = self._body(call, response)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError) as exc:
            raise self._lost(call, exc) from exc
        return Reply(status=response.status_code, headers=response.headers, body=body)

    def _body(self, call: Call, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", ""}:
            raise self._error(UnreadableAnswer, call, "a compressed answer, which was not asked for")
        age = response.headers.get("age", "0").strip()
        if call.method == "GET" and age.isdecimal() and int(age[:9]) > OLDEST_ANSWER_SECONDS:
            raise self._error(UnreadableAnswer, call, f"an answer that a cache kept for {int(age[:9])} s")
        parts: list[bytes] = []
        size = 0
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise httpx.StreamError("the transport gave no readable body")
        for part in response.stream:  # as it came: no decoding of any kind
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise self._error(AnswerTooLarge, call, f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
            parts.append(part)
        return b"".join(parts)

    def _lost(self, call: Call, exc: Exception) -> ApiError:
        kind = translate(exc)
        reason = self._redactor.hide(clean(str(exc))) or type(exc).__name__
        if kind is ConnectFailed:
            message = f"No connection to {self.system} at {call.origin} ({reason})."
            hint = self._hint(call, 0) or f"Check the address of {self.system}, the network and the certificate."
            return ConnectFailed(message, **self._where(call), hint=f"{hint} {proxy_hint(os.environ)}".strip())
        if kind is DeadlineExceeded:
            message = f"{self.system} did not answer within {self._timeout:.0f} s ({call})."
            return DeadlineExceeded(message, **self._where(call))
        return self._error(kind, call, f"no complete answer ({reason})")

    def _error(self, kind: type[ApiError], call: Call, got: str, *, status: int = 0) -> ApiError:
        message = f"{self.system} gave {got} ({call})."
        return kind(message, **self._where(call), hint=self._hint(call, status))

    def _where(self, call: Call) -> dict[str, str]:
        return {"system": self.system, "request": str(call)}


def translate(exc: Exception) -> type[ApiError]:
    """The error class for anything that httpx raises.

    Only what fails before a request can leave becomes `ConnectFailed`; everything that is not known to be harmless
    becomes `ResponseLost`, which for a write means "outcome unknown".
    """
    if isinstance(exc, _NEVER_LEFT):
        return ConnectFailed
    if isinstance(exc, httpx.TimeoutException):
        return DeadlineExceeded
    if isinstance(exc, (httpx.DecodingError, httpx.TooManyRedirects, httpx.HTTPStatusError)):
        return UnreadableAnswer
    return ResponseLost


_NEVER_LEFT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)  # fmt: skip


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port (where it is not the scheme's own) of a URL."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


def _host_of(location: str) -> str:
    try:
        return clean(httpx.URL(location).host, 100) or "another page of the same host"
    except (httpx.InvalidURL, ValueError):
        return "an unreadable address"
