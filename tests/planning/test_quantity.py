"""From a count to the quantity that the rule makes of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import MAX_COUNT, CountRule, QuantityRule
from reconciler.planning.quantity import apply_rule, has_ended, implied_count, quantity_of
from tests.builders import build_mapping

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
