"""What the tests of plan, safety and apply share: recorded state, and live sides that fit a mapping."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from reconciler.model import (
    CountRule,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    RunId,
    Subscription,
    SubscriptionId,
    UnreadableUsers,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import Change, Plan
from reconciler.planning.identity import Identity, identify
from reconciler.planning.index import index_subscriptions
from reconciler.state.base import HistoryChange, RunInfo, RunVerdict
from reconciler.state.recorded import Attempt, Binding, BindingOrigin, Recorded
from tests.builders import NOW, TEMPLATE, build_mappings, build_observation

KEY = MappingKey("infima-101")
SETTLE = timedelta(hours=20)


def build_binding(
    subscription: int = 9001,
    key: str = KEY,
    *,
    customer: int = 12,
    origin: BindingOrigin = BindingOrigin.CREATED,
    awaiting: bool = False,
    last_counted: int | None = None,
    at: datetime = NOW - timedelta(days=3),
) -> Binding:
    """A recorded pair of key and Subscription."""
    return Binding(
        key=MappingKey(key),
        subscription_id=SubscriptionId(subscription),
        customer_id=HaloCustomerId(customer),
        origin=origin,
        bound_at=at,
        awaiting_first_count=awaiting,
        last_counted=last_counted,
    )


def build_attempt(
    key: str = KEY,
    *,
    age: timedelta = timedelta(hours=1),
    generation: int = 1,
    nonce: str = "old",
    now: datetime = NOW,
    run: str = "earlier",
    customer: int = 12,
    named: int | None = None,
) -> Attempt:
    """A create that was sent `age` ago and whose outcome is not known."""
    return Attempt(
        key=MappingKey(key),
        generation=generation,
        run=RunId(run),
        nonce=nonce,
        customer_id=HaloCustomerId(customer),
        subscription_name=TEMPLATE,
        recorded_at=now - age,
        named_id=None if named is None else SubscriptionId(named),
    )


def build_recorded(
    *bindings: Binding,
    attempts: Iterable[Attempt] = (),
    given_up: dict[str, tuple[int, ...]] | None = None,
    **more: Any,
) -> Recorded:
    """What the state says; `given_up` maps keys to ids."""
    return Recorded(
        bindings={b.key: b for b in bindings},
        attempts={a.key: a for a in attempts},
        given_up={MappingKey(k): tuple(SubscriptionId(n) for n in ids) for k, ids in (given_up or {}).items()},
        **more,
    )


def build_line(
    before: int | None = 12,
    after: int | None = 15,
    *,
    key: str = KEY,
    subscription: int | None = None,
    action: str = "update",
    counted: int | None = None,
    rule: str = "active_users",
    outcome: str = "applied",
    **more: Any,
) -> HistoryChange:
    """One mapping's line in the record of a run; the count is the new quantity unless told otherwise."""
    return HistoryChange(
        key=MappingKey(key),
        subscription_id=None if subscription is None else SubscriptionId(subscription),
        action=action,
        before=before,
        after=after,
        counted=after if counted is None else counted,
        rule=rule,
        outcome=outcome,
        **more,
    )


def build_info(run: str = "r1", at: datetime = NOW, *, command: str = "apply", **more: Any) -> RunInfo:
    """A run as it announces itself."""
    return RunInfo(id=RunId(run), command=command, started_at=at, **more)


def build_verdict(
    run: str = "r1",
    at: datetime = NOW,
    *changes: HistoryChange,
    exit_code: int = 0,
    users: tuple[int, int] = (0, 0),
    snapshot: dict[str, int] | None = None,
    **more: Any,
) -> RunVerdict:
    """How it ended, with what stood billed before and after."""
    return RunVerdict(
        run=RunId(run), finished_at=at, exit_code=exit_code, users_before=users[0], users_after=users[1],
        changes=changes, snapshot={MappingKey(key): count for key, count in (snapshot or {}).items()},
        **{"sentence": f"Run {run} is over."} | more,
    )  # fmt: skip


def build_client(number: int = 101, name: str = "Acme Dental", *, user_count: int | None = None) -> InfimaClient:
    """A row of INFIMA's list."""
    return InfimaClient(id=InfimaClientId(number), name=name, user_count=user_count)


def build_customer(number: int = 12, name: str = "Acme Dental", *, inactive: bool = False) -> HaloCustomer:
    """A row of Halo's customers."""
    return HaloCustomer(id=HaloCustomerId(number), name=name, inactive=inactive)


def build_count(number: int = 101, active: int = 15, listed: int | None = None) -> UserCount:
    """A complete read of one client's users."""
    return UserCount(client_id=InfimaClientId(number), active=active, listed=active if listed is None else listed)


def unreadable(number: int = 101, reason: str = "page 2 was refused") -> UnreadableUsers:
    """A client whose users could not be read."""
    return UnreadableUsers(client_id=InfimaClientId(number), reason=reason)


def fitting(mapping: Mapping, active: int = 15) -> dict[str, tuple[Any, ...]]:
    """Clients, counts and the customer, all named as the mapping names them; each client has that many users."""
    clients = mapping.infima_clients
    record = mapping.quantity.count is CountRule.CLIENT_RECORD
    return {
        "clients": tuple(build_client(c.id, c.name, user_count=active if record else None) for c in clients),
        "counts": () if record else tuple(build_count(c.id, active) for c in clients),
        "customers": (build_customer(mapping.halo_customer.id, mapping.halo_customer.name),),
    }


def observe_fitting(mapping: Mapping, active: int = 15, *subscriptions: Subscription, **instead: Any) -> Observation:
    """A read in which nothing is doubtful; `instead` replaces one of its parts."""
    return build_observation(**(fitting(mapping, active) | {"subscriptions": subscriptions} | instead))


def plan_for(
    mapping: Mapping,
    active: int = 15,
    *subscriptions: Subscription,
    recorded: Recorded | None = None,
    **instead: Any,
) -> Plan:
    """`diff` for one mapping in a world that fits it."""
    observation = observe_fitting(mapping, active, *subscriptions, **instead)
    return diff(build_mappings(mapping), observation, recorded or Recorded())


def change_for(mapping: Mapping, active: int = 15, *subscriptions: Subscription, **more: Any) -> Change:
    """The one change of that plan."""
    [change] = plan_for(mapping, active, *subscriptions, **more).changes
    return change


def identity_of(
    mapping: Mapping, *subscriptions: Subscription, recorded: Recorded | None = None, others: Iterable[Mapping] = ()
) -> Identity:
    """Whose Subscription it is, among these and beside these other mappings."""
    recorded = recorded or Recorded()
    index = index_subscriptions(subscriptions, [mapping, *others], recorded)
    return identify(mapping, index, recorded, now=NOW, settle=SETTLE)


def plan_of(mappings: Mappings, observation: Observation, recorded: Recorded | None = None) -> Plan:
    """`diff` with an empty state unless one is given."""
    return diff(mappings, observation, recorded or Recorded())
