"""Three months of six clients, recorded in a real state directory, and the command line over it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import main
from tests.clock import VirtualClock
from tests.history.months import moment, sleep_until, start_at
from tests.stage import Stage, small_mappings, small_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Six mappings with three markers, one adopted by id; the first run creates the other two, on 3 September."""
    world = small_world()
    start_at(world, moment(9, 3))
    made = Stage(world, tmp_path, small_mappings())
    (tmp_path / "mappings.yaml").write_text(made.text, encoding="utf-8")
    return made


@pytest.fixture
def autumn(stage: Stage) -> Stage:
    """Runs on 3 and 20 September, 2 and 15 October, 1 and 21 November."""
    stage.apply()
    sleep_until(stage, moment(9, 20))
    stage.world.users_join(101, 5)
    stage.apply()
    sleep_until(stage, moment(10, 2))
    stage.apply()
    sleep_until(stage, moment(10, 15))
    stage.world.users_leave(101, 3)
    stage.world.users_join(102, 1)
    stage.apply()
    sleep_until(stage, moment(11, 1))
    stage.world.users_leave(103, 12)
    stage.apply()
    sleep_until(stage, moment(11, 21))
    stage.world.users_join(104, 2)
    stage.apply()
    return stage


@pytest.fixture
def command(stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in the stage's folder, at the stage's time, without any network."""
    for name in ("CI", "FORCE_COLOR", "RECONCILER_MAPPINGS", "RECONCILER_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(stage.folder)

    def clock_of_the_stage(_stop: object = None) -> VirtualClock:
        return stage.clock

    monkeypatch.setattr("reconciler.cli.wiring.SystemClock", clock_of_the_stage)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str, columns: str = "200") -> Said:
        capsys.readouterr()
        monkeypatch.setenv("COLUMNS", columns)
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Said(code=code, out=captured.out, err=captured.err)

    return run
