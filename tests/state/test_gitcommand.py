"""What git is asked about the repository of mappings.yaml, and what is said where it does not answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.gitcommand import Git, authors_of_lines, choose_remote, commit_of, refuse_impossible_branch
from tests.state.gitworld import git, isolated_git

NOON = "2026-11-22T12:00:00Z"


@pytest.fixture
def desk(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository with one commit by Ada Example: two lines of mappings.yaml."""
    environ = isolated_git(tmp_path)
    for role in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{role}_NAME": "Ada Example", f"GIT_{role}_EMAIL": "ada@example.com", f"GIT_{role}_DATE": NOON}
    place = tmp_path / "desk"
    git(tmp_path, environ, "init", "-q", "-b", "main", str(place))
    (place / "mappings.yaml").write_text("version: 1\nmappings: []\n", encoding="utf-8")
    git(place, environ, "add", "mappings.yaml")
    git(place, environ, "commit", "-q", "-m", "Start")
    return place, environ


def test_a_line_names_who_brought_it_in_by_which_commit_and_when(desk: tuple[Path, dict[str, str]]) -> None:
    place, environ = desk
    head = git(place, environ, "rev-parse", "HEAD")
    day = datetime.fromisoformat(NOON).astimezone(UTC).date()
    told = authors_of_lines(place / "mappings.yaml", [2], environ)
    assert told == {2: f"Ada Example, commit {head[:12]} of {day}"}


def test_of_a_line_that_no_commit_has_and_of_one_that_is_not_there_nothing_is_said(
    desk: tuple[Path, dict[str, str]],
) -> None:
    place, environ = desk
    (place / "mappings.yaml").write_text("version: 1\nmappings: []\nlimits: {}\n", encoding="utf-8")
    assert set(authors_of_lines(place / "mappings.yaml", [1, 3, 99], environ)) == {1}


def test_outside_a_repository_nothing_is_said(tmp_path: Path) -> None:
    assert authors_of_lines(tmp_path / "mappings.yaml", [1], isolated_git(tmp_path)) == {}
    missing = {"PATH": str(tmp_path / "no-such-folder")}
    assert authors_of_lines(tmp_path / "mappings.yaml", [1], missing) == {}


def test_a_command_that_must_succeed_is_named_with_what_git_says(desk: tuple[Path, dict[str, str]]) -> None:
    place, environ = desk
    with pytest.raises(StateError, match=r"git rev-parse failed: .*no-such-branch"):
        Git(place, environ).ask("rev-parse", "no-such-branch")


def test_a_wrong_name_is_told_from_a_git_that_could_not_look_at_it(desk: tuple[Path, dict[str, str]]) -> None:
    place, environ = desk
    refuse_impossible_branch(Git(place, environ), "reconciler-state", hint="Name another one.")
    with pytest.raises(StateError, match=r"^'x\.\.y' cannot be a branch\.$") as wrong:
        refuse_impossible_branch(Git(place, environ), "x..y", hint="Name another one.")
    assert wrong.value.hint == "Name another one."
    with pytest.raises(StateError, match=r"^git check-ref-format failed: .*gone"):
        refuse_impossible_branch(Git(place / "gone", environ), "reconciler-state", hint="Name another one.")


def test_of_several_remotes_the_one_that_the_branch_follows_is_meant(desk: tuple[Path, dict[str, str]]) -> None:
    place, environ = desk
    for name in ("upstream", "mirror"):
        git(place, environ, "remote", "add", name, f"https://git.example.com/{name}.git")
    with pytest.raises(StateError, match="mirror"):
        choose_remote(Git(place, environ))
    git(place, environ, "config", "branch.main.remote", "upstream")
    assert choose_remote(Git(place, environ)) == "upstream"
    git(place, environ, "remote", "remove", "mirror")
    git(place, environ, "config", "--unset", "branch.main.remote")
    assert choose_remote(Git(place, environ)) == "upstream"


def test_without_git_the_commit_is_the_one_that_the_ci_system_names(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path / "no-such-folder"), "CI_COMMIT_SHA": "c" * 40}
    assert commit_of(tmp_path / "mappings.yaml", nowhere) == "c" * 40
