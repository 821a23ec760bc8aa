"""What a command imports before it does anything: start-up is what people feel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli import front
from reconciler.cli.main import cli
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


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_do_not_even_need_click(option: str) -> None:
    assert not modules_after(option) & (HEAVY | {"click"})


@pytest.mark.parametrize("command", ["plan", "apply", "validate"])
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert not modules_after(command, "--help") & HEAVY


def test_completion_imports_nothing_heavy() -> None:
    asked = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler pl", "COMP_CWORD": "1"}
    assert not modules_after(**asked) & HEAVY


def test_validate_speaks_to_nobody_and_needs_no_schema_library_for_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "mappings.yaml").write_text(small_mappings(), encoding="utf-8")
    assert not modules_after("validate", folder=tmp_path) & (HEAVY - {"yaml"})


def test_httpx_comes_without_its_command_line() -> None:
    script = "import sys, reconciler.providers.transport; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    modules = set(done.stdout.split())
    assert "httpx" in modules
    assert not modules & {"httpx._main", "rich", "pygments", "click"}


def test_the_kept_help_page_is_the_one_that_click_draws() -> None:
    drawn = CliRunner(env={"COLUMNS": "80"}).invoke(cli, ["--help"], prog_name="reconciler", terminal_width=80).output
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        Path(front.HELP_PAGE).write_text(drawn, encoding="ascii")
    assert Path(front.HELP_PAGE).read_text(encoding="ascii") == drawn, "run `make golden`"


@pytest.mark.parametrize("arguments", [[], ["plan"], ["--help", "plan"], ["plan", "--help"], ["--quiet", "--version"]])
def test_everything_else_is_left_to_click(arguments: list[str]) -> None:
    assert not front.answer_at_once(arguments)


def test_the_version_is_that_of_click_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.answer_at_once(["--version"])
    assert capsys.readouterr().out == CliRunner().invoke(cli, ["--version"]).output
