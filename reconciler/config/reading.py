"""YAML events -> plain data that knows where everything stands, in one pass.

`yaml.load` is never called: it drops duplicate keys, expands aliases and turns words into dates and base-60 numbers.
Parser events carry the text as written, its quotes and its marks, which is all that a strict reader needs.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Union

import yaml

from reconciler.config.diagnostics import quoted
from reconciler.config.scalars import Scalar, SurprisingScalar, resolve_plain
from reconciler.config.slips import odd_quotes, tell_merge_markers, tell_syntax
from reconciler.config.source import INVISIBLE, ODD_SPACE, Problems, Source

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it

MAX_DEPTH = 10

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
    reader = _EventReader(source, problems, odd_spaces=ODD_SPACE.search(text) is not None)
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


@contextmanager
def collector_paused() -> Iterator[None]:
    """No rescans of a growing tree: nothing in it is garbage, and with many mappings they take most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _EventReader:
    """Takes parser events one by one. The stack holds the open containers and, for each, the key that waits.

    A hundred thousand scalars stand in a large file, so the way of an ordinary one is short.
    """

    def __init__(self, source: Source, problems: Problems, *, odd_spaces: bool) -> None:
        self._source = source
        self._problems = problems
        self._odd_spaces = odd_spaces
        self._documents = 0
        self._open: list[Table | ItemList] = []
        self._keys: list[tuple[str, int] | None] = []
        self.root: Node = None
        self.root_start = 0
        self._handlers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._begin_table,
            yaml.SequenceStartEvent: self._begin_row,
            yaml.MappingEndEvent: self._finish,
            yaml.SequenceEndEvent: self._finish,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def read(self, text: str) -> None:
        """Understand all events of `text`. Raises _Stop and yaml.YAMLError."""
        handlers, next_event = self._handlers, LOADER(text).get_event
        while (event := next_event()) is not None:
            handler = handlers.get(event.__class__)
            if handler is not None:
                handler(event)

    def _begin_table(self, event: Any) -> None:
        self._begin(Table(event.start_mark.index, flow=bool(event.flow_style)), event)

    def _begin_row(self, event: Any) -> None:
        self._begin(ItemList(event.start_mark.index, flow=bool(event.flow_style)), event)

    def _alias(self, event: Any) -> None:
        start = event.start_mark.index
        self._problems.error(start, "an alias", "write the value out: what is billed must be readable in one place")
        self._place(None, start, event.end_mark.index)

    def _document(self, event: Any) -> None:
        self._documents += 1
        offset = event.start_mark.index
        if self._documents > 1:
            self._problems.error(
                offset, "a second document begins here", "keep one document in a file; delete the `---`"
            )
            raise _Stop
        if event.version is not None or event.tags:
            self._problems.error(offset, "a YAML directive", "delete the line that begins with %")

    def _scalar(self, event: Any) -> None:
        start, text, style = event.start_mark.index, event.value, event.style
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event)
        keys = self._keys
        awaits_key = bool(keys) and keys[-1] is None
        if awaits_key and text in _USUAL_KEYS and text not in (spans := self._open[-1].spans):
            spans[text] = (start, start, start)  # only tables await keys
            keys[-1] = (text, start)
            return
        end = event.end_mark.index
        value: Scalar = text
        if style and style in "\"'|>":
            if not text.isprintable() and INVISIBLE.search(text):
                self._refuse_text(text, start)
            if style in "|>":  # such a scalar ends where the next token begins, perhaps lines further down
                end = start + len(self._source.text[start:end].rstrip())
        else:
            value = self._plain(text, start)
        if awaits_key:
            self._key(value, text, start)
        else:
            self._place(value, start, end)

    def _plain(self, text: str, start: int) -> Scalar:
        if self._odd_spaces and ODD_SPACE.search(text):
            self._problems.error(
                start, f"an unusual space in {quoted(text)}", "write an ordinary space, or quote the text"
            )
            return text
        key, _ = (self._keys[-1] if self._keys else None) or _NO_KEY
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

    def _refuse_text(self, text: str, start: int) -> None:
        found = INVISIBLE.search(text)
        character = found[0] if found else ""
        if character == "\n":
            self._problems.error(start, "text over several lines", _ONE_LINE)
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
            first = self._source.line_number(spans[name][0])
            self._problems.error(start, f"duplicate key {quoted(name)}, first on line {first}", "delete one of the two")
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

    def _begin(self, container: Table | ItemList, event: Any) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event)
        if self._keys and self._keys[-1] is None:
            self._problems.error(container.start, "a list or a mapping as a key", _KEYS_ARE_WORDS)
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            self._problems.error(
                container.start, f"more than {MAX_DEPTH} levels of nesting", "nothing here nests that deep"
            )
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
            self._problems.error(
                start, f"an anchor (&{event.anchor})", "delete it: values are written out here, not shared"
            )
        else:
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

_ONE_LINE = "close the quote on the same line, or write long text behind `>-`"
_BEGINS_NUMBERS = frozenset("0123456789.+-")
_KEYS_ARE_WORDS = "keys are words, such as `infima_client`"
_USUAL_KEYS = frozenset(
    {"infima_client", "infima_clients", "halo_customer", "id", "name", "quantity", "key", "minimum"}
)
