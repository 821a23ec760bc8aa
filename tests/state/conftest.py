from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.state.directory import DirectoryState
from reconciler.state.git import GitState
from tests.state.gitworld import bare_remote, clone, git, isolated_git
from tests.state.samples import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(tmp_path: Path, clock: StillClock) -> DirectoryState:
    return DirectoryState(tmp_path / "state", clock=clock)


@pytest.fixture
def git_environ(tmp_path: Path) -> dict[str, str]:
    return isolated_git(tmp_path)


@pytest.fixture
def remote(tmp_path: Path, git_environ: dict[str, str]) -> Path:
    """A bare repository with one commit on main."""
    bare = bare_remote(tmp_path, git_environ)
    first = clone(bare, tmp_path / "first", git_environ)
    (first / "mappings.yaml").write_text("version: 1\n")
    git(first, git_environ, "add", "mappings.yaml")
    git(first, git_environ, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "first")
    git(first, git_environ, "push", "-q", "origin", "HEAD:main")
    return bare


@pytest.fixture
def work(tmp_path: Path, remote: Path, git_environ: dict[str, str]) -> Path:
    """A clone in which somebody works."""
    return clone(remote, tmp_path / "work", git_environ)


@pytest.fixture
def state(work: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    """A state on a branch of its remote."""
    return GitState(work, clock=clock, environ=git_environ)


@pytest.fixture
def elsewhere(tmp_path: Path, remote: Path, clock: StillClock, git_environ: dict[str, str]) -> GitState:
    """The same state, from another machine's clone."""
    return GitState(clone(remote, tmp_path / "elsewhere", git_environ), clock=clock, environ=git_environ)
