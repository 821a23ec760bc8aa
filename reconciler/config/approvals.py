"""`approvals` of mappings.yaml: what reviewers agreed to beforehand, built and checked against the rest of the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reconciler.config.building import MappingEntry, parse_day
from reconciler.config.checking import closest_word
from reconciler.config.diagnostics import quoted
from reconciler.config.reading import ItemList, Table
from reconciler.config.source import Problems, Source
from reconciler.model import Approval, MappingKey

DAYS_AHEAD = 92
"""An approval ends after a quarter at the latest (DESIGN 8): what holds for longer belongs into the mapping itself."""

RUN_RULES = {
    "many-creates": "how many Subscriptions one run may create",
    "source-dropped": "by how many percent INFIMA's counts may fall",
    "amounts-drop": "how much the run may take off a month, in whole units of the limit's currency",
    "amounts-rise": "how much the run may add a month, in whole units of the limit's currency",
}
"""The rules about the whole run, with what `up_to` says of each."""

BOUNDED_RULES = frozenset({"decrease", "increase", "falling", "amount-decrease", "amount-increase"})
"""The rules about a number: without bounds an approval would let any number through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalEntry:
    """An approval with the table it was made from; `until` is None where the calendar has no such day."""

    table: Table
    place: int
    rule: str
    until: date | None

    def at(self, name: str) -> int:
        """Offset of a member's value."""
        return self.table.spans[name][1]

    def at_key(self, name: str) -> int:
        """Offset of a member's name."""
        return self.table.spans[name][0]


def approval_entries(root: Table, problems: Problems) -> tuple[ApprovalEntry, ...]:
    """The entries that the schema accepts."""
    rows = root.get("approvals")
    if not isinstance(rows, ItemList):
        return ()
    return tuple(
        ApprovalEntry(table=row, place=row.start, rule=str(row["rule"]), until=parse_day(str(row["until"])))
        for row in rows
        if isinstance(row, Table) and not problems.within(row.start, row.end)
    )


def build_approvals(entries: Iterable[ApprovalEntry], source: Source) -> tuple[Approval, ...]:
    """The approvals as frozen values, in the order of the file."""
    return tuple(_approval(entry, entry.until, source) for entry in entries if entry.until is not None)


def _approval(entry: ApprovalEntry, until: date, source: Source) -> Approval:
    members: dict[str, Any] = dict(entry.table)
    bounds = members.get("quantity", {})
    key = members.get("key")
    return Approval(
        rule=entry.rule,
        until=until,
        reason=members["reason"],
        place=source.place(entry.place),
        key=None if key is None else MappingKey(key),
        at_least=bounds.get("from"),
        at_most=bounds.get("to"),
        up_to=members.get("up_to"),
    )


def check_approvals(
    entries: Iterable[ApprovalEntry],
    mappings: tuple[MappingEntry, ...],
    source: Source,
    problems: Problems,
    *,
    today: date,
) -> None:
    """Record what an approval cannot say, and two for one thing. An approval whose day has passed is no problem.

    `mappings` are empty where not all of them could be read: then no key is looked for.
    """
    keys = [str(entry.mapping.key) for entry in mappings]
    first: dict[tuple[str, object], ApprovalEntry] = {}
    for entry in entries:
        if entry.rule in RUN_RULES:
            _check_run_rule(entry, problems)
        else:
            _check_mapping_rule(entry, keys, problems)
        _check_day(entry, problems, today=today)
        twin = first.setdefault((entry.rule, entry.table.get("key")), entry)
        if twin is not entry:
            whose = f" of {quoted(entry.table['key'])}" if "key" in entry.table else ""
            problems.error(
                entry.place,
                f"{entry.rule}{whose} is approved already on line {source.line_number(twin.place)}",
                "keep one of the two",
            )


def _check_run_rule(entry: ApprovalEntry, problems: Problems) -> None:
    for name in ("key", "quantity"):
        if name in entry.table:
            hint = f"delete {name}; up_to says {RUN_RULES[entry.rule]}"
            problems.error(entry.at_key(name), f"{entry.rule} is about the whole run and takes no {name}", hint)
    if "up_to" not in entry.table:
        hint = f"add, for example, `up_to: 40`: {RUN_RULES[entry.rule]}"
        problems.error(entry.place, f"the approval of {entry.rule} says no up_to", hint)


def _check_mapping_rule(entry: ApprovalEntry, keys: list[str], problems: Problems) -> None:
    if "up_to" in entry.table:
        hint = "write `quantity: {from: 12, to: 20}` with the quantities that are approved"
        problems.error(entry.at_key("up_to"), f"{entry.rule} is about one mapping and takes no up_to", hint)
    if "key" not in entry.table:
        hint = "add the `key` of the mapping, for example `key: infima-102`"
        problems.error(entry.place, f"the approval of {entry.rule} names no mapping", hint)
    elif keys and entry.table["key"] not in keys:
        near = closest_word(str(entry.table["key"]), keys)
        hint = f"did you mean {near[0]}?" if near else "`reconciler status` lists the keys"
        problems.error(entry.at("key"), f"no mapping has the key {quoted(entry.table['key'])}", hint)
    bounds = entry.table.get("quantity")
    if isinstance(bounds, Table):
        lowest, highest = bounds["from"], bounds["to"]
        if isinstance(lowest, int) and isinstance(highest, int) and lowest > highest:
            hint = f"write `quantity: {{from: {highest}, to: {lowest}}}`"
            problems.error(entry.at("quantity"), f"from {lowest} is above to {highest}", hint)
    elif entry.rule in BOUNDED_RULES:
        hint = "add, for example, `quantity: {from: 12, to: 20}`: the new quantity may be anything in there"
        problems.error(entry.place, f"the approval of {entry.rule} has no bounds", hint)


def _check_day(entry: ApprovalEntry, problems: Problems, *, today: date) -> None:
    latest = today + timedelta(days=DAYS_AHEAD)
    if entry.until is None:
        said = quoted(entry.table["until"])
        problems.error(entry.at("until"), f"until: {said} is not a day of the calendar", "correct the day")
    elif entry.until > latest:
        hint = f"write {latest.isoformat()} or an earlier day; what holds for longer belongs into the mapping itself"
        problems.error(entry.at("until"), f"until {entry.until} is more than {DAYS_AHEAD} days ahead", hint)
