"""What a killed container leaves in the clone: git's own lock files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.git import GitState
from reconciler.state.gitcommand import STALE_AFTER
from tests.state.gitworld import git
from tests.state.samples import StillClock, binding, run_info, verdict

KEPT = "refs/reconciler/reconciler-state"
LOST = "refs/reconciler-lost/origin/reconciler-state"
NUMBERS = {"acme": 9001, "borealis": 9002, "corvid": 9003}
OLD, YOUNG = STALE_AFTER + timedelta(seconds=1), STALE_AFTER - timedelta(seconds=1)


@pytest.fixture
def state(work: Path, clock: StillClock, git_environ: dict[str, str]) -> Iterator[GitState]:
    """A branch that this clone has seen."""
    made = GitState(work, clock=clock, environ=git_environ)
    record(made, "acme")
    return made


def record(state: GitState, key: str) -> None:
    with state.open_run(run_info()) as run:
        run.record_bindings([binding(key, NUMBERS[key])])
        run.finish(verdict())


def leave(work: Path, name: str, clock: StillClock, *, age: timedelta) -> Path:
    lock = work / ".git" / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    moment = (clock.now() - age).timestamp()
    os.utime(lock, (moment, moment))
    return lock


@pytest.fixture
def newer(state: GitState, tmp_path: Path, remote: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    """Another clone has gone on meanwhile, so that the next fetch has to move our ref."""
    assert state
    git(tmp_path, git_environ, "clone", "-q", str(remote), str(tmp_path / "elsewhere"))
    record(GitState(tmp_path / "elsewhere", clock=clock, environ=git_environ), "borealis")


@pytest.mark.usefixtures("newer")
def test_an_old_lock_of_our_ref_is_cleared_and_the_run_goes_on(state: GitState, work: Path, clock: StillClock) -> None:
    lock = leave(work, KEPT, clock, age=OLD)
    record(state, "corvid")
    assert not lock.exists()
    assert set(state.read().bindings) == {"acme", "borealis", "corvid"}


@pytest.mark.usefixtures("newer")
def test_a_young_one_may_be_a_readers_and_stays_and_is_explained(
    state: GitState, work: Path, clock: StillClock
) -> None:
    lock = leave(work, KEPT, clock, age=YOUNG)
    with pytest.raises(StateError, match=r"reconciler-state\.lock") as caught:
        record(state, "corvid")
    assert lock.exists()
    assert "A run clears it once it is two minutes old: run again then" in caught.value.hint


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("age", [OLD, YOUNG])
def test_a_plan_reads_past_it_and_touches_nothing(
    state: GitState, work: Path, clock: StillClock, age: timedelta
) -> None:
    lock = leave(work, KEPT, clock, age=age)
    assert set(state.read().bindings) == {"acme", "borealis"}
    assert lock.exists()


def test_the_lock_of_the_ref_that_remembers_a_forced_push_is_ours_too(
    state: GitState, work: Path, clock: StillClock
) -> None:
    lock = leave(work, LOST, clock, age=OLD)
    record(state, "corvid")
    assert not lock.exists()


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("name", ["index", "HEAD", "packed-refs", "shallow", "config", "refs/heads/main", f"{KEPT}-2"])
def test_what_is_not_ours_is_left_alone_and_stops_nothing(
    state: GitState, work: Path, clock: StillClock, name: str
) -> None:
    lock = leave(work, name, clock, age=timedelta(days=30))
    record(state, "corvid")
    assert lock.exists()
    assert set(state.read().bindings) == {"acme", "borealis", "corvid"}


def test_the_locks_of_a_clone_are_those_of_its_worktrees_too(
    state: GitState, work: Path, tmp_path: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    """Refs of ours stand in the common git directory, wherever the command runs."""
    assert state
    git(work, git_environ, "worktree", "add", "-q", str(tmp_path / "beside"))
    lock = leave(work, KEPT, clock, age=OLD)
    record(GitState(tmp_path / "beside", clock=clock, environ=git_environ), "corvid")
    assert not lock.exists()


@pytest.mark.usefixtures("newer")
def test_a_move_of_the_state_clears_it_too(state: GitState, work: Path, clock: StillClock) -> None:
    lock = leave(work, KEPT, clock, age=OLD)
    with state.hold(run_info()):
        assert not lock.exists()
