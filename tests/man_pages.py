"""The man pages, drawn from the commands' own help: `python -m tests.man_pages FOLDER`, as `make dist` does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.main import cli

AS_IT_STANDS = "\b"
"""click's mark before a paragraph whose lines are not to be filled."""


def man_pages() -> dict[str, str]:
    """Each page's text by its file's name: reconciler.1, reconciler-plan.1, reconciler-ci-summary.1 ..."""
    return dict(_pages(cli, click.Context(cli, info_name="reconciler", **cli.context_settings)))


def _pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    below = _commands_of(command, context)
    name = context.command_path.replace(" ", "-")
    yield f"{name}.1", "\n".join(_page(name, command, context, below)) + "\n"
    for sub in below:
        yield from _pages(sub, click.Context(sub, info_name=sub.name, parent=context))


def _commands_of(command: click.Command, context: click.Context) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return []
    found = [command.get_command(context, name) for name in command.list_commands(context)]
    return [sub for sub in found if sub is not None and not sub.hidden]


def _page(name: str, command: click.Command, context: click.Context, below: list[click.Command]) -> Iterator[str]:
    yield f'.TH "{_text(name).upper()}" "1" "" "reconciler {_text(__version__)}" "reconciler"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(command.get_short_help_str(limit=120).rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_text(context.command_path)}")
    yield _text(" ".join(command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(command.help or "")
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield ".SH OPTIONS"
        for flags, meaning in records:
            yield from (".TP", f"\\fB{_text(flags)}\\fR", _text(meaning))
    if below:
        yield ".SH COMMANDS"
        for sub in below:
            yield from (".TP", f"\\fB{_text(name)}\\-{_text(sub.name or '')}\\fR(1)")
            yield _text(sub.get_short_help_str(limit=120))
    if command.epilog:
        yield ".SH NOTES"
        yield from _paragraphs(command.epilog)
    if context.parent is not None:
        yield from (".SH SEE ALSO", f"\\fB{_text(context.parent.command_path.replace(' ', '-'))}\\fR(1)")


def _paragraphs(text: str) -> Iterator[str]:
    """The text of a help page: words in backticks are bold, examples keep their lines."""
    for paragraph in cleandoc(text).split("\n\n"):
        yield ".PP"
        if paragraph.startswith(AS_IT_STANDS):
            yield from (".nf", *map(_text, paragraph.removeprefix(AS_IT_STANDS).strip("\n").splitlines()), ".fi")
        else:
            yield re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _text(" ".join(paragraph.split())))


def _text(words: str) -> str:
    """Words as troff takes them literally."""
    literal = words.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + literal if literal.startswith((".", "'")) else literal


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, page in man_pages().items():
        (folder / file).write_text(page, encoding="utf-8", newline="\n")
