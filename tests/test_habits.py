"""Whole runs against a HaloPSA of other habits: what it demands of an update, how it answers, when it is too busy."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.simulator.records import Actor
from reconciler.simulator.switches import Switches
from reconciler.state.directory import DirectoryState
from reconciler.state.recorded import HaloFacts
from tests.faults.kinds import Fault, FaultKind
from tests.stage import Stage, small_mappings, small_world

REFUSALS = ("exception", "database", "binding", "parsing", "string", "empty")
BAD_ELEMENT = ("reject_all", "apply_good", "apply_until_bad")
ANSWERS = ("auto", "object", "first", "array", "without_id", "empty")


def stage_with(folder: Path, **switches: Any) -> Stage:
    """Six mappings, of which three have more users than they are billed for and two have no Subscription."""
    stage = Stage(small_world(), folder, small_mappings())
    stage.world.switches = Switches(**switches)
    for client in (101, 102, 103):
        stage.world.users_join(client, 3)
    return stage


def facts_of(stage: Stage) -> HaloFacts:
    return DirectoryState(stage.folder / ".reconciler", clock=stage.clock).read().halo


def all_is_right(stage: Stage) -> None:
    """Every Subscription has its quantity, each customer one, and no other member of any was changed."""
    wanted = {101: 13, 102: 14, 103: 15, 104: 13, 105: 14, 106: 15}
    ours = [row for row in stage.world.licences.values() if "INFIMA" in row["name"]]
    assert {row["client_id"] + 90: row["count"] for row in ours} == wanted
    assert len(ours) == len(wanted)
    changes = [m.changes for m in stage.world.mutations if m.actor is Actor.API and m.action == "update"]
    assert all(set(change) == {"count"} for change in changes)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("shape", REFUSALS)
@pytest.mark.parametrize(
    ("wants", "members"), [("client", ("client_id",)), ("client_name_type", ("client_id", "name", "type"))]
)
def test_an_update_that_wants_more_gets_it_and_the_next_night_knows(
    tmp_path: Path, wants: str, members: tuple[str, ...], shape: str, status: int
) -> None:
    stage = stage_with(tmp_path, update_requires=wants, refusal_shape=shape, refusal_status=status)
    assert stage.apply().verdict.exit_code == 0
    all_is_right(stage)
    assert facts_of(stage).update_members == members
    stage.world.users_join(101, 1)
    before = len(stage.writes())
    assert stage.apply().verdict.exit_code == 0
    (body,) = stage.writes()[before:]
    assert set(json.loads(body)[0]) == {"id", "count", *members}


@pytest.mark.parametrize(("bad", "answer"), list(itertools.product(BAD_ELEMENT, ANSWERS)))
@pytest.mark.parametrize("wants", ["client", "client_name_type"])
def test_whatever_becomes_of_the_batch_that_wanted_more(tmp_path: Path, wants: str, bad: str, answer: str) -> None:
    stage = stage_with(tmp_path, update_requires=wants, bad_element=bad, post_shape=answer)
    assert stage.apply().verdict.exit_code == 0
    all_is_right(stage)


@pytest.mark.parametrize("lag", [0, 5])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("status", [200, 201])
def test_no_answer_to_a_write_decides_about_a_row(tmp_path: Path, answer: str, status: int, lag: int) -> None:
    """The last row only, the first, objects without an id, an empty body: the listing decides (FAULTS W19)."""
    stage = stage_with(tmp_path, post_shape=answer, post_status=status, lag_seconds=lag)
    assert stage.apply().verdict.exit_code == 0
    all_is_right(stage)


@pytest.mark.parametrize("answer", ANSWERS[1:5])
def test_an_answer_that_tells_less_costs_no_request_more(tmp_path: Path, answer: str) -> None:
    usual, other = (stage_with(tmp_path / name, post_shape=name) for name in ("auto", answer))
    usual.apply()
    other.apply()
    assert len(other.world.requests) == len(usual.world.requests)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_429_at_any_write_ends_in_the_right_quantities(tmp_path: Path, nth: int, *, after: bool) -> None:
    """A create stays unknown, and the next night adopts it or creates it; everything else is right the same night."""
    stage = stage_with(tmp_path)
    stage.faults.script = (Fault(kind=FaultKind.RATE_LIMITED_SECONDS, at="halo.write", nth=nth, after=after),)
    first = stage.apply()
    ended = {key: str(settled.outcome) for key, settled in first.applied.outcomes.items()}
    assert {ended.pop("infima-105"), ended.pop("infima-106")} <= {"applied", "unknown"}
    assert sorted(ended.values()) == ["applied", "applied", "applied", "unchanged"]
    stage.clock.sleep(24 * 3600)
    assert stage.apply().verdict.exit_code == 0
    all_is_right(stage)


def test_a_server_that_counts_requests_is_waited_for(tmp_path: Path) -> None:
    stage = stage_with(tmp_path, rate_limit=6, rate_window_seconds=60, retry_after="seconds")
    stage.apply()
    stage.clock.sleep(24 * 3600)
    stage.world.switches = replace(stage.world.switches, rate_limit=None)
    stage.apply()
    all_is_right(stage)
