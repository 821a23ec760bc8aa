"""What time the servers say it is, noted beside every answer.

`doctor` asks, and the history dates what a listing showed by HaloPSA's clock; no decision hangs on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx

from reconciler.clock import Clock
from reconciler.http.retry import moment_of
from reconciler.http.transport import TransportFactory


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
            self._ahead[origin] = self._difference(theirs)

    def _difference(self, theirs: datetime) -> timedelta:
        return self._clock.now() - theirs


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
