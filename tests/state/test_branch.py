"""The state branch as a clone knows it: locked, damaged, shallow, read-only, vanished, force-pushed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state import gitcommand
from reconciler.state.branch import CommitFiles, StateBranch
from reconciler.state.git import GitState
from reconciler.state.recorded import Recorded
from tests.state.gitworld import clone, git
from tests.state.samples import StillClock, attempt, binding, run_info, verdict

BRANCH = "reconciler-state"


def test_clone_locked_by_another_git_is_said(state: GitState, elsewhere: GitState, work: Path) -> None:
    with elsewhere.open_run(run_info()) as run:
        run.finish(verdict())
    lock = work / ".git" / "refs" / "reconciler" / f"{BRANCH}.lock"
    lock.parent.mkdir()
    lock.touch()

    with pytest.raises(StateError, match=r"cannot be fetched: .*lock"), state.open_run(run_info()):
        pass


def test_damaged_clone_is_said(state: GitState, work: Path) -> None:
    with state.open_run(run_info()) as run:
        run.finish(verdict())
    for path in (work / ".git" / "objects").glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"")

    with pytest.raises(StateError, match=r"state branch|git rev-parse"):
        _ = state.history


@pytest.mark.parametrize(("lost", "words"), [("state.json", "cannot be read"), ("", "cannot be listed")])
def test_lost_object_is_said_and_not_taken_for_an_empty_state(
    state: GitState, work: Path, git_environ: dict[str, str], lost: str, words: str
) -> None:
    with state.open_run(run_info()) as run:
        run.finish(verdict())
    lost_object = git(work, git_environ, "rev-parse", f"refs/reconciler/{BRANCH}:{lost}")
    tip = git(work, git_environ, "rev-parse", f"refs/reconciler/{BRANCH}")
    (work / ".git" / "objects" / lost_object[:2] / lost_object[2:]).unlink()

    with pytest.raises(StateError, match=words):
        CommitFiles(gitcommand.Git(work, git_environ), tip).read("state.json")


def test_links_on_the_branch_are_not_followed(
    state: GitState, tmp_path: Path, remote: Path, git_environ: dict[str, str]
) -> None:
    other = clone(remote, tmp_path / "other", git_environ)
    git(other, git_environ, "checkout", "-q", "--orphan", BRANCH)
    git(other, git_environ, "rm", "-rqf", ".")
    (other / "state.json").symlink_to("elsewhere.json")
    git(other, git_environ, "add", "state.json")
    git(other, git_environ, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "x")
    git(other, git_environ, "push", "-q", "origin", BRANCH)

    with pytest.raises(StateError, match="not a regular file"):
        state.read()


def test_state_moved_off_the_branch_is_begun_anew_behind_its_history(
    state: GitState, tmp_path: Path, remote: Path, git_environ: dict[str, str]
) -> None:
    with state.open_run(run_info("r1")) as run:
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict("r1"))
    other = clone(remote, tmp_path / "other", git_environ)
    git(other, git_environ, "checkout", "-q", BRANCH)
    git(other, git_environ, "rm", "-q", "state.json")
    git(other, git_environ, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "x")
    git(other, git_environ, "push", "-q", "origin", BRANCH)

    with state.open_run(run_info("r2")) as run:
        assert run.recorded == Recorded()
        run.finish(verdict("r2"))
    assert [past.info.id for past in state.history.runs()] == ["r1", "r2"]
    assert state.history.verify() == ()


def test_fetch_that_met_another_fetch_is_repeated(
    state: GitState, elsewhere: GitState, monkeypatch: pytest.MonkeyPatch
) -> None:
    with elsewhere.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
    real = StateBranch._fetch_branch
    busy = [gitcommand.GitAnswer(code=1, output=b"", complaint="cannot lock ref")]
    monkeypatch.setattr(StateBranch, "_fetch_branch", lambda branch: busy.pop() if busy else real(branch))

    assert set(state.read().bindings) == {"acme"}


def test_branch_of_something_else_is_refused(work: Path, clock: StillClock, git_environ: dict[str, str]) -> None:
    store = GitState(work, clock=clock, branch="main", environ=git_environ)

    with pytest.raises(StateError, match="is no state branch"):
        store.open_run(run_info()).__enter__()


def test_branch_that_vanished_is_not_taken_for_empty(
    state: GitState, remote: Path, git_environ: dict[str, str]
) -> None:
    with state.open_run(run_info()) as run:
        run.finish(verdict())
    git(remote, git_environ, "update-ref", "-d", f"refs/heads/{BRANCH}")

    with pytest.raises(StateError, match="is gone") as caught:
        state.read()
    assert "git push origin refs/reconciler/reconciler-state" in caught.value.hint


@pytest.mark.parametrize("branch", ["a b", "-x", "x..y", "", "x.lock"])
def test_impossible_branch_is_refused(work: Path, clock: StillClock, git_environ: dict[str, str], branch: str) -> None:
    with pytest.raises(StateError, match="cannot be a branch"):
        GitState(work, clock=clock, branch=branch, environ=git_environ).read()


READ_ONLY = """
import os, sys
from pathlib import Path
from reconciler.state.git import GitState
from tests.state.samples import StillClock
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
state = GitState(Path(sys.argv[1]), clock=StillClock())
print(len(state.history.runs()), sorted(state.read().bindings))
try:
    with state.open_run(None):
        pass
