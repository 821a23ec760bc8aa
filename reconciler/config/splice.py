"""How a piece of text is put into mappings.yaml, or taken out of it, while every other byte stays as it is.

Each splice is read again and compared: the data must be what was meant. A file whose style makes that impossible
(a whole file in braces, comments inside an empty list) is refused rather than rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from reconciler.config import key_of, read_text
from reconciler.config.reading import ItemList, Node, Table
from reconciler.config.source import BYTE_ORDER_MARK, Source, refusal
from reconciler.errors import ConfigError

CANNOT = "the file's layout does not allow this edit"
_PLAIN_MEMBERS = frozenset({"key", "rule", "until"})
BY_HAND = "make the edit by hand, or run `reconciler fmt` first"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that can be read without any doubt, and how it ends its lines."""

    source: Source
    root: Table
    mark: str
    """The byte order mark, where the file begins with one."""

    @property
    def text(self) -> str:
        return self.source.text

    @property
    def newline(self) -> str:
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    def column(self, offset: int) -> int:
        return offset - self.source.line_start(offset)

    def cannot_edit(self, offset: int, message: str = CANNOT) -> ConfigError:
        """What to raise where an edit at `offset` is not possible without a doubt."""
        return refusal(self.source.file, message, BY_HAND, place=self.source.place(offset))


def open_text(text: str, file: str) -> OpenFile:
    source, problems, root = read_text(text, file=file)
    if root is None or problems.has_errors:
        hint = "correct it first; `reconciler validate` shows where"
        raise ConfigError(f"{file} cannot be edited: it has problems", diagnostics=problems.all(), hint=hint)
    return OpenFile(source, root, text[: text.startswith(BYTE_ORDER_MARK)])


