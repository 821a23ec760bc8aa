"""Only the newest mappings.yaml of the default branch, as it was committed, passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import ConfigError, StateError
from reconciler.forge.branches import require_head
from tests.state.gitworld import bare_remote, clone, git, isolated_git


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return isolated_git(tmp_path, "A")


@pytest.fixture
def desk(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A clone whose mappings.yaml is the remote's newest."""
    bare = bare_remote(tmp_path, environ)
    desk = clone(bare, tmp_path / "desk", environ)
    git(desk, environ, "checkout", "-q", "-B", "main")
    save(desk, environ, "version: 1")
    git(desk, environ, "push", "-q", "origin", "main")
    return desk


def save(desk: Path, environ: dict[str, str], text: str) -> None:
    (desk / "mappings.yaml").write_text(text, encoding="utf-8")
    git(desk, environ, "add", "mappings.yaml")
    git(desk, environ, "commit", "-q", "-m", text)


def test_the_head_passes(desk: Path, environ: dict[str, str]) -> None:
    head = require_head(desk / "mappings.yaml", environ)
    assert (head.branch, head.commit) == ("main", git(desk, environ, "rev-parse", "HEAD"))


def test_an_older_commit_is_refused(desk: Path, environ: dict[str, str]) -> None:
    save(desk, environ, "version: 1 # newer")
    git(desk, environ, "push", "-q", "origin", "main")
    git(desk, environ, "checkout", "-q", "--detach", "HEAD~1")
    with pytest.raises(ConfigError, match="the head of main is"):
        require_head(desk / "mappings.yaml", environ)


def test_a_commit_that_was_never_merged_is_refused(desk: Path, environ: dict[str, str]) -> None:
    save(desk, environ, "version: 1 # not pushed")
    with pytest.raises(ConfigError, match="the head of main is"):
        require_head(desk / "mappings.yaml", environ)


def test_the_head_of_another_branch_is_refused(desk: Path, environ: dict[str, str]) -> None:
    git(desk, environ, "checkout", "-q", "-b", "other")
    save(desk, environ, "version: 1 # other")
    git(desk, environ, "push", "-q", "origin", "other")
    with pytest.raises(ConfigError, match="the head of main is"):
        require_head(desk / "mappings.yaml", environ)


def test_an_edit_that_nobody_reviewed_is_refused(desk: Path, environ: dict[str, str]) -> None:
    (desk / "mappings.yaml").write_text("version: 1 # edited", encoding="utf-8")
    with pytest.raises(ConfigError, match="not as it was committed"):
        require_head(desk / "mappings.yaml", environ)


def test_other_files_do_not_matter(desk: Path, environ: dict[str, str]) -> None:
    (desk / "out").mkdir()
    (desk / "out" / "result.json").write_text("{}", encoding="utf-8")
    assert require_head(desk / "mappings.yaml", environ).branch == "main"


def test_a_remote_that_does_not_answer_is_an_error(desk: Path, environ: dict[str, str]) -> None:
    git(desk, environ, "remote", "set-url", "origin", str(desk.parent / "gone.git"))
    with pytest.raises(StateError, match="cannot be asked"):
        require_head(desk / "mappings.yaml", environ)
