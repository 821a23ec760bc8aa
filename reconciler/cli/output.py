"""stdout carries the result, stderr everything else."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from textwrap import wrap
from typing import TextIO, TypeVar

import click

from reconciler.render.grid import Cell, Column, draw_columns, draw_csv, draw_markdown
from reconciler.render.text import terminal_safe

T = TypeVar("T")
Part = tuple[Column, Callable[[T], Cell]]
"""A column of a table, and what it shows of a row."""


def prepare_streams() -> bool:
    """A console that cannot show a character gets its code instead of an exception (cp1252, plain ASCII).

    Returns false when there is no stdout at all: then nobody will see the result.
    """
    present = sys.stdout is not None
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - lives as long as we do
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return present


_lost: list[OSError | ValueError] = []
"""Why stdout took no more, in this process."""

_standing: list[Callable[[], None]] = []


def stands_on_terminal(take_down: Callable[[], None]) -> None:
    """Register what ends a display at the foot of the terminal for good, before it is drawn or after."""
    _standing.append(take_down)


def knows_no_escapes(environ: Mapping[str, str]) -> bool:
    """True where a terminal says that it is dumb, or says nothing: neither colours nor a moving display there."""
    return os.name != "nt" and environ.get("TERM", "dumb") in {"", "dumb"}


def clear_terminal() -> None:
    """Take down what a run left standing, before its error is told or the process ends."""
    while _standing:
        with suppress(Exception):  # a terminal that has gone needs no clearing
            _standing.pop()()


def close_streams(code: int) -> int:
    """Flush both streams; a result that could not be written turns a good exit code into 1."""
    clear_terminal()
    flush()
    # whoever closed a pipe has seen enough (`| head`): that is no failure, and nothing is said of it
    failures = [error for error in _lost if not is_broken_pipe(error)]
    _lost.clear()
    if failures:
        tell(f"Error: the result could not be written to stdout: {failures[0]}")
        code = code or 1
    _drain(sys.stderr)
    return code


def forget_unwritten() -> None:
    """What stdout does not take any more is dropped, where that was told already: `close_streams` says it once."""
    _drain(sys.stdout)


def _drain(stream: TextIO) -> OSError | ValueError | None:
    """Flush; return why that failed, and from then on what is buffered goes nowhere.

    The interpreter's own last flush cannot fail then.
    """
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        _silence(stream)
        return error
    return None


def _silence(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """Write to stdout. Where that fails the run goes on: nobody's screen decides what is written to HaloPSA (PF4).

    The failure is told at the end, by `close_streams`.
    """
    try:
        click.echo(text, nl=not text.endswith("\n"), color=True)
    except (OSError, ValueError) as error:
        _lost.append(error)
        _silence(sys.stdout)


def flush() -> bool:
    """Let what was said be seen now; false where its reader has gone."""
    if error := _drain(sys.stdout):
        _lost.append(error)
    return not any(map(is_broken_pipe, _lost))


def is_broken_pipe(error: BaseException) -> bool:
    """True where the reader of a pipe has gone; Windows calls it an invalid argument."""
    return isinstance(error, BrokenPipeError) or (
        os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL
    )


def tell(text: str) -> None:
    """Write to stderr, as far as anybody listens there: what is said never ends a run."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True)


def terminal_width() -> int:
    """How many columns a line has; 120 where nobody says."""
    return shutil.get_terminal_size((120, 24)).columns


def stdout_encoding() -> str:
    """What stdout can show."""
    return sys.stdout.encoding or "ascii"


def safe(text: str, width: int = 2_000) -> str:
    """One line of our own words with foreign names in it, harmless on this terminal and in a CI log."""
    return terminal_safe(text, width, encoding=stdout_encoding())


def prompt(question: str) -> str:
    """What a person types; the question stands on stderr."""
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer


def say_wrapped(lead: str, text: str, *, indent: int | None = None) -> None:
    """A paragraph behind `lead`, below which it stands unless `indent` says otherwise.

    A line of YAML in it stays in one piece, so that it can be pasted.
    """
    below = " " * (len(lead) if indent is None else indent)
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    whole = _YAML.sub(lambda found: found[0].replace(" ", _HARD_SPACE), safe(lead + text))
    for line in wrap(whole, width, subsequent_indent=below, break_on_hyphens=False, break_long_words=False):
        say(line.replace(_HARD_SPACE, " "))


_YAML = re.compile(r"settings: \{[^}]*\}")
_HARD_SPACE = "\x00"


def show_json(document: Mapping[str, object]) -> None:
    """One JSON document, ASCII only."""
    say(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False))


def show_rows(output: str, parts: Sequence[Part[T]], rows: Sequence[T]) -> None:
    """Draw a table, given as its columns with what each shows of a row: as text, csv or markdown."""
    columns = [column for column, _ in parts]
    cells = [[cell(row) for _, cell in parts] for row in rows]
    match output:
        case "csv":
            say(draw_csv(columns, cells))
        case "markdown":
            say(draw_markdown(columns, cells))
        case _:
            say(draw_columns(columns, cells, width=terminal_width(), encoding=stdout_encoding()))


def closest(word: str, choices: Sequence[str]) -> str:
    """The choice that `word` was probably meant to be, or nothing."""
    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def did_you_mean(word: str, choices: Sequence[str], otherwise: str) -> str:
    """The hint for a word that is none of the choices."""
    near = closest(word, choices)
    return f"Did you mean {near}?" if near else otherwise
