"""Moments in the time zone of mappings.yaml."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from reconciler.answers.doctor import check_last_run
from reconciler.model import MappingKey, RunId
from reconciler.moments import spelled
from reconciler.plan_document import plan_document
from reconciler.planning.observation import PlanOptions
from reconciler.render.markdown import render_markdown
from reconciler.run import make_plan
from reconciler.state.recorded import OpenRun
from tests.builders import build_mapping, build_mappings
from tests.core import KEY, build_attempt, build_recorded, observe_fitting

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


def test_a_moment_is_spelled_in_its_zone_with_the_zones_name() -> None:
    assert spelled(EVENING, BERLIN) == "2026-07-02 00:30 Europe/Berlin"
    assert spelled(EVENING.astimezone(BERLIN), UTC) == "2026-07-01 22:30 UTC"
    assert spelled(EVENING, None) == "2026-07-01 22:30 UTC"


def test_doctor_tells_the_last_run_by_the_clocks_of_its_now() -> None:
    recorded = replace(build_recorded(), last_good_run=EVENING)
    told = check_last_run(recorded, (EVENING + timedelta(hours=2)).astimezone(BERLIN)).message
    assert told == "2026-07-02 00:30 Europe/Berlin, 2 h ago"


def test_a_plan_tells_its_moments_in_the_zone_of_the_file() -> None:
    """What an attempt, a run without its end and an overdue run are told with, in hold, warning and need."""
    mapping = build_mapping()
    mappings = build_mappings(mapping)
    mappings = replace(mappings, settings=replace(mappings.settings, timezone=BERLIN))
    attempt = replace(build_attempt(), recorded_at=EVENING)
    cut_off = OpenRun(run=RunId("r1"), journal="j", since=EVENING)
    recorded = replace(
        build_recorded(), attempts={MappingKey(KEY): attempt}, open_runs=(cut_off,), last_good_run=EVENING
    )
    observation = replace(observe_fitting(mapping), taken_at=EVENING + timedelta(hours=1))
    late = replace(observation, taken_at=EVENING + timedelta(days=9))
    plan, overdue = (make_plan(mappings, seen, recorded, PlanOptions()) for seen in (observation, late))
    [change] = plan.changes
    assert change.hold is not None
    assert "a create was begun at 2026-07-02 00:30 Europe/Berlin" in change.hold.message
    assert "the first run after 2026-07-02 20:30 Europe/Berlin decides it" in change.hold.remedy
    told = " ".join([*plan.warnings, *overdue.warnings, *(need.what for need in (*plan.needs, *overdue.needs))])
    assert told.count("2026-07-02 00:30 Europe/Berlin") >= 4
    assert "22:30" not in told


def test_every_drawing_of_a_plan_says_when_it_was_read_by_the_clocks_of_the_file() -> None:
    mapping = build_mapping()
    mappings = build_mappings(mapping)
    observation = replace(observe_fitting(mapping), taken_at=EVENING)
    utc = plan_document(make_plan(mappings, observation, build_recorded(), PlanOptions()), version="0")
    assert "timezone" not in utc
    assert "as read `2026-07-01 22:30:00 UTC`" in render_markdown(utc)
    mappings = replace(mappings, settings=replace(mappings.settings, timezone=BERLIN))
    local = plan_document(make_plan(mappings, observation, build_recorded(), PlanOptions()), version="0")
    assert local["timestamp"] == utc["timestamp"] == "2026-07-01T22:30:00Z"
    assert "as read `2026-07-02 00:30:00 Europe/Berlin`" in render_markdown(local)
