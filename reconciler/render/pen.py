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

_WHOLE = re.compile(
    r"reconciler [a-z]+ [^;,.]{1,240}?--reason '\.\.\.'(?: --yes)?"
    r"|reconciler [a-z-]+ (?:--only )?[^\s;,]+|`[^`]{1,120}`"
    r"|(?:Users: )?[0-9,.?]+ -> [0-9,.?]+|[0-9]+ %|[0-9:]+ UTC"
)
"""What a line break must not divide: commands that are there to be copied, and numbers that belong together."""

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

    def coloured(self, opening: str, rest: str = "", *, ink: Ink) -> Iterator[str]:
        """Our own sentences, wrapped, with the opening in a colour."""
        left = len(opening)
        for line in self.prose(f"{opening} {rest}".rstrip(), indent=""):
            words = line.lstrip()
            inked = words[:left]
            left = max(0, left - len(words) - 1)
            yield line[: -len(words)] + (self.ink(inked, ink) if inked else "") + words[len(inked) :]

    def prose(self, text: str, *, indent: str, first: str = "") -> Iterator[str]:
        """Text wrapped into lines; `first` is our own opening, which keeps foreign text off the line's start.

        What is there to be copied and what belongs together stays on one line, however narrow the terminal is.
        """
        words = _WHOLE.sub(lambda command: command[0].replace(" ", _GLUE), self.clean(text, _PROSE))
        lines = textwrap.wrap(
            first + words,
            width=max(self.width, 40),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (line.replace(_GLUE, " ") for line in lines)
