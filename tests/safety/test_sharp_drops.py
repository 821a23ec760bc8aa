"""`source-dropped`, second half: several mappings that each lose a third below their own guard (FAULTS I18)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reconciler.model import Limits, QuantityRule
from reconciler.planning.changes import Action, Change, Plan, Violation
from reconciler.planning.rules import Allowance, Doubt, Rule
from reconciler.safety.check import check
from tests.builders import build_change, build_mapping, build_plan


def update(key: str, before: int, after: int, **rule: object) -> Change:
    mapping = build_mapping(key=key, rule=QuantityRule(**rule))  # type: ignore[arg-type]
    return build_change(mapping, before=before, after=after, action=Action.UPDATE)


def fallen(number: int, before: int = 9, after: int = 6) -> list[Change]:
    """So many mappings that fell from 9 to 6: three users, exactly a third."""
    return [update(f"f{n:02}", before, after) for n in range(number)]


def steady(number: int) -> list[Change]:
    return [build_change(build_mapping(key=f"s{n:02}"), before=10, after=10) for n in range(number)]


def judge(*groups: Iterable[Change], allow: tuple[Allowance, ...] = (), limits: Limits | None = None) -> Plan:
    return check(build_plan(*(c for group in groups for c in group)), limits or Limits(), allow)


def test_what_is_seen_is_said_with_its_figures_and_what_helps() -> None:
    [violation] = judge(fallen(3), steady(20)).refusals
    assert violation == Violation(
        rule=Rule.SOURCE_DROPPED,
        name="",
        message="3 of 23 mappings lost a third of their users or more at once, each below its guard",
        remedy=(
            "people do not leave several clients in one night: look into INFIMA. If it is right, run: "
            "reconciler approve source-dropped --until 2026-12-06 --reason '...'; or for one run: "
            "reconciler apply --allow source-dropped --reason '...'"
        ),
        measured=13,
        limit=10,
    )


@pytest.mark.parametrize(
    ("some", "others", "refused"),
    [(2, 0, False), (2, 10, False), (3, 20, True), (3, 26, True), (3, 27, False), (4, 35, True), (4, 36, False)],
)
def test_three_mappings_and_more_than_a_tenth_of_all(some: int, others: int, *, refused: bool) -> None:
    assert judge(fallen(some), steady(others)).refused is refused


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [(9, 6, True), (10, 7, False), (10, 6, True), (5, 3, False), (5, 2, True), (6, 4, False), (6, 9, False)],
)
def test_a_third_of_the_users_and_at_least_three_of_them(before: int, after: int, *, refused: bool) -> None:
    assert judge(fallen(3, before, after), steady(10)).refused is refused


@pytest.mark.parametrize(("remembered", "refused"), [(9, True), (8, False), (6, False), (None, False)])
def test_the_remembered_count_goes_before_the_live_quantity(remembered: int | None, *, refused: bool) -> None:
    rows = [replace(c, counted_before=remembered) for c in fallen(3, 7, 6)]
    assert judge(rows, steady(10)).refused is refused


def test_what_a_rule_of_its_own_holds_is_left_to_it() -> None:
    doubt = Doubt(rule=Rule.MOVED, message="it moved", remedy="look")
    held = [replace(c, doubts=(doubt,)) for c in fallen(1)]
    others = [replace(c, mapping=build_mapping(key=f"g{n}")) for n, c in enumerate(fallen(2))]
    plan = judge(held, others, steady(10))
    assert not plan.refused
    assert [c.key for c in plan.held] == ["f00"]


def test_a_hold_that_a_person_lifted_counts_again() -> None:
    doubt = Doubt(rule=Rule.CUSTOMER_INACTIVE, message="inactive", remedy="look")
    rows = [replace(c, doubts=(doubt,)) for c in fallen(3)]
    lifted = (Allowance(rule=Rule.CUSTOMER_INACTIVE, reason="ticket"),)
    assert not judge(rows, steady(10)).refused
    assert judge(rows, steady(10), allow=lifted).refused


def test_all_of_a_few_are_all_of_them() -> None:
    [violation] = judge(fallen(3)).refusals
    assert (violation.measured, violation.limit) == (100, 10)


def test_a_great_fall_is_said_once_and_as_the_sum() -> None:
    [violation] = judge(fallen(9)).refusals
    assert "27 % fewer" not in violation.message
    assert (
        violation.message == "INFIMA counts 54 active users where 81 were expected, new mappings left out: 34 % fewer"
    )


def test_small_falls_do_not_hide_behind_a_generous_percentage_of_the_sum() -> None:
    assert judge(fallen(9), limits=Limits(max_total_decrease_percent=100)).refused


def test_a_person_may_lift_it() -> None:
    lifted = judge(fallen(3), steady(10), allow=(Allowance(rule=Rule.SOURCE_DROPPED, reason="three sold"),))
    assert not lifted.refused
    assert [v.allowed for v in lifted.violations] == ["three sold"]
