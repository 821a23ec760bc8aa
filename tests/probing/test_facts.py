"""What a probe finds is taken into account by later runs, and what it finds dangerous stops them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.errors import DecisionRefused
from reconciler.model import Tenant
from reconciler.planning.rules import Rule
from reconciler.probing.report import FRAME, MARKERS, Answer, Question, Report, encode_report, facts_from
from reconciler.probing.shapes import PUBLISHED
from reconciler.providers.halo_raw import MARKER_FIELDS
from reconciler.simulator.server import HALO_URL
from reconciler.simulator.switches import Switches
from reconciler.state.recorded import HaloFacts, ProbeRecord
from tests.core import build_info
from tests.probing.setting import CUSTOMER, ProbeStage, told
from tests.stage import allow, remember_markers, small_mappings, small_world


def billing(folder: Path, **switches: Any) -> ProbeStage:
    """Six mappings of which three have more users than they are billed for, and a customer to try things on."""
    world = small_world()
    world.add_customer(CUSTOMER, "Throw-away")
    stage = ProbeStage(folder, world=world, **switches)
    stage.text = small_mappings()
    remember_markers(world, stage.folder / ".reconciler")
    for client in (101, 102, 103):
        world.users_join(client, 3)
    return stage


# --- halo-unfit ------------------------------------------------------------------------------------------------------


def test_an_update_that_resets_members_stops_every_apply_until_a_newer_probe(tmp_path: Path) -> None:
    stage = billing(tmp_path, update_mode="reset")
    ended = stage.probe()
    assert told(ended, Question.UPDATE_FRAME) == "no"
    before = len(stage.writes())
    night = stage.apply(allow(Rule.HALO_UNFIT))
    assert [violation.rule for violation in night.plan.refusals] == [Rule.HALO_UNFIT]
    assert night.verdict.exit_code == 3
    assert len(stage.writes()) == before
    stage.world.switches = Switches()
    assert stage.apply().verdict.exit_code == 3, "that HaloPSA is right again is known by a probe only"
    stage.probe()
    assert stage.apply().verdict.exit_code == 0


def test_a_probe_that_could_not_tell_takes_nothing_back(tmp_path: Path) -> None:
    stage = billing(tmp_path, update_mode="reset")
    stage.probe()
    stopped = stage.probe(stop=after_one_write(stage))
    assert told(stopped, Question.UPDATE_FRAME) == "could not be told"
    assert stage.apply().verdict.exit_code == 3


def test_what_another_halo_was_found_to_be_says_nothing_of_this_one(tmp_path: Path) -> None:
    stage = billing(tmp_path, update_mode="reset")
    stage.probe()
    known = stage.facts().probe
    assert known is not None
    kept = facts_from(stage.probe().report, HaloFacts(probe=replace(known, halo_url="https://o.example")), halo_url="u")
    assert kept.probe is not None
    assert kept.probe_of(HALO_URL) is None


def test_a_state_of_another_halo_is_not_written(tmp_path: Path) -> None:
    stage = billing(tmp_path)
    info = next(iter([stage.apply()])).verdict
    assert info.exit_code == 0
    other = Tenant(halo_url="https://other.example", infima_partner="P")
    with stage.store().open_run(build_info()) as state:
        state.record_ground(other, ())
    before = len(stage.writes())
    with pytest.raises(DecisionRefused, match=r"belongs to https://other\.example"):
        stage.probe()
    assert len(stage.writes()) == before


def after_one_write(stage: ProbeStage) -> Callable[[], bool]:
    """Somebody asks to stop as soon as one write has been sent."""
    before = len(stage.writes())
    return lambda: len(stage.writes()) > before


# --- taken into account ----------------------------------------------------------------------------------------------


def test_the_first_update_has_what_this_halo_wants(tmp_path: Path) -> None:
    stage = billing(tmp_path, update_requires="client")
    stage.probe()
    before = len(stage.writes())
    assert stage.apply().verdict.exit_code == 0
    updates = [json.loads(body) for body in stage.writes()[before:]]
    assert all({"id", "count", "client_id"} == set(row) for rows in updates for row in rows if "id" in row)
    assert stage.facts().update_members == ("client_id",)


def test_a_listing_that_is_known_to_be_late_is_waited_for(tmp_path: Path) -> None:
    """Without the probe the verification gives up after half a minute, and the creates' look after a whole one."""
    blind = billing(tmp_path / "blind", lag_seconds=80)
    assert blind.apply().verdict.exit_code == 4
    stage = billing(tmp_path / "asked", lag_seconds=80)
    stage.probe(wait=200)
    assert stage.facts().lag_seconds >= 80
    assert stage.apply().verdict.exit_code == 0


