"""Edits of mappings.yaml that never disturb the rest: what each of them writes. How it is put there: `splice`.

The result of an edit is not yet checked against the schema or for contradictions: `parse_mappings` does that before it
is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import getitem
from typing import Any

from reconciler.config.reading import ItemList, Table
from reconciler.config.source import INVISIBLE, refusal
from reconciler.config.splice import (
    BY_HAND,
    OpenFile,
    add_items,
    behind_lines,
    checked,
    find_entry,
    open_text,
    plain,
    quote,
    remove_items,
    render,
    set_member,
    spliced,
    whole_lines,
)
from reconciler.model import (
    ClientRef,
    CustomerRef,
    HaloCustomer,
    InfimaClient,
    InfimaClientId,
    MappingKey,
    SubscriptionId,
)
from reconciler.names import LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMapping:
    """What is written for one new mapping. `key` may stay None where there is one client."""

    clients: tuple[ClientRef, ...]
    customer: CustomerRef
    key: MappingKey | None = None
    subscription_id: SubscriptionId | None = None
    retired: bool = False


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


def add_mappings(text: str, entries: Sequence[NewMapping], *, file: str = "mappings.yaml") -> str:
    """`text` with all `entries` behind the last mapping, in one edit.

    Raises ConfigError when that is not possible without a doubt.
    """
    return add_items(open_text(text, file), "mappings", [_members(entry) for entry in entries])


def join_client(text: str, key: str, client: ClientRef, *, file: str = "mappings.yaml") -> str:
    """`text` with one more client in the mapping called `key`, which keeps its key. Raises ConfigError.

    A mapping of one client becomes a combined one: its key is written out and its client is the first of the list.
    """
    opened = open_text(text, file)
    index, entry = find_entry(opened, key)
    added = _named(client)
    rows = entry.get("infima_clients")
    if isinstance(rows, ItemList) and rows:
        start = end = rows.spans[-1][1]
        new = f", {render(added)}"
        if not rows.flow:
            column = opened.column(rows.start)
            start = end = behind_lines(opened, end, column)
            new = whole_lines(opened, start, [f"{' ' * column}- {render(added)}"])
    else:
        start, end, new = _made_combined(opened, entry, key, added)

    def meant(data: dict[str, Any]) -> None:
        row = data["mappings"][index]
        if "infima_client" in row:
            row["key"] = key
            row["infima_clients"] = [row.pop("infima_client")]
        row["infima_clients"].append(added)

    return spliced(opened, start, end, new, meant)


def _made_combined(file: OpenFile, entry: Table, key: str, added: dict[str, Any]) -> tuple[int, int, str]:
    """`infima_client: {...}  # comment` as a list of two; the first one's text and comment stay beside it."""
    client = entry.get("infima_client")
    if not isinstance(client, Table) or not client.flow:
        raise file.cannot_edit(entry.start)
    start, value, value_end = entry.spans["infima_client"]
    named = "" if "key" in entry else f"key: {key}"
    if entry.flow:
        lead = f"{named}, " if named else ""
        return start, value_end, f"{lead}infima_clients: [{file.text[value:value_end]}, {render(added)}]"
    margin = " " * file.column(entry.start)
    end = behind_lines(file, value_end, len(margin))
    lead = f"{named}{file.newline}{margin}" if named else ""
    first = f"{lead}infima_clients:{file.newline}{margin}  - {file.text[value:end]}"
    closing = "" if first.endswith("\n") else file.newline
    last = f"{margin}  - {render(added)}"
    return start, end, f"{first}{closing}{last}" + ("" if closing else file.newline)


def _members(entry: NewMapping) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if entry.key is not None:
        members["key"] = str(entry.key)
    clients = [_named(client) for client in entry.clients]
    members |= {"infima_client": clients[0]} if len(clients) == 1 else {"infima_clients": clients}
    members["halo_customer"] = _named(entry.customer)
    if entry.subscription_id is not None:
        members["subscription_id"] = int(entry.subscription_id)
    if entry.retired:
        members["retired"] = True
    return members


def _named(ref: ClientRef | CustomerRef) -> dict[str, Any]:
    return {"id": int(ref.id), "name": clean_name(ref.name)}


def add_ignore(text: str, client: ClientRef, reason: str, *, file: str = "mappings.yaml") -> str:
    """`text` with `client` behind the last ignored one. Raises ConfigError."""
    return add_items(open_text(text, file), "ignore", [{"infima_client": _named(client), "reason": clean_name(reason)}])


def add_approval(text: str, entry: NewApproval, *, file: str = "mappings.yaml") -> str:
    """`text` with `entry` behind the last approval; one for the same rule and key is gone. Raises ConfigError."""
    text = remove_items(
        open_text(text, file), "approvals", lambda row: (row["rule"], row.get("key")) == (entry.rule, entry.key)
    )
    members: dict[str, Any] = {"rule": entry.rule}
    if entry.key is not None:
        members["key"] = entry.key
    if entry.at_least is not None and entry.at_most is not None:
        members["quantity"] = {"from": entry.at_least, "to": entry.at_most}
    if entry.up_to is not None:
        members["up_to"] = entry.up_to
    members |= {"until": entry.until.isoformat(), "reason": clean_name(entry.reason)}
    return add_items(open_text(text, file), "approvals", [members])


