"""A fall is written when so many nights in a row have counted it, and then the largest of their counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from reconciler.model import (
    CountedNight,
    Limits,
    MappingKey,
    QuantityRule,
    Recorded,
    Settings,
)
from reconciler.plan import diff
from reconciler.planning.changes import Action, Change
from reconciler.planning.rules import Rule
from reconciler.safety.check import check
from tests.builders import NOW, build_mapping, build_mappings, build_observation, build_subscription
from tests.core import build_binding, build_client, build_count, build_customer

KEY = MappingKey("infima-101")
TONIGHT = NOW.date()


def night(days_ago: int, counted: int) -> CountedNight:
    return CountedNight(day=TONIGHT - timedelta(days=days_ago), counted=counted)


def planned(
    live: int,
    counted: int,
    *nights: CountedNight,
    wanted: int = 2,
    rule: QuantityRule | None = None,
    counted_before: int | None = None,
    now: datetime = NOW,
    settings: Settings | None = None,
) -> Change:
    mapping = build_mapping(rule=rule)
    observation = build_observation(
        clients=[build_client(user_count=counted)], counts=[build_count(active=counted)],
        customers=[build_customer()], subscriptions=[build_subscription(count=live)], taken_at=now,
    )  # fmt: skip
    mappings = replace(
        build_mappings(mapping),
        limits=Limits(decrease_nights=wanted, max_total_decrease_percent=100),
        settings=settings or Settings(),
    )
    binding = build_binding(last_counted=counted_before, at=NOW)
    recorded = Recorded(bindings={KEY: binding}, falls={KEY: nights} if nights else {})
    [change] = check(diff(mappings, observation, recorded), mappings.limits).changes
    return change


def test_the_first_night_of_a_fall_is_held_and_says_how_many_are_wanted() -> None:
    change = planned(12, 9)
    assert change.hold is not None
    assert change.hold.rule is Rule.FALLING
    assert change.hold.message == "the count is falling: seen 1 of 2 nights, first on 22 Nov"
    assert change.nights == (night(0, 9),)


def test_the_second_night_writes_the_larger_count_of_both() -> None:
    change = planned(12, 9, night(1, 10))
    assert (change.hold, change.action, change.quantity.result) == (None, Action.UPDATE, 10)
    assert change.quantity.rule == "active_users, the largest count of 2 nights (10)"
    assert planned(12, 10, night(1, 9)).quantity.result == 10


def test_only_the_newest_nights_count() -> None:
    assert planned(12, 8, night(3, 11), night(2, 9), night(1, 8)).quantity.result == 8


def test_a_second_run_on_one_day_is_no_second_night() -> None:
    change = planned(12, 9, night(0, 10))
    assert change.hold is not None
    assert change.nights == (night(0, 10),)


@pytest.mark.parametrize("counted", [12, 13])
def test_a_night_without_a_fall_begins_the_count_anew(counted: int) -> None:
    assert planned(12, counted, night(1, 9)).nights == ()


def test_what_an_edit_of_the_file_lowers_is_no_fall() -> None:
    change = planned(12, 12, rule=QuantityRule(included=5), counted_before=12)
    assert (change.hold, change.quantity.result, change.nights) == (None, 7, ())


def test_one_night_is_the_default_and_remembers_nothing() -> None:
    change = planned(12, 9, night(1, 10), wanted=1)
    assert (change.hold, change.quantity.result, change.nights) == (None, 9, ())


def test_a_rise_waits_for_nothing() -> None:
    assert planned(12, 15, night(1, 9)).quantity.result == 15


def test_a_night_is_a_day_of_the_users_time_zone() -> None:
    """05:17 UTC of the 22nd is still the 21st eight hours west: the same night as the run before."""
    west = Settings(timezone=timezone(timedelta(hours=-8)))
    change = planned(12, 9, CountedNight(day=date(2026, 11, 21), counted=9), settings=west)
    assert change.hold is not None
    assert [n.day for n in change.nights] == [date(2026, 11, 21)]


def test_a_count_that_falls_below_the_minimum_lowers_nothing_and_is_no_fall() -> None:
    change = planned(10, 8, night(1, 9), rule=QuantityRule(minimum=10), counted_before=9)
    assert (change.hold, change.action, change.nights) == (None, Action.NO_OP, ())


def test_where_a_person_has_set_less_already_the_count_raises_it_and_is_no_fall() -> None:
    change = planned(5, 9, night(1, 9), counted_before=12)
    assert (change.hold, change.quantity.result, change.nights) == (None, 9, ())


def test_with_one_night_an_earlier_run_of_the_day_has_no_say() -> None:
    assert planned(12, 9, night(0, 11), wanted=1).quantity.result == 9


def test_a_number_of_the_file_counts_no_nights() -> None:
    change = planned(12, 9, night(1, 10), rule=QuantityRule(fixed=7, reason="contract"), counted_before=12)
    assert (change.hold, change.quantity.result, change.nights) == (None, 7, ())
