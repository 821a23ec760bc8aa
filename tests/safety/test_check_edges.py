"""The safety rules where one change stands behind another, and where nothing is written at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from reconciler.model import Approval, Limits, MappingKey, Place, QuantityRule
from reconciler.planning.changes import Action, Change
from reconciler.planning.quantity import Quantity
from reconciler.planning.rules import Allowance, Doubt, Rule
from reconciler.safety.check import check
from tests.builders import build_change, build_mapping, build_plan


def update(key: str, before: int, after: int) -> Change:
    return build_change(build_mapping(key=key), before=before, after=after, action=Action.UPDATE)


def broken(*changes: Change) -> list[tuple[Rule, str]]:
    return [(v.rule, v.name) for v in check(build_plan(*changes), Limits()).violations]


def test_a_first_count_hides_no_rise_behind_it() -> None:
    first = replace(update("a", 0, 400), awaiting_first_count=True)
    assert broken(first, update("b", 10, 400)) == [(Rule.INCREASE, "b")]


def test_a_fall_to_nobody_hides_no_fall_behind_it() -> None:
    assert broken(update("a", 1, 0), update("b", 40, 25)) == [(Rule.ZERO, "a"), (Rule.DECREASE, "b")]


def test_a_zero_that_the_file_allows_hides_none_behind_it() -> None:
    allowed = replace(update("a", 5, 0), mapping=build_mapping(key="a", rule=QuantityRule(allow_zero=True)))
    assert broken(allowed, update("b", 5, 0)) == [(Rule.ZERO, "b")]


def test_what_was_not_counted_hides_nothing_of_the_source_behind_it() -> None:
    unread = build_change(build_mapping(key="a"), before=10, after=10)
    unread = replace(unread, quantity=Quantity(counted=None, rule="active_users", result=None))
    rows = [update(f"k{n}", 10, 7) for n in range(10)]
    assert broken(unread, *rows) == [(Rule.SOURCE_DROPPED, "")]


def test_a_row_that_bills_nobody_hides_nothing_of_the_source_behind_it() -> None:
    rows = [update(f"k{n}", 10, 7) for n in range(10)]
    assert broken(update("a", 0, 10), *rows) == [(Rule.SOURCE_DROPPED, "")]


def test_nobody_counted_where_the_minimum_is_billed_already_is_nothing_new() -> None:
    mapping = build_mapping(rule=QuantityRule(minimum=10))
    assert broken(build_change(mapping, before=10, after=10, counted=0)) == []
    assert broken(build_change(mapping, before=11, after=10, counted=0)) == [(Rule.ZERO, "infima-101")]


def test_what_is_lifted_by_an_option_is_in_the_whole_command_and_what_an_approval_lets_through_is_not() -> None:
    allowed = check(
        build_plan(update("a", 40, 0)), Limits(), [Allowance(rule=Rule.ZERO, key=MappingKey("a"), reason="r")]
    )
    [remedy] = [v.remedy for v in allowed.violations if v.rule is Rule.DECREASE]
    assert "--allow zero:a --allow decrease:a" in remedy
    approved = Approval(
        rule=str(Rule.ZERO), key=MappingKey("a"), at_least=0, at_most=0, until=date(2026, 12, 15), reason="left",
        place=Place(file="mappings.yaml", line=1, column=1),
    )  # fmt: skip
    plan = check(build_plan(update("a", 40, 0)), Limits(), (), (approved,), today=date(2026, 12, 1))
    assert plan.approvals == (approved,)
    [remedy] = [v.remedy for v in plan.violations if v.rule is Rule.DECREASE]
    assert "--allow decrease:a" in remedy
    assert "zero:a" not in remedy


def test_one_mapping_that_gives_no_count_is_no_empty_source_where_another_does() -> None:
    unread = replace(
        build_change(build_mapping(key="a"), before=10, after=10),
        quantity=Quantity(counted=None, rule="active_users", result=None),
        doubts=(Doubt(rule=Rule.CLIENT_UNREADABLE, message="page 2 was refused", remedy="look"),),
    )
    fixed = build_change(build_mapping(key="f", rule=QuantityRule(fixed=3)), before=3, after=3)
    source_empty = [v for v in check(build_plan(unread, fixed), Limits()).violations if v.rule is Rule.SOURCE_EMPTY]
    assert [(v.measured, v.limit) for v in source_empty] == [(0, 1)]
    assert "page 2 was refused" in source_empty[0].message
    assert (Rule.SOURCE_EMPTY, "") not in broken(unread, update("b", 10, 10))
    other = replace(unread, doubts=(Doubt(rule=Rule.CLIENT_MISSING, message="not listed", remedy="look"),))
    assert (Rule.SOURCE_EMPTY, "") not in broken(other)


def test_two_that_fall_to_nobody_at_once_are_the_source_and_two_that_had_nobody_are_not() -> None:
    gone = [build_change(build_mapping(key=key), before=9, after=0, counted=0) for key in "ab"]
    assert (Rule.SOURCE_EMPTY, "") in broken(*gone)
    idle = [build_change(build_mapping(key=key), before=0, after=0, counted=0) for key in "cd"]
    assert (Rule.SOURCE_EMPTY, "") not in broken(gone[0], *idle)
