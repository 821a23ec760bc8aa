"""The plan's sums and selections."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model import Approval, HaloCustomerId, MappingKey, Place, SubscriptionId
from reconciler.planning.changes import (
    Action,
    Change,
    Facts,
    PlannedRow,
    SubscriptionState,
    Summary,
    Violation,
    planned_rows,
    select,
    summarise,
    users_in_doubt,
)
from reconciler.planning.rules import Level, Rule
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.core import change_for


def keyed(key: str, before: int | None = 12, after: int | None = 15, **more: object) -> Change:
    return build_change(build_mapping(key=key), before=before, after=after, **more)  # type: ignore[arg-type]


def violation(rule: Rule, *, allowed: str | None = None) -> Violation:
    return Violation(rule=rule, name="", message="m", remedy="r", allowed=allowed)


# --- users ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_change_is_counted_once() -> None:
    plan = build_plan(
        keyed("created", subscription=None, after=5),
        keyed("more", 12, 15),
        keyed("fewer", 9, 2),
        keyed("same", 7, 7),
        keyed("held", 30, 0, hold=build_hold()),
    )
    assert plan.summary == Summary(
        create=1, update=2, no_op=1, held=1, users_before=12 + 9 + 7 + 30, users_after=5 + 15 + 2 + 7 + 30, unpriced=5
    )


def test_a_held_create_bills_nobody() -> None:
    assert summarise([keyed("a", subscription=None, after=5, hold=build_hold())]) == Summary(
        create=0, update=0, no_op=0, held=1, users_before=0, users_after=0, unpriced=1
    )


@pytest.mark.parametrize("rule", [Rule.MOVED, Rule.SUBSCRIPTION_GONE])
def test_sums_are_what_the_rows_say_whatever_holds_them(rule: Rule) -> None:
    held = keyed("a", 12, 15, hold=build_hold(rule))
    assert (held.live_quantity, summarise([held]).users_before, summarise([held]).users_after) == (12, 12, 12)


def test_an_unknown_count_adds_nothing() -> None:
    change = keyed("a", None, None, action=Action.NO_OP)
    assert (change.live_quantity, summarise([change]).users_before) == (None, 0)


def test_without_a_subscription_nothing_is_billed() -> None:
    assert keyed("a", subscription=None).live_quantity is None


def test_a_retired_mapping_without_subscription_adds_nothing() -> None:
    change = change_for(build_mapping(retired=True))
    assert summarise([change]) == Summary(create=0, update=0, no_op=1, held=0, users_before=0, users_after=0)


# --- what is written -------------------------------------------------------------------------------------------------


def test_only_what_is_not_held_is_written() -> None:
    update, create = keyed("a"), keyed("b", subscription=None)
    held, same = keyed("c", hold=build_hold()), keyed("d", 7, 7)
    plan = build_plan(update, create, held, same)
    assert plan.writes == (update, create)
    assert plan.held == (held,)


def test_a_refused_plan_writes_nothing() -> None:
    plan = build_plan(keyed("a"), violations=(violation(Rule.SOURCE_EMPTY),))
    assert (plan.refused, plan.writes) == (True, ())


def test_an_allowed_violation_refuses_nothing() -> None:
    plan = build_plan(keyed("a"), violations=(violation(Rule.SOURCE_EMPTY, allowed="first run"),))
    assert (plan.refused, len(plan.writes)) == (False, 1)


def test_a_mappings_violation_refuses_nothing() -> None:
    plan = build_plan(keyed("a"), violations=(violation(Rule.ZERO),))
    assert (plan.refusals, plan.refused) == ((), False)


@pytest.mark.parametrize("rule", list(Rule))
def test_a_violation_has_its_rules_level(rule: Rule) -> None:
    run_rules = {
        Rule.SOURCE_EMPTY, Rule.SOURCE_DROPPED, Rule.MANY_CREATES, Rule.WRONG_TENANT,
        Rule.AMOUNTS_DROP, Rule.AMOUNTS_RISE, Rule.HALO_UNFIT,
    }  # fmt: skip
    assert violation(rule).level is (Level.RUN if rule in run_rules else Level.MAPPING)


# --- selection -------------------------------------------------------------------------------------------------------

PLAN = build_plan(*(keyed(key) for key in "abcd"), violations=(violation(Rule.ZERO),), warnings=("w",))
KEYS = st.sets(st.sampled_from([MappingKey(key) for key in "abcdx"]))


def test_without_a_wish_the_plan_is_whole() -> None:
    assert select(PLAN) is PLAN


def test_only() -> None:
    plan = select(PLAN, only=[MappingKey("b"), MappingKey("d")])
    assert ([c.key for c in plan.changes], plan.complete) == (["b", "d"], False)


def test_exclude() -> None:
    plan = select(PLAN, exclude=[MappingKey("b")])
    assert ([c.key for c in plan.changes], plan.complete) == (["a", "c", "d"], False)


def test_exclude_wins_over_only() -> None:
    plan = select(PLAN, only=[MappingKey("a"), MappingKey("b")], exclude=[MappingKey("a")])
    assert [c.key for c in plan.changes] == ["b"]


def test_what_was_left_out_leaves_its_violations_and_approvals_behind() -> None:
    found = tuple(replace(violation(Rule.ZERO), name=name) for name in "ab")
    run = replace(violation(Rule.MANY_CREATES), name="")
    plan = select(replace(PLAN, violations=(run, *found)), exclude=[MappingKey("a")])
    assert [v.name for v in plan.violations] == ["", "b"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a crowded machine is no failure
@given(only=KEYS, exclude=KEYS)
def test_selection_is_a_filter(only: set[MappingKey], exclude: set[MappingKey]) -> None:
    """What remains is what was there, in its order; nothing else of the plan moves."""
    plan = select(PLAN, only=only, exclude=exclude)
    wanted = [c for c in PLAN.changes if (not only or c.key in only) and c.key not in exclude]
    assert plan.changes == tuple(wanted)
    assert replace(plan, changes=PLAN.changes, complete=True, whole=()) == PLAN
    assert plan.every_change == PLAN.changes
    assert plan.complete is not bool(only or exclude)


def test_users_whose_mapping_is_in_doubt_are_counted_once_and_not_where_another_mapping_has_them() -> None:
    def state(number: int, count: int | None) -> SubscriptionState:
        return SubscriptionState(id=SubscriptionId(number), customer_id=HaloCustomerId(12), name="n", count=count)

    doubtful = replace(
        keyed("a", subscription=None, before=None), candidates=(state(1, 5), state(2, None), state(3, 7))
    )
    again = replace(keyed("b", subscription=None, before=None), candidates=(state(3, 7), state(4, 11)))
    known = replace(keyed("c", 11, 11), before=state(4, 11))
    assert users_in_doubt([doubtful, again, known]) == 12
    assert users_in_doubt([]) == 0


def test_rows_as_somebody_agreed_to_them_say_which_subscription_and_from_what() -> None:
    rows = planned_rows(build_plan(keyed("a", 12, 15), keyed("b", subscription=None, before=None, after=5)))
    assert [(row.key, row.action, row.subscription_id, row.before, row.after) for row in rows.values()] == [
        ("a", Action.UPDATE, 9001, 12, 15), ("b", Action.CREATE, None, None, 5),
    ]  # fmt: skip


def test_a_selection_keeps_the_approvals_of_its_keys_and_of_the_whole_run() -> None:
    def approval(key: str | None) -> Approval:
        place = Place(file="mappings.yaml", line=1, column=1)
        named = None if key is None else MappingKey(key)
        return Approval(rule="decrease", key=named, until=date(2026, 12, 1), reason="r", place=place)

    plan = replace(build_plan(keyed("a"), keyed("b")), approvals=(approval("a"), approval("b"), approval(None)))
    assert [one.key for one in select(plan, only=[MappingKey("a")]).approvals] == ["a", None]


# -- The plan's values where nothing is said, and what a saved row would have sent ------------------------------------


def test_facts_that_nobody_gives_are_zero_in_a_state_that_lasts() -> None:
    assert Facts() == Facts(
        clients_wanted=0,
        clients_found=0,
        bindings=0,
        bindings_found=0,
        recorded_tenant=None,
        durable=True,
    )


@pytest.mark.parametrize(
    ("action", "hold", "writes"),
    [
        (Action.CREATE, None, True),
        (Action.UPDATE, None, True),
        (Action.NO_OP, None, False),
        (Action.UPDATE, Rule.ZERO, False),
        (Action.NO_OP, Rule.ZERO, False),
    ],
)
def test_a_saved_row_sends_something_unless_it_is_held_or_in_step(
    action: Action, hold: Rule | None, *, writes: bool
) -> None:
    row = PlannedRow(
        key=MappingKey("a"), action=action, subscription_id=None, before=None, after=7, customer_id=None, hold=hold
    )
    assert row.performs_write is writes
