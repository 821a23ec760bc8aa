"""The rules about the source, run over made-up nights: partial outages of INFIMA, and ordinary months (FAULTS T20).

The shipped `diff` and `check` judge; here are only worlds. A write is bad when it sets a quantity that INFIMA's outage
made up; a stop is false when a rule about the source refuses the run of an ordinary night.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from reconciler.model import (
    ChangeLimit,
    InfimaClientId,
    Limits,
    Mapping,
    MappingKey,
    QuantityRule,
    Subscription,
    UnreadableUsers,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import Plan
from reconciler.planning.rules import Rule
from reconciler.safety.check import check
from reconciler.state.recorded import BindingOrigin, CountedNight, Recorded
from tests.builders import NOW, build_mapping, build_mappings, build_observation, build_subscription
from tests.core import build_binding, build_client, build_customer

SOURCE_RULES = frozenset({Rule.SOURCE_EMPTY, Rule.SOURCE_DROPPED})
RUNS_A_MONTH = 4
NIGHTS_A_MONTH = 30


@dataclass(slots=True)
class Book:
    """An MSP's clients: true counts, what Halo bills, what the state remembers."""

    mappings: dict[int, Mapping]
    counts: dict[int, int]
    billed: dict[int, int]
    remembered: dict[int, int]
    limits: Limits = field(default_factory=Limits)
    falls: dict[MappingKey, tuple[CountedNight, ...]] = field(default_factory=dict)
    night: int = 0

    def plan(self, seen: dict[int, int | None], *, unreadable: frozenset[int] = frozenset()) -> Plan:
        """What a run makes of what INFIMA shows; None in `seen` means that the client is not listed."""
        listed = {n: c for n, c in seen.items() if c is not None}
        users: list[UserCount | UnreadableUsers] = [
            UnreadableUsers(client_id=InfimaClientId(n), reason="broken")
            if n in unreadable
            else UserCount(client_id=InfimaClientId(n), active=c, listed=c)
            for n, c in listed.items()
        ]
        observation = build_observation(
            clients=[build_client(n, f"Client {n}") for n in listed],
            counts=users,
            customers=[build_customer(n, f"Client {n}") for n in self.mappings],
            subscriptions=[self._row(n) for n in self.mappings],
            taken_at=NOW + timedelta(days=self.night),
        )
        bindings = {
            m.key: build_binding(
                9000 + n, m.key, customer=n, origin=BindingOrigin.MARKER, last_counted=self.remembered[n]
            )
            for n, m in self.mappings.items()
        }
        mappings = build_mappings(*self.mappings.values())
        mappings = replace(mappings, limits=self.limits)
        return check(diff(mappings, observation, Recorded(bindings=bindings, falls=self.falls)), self.limits)

    def _row(self, n: int) -> Subscription:
        return build_subscription(9000 + n, n, self.billed[n], marker=str(MappingKey(f"infima-{n}")))

    def settle(self, plan: Plan) -> None:
        """Perform a plan's writes, as the nights do."""
        written = {c.key for c in plan.writes}
        self.night += 1
        if not plan.refused:
            self.falls = {c.key: c.nights for c in plan.changes if c.nights and c.key not in written}
        for c in plan.changes:
            n = int(c.mapping.infima_clients[0].id)
            if c.key in written and c.after.count is not None:
                self.billed[n] = c.after.count
            if c.quantity.counted is not None and c.hold is None and not plan.refused:
                self.remembered[n] = c.quantity.counted


def open_book(rng: Random) -> Book:
    """Five to sixty clients of the sizes that an MSP has, some with rules."""
    counts = {100 + i: max(1, int(rng.lognormvariate(3, 0.9))) for i in range(rng.randint(5, 60))}
    mappings = {}
    for n in counts:
        rule = rng.choice((QuantityRule(), QuantityRule(), QuantityRule(included=5), QuantityRule(minimum=10)))
        mappings[n] = build_mapping(n, n, name=f"Client {n}", customer_name=f"Client {n}", key=f"infima-{n}", rule=rule)
    billed = {n: _billed(mappings[n].quantity, c) for n, c in counts.items()}
    return Book(mappings, counts, billed, dict(counts))


def _billed(rule: QuantityRule, count: int) -> int:
    return max(count - rule.included, rule.minimum or 0, 0)


@dataclass(slots=True)
class Figures:
    """What came out: how many of each kind were played, stopped, and let something bad through."""

    played: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    worst_users: int = 0
    worst_percent: int = 0
    examples: list[str] = field(default_factory=list)


OUTAGES = (
    "clients missing",
    "nobody listed",
    "some at zero",
    "all at zero",
    "some unreadable",
    "all halved",
    "some halved",
)


