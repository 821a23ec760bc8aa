"""A HaloPSA and a state made of a few lines each, for the tests of the writing phase."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.apply import apply
from reconciler.errors import ApiError, Interrupted, NotFound, StateError
from reconciler.events import Event
from reconciler.model import HaloCustomer, Json, MappingKey, RunId, Settings, Subscription, SubscriptionId, Tenant
from reconciler.planning.changes import Change, Plan, PlannedRow
from reconciler.planning.outcomes import NOT_ATTEMPTED
from reconciler.providers.base import (
    Accepted,
    CountWrite,
    NewSubscription,
    Refused,
    Unclear,
    WriteAnswer,
    WriteRequest,
)
from reconciler.state.base import CutOffRun, HistoryChange, Intent, IntentResult, RunVerdict
from reconciler.state.document import (
    StateDocument,
    add_bindings,
    grant_attempts,
    look_ahead,
    meet_systems,
    name_attempts,
    note_loss,
    remember_falls,
    settle_attempts,
)
from reconciler.state.recorded import Attempt, Binding, Falls, HaloFacts, Missing, Outlook, Recorded
from reconciler.writing.session import Applied, WriteSession
from tests.builders import build_change, build_context, build_mapping, build_mappings, build_plan, build_subscription
from tests.clock import VirtualClock

Rows = list[dict[str, Any]]
Answer = Callable[["FakeTarget", Rows], WriteAnswer]


def accepted(target: FakeTarget, rows: Rows) -> WriteAnswer:
    """The write takes effect and is answered well."""
    made = target.take(rows)
    return Accepted(subscription_id=made[0] if "id" not in rows[0] else None)


def accepted_without_id(target: FakeTarget, rows: Rows) -> WriteAnswer:
    """The write takes effect; the answer does not name what was made."""
    target.take(rows)
    return Accepted()


def silent(_target: FakeTarget, _rows: Rows) -> WriteAnswer:
    """Answered well, without any effect (FAULTS W5)."""
    return Accepted()


def refused(status: int | None = 400, *, message: str = "no") -> Answer:
    """A definite no."""
    return lambda _target, _rows: Refused(status=status, message=message)


def unclear(*, effect: bool = False, first: int | None = None, status: int | None = 500) -> Answer:
    """No usable answer, before or after the effect; with `first` only that many rows took effect."""

    def answer(target: FakeTarget, rows: Rows) -> WriteAnswer:
        if effect:
            target.take(rows[:first])
        return Unclear(status=status, message="lost")

    return answer


def late(seconds: float) -> Answer:
    """No answer, and an effect that comes that much later."""

    def answer(target: FakeTarget, rows: Rows) -> WriteAnswer:
        target.clock.call_later(seconds, lambda: target.take(rows) and None)
        return Unclear(status=None, message="timeout")

    return answer


def interrupted(_target: FakeTarget, _rows: Rows) -> WriteAnswer:
    """Somebody asked to stop while the request waited for its turn: it was not sent."""
    raise Interrupted("stop")


class FakeTarget:
    """`SubscriptionTarget` over rows in memory. `answers` are used up in order, then every write is accepted.

    `before_listing` holds actions by the number of the listing they come before; `lag` is how many listings do not
    show a created row yet.
    """

    def __init__(self, clock: VirtualClock, *rows: Subscription) -> None:
        self.clock = clock
        self.rows = {row.id: row for row in rows}
        self.answers: list[Answer] = []
        self.sent: list[Rows] = []
        self.before_listing: dict[int, Callable[[], None]] = {}
        self.listings = 0
        self.listed_at: list[float] = []
        self.lag = 0
        self.keeps_marker = True
        self.creates_at = 0
        self.budgets: list[int] = []
        self.waits: list[float] = []
        self.read_alone: list[SubscriptionId] = []
        self.fails_alone: ApiError | None = None
        self.before_wait: Callable[[], None] = lambda: None
        self._hidden: dict[SubscriptionId, int] = {}
        self._next = 9100

    def customers(self) -> tuple[HaloCustomer, ...]:
        raise AssertionError("apply reads no customers")

    def subscriptions(self) -> tuple[Subscription, ...]:
        self.listings += 1
        self.listed_at.append(self.clock.monotonic())
        self.before_listing.get(self.listings, lambda: None)()
        return tuple(row for number, row in sorted(self.rows.items()) if self._hidden.get(number, 0) < self.listings)

    def subscription(self, subscription_id: SubscriptionId) -> Subscription:
        self.read_alone.append(subscription_id)
        if self.fails_alone is not None:
            raise self.fails_alone
        if subscription_id not in self.rows:
            raise NotFound("404")
        return self.rows[subscription_id]

    def prepare_create(self, new: NewSubscription) -> WriteRequest:
        return _encoded([{"client_id": new.customer_id, "name": new.name, "key": new.key, "count": 0}])

    def prepare_counts(self, writes: Sequence[CountWrite], *, along: Sequence[str] = ()) -> WriteRequest:
        return _encoded(
            [
                {
                    "id": w.subscription_id,
                    "count": w.count,
                    **{m: v for m in along if (v := self.rows[w.subscription_id].raw.get(m)) is not None},
                }
                for w in writes
            ]
        )

    def send(self, request: WriteRequest) -> WriteAnswer:
        rows: Rows = json.loads(request.body)
        answer = self.answers.pop(0) if self.answers else accepted
        result = answer(self, rows)
        self.sent.append(rows)
        return result

    def wait(self, seconds: float, reason: str) -> None:
        self.waits.append(seconds)
        self.before_wait()
        self.clock.sleep(seconds)

    def await_budget(self, requests: int) -> None:
        self.budgets.append(requests)

    def take(self, rows: Rows) -> list[SubscriptionId]:
        """Let rows take effect; returns their ids."""
        return [self._create(row) if "id" not in row else self._set(row) for row in rows]

    def edit(self, number: int, **members: Any) -> None:
        """Somebody changes a row; `raw` members beside the count are merged."""
        row = self.rows[SubscriptionId(number)]
        raw = {**row.raw, **members.pop("raw", {})}
        self.rows[row.id] = replace(row, raw=raw, **members)

    def _set(self, row: dict[str, Any]) -> SubscriptionId:
        self.edit(row["id"], count=row["count"], raw={"count": row["count"]})
        return SubscriptionId(row["id"])

    def _create(self, row: dict[str, Any]) -> SubscriptionId:
        self._next += 1
        marker = row["key"] if self.keeps_marker else None
        made = build_subscription(self._next, row["client_id"], self.creates_at, name=row["name"], marker=marker)
        self.rows[made.id] = replace(made, raw={"name": row["name"], "price": 2.5, "count": self.creates_at})
        self._hidden[made.id] = self.listings + self.lag
        return made.id


def _encoded(rows: Rows) -> WriteRequest:
    return WriteRequest(body=json.dumps(rows).encode())


def fail(error: Exception) -> Callable[[], None]:
    """An action that raises."""

    def action() -> None:
        raise error

    return action


class FakeState:
    """`RunState` in memory. `failing` names calls that raise `StateError`, as (method, number of its call)."""

    def __init__(self, recorded: Recorded | None = None) -> None:
        recorded = recorded or Recorded()
        self.document = StateDocument(
            tenant=recorded.tenant,
            bindings=recorded.bindings,
            attempts=recorded.attempts,
            given_up=recorded.given_up,
            last_good_run=recorded.last_good_run,
            halo=recorded.halo,
        )
        self.durable = recorded.durable
        self.failing: set[tuple[str, int]] = set()
        self.before: dict[tuple[str, int], Callable[[], None]] = {}
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, Any]] = []
        self.intents: list[Intent] = []
        self.results: dict[int, tuple[IntentResult, str]] = {}
        self.verdicts: list[RunVerdict] = []

    @property
    def recorded(self) -> Recorded:
        return self.document.recorded(durable=self.durable)

    cut_off: tuple[CutOffRun, ...] = ()

    def record_cut_off(self, cut: CutOffRun, verdict: RunVerdict) -> None:
        self._called("record_cut_off", (cut, verdict))

    def record_ground(
        self,
        tenant: Tenant,
        bindings: Sequence[Binding],
        planned: Sequence[HistoryChange] = (),
        never_bound: Sequence[MappingKey] = (),
    ) -> None:
        self._called("record_ground", tenant)
        self.document = meet_systems(self.document, tenant, never_bound)
        self.record_bindings(bindings)

    def record_loss(self, undecided: Sequence[MappingKey], decided: Sequence[MappingKey]) -> None:
        self._called("record_loss", tuple(undecided), tuple(decided))
        self.document = note_loss(self.document, undecided=undecided, decided=decided)

    def overtaken(self) -> bool:
        return False

    def record_attempts(
        self, attempts: Sequence[Attempt], *, replacing: Mapping[MappingKey, str] | None = None
    ) -> frozenset[MappingKey]:
        self._called("record_attempts", tuple(attempts))
        self.document, granted = grant_attempts(self.document, attempts, replacing or {})
        return granted

    def settle_attempts(self, nonces: Mapping[MappingKey, str]) -> None:
        if nonces:
            self._called("settle_attempts", dict(nonces))
            self.document = settle_attempts(self.document, nonces)

    def record_named(self, named: Mapping[MappingKey, SubscriptionId]) -> None:
        if named:
            self._called("record_named", dict(named))
            self.document = name_attempts(self.document, named)

    def record_bindings(self, bindings: Sequence[Binding]) -> None:
        if bindings:
            self._called("record_bindings", tuple(bindings))
            self.document = add_bindings(self.document, bindings)

    def record_facts(self, facts: HaloFacts) -> None:
        self._called("record_facts", facts)
        self.document = replace(self.document, halo=facts)

    def intend(self, intent: Intent) -> None:
        self._called("intend", intent)
        self.intents.append(intent)

    def conclude(self, number: int, result: IntentResult, message: str = "") -> None:
        self._called("conclude", (number, result))
        self.results[number] = (result, message)

    def note(self, kind: str, facts: Mapping[str, Json]) -> None:
        self._called("note", (kind, dict(facts)))

    def finish(
        self,
        verdict: RunVerdict,
        *,
        falls: Falls | None = None,
        missing: Missing | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self._called("finish", verdict)
        self.verdicts.append(verdict)
        self.document = remember_falls(self.document, falls or {})
        if outlook is not None:
            self.document = look_ahead(self.document, outlook)

    def steps(self, *names: str) -> list[Any]:
        """What was recorded by these methods, in order."""
        return [what for name, what in self.log if name in names]

    def _called(self, name: str, what: Any) -> None:
        self.calls[name] += 1
        call = (name, self.calls[name])
        self.before.get(call, lambda: None)()
        if call in self.failing:
            raise StateError(f"the disk is full at {name}")
        self.log.append((name, what))


class Scene:
    """One writing phase on the two fakes and a virtual clock."""

    def __init__(self, *rows: Subscription, recorded: Recorded | None = None, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.target = FakeTarget(self.clock, *rows)
        self.state = FakeState(recorded)
        self.settings = Settings(**settings)
        self.events: list[Event] = []
        self.stopping: Callable[[], bool] = bool  # says no
        self.second_counts: dict[str, int | None] = {}
        self.recounted: list[str] = []
        self.before_recount: Callable[[], None] = lambda: None
        self._nonces = iter(f"nonce-{n}" for n in range(1, 10_000))

    def apply(
        self,
        plan: Plan,
        *,
        agreed: Mapping[MappingKey, PlannedRow] | None = None,
        confirmed: bool = False,
        age: float = 0,
    ) -> Applied:
        """Perform the plan; the listing it was made from is `age` seconds old."""
        listed_at = self.clock.monotonic()
        listing = tuple(self.target.rows.values())
        self.clock.sleep(age)
        session = self.session(listing, listed_at)
        return apply(plan, session, self._recount, agreed=agreed, confirmed_by_person=confirmed)

    def counts(self) -> dict[int, int | None]:
        """What Halo bills, by id."""
        return {number: row.count for number, row in self.target.rows.items()}

    def _recount(self, changes: Sequence[Change]) -> Mapping[MappingKey, int | None]:
        self.before_recount()
        self.recounted += [c.key for c in changes]
        return {c.key: self.second_counts[c.key] for c in changes if c.key in self.second_counts}

    def session(self, listing: Sequence[Subscription], listed_at: float) -> WriteSession:
        context = build_context(
            target=self.target,
            mappings=replace(build_mappings(), settings=self.settings),
            clock=self.clock,
            observe=self.events.append,
            stop=self.stopping,
            nonce=lambda: next(self._nonces),
        )
        return WriteSession.open(context, self.state, RunId("run-1"), listing, listed_at)


def outcomes(applied: Applied) -> dict[str, str]:
    """Each key's outcome in one word."""
    return {key: str(settled.outcome) for key, settled in applied.outcomes.items()}


