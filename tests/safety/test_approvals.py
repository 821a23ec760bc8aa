"""Approvals of the reviewed file: exactly one rule, exactly within the bounds, until the end of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from reconciler.model import Approval, ChangeLimit, Limits, MappingKey, Money, Place, PriceSource, UnitPrice
from reconciler.planning.changes import Change, Plan
from reconciler.planning.rules import Allowance, Doubt, Rule
from reconciler.safety.approvals import extent_in_words, proposed_bounds
from reconciler.safety.check import check
from tests.builders import build_change, build_hold, build_mapping, build_plan, build_violation

LAST_DAY = date(2026, 12, 15)
PLACE = Place(file="mappings.yaml", line=40, column=5)
TRUSTED = Limits(max_total_decrease_percent=100)


def approval(
    rule: Rule, key: str | None = "a", *bounds: int, up_to: int | None = None, until: date = LAST_DAY
) -> Approval:
    lowest, highest = bounds or (None, None)
    return Approval(
        rule=str(rule),
        key=None if key is None else MappingKey(key),
        at_least=lowest,
        at_most=highest,
        up_to=up_to,
        until=until,
        reason="ticket 4711",
        place=PLACE,
    )


def update(before: int, after: int, key: str = "a") -> Change:
    return build_change(build_mapping(key=key), before=before, after=after, counted=after)


def judge(
    *changes: Change, approved: tuple[Approval, ...], today: date = LAST_DAY, limits: Limits = TRUSTED, **more: object
) -> Plan:
    return check(build_plan(*changes), limits, more.get("allow", ()), approved, today=today)  # type: ignore[arg-type]


def hold_of(plan: Plan) -> str:
    [change] = plan.changes
    return "" if change.hold is None else change.hold.message


@pytest.mark.parametrize(("after", "held"), [(11, True), (12, False), (20, False), (21, True)])
def test_bounds_are_inclusive(after: int, *, held: bool) -> None:
    plan = judge(update(40, after), approved=(approval(Rule.DECREASE, "a", 12, 20),))
    assert bool(plan.held) is held
    assert bool(plan.approvals) is not held


def test_outside_its_bounds_it_holds_as_before_and_says_what_was_approved() -> None:
    plan = judge(update(40, 9), approved=(approval(Rule.DECREASE, "a", 12, 20),))
    assert hold_of(plan).endswith("(approved 12 to 20 until 15 Dec; now 9)")


def test_it_holds_until_the_end_of_its_day_and_is_told_afterwards() -> None:
    approved = (approval(Rule.DECREASE, "a", 12, 20),)
    assert not judge(update(40, 15), approved=approved, today=LAST_DAY).held
    plan = judge(update(40, 15), approved=approved, today=date(2026, 12, 16))
    assert hold_of(plan).endswith("(the approval of 12 to 20 ended on 15 Dec)")


def test_it_lifts_no_other_rule_and_no_other_mapping() -> None:
    approved = (approval(Rule.ZERO, "a"),)
    plan = judge(update(40, 0), approved=approved)
    assert [(v.rule, v.allowed) for v in plan.violations] == [(Rule.ZERO, "ticket 4711"), (Rule.DECREASE, None)]
    assert judge(update(2, 0, key="b"), approved=approved).held


def test_two_approvals_let_a_change_through_that_breaks_two_rules() -> None:
    approved = (approval(Rule.ZERO, "a"), approval(Rule.DECREASE, "a", 0, 0))
    plan = judge(update(40, 0), approved=approved)
    assert not plan.held
    assert plan.approvals == approved


def test_a_violation_that_was_lifted_names_its_approval() -> None:
    approved = approval(Rule.INCREASE, "a", 100, 120)
    [violation] = judge(update(10, 110), approved=(approved,)).violations
    assert (violation.allowed, violation.approval) == ("ticket 4711", approved)


def test_what_a_person_lifts_for_this_run_needs_no_approval() -> None:
    allow = (Allowance(rule=Rule.DECREASE, reason="by hand", key="a"),)
    plan = judge(update(40, 9), approved=(approval(Rule.DECREASE, "a", 12, 20),), allow=allow)
    assert [v.allowed for v in plan.violations] == ["by hand"]
    assert plan.approvals == ()


@pytest.mark.parametrize(("creates", "refused"), [(24, False), (25, False), (26, True)])
def test_creates_of_one_run_up_to_a_number(creates: int, *, refused: bool) -> None:
    changes = [build_change(build_mapping(key=f"k{n}"), before=None, subscription=None) for n in range(creates)]
    plan = judge(*changes, approved=(approval(Rule.MANY_CREATES, None, up_to=25),))
    assert plan.refused is refused
    if refused:
        assert plan.refusals[0].message.endswith("(approved up to 25 until 15 Dec; now 26)")


@pytest.mark.parametrize(("up_to", "refused"), [(49, True), (50, False)])
def test_a_fall_of_the_source_up_to_a_percentage(up_to: int, *, refused: bool) -> None:
    approved = [approval(Rule.DECREASE, f"k{n}", 0, 100) for n in range(3)]
    changes = [update(40, 20, f"k{n}") for n in range(3)]
    plan = judge(*changes, approved=(*approved, approval(Rule.SOURCE_DROPPED, None, up_to=up_to)), limits=Limits())
    assert plan.refused is refused


def test_an_amount_is_rounded_up_before_it_is_compared() -> None:
    price = UnitPrice(amount=Decimal("2.75"), currency="EUR", source=PriceSource.FILE)
    change = replace(update(10, 15), price=price)  # 13.75 more a month
    limits = Limits(max_total_increase=Money(amount=Decimal(5), currency="EUR"))
    refused = [
        judge(change, approved=(approval(Rule.AMOUNTS_RISE, None, up_to=up_to),), limits=limits).refused
        for up_to in (13, 14)
    ]
    assert refused == [True, False]


def test_an_amount_of_one_mapping_has_bounds_in_users() -> None:
    price = UnitPrice(amount=Decimal("2.75"), currency="EUR", source=PriceSource.FILE)
    change = replace(update(10, 15), price=price)
    limit = ChangeLimit(users=100, percent=100, amount=Money(amount=Decimal(5), currency="EUR"))
    plan = judge(
        change, approved=(approval(Rule.AMOUNT_INCREASE, "a", 11, 15),), limits=replace(TRUSTED, max_increase=limit)
    )
    assert not plan.held


@pytest.mark.parametrize("rule", [Rule.MOVED, Rule.CLIENT_MISSING, Rule.STATE_NOT_DURABLE, Rule.SAME_NAME])
def test_nothing_else_can_be_approved_even_where_an_entry_says_so(rule: Rule) -> None:
    change = replace(update(12, 13), doubts=(Doubt(rule=rule, message="m", remedy="r"),))
    assert judge(change, approved=(approval(rule, "a"),)).held


def test_a_doubt_about_the_customer_can_be_approved_without_bounds() -> None:
    change = replace(update(12, 13), doubts=(Doubt(rule=Rule.CUSTOMER_INACTIVE, message="m", remedy="r"),))
    assert not judge(change, approved=(approval(Rule.CUSTOMER_INACTIVE, "a"),)).held
    bounded = judge(change, approved=(approval(Rule.CUSTOMER_INACTIVE, "a", 1, 5),))
    assert hold_of(bounded) == "m (approved 1 to 5 until 15 Dec; now 13)"


@pytest.mark.parametrize(
    ("before", "after", "proposed"),
    [
        (40, 15, (13, 17)),
        (40, 22, (19, 25)),
        (10, 30, (27, 33)),
        (10, 9, (8, 10)),
        (40, 42, (40, 47)),
        (12, 12, (10, 14)),
        (12, 0, (0, 0)),
    ],
)
def test_the_bounds_that_are_proposed_have_a_tenth_of_slack_and_never_cross_todays_quantity(
    before: int, after: int, proposed: tuple[int, int]
) -> None:
    plan = build_plan(update(before, after))
    assert proposed_bounds(plan, build_violation(build_hold(Rule.DECREASE), "a")) == proposed


def test_for_a_run_rule_the_measured_number_is_proposed_with_slack() -> None:
    crowd = build_violation(build_hold(Rule.MANY_CREATES), "", measured=27)
    assert proposed_bounds(build_plan(update(40, 15)), crowd) == (0, 30)
    unmeasured = build_violation(build_hold(Rule.SOURCE_EMPTY), "")
    assert proposed_bounds(build_plan(update(40, 15)), unmeasured) == (0, 2)


def test_for_a_create_the_bounds_are_about_what_is_counted() -> None:
    new = build_change(build_mapping(key="a"), before=None, after=15, counted=15, subscription=None)
    assert proposed_bounds(build_plan(new), build_violation(build_hold(Rule.INCREASE), "a")) == (13, 17)


@pytest.mark.parametrize(
    ("bounds", "up_to", "words"),
    [((12, 20), None, "12 to 20"), ((12, 12), None, "12"), ((), 40, "up to 40"), ((), None, "any quantity")],
)
def test_what_an_approval_lets_through_in_words(bounds: tuple[int, ...], up_to: int | None, words: str) -> None:
    one = approval(Rule.DECREASE, "a", *bounds, up_to=up_to)
    assert extent_in_words(one.at_least, one.at_most, one.up_to) == words
    assert extent_in_words(one.at_least, None, None) == "any quantity"
