"""The safety rules where one change stands behind another, and where nothing is written at all."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import Limits, QuantityRule
from reconciler.planning.changes import Action, Change
from reconciler.planning.quantity import Quantity
from reconciler.planning.rules import Rule
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
