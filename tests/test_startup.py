"""What the program imports before it knows what is asked for: `--help` must cost no more than it says."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

HEAVY = {"httpx", "httpcore", "jsonschema", "deepdiff", "jinja2", "rich", "yaml", "rapidfuzz", "apprise"}
"""Each of them costs as much as starting Python, or several times that."""

ROOT = Path(__file__).parents[1]


def modules_after(*arguments: str, **variables: str) -> set[str]:
    """The top-level modules in a process that ran the command line with these arguments."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('\\n'.join(['MODULES', *sys.modules])))\n"
        "from reconciler.cli import entry\n"
        f"sys.argv = ['reconciler', *{arguments!r}]\n"
        "entry()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.partition("MODULES\n")[2].splitlines()}


@pytest.mark.parametrize("words", ["--help", "-h", "--version"])
def test_help_and_version_import_nothing_heavy(words: str) -> None:
    assert not modules_after(words) & HEAVY


def test_completion_of_commands_imports_nothing_heavy() -> None:
    asked = {"_RECONCILER_COMPLETE": "bash_complete", "COMP_WORDS": "reconciler pl", "COMP_CWORD": "1"}
    assert not modules_after(**asked) & HEAVY


def test_a_run_imports_only_what_its_lock_file_has() -> None:
    """What a developer has beside it must not make it slower: jsonschema imports a grammar where it finds one."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE))
    whose = packages_distributions()
    found = {each.lower().replace("_", "-") for name in modules_after("plan", "--help") for each in whose.get(name, ())}
    assert "jsonschema" in found
    assert found - locked <= {"halo-infima-reconciler", "setuptools", "pip"}


def cpu_of(*command: str) -> float:
    """Seconds of processor time that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_costs_a_few_starts_of_python() -> None:
    """The budget is 100 ms where an empty Python takes about 15; as a ratio it holds on slow machines too."""
    empty = min(cpu_of(sys.executable, "-c", "") for _ in range(3))
    assert min(cpu_of(sys.executable, "-m", "reconciler", "--help") for _ in range(3)) < 8 * empty


@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
@pytest.mark.parametrize("words", ["--help", "plan --help", "--version"])
def test_a_page_that_nobody_can_read_is_an_error(words: str, closed: str) -> None:
    line = f"exec {sys.executable} -m reconciler {words} {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: ")
