"""What became of proposed edits is remembered in both backends, without a run and without a write for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.directory import DirectoryState
from reconciler.state.document import STATE_FILE, StateDocument, encode
from reconciler.state.git import GitState
from reconciler.state.recorded import Fate, Offer, Offers
from tests.state.gitworld import git
from tests.state.samples import START, StillClock, binding, run_info

DECLINED = Offer(key="infima-107", title="Map Gull", fate=Fate.DECLINED, since=START, where="pull request 12")


def remember(_: Offers) -> Offers:
    return {"0123abcd": DECLINED}


@pytest.fixture
def state(work: Path, git_environ: dict[str, str]) -> GitState:
    return GitState(work, clock=StillClock(), environ=git_environ)


@pytest.fixture(params=["directory", "git"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> DirectoryState | GitState:
    if request.param == "directory":
        return DirectoryState(tmp_path / "state", clock=StillClock())
    state: GitState = request.getfixturevalue("state")
    return state


def test_it_is_read_back(store: DirectoryState | GitState) -> None:
    store.record_offers(remember, message="Proposals")
    assert store.read().offers == {"0123abcd": DECLINED}


def test_the_rest_of_the_state_stays(store: DirectoryState | GitState) -> None:
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
    store.record_offers(remember, message="Proposals")
    assert set(store.read().bindings) == {"acme"}
    assert store.history.verify() == ()


def test_a_run_leaves_it_as_it_is(store: DirectoryState | GitState) -> None:
    store.record_offers(remember, message="Proposals")
    with store.open_run(run_info()) as run:
        assert run.recorded.offers == {"0123abcd": DECLINED}
        run.record_bindings([binding("acme", 9001)])
    assert store.read().offers == {"0123abcd": DECLINED}


def test_what_changes_nothing_is_not_written(state: GitState, remote: Path, git_environ: dict[str, str]) -> None:
    state.record_offers(remember, message="Proposals")
    before = git(remote, git_environ, "rev-parse", "reconciler-state")
    state.record_offers(remember, message="Proposals")
    assert git(remote, git_environ, "rev-parse", "reconciler-state") == before


def test_a_state_that_was_moved_takes_nothing(tmp_path: Path) -> None:
    store = DirectoryState(tmp_path / "state", clock=StillClock())
    (tmp_path / "state").mkdir()
    moved = encode(StateDocument(moved_to="git:reconciler-state", moved_at=START))
    (tmp_path / "state" / STATE_FILE).write_bytes(moved)
    with pytest.raises(StateError, match="git:reconciler-state"):
        store.record_offers(remember, message="Proposals")
    assert (tmp_path / "state" / STATE_FILE).read_bytes() == moved
