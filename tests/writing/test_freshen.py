"""A listing of the last minute right before a write, with room for both under the request budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import RequestBudget, RunId, Settings
from reconciler.writing.session import WriteSession, what_moved
from tests.builders import build_context, build_mappings, build_subscription
from tests.clock import VirtualClock
from tests.fakes import FakeState, FakeTarget


class Crowded(FakeTarget):
    """A HaloPSA whose budget makes each wait behind a listing last so long, in order; none where nothing is said."""

    waits: tuple[float, ...] = ()

    def await_budget(self, requests: int) -> None:
        super().await_budget(requests)
        behind = len(self.budgets) > 1 and len(self.budgets) % 2 == 1
        turn = len(self.budgets) // 2 - 1
        if behind and turn < len(self.waits):
            self.clock.sleep(self.waits[turn])


def ground_of(*waits: float, age: float = 0.0, budget: int = 240) -> tuple[WriteSession, Crowded]:
    clock = VirtualClock()
    target = Crowded(clock, build_subscription(1))
    target.waits = waits
    mappings = replace(build_mappings(), settings=Settings(halo_budget=RequestBudget(requests=budget)))
    context = build_context(target=target, clock=clock, mappings=mappings)
    session = WriteSession.open(context, FakeState(), RunId("run-1"), (), 0.0)
    clock.sleep(age)
    return session, target


def test_a_listing_of_the_last_minute_will_do() -> None:
    session, target = ground_of(age=60)
    session.freshen(3)
    assert (target.budgets, target.listings) == ([3], 0)


def test_an_older_one_is_read_again_with_room_on_both_sides_of_it() -> None:
    session, target = ground_of(age=60.5)
    session.freshen(3)
    assert (target.budgets, target.listings) == ([3, 3, 3], 1)


def test_anew_means_once_in_any_case() -> None:
    session, target = ground_of()
    session.freshen(2, anew=True)
    assert (target.budgets, target.listings) == ([2, 2, 2], 1)


def test_one_request_is_what_is_made_room_for_unless_more_is_said() -> None:
    session, target = ground_of()
    session.freshen()
    assert target.budgets == [1]


def test_a_listing_that_aged_while_the_write_waited_is_read_again_with_more_room() -> None:
    session, target = ground_of(61, 60, age=61)
    session.freshen(1)
    assert (target.budgets, target.listings) == ([1, 1, 1, 4, 1], 2)


@pytest.mark.parametrize(
    ("budget", "requests", "budgets"),
    [
        (240, 1, [1, 1, 1, 4, 1, 16, 1, 64, 1, 240, 1]),
        (16, 1, [1, 1, 1, 4, 1, 16, 1]),
        (3, 2, [2, 2, 2, 3, 2]),
        (2, 2, [2, 2, 2]),
        (2, 5, [5, 5, 5]),
    ],
)
def test_more_room_than_there_is_is_not_waited_for(budget: int, requests: int, budgets: list[int]) -> None:
    session, target = ground_of(*[61] * 6, age=61, budget=budget)
    session.freshen(requests)
    assert target.budgets == budgets
    assert target.listings == len(budgets) // 2


def test_what_has_appeared_is_known_by_its_marker_alone() -> None:
    clock = VirtualClock()
    rows = [
        build_subscription(1, marker="a"), build_subscription(2, marker="a"), build_subscription(3),
        build_subscription(4, marker="b", deleted=True), build_subscription(5, marker="c"),
    ]  # fmt: skip
    target = FakeTarget(clock, *rows)
    context = build_context(target=target, clock=clock)
    session = WriteSession.open(context, FakeState(), RunId("run-1"), rows[4:], 0.0)
    session.relist()
    assert session.appeared == {"a": (1, 2)}


def test_a_number_that_only_looks_otherwise_has_not_moved() -> None:
    assert what_moved({"count": 1, "price": 2}, {"count": 1.0, "price": 3}) == "price 2 -> 3"
