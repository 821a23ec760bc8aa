"""Reads side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.http.waiting import Deadline
from reconciler.providers.listing import ReadPool
from tests.clock import VirtualClock
from tests.quiet import ignore_events


@pytest.fixture
def deadline() -> Deadline:
    return Deadline(clock=VirtualClock(), observer=ignore_events, ends_at=100.0)


@pytest.fixture
def pool(deadline: Deadline) -> Iterator[ReadPool]:
    pool = ReadPool(3, deadline)
    yield pool
    pool.close()


def test_results_come_in_the_order_asked(pool: ReadPool) -> None:
    first_may_end = threading.Event()

    def read(number: int) -> int:
        if number == 0:
            first_may_end.wait(5)
        else:
            first_may_end.set()
        return number * 10

    assert pool.map(read, range(5)) == [0, 10, 20, 30, 40]


def test_no_more_run_at_once_than_there_are_workers(pool: ReadPool) -> None:
    lock, running, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(3, timeout=5)

    def read(_number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait()
        with lock:
            running[0] -= 1

    pool.map(read, range(9))
    assert most[0] == 3


def test_the_first_failure_is_raised_and_the_rest_is_not_started(pool: ReadPool) -> None:
    started: list[int] = []

    def read(number: int) -> None:
        started.append(number)
        if number == 0:
            raise ValueError("first")
        threading.Event().wait(0.05)

    with pytest.raises(ValueError, match="first"):
        pool.map(read, range(100))
    assert len(started) < 100


def test_ctrl_c_stops_what_is_in_flight(pool: ReadPool, deadline: Deadline, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: Any, **_kwargs: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("reconciler.providers.listing.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.map(lambda number: number, range(3))
    assert deadline.stopped
