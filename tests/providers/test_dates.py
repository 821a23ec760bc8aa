"""The servers' own time, noted beside their answers."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from reconciler.providers.connect import ServerDates
from reconciler.simulator.clock import VirtualClock


def ask(dates: ServerDates, **headers: str) -> None:
    factory = dates.noting(lambda _origin: httpx.MockTransport(lambda _request: httpx.Response(200, headers=headers)))
    transport = factory("https://halo.example.com")
    transport.handle_request(httpx.Request("GET", "https://halo.example.com/"))
    transport.close()


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_the_difference_is_ours_minus_theirs(seconds: int) -> None:
    clock = VirtualClock()
    dates = ServerDates(clock)
    theirs = clock.now().replace(microsecond=0) - timedelta(seconds=seconds)
    ask(dates, date=format_datetime(theirs, usegmt=True))
    assert dates.ahead is not None
    assert round(dates.ahead.total_seconds()) == seconds


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_no_date_is_no_difference(headers: dict[str, str]) -> None:
    dates = ServerDates(VirtualClock())
    ask(dates, **headers)
    assert dates.ahead is None


def test_a_date_without_a_zone_is_utc() -> None:
    clock = VirtualClock()
    dates = ServerDates(clock)
    ask(dates, date=format(clock.now(), "%a, %d %b %Y %H:%M:%S -0000"))
    assert dates.ahead is not None
    assert round(dates.ahead.total_seconds()) == 0
