"""Waits: for the request budget, and before something is tried again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf
from random import Random
from threading import Event as Flag
from threading import Thread

import pytest

from reconciler.errors import ApiError, DeadlineExceeded, Forbidden, Interrupted, RateLimited, ServerFailed
from reconciler.events import Event, Waiting
from reconciler.http.waiting import Deadline, RateLimiter, Retries, moment_of, retry_after_seconds
from reconciler.model import RequestBudget
from tests.clock import VirtualClock


class LimiterBench:
    def __init__(self, requests: int = 5, seconds: int = 100, deadline: float = 1e9) -> None:
        self.clock = VirtualClock()
        self.events: list[Event] = []
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
    bench = LimiterBench()
    for _ in range(5):
        bench.send()
    assert bench.clock.monotonic() == 0


def test_one_more_waits_until_the_window_has_passed() -> None:
    bench = LimiterBench()
    for _ in range(6):
        bench.send()
    assert 100 < bench.clock.monotonic() < 100.1


def test_no_window_ever_holds_more_than_the_budget() -> None:
    bench = LimiterBench()
    for number in range(60):
        bench.send(way=(number % 7) * 3.0, back=(number % 3) * 2.0)
    assert bench.most_in_a_window(100) <= 5


def test_the_whole_budget_is_used() -> None:
    bench = LimiterBench()
    for _ in range(50):
        bench.send()
    assert bench.clock.monotonic() < 9 * 100.1


def test_threads_share_one_budget() -> None:
    bench = LimiterBench(requests=7)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bench.send(way=1.0, back=1.0), range(70)))
    assert len(bench.arrivals) == 70
    assert bench.most_in_a_window(100) <= 7


def test_a_budget_smaller_than_the_number_of_threads_blocks_nobody_for_ever() -> None:
    bench = LimiterBench(requests=1, seconds=1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bench.send(), range(8)))
    assert len(bench.arrivals) == 8


def test_while_answers_are_on_their_way_one_waits_for_them_and_not_for_the_clock() -> None:
    bench = LimiterBench(requests=1, seconds=10)
    taken, done = Flag(), Flag()

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
    bench = LimiterBench()
    for _ in range(6):
        bench.send()
    (waiting,) = bench.events
    assert isinstance(waiting, Waiting)
    assert "5 per 100 s" in waiting.reason


def test_a_wait_beyond_the_runs_end_is_refused_at_once() -> None:
    bench = LimiterBench(deadline=50)
    for _ in range(5):
        bench.send()
    with pytest.raises(DeadlineExceeded, match="request budget"):
        bench.send()
    assert bench.clock.monotonic() == 0


def test_room_for_several_is_awaited() -> None:
    bench = LimiterBench()
    bench.send()
    bench.clock.sleep(50)
    bench.send()
    bench.limiter.await_room(4)
    assert 100 < bench.clock.monotonic() < 101


def test_room_for_more_than_the_budget_is_the_whole_budget() -> None:
    bench = LimiterBench()
    bench.send()
    bench.limiter.await_room(1_000)
    assert 100 < bench.clock.monotonic() < 101


def test_a_slot_is_given_back_when_the_request_fails() -> None:
    bench = LimiterBench()
    for _ in range(5):
        with pytest.raises(ValueError, match="x"), bench.limiter.slot():
            raise ValueError("x")
    bench.send()
    assert bench.clock.monotonic() > 100


NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


class Act:
    """Fails with each error in turn, then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class Bench:
    """A policy on a virtual clock, and what was told while it waited."""

    def __init__(self, *, run_seconds: float = 1_000.0, **policy: float) -> None:
        self.clock = VirtualClock()
        self.told: list[str] = []
        deadline = self.clock.monotonic() + run_seconds
        self.deadline = Deadline(clock=self.clock, observer=self._hear, ends_at=deadline)
        self.retries = Retries(deadline=self.deadline, rng=Random(1), **policy)  # noqa: S311 - has to repeat
        self._start = self.clock.monotonic()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Waiting):
            self.told.append(event.reason)

    @property
    def waited(self) -> float:
        return self.clock.monotonic() - self._start


def limited(seconds: float) -> RateLimited:
    error = RateLimited("Too many.")
    error.retry_after = seconds
    return error


def test_it_is_done_again_until_it_works_and_says_why_it_waits() -> None:
    bench, act = Bench(), Act(ServerFailed("Down."), limited(7))
    assert bench.retries.run(act) == "done"
    assert bench.told == ["Down. Trying again.", "Too many. Trying again."]
    assert 7 <= bench.waited < 9


def test_a_reason_of_ones_own_hides_the_errors_words() -> None:
    bench = Bench()
    bench.retries.run(Act(ServerFailed("GET /secret")), reason="The switch did not answer.")
    assert bench.told == ["The switch did not answer."]


@pytest.mark.parametrize(
    "error", [Forbidden("no"), DeadlineExceeded("the run is over"), ValueError("a bug"), KeyboardInterrupt()], ids=repr
)
def test_what_will_not_change_is_tried_once(error: Exception) -> None:
    bench, act = Bench(), Act(error)
    with pytest.raises(type(error)) as raised:
        bench.retries.run(act)
    assert (raised.value, act.times, bench.waited) == (error, 1, 0)


@pytest.mark.parametrize(("asked", "policy", "times", "most"), [
    (1e9, {}, 5, 300),
    (1e9, {"seconds": 120, "longest": inf}, 1, 0),
    (100, {"seconds": 120, "longest": inf}, 2, 120),
    (100, {}, 5, 300),
])  # fmt: skip
def test_a_long_wait_is_cut_or_ends_it(asked: float, policy: dict[str, float], times: int, most: float) -> None:
    bench, act = Bench(**policy), Act(*(limited(asked) for _ in range(20)))
    with pytest.raises(RateLimited):
        bench.retries.run(act)
    assert act.times == times
    assert bench.waited <= most


def test_a_stop_ends_it_before_the_next_wait() -> None:
    bench = Bench()
    bench.deadline.stop()
    with pytest.raises(Interrupted):
        bench.retries.run(Act(ServerFailed("Down.")))
    assert bench.told == []


def test_no_wait_goes_beyond_the_runs_end() -> None:
    bench = Bench(run_seconds=5)
    with pytest.raises(ApiError, match="Too many"):
        bench.retries.run(Act(limited(6)))
    assert bench.waited == 0


ODD_DATES = [
    "", " ", "x", "soon", "0", "-1", "9" * 5_000, "Sun, 22 Nov 2026", "Sun, 22 Nov 2026 05:00:30 +9999",
    "Sun, 99 Nov 2026 05:00:30 GMT", "Sun, 22 Nov 0000 05:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Sun, 22 Nov 99999999999999999999 05:00:30 GMT", "\u0663\u0664", "\x00", ",,,,",
]  # fmt: skip


@pytest.mark.parametrize("date", ODD_DATES, ids=range(len(ODD_DATES)))
def test_an_odd_date_is_no_date_and_no_traceback(date: str) -> None:
    moment = moment_of(date)
    assert moment is None or moment.tzinfo is UTC
    assert retry_after_seconds(date, NOW) is None or retry_after_seconds(date, NOW) > 0  # type: ignore[operator]


@pytest.mark.parametrize(("date", "hour"), [("Sun, 22 Nov 2026 05:00:30 GMT", 5), ("22 Nov 2026 07:00:30 +0200", 5)])
def test_a_date_is_read_in_utc(date: str, hour: int) -> None:
    assert moment_of(date) == datetime(2026, 11, 22, hour, 0, 30, tzinfo=UTC)
