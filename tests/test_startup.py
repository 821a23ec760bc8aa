"""What a command imports before it does anything: start-up is what people feel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reconciler.cli import front
from reconciler.cli.main import COMMANDS, cli
from tests.stage import small_mappings

HEAVY = {"httpx", "httpcore", "jsonschema", "deepdiff", "jinja2", "rich", "yaml"}
"""Each of them costs as much as starting Python, or several times that."""


def modules_after(*arguments: str, folder: Path | None = None, **variables: str) -> set[str]:
    """The top-level modules in a process that ran the command line with these arguments."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('\\n'.join(['MODULES', *sys.modules])))\n"
        "from reconciler.cli import entry\n"
        f"sys.argv = ['reconciler', *{arguments!r}]\n"
        "entry()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.partition("MODULES\n")[2].splitlines()}


@pytest.mark.parametrize("words", ["--help", "-h", "--version", "plan --help", "apply -h", "validate --help"])
def test_help_and_version_do_not_even_need_click(words: str) -> None:
    assert not modules_after(*words.split()) & (HEAVY | {"click"})


@pytest.mark.parametrize("command", ["plan", "apply", "validate"])
def test_the_help_that_click_draws_imports_nothing_heavy(command: str) -> None:
    assert not modules_after(command, "-q", "--help") & HEAVY


def test_completion_imports_nothing_heavy() -> None:
    asked = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler pl", "COMP_CWORD": "1"}
    assert not modules_after(**asked) & HEAVY


def test_validate_speaks_to_nobody_and_needs_no_schema_library_for_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "mappings.yaml").write_text(small_mappings(), encoding="utf-8")
    assert not modules_after("validate", folder=tmp_path) & (HEAVY - {"yaml"})


def every_command() -> list[list[str]]:
    """The words of each command, those of groups included."""
    context = click.Context(cli)
    found: list[list[str]] = [[]]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        found += [[name], *([name, sub] for sub in getattr(command, "commands", {}))]
    return found


def drawn_by_click(words: list[str]) -> str:
    """The help page as it is on a terminal of the kept pages' width."""
    run = CliRunner().invoke(cli, [*words, "--help"], prog_name="reconciler", terminal_width=front.PAGE_WIDTH)
    assert run.exit_code == 0
    return run.output


def test_the_kept_help_pages_are_those_that_click_draws() -> None:
    pages = "".join(f"\f{' '.join(words)}\n{drawn_by_click(words)}" for words in every_command())
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        Path(front.HELP_PAGES).write_text(pages, encoding="ascii")
    assert Path(front.HELP_PAGES).read_text(encoding="ascii") == pages, "run `make golden`"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("words", [[], ["plan"], ["ci", "summary"]], ids=" ".join)
def test_each_page_is_found(words: list[str], option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.answer_at_once([*words, option])
    assert capsys.readouterr().out == drawn_by_click(words)


@pytest.mark.parametrize(
    "arguments",
    [[], ["plan"], ["--help", "plan"], ["pla", "--help"], ["plan", "-q", "--help"], ["--quiet", "--version"]],
    ids=" ".join,
)
def test_everything_else_is_left_to_click(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert not front.answer_at_once(arguments)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("columns", "kept"), [(79, False), (80, True)])
def test_a_narrow_terminal_gets_a_page_of_its_own(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, kept: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((columns, 24)))
    assert front.answer_at_once(["plan", "--help"]) is kept


@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", ["--help", "plan --help", "--version"])
def test_a_page_that_nobody_can_read_is_an_error(words: str, closed: str) -> None:
    line = f"exec {sys.executable} -m reconciler {words} {closed}"
    root = str(Path(__file__).parents[1])
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60, cwd=root)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: ")


def test_the_version_is_that_of_click_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.answer_at_once(["--version"])
    assert capsys.readouterr().out == CliRunner().invoke(cli, ["--version"]).output
