"""Checked data -> `Mappings`: defaults are merged in here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from reconciler.config.reading import ItemList, Table
from reconciler.config.source import Source
from reconciler.model import (
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
            inner = table.get(step)
            if not isinstance(inner, Table):
                return self.table.start
            table = inner
        span = table.spans.get(path[-1])
        return span[1] if span else self.table.start

    @property
    def own_rule(self) -> Table | None:
        """The quantity rule that the entry itself spells out."""
        rule = self.table.get("quantity")
        return rule if isinstance(rule, Table) else None


def build_entries(root: Table, refused: frozenset[int], source: Source) -> tuple[MappingEntry, ...]:
    """The mappings that the schema does not refuse, with the defaults merged in."""
    defaults = _table(root, "defaults")
    name = str(_table(defaults, "subscription").get("name", DEFAULT_SUBSCRIPTION_NAME))
    rule = _table(defaults, "quantity")
    usual = _rule(dict(rule))
    price = _price(defaults)
    rows = root["mappings"]
    assert isinstance(rows, ItemList)  # noqa: S101 - for the type checker: the caller has checked the outline
    return tuple(
        _entry(row, name, rule, usual, price=price, source=source)
        for i, row in enumerate(rows)
        if i not in refused and isinstance(row, Table)
    )


def _entry(
    table: Table,
    subscription_name: str,
    default_rule: MappingABC[str, Any],
    usual: QuantityRule,
    *,
    price: UnitPrice | None,
    source: Source,
) -> MappingEntry:
    """`usual` is the rule of all entries that spell out none of their own."""
    listed = table["infima_clients"] if "infima_clients" in table else [table["infima_client"]]
    assert isinstance(listed, list)  # noqa: S101 - for the type checker: the schema says so
    clients = tuple(client for client in listed if isinstance(client, Table))
    refs = tuple(_client(client, source) for client in clients)
    customer: Any = table["halo_customer"]
    subscription_id: Any = table.get("subscription_id")
    mapping = Mapping(
        key=MappingKey(str(table.get("key", f"infima-{refs[0].id}"))),
        infima_clients=refs,
        halo_customer=CustomerRef(
            id=HaloCustomerId(customer["id"]), name=customer["name"], place=source.place(customer.start)
        ),
        subscription_name=subscription_name,
        subscription_id=None if subscription_id is None else SubscriptionId(subscription_id),
        quantity=_rule({**default_rule, **_table(table, "quantity")}) if "quantity" in table else usual,
        retired=bool(table.get("retired", False)),
        price=_price(table) if "price" in table else price,
        place=source.place(table.start),
    )
    return MappingEntry(mapping=mapping, table=table, clients=clients)


def _client(table: Any, source: Source) -> ClientRef:
    return ClientRef(id=InfimaClientId(table["id"]), name=table["name"], place=source.place(table.start))


def _rule(members: dict[str, Any]) -> QuantityRule:
    count = CountRule(members.pop("count", CountRule.ACTIVE_USERS))
    until = members.pop("until", None)
    return QuantityRule(count=count, until=None if until is None else parse_day(until), **members)


def _price(parent: MappingABC[str, Any]) -> UnitPrice | None:
    table = _table(parent, "price")
    return UnitPrice(amount=Decimal(table["amount"]), currency=table["currency"]) if table else None


def parse_day(text: str) -> date | None:
    """The day that `text` (year-month-day) names, None where the calendar has no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def build_ignored(root: Table, source: Source) -> tuple[tuple[IgnoredClient, Table], ...]:
    """The `ignore` list, each with its table."""
    rows: Any = root.get("ignore", [])
    return tuple(
        (
            IgnoredClient(
                client=_client(row["infima_client"], source), reason=row["reason"], place=source.place(row.start)
            ),
            row,
        )
        for row in rows
    )


def build_limits(root: Table) -> Limits:
    """`limits`, with the defaults of the model for what is not there, and `settings.currency` for amounts without."""
    members = dict(_table(root, "limits"))
    currency = _table(root, "settings").get("currency")
    for name in ("max_decrease", "max_increase"):
        default: ChangeLimit = getattr(Limits(), name)
        own = _table(members, name)
        members[name] = ChangeLimit(
            users=own.get("users", default.users),
            percent=own.get("percent", default.percent),
            amount=_money(own, currency),
        )
    for name in ("max_total_decrease", "max_total_increase"):
        members[name] = _money(_table(members, name), currency)
    return Limits(**members)


def _money(table: MappingABC[str, Any], currency: str | None) -> Money | None:
    """The amount of a limit; None where it states none. `check_consistency` sees to it that a currency is known."""
    if "amount" not in table:
        return None
    return Money(amount=Decimal(table["amount"]), currency=table.get("currency") or currency or "")


def build_settings(root: Table) -> Settings:
    """`settings`, with the defaults of the model for what is not there."""
    members = dict(_table(root, "settings"))
    if "marker_field" in members:
        members["marker_field"] = MarkerField(members["marker_field"])
    if "halo_budget" in members:
        members["halo_budget"] = RequestBudget(**members["halo_budget"])
    if "timezone" in members:
        members["timezone"] = find_zone(members["timezone"]) or UTC
    return Settings(**members)


def _table(parent: MappingABC[str, Any], name: str) -> MappingABC[str, Any]:
    """The table called `name`, an empty one where it is absent."""
    found: MappingABC[str, Any] = parent.get(name, {})
    return found
