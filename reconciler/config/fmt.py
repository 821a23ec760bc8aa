"""The canonical form of mappings.yaml: the schema's order of keys, one way of spacing, every comment kept.

The file is taken apart into blocks (what gets lines of its own), each comment is attached to a block, and the blocks
are written anew. The result is read again: when its data or its comments differ, nothing is formatted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from reconciler.config import read_text
from reconciler.config.checking import check_schema, mappings_schema
from reconciler.config.reading import LOADER, ItemList, Node, SurprisingScalar, Table, resolve_plain
from reconciler.config.source import BYTE_ORDER_MARK, Source, refusal
from reconciler.config.splice import plain, quote, render
from reconciler.errors import ConfigError

_LINE_LENGTH = 120
_PLAIN_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_LISTS_OF_ENTRIES = frozenset({"mappings", "approvals", "ignore"})
_PLAIN_MEMBERS = frozenset({"key", "rule", "count", "marker_field", "until", "currency", "timezone"})
_BLANK_BETWEEN = frozenset({"", "mappings"})  # the top level and the list of mappings breathe, the rest is dense


@dataclass(slots=True, kw_only=True)
class FileBlock:
    """Something that gets lines of its own: a member `name: …`, or a list item when `name` is empty.

    `head` is what stands on its first line; a block with `children` goes on below. `start`, `end` and `column` are
    those in the file as it was; `rank` is the place that the schema gives it among its siblings.
    """

    name: str
    head: str
    start: int
    end: int
    column: int
    rank: int = 0
    parent: FileBlock | None = None
    children: list[FileBlock] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    beside: str = ""

    def walk(self) -> Iterator[FileBlock]:
        """This block and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def format_mappings(text: str, *, file: str = "mappings.yaml") -> str:
    """`text` in canonical form; formatting it again changes nothing. Line ends stay LF or CRLF, as the first line's;
    so does a byte order mark.

    Raises ConfigError when the file is not valid, or when formatting would change data or lose a comment.
    """
    source, problems, root = read_text(text, file=file)
    if root is not None:
        check_schema(root, problems)
    if root is None or problems.has_errors:
        hint = "correct it first; `reconciler validate` shows where"
        raise ConfigError(f"{file} cannot be formatted: it has problems", diagnostics=problems.all(), hint=hint)
    comments = list(find_comments(source))
    tree = _take_apart(source, root)
    header = _attach(comments, tree, source)
    newline = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
    lines = [*header, *_write_children(tree, indent=0)]
    formatted = newline.join(line.rstrip() for line in lines).strip("\r\n") + newline
    _compare(formatted, root, comments, file)
    return text[: text.startswith(BYTE_ORDER_MARK)] + formatted


def _compare(formatted: str, root: Table, comments: list[tuple[int, str]], file: str) -> None:
    """Refuse what is not the same data with the same comments."""
    source, problems, again = read_text(formatted, file=file)
    same_data = again is not None and not problems.has_errors and plain(again) == plain(root)
    lost = Counter(text for _, text in comments) != Counter(text for _, text in find_comments(source))
    if not same_data or lost:
        hint = "format the file by hand"
        raise refusal(file, "formatting would change the data or lose a comment; nothing was changed", hint)


def find_comments(source: Source) -> Iterator[tuple[int, str]]:
    """Offset and text of each comment: whatever begins with `#` between two YAML tokens."""
    behind = 0
    for token in yaml.scan(source.text, Loader=LOADER):
        start, end = token.start_mark.index, token.end_mark.index
        yield from _comments_between(source, behind, start)
        if isinstance(token, yaml.ScalarToken) and token.style in {"|", ">"}:
            # Such a token begins with its indicator line, where a comment may stand.
            line_end = source.text.find("\n", start)
            yield from _comments_between(source, start, line_end if line_end >= 0 else end)
        behind = max(end, behind)
    yield from _comments_between(source, behind, len(source.text))


def _comments_between(source: Source, start: int, end: int) -> Iterator[tuple[int, str]]:
    for found in re.finditer(r"#[^\n]*", source.text[start:end]):
        yield start + found.start(), found[0].rstrip()


# ---------------------------------------------------------------------------------------------------------------------
# Taking apart
# ---------------------------------------------------------------------------------------------------------------------


