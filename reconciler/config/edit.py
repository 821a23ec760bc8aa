"""Edits of mappings.yaml that never disturb the rest: a piece of text is spliced in, everything else stays as it is.

Each edit is read again and compared: the data must be what was meant. A file whose style makes that impossible
(a whole file in braces, comments inside an empty list) is refused rather than rewritten. The result of an edit is not
yet checked against the schema or for contradictions: `parse_mappings` does that before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reconciler.config import read_text
from reconciler.config.reading import ItemList, Node, Table
from reconciler.config.source import BYTE_ORDER_MARK, INVISIBLE, Source, refusal
from reconciler.errors import ConfigError
from reconciler.model import ClientRef, CustomerRef, MappingKey, SubscriptionId
from reconciler.names import LONGEST

_CANNOT = "the file's layout does not allow this edit"
_PLAIN_MEMBERS = frozenset({"key", "rule", "until"})
_BY_HAND = "make the edit by hand, or run `reconciler fmt` first"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMapping:
    """What is written for one new mapping. `key` may stay None where there is one client."""

    clients: tuple[ClientRef, ...]
    customer: CustomerRef
    key: MappingKey | None = None
    subscription_id: SubscriptionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApproval:
    """What is written for one new approval: `key` with bounds, or `up_to` for a rule about the whole run."""

    rule: str
    until: date
    reason: str
    key: str | None = None
    at_least: int | None = None
    at_most: int | None = None
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class _File:
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


def add_mapping(text: str, entry: NewMapping, *, file: str = "mappings.yaml") -> str:
    """`text` with `entry` behind the last mapping. Raises ConfigError when that is not possible without a doubt."""
    return add_mappings(text, [entry], file=file)


def add_mappings(text: str, entries: Sequence[NewMapping], *, file: str = "mappings.yaml") -> str:
    """`text` with all `entries` behind the last mapping, in one edit. Raises ConfigError."""
    return _add_items(_open(text, file), "mappings", [_members(entry) for entry in entries])


def join_client(text: str, key: str, client: ClientRef, *, file: str = "mappings.yaml") -> str:
    """`text` with one more client in the mapping called `key`, which keeps its key. Raises ConfigError.

    A mapping of one client becomes a combined one: its key is written out and its client is the first of the list.
    """
    opened = _open(text, file)
    index, entry = _find_entry(opened, key)
    added = {"id": int(client.id), "name": clean_name(client.name)}
    rows = entry.get("infima_clients")
    if isinstance(rows, ItemList) and rows:
        start = end = rows.spans[-1][1]
        new = f", {_render(added)}"
        if not rows.flow:
            column = opened.column(rows.start)
            start = end = _behind(opened, end, column)
            new = _lines(opened, start, [f"{' ' * column}- {_render(added)}"])
    else:
        start, end, new = _made_combined(opened, entry, key, added)

    def meant(data: dict[str, Any]) -> None:
        row = data["mappings"][index]
        if "infima_client" in row:
            row["key"] = key
            row["infima_clients"] = [row.pop("infima_client")]
        row["infima_clients"].append(added)

    return _spliced(opened, start, end, new, meant)


def _made_combined(file: _File, entry: Table, key: str, added: dict[str, Any]) -> tuple[int, int, str]:
    """`infima_client: {...}  # comment` as a list of two; the first one's text and comment stay beside it."""
    client = entry.get("infima_client")
    if not isinstance(client, Table) or not client.flow:
        raise refusal(file.source.file, _CANNOT, _BY_HAND, place=file.source.place(entry.start))
    start, value, value_end = entry.spans["infima_client"]
    named = "" if "key" in entry else f"key: {key}"
    if entry.flow:
        lead = f"{named}, " if named else ""
        return start, value_end, f"{lead}infima_clients: [{file.text[value:value_end]}, {_render(added)}]"
    margin = " " * file.column(entry.start)
    end = _behind(file, value_end, len(margin))
    lead = f"{named}{file.newline}{margin}" if named else ""
    first = f"{lead}infima_clients:{file.newline}{margin}  - {file.text[value:end]}"
    closing = "" if first.endswith("\n") else file.newline
    last = f"{margin}  - {_render(added)}"
    return start, end, f"{first}{closing}{last}" + ("" if closing else file.newline)


