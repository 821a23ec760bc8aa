"""`state show` and `state move`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.bench import Bench
from tests.state.gitworld import bare_remote, git, isolated_git


def test_show_tells_what_is_remembered_without_any_request(bench: Bench) -> None:
    answer = bench.run("state", "show")
    assert answer.code == 0
    assert "infima-101: Subscription 9001 of customer 11, created" in answer.out
    document = json.loads(bench.run("state", "show", "-o", "json").out)
    assert [(row["key"], row["subscription_id"]) for row in document["bindings"]] == [
        ("infima-101", 9001),
        ("infima-102", 9002),
        ("infima-103", 9003),
    ]
    assert document["new"] is False
    assert bench.world.requests == []


def test_a_place_that_does_not_exist_is_said_to_be_new_by_show_plan_and_apply(bench: Bench) -> None:
    assert "It is new" in bench.run("--state", "directory:typo", "state", "show").out
    planned = bench.run("--state", "directory:typo", "plan")
    assert "the state in directory typo is new: nothing is remembered there yet" in planned.out
    assert "state-lost" in planned.out
    assert "is new" in bench.run("--state", "directory:typo", "apply", "--auto-approve").out
    assert "is new" not in bench.run("--state", "directory:typo", "plan").out
    assert "is new" not in bench.run("plan").out


def test_move_asks_and_tells_what_to_do_next(bench: Bench) -> None:
    assert bench.run("state", "move", "--to", "directory:kept").code == 64
    assert bench.run("state", "move", "--to", "directory:kept", typed="\n").code == 1
    moved = bench.run("state", "move", "--to", "directory:kept", typed="y\n")
    assert (moved.code, "set RECONCILER_STATE=directory:" in moved.out) == (0, True)
    refused = bench.run("plan")
    assert (refused.code, "was moved to directory:" in refused.err) == (1, True)
    assert bench.run("apply", "--auto-approve").code == 1
    assert bench.writes() == 0
    assert bench.run("--state", "directory:kept", "plan").code == 0
    assert "is refused here" in bench.run("state", "show").out


def test_move_back_is_the_same_command_the_other_way_round(bench: Bench) -> None:
    bench.run("state", "move", "--to", "directory:kept", "--yes")
    assert bench.run("--state", "directory:kept", "state", "move", "--to", "directory:.reconciler", "--yes").code == 0
    assert bench.run("plan").code == 0
    assert bench.run("--state", "directory:kept", "plan").code == 1


@pytest.fixture
def repository(bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bench's folder as a clone, with mappings.yaml on main of its bare remote, which is returned."""
    home = tmp_path_factory.mktemp("home")
    environ = isolated_git(home, "A")
    bare = bare_remote(home, environ)
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("remote", "add", "origin", str(bare)),
        ("add", "mappings.yaml"),
        ("commit", "-qm", "first"),
        ("push", "-q", "origin", "main"),
    ):
        git(bench.folder, environ, *arguments)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return bare


BRANCH_REFUSED = """\
Error: The branch origin/main has no state.json and holds other files, for example mappings.yaml: it is no state branch.
  Name a branch that is used for nothing else, for example git:reconciler-state.
"""
DIRECTORY_REFUSED = """\
Error: The directory {} has no state.json and holds other files, for example notes.txt: it is no state directory.
  Name a directory that is used for nothing else, for example directory:.reconciler.
"""
WRITERS = (
    "apply --auto-approve",
    "adopt infima-104 9010 --reason r --yes",
    "resolve infima-105 --abandon --reason r --yes",
    "probe --customer 99 --yes",
    "propose --again map-104",
    "check-invoices",
    "doctor",
    "state move --to directory:new --yes",
)


def unwrapped(text: str) -> str:
    """On one line, for lines break where a folder's name is long; `doctor` says the same without "Error:"."""
    return " ".join(text.split()).removeprefix("Error: ")


@pytest.mark.parametrize("kind", ["branch", "directory"])
@pytest.mark.parametrize("command", [*WRITERS, "move to it"])
def test_a_place_that_is_used_for_something_else_is_refused_by_every_command_that_writes(
    bench: Bench, repository: Path, command: str, kind: str
) -> None:
    bench.world.add_customer(99, "Throw-away Ltd")
    folder = bench.folder / "d"
    folder.mkdir(mode=0o755)
    (folder / "notes.txt").write_text("mine")
    tip = git(repository, isolated_git(repository.parent), "rev-parse", "main")
    place = "git:main" if kind == "branch" else "directory:d"
    if command == "move to it":
        answer = bench.run("state", "move", "--to", place, "--yes")
    else:
        answer = bench.run("--state", place, *command.split())
    said = BRANCH_REFUSED if kind == "branch" else DIRECTORY_REFUSED.format(folder)
    assert answer.code == 1
    assert unwrapped(said) in unwrapped(answer.text)
    assert git(repository, isolated_git(repository.parent), "rev-parse", "main") == tip
    assert ([path.name for path in folder.iterdir()], folder.stat().st_mode & 0o777) == (["notes.txt"], 0o755)
    assert bench.writes() == 0
    assert bench.run("plan").code == 0


def test_move_reaches_the_remote_as_every_other_command_does(
    bench: Bench, repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the person's own git configuration, which knows the way to the remote and the credentials."""
    settings = tmp_path_factory.mktemp("person") / "gitconfig"
    settings.write_text(f'[url "{repository.parent}/"]\n\tinsteadOf = company:\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    git(bench.folder, isolated_git(repository.parent), "remote", "set-url", "origin", f"company:{repository.name}")
    moved = bench.run("state", "move", "--to", "git:kept", "--yes")
    assert moved.code == 0, moved.err
    assert git(repository, isolated_git(repository.parent), "log", "-1", "--format=%s", "kept").startswith(
        "State moved here from directory:"
    )
