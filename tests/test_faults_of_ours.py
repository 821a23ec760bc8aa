"""A bug of ours amid the writing: from the first request on, what became of each change is told (DESIGN 7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler import apply as applying
from reconciler import run as running
from reconciler.errors import UnexpectedFailure
from reconciler.writing.create import Creator
from reconciler.writing.session import WriteSession
from tests.cli.bench import Bench
from tests.cli.conftest import bench  # noqa: F401 - a fixture
from tests.stage import Stage, small_mappings, small_world


def broken(*_args: Any, **_more: Any) -> None:
    raise KeyError("a thought is missing here")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(small_world(), tmp_path, small_mappings())
    made.world.users_join(101, 5)
    return made


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (applying, "_create"),
        (applying, "_verify"),
        (applying, "settle_moved"),
        (applying, "_confirmed_bindings"),
        (Creator, "_follow_up"),
        (WriteSession, "look_again"),
    ],
)
def test_every_outcome_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> None:
    monkeypatch.setattr(place, name, broken)
    finished = stage.apply()
    assert isinstance(finished.applied.error, UnexpectedFailure)
    assert "KeyError at test_faults_of_ours.py:" in finished.applied.error.message
    assert "a thought is missing" not in finished.applied.error.message
    sent = {key for key, settled in finished.applied.outcomes.items() if settled.sent}
    assert "infima-101" in sent
    assert len(finished.applied.outcomes) == len(finished.plan.changes)
    monkeypatch.undo()
    stage.clock.sleep(24 * 3600)
    stage.apply()
    assert stage.apply().verdict.exit_code == 0


def test_one_behind_the_writing_names_what_was_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "find_needs", lambda given, *_more: [] if given.outcomes is None else broken())
    with pytest.raises(UnexpectedFailure) as failure:
        stage.apply()
    assert "what was sent: infima-101 applied, infima-105 applied, infima-106 applied" in failure.value.message
    assert failure.value.exit_code == 4


def test_one_before_the_first_request_is_no_failure_of_the_writing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_found_bindings", broken)
    with pytest.raises(KeyError):
        stage.apply()
    assert stage.writes() == []


def test_the_command_ends_with_4_and_one_json_document(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(applying, "_verify", broken)
    answer = bench.run("apply", "--auto-approve", "-o", "json")
    assert answer.code == 4
    assert "Traceback" not in answer.text
    document = json.loads(answer.out)
    outcomes = {row["name"]: row["outcome"] for row in document["resource_changes"] if row.get("sent")}
    assert set(outcomes) == {"infima-105", "infima-106"}
    assert "Error: a fault of reconciler itself ended the writing (KeyError at " in answer.err


def test_one_in_the_drawing_leaves_the_verdict_and_where_the_record_is(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.cli.apply._report", broken)
    answer = bench.run("apply", "--auto-approve")
    assert answer.code == 4
    assert "; the run: " in answer.err
    assert "2 created" in answer.err
    assert "Its record: reconciler history " in " ".join(answer.err.split())
