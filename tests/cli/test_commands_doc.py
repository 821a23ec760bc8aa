"""docs/commands.md is what --help prints. `RECONCILER_REWRITE_GOLDEN=1` writes it anew; CI never sets it."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from reconciler.cli.main import COMMANDS, cli

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

HEAD = """# Commands

What `reconciler COMMAND --help` prints, command by command. A test compares this page with the program.
[troubleshooting.md](troubleshooting.md) begins from what you see; `reconciler explain` begins from a name.

stdout carries the result, stderr everything else; `-o json` prints valid JSON also on failure.
"""


@pytest.fixture
def page() -> str:
    parts = [HEAD, "\n", " · ".join(f"[{name}](#{name})" for name in COMMANDS), "\n"]
    context = click.Context(cli, info_name="reconciler", terminal_width=100, **cli.context_settings)
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        parts.append(f"\n## {name}\n\n{line}\n")
        parts.append(_block(command, context, name))
        for sub in getattr(command, "commands", {}):
            parent = click.Context(command, info_name=name, parent=context, terminal_width=100)
            parts.append(f"\n### {name} {sub}\n")
            parts.append(_block(command.commands[sub], parent, sub))
    return "".join(parts)


def _block(command: click.Command, parent: click.Context, name: str) -> str:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100)
    return f"\n```text\n{command.get_help(context)}\n```\n"


def test_the_page_is_what_help_prints(page: str) -> None:
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page, "run this test once with RECONCILER_REWRITE_GOLDEN=1"