def _members(entry: NewMapping) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if entry.key is not None:
        members["key"] = str(entry.key)
    clients = [{"id": int(client.id), "name": clean_name(client.name)} for client in entry.clients]
    if len(clients) == 1:
        members["infima_client"] = clients[0]
    else:
        members["infima_clients"] = clients
    members["halo_customer"] = {"id": int(entry.customer.id), "name": clean_name(entry.customer.name)}
    if entry.subscription_id is not None:
        members["subscription_id"] = int(entry.subscription_id)
    return members


def add_ignore(text: str, client: ClientRef, reason: str, *, file: str = "mappings.yaml") -> str:
    """`text` with `client` behind the last ignored one. Raises ConfigError."""
    named = {"id": int(client.id), "name": clean_name(client.name)}
    return _add_item(_open(text, file), "ignore", {"infima_client": named, "reason": clean_name(reason)})


def add_approval(text: str, entry: NewApproval, *, file: str = "mappings.yaml") -> str:
    """`text` with `entry` behind the last approval; one for the same rule and key is gone. Raises ConfigError."""
    text = _remove_items(
        _open(text, file), "approvals", lambda row: (row["rule"], row.get("key")) == (entry.rule, entry.key)
    )
    members: dict[str, Any] = {"rule": entry.rule}
    if entry.key is not None:
        members["key"] = entry.key
    if entry.at_least is not None and entry.at_most is not None:
        members["quantity"] = {"from": entry.at_least, "to": entry.at_most}
    if entry.up_to is not None:
        members["up_to"] = entry.up_to
    members |= {"until": entry.until.isoformat(), "reason": clean_name(entry.reason)}
    return _add_item(_open(text, file), "approvals", members)


def remove_approvals(text: str, name: str, *, file: str = "mappings.yaml") -> str:
    """`text` without the approvals of this mapping, or of this rule about the whole run. Raises ConfigError."""
    return _remove_items(_open(text, file), "approvals", lambda row: name in (row.get("key"), row["rule"]))


def set_subscription_id(text: str, key: str, subscription_id: int, *, file: str = "mappings.yaml") -> str:
    """`text` with that `subscription_id` in the mapping called `key`. Raises ConfigError."""
    return _set_member(_open(text, file), key, "subscription_id", int(subscription_id), behind="halo_customer")


def set_name(text: str, ref: ClientRef | CustomerRef, name: str, *, file: str = "mappings.yaml") -> str:
    """`text` with another name beside the id at `ref.place`; nothing else is touched. Raises ConfigError."""
    opened = _open(text, file)
    table = next((found for found in _tables(opened.root) if opened.source.place(found.start) == ref.place), None)
    if table is None or table.get("id") != ref.id:
        raise refusal(file, f"no client or customer {ref.id} stands at {ref.place}", _BY_HAND)
    _, start, end = table.spans["name"]
    written = clean_name(name)
    spliced = opened.text[:start] + quote(written) + opened.text[end:]
    _, problems, root = read_text(spliced, file=file)
    if root is None or problems.has_errors:
        raise refusal(file, _CANNOT, _BY_HAND, place=opened.source.place(start))
    return opened.mark + spliced


def _tables(node: Node) -> Iterator[Table]:
    """Every table of the file, from the outside inwards."""
    if isinstance(node, Table):
        yield node
    if isinstance(node, dict | list):
        for member in node.values() if isinstance(node, dict) else node:
            yield from _tables(member)


def set_quantity(text: str, key: str, members: dict[str, Any], *, file: str = "mappings.yaml") -> str:
    """`text` with these members in the quantity rule of the mapping called `key`; its others stay. Raises ConfigError.

    A rule with comments inside is refused, for they would be lost.
    """
    opened = _open(text, file)
    entry = _find_entry(opened, key)[1]
    rule = entry.get("quantity")
    if isinstance(rule, Table) and "#" in opened.text[rule.start : rule.end]:
        raise refusal(file, "the quantity rule holds a comment", _BY_HAND, place=opened.source.place(rule.start))
    old = plain(rule) if isinstance(rule, Table) else {}
    return _set_member(opened, key, "quantity", {**old, **members}, behind="halo_customer")


