"""A place that is used for something else is refused in the same words, whatever opens it, and stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.directory import DirectoryState
from reconciler.state.git import GitState
from reconciler.state.places import Place, move_state
from reconciler.state.recorded import Fate, Offer
from tests.state.gitworld import git
from tests.state.samples import StillClock, run_info, verdict

NOW = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)
OFFER = Offer(key="map-142", title="Map Heron", fate=Fate.DECLINED, since=NOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A place that holds somebody's files, a way to see whether it changed, and what is said of it."""

    place: Place
    look: Callable[[], object]
    message: str
    hint: str


@pytest.fixture(params=["directory", "branch"])
def used(request: pytest.FixtureRequest, tmp_path: Path, clock: StillClock) -> Used:
    kind: str = request.param
    if kind == "branch":
        work, remote, environ = (request.getfixturevalue(name) for name in ("work", "remote", "git_environ"))
        return Used(
            place=GitState(work, clock=clock, branch="main", environ=environ),
            look=lambda: git(remote, environ, "for-each-ref"),
            message=(
                "The branch origin/main has no state.json and holds other files, for example mappings.yaml: it is no "
                "state branch."
            ),
            hint="Name a branch that is used for nothing else, for example git:reconciler-state.",
        )
    folder = tmp_path / "used"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "notes.txt").write_text("mine")
    (folder / "more.txt").write_text("mine too")
    return Used(
        place=DirectoryState(folder, clock=clock),
        look=lambda: (folder.stat().st_mode, sorted(folder.iterdir())),
        message=(
            f"The directory {folder} has no state.json and holds other files, for example more.txt: it is no state "
            "directory."
        ),
        hint="Name a directory that is used for nothing else, for example directory:.reconciler.",
    )


@pytest.fixture
def elsewhere(tmp_path: Path, clock: StillClock) -> Iterator[DirectoryState]:
    """A state with one run in it, which stays in use."""
    state = DirectoryState(tmp_path / "state", clock=clock)
    with state.open_run(run_info()) as run:
        run.finish(verdict())
    yield state
    assert len(state.history.runs()) == 1


def run(place: Place, _: Place) -> None:
    with place.open_run(run_info("r2")):
        pass


WAYS: dict[str, Callable[[Place, Place], object]] = {
    "read": lambda place, _: place.read(),
    "look": lambda place, _: place.look(),
    "history": lambda place, _: place.history.runs(),
    "run": run,
    "offers": lambda place, _: place.record_offers(lambda _: {"0123abcd": OFFER}, message="Proposals"),
    "doctor": lambda place, _: place.prove_writable(),
    "moved to": lambda place, state: move_state(state, place, run_info("mv"), now=NOW),
    "moved from": lambda place, state: move_state(place, state, run_info("mv"), now=NOW),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_place_with_other_files_is_refused_and_not_touched(used: Used, elsewhere: DirectoryState, way: str) -> None:
    before = used.look()
    with pytest.raises(StateError) as caught:
        WAYS[way](used.place, elsewhere)
    assert (caught.value.message, caught.value.hint) == (used.message, used.hint)
    assert used.look() == before


@pytest.mark.parametrize("name", ["lost+found", ".snapshot", "journal", "history"])
def test_what_a_new_volume_or_a_cut_move_left_is_no_other_use(name: str, tmp_path: Path, clock: StillClock) -> None:
    (tmp_path / "volume" / name).mkdir(parents=True)
    place = DirectoryState(tmp_path / "volume", clock=clock)
    assert place.read().is_new
    with place.open_run(run_info("r2")) as run:
        run.finish(verdict("r2"))
    assert [past.info.id for past in place.history.runs()] == ["r2"]


def test_a_state_stays_in_use_whatever_else_somebody_puts_there(elsewhere: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "state" / "plan.json").write_text("{}")
    assert elsewhere.read().last_good_run is not None


def test_a_branch_without_any_file_is_an_empty_place(state: GitState, work: Path, git_environ: dict[str, str]) -> None:
    tree = git(work, git_environ, "hash-object", "-t", "tree", "-w", "/dev/null")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    commit = git(work, git_environ, *who, "commit-tree", tree, "-m", "nothing yet")
    git(work, git_environ, "push", "-q", "origin", f"{commit}:refs/heads/reconciler-state")
    assert state.read().is_new
    with state.open_run(run_info("r2")) as run:
        run.finish(verdict("r2"))
    assert state.read().last_good_run is not None
