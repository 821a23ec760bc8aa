"""The second check: what a schema cannot say, because it needs two entries, two numbers, or today's date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, timedelta, tzinfo
from typing import Any

from reconciler.config.building import MappingEntry, parse_day
from reconciler.config.checking import closest_word
from reconciler.config.reading import Table
from reconciler.config.source import Problems, quoted
from reconciler.model import IgnoredClient
from reconciler.moments import find_zone
from reconciler.names import same_name

ENDS_SOON = timedelta(days=30)
"""From so long before its last day on, a `fixed` that ends is told: what follows has to be agreed."""

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

Ignored = tuple[tuple[IgnoredClient, Table], ...]


def check_consistency(entries: tuple[MappingEntry, ...], ignored: Ignored, problems: Problems, *, today: date) -> None:
    """Record every contradiction between and within the entries that the schema accepts."""
    _check_keys(entries, problems)
    _check_clients(entries, problems)
    _check_subscription_ids(entries, problems)
    for entry in entries:
        _check_numbers(entry, problems)
    _check_names(entries, problems)
    _check_shared_customers(entries, problems)
    for entry in entries:
        _check_until(entry, problems, today=today)
    _check_ignored(entries, ignored, problems)


def check_amount_limits(root: Table, problems: Problems) -> None:
    """Record each limit that is an amount of no known currency: nothing could be compared with it."""
    if "currency" in root.inner("settings"):
        return
    for name in ("max_decrease", "max_increase", "max_total_decrease", "max_total_increase"):
        limit = root.inner("limits").inner(name)
        if "amount" in limit and "currency" not in limit:
            hint = "add `currency: EUR` beside it, or `settings: {currency: EUR}` for the whole file"
            problems.error(limit.spans["amount"][0], f"the amount of {name} has no currency", hint)


def time_zone(root: Table, problems: Problems) -> tzinfo:
    """The zone of `settings.timezone`, UTC where there is none; records a name that the database does not have."""
    settings = root.inner("settings")
    name = settings.get("timezone")
    if not isinstance(name, str) or problems.within(settings.start, settings.end):
        return UTC
    zone = find_zone(name)
    if zone is None:
        at = settings.spans["timezone"][1]
        problems.error(at, f"timezone: {quoted(name)} is not known", "write, for example, `timezone: Europe/London`")
    return zone or UTC


def _check_keys(entries: tuple[MappingEntry, ...], problems: Problems) -> None:
    first: dict[str, MappingEntry] = {}
    folded: dict[str, MappingEntry] = {}
    for entry in entries:
        key = entry.mapping.key
        twin = first.setdefault(key, entry)
        namesake = folded.setdefault(key.casefold(), entry)
        if twin is not entry:
            problems.error(
                _key_at(entry),
                f"key {quoted(key)} is taken by the mapping on {problems.line(_key_at(twin))}",
                "give this mapping its own `key`: one key is one Subscription for ever",
            )
        elif namesake is not entry:
            other, line = quoted(namesake.mapping.key), problems.line(_key_at(namesake))
            problems.warning(
                _key_at(entry),
                f"key {quoted(key)} differs from {other} on {line} only in case",
                "choose keys that people cannot confuse",
            )


def _key_at(entry: MappingEntry) -> int:
    """Where the key stands; a default key is made from the client's id."""
    return entry.at("key") if "key" in entry.table else entry.clients[0].spans["id"][1]


def _check_clients(entries: tuple[MappingEntry, ...], problems: Problems) -> None:
    first: dict[int, int] = {}
    for entry in entries:
        own: dict[int, int] = {}
        for ref, table in zip(entry.mapping.infima_clients, entry.clients, strict=True):
            at = table.spans["id"][1]
            if ref.id in own:
                message = f"INFIMA client {ref.id} is in this mapping twice, first on {problems.line(own[ref.id])}"
                problems.error(at, message, "delete one of the two: its users would be billed twice")
            elif ref.id in first and not entry.mapping.retired:
                problems.error(
                    at,
                    f"INFIMA client {ref.id} is mapped already on {problems.line(first[ref.id])}",
                    "map it once: its users would be billed twice (a mapping with `retired: true` does not count)",
                )
            own.setdefault(ref.id, at)
        if not entry.mapping.retired:
            for client_id, at in own.items():
                first.setdefault(client_id, at)