def _take_apart(source: Source, root: Table) -> FileBlock:
    """The tree of blocks, in the order of the file."""
    tree = FileBlock(name="", head="", start=-1, end=len(source.text), column=-1)
    _add_members(tree, root, mappings_schema(), source)
    return tree


def _add_members(parent: FileBlock, table: Table, schema: dict[str, Any], source: Source) -> None:
    ranks = list(schema["properties"])
    for name, node in table.items():
        key_at, _, end = table.spans[name]
        member_schema = _resolved(schema["properties"][name])
        inline = f"{name}: {_inline(node, member_schema, name)}"
        block = _block(parent, name, inline, (key_at, end), source)
        block.rank = ranks.index(name)
        if not node or not isinstance(node, Table | ItemList):
            continue
        if _goes_below(parent, name, node, inline):
            block.head = f"{name}:"
            if isinstance(node, Table):
                _add_members(block, node, member_schema, source)
            else:
                _add_items(block, node, _resolved(member_schema["items"]), source)


def _add_items(parent: FileBlock, rows: ItemList, schema: dict[str, Any], source: Source) -> None:
    for node, (start, end) in zip(rows, rows.spans, strict=True):
        at = start if rows.flow else _dash_of(source, rows, start)
        item = _block(parent, "", f"- {_inline(node, schema, '')}", (at, end), source)
        if isinstance(node, Table) and parent.name in _LISTS_OF_ENTRIES:
            item.head = ""
            _add_members(item, node, schema, source)


def _dash_of(source: Source, rows: ItemList, start: int) -> int:
    """Offset of the `-` of the item that begins at `start`; comments and line breaks may stand between them."""
    column = rows.start - source.line_start(rows.start)
    for line in range(source.line_number(start), 0, -1):
        dash = source.start_of(line) + column
        if dash <= start and source.text[source.start_of(line) : dash + 1].strip(" ") == "-":
            return dash
    return start


def _block(parent: FileBlock, name: str, head: str, span: tuple[int, int], source: Source) -> FileBlock:
    column = span[0] - source.line_start(span[0])
    block = FileBlock(name=name, head=head, start=span[0], end=span[1], column=column, parent=parent)
    parent.children.append(block)
    return block


def _goes_below(parent: FileBlock, name: str, node: Table | ItemList, inline: str) -> bool:
    """Sections and lists of entries are written below their key, small tables beside it, long lists below again."""
    if parent.parent is None or (parent.name == "defaults" and isinstance(node, Table)):
        return True
    return name == "infima_clients" and len(inline) + 4 > _LINE_LENGTH


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, or the definition that it refers to."""
    definitions: dict[str, dict[str, Any]] = mappings_schema()["$defs"]
    return definitions[schema["$ref"].removeprefix("#/$defs/")] if "$ref" in schema else schema


def _inline(node: Node, schema: dict[str, Any], name: str) -> str:
    """`node` on one line, its members in the schema's order."""
    match node:
        case Table():
            members = schema["properties"]
            parts = [f"{n}: {_inline(node[n], _resolved(members[n]), n)}" for n in members if n in node]
            return "{" + ", ".join(parts) + "}"
        case ItemList():
            return "[" + ", ".join(_inline(item, _resolved(schema["items"]), "") for item in node) + "]"
        case str():
            return _scalar(node, name)
        case _:
            return render(node)


def _scalar(text: str, name: str) -> str:
    if name in _PLAIN_MEMBERS and _PLAIN_WORD.fullmatch(text):
        try:
            if resolve_plain(text, day_allowed=name == "until") == text:
                return text
        except SurprisingScalar:
            pass
    return quote(text)


# ---------------------------------------------------------------------------------------------------------------------
# Comments
# ---------------------------------------------------------------------------------------------------------------------


def _attach(comments: list[tuple[int, str]], tree: FileBlock, source: Source) -> list[str]:
    """Give each comment to a block; returns the lines of the file's header."""
    blocks = sorted((block for block in tree.walk() if block is not tree), key=lambda block: block.start)
    starts = [block.start for block in blocks]
    for offset, text in comments:
        following = bisect_left(starts, offset)
        previous = blocks[following - 1] if following else None
        upcoming = blocks[following] if following < len(blocks) else None
        lines = _list_for(offset, previous, upcoming, tree, source)
        if lines is None:
            assert previous is not None  # noqa: S101 - for the type checker: None means beside the previous block
            previous.beside = text
        else:
            _append(lines, text, offset, source, keep_blank=_breathes(lines, previous, upcoming, tree))
    first = blocks[0] if blocks else tree
    header, first.before = _split_header(first.before)
    return header


