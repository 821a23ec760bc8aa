"""A HaloPSA that lists no inactive row and keeps no marker: ids that are known are read by themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import ApiError
from reconciler.model import Mapping
from reconciler.planning.changes import Plan
from reconciler.planning.observation import MOST_READS, reveal_known
from tests.builders import build_mapping, build_mappings, build_subscription
from tests.clock import VirtualClock
from tests.core import build_attempt, build_binding, build_recorded
from tests.fakes import FakeTarget
from tests.faults.kinds import Fault, FaultKind
from tests.stage import Stage, details, small_mappings, small_world


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(small_world(), tmp_path, small_mappings(extra="settings: {marker_field: none}\n"))
    made.world.switches = replace(made.world.switches, includeinactive_honoured=False)
    for row in made.world.licences.values():
        row.pop("snowid", None)
    return made


def held(plan: Plan) -> dict[str, tuple[str, str]]:
    return {c.key: (str(c.hold.rule), c.hold.message) for c in plan.changes if c.hold}


def rename_101(stage: Stage) -> None:
    """The state keeps the Subscription under the key that the file no longer has."""
    stage.text = small_mappings(c101="    key: acme", extra="settings: {marker_field: none}\n")


def test_what_is_listed_is_not_asked_for(stage: Stage) -> None:
    assert (held(stage.plan()), details(stage)) == ({}, [])


def test_a_hidden_inactive_subscription_is_called_inactive_and_not_gone(stage: Stage) -> None:
    stage.world.licences[9001]["is_active"] = False
    [(rule, message)] = held(stage.plan()).values()
    assert (rule, details(stage)) == ("subscription-gone", [9001])
    assert "Subscription 9001 (INFIMA Security Awareness Training) is inactive in HaloPSA" in message


def test_so_is_one_that_only_the_file_names(stage: Stage) -> None:
    stage.world.licences[9010]["is_active"] = False
    assert "is inactive in HaloPSA" in held(stage.plan())["infima-104"][1]


def test_under_a_renamed_key_a_hidden_one_stops_the_second(stage: Stage) -> None:
    stage.world.licences[9001]["is_active"] = False
    rename_101(stage)
    finished = stage.apply()
    assert held(finished.plan)["acme"][0] == "same-name"
    assert not [row for number, row in stage.world.licences.items() if row["client_id"] == 11 and number != 9001]


def test_where_such_a_one_cannot_be_read_there_is_no_plan(stage: Stage) -> None:
    stage.world.licences[9001]["is_active"] = False
    rename_101(stage)
    stage.faults.script = (Fault(kind=FaultKind.FORBIDDEN, at="halo.licence", times=99),)
    with pytest.raises(ApiError):
        stage.plan()


def test_where_the_own_one_cannot_be_read_its_mapping_is_held_and_the_others_go_on(stage: Stage) -> None:
    stage.world.licences[9001]["is_active"] = False
    stage.faults.script = (Fault(kind=FaultKind.FORBIDDEN, at="halo.licence", times=99),)
    finished = stage.apply()
    assert list(held(finished.plan)) == ["infima-101"]
    assert "HaloPSA does not list Subscription 9001 any more" in held(finished.plan)["infima-101"][1]
    assert finished.applied.created == 2


def test_one_that_is_gone_for_good_stops_no_new_key(stage: Stage) -> None:
    del stage.world.licences[9001]
    rename_101(stage)
    assert (held(stage.plan()), details(stage)) == ({}, [9001])


def test_a_retired_one_is_not_asked_for(stage: Stage) -> None:
    stage.world.licences[9001]["is_active"] = False
    stage.text = small_mappings(c101="    retired: true", extra="settings: {marker_field: none}\n")
    assert (held(stage.plan()), details(stage)) == ({}, [])


def test_a_live_one_that_no_list_shows_is_for_a_decision_by_hand_alone() -> None:
    row = build_subscription(9001)
    target = FakeTarget(VirtualClock(), row)
    mappings, recorded = build_mappings(build_mapping()), build_recorded(build_binding(9001))
    assert reveal_known(target, mappings, (), recorded) == ()
    assert reveal_known(target, mappings, (), recorded, live_too=True) == (row,)


def test_the_id_that_a_create_was_answered_with_is_known() -> None:
    row = build_subscription(9101, is_active=False)
    attempt = replace(build_attempt(), named_id=row.id)
    shown = reveal_known(
        FakeTarget(VirtualClock(), row), build_mappings(build_mapping()), (), build_recorded(attempts=[attempt])
    )
    assert shown == (row,)
    unanswered = build_recorded(build_binding(9101, "infima-102"), attempts=[build_attempt()])
    assert reveal_known(FakeTarget(VirtualClock(), row), build_mappings(build_mapping()), (), unanswered) == (row,)


OVER = [build_subscription(9000 + n, is_active=False) for n in range(1, 5)]


@pytest.mark.parametrize(
    ("mapping", "more", "asked"),
    [
        (build_mapping(), {}, [9001, 9002]),  # it is about to get a new one
        (build_mapping(subscription_id=9003), {}, [9003]),
        (build_mapping(), {"infima-101": 9004}, [9004]),
        (build_mapping(retired=True), {}, []),
        (build_mapping(customer=13), {}, []),  # it is about another customer
    ],
)
def test_what_the_state_has_under_keys_that_left_is_asked_for_only_before_a_create(
    mapping: Mapping, more: dict[str, int], asked: list[int]
) -> None:
    left = [build_binding(9002, "left"), build_binding(9001, "gone-too")]
    recorded = build_recorded(*left, *(build_binding(number, key) for key, number in more.items()))
    target = FakeTarget(VirtualClock(), *OVER)
    shown = reveal_known(target, build_mappings(mapping), (), recorded)
    assert [row.id for row in shown] == asked == target.read_alone


def test_one_that_is_gone_keeps_the_others_from_nothing() -> None:
    mappings = build_mappings(*(build_mapping(100 + n, subscription_id=9000 + n) for n in (1, 2)))
    target = FakeTarget(VirtualClock(), OVER[1])
    assert reveal_known(target, mappings, (), build_recorded()) == (OVER[1],)
    assert target.read_alone == [9001, 9002]


def test_a_plan_reads_so_many_known_ids_and_no_more() -> None:
    rows = [build_subscription(number, is_active=False) for number in range(9001, 9061)]
    mappings = build_mappings(*(build_mapping(row.id, subscription_id=row.id) for row in reversed(rows)))
    assert len(reveal_known(FakeTarget(VirtualClock(), *rows), mappings, (), build_recorded())) == MOST_READS == 50