def _check_subscription_ids(entries: tuple[MappingEntry, ...], problems: Problems) -> None:
    first: dict[int, int] = {}
    for entry in entries:
        subscription_id = entry.mapping.subscription_id
        if subscription_id is None:
            continue
        at = entry.at("subscription_id")
        if subscription_id in first:
            problems.error(
                at,
                f"Subscription {subscription_id} is taken by the mapping on {problems.line(first[subscription_id])}",
                "one Subscription belongs to one mapping; to add clients up use `infima_clients`",
            )
        first.setdefault(subscription_id, at)


def _check_numbers(entry: MappingEntry, problems: Problems) -> None:
    rule, own = entry.mapping.quantity, entry.own_rule
    if not own:
        return
    if rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
        at = entry.at("quantity", "minimum" if "minimum" in own else "maximum")
        message = f"minimum {rule.minimum} is above maximum {rule.maximum}"
        hint = "swap or correct them" if "minimum" in own else "the minimum comes from `defaults`: set one here"
        problems.error(at, message, hint)
    if rule.fixed is not None:
        _check_fixed(entry, rule.fixed, own, problems)


def _check_fixed(entry: MappingEntry, fixed: int, own: Table, problems: Problems) -> None:
    """Only the entry's own members can contradict its fixed number: defaults are for counted quantities."""
    minimum, maximum = own.get("minimum"), own.get("maximum")
    at = entry.at("quantity", "fixed")
    if isinstance(minimum, int) and fixed < minimum:
        problems.error(at, f"fixed {fixed} is below minimum {minimum}", "correct one of the two, or delete minimum")
    elif isinstance(maximum, int) and fixed > maximum:
        problems.error(at, f"fixed {fixed} is above maximum {maximum}", "correct one of the two, or delete maximum")
    for name in ("count", "included", "minimum", "maximum", "allow_zero"):
        if name in own:
            hint = "delete it, or delete fixed"
            problems.warning(own.spans[name][0], f"{name} has no effect beside fixed", hint)


def _check_until(entry: MappingEntry, problems: Problems, *, today: date) -> None:
    own = entry.own_rule
    if "until" not in own:
        return
    until, at = entry.mapping.quantity.until, entry.at("quantity", "until")
    key = quoted(entry.mapping.key)
    if until is None:
        problems.error(at, f"until: {quoted(own['until'])} is not a day of the calendar", "correct the day")
    elif entry.mapping.retired:
        return  # its quantity is 0, whatever was agreed before
    elif today > until:
        problems.warning(
            at,
            f"the fixed quantity of {key} ended: it held until {until}, and the mapping is held since",
            "agree on what follows: set a later `until`, or delete `fixed`, `reason` and `until`",
        )
    elif until - today <= ENDS_SOON:
        problems.warning(
            at,
            f"the fixed quantity of {key} holds until {until}; after that day the mapping is held",
            "agree in time on what follows",
        )


def _check_names(entries: tuple[MappingEntry, ...], problems: Problems) -> None:
    """Warn of names that cannot be what the two systems show."""
    clients: dict[Any, Table] = {}
    customers: dict[Any, Table] = {}
    for entry in entries:
        for table in entry.clients:
            _check_name(table, clients, "INFIMA client", problems)
        customer: Any = entry.table["halo_customer"]
        _check_name(customer, customers, "HaloPSA customer", problems)


def _check_name(table: Table, first: dict[Any, Table], whose: str, problems: Problems) -> None:
    name: Any = table["name"]
    if name[0].isspace() or name[-1].isspace():
        hint = "delete the space"
        problems.warning(table.spans["name"][1], f"the name {quoted(name)} begins or ends with a space", hint)
    twin = first.setdefault(table["id"], table)
    other: Any = twin["name"]
    if other != name and not same_name(other, name):
        line = problems.line(twin.spans["name"][1])
        problems.warning(
            table.spans["name"][1],
            f"{whose} {table['id']} is called {quoted(name)} here and {quoted(other)} on {line}",
            "check both ids: one of them may be mistyped",
        )


def _check_shared_customers(entries: tuple[MappingEntry, ...], problems: Problems) -> None:
    """New Subscriptions of one customer get one name, so that people and invoices cannot tell them apart."""
    first: dict[tuple[int, str], MappingEntry] = {}
    for entry in entries:
        mapping = entry.mapping
        if mapping.subscription_id is not None or mapping.retired:
            continue
        twin = first.setdefault((mapping.halo_customer.id, mapping.subscription_name), entry)
        if twin is not entry:
            problems.warning(
                entry.at("halo_customer", "id"),
                f"HaloPSA customer {mapping.halo_customer.id} has another mapping on "
                f"{problems.line(twin.at('halo_customer', 'id'))}, and both Subscriptions get the same name",
                "use `infima_clients` to bill them as one, or adopt existing ones with `subscription_id`",
            )


