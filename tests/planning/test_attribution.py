"""Which changes an edit of mappings.yaml is answerable for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from reconciler.model import Approval, MappingKey, Place
from reconciler.planning.attribution import attribute, new_approvals
from reconciler.planning.rules import Rule
from tests.builders import build_change, build_hold, build_mapping, build_mappings, build_plan

A = build_mapping(101, 12)
B = build_mapping(102, 13)


def causes(plan: object) -> dict[str, str | None]:
    return {c.key: c.caused_by for c in plan.changes}  # type: ignore[attr-defined]


def test_what_both_files_would_do_comes_from_the_counts() -> None:
    plan = build_plan(build_change(A, before=12, after=15))
    assert causes(attribute(plan, plan)) == {"infima-101": "counts"}


def test_what_only_the_edited_file_would_do_comes_from_the_edit() -> None:
    edited = build_plan(build_change(A, before=12, after=20), build_change(B, before=None, after=7, subscription=None))
    base = build_plan(build_change(A, before=12, after=15))
    assert causes(attribute(edited, base)) == {"infima-101": "mappings", "infima-102": "mappings"}


def test_without_a_usable_base_everything_comes_from_the_edit() -> None:
    assert causes(attribute(build_plan(build_change(A)), None)) == {"infima-101": "mappings"}


def test_an_edit_that_takes_a_write_away_is_shown_as_its_effect() -> None:
    edited, base = build_plan(build_change(A, before=12, after=12)), build_plan(build_change(A, before=12, after=15))
    assert causes(attribute(edited, base)) == {"infima-101": "mappings"}


def test_rows_that_do_nothing_with_either_file_have_no_cause() -> None:
    plan = build_plan(build_change(A, before=12, after=12))
    assert causes(attribute(plan, plan)) == {"infima-101": None}


def test_a_number_that_moved_although_infima_counts_the_same_is_drift() -> None:
    plan = build_plan(replace(build_change(A, before=11, after=15), counted_before=15))
    assert causes(attribute(plan, plan)) == {"infima-101": "drift"}


@pytest.mark.parametrize(("rule", "cause"), [(Rule.ZERO, "counts"), (Rule.DECREASE, "mappings")])
def test_a_hold_comes_from_the_edit_unless_the_base_holds_by_the_same_rule(rule: Rule, cause: str) -> None:
    edited = build_plan(build_change(A, hold=build_hold(Rule.ZERO)))
    base = build_plan(build_change(A, hold=build_hold(rule)))
    assert causes(attribute(edited, base)) == {"infima-101": cause}


def test_an_edit_that_adds_an_approval_says_what_it_lets_through() -> None:
    approval = Approval(
        rule="decrease",
        key=MappingKey("infima-101"),
        at_least=12,
        at_most=20,
        until=date(2026, 12, 15),
        reason="ticket 4711",
        place=Place(file="mappings.yaml", line=9, column=5),
    )
    edited = replace(build_mappings(A), approvals=(approval,))
    [told] = new_approvals(edited, build_mappings(A))
    assert told == (
        "this edit approves decrease of infima-101, to a quantity of 12 to 20, until 2026-12-15 (ticket 4711)"
    )
    moved = replace(approval, place=Place(file="mappings.yaml", line=30, column=5), approved_by="Ada Example")
    assert new_approvals(edited, replace(edited, approvals=(moved,))) == ()
    [wider] = new_approvals(replace(edited, approvals=(replace(approval, at_most=30),)), edited)
    assert "12 to 30" in wider


def test_an_approval_of_a_run_rule_and_one_without_bounds_are_told_in_their_own_words() -> None:
    terms = {"until": date(2026, 12, 15), "reason": "ticket 4711", "place": Place(file="", line=1, column=1)}
    whole = Approval(rule=str(Rule.MANY_CREATES), key=None, up_to=40, **terms)  # type: ignore[arg-type]
    whatever = Approval(rule=str(Rule.NAME_MISMATCH), key=MappingKey("infima-101"), **terms)  # type: ignore[arg-type]
    assert new_approvals(replace(build_mappings(A), approvals=(whole, whatever)), None) == (
        "this edit approves many-creates up to 40, until 2026-12-15 (ticket 4711)",
        "this edit approves name-mismatch of infima-101, whatever the quantity, until 2026-12-15 (ticket 4711)",
    )
