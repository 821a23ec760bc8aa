"""Whole runs of the shipped code on the simulator: what HaloPSA's own log says afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import Forbidden
from reconciler.model import MappingKey
from reconciler.plan_document import dump_document, plan_document
from reconciler.plan_document.read import read_plan_file
from reconciler.planning.changes import ActionReason, Plan
from reconciler.planning.observation import PlanOptions
from reconciler.planning.rules import Allowance, Rule
from reconciler.providers.halopsa import HaloTarget
from reconciler.run import Finished
from reconciler.simulator.switches import Switches
from reconciler.state.recording import RecordedRun
from tests.faults.kinds import Fault, FaultKind
from tests.stage import Stage, allow, lose_state, small_mappings, small_world

HOUR = 3600


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(small_world(), tmp_path, small_mappings())


def ended(finished: Finished) -> dict[str, str]:
    return {key.removeprefix("infima-"): str(settled.outcome) for key, settled in finished.applied.outcomes.items()}


def held_by(finished: Finished) -> dict[str, str]:
    return {c.key.removeprefix("infima-"): str(c.hold.rule) for c in finished.plan.changes if c.hold}


def fault(stage: Stage, kind: FaultKind, at: str = "halo.write", **more: object) -> None:
    stage.faults.script = (*stage.faults.script, Fault(kind=kind, at=at, **more))  # type: ignore[arg-type]


def created(stage: Stage) -> list[str]:
    """Markers of what the API created, by the world's own log."""
    return [str(m.changes["snowid"][1]) for m in stage.world.mutations if m.kind == "licence" and m.action == "create"]


def test_the_first_night_finds_creates_and_counts_and_the_second_is_quiet(stage: Stage) -> None:
    stage.world.users_join(101, 5)
    first = stage.apply()
    assert (first.verdict.exit_code, first.verdict.sentence) == (
        0,
        "Apply complete! 2 created, 1 updated, 3 unchanged.",
    )
    assert sorted(created(stage)) == ["infima-105", "infima-106"]
    assert (stage.count_of(9001), stage.count_of(9050)) == (15, 70)
    written = len(stage.writes())
    second = stage.apply()
    assert (set(ended(second).values()), len(stage.writes())) == ({"unchanged"}, written)


@pytest.mark.parametrize("counted", ["present", "rows", "zero", "absent"])
@pytest.mark.parametrize("ceiling", [1, 2, 4, 50, 100])
def test_behind_a_ceiling_nobody_gets_a_second_subscription(stage: Stage, ceiling: int, counted: str) -> None:
    stage.world.switches = Switches(page_ceiling=ceiling, record_count=counted)  # type: ignore[arg-type]
    for _ in range(3):
        night = stage.apply()
        assert (night.verdict.exit_code, held_by(night)) == (0, {})
    assert sorted(created(stage)) == ["infima-105", "infima-106"]


def test_a_renamed_key_bills_nobody_twice(stage: Stage) -> None:
    stage.apply()
    written = len(stage.writes())
    stage.text = small_mappings(c105="    key: eastgate")
    night = stage.apply()
    changes = {c.key: c for c in night.plan.changes}
    hold = changes[MappingKey("eastgate")].hold
    assert hold is not None
    assert (hold.rule, night.verdict.exit_code) == (Rule.SAME_NAME, 3)
    assert "infima-105, which mappings.yaml no longer has: write that key back" in hold.remedy
    assert len(stage.writes()) == written


def test_a_file_that_names_another_subscription_than_the_state_is_held(stage: Stage) -> None:
    stage.apply()
    stage.world.add_licence(14, "Something else", 3, licence_id=9500)
    stage.world.users_join(104, 2)
    stage.text = small_mappings().replace("subscription_id: 9010", "subscription_id: 9500")
    night = stage.apply()
    assert held_by(night) == {"104": "identity-conflict"}
    assert (stage.count_of(9010), stage.count_of(9500)) == (13, 3)


def test_what_a_person_deleted_is_not_created_again(stage: Stage) -> None:
    stage.apply()
    stage.world.person_deletes(9001)
    stage.world.users_join(102, 1)
    night = stage.apply()
    assert (held_by(night), ended(night)["102"]) == ({"101": "subscription-gone"}, "applied")
    assert (night.verdict.users_before, night.verdict.users_after) == (65, 66)
    assert len(created(stage)) == 2


