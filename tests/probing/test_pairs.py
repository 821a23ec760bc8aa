"""What two unusual answers together must not come to: a guess, a lifted halo-unfit, a Subscription left above 0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import DecisionRefused
from reconciler.model import Tenant
from reconciler.probing.report import Question
from reconciler.simulator.server import HALO_URL
from reconciler.simulator.world import World
from reconciler.state.recorded import HaloFacts
from tests.core import build_info
from tests.probing.setting import CUSTOMER, ProbeStage, probe_world, told

LATE: dict[str, Any] = {"lag_seconds": 10, "lag_of": "changes"}


def a_stage(folder: Path, *, own: int = 0, **switches: Any) -> ProbeStage:
    stage = ProbeStage(folder, world=probe_world(12), **switches)
    for number in range(own):
        stage.world.add_licence(CUSTOMER, f"Test {number:03}", 3)
    return stage


@pytest.mark.parametrize("single", [False, True])
def test_late_changes_are_seen_where_no_create_takes_a_0(tmp_path: Path, *, single: bool) -> None:
    """The first update sets the 1 that stands there: only another one shows how late a change is."""
    stage = a_stage(tmp_path, count_zero="refuse_at_create", lag_on_single_read=single, **LATE)
    ended = stage.probe()
    assert told(ended, Question.CHANGE_LISTED) == "no"
    assert stage.facts().lag_seconds >= 10
    assert ended.clean
    assert {row["count"] for row in stage.made()} == {0}


def test_a_reset_is_seen_where_no_create_takes_a_0_and_reads_are_late(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, count_zero="refuse_at_create", update_mode="reset", lag_on_single_read=True, **LATE)
    assert "update-frame" in stage.probe().report.unfit


def test_where_nothing_can_be_changed_no_change_is_judged(tmp_path: Path) -> None:
    ended = a_stage(tmp_path, count_zero="refuse", **LATE).probe()
    for question in (Question.CHANGE_LISTED, Question.READ_AT_ONCE, Question.UPDATE_FRAME, Question.BAD_ROW):
        assert told(ended, question) == "could not be told"
    assert told(ended, Question.UPDATE_TO_ZERO) == "no"
    assert {one.quantity for one in ended.left} == {1}


def test_a_reset_is_seen_where_nothing_can_be_changed(tmp_path: Path) -> None:
    assert "update-frame" in a_stage(tmp_path, count_zero="refuse", update_mode="reset").probe().report.unfit


@pytest.mark.parametrize("member", ["name", "client_id"])
def test_an_update_that_resets_the_name_or_the_customer_is_told_and_its_row_set_to_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    monkeypatch.setattr("reconciler.simulator.licences.RESET", {member: 11 if member == "client_id" else "Anything"})
    stage = a_stage(tmp_path, update_mode="reset")
    ended = stage.probe()
    assert "update-frame" in ended.report.unfit
    changed = {mutation.object_id for mutation in stage.world.mutations}
    assert {stage.world.licences[int(number)]["count"] for number in changed} == {0}
    assert changed <= {one.subscription_id for one in ended.left}


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("writes", range(1, 9))
def test_a_stop_before_the_lag_is_known_leaves_nothing_above_0(tmp_path: Path, writes: int, *, single: bool) -> None:
    """A late look shows the 0 from before the last update: that is not taken for the end."""
    stage = a_stage(tmp_path, lag_on_single_read=single, **LATE)
    ended = stage.probe(stop=lambda: len(stage.writes()) >= writes)
    assert {row["count"] for row in stage.made()} == {0} or not ended.clean
    real = {row["id"]: row["count"] for row in stage.made()}
    assert all(real[one.subscription_id] == 0 for one in ended.left if one.quantity == 0)


# --- a customer with more than a page ---------------------------------------------------------------------------------


def test_a_customer_with_more_than_a_page_is_refused(tmp_path: Path) -> None:
    """Else its new Subscriptions, on page two, were taken for never listed, which forbids every apply."""
    stage = a_stage(tmp_path, own=60, page_ceiling=50)
    with pytest.raises(DecisionRefused, match="more than the 50 Subscriptions"):
        stage.probe()
    assert not stage.writes()


def test_a_page_that_fills_up_answers_nothing_about_lists(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, own=49, page_ceiling=50)
    ended = stage.probe()
    for question in (Question.ORDER, Question.PAGING, Question.RECORD_COUNT):
        assert told(ended, question) == "could not be told"
    assert not ended.report.unfit
    assert {row["count"] for row in stage.made()} == {0}


# --- another HaloPSA --------------------------------------------------------------------------------------------------


def test_a_probe_of_another_halo_does_not_replace_one_that_forbids_writing(tmp_path: Path) -> None:
    """A state in which nothing was applied yet has no owner but the HaloPSA that was asked."""
    stage = a_stage(tmp_path, update_mode="reset")
    stage.probe()
    probed = stage.facts().probe
    assert probed is not None
    assert probed.unfit
    elsewhere = replace(stage.facts(), probe=replace(probed, halo_url="https://sandbox.example"))
    _record(stage, elsewhere)
    before = len(stage.writes())
    with pytest.raises(DecisionRefused, match=r"belongs to https://sandbox\.example"):
        stage.probe()
    assert len(stage.writes()) == before


def test_a_state_that_has_changed_hands_is_probed_again(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    stage.probe()
    probed = stage.facts().probe
    assert probed is not None
    facts = replace(stage.facts(), probe=replace(probed, halo_url="https://old.example"))
    _record(stage, facts, Tenant(halo_url=HALO_URL, infima_partner="P"))
    stage.probe()
    assert stage.facts().probe_of(HALO_URL) is not None


def test_what_a_probe_of_another_halo_found_is_no_fact_of_this_one(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, marker="dropped", lag_seconds=4, update_requires="client")
    stage.probe()
    facts = stage.facts()
    assert facts.of(HALO_URL) == facts
    other = facts.of("https://other.example")
    assert (other.lost_markers, other.lag_seconds, other.page_rows, other.probe) == ((), 0, None, None)
    assert other.update_members == facts.update_members


def test_members_that_were_empty_are_named_where_nothing_else_changed(tmp_path: Path) -> None:
    """A new Subscription has no price: that an update resets it to nothing cannot be seen."""
    finding = a_stage(tmp_path).probe().report.finding(Question.UPDATE_FRAME)
    assert finding.answer.value == "yes"
    assert "price" in finding.detail.partition("it tells nothing")[0]


def _record(stage: ProbeStage, facts: HaloFacts, owner: Tenant | None = None) -> None:
    info = build_info()
    with stage.store().open_run(info) as state:
        state.record_facts(facts)
        if owner is not None:
            state.record_ground(owner, ())


# --- where reads are late for longer than they were ------------------------------------------------------------------


@pytest.mark.parametrize("does", ["apply_good", "apply_until_bad", "reject_all"])
@pytest.mark.parametrize("late", [{"lag_seconds": 4}, {"lag_reads": 2}])
def test_what_a_batch_with_a_bad_row_does_is_never_told_of_a_late_read(
    tmp_path: Path, late: dict[str, Any], does: str
) -> None:
    ended = a_stage(tmp_path, bad_element=does, lag_on_single_read=True, **late).probe()
    assert ended.report.finding(Question.BAD_ROW).value in {does, None}


def test_a_count_beside_late_rows_is_not_called_wrong(tmp_path: Path) -> None:
    ended = a_stage(tmp_path, unknown_id="create", lag_reads=3).probe()
    assert ended.report.finding(Question.RECORD_COUNT).value in {"present", None}


@pytest.mark.parametrize("late", [{"lag_seconds": 20}, {"lag_reads": 3}])
def test_four_subscriptions_are_seen_at_0_where_listings_are_late(tmp_path: Path, late: dict[str, Any]) -> None:
    stage = a_stage(tmp_path, unknown_id="create", **late)
    assert stage.probe().clean
    assert stage.sent[-1] <= 60


def test_a_long_lag_that_also_wants_listings_is_not_called_one_without_an_end(tmp_path: Path) -> None:
    assert a_stage(tmp_path, lag_seconds=20, lag_reads=3).probe().report.unfit == {}


def test_a_second_one_of_the_same_name_counts_when_it_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HaloPSA that takes the second create and shows the first one for it has not made two."""
    real = World.create_licence

    def merged(world: World, row: dict[str, Any], **more: Any) -> Any:
        same = [each for each in world.licences.values() if each["name"] == row["name"] and "word" in row["name"]]
        return same[0] if same else real(world, row, **more)

    monkeypatch.setattr(World, "create_licence", merged)
    ended = a_stage(tmp_path).probe()
    assert told(ended, Question.EQUAL_NAMES) == "could not be told"