def _list_for(
    offset: int, previous: FileBlock | None, upcoming: FileBlock | None, tree: FileBlock, source: Source
) -> list[str] | None:
    """The list of lines that a comment at `offset` joins; None when it goes beside the previous block."""
    line_start = source.line_start(offset)
    own_line = not source.text[line_start:offset].strip()
    if previous is not None and not own_line:
        room = not previous.beside and previous.head and (offset >= previous.end or previous.children)
        return None if room else previous.before
    if previous is not None and not previous.children and offset < previous.end:
        return previous.before
    column = offset - line_start
    if upcoming is None or (previous is not None and column > upcoming.column and upcoming.parent is not previous):
        container = _container_at(column, previous, tree)
        if upcoming is None or container is not upcoming.parent:
            return container.after
    return upcoming.before


def _container_at(column: int, previous: FileBlock | None, tree: FileBlock) -> FileBlock:
    """The innermost open block whose children stand at `column` or to the left of it."""
    block = previous
    while block is not None and block is not tree:
        if block.children and block.children[0].column <= column:
            return block
        block = block.parent
    return tree


def _breathes(lines: list[str], previous: FileBlock | None, upcoming: FileBlock | None, tree: FileBlock) -> bool:
    """True where blank lines between comments mean something: between sections and between entries."""
    if upcoming is not None and lines is upcoming.before:
        parent = upcoming.parent
        return parent is not None and (parent is tree or parent.name in _LISTS_OF_ENTRIES)
    return lines is tree.after or (previous is not None and any(lines is b.after for b in tree.children))


def _append(lines: list[str], text: str, offset: int, source: Source, *, keep_blank: bool) -> None:
    line = source.line_number(offset)
    if keep_blank and lines and lines[-1] and line > 1 and not source.line_text(line - 1).strip():
        lines.append("")
    lines.append(text)
    last = source.line_end(offset) >= len(source.text)
    if keep_blank and not last and not source.line_text(line + 1).strip():
        lines.append("")


def _split_header(lines: list[str]) -> tuple[list[str], list[str]]:
    """What stands above the first blank-separated part belongs to the file, not to its first section."""
    modeline = bool(lines) and lines[0].startswith("# yaml-language-server:")
    end = max((place for place, line in enumerate(lines, start=1) if not line), default=int(modeline))
    return lines[:end], lines[end:]


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------


def _write_children(parent: FileBlock, *, indent: int) -> Iterator[str]:
    breathing = parent.name in _BLANK_BETWEEN and (parent.parent is None or parent.name == "mappings")
    for index, child in enumerate(sorted(parent.children, key=lambda block: block.rank)):
        if breathing and index:
            yield ""
        yield from _write_block(child, indent=indent)
    if parent.after:
        if breathing:
            yield ""
        trailing = parent.after[:-1] if not parent.after[-1] else parent.after
        yield from _comment_lines(trailing, indent)


def _write_block(block: FileBlock, *, indent: int) -> Iterator[str]:
    members = list(_write_children(block, indent=0)) if not block.head else []
    if members:  # a list item whose first member stands beside the dash; comments above that one go above the item
        above = [*block.before, *_take_leading_comments(members)]
        yield from _comment_lines(above, indent)
        yield f"{' ' * indent}- {members[0]}"
        yield from (f"{' ' * (indent + 2)}{line}" for line in members[1:])
        return
    yield from _comment_lines(block.before, indent)
    beside = f"  {block.beside}" if block.beside else ""
    yield f"{' ' * indent}{block.head}{beside}"
    yield from _write_children(block, indent=indent + 2)


def _take_leading_comments(lines: list[str]) -> list[str]:
    taken = []
    while lines[0].startswith("#"):
        taken.append(lines.pop(0))
    return taken


def _comment_lines(lines: list[str], indent: int) -> Iterator[str]:
    return (f"{' ' * indent}{line}" if line else "" for line in lines)
