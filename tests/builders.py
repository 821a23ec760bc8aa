"""Short ways to make the values that tests are about: everything that a test does not name has a plausible default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import (
    ClientRef,
    CountRule,
    CustomerRef,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    Place,
    QuantityRule,
    Subscription,
    SubscriptionId,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.planning.changes import (
    Action,
    ActionReason,
    Change,
    CountedClient,
    Hold,
    Plan,
    SubscriptionState,
    Violation,
)
from reconciler.planning.observation import RunContext
from reconciler.planning.quantity import Quantity
from reconciler.planning.rules import Rule
from tests.clock import VirtualClock
from tests.quiet import ignore_events

NOW = datetime(2026, 11, 22, 5, 17, 3, tzinfo=UTC)
TENANT = Tenant(halo_url="https://halo.acme.example", infima_partner="Acme MSP")
TEMPLATE = "INFIMA Security Awareness Training"


def build_mapping(
    client: int = 101,
    customer: int = 12,
    *,
    name: str = "Acme Dental",
    customer_name: str | None = None,
    key: str | None = None,
    rule: QuantityRule | None = None,
    line: int = 10,
    subscription_id: int | None = None,
    subscription_name: str = TEMPLATE,
    retired: bool = False,
    more_clients: Iterable[tuple[int, str]] = (),
) -> Mapping:
    """One client to one customer; `more_clients` are further (id, name) pairs."""
    clients = [(client, name), *more_clients]
    return Mapping(
        key=MappingKey(key if key is not None else f"infima-{client}"),
        infima_clients=tuple(ClientRef(id=InfimaClientId(number), name=text) for number, text in clients),
        halo_customer=CustomerRef(
            id=HaloCustomerId(customer), name=customer_name if customer_name is not None else name
        ),
        subscription_name=subscription_name,
        quantity=rule if rule is not None else QuantityRule(),
        place=Place(file="mappings.yaml", line=line, column=5),
        subscription_id=None if subscription_id is None else SubscriptionId(subscription_id),
        retired=retired,
    )


def build_mappings(*mappings: Mapping) -> Mappings:
    """A loaded mappings.yaml with default limits and settings."""
    return Mappings(mappings=mappings, sha256="ab" * 32)


@dataclass(frozen=True, kw_only=True)
class FakeSystems:
    """Two fakes in the place of the connected systems."""

    source: Any = None
    target: Any = None
    halo_url: str = TENANT.halo_url
    restart_time: Any = bool
    clock_ahead: Any = lambda: None


def build_context(source: Any = None, target: Any = None, **members: Any) -> RunContext:
    """A run on two fakes; nothing of it has to be real."""
    usual: dict[str, Any] = {
        "mappings": build_mappings(), "store": None, "clock": VirtualClock(), "observe": ignore_events, "stop": bool,
        "nonce": str,
    }  # fmt: skip
    return RunContext(systems=FakeSystems(source=source, target=target), **(usual | members))


def build_subscription(
    number: int = 9001,
    customer: int | None = 12,
    count: int | None = 12,
    *,
    name: str = TEMPLATE,
    marker: str | None = None,
    is_active: bool = True,
    deleted: bool = False,
) -> Subscription:
    """A live Subscription as a listing gives it."""
    return Subscription(
        id=SubscriptionId(number),
        customer_id=None if customer is None else HaloCustomerId(customer),
        name=name,
        count=count,
        marker=marker,
        is_active=is_active,
        deleted=deleted,
    )


def build_observation(
    *,
    clients: Iterable[InfimaClient] = (),
    counts: Iterable[UserCount | UnreadableUsers] = (),
    customers: Iterable[HaloCustomer] = (),
    subscriptions: Iterable[Subscription] = (),
    tenant: Tenant = TENANT,
    taken_at: datetime = NOW,
) -> Observation:
    """A complete read of both systems."""
    return Observation(
        taken_at=taken_at,
        tenant=tenant,
        clients=tuple(clients),
        user_counts=tuple(counts),
        customers=tuple(customers),
        subscriptions=tuple(subscriptions),
    )


def build_change(
    mapping: Mapping | None = None,
    *,
    before: int | None = 12,
    after: int | None = 15,
    subscription: int | None = 9001,
    action: Action | None = None,
    reason: ActionReason | None = None,
    counted: int | None = None,
    rule: str = CountRule.ACTIVE_USERS,
    hold: Hold | None = None,
    caused_by: str | None = None,
) -> Change:
    """An update from `before` to `after`, a create without `subscription`, a no-op where the two counts agree."""
    mapping = mapping if mapping is not None else build_mapping()
    if action is None:
        action = Action.CREATE if subscription is None else Action.NO_OP if before == after else Action.UPDATE
    reasons = {
        Action.CREATE: ActionReason.NEW_MAPPING,
        Action.UPDATE: ActionReason.COUNT_CHANGED,
        Action.NO_OP: ActionReason.UNKNOWN_COUNT if after is None else ActionReason.IN_STEP,
    }
    number = None if subscription is None else SubscriptionId(subscription)
    customer = mapping.halo_customer

    def state(count: int | None) -> SubscriptionState:
        return SubscriptionState(id=number, count=count, customer_id=customer.id, name=mapping.subscription_name)

    counted = after if counted is None else counted
    alone = len(mapping.infima_clients) == 1
    return Change(
        mapping=mapping,
        action=action,
        reason=reason if reason is not None else reasons[action],
        before=None if number is None else state(before),
        after=state(after),
        customer=customer,
        clients=tuple(
            CountedClient(id=client.id, name=client.name, active_users=counted if alone else None, user_count=None)
            for client in mapping.infima_clients
        ),
        quantity=Quantity(counted=counted, rule=str(rule), result=after),
        hold=hold,
        caused_by=caused_by,
    )


def build_hold(rule: Rule = Rule.ZERO, message: str = "the count fell to 0", remedy: str = "Ask the client.") -> Hold:
    """A hold as `safety.check` sets it."""
    return Hold(rule=rule, message=message, remedy=remedy)


def build_violation(hold: Hold, key: str, *, measured: int | None = None, limit: int | None = None) -> Violation:
    """The violation that belongs to a hold."""
    return Violation(rule=hold.rule, name=key, message=hold.message, remedy=hold.remedy, measured=measured, limit=limit)


def build_plan(*changes: Change, **other: object) -> Plan:
    """A plan over these changes, sorted by key as `diff` leaves them; `other` are further fields of `Plan`."""
    fields: dict[str, object] = {"taken_at": NOW, "tenant": TENANT, "mappings_sha256": "ab" * 32} | other
    return Plan(changes=tuple(sorted(changes, key=lambda change: change.key)), **fields)  # type: ignore[arg-type]
