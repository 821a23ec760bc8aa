"""Never more requests in any window than the budget, and no idling below it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from reconciler import events
from reconciler.errors import DeadlineExceeded
from reconciler.http.waiting import Deadline, RateLimiter
from reconciler.model import RequestBudget
from tests.clock import VirtualClock


class Bench:
    def __init__(self, requests: int = 5, seconds: int = 100, deadline: float = 1e9) -> None:
        self.clock = VirtualClock()
        self.events: list[events.Event] = []
        deadline = Deadline(clock=self.clock, observer=self.events.append, ends_at=deadline)
        self.limiter = RateLimiter(RequestBudget(requests=requests, seconds=seconds), deadline)
        self.arrivals: list[float] = []

    def send(self, *, way: float = 0.0, back: float = 0.0) -> None:
        with self.limiter.slot():
            self.clock.sleep(way)
            self.arrivals.append(self.clock.monotonic())
            self.clock.sleep(back)

    def most_in_a_window(self, seconds: float) -> int:
        arrivals = sorted(self.arrivals)
        return max(sum(start <= other <= start + seconds for other in arrivals) for start in arrivals)


def test_the_budget_goes_out_at_once() -> None:
    bench = Bench()
    for _ in range(5):
        bench.send()
    assert bench.clock.monotonic() == 0


def test_one_more_waits_until_the_window_has_passed() -> None:
    bench = Bench()
    for _ in range(6):
        bench.send()
    assert 100 < bench.clock.monotonic() < 100.1


def test_no_window_ever_holds_more_than_the_budget() -> None:
    bench = Bench()
    for number in range(60):
        bench.send(way=(number % 7) * 3.0, back=(number % 3) * 2.0)
    assert bench.most_in_a_window(100) <= 5


def test_the_whole_budget_is_used() -> None:
    bench = Bench()
    for _ in range(50):
        bench.send()
    assert bench.clock.monotonic() < 9 * 100.1


def test_threads_share_one_budget() -> None:
    bench = Bench(requests=7)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bench.send(way=1.0, back=1.0), range(70)))
    assert len(bench.arrivals) == 70
    assert bench.most_in_a_window(100) <= 7


def test_a_budget_smaller_than_the_number_of_threads_blocks_nobody_for_ever() -> None:
    bench = Bench(requests=1, seconds=1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bench.send(), range(8)))
    assert len(bench.arrivals) == 8


def test_while_answers_are_on_their_way_one_waits_for_them_and_not_for_the_clock() -> None:
    bench = Bench(requests=1, seconds=10)
    taken, done = Event(), Event()

    def hold() -> None:
        with bench.limiter.slot():
            taken.set()
            done.wait(5)

    holder, other = Thread(target=hold), Thread(target=bench.send)
    holder.start()
    taken.wait(5)
    other.start()
    other.join(0.1)
    assert bench.arrivals == []
    assert bench.clock.monotonic() == 0
    done.set()
    other.join(5)
    holder.join(5)
    assert len(bench.arrivals) == 1


def test_a_wait_is_announced_with_its_reason() -> None:
    bench = Bench()
    for _ in range(6):
        bench.send()
    (waiting,) = bench.events
    assert isinstance(waiting, events.Waiting)
    assert "5 per 100 s" in waiting.reason


def test_a_wait_beyond_the_runs_end_is_refused_at_once() -> None:
    bench = Bench(deadline=50)
    for _ in range(5):
        bench.send()
    with pytest.raises(DeadlineExceeded, match="request budget"):
        bench.send()
    assert bench.clock.monotonic() == 0


def test_room_for_several_is_awaited() -> None:
    bench = Bench()
    bench.send()
    bench.clock.sleep(50)
    bench.send()
    bench.limiter.await_room(4)
    assert 100 < bench.clock.monotonic() < 101


def test_room_for_more_than_the_budget_is_the_whole_budget() -> None:
    bench = Bench()
    bench.send()
    bench.limiter.await_room(1_000)
    assert 100 < bench.clock.monotonic() < 101


def test_a_slot_is_given_back_when_the_request_fails() -> None:
    bench = Bench()
    for _ in range(5):
        with pytest.raises(ValueError, match="x"), bench.limiter.slot():
            raise ValueError("x")
    bench.send()
    assert bench.clock.monotonic() > 100