@pytest.mark.parametrize("rule", [Rule.CUSTOMER_INACTIVE, Rule.CUSTOMER_UNKNOWN])
def test_no_allowance_creates_for_a_customer_that_nobody_knows(stage: Stage, rule: Rule) -> None:
    stage.world.customers.clear()
    stage.world.add_customer(10, "Somebody else")
    assert set(held_by(stage.apply(allow(rule))).values()) >= {"customer-unknown"}
    assert created(stage) == []


@pytest.mark.parametrize("scope", ["read:customers", "edit:softwarelicensing"])
def test_a_right_that_was_not_granted_refuses_the_plan_already(stage: Stage, scope: str) -> None:
    stage.world.switches = Switches(scopes_withheld=(scope,))
    with pytest.raises(Forbidden, match=scope):
        stage.plan()
    stage.world.switches = Switches(scopes_withheld=(scope,), scope_in_token_answer=False, missing_scope_status=403)
    with pytest.raises(Forbidden):
        stage.plan()


def test_what_has_ended_is_neither_written_nor_created_again(stage: Stage) -> None:
    stage.apply()
    stage.world.person_edits(9001, end_date="2026-01-31T00:00:00")
    stage.world.users_join(101, 1)
    night = stage.apply()
    assert (held_by(night), stage.count_of(9001), len(created(stage))) == ({"101": "subscription-gone"}, 10, 2)
    stage.world.person_edits(9001, autorenew=True)
    assert (held_by(stage.apply()), stage.count_of(9001)) == ({}, 11)


def test_a_lost_answer_makes_no_second_subscription(stage: Stage) -> None:
    fault(stage, FaultKind.RESET, after=True)
    stage.world.switches = Switches(lag_seconds=2 * HOUR, lag_of="creates")
    first = stage.apply()
    assert sorted(ended(first).items())[4:] == [("105", "unknown"), ("106", "unknown")]
    assert held_by(stage.apply()) == {"105": "attempt-open", "106": "attempt-open"}
    stage.clock.sleep(3 * HOUR)
    third = stage.apply()
    assert (sorted(created(stage)), third.verdict.exit_code) == (["infima-105", "infima-106"], 0)
    assert [stage.count_of(number) for number in (9051, 9052)] == [14, 15]


def test_a_create_without_a_trace_is_made_anew_after_the_settle_time(stage: Stage) -> None:
    fault(stage, FaultKind.SERVER_ERROR)
    first = stage.apply()
    assert (ended(first)["105"], created(stage)) == ("unknown", ["infima-106"])
    stage.clock.sleep(21 * HOUR)
    before = stage.clock.monotonic()
    assert ended(stage.apply())["105"] == "applied"
    assert stage.clock.monotonic() - before >= 60
    assert created(stage) == ["infima-106", "infima-105"]


def test_without_markers_the_recorded_binding_is_enough(stage: Stage) -> None:
    stage.world.switches = Switches(marker="dropped")
    assert stage.apply().verdict.exit_code == 0
    assert set(ended(stage.apply()).values()) == {"unchanged"}


def test_a_saved_plan_takes_away_and_adds_nothing(stage: Stage) -> None:
    stage.world.users_join(101, 2)
    saved = dump_document(plan_document(stage.plan(), version="0.1.0")).encode()
    stage.world.users_join(101, 1)
    stage.world.users_join(102, 1)
    night = stage.apply(agreed=read_plan_file(saved).permitted)
    assert {key: ended(night)[key] for key in ("101", "102", "105")} == {
        "101": "stale", "102": "stale", "105": "applied",
    }  # fmt: skip
    assert (stage.count_of(9001), stage.count_of(9002)) == (10, 11)


def test_a_write_that_changes_more_than_the_count_is_named(stage: Stage) -> None:
    stage.world.users_join(101, 2)
    fault(stage, FaultKind.OTHER_FIELD)
    night = stage.apply()
    assert (ended(night)["101"], night.verdict.exit_code) == ("failed", 4)
    message = night.applied.outcomes[MappingKey("infima-101")].message
    assert message.startswith("the quantity is right, but")


def test_zero_is_written_only_where_the_file_or_a_person_says_so(stage: Stage) -> None:
    stage.apply()
    stage.world.users_become(102, 0)
    assert (held_by(stage.apply()), stage.count_of(9002)) == ({"102": "zero"}, 11)
    stage.text = small_mappings(c102="    quantity: {allow_zero: true}")
    assert (held_by(stage.apply()), stage.count_of(9002)) == ({}, 0)
    stage.world.users_become(101, 0)
    assert held_by(stage.apply(allow(Rule.ZERO, "infima-101"))) == {"101": "decrease"}
    both = (Allowance(rule=rule, reason="test", key="infima-101") for rule in (Rule.ZERO, Rule.DECREASE))
    assert stage.apply(PlanOptions(allowances=tuple(both))).verdict.exit_code == 0
    assert stage.count_of(9001) == 0


