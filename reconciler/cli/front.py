"""`reconciler --help` and `reconciler --version`, answered before click is imported.

Importing click takes longer than starting Python, and these two are what people, editors and installers ask most
often. The page is click's own, kept in help.txt beside this module; `make golden` draws it anew and a test compares.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from reconciler import __version__

HELP_PAGE = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - pathlib is slow to import


def answer_at_once(arguments: Sequence[str]) -> bool:
    """Print the answer when nothing else was asked for; false leaves everything to click."""
    if os.environ.get("_RECONCILER_COMPLETE"):
        return False
    match arguments:
        case ["--version"]:
            text = f"reconciler {__version__}\n"
        case ["--help"] | ["-h"]:
            with open(HELP_PAGE, encoding="ascii") as page:  # noqa: PTH123
                text = page.read()
        case _:
            return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
