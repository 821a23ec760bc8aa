"""The text of mappings.yaml before anybody understands it: read, decoded, checked; and the problems found in it.

What a reviewer cannot see must not be in a file that decides what customers are billed: control characters,
bidirectional controls (the Trojan Source trick) and zero-width characters are refused wherever they stand. Whatever was
written in the file may come back in a message, so a problem on one line goes through `printable`: a name cannot move
the cursor or turn the reading direction. `render/annotations.py` draws the problems.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reconciler.errors import ConfigError
from reconciler.model import Place

Severity = Literal["error", "warning"]

MAX_BYTES = 5_000_000
MAX_PROBLEMS = 200
"""More than a person reads at once. Reading goes on, so that the count of what is left out is true."""

_LONGEST_QUOTED = 60

BYTE_ORDER_MARK = "\ufeff"
"""Some editors put it before the first character; it is accepted there and says nothing."""

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ZERO_WIDTH = "\u00ad\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_LINE_BREAKS = "\x85\u2028\u2029"

INVISIBLE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_ZERO_WIDTH}\ud800-\udfff\ufffe\uffff]")
"""What no value may hold, not even behind an escape such as "\\u202e"."""

ODD_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
"""Spaces that look like a space and are none for YAML."""

# The same for the raw text, where line breaks are legal: a carriage return only before a line feed.
_REFUSED_IN_TEXT = re.compile(
    f"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_ZERO_WIDTH}\ufffe\uffff]|\r(?!\n)"
)


_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
"""Unicode's categories of what a message must not bring to a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem. `hint` says how to fix it and may be empty; `source_line` is the line of `place`."""

    place: Place
    severity: Severity
    message: str
    hint: str = ""
    source_line: str = ""

    def render(self) -> str:
        """`file:line:column: error: what — how to fix`, on one line."""
        what = f"{self.message} — {self.hint}" if self.hint else self.message
        return printable(f"{self.place}: {self.severity}: {what}")


def printable(text: str) -> str:
    """`text` with control, bidirectional and invisible characters replaced, so that a terminal shows it as written."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c == "\t" else "\ufffd" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def quoted(value: object) -> str:
    """`value` between quotes for a message: cut when long, invisible characters spelled out as `\\uXXXX`."""
    text = str(value)
    if len(text) > _LONGEST_QUOTED:
        text = text[: _LONGEST_QUOTED - 1] + "…"
    return '"' + "".join(_spelled(c) for c in text) + '"'


def _spelled(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return character.encode("unicode_escape").decode("ascii")


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by place; at one place errors come before warnings."""
    return tuple(sorted(diagnostics, key=lambda d: (d.place.line, d.place.column, d.severity, d.message)))


class Source:
    """Decoded text that knows its file name and where its lines begin. Offsets count characters from 0."""

    __slots__ = ("_starts", "file", "text")

    def __init__(self, text: str, *, file: str) -> None:
        self.file = file
        self.text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        """Line and column of `offset`; one behind the end of the text stands at its end."""
        offset = min(offset, len(self.text))
        line = bisect_right(self._starts, offset)
        return Place(file=self.file, line=line, column=offset - self._starts[line - 1] + 1)

    def line_number(self, offset: int) -> int:
        """Line of `offset`, from 1."""
        return bisect_right(self._starts, offset)

    def start_of(self, line: int) -> int:
        """Offset of the first character of that line (from 1)."""
        return self._starts[line - 1]

    def line_start(self, offset: int) -> int:
        """Offset of the first character of the line on which `offset` stands."""
        return self._starts[bisect_right(self._starts, offset) - 1]

    def line_end(self, offset: int) -> int:
        """Offset behind that line, its line break included."""
        line = bisect_right(self._starts, offset)
        return self._starts[line] if line < len(self._starts) else len(self.text)

    def line_text(self, line: int) -> str:
        """That line (from 1) without its line break."""
        start = self._starts[line - 1]
        return self.text[start : self.line_end(start)].rstrip("\r\n")


