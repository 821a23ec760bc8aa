"""The machine's clock, and waits that end when the run shall end."""

from __future__ import annotations

import threading
from datetime import UTC, timedelta

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import Interrupted


def test_now_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_monotonic_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_a_wait_takes_its_time() -> None:
    clock = SystemClock()
    begun = clock.monotonic()
    clock.sleep(0.02)
    assert clock.monotonic() - begun >= 0.02


def test_a_wait_ends_when_the_run_shall_end() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted, match="asked to stop"):
        SystemClock(stop).sleep(60)


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_wait_is_no_wait_even_then(seconds: float) -> None:
    stop = threading.Event()
    stop.set()
    SystemClock(stop).sleep(seconds)
