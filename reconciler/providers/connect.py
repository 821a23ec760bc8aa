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

from reconciler.clock import Clock
from reconciler.events import Observer
from reconciler.http.connections import kept_connections
from reconciler.http.redaction import Redactor
from reconciler.http.transport import Transport, TransportFactory
from reconciler.http.waiting import Deadline, RateLimiter
from reconciler.http.wire import proxy_secrets
from reconciler.model import Settings
from reconciler.providers.credentials import Credentials
from reconciler.providers.halo_raw import RawHalo
from reconciler.providers.halo_token import HaloToken
from reconciler.providers.halopsa import HaloTarget, halo_hint, halo_routes
from reconciler.providers.infima import InfimaSource, infima_hint, infima_routes
from reconciler.providers.listing import ReadPool


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
    to_halo = transport(system="HaloPSA", routes=halo_routes(halo), limiter=limiter, hint=halo_hint)
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
        clock_ahead=lambda: to_halo.clock_ahead,
    )  # fmt: skip