def retire_mapping(text: str, key: str, *, file: str = "mappings.yaml") -> str:
    """`text` with `retired: true` in the mapping called `key`. Raises ConfigError."""
    return _set_member(_open(text, file), key, "retired", True, behind=None)  # noqa: FBT003 - the value to write


def clean_name(name: str) -> str:
    """`name` as it may stand in the file: invisible characters gone, line breaks and tabs turned into spaces."""
    spaced = name.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return INVISIBLE.sub("", spaced).strip()[:LONGEST].rstrip()


def _open(text: str, file: str) -> _File:
    source, problems, root = read_text(text, file=file)
    if root is None or problems.has_errors:
        hint = "correct it first; `reconciler validate` shows where"
        raise ConfigError(f"{file} cannot be edited: it has problems", diagnostics=problems.all(), hint=hint)
    return _File(source, root, text[: text.startswith(BYTE_ORDER_MARK)])


def _render(value: object) -> str:
    """`value` as flow YAML on one line; text is always quoted but for mapping keys."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{name}: {_render(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ", ".join(_render(item) for item in value) + "]"
        case _:
            return quote(str(value))


def quote(text: str) -> str:
    """`text` between double quotes, as YAML and JSON both read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _add_item(file: _File, section: str, members: dict[str, Any]) -> str:
    return _add_items(file, section, [members])


def _add_items(file: _File, section: str, items: Sequence[dict[str, Any]]) -> str:
    rows = file.root.get(section)
    if isinstance(rows, ItemList) and rows and rows.flow:
        start = end = rows.spans[-1][1]
        new = "".join(f", {_render(members)}" for members in items)
    elif file.root.flow or not (rows is None or isinstance(rows, ItemList)):
        raise refusal(file.source.file, _CANNOT, _BY_HAND, place=file.source.place(file.root.start))
    elif isinstance(rows, ItemList) and rows:
        start = end = _behind(file, rows.spans[-1][1], file.column(rows.start))
        new = _lines(file, start, [line for members in items for line in _item_lines(file, rows, section, members)])
    elif isinstance(rows, ItemList):
        start, end, new = _fill_empty_list(file, section, rows, items)
    elif section in file.root:
        start = end = _behind(file, file.root.spans[section][2], file.column(file.root.start))
        new = _lines(file, start, _fresh_lines(items))
    else:
        start = end = len(file.text)
        new = _lines(file, start, ["", f"{section}:", *_fresh_lines(items)])

    def meant(data: dict[str, Any]) -> None:
        data[section] = [*(data.get(section) or []), *items]

    return _spliced(file, start, end, new, meant)


def _remove_items(file: _File, section: str, gone: Callable[[Table], bool]) -> str:
    """The text without the entries of a list that `gone` picks; with the last one the section goes too."""
    rows = file.root.get(section)
    found = (
        [n for n, row in enumerate(rows) if isinstance(row, Table) and gone(row)] if isinstance(rows, ItemList) else []
    )
    if not isinstance(rows, ItemList) or not found:
        return file.text
    if rows.flow or file.root.flow:
        raise refusal(file.source.file, _CANNOT, _BY_HAND, place=file.source.place(rows.start))
    last = len(rows) == 1
    index = found[-1]
    start = file.source.line_start(file.root.spans[section][0] if last else rows.spans[index][0])
    end = _behind(file, rows.spans[index][1], file.column(rows.start))
    if file.text[:start].endswith(("\n\n", "\r\n\r\n")):  # the blank line before goes with its entry
        start = file.source.line_start(start - 1)

    def meant(data: dict[str, Any]) -> None:
        if last:
            del data[section]
        else:
            del data[section][index]

    return _remove_items(_open(_spliced(file, start, end, "", meant), file.source.file), section, gone)


