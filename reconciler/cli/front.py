"""`--help`, of the program and of each command, and `--version`, answered before click is imported.

Importing click takes longer than starting Python, and these are what people, editors and installers ask most often.
The pages are click's own, kept in help.txt beside this module; `make golden` draws them anew and a test compares.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from reconciler import __version__

HELP_PAGES = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - pathlib is slow to import
"""For each page a form feed, the command's words on a line of their own, and the page."""

PAGE_WIDTH = 80


def answer_at_once(arguments: Sequence[str]) -> bool:
    """Print the answer when nothing else was asked for; false leaves everything to click."""
    if os.environ.get("_RECONCILER_COMPLETE") or sys.stdout is None:  # without stdout click's way says what is wrong
        return False
    match arguments:
        case ["--version"]:
            text = f"reconciler {__version__}\n"
        case [*words, "--help" | "-h"] if _is_wide_enough():
            text = _page(" ".join(words))
        case _:
            return False
    if not text:
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        if not isinstance(error, BrokenPipeError):  # whoever closed a pipe has seen enough
            sys.exit(f"Error: the result could not be written to stdout: {error.strerror}")
    return True


def _page(command: str) -> str:
    """The kept page of that command; nothing where there is none."""
    with open(HELP_PAGES, encoding="ascii") as pages:  # noqa: PTH123
        _, found, rest = pages.read().partition(f"\f{command}\n")
    return rest.partition("\f")[0] if found else ""


def _is_wide_enough() -> bool:
    """False on a terminal where the lines of a kept page would break: click draws a narrower one."""
    try:
        return not sys.stdout.isatty() or os.get_terminal_size(sys.stdout.fileno()).columns >= PAGE_WIDTH
    except (OSError, ValueError):
        return True
