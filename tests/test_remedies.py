"""Every command that the program tells people to run is one that runs: the words in the code, parsed by click."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

import reconciler
from reconciler.cli.main import COMMANDS, cli
from reconciler.cli.options import CommonOptions

PACKAGE = Path(reconciler.__file__).parent
FILLED = "1"  # stands for what is filled in at run time: it can be a key, a number and a file name
ARGUMENT = re.compile(
    r"""\s+(--?[a-z][a-z-]*(?:=\S+)?|'[^']*'|"[^"]*"|[A-Z][A-Z_]+\b|git:[a-z-]+|[a-z]+-[0-9]+|[0-9]+)"""
)
COMMAND = re.compile(rf"\breconciler ({'|'.join(COMMANDS)})\b")


def commands_in(text: str) -> list[tuple[str, ...]]:
    """The commands in a text, each as far as words follow that can only be arguments."""
    found = []
    for start in COMMAND.finditer(text):
        words, at = [start[1]], start.end()
        while argument := ARGUMENT.match(text, at):
            words += shlex.split(argument[1])
            at = argument.end()
        found.append(tuple(words))
    return found


def texts(source: str) -> list[str]:
    """Every string of a module with what is filled in at run time filled in; docstrings are texts too."""
    tree, found = ast.parse(source), []
    pieces = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for v in node.values}
    for node in ast.walk(tree):
        if id(node) in pieces:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [str(v.value) if isinstance(v, ast.Constant) else FILLED for v in node.values]
            found.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


SAID = sorted(
    {
        (str(path.relative_to(PACKAGE)), command)
        for path in PACKAGE.rglob("*.py")
        for text in texts(path.read_text(encoding="utf-8"))
        for command in commands_in(text)
        if len(command) > 1
    }
)


def parse(words: tuple[str, ...]) -> click.Context:
    name, *arguments = (FILLED if word == "ID" else word for word in words)
    group = cli.make_context("reconciler", [name], obj=CommonOptions())
    command = cli.get_command(group, name)
    assert command is not None
    return command.make_context(name, arguments, parent=group)


def takes_a_value(words: tuple[str, ...]) -> bool:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    option = next(p for p in command.params if isinstance(p, click.Option) and words[-1] in p.opts)
    return not option.is_flag


@pytest.mark.parametrize(("module", "words"), SAID, ids=lambda part: part if isinstance(part, str) else " ".join(part))
def test_click_takes_every_command_that_the_program_names(module: str, words: tuple[str, ...]) -> None:
    if words[-1].startswith("-") and takes_a_value(words):
        return  # a path or a word of its own follows, where reading stopped
    with parse(words) as context:
        assert context.command.name, module


@pytest.mark.parametrize(
    "words", sorted({w for m, w in SAID if w[0] in {"adopt", "resolve"} and m == "planning/rules.py"})
)
def test_a_decision_can_be_pasted_where_nobody_can_be_asked(words: tuple[str, ...]) -> None:
    with parse(words) as context:
        assert context.params["yes"] is True
        assert context.params["reason"]


def test_remedies_alone_spell_decisions() -> None:
    """One spelling: what names adopt or resolve with its arguments filled in takes it from `planning.rules`."""
    others = {m for m, w in SAID if w[0] in {"adopt", "resolve"} and FILLED in w}
    assert others == {"planning/rules.py"}


def test_the_words_of_a_command_end_where_prose_begins() -> None:
    assert commands_in("run: reconciler resolve k-1 --recreate --reason '...'; or restore it") == [
        ("resolve", "k-1", "--recreate", "--reason", "...")
    ]
    assert commands_in("reconciler customers SEARCH finds the id") == [("customers", "SEARCH")]
