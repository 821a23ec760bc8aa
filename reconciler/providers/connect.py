"""Wires both systems for one run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from types import TracebackType
from typing import Self

import httpx

from reconciler.clock import Clock
from reconciler.events import Observer
from reconciler.http.connections import kept_connections
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Transport, TransportFactory
from reconciler.http.waiting import Deadline, RateLimiter, moment_of
from reconciler.http.wire import proxy_secrets
from reconciler.model import Settings
from reconciler.providers.credentials import Credentials
from reconciler.providers.halo_raw import RawHalo
from reconciler.providers.halo_token import HaloToken
from reconciler.providers.halopsa import HaloTarget, halo_hint, halo_routes
from reconciler.providers.infima import InfimaSource, infima_hint, infima_routes
from reconciler.providers.listing import ReadPool


class ServerDates:
    """Notes how far this machine's clock is ahead of each origin's `Date`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: dict[str, timedelta] = {}

    @property
    def ahead(self) -> timedelta | None:
        """The largest difference seen, ours minus theirs; None where no answer had a usable date."""
        return max(self._ahead.values(), key=abs, default=None)

    def noting(self, factory: TransportFactory) -> TransportFactory:
        """The same transports, each answer's date noted on its way."""
        return lambda origin: _Noting(origin, factory(origin), self)

    def note(self, origin: str, date: str | None) -> None:
        """Take one answer's `Date` header; one that is no date says nothing."""
        theirs = moment_of(date or "")
        if theirs is not None:
            self._ahead[origin] = self._clock.now() - theirs


class _Noting(httpx.BaseTransport):
    """A transport that notes the date of each answer."""

    def __init__(self, origin: str, inner: httpx.BaseTransport, dates: ServerDates) -> None:
        self._origin = origin
        self._inner = inner
        self._dates = dates

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        self._dates.note(self._origin, response.headers.get("date"))
        return response

    def close(self) -> None:
        self._inner.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedSystems:
    """The two systems of one run. `hide` takes every secret that this run knows out of a text.

    `raw` gives HaloPSA's answers as they come, for `probe`. `restart_time` lets the run's total time begin anew:
    after a person took theirs to answer. `clock_ahead` tells how far this machine's clock is ahead of HaloPSA's, by
    the newest answer.
    """

    source: InfimaSource
    target: HaloTarget
    raw: RawHalo
    halo_url: str
    hide: Callable[[str], str] = field(repr=False)
    close: Callable[[], None] = field(repr=False)
    restart_time: Callable[[], None] = field(repr=False)
    clock_ahead: Callable[[], timedelta | None] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    credentials: Credentials,
    settings: Settings,
    *,
    clock: Clock,
    observer: Observer,
    rng: Random,
    transport_factory: TransportFactory | None = None,
) -> ConnectedSystems:
    """Make the two systems ready; nothing is sent until the first read.

    `transport_factory` gives the transport for an origin ("https://host[:port]") and is how tests put the simulator in
    the place of the network.
    """
    whole = settings.run_timeout_minutes * 60
    deadline = Deadline(clock=clock, observer=observer, ends_at=clock.monotonic() + whole)
    halo, infima = credentials.halo, credentials.infima
    redactor = Redactor()
    for secret in (halo.client_id, halo.client_secret, infima.api_key):
        redactor.learn(secret.reveal())
    for word in proxy_secrets(os.environ):
        redactor.learn(word)
    pool = ReadPool(settings.concurrency, deadline)
    limiter = RateLimiter(settings.halo_budget, deadline)
    factory, timeout = transport_factory or kept_connections(settings.concurrency + 1), settings.request_timeout_seconds
    transport = partial(Transport, factory=factory, deadline=deadline, rng=rng, timeout=timeout, redactor=redactor)
    to_infima = transport(system="INFIMA", routes=infima_routes(infima), hint=infima_hint)
    dates = ServerDates(clock)
    noting = dates.noting(factory)
    to_halo = transport(system="HaloPSA", routes=halo_routes(halo), limiter=limiter, hint=halo_hint, factory=noting)
    token = HaloToken(credentials=halo, transport=to_halo, clock=clock, redactor=redactor)

    def close() -> None:
        deadline.stop()
        pool.close()
        to_infima.close()
        to_halo.close()

    return ConnectedSystems(
        source=InfimaSource(credentials=infima, transport=to_infima, pool=pool, deadline=deadline, observer=observer),
        target=HaloTarget(
            credentials=halo, transport=to_halo, token=token, pool=pool, deadline=deadline, limiter=limiter,
            redactor=redactor, settings=settings,
        ),
        raw=RawHalo(origin=halo.url.origin, transport=to_halo, token=token, limiter=limiter, deadline=deadline),
        halo_url=str(halo.url),
        hide=redactor.hide,
        close=close,
        restart_time=lambda: deadline.restart(whole),
        clock_ahead=lambda: dates.ahead,
    )  # fmt: skip