def render(value: object) -> str:
    """`value` as flow YAML on one line; text is always quoted but for mapping keys."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {render(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ", ".join(render(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def quote(text: str) -> str:
    """`text` between double quotes, as YAML and JSON both read it."""
    return json.dumps(text, ensure_ascii=False)


def add_items(file: OpenFile, section: str, items: Sequence[dict[str, Any]]) -> str:
    rows = file.root.get(section)
    if isinstance(rows, ItemList) and rows and rows.flow:
        start = end = rows.spans[-1][1]
        new = "".join(f", {render(members)}" for members in items)
    elif file.root.flow or not (rows is None or isinstance(rows, ItemList)):
        raise file.cannot_edit(file.root.start)
    elif isinstance(rows, ItemList) and rows:
        start = end = behind_lines(file, rows.spans[-1][1], file.column(rows.start))
        lines = chain.from_iterable(_item_lines(file, rows, section, members) for members in items)
        new = whole_lines(file, start, lines)
    elif isinstance(rows, ItemList):
        start, end, new = _fill_empty_list(file, section, rows, items)
    elif section in file.root:
        start = end = behind_lines(file, file.root.spans[section][2], file.column(file.root.start))
        new = whole_lines(file, start, _fresh_lines(items))
    else:
        start = end = len(file.text)
        new = whole_lines(file, start, ["", f"{section}:", *_fresh_lines(items)])

    def meant(data: dict[str, Any]) -> None:
        data[section] = [*(data.get(section) or []), *items]

    return spliced(file, start, end, new, meant)


def remove_items(file: OpenFile, section: str, gone: Callable[[Table], bool]) -> str:
    """The text without the entries of a list that `gone` picks; with the last one the section goes too."""
    rows = file.root.get(section)
    found = [n for n, row in _numbered(file, section) if gone(row)]
    if not isinstance(rows, ItemList) or not found:
        return file.mark + file.text
    if rows.flow or file.root.flow:
        raise file.cannot_edit(rows.start)
    last = len(rows) == 1
    index = found[-1]
    start = file.source.line_start(file.root.spans[section][0] if last else rows.spans[index][0])
    end = behind_lines(file, rows.spans[index][1], file.column(rows.start))
    if file.text[:start].endswith(("\n\n", "\r\n\r\n")):  # the blank line before goes with its entry
        start = file.source.line_start(start - 1)

    def meant(data: dict[str, Any]) -> None:
        if last:
            del data[section]
        else:
            del data[section][index]

    return remove_items(open_text(spliced(file, start, end, "", meant), file.source.file), section, gone)


def _block_item(members: dict[str, Any], *, dash: int, inner: int) -> list[str]:
    """The lines of a list item whose `-` stands in column `dash` (from 0), its members `inner` columns further."""
    rendered = [f"{name}: {value if name in _PLAIN_MEMBERS else render(value)}" for name, value in members.items()]
    first = " " * dash + "-" + " " * (inner - 1) + rendered[0]
    return [first, *(" " * (dash + inner) + line for line in rendered[1:])]


def _item_lines(file: OpenFile, rows: ItemList, section: str, members: dict[str, Any]) -> list[str]:
    """The new item in the style of those before: same columns, and a blank line between where they have one."""
    dash = file.column(rows.start)
    last_start = rows.spans[-1][0]
    inner = file.column(last_start) - dash
    if len(rows) > 1:
        between = file.text[rows.spans[-2][1] : last_start].split("\n")
        blank = any(not line.strip() for line in between[1:-1])
    else:
        blank = section == "mappings"
    lines = _block_item(members, dash=dash, inner=max(inner, 2))
    return ["", *lines] if blank else lines


def _fresh_lines(items: Sequence[dict[str, Any]]) -> list[str]:
    return [line for members in items for line in _block_item(members, dash=2, inner=2)]


def _fill_empty_list(
    file: OpenFile, section: str, rows: ItemList, items: Sequence[dict[str, Any]]
) -> tuple[int, int, str]:
    """`mappings: []  # comment` becomes `mappings:  # comment` and an item below."""
    if "#" in file.text[rows.start : rows.end]:
        raise file.cannot_edit(rows.start)
    key_at = file.root.spans[section][0]
    start = key_at + len(file.text[key_at : rows.start].rstrip())
    end = file.source.line_end(rows.end)
    rest = file.text[rows.end : end].rstrip("\r\n")
    lines = [rest.rstrip(), *_fresh_lines(items)]
    closing = file.newline if file.text[rows.end : end].endswith("\n") else ""
    return start, end, file.newline.join(lines) + closing


def set_member(file: OpenFile, key: str, name: str, value: object, *, behind: str | None) -> str:
    index, entry = find_entry(file, key)
    if entry.get(name) is value or (entry.get(name) == value and not isinstance(value, bool)):
        return file.mark + file.text
    if name in entry:
        _, start, end = entry.spans[name]
        new = render(value) if end > start else f" {render(value)}"
    else:
        anchor = behind if behind is not None and behind in entry else next(reversed(entry))
        start = end = entry.spans[anchor][2]
        new = f", {name}: {render(value)}"
        if not entry.flow:
            column = file.column(entry.start)
            start = end = behind_lines(file, end, column)
            new = whole_lines(file, start, [f"{' ' * column}{name}: {render(value)}"])

    def meant(data: dict[str, Any]) -> None:
        data["mappings"][index][name] = value

    return spliced(file, start, end, new, meant)


def _numbered(file: OpenFile, section: str) -> list[tuple[int, Table]]:
    """The tables in a list, each with its place there."""
    rows = file.root.get(section)
    return [(n, row) for n, row in enumerate(rows) if isinstance(row, Table)] if isinstance(rows, ItemList) else []


def find_entry(file: OpenFile, key: str) -> tuple[int, Table]:
    found = [(index, row) for index, row in _numbered(file, "mappings") if key_of(row) == key]
    if len(found) != 1:
        message = f"{len(found) or 'no'} mappings have the key {key}"
        raise refusal(file.source.file, message, "`reconciler validate` checks keys; `reconciler status` lists them")
    return found[0]


def behind_lines(file: OpenFile, offset: int, column: int) -> int:
    """Offset behind the line of `offset` and behind the comment lines below it that are indented beyond `column`."""
    position = file.source.line_end(offset)
    while position < len(file.text):
        line = file.text[position : file.source.line_end(position)]
        stripped = line.lstrip(" ")
        if not stripped.startswith("#") or len(line) - len(stripped) <= column:
            break
        position += len(line)
    return position


def whole_lines(file: OpenFile, position: int, lines: Iterable[str]) -> str:
    """Whole lines for `position`, which is a line's beginning or the end of a file without a final line break."""
    if position > 0 and not file.text[:position].endswith("\n"):
        return "".join(file.newline + line for line in lines)
    return "".join(line + file.newline for line in lines)


def spliced(file: OpenFile, start: int, end: int, new: str, meant: Callable[[dict[str, Any]], None]) -> str:
    """The text with `new` in the place of `start` to `end`, once it was read again and found to be what was meant."""
    expected: Any = plain(file.root)
    meant(expected)
    return checked(file, file.text[:start] + new + file.text[end:], expected, start)


def checked(file: OpenFile, text: str, expected: object, near: int = 0) -> str:
    """`text`, where it reads as `expected`. Raises ConfigError, with the place of `near`, where it does not."""
    _, problems, root = read_text(text, file=file.source.file)
    if root is None or problems.has_errors or plain(root) != expected:
        raise file.cannot_edit(near)
    return file.mark + text


def plain(node: Node) -> Any:
    """The data alone, for comparing: a copy without positions."""
    match node:
        case dict():
            return {name: plain(member) for name, member in node.items()}
        case list():
            return [plain(item) for item in node]
        case _:
            return node