class Problems:
    """Collects diagnostics while a file is read, one per place: the first finder knows best what is wrong there."""

    __slots__ = ("_errors", "_found", "_source", "untold")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[tuple[int, Severity], Diagnostic] = {}
        self._errors: list[int] = []  # where each error stands, in order, those included that are too many to be listed
        self.untold = 0

    def error(self, offset: int, message: str, hint: str = "") -> None:
        """Record an error at `offset`."""
        self._add(offset, "error", message, hint)

    def warning(self, offset: int, message: str, hint: str = "") -> None:
        """Record something that a person should look at, but which makes nothing invalid."""
        self._add(offset, "warning", message, hint)

    def _add(self, offset: int, severity: Severity, message: str, hint: str) -> None:
        if (offset, severity) in self._found:
            return
        if severity == "error":
            insort(self._errors, offset)
        if len(self._found) >= MAX_PROBLEMS:
            self.untold += severity == "error"
            return
        place = self._source.place(offset)
        line = self._source.line_text(place.line)
        self._found[offset, severity] = Diagnostic(
            place=place, severity=severity, message=message, hint=hint, source_line=line
        )

    def line(self, offset: int) -> str:
        """The line of `offset`, as another problem's message names it: "line 8"."""
        return f"line {self._source.line_number(offset)}"

    def within(self, start: int, end: int) -> bool:
        """True when an error stands between `start` and `end`; a missing value stands at the very end."""
        first = bisect_left(self._errors, start)
        return first < len(self._errors) and self._errors[first] <= end

    @property
    def error_count(self) -> int:
        """Number of errors, those included that are too many to be listed."""
        return self.untold + sum(severity == "error" for _, severity in self._found)

    @property
    def has_errors(self) -> bool:
        """True as soon as the file cannot be used."""
        return self.error_count > 0

    def all(self) -> tuple[Diagnostic, ...]:
        """Everything found so far, sorted by place."""
        return in_order(self._found.values())


def refusal(file: str, message: str, hint: str, *, place: Place | None = None, source_line: str = "") -> ConfigError:
    """A ConfigError about a file that cannot be read at all: of the file as such, or of the `place` that is wrong."""
    at = place or Place(file=file, line=1, column=1)
    diagnostic = Diagnostic(place=at, severity="error", message=message, hint=hint, source_line=source_line)
    return ConfigError(printable(f"{place or file}: {message}"), diagnostics=(diagnostic,), hint=hint)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of at most 5 MB. Raises ConfigError for anything else, and never waits on a FIFO."""
    file = str(path)
    try:
        # Without O_NONBLOCK the mere opening of a FIFO waits for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as exc:
        hint = "run `reconciler init` to start one, or name another with --mappings"
        raise refusal(file, "there is no such file", hint) from exc
    except (OSError, ValueError) as exc:
        raise refusal(file, f"the file cannot be opened: {_reason(exc)}", "check its path and its permissions") from exc
    try:
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                kind = _kind(status.st_mode)
                raise refusal(file, f"this is {kind}, not a regular file", "name the mappings file itself")
            return stream.read(MAX_BYTES + 1)
    except OSError as exc:
        raise refusal(file, f"the file cannot be read: {_reason(exc)}", "check its path and its permissions") from exc


def _reason(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a device or a socket"


def decode(content: bytes | str, *, file: str) -> str:
    """The text of `content`. Raises ConfigError when it is too long or not UTF-8."""
    # A lone surrogate can only come from a caller's str; as bytes it is invalid UTF-8 and is told as such.
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(raw) > MAX_BYTES:
        hint = "split the customers over several files, one per Halo instance"
        raise refusal(file, "the file is over 5 MB", hint, place=Place(file=file, line=1, column=1))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        before = raw[: exc.start].decode("utf-8")
        source = Source(before, file=file)
        place = source.place(len(before))
        hint = "save the file as UTF-8; an old Windows editor may have saved it in another encoding"
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "this is UTF-16: save the file as UTF-8"
        message, line = f"byte 0x{raw[exc.start]:02x} is not UTF-8", source.line_text(place.line)
        raise refusal(file, message, hint, place=place, source_line=line) from exc


def check_characters(source: Source, problems: Problems) -> str:
    """Report each refused character; return the text with stand-ins of the same length, so that reading goes on."""
    told: set[tuple[str, int]] = set()
    for found in _REFUSED_IN_TEXT.finditer(source.text):
        character, offset = found[0], found.start()
        if character in "\t\r":  # once a line; the lines of a file that has only CR are all one
            once = character, source.line_number(offset)
            if once in told:
                continue
            told.add(once)
        problems.error(offset, *_about_character(character))
    return _REFUSED_IN_TEXT.sub(_stand_in, source.text)


def _about_character(character: str) -> tuple[str, str]:
    code = f"U+{ord(character):04X}"
    if character == "\t":
        return "a tab", "use spaces, also for indentation"
    if character == "\r" or character in _LINE_BREAKS:
        return f"an unusual line break ({code})", "end lines with LF or CRLF"
    if character == "\ufeff":
        return f"a byte order mark ({code})", "delete it: it may only begin the file"
    if re.match(f"[{_BIDI}]", character):
        return f"a bidirectional control character ({code})", "delete it: it can make text read other than it is"
    if re.match(f"[{_ZERO_WIDTH}]", character):
        return f"an invisible character ({code})", "delete it"
    return f"a control character ({code})", "delete it"


def _stand_in(found: re.Match[str]) -> str:
    if found[0] == "\r" or found[0] in _LINE_BREAKS:
        return "\n"
    return " " if found[0] in "\t\ufeff" else "\ufffd"