def remove_approvals(text: str, name: str, *, file: str = "mappings.yaml") -> str:
    """`text` without the approvals of this mapping, or of this rule about the whole run. Raises ConfigError."""
    return remove_items(open_text(text, file), "approvals", lambda row: name in (row.get("key"), row["rule"]))


def remove_approval(text: str, rule: str, key: str | None, until: date, *, file: str = "mappings.yaml") -> str:
    """`text` without the approval of this rule that ends on this day. Raises ConfigError."""
    said = (rule, key, until.isoformat())
    return remove_items(
        open_text(text, file), "approvals", lambda row: (row["rule"], row.get("key"), str(row["until"])) == said
    )


def remove_ignore(text: str, client: InfimaClientId, *, file: str = "mappings.yaml") -> str:
    """`text` without the entry of `ignore` about this client. Raises ConfigError."""
    opened = open_text(text, file)
    return remove_items(opened, "ignore", lambda row: row.inner("infima_client").get("id") == client)


def add_remark(text: str, key: str, remark: str, *, file: str = "mappings.yaml") -> str:
    """`text` with a comment line above the quantity of the mapping called `key`. Raises ConfigError."""
    opened = open_text(text, file)
    _, entry = find_entry(opened, key)
    if entry.flow or "quantity" not in entry:
        raise opened.cannot_edit(entry.start)
    start = opened.source.line_start(entry.spans["quantity"][0])
    line = f"{' ' * opened.column(entry.start)}# {clean_name(remark)}{opened.newline}"
    return spliced(opened, start, start, line, lambda _: None)


def set_subscription_id(text: str, key: str, subscription_id: int, *, file: str = "mappings.yaml") -> str:
    """`text` with that `subscription_id` in the mapping called `key`. Raises ConfigError."""
    return set_member(open_text(text, file), key, "subscription_id", int(subscription_id), behind="halo_customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewName:
    """Another name beside the id of this client or customer in the mapping called `key`."""

    key: MappingKey
    ref: ClientRef | CustomerRef
    name: str


def set_names(text: str, names: Sequence[NewName], *, file: str = "mappings.yaml") -> str:
    """`text` with other names beside these ids; nothing else is touched. Raises ConfigError."""
    opened = open_text(text, file)
    expected, new = plain(opened.root), opened.text
    found = [(_ref_table(opened, each), clean_name(each.name)) for each in names]
    for (table, path), name in sorted(found, key=lambda one: one[0][0].start, reverse=True):
        _, start, end = table.spans["name"]
        new = new[:start] + quote(name) + new[end:]
        reduce(getitem, path, expected)["name"] = name
    return checked(opened, new, expected)


def _ref_table(file: OpenFile, wanted: NewName) -> tuple[Table, list[Any]]:
    """Where the mapping names this id, and the way to it from the top of the file."""
    index, entry = find_entry(file, wanted.key)
    single = "halo_customer" if isinstance(wanted.ref, CustomerRef) else "infima_client"
    found: list[tuple[Table, list[Any]]] = [(entry.inner(single), [single])]
    if single == "infima_client":
        found += [(row, ["infima_clients", place]) for place, row in enumerate(entry.rows("infima_clients"))]
    for table, path in found:
        if table.get("id") == wanted.ref.id:
            return table, ["mappings", index, *path]
    raise refusal(file.source.file, f"{wanted.key} has no client or customer {wanted.ref.id}", BY_HAND)


def set_quantity(text: str, key: str, members: dict[str, Any], *, file: str = "mappings.yaml") -> str:
    """`text` with these members in the quantity rule of the mapping called `key`; its others stay. Raises ConfigError.

    A rule with comments inside is refused, for they would be lost.
    """
    opened = open_text(text, file)
    rule = find_entry(opened, key)[1].inner("quantity")
    if "#" in opened.text[rule.start : rule.end]:
        raise opened.cannot_edit(rule.start, "the quantity rule holds a comment")
    return set_member(opened, key, "quantity", {**plain(rule), **members}, behind="halo_customer")


def retire_mapping(text: str, key: str, *, file: str = "mappings.yaml") -> str:
    """`text` with `retired: true` in the mapping called `key`. Raises ConfigError."""
    return set_member(open_text(text, file), key, "retired", True, behind=None)  # noqa: FBT003 - the value to write


def clean_name(name: str) -> str:
    """`name` as it may stand in the file: invisible characters gone, line breaks and tabs turned into spaces."""
    spaced = re.sub(r"\r\n|[\n\t]", " ", name)
    return INVISIBLE.sub("", spaced).strip()[:LONGEST].rstrip()


def client_ref(client: InfimaClient) -> ClientRef:
    """The client as the file names it. A name that is nothing to see would not be valid there."""
    return ClientRef(id=client.id, name=clean_name(client.name) or f"client {client.id}")


def customer_ref(customer: HaloCustomer) -> CustomerRef:
    """The customer as the file names it."""
    return CustomerRef(id=customer.id, name=clean_name(customer.name) or f"customer {customer.id}")
