"""Who runs this, and from which commit: what the journal and the history will say."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.wiring import actor
from reconciler.state.gitcommand import commit_of
from tests.state.gitworld import git, isolated_git

EVENT = {"GITHUB_SHA": "e" * 40}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit; git in this process sees nobody's configuration."""
    environ = isolated_git(tmp_path) | {
        f"GIT_{role}_{part}": "person@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    place = tmp_path / "desk"
    git(tmp_path, environ, "init", "-q", str(place))
    git(place, environ, "commit", "-q", "--allow-empty", "-m", "Start")
    for name in ("GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    return place


def test_the_commit_is_the_one_that_is_checked_out(repository: Path, tmp_path: Path) -> None:
    head = git(repository, isolated_git(tmp_path), "rev-parse", "HEAD")
    assert commit_of(repository / "mappings.yaml", EVENT) == head, (
        "not the event's: a job may check out something newer"
    )


def test_a_file_that_is_not_what_the_commit_has_makes_it_dirty(repository: Path, tmp_path: Path) -> None:
    environ = isolated_git(tmp_path) | {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
    environ |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    file = repository / "mappings.yaml"
    file.write_text("version: 1\n", encoding="utf-8")
    (repository / "notes.txt").write_text("somebody's", encoding="utf-8")
    assert commit_of(file, EVENT).endswith("-dirty"), "no commit has it yet"
    git(repository, environ, "add", "mappings.yaml")
    git(repository, environ, "commit", "-q", "-m", "Mappings")
    assert "-dirty" not in commit_of(file, EVENT)
    file.write_text("version: 1\n\n", encoding="utf-8")
    assert commit_of(file, EVENT) == git(repository, environ, "rev-parse", "HEAD") + "-dirty"


def test_without_a_repository_it_is_the_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path / "mappings.yaml", EVENT) == "e" * 40
    assert commit_of(tmp_path / "mappings.yaml", {"BUILD_SOURCEVERSION": "b" * 40}) == "b" * 40
    assert commit_of(tmp_path / "mappings.yaml", {}) == ""


def test_a_run_in_ci_is_named_by_its_address() -> None:
    github = {
        "GITHUB_SERVER_URL": "https://github.example.com",
        "GITHUB_REPOSITORY": "acme/billing",
        "GITHUB_RUN_ID": "7",
        "GITHUB_ACTOR": "a-person",
    }
    assert actor(github) == "a-person https://github.example.com/acme/billing/actions/runs/7"
    assert actor({"CI_JOB_URL": "https://gitlab.example.com/jobs/1"}) == "https://gitlab.example.com/jobs/1"


def test_elsewhere_it_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    assert actor({}) == "somebody"
