"""The short scripts that the workflows call, each by itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.state.gitworld import bare_remote, clone, git, isolated_git

SCRIPTS = Path(__file__).parents[2] / ".ci"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return isolated_git(tmp_path)


@pytest.fixture
def desk(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A clone of an empty bare repository."""
    bare = bare_remote(tmp_path, environ)
    return clone(bare, tmp_path / "desk", environ)


def run(script: str, *arguments: str, cwd: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / script, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def test_git_gets_the_token_as_a_header_for_one_host(tmp_path: Path, environ: dict[str, str]) -> None:
    given = {**environ, "GITHUB_TOKEN": "ghs_example", "GITHUB_SERVER_URL": "https://git.example.com"}
    ask = ["git", "config", "--get-urlmatch", "http.extraheader"]
    there = run("with-git-token", *ask, "https://git.example.com/acme/billing", cwd=tmp_path, environ=given)
    scheme, _, words = there.stdout.strip().partition(": basic ")
    assert (scheme, base64.b64decode(words)) == ("AUTHORIZATION", b"x-access-token:ghs_example")
    elsewhere = run("with-git-token", *ask, "https://evil.example/acme/billing", cwd=tmp_path, environ=given)
    assert elsewhere.stdout == ""


def test_without_a_token_git_is_left_as_it_is(tmp_path: Path, environ: dict[str, str]) -> None:
    done = run("with-git-token", "env", cwd=tmp_path, environ=environ)
    assert "GIT_CONFIG_COUNT" not in done.stdout


def test_the_exit_code_of_the_command_is_kept(tmp_path: Path, environ: dict[str, str]) -> None:
    assert run("with-git-token", "sh", "-c", "exit 37", cwd=tmp_path, environ=environ).returncode == 37


def test_a_snapshot_comes_back_as_it_was(desk: Path, environ: dict[str, str]) -> None:
    (desk / "a.json").write_text('{"a": 1}\n', encoding="utf-8")
    assert run("snapshot", "keep", "a.json", cwd=desk, environ=environ).returncode == 0
    done = run("snapshot", "fetch", "b.json", cwd=desk, environ={**environ, "GITHUB_OUTPUT": str(desk / "output")})
    assert done.returncode == 0, done.stderr
    assert (desk / "b.json").read_text(encoding="utf-8") == '{"a": 1}\n'
    assert (desk / "output").read_text(encoding="utf-8") == "found=true\n"


def test_a_snapshot_replaces_the_one_before(desk: Path, environ: dict[str, str]) -> None:
    for text in ("1", "2"):
        (desk / "a.json").write_text(text, encoding="utf-8")
        run("snapshot", "keep", "a.json", cwd=desk, environ=environ)
    bare = desk.parent / "remote.git"
    assert git(bare, environ, "rev-list", "--count", "reconciler-snapshot") == "1"
    assert git(bare, environ, "show", "reconciler-snapshot:snapshot.json") == "2"


def test_no_snapshot_yet_is_no_error(desk: Path, environ: dict[str, str]) -> None:
    done = run("snapshot", "fetch", "b.json", cwd=desk, environ={**environ, "GITHUB_OUTPUT": str(desk / "output")})
    assert done.returncode == 0
    assert done.stdout.startswith("::notice ")
    assert (desk / "output").read_text(encoding="utf-8") == "found=false\n"


def test_a_remote_that_does_not_answer_is_an_error(desk: Path, environ: dict[str, str]) -> None:
    git(desk, environ, "remote", "set-url", "origin", str(desk.parent / "gone.git"))
    assert run("snapshot", "fetch", "b.json", cwd=desk, environ=environ).returncode != 0
    assert not (desk / "b.json").exists()


@pytest.mark.parametrize("arguments", [(), ("keep",), ("lose", "x")])
def test_a_snapshot_is_kept_or_fetched(arguments: tuple[str, ...], desk: Path, environ: dict[str, str]) -> None:
    assert run("snapshot", *arguments, cwd=desk, environ=environ).returncode == 64


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ({}, []),
        ({"ONLY": "  infima-1   infima-2 "}, ["--only=infima-1", "--only=infima-2"]),
        ({"ALLOW": "zero:a", "REASON": "two words; $(touch x) `y` --force"},
         ["--allow=zero:a", "--reason=two words; $(touch x) `y` --force"]),
        ({"ONLY": "*"}, ["--only=*"]),
    ],
)  # fmt: skip
def test_what_a_person_typed_becomes_arguments(
    typed: dict[str, str], options: list[str], tmp_path: Path, environ: dict[str, str]
) -> None:
    show = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]
    done = run("apply-options", *show, cwd=tmp_path, environ={**environ, **typed})
    assert json.loads(done.stdout) == options
    assert not (tmp_path / "x").exists()


def test_the_program_is_this_checkouts_and_not_the_current_directorys(tmp_path: Path) -> None:
    for name in ("reconciler.py", "click.py", "sitecustomize.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('not the program')\n", encoding="utf-8")
    environ = {"PATH": os.environ["PATH"], "VENV": sys.prefix}
    done = run("reconciler", "--version", cwd=tmp_path, environ=environ)
    assert (done.returncode, done.stdout.split()[0]) == (0, "reconciler"), done.stdout + done.stderr


def test_journals_of_this_clone_are_collected(desk: Path, environ: dict[str, str]) -> None:
    local = desk / ".git" / "reconciler" / "reconciler-state" / "journal"
    local.mkdir(parents=True)
    (local / "20261122T051703Z-a.jsonl").write_text("{}\n", encoding="utf-8")
    assert run("journal", "out", cwd=desk, environ=environ).returncode == 0
    assert [path.name for path in (desk / "out").iterdir()] == ["20261122T051703Z-a.jsonl"]


def test_a_run_without_any_journal_collects_nothing(desk: Path, environ: dict[str, str]) -> None:
    assert run("journal", "out", cwd=desk, environ=environ).returncode == 0
    assert list((desk / "out").iterdir()) == []


@pytest.mark.parametrize("urls", [{}, {"NOTIFY_URLS": ""}, {"NOTIFY_URLS": "$(NOTIFY_URLS)"}])
def test_nothing_is_installed_where_nobody_is_to_be_told(
    urls: dict[str, str], tmp_path: Path, environ: dict[str, str]
) -> None:
    """Azure DevOps hands over the name itself where a variable is not set."""
    done = run("notify", "--result", "none.json", cwd=tmp_path, environ={**environ, "VENV": sys.prefix, **urls})
    assert (done.returncode, done.stderr) == (0, "NOTIFY_URLS is not set: nobody is told by message.\n")


def test_the_addresses_are_out_of_reach_while_the_sender_is_installed(tmp_path: Path, environ: dict[str, str]) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    make = tools / "make"
    make.write_text('#!/bin/sh\necho "$@" > make.log\nenv >> make.log\nexit 7\n', encoding="utf-8")
    make.chmod(0o755)
    given = {"PATH": f"{tools}:{environ['PATH']}", "NOTIFY_URLS": "json://not-to-be-shown"}
    assert run("notify", "--result", "none.json", cwd=tmp_path, environ={**environ, **given}).returncode == 7
    log = (tmp_path / "make.log").read_text(encoding="utf-8")
    assert log.startswith(f"--no-print-directory -C {SCRIPTS.parent} notify\n")
    assert "not-to-be-shown" not in log
