"""Past nights planned again with other mappings or limits: what would have been written, held, refused. Pure.

Each recorded night is planned again by the very code that plans tonight: its counts stand in an observation of made-up
ids. Quantities are those that the replay itself has written so far, but what people and other runs moved between two
nights moves in the replay too. What stopped a mapping for another cause than its numbers (a client that was missing, a
doubt about its Subscription) is taken from the record, and so are the rules that a person lifted. What an approval let
through is judged by the file's approval, and taken from the record where the file has none any more: they are deleted
after their day. So the unchanged file gives what those nights did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.history.account import after_and_wanted, is_whole
from reconciler.history.spans import UNNAMED, Subject, looks_of_run
from reconciler.model import (
    HaloCustomer,
    InfimaClient,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    Shown,
    Subscription,
    SubscriptionId,
    Tenant,
    UnitPrice,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import CAME_RIGHT, Action, Change, Outcome, Plan, Violation
from reconciler.planning.rules import Allowance, Doubt, Level, Rule
from reconciler.safety.check import check
from reconciler.state.base import ALLOW, HistoryChange, Lifted
from reconciler.state.history import PastRun
from reconciler.state.recorded import Binding, BindingOrigin, CountedNight, Recorded

REPLAYED = frozenset(
    {Rule.SOURCE_DROPPED, Rule.MANY_CREATES, Rule.AMOUNTS_DROP, Rule.AMOUNTS_RISE, Rule.ZERO, Rule.DECREASE}
    | {Rule.INCREASE, Rule.AMOUNT_DECREASE, Rule.AMOUNT_INCREASE, Rule.FALLING, Rule.CONTRACT_EXPIRED}
)
"""Rules that depend on numbers and the file alone. For the others the record says where they stopped something."""

TENANT = Tenant(halo_url="https://replay.example", infima_partner="replay")
_FIRST_ID = 1_000_000_000
"""Made-up Subscription ids count up from here: far from any that a mappings file names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night of the replay. `recorded` and `replayed` are the users after it, over the same mappings."""

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
    """The replay. `unrecorded` are the mappings of which the history tells nothing."""

    nights: tuple[Night, ...]
    outcomes: tuple[ReplayedMapping, ...]
    unrecorded: tuple[MappingKey, ...]


def backtest(
    mappings: Mappings,
    runs: Sequence[PastRun],
    *,
    since: datetime,
    prices: MappingABC[MappingKey, UnitPrice] | None = None,
) -> Backtest:
    """Replay every complete night from `since` on. It begins with what stood before the first of them.

    Limits given as amounts use the price of the mapping, else the newest that runs have read (`prices`).
    """
    priced = tuple(m if m.price or not prices else replace(m, price=prices.get(m.key)) for m in mappings.mappings)
    replay = _Replay(
        mappings=replace(mappings, mappings=priced),
        ids={m.key: SubscriptionId(_FIRST_ID + place) for place, m in enumerate(priced)},
    )
    made = []
    for run in runs:
        if run.verdict.decision:
            continue
        start, end = replay.record.follow(run)
        if run.verdict.finished_at >= since and is_whole(run) and start is not None:
            made.append(replay.night(run, start, end))
        replay.record.remember(run)
    return Backtest(
        nights=tuple(made),
        outcomes=tuple(
            ReplayedMapping(
                mapping=m,
                recorded=replay.left.get(m.key),
                replayed=replay.quantities.get(m.key),
                nights_held=replay.held[m.key],
            )
            for m in mappings.mappings
            if m.key in replay.seen
        ),
        unrecorded=tuple(m.key for m in mappings.mappings if m.key not in replay.seen),
    )


@dataclass(slots=True, kw_only=True)
class _Record:
    """What the records tell up to a run: the quantity of each key, and the count that its quantity came from."""

    rows: dict[Subject, Shown] = field(default_factory=dict)
    confirmed: dict[MappingKey, int] = field(default_factory=dict)
    awaiting: set[MappingKey] = field(default_factory=set)
    old_keys: set[MappingKey] = field(default_factory=set)

    def follow(self, run: PastRun) -> tuple[dict[MappingKey, int] | None, dict[MappingKey, int]]:
        """The quantities that the run found, None where it saw none, and those that it left."""
        start = None
        for look in looks_of_run(run, self.old_keys):
            for row in look.rows:
                self.rows[row.key if row.subscription_id == UNNAMED else row.subscription_id] = row
            start = self._quantities() if start is None else start
        return start, self._quantities()

    def _quantities(self) -> dict[MappingKey, int]:
        found: Counter[MappingKey] = Counter()
        for row in self.rows.values():
            if row.managed and row.quantity is not None:
                found[row.key] += row.quantity
        return found

    def remember(self, run: PastRun) -> None:
        """Take in what the run confirmed."""
        for change in run.verdict.changes:
            if change.outcome in CAME_RIGHT:
                self.awaiting.discard(change.key)
                if change.counted is not None:
                    self.confirmed[change.key] = change.counted
            elif change.action == Action.CREATE and change.subscription_id is not None:
                self.awaiting.add(change.key)


@dataclass(slots=True, kw_only=True)
class _Replay:
    """The quantities that the replay has written, and the counts that they came from.

    `ids` are made up, one for each mapping. `left` are the recorded quantities after the last night that was replayed.
    """

    mappings: Mappings
    ids: MappingABC[MappingKey, SubscriptionId]
    record: _Record = field(default_factory=_Record)
    quantities: dict[MappingKey, int] = field(default_factory=dict)
    confirmed: dict[MappingKey, int] = field(default_factory=dict)
    falls: dict[MappingKey, tuple[CountedNight, ...]] = field(default_factory=dict)
    left: dict[MappingKey, int] = field(default_factory=dict)
    held: Counter[MappingKey] = field(default_factory=Counter)
    seen: set[MappingKey] = field(default_factory=set)
    begun: bool = False

    def night(self, run: PastRun, start: dict[MappingKey, int], end: dict[MappingKey, int]) -> Night:
        """Plan one night, and perform what its rules let through."""
        self._meet(start)
        told = {change.key: change for change in run.verdict.changes}
        known = [m for m in self.mappings.mappings if m.key in told or m.key in start or m.key in self.quantities]
        plan = self._plan(run, known, told)
        written = sum(self._perform(change, told.get(change.key), end) for change in plan.changes if not plan.refused)
        held = tuple(self._held(plan, told))
        self.held.update(key for key, _ in held)
        self.seen |= {m.key for m in known}
        self.left = end
        return Night(
            run=run,
            recorded=sum(end.get(m.key, 0) for m in known),
            replayed=sum(self.quantities.get(m.key, 0) for m in known),
            written=written,
            held=held,
            refused=tuple(str(violation.rule) for violation in plan.refusals),
        )

    def _meet(self, start: dict[MappingKey, int]) -> None:
        """Apply here what people or other runs changed since the last night."""
        for key in start.keys() | self.left.keys():
            if not self.begun or start.get(key) != self.left.get(key):
                _set(self.quantities, key, start.get(key))
                _set(self.confirmed, key, self.record.confirmed.get(key))
        self.begun = True

    def _plan(self, run: PastRun, known: Sequence[Mapping], told: dict[MappingKey, HistoryChange]) -> Plan:
        counts = {m.key: told[m.key].counted if m.key in told else self.record.confirmed.get(m.key) for m in known}
        tonight = replace(self.mappings, mappings=tuple(replace(m, subscription_id=None) for m in known))
        at = run.info.started_at
        plan = diff(tonight, self._observation(known, counts, at), self._recorded(known, at))
        plan = replace(plan, changes=tuple(_with_doubts(change, told.get(change.key)) for change in plan.changes))
        allowances = list(self._allowances(run.verdict.lifted, None))
        for change in told.values():
            allowances += self._allowances(change.lifted, change.key)
        today = self.mappings.settings.day(at)
        return _as_recorded(check(plan, tonight.limits, allowances, self.mappings.approvals, today=today), told)

    def _observation(
        self, known: Sequence[Mapping], counts: MappingABC[MappingKey, int | None], at: datetime
    ) -> Observation:
        """A made-up world in which the recorded counts are read. A mapping's count stands with its first client.

        A mapping whose count is not known has no client in it, unless its quantity comes from the file alone.
        """
        users = {
            client.id: (client.name, (counts[m.key] or 0) if client is m.infima_clients[0] else 0)
            for m in known
            if counts[m.key] is not None or not m.counts_users
            for client in m.infima_clients
        }
        customers = {m.halo_customer.id: m.halo_customer.name for m in known}
        return Observation(
            taken_at=at,
            tenant=TENANT,
            clients=tuple(InfimaClient(id=number, name=name, user_count=n) for number, (name, n) in users.items()),
            user_counts=tuple(UserCount(client_id=number, active=n, listed=n) for number, (_, n) in users.items()),
            customers=tuple(HaloCustomer(id=number, name=name) for number, name in customers.items()),
            subscriptions=tuple(
                Subscription(
                    id=self.ids[m.key],
                    customer_id=m.halo_customer.id,
                    name=m.subscription_name,
                    count=self.quantities[m.key],
                )
                for m in known
                if m.key in self.quantities
            ),
        )

    def _allowances(self, lifted: Iterable[Lifted], key: MappingKey | None) -> Iterator[Allowance]:
        """What that night lifted, without what an approval in the file judges anew."""
        judged = {(approval.rule, approval.key) for approval in self.mappings.approvals}
        for one in lifted:
            if one.by == ALLOW or (one.rule, key) not in judged:
                yield Allowance(rule=Rule(one.rule), reason=one.reason, key=key)

    def _recorded(self, known: Sequence[Mapping], at: datetime) -> Recorded:
        bound = {
            m.key: Binding(
                key=m.key,
                subscription_id=self.ids[m.key],
                customer_id=m.halo_customer.id,
                origin=BindingOrigin.CREATED,
                bound_at=at,
                awaiting_first_count=m.key in self.record.awaiting,
                last_counted=self.confirmed.get(m.key),
            )
            for m in known
            if m.key in self.quantities
        }
        return Recorded(tenant=TENANT, bindings=bound, falls=self.falls)

    def _perform(self, change: Change, line: HistoryChange | None, end: dict[MappingKey, int]) -> bool:
        """Perform a change as the night would have, or as it did. True where it was written."""
        key, wanted = change.key, change.after.count
        self.falls[key] = change.nights
        if change.hold is not None or wanted is None or _second_read_differed(change, line):
            return False
        if change.action is not Action.NO_OP:
            if line is not None and line.outcome in _TRIED and _same(change, line):
                _set(self.quantities, key, end.get(key))
                return False
            self.falls[key] = ()
            self.quantities[key] = wanted
        if change.mapping.counts_users and change.quantity.counted is not None:
            self.confirmed[key] = change.quantity.counted
        return change.action is not Action.NO_OP

    def _held(self, plan: Plan, told: dict[MappingKey, HistoryChange]) -> Iterator[tuple[MappingKey, str]]:
        for change in plan.changes:
            if change.hold is not None:
                yield change.key, str(change.hold.rule)
            elif not plan.refused and _second_read_differed(change, told.get(change.key)):
                yield change.key, SECOND_READ


_TRIED = frozenset({Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN})
"""Outcomes of changes that no rule withheld and that failed all the same."""

SECOND_READ = "second-read"
"""What is held because a second read of INFIMA did not agree with the first: no rule of the plan."""


def _set(numbers: dict[MappingKey, int], key: MappingKey, value: int | None) -> None:
    if value is None:
        numbers.pop(key, None)
    else:
        numbers[key] = value


def _same(change: Change, line: HistoryChange) -> bool:
    """True where the night found and wanted the same quantities as the replay."""
    return (change.live_quantity or 0, change.after.count) == (line.before or 0, after_and_wanted(line)[1])


def _second_read_differed(change: Change, line: HistoryChange | None) -> bool:
    if line is None or line.outcome != Outcome.HELD or line.held_by or change.action is Action.NO_OP:
        return False
    return _same(change, line)


def _with_doubts(change: Change, line: HistoryChange | None) -> Change:
    """The change with the doubts that its numbers raise, and the one that the record tells of."""
    doubts = [doubt for doubt in change.doubts if doubt.rule in REPLAYED]
    if line is not None and line.held_by in _NOT_REPLAYED_DOUBTS:
        doubts.append(Doubt(rule=Rule(line.held_by), message=line.message, remedy=""))
    return replace(change, doubts=tuple(doubts))


_NOT_REPLAYED_DOUBTS = frozenset(rule for rule in Rule if rule not in REPLAYED and rule.level is Level.MAPPING)


def _as_recorded(plan: Plan, told: MappingABC[MappingKey, HistoryChange]) -> Plan:
    """The plan with the refusals that its numbers give, and those of the record that depend on no number."""
    refused = {Rule(line.held_by) for line in told.values() if line.held_by in _NOT_REPLAYED_REFUSALS}
    kept = [v for v in plan.violations if v.rule in REPLAYED or v.level is Level.MAPPING]
    as_recorded = (Violation(rule=rule, name="", message="as recorded", remedy="") for rule in sorted(refused))
    return replace(plan, violations=(*as_recorded, *kept))


_NOT_REPLAYED_REFUSALS = frozenset(rule for rule in Rule if rule not in REPLAYED and rule.level is Level.RUN)
