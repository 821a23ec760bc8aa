"""Limits given as amounts: what stands behind other changes, costs nothing, falls to nobody, or has no price."""

from __future__ import annotations

import pytest

from reconciler.planning.rules import Allowance, Rule
from tests.safety.test_amounts import broken, judge, limits, update


def test_a_rise_hides_no_fall_behind_it_and_a_fall_no_rise() -> None:
    narrow = limits(fall="10.00", rise="10.00")
    assert broken(update(10, 11, key="a"), update(20, 15, key="b"), limits=narrow) == [Rule.AMOUNT_DECREASE]
    assert broken(update(11, 10, key="a"), update(15, 20, key="b"), limits=narrow) == [Rule.AMOUNT_INCREASE]


def test_the_last_user_that_leaves_counts_like_any_other() -> None:
    assert Rule.AMOUNT_DECREASE in broken(update(1, 0, "11.00"), limits=limits(fall="10.00"))


def test_what_costs_nothing_moves_nothing() -> None:
    assert broken(update(20, 15, "0"), limits=limits(fall="0.50")) == []


@pytest.mark.parametrize(
    ("how", "name"),
    [({"fall": "10.00"}, "limits.max_decrease.amount"), ({"falls": "10.00"}, "limits.max_total_decrease")],
)
def test_what_cannot_be_judged_names_the_limit(how: dict[str, str], name: str) -> None:
    [violation] = judge(update(20, 15, None), limits=limits(**how)).violations
    assert violation.message == f"20 -> 15 users cannot be held against {name} (EUR 10.00): no unit price is known"


def test_the_sum_says_how_many_it_holds_and_how_many_it_could_not() -> None:
    changes = [update(20, 15, key="a"), update(20, 15, key="b"), update(20, 15, None, key="c")]
    lifted = (Allowance(rule=Rule.AMOUNT_DECREASE, reason="ticket", key="c"),)
    [violation] = judge(*changes, allow=lifted, limits=limits(falls="20.00")).refusals
    assert violation.message == (
        "the run would move 2 mappings down by about EUR 25.00 a month together; the limit is EUR 20.00; 1 more "
        "without a known price, lifted with --allow, not counted"
    )
