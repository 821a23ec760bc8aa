"""Moving a state: whole, verified, both ways; the old place is refused from then on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateError, StateLocked
from reconciler.state.directory import DirectoryState, HeldDirectory
from reconciler.state.git import GitState
from reconciler.state.moving import MovableState, move_state
from tests.state.gitworld import clone
from tests.state.samples import StillClock, attempt, binding, change, run_info, verdict

NOW = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)


@pytest.fixture
def branch(work: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    return GitState(work, clock=clock, environ=git_environ)


@pytest.fixture
def other(tmp_path: Path, clock: StillClock) -> DirectoryState:
    return DirectoryState(tmp_path / "other", clock=clock)


def fill(place: DirectoryState | GitState, name: str = "r1") -> None:
    with place.open_run(run_info(name)) as run:
        run.record_attempts([attempt("acme"), attempt("borealis")])
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict(name, changes=(change("acme"),)))


def move(source: MovableState, target: MovableState) -> None:
    move_state(source, target, run_info("mv"), now=NOW)


@pytest.mark.parametrize("way", ["to a branch", "to a directory"])
def test_everything_goes_along_and_the_old_place_is_refused(
    store: DirectoryState, branch: GitState, other: DirectoryState, way: str
) -> None:
    target = branch if way == "to a branch" else other
    fill(store)
    before, runs = store.read(), store.history.runs()
    move(store, target)
    assert target.read() == before
    assert target.history.runs() == runs
    for use in (store.read, lambda: store.history, lambda: store.open_run(run_info("r2")).__enter__()):
        with pytest.raises(StateError, match=r"was moved to .* on 2026-11-29 05:00 UTC") as caught:
            use()
        assert f"--state {target.spec}" in caught.value.hint


def test_it_goes_on_where_it_was_moved_to_and_comes_back(store: DirectoryState, branch: GitState) -> None:
    fill(store)
    move(store, branch)
    with branch.open_run(run_info("r2")) as run:
        run.record_bindings([binding("borealis", 9002)])
        run.finish(verdict("r2"))
    move(branch, store)
    assert set(store.read().bindings) == {"acme", "borealis"}
    assert [past.info.id for past in store.history.runs()] == ["r1", "r2"]
    with pytest.raises(StateError, match="was moved to directory:"):
        branch.read()
    fill(store, "r3")
    move(store, branch)
    assert [past.info.id for past in branch.history.runs()] == ["r1", "r2", "r3"]


def test_the_chains_are_whole_after_a_move(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    move(store, other)
    fill_more = other.open_run(run_info("r2"))
    with fill_more as run:
        run.finish(verdict("r2"))
    assert other.read().damage == ()


def test_a_place_with_a_state_of_its_own_is_not_written_over(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    fill(other, "r9")
    there = other.read()
    with pytest.raises(StateError, match="holds a state of its own already"):
        move(store, other)
    assert other.read() == there
    assert store.read().bindings


def test_nothing_is_moved_from_nowhere(store: DirectoryState, other: DirectoryState) -> None:
    with pytest.raises(StateError, match="There is no state at"):
        move(store, other)


def test_a_place_is_not_moved_to_itself(store: DirectoryState) -> None:
    fill(store)
    with pytest.raises(StateError, match="already"):
        move(store, store)
    assert store.read().bindings


def test_nothing_is_moved_while_a_run_goes_on(store: DirectoryState, other: DirectoryState) -> None:
    fill(store)
    with store.open_run(run_info("r2")) as run, pytest.raises(StateLocked):
        move(store, other)
    del run
    assert store.read().bindings


class Forgetful(DirectoryState):
    """A disk that keeps other bytes than it was given."""

    @contextmanager
    def hold(self, info: object):  # type: ignore[no-untyped-def]
        with super().hold(info) as held:  # type: ignore[arg-type]

            class Odd(HeldDirectory):
                def put(self, files: Mapping[str, bytes], *, message: str) -> None:
                    short = {name: content[:-1] if "journal" in name else content for name, content in files.items()}
                    super().put(short, message=message)

            yield Odd(held._directory)


def test_a_copy_that_is_not_the_same_leaves_the_old_place_in_use(
    store: DirectoryState, tmp_path: Path, clock: StillClock
) -> None:
    fill(store)
    with pytest.raises(StateError, match="is not what was copied there"):
        move(store, Forgetful(tmp_path / "odd", clock=clock))
    assert store.read().bindings


def test_a_move_that_was_cut_between_copy_and_note_is_finished_by_the_same_command(
    store: DirectoryState, other: DirectoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    whole = HeldDirectory.put

    def cut(self: HeldDirectory, files: Mapping[str, bytes], *, message: str) -> None:
        if "moved to" in message:
            raise StateError("the power went")
        whole(self, files, message=message)

    monkeypatch.setattr(HeldDirectory, "put", cut)
    with pytest.raises(StateError, match="the power went"):
        move(store, other)
    monkeypatch.undo()
    move(store, other)
    assert other.read().bindings
    with pytest.raises(StateError, match="was moved to"):
        store.read()


@pytest.fixture
def elsewhere(tmp_path: Path, remote: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    return GitState(clone(remote, tmp_path / "elsewhere", git_environ), clock=clock, environ=git_environ)


def test_another_clones_run_that_is_under_way_ends_on_the_note(
    branch: GitState, elsewhere: GitState, store: DirectoryState
) -> None:
    fill(branch)
    with elsewhere.open_run(run_info("r2")) as run:
        move(branch, store)
        with pytest.raises(StateError, match="was moved to directory:"):
            run.record_bindings([binding("borealis", 9002)])
        with pytest.raises(StateError, match="was moved to directory:"):
            run.finish(verdict("r2"))
    assert set(store.read().bindings) == {"acme"}
