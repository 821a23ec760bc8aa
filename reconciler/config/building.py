"""Checked data -> `Mappings`: defaults are merged in here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from reconciler.config.reading import Table
from reconciler.config.source import Problems, Source
from reconciler.model import (
    Approval,
    ChangeLimit,
    ClientRef,
    CountRule,
    CustomerRef,
    HaloCustomerId,
    IgnoredClient,
    InfimaClientId,
    Limits,
    Mapping,
    MappingKey,
    MarkerField,
    Money,
    QuantityRule,
    RequestBudget,
    Settings,
    SubscriptionId,
    UnitPrice,
)
from reconciler.moments import find_zone

DEFAULT_SUBSCRIPTION_NAME = "INFIMA Security Awareness Training"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEntry:
    """A mapping together with the table it was made from, which knows where each member stands."""

    mapping: Mapping
    table: Table
    clients: tuple[Table, ...]

    def at(self, *path: str) -> int:
        """Offset of the value at `path` within the entry; of the entry where the file does not spell it out."""
        table = self.table
        for step in path[:-1]:
            table = table.inner(step)
        span = table.spans.get(path[-1])
        return span[1] if span else self.table.start

    @property
    def own_rule(self) -> Table:
        """The quantity rule that the entry itself spells out; empty where it has none."""
        return self.table.inner("quantity")


def build_entries(root: Table, refused: frozenset[int], source: Source) -> tuple[MappingEntry, ...]:
    """The mappings that the schema does not refuse, with the defaults merged in."""
    rows: Any = root["mappings"]
    return tuple(_entry(row, root.inner("defaults"), source) for i, row in enumerate(rows) if i not in refused)


def _entry(table: Table, defaults: Table, source: Source) -> MappingEntry:
    clients = tuple(table.rows("infima_clients") or [table.inner("infima_client")])
    refs = tuple(_client(client, source) for client in clients)
    members: dict[str, Any] = dict(table)
    customer, subscription_id = members["halo_customer"], members.get("subscription_id")
    template: Any = defaults.inner("subscription")
    mapping = Mapping(
        key=MappingKey(members.get("key", f"infima-{refs[0].id}")),
        infima_clients=refs,
        halo_customer=CustomerRef(
            id=HaloCustomerId(customer["id"]), name=customer["name"], place=source.place(customer.start)
        ),
        subscription_name=template.get("name", DEFAULT_SUBSCRIPTION_NAME),
        subscription_id=None if subscription_id is None else SubscriptionId(subscription_id),
        quantity=_rule({**defaults.inner("quantity"), **table.inner("quantity")}),
        retired=members.get("retired", False),
        price=_price(table.inner("price") or defaults.inner("price")),
        place=source.place(table.start),
    )
    return MappingEntry(mapping=mapping, table=table, clients=clients)


def _client(table: Any, source: Source) -> ClientRef:
    return ClientRef(id=InfimaClientId(table["id"]), name=table["name"], place=source.place(table.start))


def _rule(members: dict[str, Any]) -> QuantityRule:
    count = CountRule(members.pop("count", CountRule.ACTIVE_USERS))
    until = members.pop("until", None)
    return QuantityRule(count=count, until=None if until is None else parse_day(until), **members)


def _price(table: Any) -> UnitPrice | None:
    return UnitPrice(amount=Decimal(table["amount"]), currency=table["currency"]) if table else None


def parse_day(text: str) -> date | None:
    """The day that `text` (year-month-day) names, None where the calendar has no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def build_ignored(root: Table, source: Source) -> tuple[tuple[IgnoredClient, Table], ...]:
    """The `ignore` list, each with its table."""
    return tuple((_ignored(row, source), row) for row in root.rows("ignore"))


def _ignored(row: Any, source: Source) -> IgnoredClient:
    client = _client(row["infima_client"], source)
    return IgnoredClient(client=client, reason=row["reason"], place=source.place(row.start))


def build_limits(root: Table) -> Limits:
    """`limits`, with the defaults of the model for what is not there, and `settings.currency` for amounts without."""
    limits, currency = root.inner("limits"), root.inner("settings").get("currency")
    members: dict[str, Any] = dict(limits)
    for name in ("max_decrease", "max_increase"):
        own: dict[str, Any] = {**limits.inner(name)}
        default: ChangeLimit = getattr(Limits(), name)
        members[name] = ChangeLimit(
            users=own.get("users", default.users),
            percent=own.get("percent", default.percent),
            amount=_money(own, currency),
        )
    for name in ("max_total_decrease", "max_total_increase"):
        members[name] = _money(limits.inner(name), currency)
    return Limits(**members)


def _money(table: Any, currency: Any) -> Money | None:
    """The amount of a limit; None where it states none. `check_consistency` sees to it that a currency is known."""
    if "amount" not in table:
        return None
    return Money(amount=Decimal(table["amount"]), currency=table.get("currency") or currency or "")


def build_settings(root: Table) -> Settings:
    """`settings`, with the defaults of the model for what is not there."""
    members: dict[str, Any] = dict(root.inner("settings"))
    if "marker_field" in members:
        members["marker_field"] = MarkerField(members["marker_field"])
    if "halo_budget" in members:
        members["halo_budget"] = RequestBudget(**members["halo_budget"])
    if "timezone" in members:
        members["timezone"] = find_zone(members["timezone"]) or UTC
    return Settings(**members)


def approval_tables(root: Table, problems: Problems) -> list[Table]:
    """The approvals that the schema accepts."""
    return [row for row in root.rows("approvals") if not problems.within(row.start, row.end)]


def build_approvals(tables: list[Table], source: Source) -> tuple[Approval, ...]:
    """The approvals as frozen values, in the order of the file; those aside whose day no calendar has."""
    return tuple(_approval(table, until, source) for table in tables if (until := parse_day(str(table["until"]))))


def _approval(table: Table, until: date, source: Source) -> Approval:
    members: dict[str, Any] = dict(table)
    bounds, key = members.get("quantity", {}), members.get("key")
    return Approval(
        rule=members["rule"],
        until=until,
        reason=members["reason"],
        place=source.place(table.start),
        key=None if key is None else MappingKey(key),
        at_least=bounds.get("from"),
        at_most=bounds.get("to"),
        up_to=members.get("up_to"),
    )
