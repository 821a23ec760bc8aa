"""From a count to the quantity that the rule makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import MAX_COUNT, CountRule, InfimaClientId, Limits, MappingKey, QuantityRule, Settings
from reconciler.plan import diff
from reconciler.planning.changes import Action, Change
from reconciler.planning.quantity import apply_rule, has_ended, implied_count, nights_missing, quantity_of
from reconciler.planning.rules import Rule
from reconciler.planning.snapshot import dump_snapshot, read_snapshot
from reconciler.run import read_live
from reconciler.safety.check import check
from reconciler.state.recorded import CountedNight, MissingNights, Recorded
from tests.builders import NOW, build_mapping, build_mappings, build_observation, build_subscription
from tests.core import build_binding, build_client, build_count, build_customer
from tests.stage import Stage, small_mappings, small_world

RULES = st.builds(
    QuantityRule,
    included=st.integers(0, 50),
    minimum=st.none() | st.integers(0, 50),
    maximum=st.none() | st.integers(50, 100),
)
COUNTS = st.integers(0, MAX_COUNT)
LAST_DAY = date(2026, 12, 31)


@pytest.mark.parametrize(
    ("rule", "counted", "result"),
    [
        (QuantityRule(), 0, 0),
        (QuantityRule(), 17, 17),
        (QuantityRule(included=5), 4, 0),
        (QuantityRule(included=5), 5, 0),
        (QuantityRule(included=5), 6, 1),
        (QuantityRule(minimum=10), 9, 10),
        (QuantityRule(minimum=10), 10, 10),
        (QuantityRule(minimum=10), 11, 11),
        (QuantityRule(maximum=10), 9, 9),
        (QuantityRule(maximum=10), 10, 10),
        (QuantityRule(maximum=10), 11, 10),
        (QuantityRule(maximum=0), 3, 0),
        (QuantityRule(minimum=3, included=5), 7, 3),
        (QuantityRule(minimum=3, included=5), 9, 4),
        (QuantityRule(maximum=3, included=5), 9, 3),
    ],
)
def test_a_rule_makes_of_a_count(rule: QuantityRule, counted: int, result: int) -> None:
    assert apply_rule(rule, counted) == result


@pytest.mark.parametrize(
    ("rule", "today", "ended"),
    [
        (QuantityRule(fixed=40, until=LAST_DAY), LAST_DAY, False),
        (QuantityRule(fixed=40, until=LAST_DAY), LAST_DAY + timedelta(days=1), True),
        (QuantityRule(fixed=40, until=LAST_DAY), None, False),
        (QuantityRule(fixed=40), LAST_DAY, False),
        (QuantityRule(until=LAST_DAY), LAST_DAY + timedelta(days=1), False),
    ],
)
def test_a_fixed_quantity_holds_to_the_end_of_its_last_day(
    rule: QuantityRule, today: date | None, *, ended: bool
) -> None:
    assert has_ended(rule, today) is ended


def test_without_a_count_there_is_no_quantity() -> None:
    assert apply_rule(QuantityRule(minimum=10), None) is None


@given(rule=RULES, counted=COUNTS)
def test_a_quantity_keeps_within_its_bounds(rule: QuantityRule, counted: int) -> None:
    result = apply_rule(rule, counted)
    assert result is not None
    assert 0 <= result <= max(counted, rule.minimum or 0)
    assert rule.minimum is None or result >= rule.minimum
    assert rule.maximum is None or result <= rule.maximum


@given(rule=RULES, counted=COUNTS, more=st.integers(0, 1000))
def test_more_users_never_bill_less(rule: QuantityRule, counted: int, more: int) -> None:
    fewer, many = apply_rule(rule, counted), apply_rule(rule, counted + more)
    assert fewer is not None
    assert many is not None
    assert fewer <= many


def test_retired_bills_nobody_whatever_is_counted() -> None:
    quantity = quantity_of(build_mapping(retired=True, rule=QuantityRule(fixed=40, minimum=3)), 17)
    assert (quantity.counted, quantity.rule, quantity.result) == (17, "retired", 0)


def test_fixed_holds_without_a_count() -> None:
    rule = QuantityRule(fixed=40, minimum=50, reason="contract 2026", until=date(2026, 12, 31))
    quantity = quantity_of(build_mapping(rule=rule), None)
    assert (quantity.counted, quantity.result) == (None, 40)
    assert quantity.rule == "fixed 40 until 2026-12-31 (contract 2026)"


def test_fixed_at_zero_is_a_number() -> None:
    assert quantity_of(build_mapping(rule=QuantityRule(fixed=0)), 12).result == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (QuantityRule(), "active_users"),
        (QuantityRule(count=CountRule.CLIENT_RECORD), "client_record"),
        (QuantityRule(included=5), "active_users - 5 included"),
        (QuantityRule(minimum=0), "active_users, at least 0"),
        (QuantityRule(maximum=0), "active_users, at most 0"),
        (QuantityRule(included=5, minimum=1, maximum=9), "active_users - 5 included, at least 1, at most 9"),
        (QuantityRule(fixed=40), "fixed 40"),
        (QuantityRule(fixed=40, reason="flat"), "fixed 40 (flat)"),
    ],
)
def test_the_rule_says_itself_in_words(rule: QuantityRule, words: str) -> None:
    assert quantity_of(build_mapping(rule=rule), 7).rule == words


def test_the_count_stands_beside_the_result() -> None:
    quantity = quantity_of(build_mapping(rule=QuantityRule(included=5)), 12)
    assert (quantity.counted, quantity.result) == (12, 7)


@pytest.mark.parametrize(
    ("rule", "live", "counted", "implied"),
    [
        (QuantityRule(), 12, 3, 12),
        (QuantityRule(), 0, 3, 0),
        (QuantityRule(included=5), 12, 3, 17),
        (QuantityRule(included=5), 0, 3, 3),
        (QuantityRule(included=5), 0, 9, 5),
        (QuantityRule(included=5), 1, 3, 6),
        (QuantityRule(minimum=10), 10, 3, 3),
        (QuantityRule(minimum=10), 9, 3, 3),
        (QuantityRule(minimum=10), 11, 3, 11),
        (QuantityRule(minimum=10), 10, 30, 10),
    ],
)
def test_what_a_live_quantity_says_of_its_count(rule: QuantityRule, live: int, counted: int, implied: int) -> None:
    assert implied_count(rule, live, counted) == implied


@given(rule=RULES, counted=st.integers(0, 200))
def test_a_converged_quantity_never_reads_as_a_fall(rule: QuantityRule, counted: int) -> None:
    live = apply_rule(rule, counted)
    assert live is not None
    assert implied_count(rule, live, counted) <= counted


# -- Falls: written when so many nights in a row have counted them ----------------------------------------------------


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


# -- For how many nights in a row INFIMA has not listed a client ------------------------------------------------------


DAY = date(2026, 11, 22)
ACME = InfimaClientId(101)
IGNORED = 'ignore:\n  - infima_client: {id: 999, name: "Own staff"}\n    reason: "ours"\n'


def test_another_day_is_another_night_and_the_same_day_is_not() -> None:
    mappings = build_mappings(build_mapping(101))
    first = nights_missing(mappings, [], {}, today=DAY)
    again = nights_missing(mappings, [], first, today=DAY)
    later = nights_missing(mappings, [], again, today=DAY + timedelta(days=3))
    assert first == again == {ACME: MissingNights(first=DAY, last=DAY, nights=1)}
    assert later == {ACME: MissingNights(first=DAY, last=DAY + timedelta(days=3), nights=2)}


def test_who_is_listed_again_or_retired_is_forgotten() -> None:
    before = {ACME: MissingNights(first=DAY, last=DAY, nights=1)}
    assert nights_missing(build_mappings(build_mapping(101)), [ACME], before, today=DAY) == {}
    assert nights_missing(build_mappings(build_mapping(101, retired=True)), [], before, today=DAY) == {}


def test_nights_are_remembered_across_runs_and_travel_with_a_snapshot(tmp_path: Path) -> None:
    stage = Stage(small_world(), tmp_path, small_mappings(IGNORED))
    gone = stage.world.infima_clients.pop(103)
    for _ in range(2):
        stage.apply()
        stage.clock.sleep(24 * 3600)

    missing = stage.store().read().missing
    assert {number: one.nights for number, one in missing.items()} == {103: 2, 999: 2}
    with stage.context() as context:
        seen = read_live(context)
    assert read_snapshot(dump_snapshot(seen).encode()).recorded.missing == missing

    stage.world.infima_clients[103] = gone
    stage.apply()
    assert set(stage.store().read().missing) == {999}


def test_a_refused_run_counts_for_nothing(tmp_path: Path) -> None:
    stage = Stage(small_world(), tmp_path, small_mappings())
    del stage.world.infima_clients[103]
    stage.apply()
    everyone = dict(stage.world.infima_clients)
    stage.world.infima_clients.clear()
    stage.clock.sleep(24 * 3600)
    assert stage.apply().plan.refused
    stage.world.infima_clients.update(everyone)
    assert {number: one.nights for number, one in stage.store().read().missing.items()} == {103: 1}
