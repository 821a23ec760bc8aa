"""An instance that shows the marker in the detail only: whole runs, judged by what the world was asked and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.planning import observation
from reconciler.planning.changes import Plan
from reconciler.planning.observation import PlanOptions
from reconciler.planning.rules import Allowance, Rule
from reconciler.simulator.records import RequestRecord
from reconciler.simulator.worlds import scaled_world
from reconciler.state.recorded import BindingOrigin
from tests.clock import VirtualClock
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.scaled import scaled_mappings_yaml
from tests.stage import TEMPLATE, Stage, details, lose_state, small_mappings, small_world


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(small_world(), tmp_path, small_mappings())
    made.world.switches = replace(made.world.switches, marker="unlisted")
    return made


@pytest.fixture
def forgetful(tmp_path: Path) -> Stage:
    """The same after the state was lost: what is new is held, beside whatever a test is about."""
    made = Stage(small_world(), tmp_path, small_mappings(), remembers=False)
    made.world.switches = replace(made.world.switches, marker="unlisted")
    return made


UNDECIDED = {"105": "state-lost", "106": "state-lost"}


def held_by(plan: Plan) -> dict[str, str]:
    return {c.key.removeprefix("infima-"): str(c.hold.rule) for c in plan.changes if c.hold}


def found(plan: Plan) -> dict[str, int]:
    return {
        c.key.removeprefix("infima-"): int(c.before.id)
        for c in plan.changes
        if c.before is not None and c.before.id is not None and c.origin is BindingOrigin.MARKER
    }


def test_a_plan_reads_the_details_of_the_candidates_and_of_nothing_else(forgetful: Stage) -> None:
    stage = forgetful
    assert found(stage.plan()) == {"101": 9001, "102": 9002, "103": 9003}
    assert details(stage) == [9001, 9002, 9003]


def test_where_lists_show_the_marker_no_detail_is_read(stage: Stage) -> None:
    """Even of a row without a marker and with the name: the member on another row says that this one has none."""
    stage.world.switches = replace(stage.world.switches, marker="kept")
    stage.world.add_licence(15, TEMPLATE, 4, licence_id=9020)
    assert (held_by(stage.plan()), details(stage)) == ({"105": "same-name"}, [])


def test_a_namesake_without_our_marker_stays_in_doubt(stage: Stage) -> None:
    stage.world.add_licence(15, TEMPLATE, 4, licence_id=9020, snowid="from-the-distributor")
    assert held_by(stage.plan()) == {"105": "same-name"}


def test_an_apply_after_a_lost_state_finds_all_again_and_then_asks_no_more(stage: Stage) -> None:
    assert stage.apply().verdict.exit_code == 0
    lose_state(stage)
    stage.world.users_join(101, 5)
    again = stage.apply()
    assert (again.verdict.exit_code, again.applied.created, len(stage.world.licences)) == (0, 0, 7)
    assert stage.count_of(9001) == 15
    asked = details(stage)
    assert not stage.plan().writes
    assert details(stage) == asked


def test_a_retired_mapping_is_found_again_and_brought_to_nobody(stage: Stage) -> None:
    stage.text = small_mappings(c101="    retired: true")
    assert stage.apply().verdict.exit_code == 0
    assert stage.count_of(9001) == 0


def test_a_create_whose_answer_is_lost_is_found_in_the_same_run(stage: Stage) -> None:
    stage.faults.script = (Fault(kind=FaultKind.READ_TIMEOUT, at="halo.write", after=True),)
    assert stage.apply().verdict.exit_code == 0
    made = next(number for number, row in stage.world.licences.items() if row.get("snowid") == "infima-105")
    assert (stage.count_of(made), details(stage)) == (14, [made])


def test_a_stranger_that_appears_meanwhile_is_asked_once_and_not_taken(stage: Stage) -> None:
    """The create came to nothing, and somebody made one of the same name: its marker is not ours."""

    class Intruding(Faults):
        def take(self, record: RequestRecord) -> tuple[Fault, ...]:
            struck = super().take(record)
            if struck:
                stage.world.add_licence(15, TEMPLATE, 4, licence_id=9030, snowid="somebody-else")
                stage.world.add_licence(15, "Backup of mailboxes", 4, licence_id=9031)
            return struck

    stage.faults = Intruding([Fault(kind=FaultKind.READ_TIMEOUT, at="halo.write")])
    finished = stage.apply()
    assert (finished.verdict.exit_code, stage.count_of(9030)) == (4, 4)
    assert (details(stage).count(9030), details(stage).count(9031)) == (1, 0)


def test_what_stood_there_before_the_create_is_not_asked_again(stage: Stage) -> None:
    stage.world.add_licence(15, TEMPLATE, 4, licence_id=9020, snowid="from-the-distributor")
    stage.faults.script = (Fault(kind=FaultKind.READ_TIMEOUT, at="halo.write", after=True),)
    another = Allowance(rule=Rule.SAME_NAME, reason="it is another", key="infima-105")
    finished = stage.apply(PlanOptions(allowances=(another,)))
    assert (finished.verdict.exit_code, finished.applied.created, stage.count_of(9020)) == (0, 2, 4)
    assert details(stage).count(9020) == 1


def test_a_create_that_shows_only_after_the_run_is_adopted_by_the_next(stage: Stage) -> None:
    stage.world.switches = replace(stage.world.switches, lag_seconds=120, lag_of="creates")
    stage.faults.script = (Fault(kind=FaultKind.READ_TIMEOUT, at="halo.write", after=True),)
    assert stage.apply().verdict.exit_code == 4
    stage.clock.sleep(600)
    first = {row["snowid"]: number for number, row in stage.world.licences.items() if row.get("snowid")}
    stage.faults.script = ()
    assert stage.apply().verdict.exit_code == 0
    assert stage.count_of(first["infima-105"]) == 14
    assert sorted(row.get("snowid") for row in stage.world.licences.values() if row.get("snowid")) == sorted(first)


def test_one_marker_on_two_subscriptions_is_still_seen(forgetful: Stage) -> None:
    stage = forgetful
    stage.world.add_licence(11, TEMPLATE, 4, licence_id=9020, snowid="infima-101")
    assert held_by(stage.plan()) == {"101": "duplicate-marker", **UNDECIDED}


def test_candidates_are_read_all_or_not_at_all(forgetful: Stage) -> None:
    """One of two that cannot be read: the marker on the other may not be the only one."""
    stage = forgetful
    stage.world.add_licence(11, TEMPLATE, 4, licence_id=9020, snowid="infima-101")
    stage.faults.script = (Fault(kind=FaultKind.NOT_FOUND, at="halo.licence", nth=2),)
    plan = stage.plan()
    assert (held_by(plan), found(plan)) == (
        {"101": "state-lost", **UNDECIDED},
        {"102": 9002, "103": 9003},
    )


def test_a_server_that_gives_no_details_is_asked_once_and_everything_else_goes_on(forgetful: Stage) -> None:
    stage = forgetful
    stage.faults.script = (Fault(kind=FaultKind.FORBIDDEN, at="halo.licence", times=99),)
    plan = stage.plan()
    assert held_by(plan) == dict.fromkeys(("101", "102", "103"), "same-name")
    assert details(stage) == [9001]


def test_without_a_marker_field_nothing_is_looked_for(forgetful: Stage) -> None:
    stage = forgetful
    stage.text += "settings: {marker_field: none}\n"
    assert set(held_by(stage.plan()).values()) == {"same-name"}
    assert details(stage) == []


def test_a_run_reads_a_bounded_number_and_the_next_run_goes_on(tmp_path: Path) -> None:
    world = scaled_world(2 * observation.MOST_READS, clock=VirtualClock())
    world.switches = replace(world.switches, marker="unlisted")
    stage = Stage(world, tmp_path, scaled_mappings_yaml(world, count="client_record"), remembers=False)
    first = stage.apply()
    assert len(details(stage)) == len(found(first.plan)) == observation.MOST_READS
    assert (first.verdict.exit_code, len(world.licences)) == (3, 2 * observation.MOST_READS)
    assert stage.apply().verdict.exit_code == 0
    assert len(details(stage)) == 2 * observation.MOST_READS