def test_the_page_size_is_known_where_the_writes_time_is_told(tmp_path: Path) -> None:
    stage = ProbeStage(tmp_path, page_ceiling=50)
    stage.probe()
    assert stage.facts().page_rows == 50
    stage.text = small_mappings()
    assert stage.plan().facts.page_rows == 50


def test_a_marker_field_that_is_known_to_be_lost_is_warned_of(tmp_path: Path) -> None:
    stage = billing(tmp_path, marker="dropped", marker_fields=("snowid", "third_party_productid"))
    stage.probe()
    assert stage.facts().lost_markers == ("snowid", "third_party_productid")
    assert any("write settings: {marker_field: notes} into mappings.yaml" in one for one in stage.plan().warnings)
    stage.text = small_mappings("settings: {marker_field: notes}\n")
    assert not any("marker_field" in one for one in stage.plan().warnings)


def test_a_probe_that_was_cut_off_is_in_every_plan_until_it_is_finished(tmp_path: Path) -> None:
    stage = billing(tmp_path, count_zero="refuse")
    stage.probe()
    assert any(f"reconciler probe --customer {CUSTOMER}" in one for one in stage.plan().warnings)
    stage.world.switches = Switches()
    stage.probe()
    assert not any("probe" in one for one in stage.plan().warnings)


def test_what_could_not_be_told_this_time_stays_known(tmp_path: Path) -> None:
    stage = ProbeStage(tmp_path, page_ceiling=50, update_requires="client")
    stage.probe()
    stage.probe(stop=after_one_write(stage))
    assert (stage.facts().page_rows, stage.facts().update_members) == (50, ("client_id",))


# --- the report ------------------------------------------------------------------------------------------------------


def test_every_question_is_answered_with_yes_no_or_why_it_could_not_be_told(tmp_path: Path) -> None:
    report = ProbeStage(tmp_path).probe().report
    assert [finding.question for finding in report.findings] == list(Question)
    assert all(finding.detail for finding in report.findings)
    by_exchange = {finding.question for finding in report.findings if finding.exchange is not None}
    without = {question for question in Question if question not in by_exchange}
    assert without <= {
        Question.TOKEN_LIFETIME, Question.TOKEN_SCOPES, Question.EDIT_READS, Question.CREATE_LISTED,
        Question.CHANGE_LISTED, Question.UPDATE_REFUSAL, Question.LIMIT_HEADERS, Question.LIMIT_RETRY_AFTER,
        Question.LIMIT_BODY,
    }  # fmt: skip
    assert msgspec.json.decode(encode_report(report), type=Report) == report


def test_every_question_is_worded_so_that_yes_and_no_are_answers() -> None:
    assert all(question.asks.endswith("?") for question in Question)
    first = {question.asks.split()[0] for question in Question}
    assert first <= {"Is", "Are", "Does", "Do", "Can", "May"}
    assert {answer.value for answer in Answer} == {"yes", "no", "could not be told"}


def test_the_page_speaks_of_questions_that_are_asked_and_counts_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "probe.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z-]+(?:_[a-z]+)?)`", row.split("|")[1])}
    assert rows
    assert named <= {question.value for question in Question}
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"Each of the {len(Question)} questions" in page
    assert f"asks {len(Question)} questions" in readme


def test_the_fields_that_are_asked_about_are_those_that_can_carry_a_marker() -> None:
    assert set(MARKERS) == set(MARKER_FIELDS)
    assert FRAME <= PUBLISHED


def test_the_published_members_are_those_of_the_published_text() -> None:
    text = json.loads((Path(__file__).parents[1] / "contracts" / "halo_openapi_subset.json").read_text())
    assert set(text["components"]["schemas"]["Licence_List"]["properties"]) == PUBLISHED


def test_a_probe_of_a_usual_halo_forbids_and_advises_nothing(tmp_path: Path) -> None:
    stage = ProbeStage(tmp_path)
    report = stage.probe().report
    assert (report.unfit, report.advice) == ({}, ())
    assert isinstance(stage.facts().probe, ProbeRecord)
