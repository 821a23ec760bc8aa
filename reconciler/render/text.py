"""The exits for foreign text: each format has one function that makes a name harmless there (FAULTS 2.8).

Names of clients, customers and Subscriptions come from two web APIs and from a file in a pull request: somebody else
chose them. Nothing may be drawn without passing one of these functions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

WIDTH = 80
"""Columns (terminal) or characters (elsewhere) after which a name is cut."""

CUT = "..."

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Categories that move, hide or reorder text instead of showing something."""

_ZERO_WIDTH_SPACE = "\u200b"


def visible(text: str) -> str:
    """Return the text with every control, format, surrogate, private and line-breaking character as `\\u{..}`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) if unicodedata.category(char) in _HIDDEN else char for char in text)


def _escaped(char: str) -> str:
    return f"\\u{{{ord(char):x}}}"


def legible(text: str, width: int) -> str:
    """Return the text in at most `width` columns with nothing hidden in it.

    Nothing beyond four times the width can be seen; cutting first keeps a name of a million characters cheap.
    """
    return cut(visible(text[: 4 * width]), width)


def cut(text: str, width: int) -> str:
    """Return the text in at most `width` columns; what was cut off shows as `...`."""
    # combining characters have no width: without the second bound a name of a million of them would pass
    if len(text) <= 2 * width and display_width(text) <= width:
        return text
    room, kept = width - len(CUT), []
    for char in text[: 2 * width]:
        room -= display_width(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + CUT


def display_width(text: str) -> int:
    """Return the columns that the text takes on a terminal: East Asian wide is two, combining is none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - --help must not wait for it

    return cell_len(text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return the text filled with spaces to `width` columns; `right` aligns it to the right."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space


_LOG_COMMANDS = re.compile(r"(?<=:)(?=:)|(?<=#)(?=#)")


def terminal_safe(text: str, width: int = WIDTH, *, encoding: str = "utf-8") -> str:
    """Return the text as one piece of one line, safe on a terminal and in a CI log.

    CI runners read commands from the log: a line that starts with `::`, and `##[` or `##vso[` anywhere. Both are
    broken up here, as a terminal's output ends up in a CI log sooner or later. What `encoding` cannot express shows
    as `\\u{..}`, so that an old console shows something instead of failing.
    """
    safe = visible(text[: 4 * width])
    if not safe.isascii():
        safe = _encodable(safe, encoding)
    return cut(_LOG_COMMANDS.sub(" ", safe), width)


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return _escaped(text) if len(text) == 1 else "".join(_encodable(char, encoding) for char in text)
    return text


_MARKDOWN = {char: f"&#{ord(char)};" for char in "\\`*_[]|~$^{}"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

# Forges turn these into links, people or pictures even after the Markdown was rendered, so that an entity does not
# stop them; a zero-width space does: @team, #1, !1, %1, GH-1, www., http:// and :smile:, and commit hashes.
_REFERENCES = re.compile(
    r"[@#](?=\S)"
    r"|[!%$&](?=\d)"
    r"|[~%](?=[\w\"])"
    r"|:(?=//|[\w+-]+:)"
    r"|(?i:gh)(?=-\d)"
    r"|(?i:www)(?=\.)"
    r"|\b[A-Z][A-Z0-9]+-(?=\d)"
    r"|[0-9a-f]{7,}"
)


def _broken(reference: re.Match[str]) -> str:
    """The reference with a zero-width space behind it, and behind every six characters of a commit hash."""
    text = reference.group()
    return "".join(text[start : start + 6] + _ZERO_WIDTH_SPACE for start in range(0, len(text), 6))


def markdown_safe(text: str, width: int = WIDTH) -> str:
    """Return the text as plain words for one cell or one sentence of GitHub's or GitLab's Markdown.

    It cannot mention, refer, link, show a picture, format, end a table cell or start a block; it never holds a line
    break. Not for the start of a line.
    """
    safe = _REFERENCES.sub(_broken, legible(text, width))
    return "".join(_MARKDOWN.get(char, char) for char in safe)


_CI_WORDS = re.compile(r"[\[*](?=\S)")
"""How a commit message begins to tell a CI system that it shall skip the commit: [skip ci], ***NO_CI***."""


def commit_safe(text: str, width: int = WIDTH) -> str:
    """Return the text as plain words for the middle of a line of a commit message.

    It cannot mention, refer to or close anything, skip CI or end the line.
    """
    safe = _REFERENCES.sub(_broken, legible(text, width))
    return _CI_WORDS.sub(lambda found: found.group() + _ZERO_WIDTH_SPACE, safe)


_PLAIN_WORD = re.compile(r"[A-Za-z0-9._:/=-]+(?: [A-Za-z0-9._:/=-]+)*")


def markdown_code(text: str, width: int = WIDTH) -> str:
    """Return the text as a code span where it is a plain word such as a key, otherwise as `markdown_safe` does."""
    return f"`{text}`" if len(text) <= width and _PLAIN_WORD.fullmatch(text) else markdown_safe(text, width)


# What chat services and mail programs turn into people, channels, pictures and links, in plain text as well.
_MENTIONS = re.compile(r"[@#~](?=\S)|<(?=[!/\w])|:(?=//|[\w+-]+:)|(?i:www)(?=\.)")

_COMMONMARK = re.compile(r"[\\*\[\]<>]|(?<![^\W_])_|_(?![^\W_])")
_BLOCK = re.compile(r"\A(\s*\d*)([#+=.)-])")
"""What makes a heading or a list at the start of a line."""


def message_safe(text: str, width: int = WIDTH) -> str:
    """Return the text as plain words for one line of a chat message or a mail: it mentions and links nobody.

    Many services read a backtick in plain text, too: it becomes a quotation mark.
    """
    safe = legible(text, width).replace("`", "'")
    return _MENTIONS.sub(lambda found: found.group() + _ZERO_WIDTH_SPACE, safe)


def commonmark_safe(text: str, width: int = WIDTH) -> str:
    """As `message_safe`, for a message in Markdown; at the start of a line, too.

    With backslashes, and no more of them than it takes: unlike forges, chat services show an HTML entity as it is
    written, and Slack shows some backslashes too.
    """
    safe = _COMMONMARK.sub(r"\\\g<0>", message_safe(text, width))
    return _BLOCK.sub(r"\1\\\2", safe)


def html_message_safe(text: str, width: int = WIDTH) -> str:
    """As `message_safe`, for a message in HTML."""
    return escape(message_safe(text, width))


def annotation_data(text: str, width: int = 1000) -> str:
    """Return the text for the message of a GitHub workflow command."""
    return legible(text, width).replace("%", "%25")


def annotation_property(text: str, width: int = 200) -> str:
    """Return the text for a property (file, title) of a GitHub workflow command."""
    return annotation_data(text, width).replace(":", "%3A").replace(",", "%2C")


_CODE = re.compile(
    r"reconciler [a-z]+(?:-[a-z]+)*(?: [^;,.'\s]+){0,12}? --reason '\.\.\.'(?: --yes)?"
    r"|reconciler [a-z]+(?:-[a-z]+)*(?: [^;,.()\s]+)*$"
    r"|reconciler [a-z]+(?:-[a-z]+)*(?: --[a-z-]+ [^\s;,.']+| (?=[^\s;,]*[0-9])[^\s;,.)]+)*"
    r"|quantity: \{[a-z_]+: (?:true|[0-9]+)\}|retired: true|- \{infima_client: .{1,400}? retired: true\}"
)


def pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Our own sentence in pieces: true with what is there to be copied (a command, some YAML), false with words."""
    at = 0
    for found in _CODE.finditer(text):
        if found.start() > at:
            yield False, text[at : found.start()]
        yield True, found[0]
        at = found.end()
    if at < len(text):
        yield False, text[at:]


_FORMULA = re.compile(r"[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def csv_cell(value: str | int | None) -> str:
    """Return one cell of a CSV file: numbers bare, text quoted and never taken for a formula by a spreadsheet."""
    if value is None:
        return '""'
    if isinstance(value, int):
        return str(value)
    text = visible(value)
    if _FORMULA.match(text):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"'