def outages(number: int, seed: int, *, nights: int = 1) -> Figures:
    """That many partial outages of one night, each on a book that was in step the night before.

    `nights` is limits.decrease_nights. The night after the outage INFIMA answers rightly again.
    """
    rng, figures = Random(seed), Figures()  # noqa: S311 - has to repeat
    for night in range(number):
        book, kind = open_book(rng), rng.choice(OUTAGES)
        book.limits = Limits(decrease_nights=nights)
        share = rng.uniform(0.05, 1)
        hit = {n for n in book.counts if rng.random() < share} or {min(book.counts)}
        seen: dict[int, int | None] = dict(book.counts)
        unreadable: frozenset[int] = frozenset()
        match kind:
            case "clients missing":
                seen |= dict.fromkeys(hit)
            case "nobody listed":
                seen = dict.fromkeys(seen)
            case "some at zero":
                seen |= dict.fromkeys(hit, 0)
            case "all at zero":
                seen = dict.fromkeys(seen, 0)
            case "some unreadable":
                unreadable = frozenset(hit)
            case _:
                everybody = set(seen) if kind == "all halved" else hit
                seen |= {n: book.counts[n] // 2 for n in everybody}
        plan = book.plan(seen, unreadable=unreadable)
        figures.played[kind] += 1
        figures.stopped[kind] += plan.refused
        lost = _lowered(plan)
        book.settle(plan)
        lost += _lowered(book.plan(dict(book.counts)))
        if lost:
            figures.bad[kind] += 1
            figures.worst_users = max(figures.worst_users, lost)
            figures.worst_percent = max(figures.worst_percent, lost * 100 // sum(book.billed.values()))
            figures.examples.append(f"night {night}: {kind}, {lost} users of {sum(book.billed.values())}")
    return figures


LIMITS = {
    "limits of DESIGN 5": Limits(),
    "limits of before": Limits(
        max_decrease=ChangeLimit(users=10, percent=30), max_increase=ChangeLimit(users=50, percent=100)
    ),
    "half of them": Limits(
        max_decrease=ChangeLimit(users=2, percent=12), max_increase=ChangeLimit(users=10, percent=25)
    ),
}
"""Limits that ordinary nights are played with, to see what each would hold."""


def _lowered(plan: Plan) -> int:
    """By how many users the plan's writes lower quantities."""
    falls = (c.before.count - (c.after.count or 0) for c in plan.writes if c.before and c.before.count)
    return sum(fall for fall in falls if fall > 0)


def ordinary_nights(months: int, seed: int, *, limits: Limits) -> Figures:
    """That many months, night by night: how many changes of ordinary clients do these limits hold?

    Each night one client in seven gains or loses a few people (up to 3 %, one at least), one in three hundred a whole
    team at once (up to 30 %), one in two thousand opens or closes a branch (up to 60 %). Nobody edits a rule and no
    client leaves: whatever is held is an ordinary change.
    """
    rng, figures = Random(seed), Figures()  # noqa: S311 - has to repeat
    for month in range(months):
        book = open_book(rng)
        book.limits = limits
        for _ in range(NIGHTS_A_MONTH):
            for n, count in book.counts.items():
                book.counts[n] = max(1, count + _moves(count, rng))
            plan = book.plan(dict(book.counts))
            figures.played["client-night"] += len(plan.changes)
            figures.stopped["run"] += plan.refused
            for change in plan.held:
                figures.bad["held"] += 1
                figures.examples.append(f"month {month}: {change.hold.message}" if change.hold else "")
            for change in plan.held:  # a person lets it through the next morning
                n = int(change.mapping.infima_clients[0].id)
                book.billed[n] = _billed(change.mapping.quantity, book.counts[n])
                book.remembered[n] = book.counts[n]
            book.settle(plan)
    return figures


def _moves(count: int, rng: Random) -> int:
    chance = rng.random()
    if chance < 1 / 2000:
        size = max(1, count * 6 // 10)
    elif chance < 1 / 300:
        size = max(1, count * 3 // 10)
    elif chance < 1 / 7:
        size = max(1, count * 3 // 100)
    else:
        return 0
    return rng.randint(-size, size)


def ordinary_months(number: int, seed: int) -> Figures:
    """That many months: people join and leave, now and then a client leaves or a rule is edited."""
    rng, figures = Random(seed), Figures()  # noqa: S311 - has to repeat
    for month in range(number):
        book = open_book(rng)
        for _ in range(RUNS_A_MONTH):
            seen = _a_week(book, rng)
            plan = book.plan(seen)
            stops = [v for v in plan.refusals if v.rule in SOURCE_RULES]
            figures.played["run"] += 1
            if stops:
                figures.stopped["run"] += 1
                figures.bad["month"] += 1
                figures.examples.append(f"month {month}: {stops[0].message}")
                break
            book.settle(plan)
        figures.played["month"] += 1
    return figures


def _a_week(book: Book, rng: Random) -> dict[int, int | None]:
    for n, count in book.counts.items():
        moves = rng.randint(-max(1, count // 12), max(1, count // 12)) if rng.random() < 0.6 else 0
        book.counts[n] = max(1, count + moves)
    seen: dict[int, int | None] = dict(book.counts)
    if rng.random() < 0.05:
        seen[rng.choice(list(seen))] = None
    if rng.random() < 0.05:
        n = rng.choice(list(book.mappings))
        rule = rng.choice((QuantityRule(included=10), QuantityRule(maximum=20), QuantityRule(minimum=3)))
        book.mappings[n] = replace(book.mappings[n], quantity=rule)
    return seen
