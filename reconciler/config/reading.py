"""YAML events -> plain data that knows where everything stands, in one pass.

`yaml.load` is never called: it drops duplicate keys, expands aliases and turns words into dates and base-60 numbers.
Parser events carry the text as written, its quotes and its marks, which is all that a strict reader needs.

Of unquoted words four readings are accepted: nothing, `true`/`false`, a plain decimal whole number, and text. YAML 1.1
and 1.2, editors and reviewers disagree about many others (`no`, `0123`, `12:30`, `1_000`): they are refused with a way
out.
"""

from __future__ import annotations

import re
from typing import Any, Union

import yaml

from reconciler.config.slips import odd_quotes, tell_merge_markers, tell_syntax
from reconciler.config.source import INVISIBLE, ODD_SPACE, Problems, Source, quoted

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it

MAX_DEPTH = 10

Scalar = None | bool | int | str

Span = tuple[int, int, int]
"""Offsets of a member: where its key begins, where its value begins, where its value ends."""


class Table(dict[str, "Node"]):
    """A YAML mapping: a dict that also knows the span of each member and its own beginning and end."""

    __slots__ = ("end", "flow", "spans", "start")

    def __init__(self, start: int, *, flow: bool) -> None:
        self.start = start
        self.end = start
        self.flow = flow
        self.spans: dict[str, Span] = {}

    def inner(self, name: str) -> Table:
        """The table called `name`, an empty one where there is none."""
        found = self.get(name)
        return found if isinstance(found, Table) else Table(self.start, flow=False)

    def rows(self, name: str) -> list[Table]:
        """The tables in the list called `name`; none where there is no such list."""
        found = self.get(name)
        return [row for row in found if isinstance(row, Table)] if isinstance(found, ItemList) else []


class ItemList(list["Node"]):
    """A YAML sequence: a list that also knows where each item begins and ends, and its own beginning and end."""

    __slots__ = ("end", "flow", "spans", "start")

    def __init__(self, start: int, *, flow: bool) -> None:
        self.start = start
        self.end = start
        self.flow = flow
        self.spans: list[tuple[int, int]] = []


Node = Union[Scalar, Table, ItemList]  # noqa: UP007 - a forward reference cannot stand in a `|` union


class _Stop(Exception):
    """What was found makes it useless to read on; the problem is recorded already."""


def read_document(source: Source, text: str, problems: Problems) -> Table | None:
    """The document in `text` as data with positions, or None when reading could not come to an end.

    `text` has the length of `source.text`, with stand-ins for refused characters. Problems are recorded, not raised;
    a Table comes back even when there are some, as long as its structure is certain.
    """
    if tell_merge_markers(source, problems):
        return None
    reader = _EventReader(source, problems)
    try:
        reader.read(text)
    except _Stop:
        return None
    except yaml.YAMLError as exc:
        tell_syntax(exc, source, problems)
        return None
    root = reader.root
    if isinstance(root, Table):
        return root
    if isinstance(root, ItemList):
        problems.error(root.start, "the file is a list", "its top level is a mapping: `version: 1`, then `mappings:`")
    elif root is None:
        problems.error(0, "the file is empty", "run `reconciler init` to start one")
    else:
        problems.error(reader.root_start, "the file is a single value", "its top level is a mapping: `version: 1`, …")
    return None


