"""How lines for a terminal are written: colours, wrapped prose, and foreign text made safe for it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from reconciler.render.text import terminal_safe

_PROSE = 2000
"""Characters of one message or remedy that are shown."""

_TO_COPY = re.compile(
    r"reconciler [a-z]+ [^;,.]{1,240}?--reason '\.\.\.'(?: --yes)?"
    r"|reconciler [a-z-]+ (?:--only )?[^\s;,]+|`[^`]{1,120}`"
)
_GLUE = "\x1f"  # a control character, so no cleaned text holds it


class Ink(Enum):
    """ANSI colours. They repeat what the words say."""

    GREEN = "32"
    YELLOW = "33"
    RED = "31"
    BOLD = "1"
    PLAIN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How this terminal is written on: colour or not, columns, and what its encoding can express."""

    colour: bool = False
    width: int = 100
    encoding: str = "utf-8"

    def clean(self, text: str, width: int = 80) -> str:
        """Foreign text, safe here."""
        return terminal_safe(text, width, encoding=self.encoding)

    def ink(self, text: str, ink: Ink) -> str:
        """Our own text in a colour, where colours are wanted."""
        return f"\x1b[{ink.value}m{text}\x1b[0m" if self.colour and ink is not Ink.PLAIN else text

    def prose(self, text: str, *, indent: str, first: str = "") -> Iterator[str]:
        """Text wrapped into lines; `first` is our own opening, which keeps foreign text off the line's start.

        What is there to be copied stays on one line, however narrow the terminal is.
        """
        words = _TO_COPY.sub(lambda command: command[0].replace(" ", _GLUE), self.clean(text, _PROSE))
        lines = textwrap.wrap(
            first + words,
            width=max(self.width, 40),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (line.replace(_GLUE, " ") for line in lines)
