"""Past nights through other mappings or limits: what would have been billed, held, refused. Pure.

Each recorded night is planned again by the very code that plans tonight: its counts stand in an observation of made-up
ids, the quantities are those that the replay itself has written so far. What the history does not hold (names, missing
clients, people's edits in HaloPSA) cannot be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.history.endings import is_whole
from reconciler.history.timeline import Timeline
from reconciler.model import (
    Binding,
    BindingOrigin,
    HaloCustomer,
    InfimaClient,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    Recorded,
    Subscription,
    SubscriptionId,
    Tenant,
    UnitPrice,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import Plan
from reconciler.safety.check import check
from reconciler.state.history import PastRun

_TENANT = Tenant(halo_url="https://replay.example", infima_partner="replay")
_FIRST_ID = 1_000_000_000
"""Made-up Subscription ids count up from here: far from any that a mappings file names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night of the replay. `recorded` and `replayed` are sums of quantities, over the same mappings."""

    run: PastRun
    recorded: int
    replayed: int
    written: int
    held: tuple[tuple[MappingKey, str], ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedMapping:
    """One mapping at the end of the replay; quantities are None where there is no Subscription."""

    mapping: Mapping
    recorded: int | None
    replayed: int | None
    nights_held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """The replay. `unrecorded` are the mappings of which the history has no count."""

    nights: tuple[Night, ...]
    outcomes: tuple[ReplayedMapping, ...]
    unrecorded: tuple[MappingKey, ...]


@dataclass(slots=True, kw_only=True)
class _Replay:
    """The quantities that the replay has written, and the counts that they came from."""

    mappings: Mappings
    timeline: Timeline
    quantities: dict[MappingKey, int]
    confirmed: dict[MappingKey, int]

    def night(self, run: PastRun) -> tuple[Plan, list[Mapping]]:
        """Plan one night, and perform what its rules permit."""
        counts = {m.key: self._count(m, run.verdict.finished_at) for m in self.mappings.mappings}
        known = [m for m in self.mappings.mappings if counts[m.key] is not None]
        tonight = replace(self.mappings, mappings=tuple(known))
        numbers = {m.key: SubscriptionId(m.subscription_id or _FIRST_ID + i) for i, m in enumerate(known)}
        observation = _observation(known, counts, self.quantities, numbers, run.info.started_at)
        plan = check(diff(tonight, observation, self._recorded(known, numbers, run.info.started_at)), tonight.limits)
        for change in () if plan.refused else plan.changes:
            if change.hold is None and change.after.count is not None:
                self.quantities[change.key] = change.after.count
                self.confirmed[change.key] = counts[change.key] or 0
        return plan, known

    def _count(self, mapping: Mapping, at: datetime) -> int | None:
        point = self.timeline.at(mapping.key, at)
        if point is None:
            return None
        return point.counted if mapping.counts_users else point.counted or 0

    def _recorded(self, known: Sequence[Mapping], numbers: dict[MappingKey, SubscriptionId], at: datetime) -> Recorded:
        bound = {
            m.key: Binding(
                key=m.key,
                subscription_id=numbers[m.key],
                customer_id=m.halo_customer.id,
                origin=BindingOrigin.MARKER,
                bound_at=at,
                last_counted=self.confirmed.get(m.key),
            )
            for m in known
            if m.key in self.quantities
        }
        return Recorded(tenant=_TENANT, bindings=bound)


def backtest(
    mappings: Mappings,
    runs: Sequence[PastRun],
    timeline: Timeline,
    *,
    since: datetime,
    prices: MappingABC[MappingKey, UnitPrice] | None = None,
) -> Backtest:
    """Replay every complete night from `since` on. It begins with what was billed before the first of them.

    Limits given as amounts use the price of the mapping, else the newest that runs have read (`prices`).
    """
    priced = (m if m.price or not prices else replace(m, price=prices.get(m.key)) for m in mappings.mappings)
    mappings = replace(mappings, mappings=tuple(priced))
    nights = [run for run in runs if run.verdict.finished_at >= since and is_whole(run)]
    replay = _Replay(mappings=mappings, timeline=timeline, quantities={}, confirmed={})
    if nights:
        _begin(replay, nights[0].info.started_at)
    made, held = [], dict.fromkeys((m.key for m in mappings.mappings), 0)
    seen: set[MappingKey] = set()
    for run in nights:
        plan, known = replay.night(run)
        seen |= {m.key for m in known}
        for change in plan.held:
            held[change.key] += 1
        made.append(_night(run, plan, replay, known))
    end = nights[-1].verdict.finished_at if nights else since
    return Backtest(
        nights=tuple(made),
        outcomes=tuple(
            ReplayedMapping(
                mapping=m,
                recorded=_quantity(timeline, m.key, end),
                replayed=replay.quantities.get(m.key),
                nights_held=held[m.key],
            )
            for m in mappings.mappings
            if m.key in seen
        ),
        unrecorded=tuple(m.key for m in mappings.mappings if m.key not in seen),
    )


def _begin(replay: _Replay, at: datetime) -> None:
    for mapping in replay.mappings.mappings:
        point = replay.timeline.at(mapping.key, at)
        if point is not None and point.quantity is not None:
            replay.quantities[mapping.key] = point.quantity
            if point.counted is not None:
                replay.confirmed[mapping.key] = point.counted


def _night(run: PastRun, plan: Plan, replay: _Replay, known: Sequence[Mapping]) -> Night:
    at = run.verdict.finished_at
    return Night(
        run=run,
        recorded=sum(_quantity(replay.timeline, m.key, at) or 0 for m in known),
        replayed=sum(replay.quantities.get(m.key, 0) for m in known),
        written=len(plan.writes),
        held=tuple((c.key, str(c.hold.rule)) for c in plan.changes if c.hold is not None),
        refused=tuple(str(violation.rule) for violation in plan.refusals),
    )


def _quantity(timeline: Timeline, key: MappingKey, at: datetime) -> int | None:
    point = timeline.at(key, at)
    return point.quantity if point else None


def _observation(
    known: Sequence[Mapping],
    counts: dict[MappingKey, int | None],
    quantities: dict[MappingKey, int],
    numbers: dict[MappingKey, SubscriptionId],
    at: datetime,
) -> Observation:
    """A world in which the recorded counts are read. A mapping's whole count stands with its first client."""
    users = {
        client.id: (client.name, (counts[m.key] or 0) if client is m.infima_clients[0] else 0)
        for m in known
        for client in m.infima_clients
    }
    return Observation(
        taken_at=at,
        tenant=_TENANT,
        clients=tuple(InfimaClient(id=number, name=name, user_count=n) for number, (name, n) in users.items()),
        user_counts=tuple(UserCount(client_id=number, active=n, listed=n) for number, (_, n) in users.items()),
        customers=tuple(
            {m.halo_customer.id: HaloCustomer(id=m.halo_customer.id, name=m.halo_customer.name) for m in known}.values()
        ),
        subscriptions=tuple(
            Subscription(
                id=numbers[m.key],
                customer_id=m.halo_customer.id,
                name=m.subscription_name,
                count=quantities[m.key],
            )
            for m in known
            if m.key in quantities
        ),
    )