def test_updates_hold_nothing_but_id_and_count(stage: Stage) -> None:
    stage.apply()
    bodies = [json.loads(body) for body in stage.writes()]
    updates = [row for rows in bodies for row in rows if "id" in row]
    creates = [rows for rows in bodies if "id" not in rows[0]]
    assert all(set(row) == {"id", "count"} for row in updates)
    assert [(len(rows), rows[0]["count"]) for rows in creates] == [(1, 0), (1, 0)]


def test_a_state_that_dies_with_its_job_makes_no_create(stage: Stage) -> None:
    stage.durable = False
    stage.world.users_join(101, 2)
    night = stage.apply()
    assert held_by(night) == {"105": "state-not-durable", "106": "state-not-durable"}
    assert (created(stage), stage.count_of(9001)) == ([], 12)


def test_another_infima_partner_refuses_the_run(stage: Stage) -> None:
    stage.apply()
    written = len(stage.writes())
    stage.world.partner = "Somebody else"
    stage.world.users_join(101, 2)
    night = stage.apply()
    assert [v.rule for v in night.plan.refusals] == [Rule.WRONG_TENANT]
    assert (night.verdict.exit_code, len(stage.writes())) == (3, written)
    assert night.verdict.sentence == "Apply refused by wrong-tenant. Nothing was written."


# --- a lost state ----------------------------------------------------------------------------------------------------


def holds(plan: Plan) -> dict[str, str]:
    return {str(c.key): str(c.hold.rule) for c in plan.changes if c.hold}


def test_after_a_loss_nothing_is_created_night_after_night_until_each_is_decided(stage: Stage) -> None:
    lose_state(stage)
    both = {"infima-105": "state-lost", "infima-106": "state-lost"}
    for _ in range(3):
        finished = stage.apply()
        assert (finished.verdict.exit_code, finished.applied.created, holds(finished.plan)) == (3, 0, both)
        stage.clock.sleep(86_400)
    finished = stage.apply(allow(Rule.STATE_LOST, "infima-105"))
    assert (finished.applied.created, holds(finished.plan)) == (1, {"infima-106": "state-lost"})
    assert holds(stage.plan()) == {"infima-106": "state-lost"}
    assert stage.apply(allow(Rule.STATE_LOST)).verdict.exit_code == 0
    assert holds(stage.plan()) == {}


def test_a_decision_holds_even_where_the_create_came_to_nothing(stage: Stage) -> None:
    lose_state(stage)
    stage.apply()
    stage.faults.script = (Fault(kind=FaultKind.BAD_REQUEST, at="halo.write", times=9),)
    assert stage.apply(allow(Rule.STATE_LOST, "infima-105")).applied.created == 0
    stage.faults.script = ()
    assert holds(stage.plan()) == {"infima-106": "state-lost"}
    assert stage.apply().applied.created == 1


def test_a_decision_about_one_part_of_the_file_decides_nothing_about_the_rest(stage: Stage) -> None:
    lose_state(stage)
    stage.apply()
    wishes = replace(allow(Rule.STATE_LOST), only=(MappingKey("infima-105"),))
    assert stage.apply(wishes).applied.created == 1
    assert holds(stage.plan()) == {"infima-106": "state-lost"}


def test_what_comes_into_the_file_after_the_loss_was_seen_is_new(stage: Stage) -> None:
    lose_state(stage)
    stage.apply()
    stage.world.add_client(107, "Gorse Mill", active=4)
    stage.world.add_customer(17, "Gorse Mill")
    stage.text += '  - infima_client: {id: 107, name: "Gorse Mill"}\n    halo_customer: {id: 17, name: "Gorse Mill"}\n'
    assert set(holds(stage.plan())) == {"infima-105", "infima-106"}


def test_a_key_that_is_renamed_twice_takes_its_doubt_along_and_a_binding_ends_it(stage: Stage) -> None:
    stage.text = stage.text.replace("infima_client: {id: 106", "key: fenwick\n    infima_client: {id: 106")
    lose_state(stage)
    assert holds(stage.apply().plan)["fenwick"] == "state-lost"
    stage.text = stage.text.replace("key: fenwick", "key: fenwick-law")
    assert holds(stage.apply().plan)["fenwick-law"] == "state-lost"
    assert stage.apply(allow(Rule.STATE_LOST)).verdict.exit_code == 0
    stage.apply()
    assert stage.store().read().undecided == {"fenwick"}  # a key that no mapping has


