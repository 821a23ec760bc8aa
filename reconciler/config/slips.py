"""Slips of the hand in a YAML file, told by what was done and where, not by where a parser lost its way.

A parser complains where it cannot go on, often lines behind the slip: a quote that is not closed on line 8 is told on
line 9. Once it has complained, the lines before are looked at here for what people do: a quote too few, a space too
many, a merge that was never finished.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import yaml

from reconciler.config.source import Problems, Source

_MARKER = re.compile(r"(?m)^[ \t]*(<{7,}|>{7,}|\|{7,}|={7,}|%{7,}|\+{7,})(?=[ \t\r\n]|\Z)")
"""What merges leave at the beginning of a line: git's and svn's markers, and those of jj; or behind spaces, where
somebody has indented them."""

_CURLY = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb\uff02\uff07"
_STRAIGHT = "\"'"

_SYNTAX_HINTS: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "a `:` that is not allowed here", "quote the text when it contains `: `"),
    ("could not find expected ':'", "a key without its `:`", "write `key: value`, or quote the text before"),
    ("did not find expected key", "this line does not fit the lines above", "align it with the keys beside it"),
    ("did not find expected '-'", "this line does not fit the list above", "align it with the other `-`"),
    ("did not find expected ',' or '}'", "a `{` is not closed, or a `,` is missing", "close it with `}`"),
    ("did not find expected ',' or ']'", "a `[` is not closed, or a `,` is missing", "close it with `]`"),
    ("unexpected end of stream", "a quote is not closed", "close it on the same line"),
    ("cannot start any token", "text cannot begin with this character", "quote the text"),
    ("unknown escape", "an unknown `\\` sequence", "double the `\\`, or use single quotes"),
    ("found undefined tag", "a tag", "delete the word that begins with `!`; quote the value if it is text"),
    ("did not find expected node content", "a value is missing here", "write it, or close the bracket before"),
    ("did not find expected <document start>", "this does not fit the lines above", "align it with the keys beside it"),
)

_MISPLACED = ("expected key", "expected '-'", "<document start>", "mapping values are not allowed")
"""What is said of a line that stands too far to the left or to the right."""

_Told = tuple[int, str, str]
"""Offset, message and hint."""


def tell_merge_markers(source: Source, problems: Problems, *, indented: bool = False) -> bool:
    """Record every line that an unfinished merge has left. True where there is one.

    In a file that can be read, `indented` ones alone may be somebody's text.
    """
    found = list(_MARKER.finditer(source.text))
    if not indented and not any(marker.start(1) == source.line_start(marker.start(1)) for marker in found):
        return False
    hint = "here are two versions: keep the lines that are right, delete the others and all these markers"
    for marker in found:
        problems.error(marker.start(1), f"a merge-conflict marker ({marker[1][:7]})", hint)
        hint = "delete this line too"
    return bool(found)


def odd_quotes(text: str) -> tuple[str, str] | None:
    """Message and hint for unquoted text with a quote at one of its ends, which YAML takes for a part of the text."""
    if text[0] in _CURLY or text[-1] in _CURLY:
        bare = text.strip(_CURLY)
        return "curly quotes are a part of the text here, not quotes", f'write straight ones: "{bare}"'
    if text[-1] in _STRAIGHT and text.count(text[-1]) == 1:
        bare = text[:-1]
        return f"the {text[-1]} at the end is a part of the text: no quote was opened", f'write "{bare}"'
    return None


def tell_syntax(exc: yaml.YAMLError, source: Source, problems: Problems) -> None:
    """Record what was done where the parser gave up, at the place of the slip.

    Nothing is added on a line that holds a refused character, such as a tab, already: that has broken it.
    """
    if tell_merge_markers(source, problems, indented=True):
        return
    offset, message, hint = _about_syntax(exc, source)
    if not problems.within(source.line_start(offset), source.line_end(offset) - 1):
        problems.error(offset, message, hint)


def _about_syntax(exc: yaml.YAMLError, source: Source) -> _Told:
    problem = str(getattr(exc, "problem", None) or getattr(exc, "reason", None) or "it cannot be read as YAML")
    context = getattr(exc, "context_mark", None)
    offset = _offset_of(getattr(exc, "problem_mark", None) or context, source)
    told = _about_quotes(offset, source) or _about_line(offset, problem, context, source)
    if told is not None:
        return told
    if "unexpected end of stream" in problem and context is not None:
        offset = _offset_of(context, source)  # where the quote was opened, not where the file ends
    for fragment, message, hint in _SYNTAX_HINTS:
        if fragment in problem:
            return offset, message, _with_opener(hint, fragment, offset, context, source)
    return offset, f"this is not YAML: {problem}", "check the line and the one before it"


def _offset_of(mark: Any, source: Source) -> int:
    """Offset of a mark; an end of the file stands on the last line that says something."""
    end = len(source.text.rstrip())
    return min(int(mark.index), end) if mark is not None else 0


def _with_opener(hint: str, fragment: str, offset: int, context: Any, source: Source) -> str:
    if "or '}'" not in fragment and "or ']'" not in fragment:
        return hint
    opened = source.line_number(_offset_of(context, source)) if context is not None else 0
    return f"{hint} on line {opened}" if 0 < opened < source.line_number(offset) else hint


# ---------------------------------------------------------------------------------------------------------------------
# Quotes
# ---------------------------------------------------------------------------------------------------------------------


def _about_quotes(offset: int, source: Source) -> _Told | None:
    """The quoted text that the parser stumbled over: opened on this line or before, and not closed where it should."""
    number = source.line_number(offset)
    here = _first_slip(text := source.line_text(number))
    if here is not None and (behind := here[1]) is not None:
        mark = text[here[0]]
        inside, other = ("`''`", "double") if mark == "'" else ('`\\"`', "single")
        message = f"text behind a closed quote, or a {mark} inside quoted text"
        return source.start_of(number) + behind, message, f"write {inside} for it, or use {other} quotes"
    for line in range(number, 0, -1):
        slip = _first_slip(source.line_text(line))
        if slip is None or slip[1] is not None:
            continue
        opened = source.start_of(line) + slip[0]
        end = _end_of_quoted(source.text, opened)
        if end is None or source.line_number(end) >= number:
            return opened, "a quote is not closed", "close it on the same line"
        return None  # text that is folded over several lines, closed before the line in question
    return None


def _first_slip(line: str) -> tuple[int, int | None] | None:
    """Where a quote is opened that the line does not close, or where one is and where text stands behind it."""
    may_begin, at = True, 0
    while at < len(line):
        character = line[at]
        if character == "#" and (at == 0 or line[at - 1] == " "):
            return None
        if may_begin and character in _STRAIGHT:
            end = _end_of_quoted(line, at)
            if end is None:
                return at, None
            rest = line[end:].lstrip(" ")
            if rest and rest[0] not in ",]}:" and not (rest[0] == "#" and line[end] == " "):
                return at, len(line) - len(rest)
            at, may_begin = end, False
            continue
        if character != " ":
            may_begin = character in "[{,"
        elif line[max(at - 1, 0)] in ":-":
            may_begin = True
        at += 1
    return None


def _end_of_quoted(text: str, start: int) -> int | None:
    """Offset behind the quoted text that begins at `start`; None where it never ends."""
    mark, at = text[start], start + 1
    while at < len(text):
        if text[at] == "\\" and mark == '"':
            at += 2
        elif text[at] != mark:
            at += 1
        elif mark == "'" and text[at + 1 : at + 2] == "'":
            at += 2
        else:
            return at + 1
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Spaces, dashes, colons, brackets
# ---------------------------------------------------------------------------------------------------------------------

_NO_SPACE_AFTER_DASH = re.compile(r" *-(?=[\w\"'{\[])")
_NO_COLON_BEFORE_BRACKET = re.compile(r" *(?:- )?(\w+) *(?=[{\[])")
_WORD_FOR_KEY = re.compile(r" *(?:- )?(\w+)(?: |$)")
_KEY_LINE = re.compile(r"(?m)^( *)((?:- )?\w+):(?= |\r?$)")
_TOP_LEVEL = frozenset({"version", "defaults", "limits", "mappings", "settings", "ignore", "approvals"})
_TOO_MANY = {"}": "a `}` too many", "]": "a `]` too many", ",": "a `,` where none belongs"}


def _about_line(offset: int, problem: str, context: Any, source: Source) -> _Told | None:
    """A slip on the line that the parser names, or on the one before that it swallowed."""
    return (
        _about_dash(offset, source)
        or _about_colon(offset, problem, context, source)
        or _about_character(offset, problem, source)
        or _about_indent(offset, problem, source)
    )


def _about_dash(offset: int, source: Source) -> _Told | None:
    found = _NO_SPACE_AFTER_DASH.match(source.line_text(source.line_number(offset)))
    if found is None:
        return None
    return source.line_start(offset) + found.end() - 1, "a `-` without a space behind it", "write `- `"


def _about_colon(offset: int, problem: str, context: Any, source: Source) -> _Told | None:
    if "could not find expected ':'" in problem and context is not None:
        return _without_colon(_offset_of(context, source), source)
    if "mapping values are not allowed" not in problem:
        return None
    number = source.line_number(offset)
    if found := _NO_COLON_BEFORE_BRACKET.match(source.line_text(number)):
        message, hint = f"a `:` is missing behind {found[1]}", f"write `{found[1]}: `"
        return source.line_start(offset) + found.start(1), message, hint
    line, text = next(_lines_above(number, source), (0, ""))
    if not line or re.search(r":(?: |$)|[\]}\"']$", _bare(text)):
        return None
    return _without_colon(source.start_of(line) + _indent(text), source)


def _about_character(offset: int, problem: str, source: Source) -> _Told | None:
    character = source.text[offset : offset + 1]
    if character == "`":
        return offset, "a backtick, which is no quote in YAML", 'write straight quotes: "..."'
    if character in _TOO_MANY and "expected key" in problem:
        return offset, _TOO_MANY[character], "delete it"
    return None


def _without_colon(offset: int, source: Source) -> _Told:
    line = source.line_text(source.line_number(offset))
    found = _WORD_FOR_KEY.match(line)
    hint = f"write `{found[1]}: value`" if found else "write `key: value`, or quote the text before"
    return offset, "a key without its `:`", hint


def _about_indent(offset: int, problem: str, source: Source) -> _Told | None:
    number = source.line_number(offset)
    here = _indent(source.line_text(number))
    at_its_beginning = offset - source.start_of(number) <= here
    if "mapping values" in problem:
        if not _continues_a_value(number, source):
            return None
    elif not at_its_beginning or not any(fragment in problem for fragment in _MISPLACED):
        return None
    message = "this line does not fit the lines above"
    if "mapping values" not in problem:
        message = next(message for fragment, message, _ in _SYNTAX_HINTS if fragment in problem)
    odd = _odd_line(number, source)
    if odd is not None:
        line, usual = odd
        indent = _indent(source.line_text(line))
        hint = f"it begins with {_spaces(indent)}, such lines elsewhere with {usual}"
        return source.start_of(line) + indent, "this line does not fit the others", hint
    fitting = sorted(_fitting_indents(number, source))
    if not fitting or here in fitting:
        return None
    best = min(fitting, key=lambda indent: (abs(indent - here), -indent))
    where = " or ".join(str(indent) for indent in fitting)
    hint = f"it begins with {_spaces(here)}, and {where} would fit: begin it with {_spaces(best)}"
    return source.start_of(number) + here, message, hint


def _continues_a_value(number: int, source: Source) -> bool:
    """True where a `key: value` stands deeper than the `key: value` above it: YAML reads it as more of that value."""
    _, above = next(_lines_above(number, source), (0, ""))
    column = _indent(above) + (2 if _bare(above).startswith("- ") else 0)
    return re.search(r":\s+[^\s>|]", _bare(above)) is not None and _indent(source.line_text(number)) > column


def _odd_line(number: int, source: Source) -> tuple[int, int] | None:
    """The line above that begins elsewhere than its like in the rest of the file, and where those begin.

    None where this line itself is the odd one.
    """
    usual = _usual_indents(source)
    found = _KEY_LINE.match(source.line_text(number))
    if found is None or usual.get(found[2]) != _indent(found[0]):
        return None
    for line in range(number - 1, max(number - 10, 0), -1):
        above = _KEY_LINE.match(source.line_text(line))
        if above is not None and usual.get(above[2], _indent(above[0])) != _indent(above[0]):
            return line, usual[above[2]]
    return None


def _usual_indents(source: Source) -> dict[str, int]:
    """For each key that the file has more than once, how many spaces most of its lines begin with.

    Those of the top level begin with none, and no others do.
    """
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for found in _KEY_LINE.finditer(source.text):
        seen[found[2]][len(found[1])] += 1
    most = {key: counts.most_common(1)[0] for key, counts in seen.items()}
    usual = {key: indent for key, (indent, times) in most.items() if times > 1 and indent > 0}
    beside = usual.get("halo_customer")
    for key, (indent, _) in most.items():
        if key in _TOP_LEVEL:
            usual[key] = 0
        elif indent == 0 and beside and not key.startswith("- "):
            usual[key] = beside
    return usual


def _fitting_indents(number: int, source: Source) -> set[int]:
    """How far to the right a line may begin here, so that it stands beside something that is open."""
    dash = source.line_text(number).lstrip().startswith("- ")
    fitting: set[int] = set()
    leftmost = 1_000
    for _, text in _lines_above(number, source):
        indent = _indent(text)
        if indent >= leftmost:
            continue
        leftmost = indent
        begins_entry = text.lstrip().startswith("- ")
        if dash and begins_entry:
            fitting.add(indent)
        elif not dash:
            fitting.add(indent + 2 if begins_entry else indent)
        if indent == 0:
            break
    return fitting


def _lines_above(number: int, source: Source) -> Iterator[tuple[int, str]]:
    """The lines above that say something, each with its number, the nearest first."""
    lines = ((line, source.line_text(line)) for line in range(number - 1, 0, -1))
    return (each for each in lines if _bare(each[1]))


def _bare(line: str) -> str:
    """The line without its comment and the spaces around."""
    return "" if line.lstrip().startswith("#") else re.sub(r" #.*", "", line).strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _spaces(number: int) -> str:
    return {0: "no space", 1: "1 space"}.get(number, f"{number} spaces")
