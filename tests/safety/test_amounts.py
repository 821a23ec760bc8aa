"""Limits given as amounts, at their boundaries; they fail closed where an amount is not known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.model import ChangeLimit, Limits, Money, QuantityRule, UnitPrice
from reconciler.planning.changes import Action, Change, Plan, Violation
from reconciler.planning.rules import Allowance, Level, Rule
from reconciler.safety.check import check
from tests.builders import build_change, build_mapping, build_plan

WIDE = ChangeLimit(users=1_000_000, percent=100)


def money(amount: str, currency: str = "EUR") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def limits(
    fall: str | None = None, rise: str | None = None, falls: str | None = None, rises: str | None = None
) -> Limits:
    """Limits in EUR; those in users and percent are out of the way."""
    return Limits(
        max_decrease=replace(WIDE, amount=fall and money(fall)),
        max_increase=replace(WIDE, amount=rise and money(rise)),
        max_total_decrease_percent=100,
        max_total_decrease=money(falls) if falls else None,
        max_total_increase=money(rises) if rises else None,
    )


def update(
    before: int, after: int, price: str | None = "2.50", *, key: str = "a", currency: str = "EUR", **rule: object
) -> Change:
    mapping = build_mapping(key=key, rule=QuantityRule(**rule))  # type: ignore[arg-type]
    unit = UnitPrice(amount=Decimal(price), currency=currency) if price else None
    return replace(build_change(mapping, before=before, after=after, action=Action.UPDATE), price=unit)


def judge(*changes: Change, allow: tuple[Allowance, ...] = (), limits: Limits) -> Plan:
    return check(build_plan(*changes), limits, allow)


def broken(*changes: Change, limits: Limits) -> list[Rule]:
    return [violation.rule for violation in judge(*changes, limits=limits).violations]


def only(plan: Plan) -> Violation:
    [violation] = plan.violations
    return violation


# ---- one mapping ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "price", "held"),
    [
        (20, 16, "2.50", False),  # 10.00, exactly the limit
        (20, 15, "2.50", True),
        (20, 19, "10.00", False),
        (20, 19, "10.01", True),
        (20, 19, "10.004", False),  # to the cent that is 10.00
        (15, 20, "2.50", False),  # a rise
        (20, 1, "0", False),
    ],
)
def test_a_fall_beyond_the_amount_is_held(before: int, after: int, price: str, *, held: bool) -> None:
    found = broken(update(before, after, price), limits=limits(fall="10.00"))
    assert found == ([Rule.AMOUNT_DECREASE] if held else [])


@pytest.mark.parametrize(
    ("before", "after", "held"), [(16, 20, False), (15, 20, True), (20, 15, False), (0, 4, False), (0, 5, True)]
)
def test_a_rise_beyond_the_amount_is_held(before: int, after: int, *, held: bool) -> None:
    found = broken(update(before, after), limits=limits(rise="10.00"))
    assert found == ([Rule.AMOUNT_INCREASE] if held else [])


def test_without_an_amount_in_the_file_nothing_is_judged_by_money() -> None:
    assert broken(update(2000, 1, None), limits=limits()) == []


def test_a_limit_for_one_direction_says_nothing_of_the_other() -> None:
    assert broken(update(20, 200, None), limits=limits(fall="1", falls="1")) == []
    assert broken(update(200, 20, None), limits=limits(rise="1", rises="1")) == []


def test_the_amount_stands_beside_users_and_percent_not_in_their_place() -> None:
    both = replace(limits(fall="1000"), max_decrease=ChangeLimit(users=5, percent=10, amount=money("1000")))
    assert broken(update(20, 10), limits=both) == [Rule.DECREASE]


@pytest.mark.parametrize("price", [None, "2.50"])
def test_what_cannot_be_judged_is_held(price: str | None) -> None:
    violation = only(judge(update(20, 19, price, currency="USD"), limits=limits(fall="10.00")))
    assert violation.rule is Rule.AMOUNT_DECREASE
    assert ("no unit price is known" if price is None else "its unit price is in USD") in violation.message
    assert (violation.measured_amount, violation.limit_amount) == (None, money("10.00"))
    assert 'price: {amount: "...", currency: EUR}' in violation.remedy


@pytest.mark.parametrize("limit", [limits(falls="10.00"), limits(fall="5", falls="10.00")])
def test_a_limit_of_the_sum_holds_what_it_could_not_add(limit: Limits) -> None:
    plan = judge(update(20, 19, None), limits=limit)
    assert only(plan).rule is Rule.AMOUNT_DECREASE
    assert plan.writes == ()


def test_the_message_has_users_price_amount_and_limit() -> None:
    violation = only(judge(update(20, 15), limits=limits(fall="10.00")))
    assert violation.message == (
        "20 -> 15 users at EUR 2.50 each (price: mappings.yaml) is about EUR 12.50 a month down; the limit is EUR 10.00"
    )
    assert (violation.measured_amount, violation.limit_amount) == (money("12.50"), money("10.00"))
    assert "--allow amount-decrease:a --reason '...'" in violation.remedy


def test_a_hold_is_lifted_by_its_own_rule_and_by_no_other() -> None:
    change = update(20, 15)
    for rule, written in ((Rule.AMOUNT_DECREASE, 1), (Rule.DECREASE, 0), (Rule.ZERO, 0), (Rule.AMOUNT_INCREASE, 0)):
        allowed = (Allowance(rule=rule, reason="ticket 1", key="a"),)
        assert len(judge(change, allow=allowed, limits=limits(fall="10.00")).writes) == written


@pytest.mark.parametrize(
    "change",
    [
        update(20, 0, allow_zero=True),
        update(20, 5, fixed=5, reason="contract"),
        replace(update(0, 20), awaiting_first_count=True),
        replace(build_change(subscription=None, after=50), price=None),
    ],
    ids=["may be empty", "fixed", "first count", "create"],
)
def test_what_a_reviewed_file_says_and_what_is_new_is_no_surprise(change: Change) -> None:
    assert broken(change, limits=limits(fall="1", rise="1", falls="1", rises="1")) == []


def test_a_fall_to_nobody_needs_both_words() -> None:
    allowed = (Allowance(rule=Rule.ZERO, reason="ticket 1", key="a"),)
    plan = judge(update(20, 0), allow=allowed, limits=limits(fall="10.00"))
    assert plan.writes == ()


# ---- the whole run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "refused"), [(17, False), (16, True)])
def test_falls_are_added_up(last: int, *, refused: bool) -> None:
    """7.50 + 2.50 or 10.00, a rise beside them does not make up for it."""
    changes = (update(20, last, key="a"), update(20, 19, key="b"), update(10, 90, key="c"))
    plan = judge(*changes, limits=limits(falls="10.00"))
    assert plan.refused is refused
    if refused:
        violation = only(plan)
        assert (violation.rule, violation.level) == (Rule.AMOUNTS_DROP, Level.RUN)
        assert violation.measured_amount == money("12.50")
        assert "2 mappings down by about EUR 12.50 a month together; the limit is EUR 10.00" in violation.message


def test_rises_are_added_up() -> None:
    changes = (update(17, 20, key="a"), update(18, 20, key="b"), update(90, 10, key="c"))
    assert broken(*changes, limits=limits(rises="12.49")) == [Rule.AMOUNTS_RISE]
    assert broken(*changes, limits=limits(rises="12.50")) == []


def test_what_is_held_is_not_in_the_sum() -> None:
    changes = (update(100, 20, key="a"), update(20, 19, key="b"))
    assert broken(*changes, limits=limits(fall="50", falls="10")) == [Rule.AMOUNT_DECREASE]


def test_the_sum_names_what_a_person_let_through_without_a_price() -> None:
    allowed = (Allowance(rule=Rule.AMOUNT_DECREASE, reason="ticket 1", key="a"),)
    plan = judge(update(20, 1, None, key="a"), update(20, 10, key="b"), allow=allowed, limits=limits(falls="10"))
    [refusal] = plan.refusals
    assert "1 more without a known price, lifted with --allow, not counted" in refusal.message


def test_the_sum_is_lifted_by_its_own_rule() -> None:
    allowed = (Allowance(rule=Rule.AMOUNTS_DROP, reason="ticket 1"),)
    plan = judge(update(20, 10), allow=allowed, limits=limits(falls="10"))
    assert (plan.refused, len(plan.writes)) == (False, 1)


# -- What stands behind other changes, costs nothing, falls to nobody, or has no price --------------------------------


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
