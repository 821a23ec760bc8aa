"""The virtual clock moves when somebody sleeps, and lets scheduled things happen on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from tests.clock import START, VirtualClock


def test_sleep_moves_wall_and_monotonic_time() -> None:
    clock = VirtualClock()
    clock.sleep(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.monotonic() == 90


def test_a_sleep_of_nothing_or_less_moves_nothing() -> None:
    clock = VirtualClock()
    clock.sleep(0)
    clock.sleep(-5)
    assert clock.now() == START


def test_actions_run_in_the_order_of_their_time_and_see_that_time() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    clock.call_later(20, lambda: seen.append(("late", clock.monotonic())))
    clock.call_later(10, lambda: seen.append(("early", clock.monotonic())))
    clock.sleep(15)
    assert seen == [("early", 10)]
    clock.sleep(15)
    assert seen == [("early", 10), ("late", 20)]


def test_an_action_may_schedule_another_that_is_due_in_the_same_sleep() -> None:
    clock = VirtualClock()
    seen: list[float] = []
    clock.call_later(5, lambda: clock.call_later(5, lambda: seen.append(clock.monotonic())))
    clock.sleep(60)
    assert seen == [10]
    assert clock.monotonic() == 60


def test_the_wall_can_be_set_back_while_monotonic_time_stays() -> None:
    clock = VirtualClock()
    clock.sleep(100)
    clock.set(START)
    assert clock.now() == START
    assert clock.monotonic() == 100


def test_the_wall_can_be_set_ahead() -> None:
    clock = VirtualClock()
    clock.set(START + timedelta(days=2))
    assert clock.now() == START + timedelta(days=2)


def test_sleeps_of_several_threads_add_up() -> None:
    clock = VirtualClock()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clock.sleep, [1.0] * 40))
    assert clock.monotonic() == 40