except Exception as error:
    print(error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter. Of its own: each pytest that starts sets the folders of all to 0700."""
    with tempfile.TemporaryDirectory(prefix="reconciler-tests-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for folder, folders, _ in os.walk(name):
            for inside in [*folders, ""]:
                (Path(folder) / inside).chmod(0o755)


@pytest.mark.parametrize("depth", [[], ["--depth=1"]])
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of files")
def test_a_clone_that_cannot_be_written_to_can_be_planned_from(
    state: GitState, open_folder: Path, remote: Path, git_environ: dict[str, str], depth: list[str]
) -> None:
    place, theirs = open_folder / "read-only", open_folder / "remote.git"
    shutil.copytree(remote, theirs)
    git(open_folder, git_environ, "clone", "-q", *depth, f"file://{theirs}", str(place))
    with state.open_run(run_info()) as run:
        run.record_attempts([attempt("acme")])
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict())
    git(remote, git_environ, "push", "-q", str(theirs), BRANCH)  # the clone knows nothing of it yet
    (open_folder / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
    for folder, folders, names in os.walk(open_folder):
        for name in [*folders, *names, ""]:
            path = Path(folder) / name
            path.chmod((path.stat().st_mode | 0o555 if path.is_dir() else path.stat().st_mode | 0o444) & 0o555)
    home = {"HOME": str(open_folder), "GIT_CONFIG_GLOBAL": str(open_folder / "gitconfig")}
    paths = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(place)],
        env={**git_environ, **home, **paths}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("1 ['acme']\n"), (done.returncode, done.stdout, done.stderr)
    assert "Permission denied" in done.stdout.splitlines()[1]


def test_where_neither_clone_nor_memory_takes_the_branch_the_clone_is_told(
    state: GitState, tmp_path: Path, git_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with state.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict())
    git(tmp_path, git_environ, "init", "-q", "without-remote")
    refused = gitcommand.GitAnswer(code=128, output=b"", complaint="Permission denied")
    monkeypatch.setattr(StateBranch, "_fetch_branch", lambda _: refused)
    nowhere = gitcommand.Git(tmp_path / "without-remote", git_environ)
    monkeypatch.setattr(gitcommand.Git, "with_new_objects_in", lambda *_: nowhere)
    with pytest.raises(StateError, match="cannot be fetched: Permission denied"):
        state.read()


def test_works_from_a_linked_worktree_and_a_shallow_clone(
    tmp_path: Path, remote: Path, clock: StillClock, git_environ: dict[str, str], elsewhere: GitState
) -> None:
    with elsewhere.open_run(run_info("r0")) as run:
        run.record_attempts([attempt("zeta")])
        run.finish(verdict("r0"))
    git(tmp_path, git_environ, "clone", "-q", "--depth=1", f"file://{remote}", "shallow")
    git(tmp_path / "shallow", git_environ, "worktree", "add", "-q", str(tmp_path / "linked"))

    store = GitState(tmp_path / "linked", clock=clock, environ=git_environ)
    with store.open_run(run_info("r1")) as run:
        assert run.record_attempts([attempt("acme")]) == {"acme"}
        run.finish(verdict("r1"))
    assert set(elsewhere.read().attempts) == {"acme", "zeta"}
    assert elsewhere.history.verify() == ()


def test_a_forced_push_is_noticed_until_it_is_undone_or_accepted(
    state: GitState, elsewhere: GitState, remote: Path, git_environ: dict[str, str]
) -> None:
    for name in ("r1", "r2"):
        with state.open_run(run_info(name)) as run:
            run.record_bindings([binding("acme", 9001)])
            run.finish(verdict(name))
    assert state.history.verify() == ()
    newest = git(remote, git_environ, "rev-parse", BRANCH)
    git(remote, git_environ, "update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}~1")
    for _ in range(2):
        [finding] = state.history.verify()
        assert f"force-pushed: commit {newest[:10]}" in finding.message
    [told] = state.read().damage
    assert "force-pushed" in told
    assert elsewhere.history.verify() == (), "a clone that has not seen it cannot know"
    git(remote, git_environ, "update-ref", f"refs/heads/{BRANCH}", newest)
    assert state.history.verify() == ()
