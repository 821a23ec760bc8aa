"""Requests are the real cost: exactly as many as the design states at a thousand mappings, never over the budget."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from reconciler.plan import writing_time
from reconciler.planning.changes import Outcome
from reconciler.simulator.records import Endpoint
from reconciler.simulator.world import World
from reconciler.simulator.worlds import scaled_world
from reconciler.state.directory import DirectoryState
from tests.clock import VirtualClock
from tests.scaled import scaled_mappings_yaml
from tests.stage import Stage

MANY = 1_000
UNLIMITED = "settings: {halo_budget: {requests: 100000, seconds: 300}}\n"
READS = {Endpoint.TOKEN: 1, Endpoint.PARTNER: 1, Endpoint.CLIENTS: 20, Endpoint.CUSTOMERS: 2, Endpoint.LICENCES: 2}
"""A count of a thousand on a page of a thousand does not prove that the list was not cut, so one more page is asked
for: once a run, because that page tells whether the list is counted or the page."""


def stage_of(
    folder: Path, number: int = MANY, *, count: str = "client_record", settings: str = "", **world: object
) -> Stage:
    made: World = scaled_world(number, clock=VirtualClock(), **world)  # type: ignore[arg-type]
    return Stage(made, folder, scaled_mappings_yaml(made, count=count) + settings)


@pytest.fixture(autouse=True)
def disk_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of journal lines are synced to the disk, which is not what is counted here."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def requests_of(stage: Stage) -> dict[Endpoint, int]:
    return dict(Counter(record.endpoint for record in stage.world.requests))


def changed_in(stage: Stage) -> int:
    due = {f"infima-{client_id}": client.active for client_id, client in stage.world.infima_clients.items()}
    return sum(row["count"] != due[row["snowid"]] for row in stage.world.licences.values())


def test_a_plan_lists_each_thing_once_and_asks_for_no_subscription_by_itself(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    assert not stage.plan().writes
    assert requests_of(stage) == READS


def test_counting_users_asks_once_more_for_each_client(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, count="active_users")
    assert not stage.plan().writes
    assert requests_of(stage) == {**READS, Endpoint.USERS: MANY}


def test_an_unchanged_night_costs_no_write_and_no_second_listing(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    assert stage.apply().verdict.exit_code == 0
    assert requests_of(stage) == READS


def test_updates_go_fifty_a_post_and_are_read_back_by_one_listing(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, changed=0.1)
    updates = changed_in(stage)
    assert stage.apply().applied.count(Outcome.APPLIED) == updates
    assert requests_of(stage) == {**READS, Endpoint.LICENCES: 3, Endpoint.WRITE: ceil(updates / 50)}


def test_a_server_that_grants_smaller_pages_is_followed_without_a_request_more(tmp_path: Path) -> None:
    stage = stage_of(tmp_path)
    stage.world.switches = replace(stage.world.switches, page_ceiling=100)
    stage.plan()
    assert requests_of(stage) == {**READS, Endpoint.CUSTOMERS: 10, Endpoint.LICENCES: 10}


def test_a_first_run_posts_each_create_once_and_their_counts_fifty_at_a_time(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, marked=False, settings=UNLIMITED)
    finished = stage.apply()
    groups = MANY // 50
    assert finished.applied.created == MANY
    # listings: for the plan, before and behind each group, before the verdict
    wanted = {**READS, Endpoint.WRITE: MANY + groups, Endpoint.LICENCES: 1 + 2 * groups + 1 + 1}
    assert requests_of(stage) == wanted


def test_the_attempts_of_a_group_are_recorded_together(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, 200, marked=False, settings=UNLIMITED)
    stage.apply()
    journal = "".join(path.read_text() for path in (tmp_path / ".reconciler" / "journal").iterdir())
    assert journal.count('"kind": "attempts"') == 4
    assert journal.count('"kind": "intent"') == 200 + 4


@pytest.mark.timeout(120)
def test_two_thousand_creates_use_the_whole_budget_and_never_pass_it(tmp_path: Path) -> None:
    settings = "settings: {halo_budget: {requests: 240, seconds: 300}, run_timeout_minutes: 350}\n"
    stage = stage_of(tmp_path, 2_000, marked=False, settings=settings)
    plan = stage.plan()
    told, before = writing_time(plan, stage.mappings().settings), len(stage.world.requests)
    begun = stage.clock.monotonic()
    finished = stage.apply()
    took = stage.clock.monotonic() - begun
    assert finished.applied.created == 2_000
    times = [r.time.timestamp() for r in stage.world.requests[before:] if str(r.endpoint).startswith("halo.")]
    busiest = max(bisect_right(times, start + 300 - 1e-6) - place for place, start in enumerate(times))
    assert busiest <= 240
    least = (ceil(len(times) / 240) - 1) * 300
    assert least <= took <= 1.05 * least + 60
    assert told.total_seconds() == pytest.approx(took, rel=0.1)
    assert any("the writes take about" in warning for warning in plan.warnings)


def test_writes_that_fit_into_one_window_take_no_time_worth_telling(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, 100, changed=0.5)
    plan = stage.plan()
    assert not writing_time(plan, stage.mappings().settings)
    assert not any("the writes take" in warning for warning in plan.warnings)


def test_twenty_instances_side_by_side_share_nothing(tmp_path: Path) -> None:
    """Each has its own world, file and state, as in a CI matrix; each sees only its own credentials and writes."""
    stages = []
    for number in range(20):
        folder = tmp_path / f"instance-{number}"
        folder.mkdir()
        stages.append(stage_of(folder, 3 + number, seed=number, marked=number % 2 == 0, changed=1.0))
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda stage: stage.apply(), stages))
    for stage, finished in zip(stages, ended, strict=True):
        own = {client.active for client in stage.world.infima_clients.values()}
        assert finished.verdict.exit_code == 0
        assert {mapping.key for mapping in stage.mappings().mappings} == set(finished.applied.outcomes)
        assert {row["count"] for row in stage.world.licences.values()} <= own
        recorded = DirectoryState(stage.folder / ".reconciler", clock=stage.clock).read().bindings
        assert {b.subscription_id for b in recorded.values()} == set(stage.world.licences)