def test_a_run_about_a_part_of_the_file_notes_the_loss_for_all_of_it(stage: Stage) -> None:
    lose_state(stage)
    stage.apply(PlanOptions(only=(MappingKey("infima-101"),)))
    assert set(holds(stage.plan())) == {"infima-105", "infima-106"}


# --- a state that is new, where nothing in HaloPSA tells a loss from a first run ------------------------------------


def new_state_words(stage: Stage) -> list[str]:
    return [warning for warning in stage.plan().warnings if "is new" in warning]


@pytest.fixture
def unmarked(stage: Stage) -> Stage:
    """The state is lost, and no Subscription carries a marker."""
    lose_state(stage)
    for row in stage.world.licences.values():
        row.pop("snowid", None)
    return stage


def test_a_state_is_said_to_be_new_until_a_run_has_written_with_it(unmarked: Stage) -> None:
    """A refused night leaves its record in the state and knows nothing of any Subscription."""
    unmarked.text = unmarked.text.replace("version: 1\n", "version: 1\nlimits: {max_creates: 0}\n", 1)
    assert unmarked.apply().plan.refused
    [told] = new_state_words(unmarked)
    assert told.endswith("is new: no run has written with it yet. If there is one already, name it with --state")


def test_what_the_first_night_held_is_still_new_to_the_state(unmarked: Stage) -> None:
    right = unmarked.text
    unmarked.text = right.replace('id: 16, name: "Fenwick Law"', 'id: 16, name: "Somebody else"')
    assert holds(unmarked.apply().plan)["infima-106"] == "name-mismatch"
    unmarked.text = right
    [told] = new_state_words(unmarked)
    assert "is new for infima-101, infima-102, infima-103, infima-106: it has known no Subscription" in told
    assert unmarked.apply().applied.created == 1
    [told] = new_state_words(unmarked)
    assert "is new for infima-101, infima-102, infima-103: " in told  # held: their own stand there under the same name


def test_what_comes_into_the_file_later_is_not_new_to_the_state(unmarked: Stage) -> None:
    unmarked.apply()
    unmarked.world.add_client(107, "Gorse", active=4)
    unmarked.world.add_customer(17, "Gorse")
    unmarked.text += '  - infima_client: {id: 107, name: "Gorse"}\n    halo_customer: {id: 17, name: "Gorse"}\n'
    [told] = new_state_words(unmarked)
    assert "is new for infima-101, infima-102, infima-103: " in told  # their own stand there under the same name


def test_a_partial_first_run_leaves_the_rest_new(unmarked: Stage) -> None:
    unmarked.apply(PlanOptions(only=(MappingKey("infima-105"),)))
    [told] = new_state_words(unmarked)
    assert "infima-106" in told
    assert "infima-105" not in told


# --- a run that was killed -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


def kill_behind_the_post(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    send = HaloTarget.send

    def gone(*args: object) -> None:
        send(*args)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(HaloTarget, "send", gone)
        patch.setattr(RecordedRun, "abandon", lambda _run, _reason: None)
        with pytest.raises(Killed):
            stage.apply()


def test_what_a_killed_run_wrote_is_no_persons_edit(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.apply()
    stage.world.users_join(101, 5)
    kill_behind_the_post(stage, monkeypatch)
    assert stage.count_of(9001) == 15
    stage.world.users_leave(101, 5)
    tight = "version: 1\nlimits: {max_decrease: {users: 1, percent: 1}}\n"
    stage.text = stage.text.replace("version: 1\n", tight, 1)
    for _ in range(2):  # the first apply takes the run into the history and holds the fall; the night after still knows
        [change] = [c for c in stage.plan().changes if c.key == "infima-101"]
        assert change.hold is not None
        assert (change.edited_from, change.reason) == (None, ActionReason.COUNT_CHANGED)
        stage.apply()
        stage.clock.sleep(86_400)


def test_what_a_person_did_to_another_one_meanwhile_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.apply()
    stage.world.users_join(101, 5)
    kill_behind_the_post(stage, monkeypatch)
    stage.world.person_sets_count(9002, 99)
    [change] = [c for c in stage.plan().changes if c.key == "infima-102"]
    assert (change.edited_from, change.before and change.before.count) == (11, 99)