def message_of(applied: Applied, key: str) -> str:
    """What is said about one change; the cause that a run tells once is put to each that it stopped."""
    message = applied.outcomes[MappingKey(key)].message
    return f"{message}: {applied.halted}" if message == NOT_ATTEMPTED else message


def creates(*keys: str, to: int = 7, attempt: Attempt | None = None) -> Plan:
    """A plan that creates one Subscription for each key, each for a customer of its own."""
    changes = []
    for number, key in enumerate(keys):
        mapping = build_mapping(key=key, customer=21 + number)
        changes.append(replace(build_change(mapping, subscription=None, after=to), settled_attempt=attempt))
    return build_plan(*changes)


def posts(target: FakeTarget) -> list[str]:
    """Keys of the creates that were sent."""
    return [row["key"] for rows in target.sent for row in rows if "id" not in row]


def slow(seconds: float, then: Answer = accepted) -> Answer:
    """The answer takes that long."""

    def answer(target: FakeTarget, rows: Rows) -> object:
        target.clock.sleep(seconds)
        return then(target, rows)

    return answer  # type: ignore[return-value]


UNREACHABLE = ApiError("HaloPSA is not there")


def raises(*numbers: int, to: int = 15) -> Plan:
    """A plan that sets each of these Subscriptions to `to`; keys are k1, k2, ..."""
    return build_plan(*(build_change(build_mapping(key=f"k{n}"), subscription=n, before=10, after=to) for n in numbers))
