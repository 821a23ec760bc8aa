"""The README proves itself: what it shows is what the program prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import COMMANDS
from tests import newcomer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told() -> str:
    """Everything that `reconciler demo` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "demo"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def block_after(mark: str) -> str:
    found = re.search(rf"<!-- {mark}.*?-->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_night_in_the_readme_is_what_the_demo_prints(told: str) -> None:
    missing = [line for line in block_after("demo").splitlines() if line not in told and line != "[...]"]
    assert missing == []


def test_the_demo_tells_the_story_to_its_end(told: str) -> None:
    assert "No changes. HaloPSA matches mappings.yaml and INFIMA's counts." in told
    assert "Apply complete! 15 created, 12 updated, 9 unchanged." in told
    assert "Exit code 3: something was held." in told
    assert "Map Tidewater Yoga (143) to Tidewater Yoga Ltd (72)" in told
    assert "takes over the one that was made by hand." in told


def test_a_newcomer_finds_each_step_where_the_script_looks_for_it() -> None:
    install, server, before, after = newcomer.steps(README)
    assert [line.split()[0] for line in install] == ["python3", "~/reconciler/bin/pip", "export"]
    assert server == "reconciler simulate --env-file simulator.env"
    commands = [line.split()[1] for line in [*before, *after] if line.startswith("reconciler ")]
    assert commands == ["init", "map", "plan", "apply", "apply", "plan"]


def test_the_command_table_is_the_one_of_the_help() -> None:
    table = re.search(r"(<!-- commands.*?-->\n\| command \| does \|\n\|---\|---\|\n)(.*?)\n\n", README, re.DOTALL)
    assert table is not None
    wanted = "\n".join(f"| `{name}` | {line} |" for name, (_, line) in COMMANDS.items())
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        (ROOT / "README.md").write_text(README.replace(table[2], wanted), encoding="utf-8")
    assert table[2] == wanted
