"""What time the servers say it is, noted beside every answer. Only `doctor` asks; no decision hangs on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from reconciler.clock import Clock

if TYPE_CHECKING:
    import httpx

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

        def make(origin: str) -> httpx.BaseTransport:
            return _noting(origin, factory(origin), self)

        return make

    def note(self, origin: str, date: str | None) -> None:
        """Take one answer's `Date` header."""
        try:
            theirs = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        self._ahead[origin] = self._difference(theirs)

    def _difference(self, theirs: datetime) -> timedelta:
        return self._clock.now() - theirs


def _noting(origin: str, inner: httpx.BaseTransport, dates: ServerDates) -> httpx.BaseTransport:
    from reconciler.http.bare_httpx import httpx as lib  # noqa: PLC0415 - slow to import

    class Noting(lib.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = inner.handle_request(request)
            dates.note(origin, response.headers.get("date"))
            return response

        def close(self) -> None:
            inner.close()

    return Noting()