def _block_item(members: dict[str, Any], *, dash: int, inner: int) -> list[str]:
    """The lines of a list item whose `-` stands in column `dash` (from 0), its members `inner` columns further."""
    rendered = [f"{name}: {value if name in _PLAIN_MEMBERS else _render(value)}" for name, value in members.items()]
    first = " " * dash + "-" + " " * (inner - 1) + rendered[0]
    return [first, *(" " * (dash + inner) + line for line in rendered[1:])]


def _item_lines(file: _File, rows: ItemList, section: str, members: dict[str, Any]) -> list[str]:
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
    file: _File, section: str, rows: ItemList, items: Sequence[dict[str, Any]]
) -> tuple[int, int, str]:
    """`mappings: []  # comment` becomes `mappings:  # comment` and an item below."""
    if "#" in file.text[rows.start : rows.end]:
        raise refusal(file.source.file, _CANNOT, _BY_HAND, place=file.source.place(rows.start))
    key_at = file.root.spans[section][0]
    start = key_at + len(file.text[key_at : rows.start].rstrip())
    end = file.source.line_end(rows.end)
    rest = file.text[rows.end : end].rstrip("\r\n")
    lines = [rest.rstrip(), *_fresh_lines(items)]
    closing = file.newline if file.text[rows.end : end].endswith("\n") else ""
    return start, end, file.newline.join(lines) + closing


def _set_member(file: _File, key: str, name: str, value: object, *, behind: str | None) -> str:
    index, entry = _find_entry(file, key)
    if entry.get(name) is value or (entry.get(name) == value and not isinstance(value, bool)):
        return file.mark + file.text
    if name in entry:
        _, start, end = entry.spans[name]
        new = _render(value) if end > start else f" {_render(value)}"
    else:
        anchor = behind if behind is not None and behind in entry else next(reversed(entry))
        start = end = entry.spans[anchor][2]
        new = f", {name}: {_render(value)}"
        if not entry.flow:
            column = file.column(entry.start)
            start = end = _behind(file, end, column)
            new = _lines(file, start, [f"{' ' * column}{name}: {_render(value)}"])

    def meant(data: dict[str, Any]) -> None:
        data["mappings"][index][name] = value

    return _spliced(file, start, end, new, meant)


def _find_entry(file: _File, key: str) -> tuple[int, Table]:
    rows = file.root.get("mappings")
    found = [
        (index, row)
        for index, row in enumerate(rows if isinstance(rows, ItemList) else ())
        if isinstance(row, Table) and _key_of(row) == key
    ]
    if len(found) != 1:
        message = f"{len(found) or 'no'} mappings have the key {key}"
        raise refusal(file.source.file, message, "`reconciler validate` checks keys; `reconciler status` lists them")
    return found[0]


def _key_of(row: Table) -> object:
    client = row.get("infima_client")
    return row.get("key", f"infima-{client.get('id')}" if isinstance(client, Table) else None)


def _behind(file: _File, offset: int, column: int) -> int:
    """Offset behind the line of `offset` and behind the comment lines below it that are indented beyond `column`."""
    position = file.source.line_end(offset)
    while position < len(file.text):
        line = file.text[position : file.source.line_end(position)]
        stripped = line.lstrip(" ")
        if not stripped.startswith("#") or len(line) - len(stripped) <= column:
            break
        position += len(line)
    return position


def _lines(file: _File, position: int, lines: Sequence[str]) -> str:
    """Whole lines for `position`, which is a line's beginning or the end of a file without a final line break."""
    if position > 0 and not file.text[:position].endswith("\n"):
        return "".join(file.newline + line for line in lines)
    return "".join(line + file.newline for line in lines)


def _spliced(file: _File, start: int, end: int, new: str, meant: Callable[[dict[str, Any]], None]) -> str:
    """The text with `new` in the place of `start` to `end`, once it was read again and found to be what was meant."""
    text = file.text[:start] + new + file.text[end:]
    expected: Any = plain(file.root)
    meant(expected)
    _, problems, root = read_text(text, file=file.source.file)
    if root is None or problems.has_errors or plain(root) != expected:
        raise refusal(file.source.file, _CANNOT, _BY_HAND, place=file.source.place(start))
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
