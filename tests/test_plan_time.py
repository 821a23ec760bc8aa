"""How long the writes wait for the request budget, to the request, and the sentence that tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model import RequestBudget, Settings
from reconciler.plan import takes_long, writing_time
from reconciler.planning.changes import Change, Plan
from tests.builders import build_change, build_hold, build_mapping, build_plan

ONE_A_SECOND = Settings(batch=2, halo_budget=RequestBudget(requests=1, seconds=1))
"""Each request but the first then waits a second, so that the time counts the requests."""


def rows(letter: str, number: int, **how: object) -> list[Change]:
    """That many changes with keys of their own."""
    return [build_change(build_mapping(key=f"{letter}{n:04}"), **how) for n in range(number)]  # type: ignore[arg-type]


def planned(creates: int = 0, updates: int = 0, unchanged: int = 0) -> Plan:
    return build_plan(*rows("c", creates, subscription=None), *rows("u", updates), *rows("n", unchanged, after=12))


@pytest.mark.parametrize(
    ("plan", "requests"),
    [
        (planned(), 0),
        (planned(unchanged=2), 0),
        (planned(updates=1, unchanged=999), 1 + 1),  # one batch, one look behind it
        (planned(updates=1, unchanged=1_000), 1 + 2),
        (planned(updates=1), 1 + 1),
        (planned(updates=2), 1 + 1),
        (planned(updates=5), 3 + 1),
        (planned(creates=1), 1 + 1 + 2 + 1),  # the post, the counts of its group, a look before and behind it
        (planned(creates=3), 3 + 2 + 4 + 1),
        (planned(creates=3, updates=5), 3 + 2 + 3 + 4 + 1),
        (planned(creates=1, unchanged=1_000), 1 + 1 + 2 * (2 + 1)),
    ],
)
def test_every_request_of_the_writing_is_counted(plan: Plan, requests: int) -> None:
    assert writing_time(plan, ONE_A_SECOND) == timedelta(seconds=max(requests - 1, 0)), requests


def test_what_is_held_waits_for_nothing() -> None:
    held = [replace(c, hold=build_hold()) for c in planned(creates=3, updates=5).changes]
    assert writing_time(build_plan(*held), ONE_A_SECOND) == timedelta()


@pytest.mark.parametrize(("budget", "windows"), [(11, 1), (12, 1), (13, 0), (6, 2), (5, 2), (4, 3)])
def test_a_full_window_is_waited_for_only_when_more_is_to_come(budget: int, windows: int) -> None:
    """The thirteen requests of three creates and five updates."""
    settings = Settings(batch=2, halo_budget=RequestBudget(requests=budget, seconds=300))
    assert writing_time(planned(creates=3, updates=5), settings) == timedelta(minutes=5 * windows)


def test_what_fits_into_one_window_is_not_worth_a_word() -> None:
    assert takes_long(planned(creates=3, updates=5), Settings()) == ""


def told(seconds: int, limit: int = 30) -> str:
    """The words about four updates and the look behind them: four windows of that length."""
    budget = RequestBudget(requests=1, seconds=seconds)
    plan = planned(updates=4)
    assert writing_time(plan, Settings(batch=1, halo_budget=budget)) == timedelta(seconds=4 * seconds)
    return takes_long(plan, Settings(batch=1, halo_budget=budget, run_timeout_minutes=limit))


def test_minutes_and_their_cause_are_told() -> None:
    assert told(300) == (
        "the writes take about 20 minutes, because settings.halo_budget lets 1 requests through in 300 seconds"
    )
    assert told(301).startswith("the writes take about 21 minutes")


@pytest.mark.parametrize("limit", [19, 20])
def test_a_run_that_ends_before_its_writes_says_that_the_next_one_goes_on(limit: int) -> None:
    assert told(300, limit) == (
        f"{told(300)}; a run ends after settings.run_timeout_minutes ({limit}), and the next one goes on where it "
        "stopped"
    )


def test_a_run_that_outlasts_its_writes_says_no_more() -> None:
    assert told(300, limit=21) == told(300)