def _check_ignored(entries: Iterable[MappingEntry], ignored: Ignored, problems: Problems) -> None:
    mapped = {
        ref.id: table.spans["id"][1]
        for entry in entries
        if not entry.mapping.retired
        for ref, table in zip(entry.mapping.infima_clients, entry.clients, strict=True)
    }
    first: dict[int, int] = {}
    for item, table in ignored:
        client: Any = table["infima_client"]
        at, client_id = client.spans["id"][1], item.client.id
        if client_id in first:
            message = f"INFIMA client {client_id} is ignored already on {problems.line(first[client_id])}"
            problems.error(at, message, "delete one of the two")
        elif client_id in mapped:
            message = f"INFIMA client {client_id} is ignored here and mapped on {problems.line(mapped[client_id])}"
            problems.error(at, message, "either it is billed or it is not: delete one of the two")
        first.setdefault(client_id, at)


def check_approvals(
    approvals: Iterable[Table], mappings: tuple[MappingEntry, ...], problems: Problems, *, today: date
) -> None:
    """Record what an approval cannot say, and two for one thing. An approval whose day has passed is no problem.

    `mappings` are empty where not all of them could be read: then no key is looked for.
    """
    keys = [str(entry.mapping.key) for entry in mappings]
    first: dict[tuple[object, object], Table] = {}
    for table in approvals:
        rule = str(table["rule"])
        if rule in RUN_RULES:
            _check_run_rule(table, rule, problems)
        else:
            _check_mapping_rule(table, rule, keys, problems)
        _check_day(table, problems, today=today)
        twin = first.setdefault((rule, table.get("key")), table)
        if twin is not table:
            whose = f" of {quoted(table['key'])}" if "key" in table else ""
            message = f"{rule}{whose} is approved already on {problems.line(twin.start)}"
            problems.error(table.start, message, "keep one of the two")


def _check_run_rule(table: Table, rule: str, problems: Problems) -> None:
    for name in ("key", "quantity"):
        if name in table:
            hint = f"delete {name}; up_to says {RUN_RULES[rule]}"
            problems.error(table.spans[name][0], f"{rule} is about the whole run and takes no {name}", hint)
    if "up_to" not in table:
        hint = f"add, for example, `up_to: 40`: {RUN_RULES[rule]}"
        problems.error(table.start, f"the approval of {rule} says no up_to", hint)


def _check_mapping_rule(table: Table, rule: str, keys: list[str], problems: Problems) -> None:
    if "up_to" in table:
        hint = "write `quantity: {from: 12, to: 20}` with the quantities that are approved"
        problems.error(table.spans["up_to"][0], f"{rule} is about one mapping and takes no up_to", hint)
    if "key" not in table:
        hint = "add the `key` of the mapping, for example `key: infima-102`"
        problems.error(table.start, f"the approval of {rule} names no mapping", hint)
    elif keys and table["key"] not in keys:
        near = closest_word(str(table["key"]), keys)
        hint = f"did you mean {near[0]}?" if near else "`reconciler status` lists the keys"
        problems.error(table.spans["key"][1], f"no mapping has the key {quoted(table['key'])}", hint)
    bounds: Any = table.get("quantity")
    if bounds is None and rule in BOUNDED_RULES:
        hint = "add, for example, `quantity: {from: 12, to: 20}`: the new quantity may be anything in there"
        problems.error(table.start, f"the approval of {rule} has no bounds", hint)
    elif bounds is not None and bounds["from"] > bounds["to"]:
        lowest, highest = bounds["from"], bounds["to"]
        hint = f"write `quantity: {{from: {highest}, to: {lowest}}}`"
        problems.error(table.spans["quantity"][1], f"from {lowest} is above to {highest}", hint)


def _check_day(table: Table, problems: Problems, *, today: date) -> None:
    until, at = parse_day(str(table["until"])), table.spans["until"][1]
    latest = today + timedelta(days=DAYS_AHEAD)
    if until is None:
        problems.error(at, f"until: {quoted(table['until'])} is not a day of the calendar", "correct the day")
    elif until > latest:
        hint = f"write {latest.isoformat()} or an earlier day; what holds for longer belongs into the mapping itself"
        problems.error(at, f"until {until} is more than {DAYS_AHEAD} days ahead", hint)