class _EventReader:
    """Takes parser events one by one. The stack holds the open containers and, for each, the key that waits."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self._source = source
        self._problems = problems
        self._documents = 0
        self._open: list[Table | ItemList] = []
        self._keys: list[tuple[str, int] | None] = []
        self.root: Node = None
        self.root_start = 0

    def read(self, text: str) -> None:
        """Understand all events of `text`. Raises _Stop and yaml.YAMLError."""
        for event in yaml.parse(text, Loader=LOADER):
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._begin(Table, event)
                case yaml.SequenceStartEvent():
                    self._begin(ItemList, event)
                case yaml.CollectionEndEvent():
                    self._finish(event)
                case yaml.AliasEvent():
                    self._alias(event)
                case yaml.DocumentStartEvent():
                    self._document(event)

    def _alias(self, event: Any) -> None:
        start = event.start_mark.index
        self._problems.error(start, "an alias", "write the value out: what is billed must be readable in one place")
        self._place(None, start, event.end_mark.index)

    def _document(self, event: Any) -> None:
        self._documents += 1
        offset = event.start_mark.index
        if self._documents > 1:
            hint = "keep one document in a file; delete the `---`"
            self._problems.error(offset, "a second document begins here", hint)
            raise _Stop
        if event.version is not None or event.tags:
            self._problems.error(offset, "a YAML directive", "delete the line that begins with %")

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        text, style = event.value, event.style
        self._refuse_decoration(event)
        value: Scalar = text
        if style and style in "\"'|>":
            if hidden := INVISIBLE.search(text):
                self._refuse_text(hidden[0], start)
            if style in "|>":  # such a scalar ends where the next token begins, perhaps lines further down
                end = start + len(self._source.text[start:end].rstrip())
        else:
            value = self._plain(text, start)
        if self._keys and self._keys[-1] is None:
            self._key(value, text, start)
        else:
            self._place(value, start, end)

    def _plain(self, text: str, start: int) -> Scalar:
        if ODD_SPACE.search(text):
            hint = "write an ordinary space, or quote the text"
            self._problems.error(start, f"an unusual space in {quoted(text)}", hint)
            return text
        key, _ = (self._keys and self._keys[-1]) or _NO_KEY
        if text and (odd := odd_quotes(text)) is not None:
            self._problems.warning(start, *odd)
        try:
            return resolve_plain(text, day_allowed=key == "until")
        except SurprisingScalar as exc:
            if key in TABLE_KEYS and text[0] in _BEGINS_NUMBERS:
                return text  # wrong whatever it looks like: the schema says what is wanted
            hint = f'quote it: "{text}"' if key == "amount" else exc.hint
            self._problems.error(start, exc.message, hint)
            return text

    def _refuse_text(self, character: str, start: int) -> None:
        if character == "\n":
            hint = "close the quote on the same line, or write long text behind `>-`"
            self._problems.error(start, "text over several lines", hint)
        else:
            code = f"U+{ord(character):04X}"
            self._problems.error(start, f"a control or invisible character ({code}) in the text", "delete it")

    def _key(self, value: Scalar, text: str, start: int) -> None:
        spans = self._open[-1].spans
        assert isinstance(spans, dict)  # noqa: S101 - for the type checker: only tables await keys
        name = text
        if not isinstance(value, str) or not text:
            self._problems.error(start, f"{quoted(text) if text else 'nothing'} as a key", _KEYS_ARE_WORDS)
        if name in spans:
            first = self._problems.line(spans[name][0])
            self._problems.error(start, f"duplicate key {quoted(name)}, first on {first}", "delete one of the two")
            name = f"{name}\0{start}"  # kept apart, so that the first one's value stays what it is
        spans[name] = (start, start, start)
        self._keys[-1] = (name, start)

    def _place(self, value: Node, start: int, end: int) -> None:
        """Put a finished value where it belongs."""
        if not self._open:
            self.root, self.root_start = value, start
            return
        container, key = self._open[-1], self._keys[-1]
        container.end = end
        if isinstance(container, ItemList):
            container.append(value)
            container.spans.append((start, end))
        elif key is None:
            self._problems.error(start, "a list or a mapping as a key", _KEYS_ARE_WORDS)
            raise _Stop
        else:
            name, key_start = key
            container.spans[name] = (key_start, start, end)
            if "\0" not in name:
                container[name] = value
            self._keys[-1] = None

    def _begin(self, kind: type[Table | ItemList], event: Any) -> None:
        container = kind(event.start_mark.index, flow=bool(event.flow_style))
        self._refuse_decoration(event)
        if self._keys and self._keys[-1] is None:
            self._problems.error(container.start, "a list or a mapping as a key", _KEYS_ARE_WORDS)
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of nesting"
            self._problems.error(container.start, message, "nothing here nests that deep")
            raise _Stop
        self._open.append(container)
        self._keys.append(None if isinstance(container, Table) else _NO_KEY)

    def _finish(self, event: Any) -> None:
        container = self._open.pop()
        self._keys.pop()
        if container.flow:
            container.end = event.end_mark.index
        self._place(container, container.start, container.end)

    def _refuse_decoration(self, event: Any) -> None:
        start = event.start_mark.index
        if event.anchor is not None:
            hint = "delete it: values are written out here, not shared"
            self._problems.error(start, f"an anchor (&{event.anchor})", hint)
        elif event.tag is not None:
            self._problems.error(start, "a tag", "delete the word that begins with `!`; quote the value if it is text")


_NO_KEY = ("", -1)
"""Stands in the place of the waiting key where a sequence is open: its items have none."""

TABLE_KEYS = frozenset(
    {
        "defaults", "subscription", "limits", "settings", "halo_budget", "infima_client", "halo_customer", "quantity",
        "price", "max_decrease", "max_increase", "max_total_decrease", "max_total_increase",
    }
)  # fmt: skip
"""Members whose value is a mapping, wherever they stand."""

_BEGINS_NUMBERS = frozenset("0123456789.+-")
_KEYS_ARE_WORDS = "keys are words, such as `infima_client`"


# ---------------------------------------------------------------------------------------------------------------------
# What an unquoted word means
# ---------------------------------------------------------------------------------------------------------------------

_MAX_DIGITS = 18  # far above every range in the schema, and below what int() refuses to convert

_LONGEST_WORD = 64  # what is longer is no date and no word; the patterns below are not made for megabytes

_NUMBER_LIKE = re.compile(r"[-+0-9_.:eE]+", re.ASCII)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]+[0-9]{1,2}:[0-9]{2}.*)?", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

_FRACTION = r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?"

_SWITCHES = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}
_SURPRISES: tuple[tuple[str, str, str], ...] = (
    (r"[-+]?0[0-9_]+", "a number with a leading zero, which YAML 1.1 reads as octal", "leave the zero out"),
    (r"[-+]?0[oO][0-7_]+", "an octal number", "write it in decimal"),
    (r"[-+]?0[xX][0-9a-fA-F_]+", "a hexadecimal number", "write it in decimal"),
    (r"[-+]?0[bB][01_]+", "a binary number", "write it in decimal"),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "a base-60 number in YAML 1.1", "use decimal"),
    (r"[-+]?[0-9][0-9_]*_[0-9_]*", "a number with underscores", "write the digits only"),
    (r"\+[0-9]+", "a number with a plus sign", "leave the sign out"),
    (r"-0+", "minus zero", "write 0"),
    (_FRACTION, "a number with a fraction", "write a whole number"),
    (r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+", "a number in exponent form", "write the digits out"),
    (r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "not a countable number", "write a whole number"),
)  # fmt: skip


class SurprisingScalar(ValueError):
    """An unquoted word that YAML 1.1 and 1.2, or two tools, read differently. `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve_plain(text: str, *, day_allowed: bool = False) -> Scalar:
    """The value of the unquoted scalar `text`; a day such as 2026-12-31 stays text and is legal only where allowed.

    Raises SurprisingScalar.
    """
    if not text:
        return None
    return _number(text, day_allowed=day_allowed) if text[0] in _BEGINS_NUMBERS else _word(text)


def _number(text: str, *, day_allowed: bool) -> int | str:
    """What begins like a number: a whole one, a day, or text."""
    if len(text) > _LONGEST_WORD and not _NUMBER_LIKE.fullmatch(text):
        return text
    whole = _WHOLE.fullmatch(text) is not None and text != "-0"
    if len(text) > (_MAX_DIGITS if whole else _LONGEST_WORD):
        raise SurprisingScalar("the number is too long", "numbers go up to 2147483647; if it is text, quote it")
    if whole:
        return int(text)
    if _DATE.fullmatch(text) and not (day_allowed and DAY.fullmatch(text)):
        raise SurprisingScalar(*_about_date(text, day_allowed=day_allowed))
    for pattern, what, way_out in _SURPRISES:
        if re.fullmatch(pattern, text):
            raise SurprisingScalar(f"{_cut(text)} is {what}", f'{way_out}, or quote it if it is text: "{_cut(text)}"')
    return text


def _word(text: str) -> bool | str | None:
    match text:
        case "null":
            return None
        case "true" | "false":
            return text == "true"
        case "<<" | "=":
            raise SurprisingScalar(f'"{text}" has a special meaning in YAML 1.1', f'if it is text, quote it: "{text}"')
    folded = text.casefold()
    if folded in {"null", "~"}:
        raise SurprisingScalar(f"{text} means nothing at all in YAML", f'if it is text, quote it: "{text}"')
    if folded in _SWITCHES:
        word = "true" if _SWITCHES[folded] else "false"
        raise SurprisingScalar(
            f"{text} is {word} in YAML 1.1 and text in YAML 1.2", f'write {word}, or quote it if it is text: "{text}"'
        )
    return text


def _about_date(text: str, *, day_allowed: bool) -> tuple[str, str]:
    if day_allowed:
        return f"{_cut(text)} is not a day", "write year-month-day, for example 2026-12-31"
    return f"{_cut(text)} is a date in YAML 1.1 and text in YAML 1.2", f'quote it: "{_cut(text)}"'


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise it
