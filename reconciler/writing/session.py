"""The session that `apply` writes on: one fresh listing, one journaled request at a time, one outcome per mapping."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from reconciler.clock import Clock
from reconciler.errors import ApiError, Interrupted, ReconcilerError, StateError
from reconciler.events import Observer, WriteSettled
from reconciler.model import MappingKey, RunId, Settings, Subscription, SubscriptionId
from reconciler.planning.changes import Change, Outcome, Settled
from reconciler.planning.observation import RunContext
from reconciler.planning.outcomes import NOT_ATTEMPTED
from reconciler.providers.base import Accepted, Refused, SubscriptionTarget, Unclear, WriteAnswer, WriteRequest
from reconciler.state.base import Intent, IntentEntry, IntentResult, RunState

FRESH_SECONDS = 60.0
"""A listing older than this is read again before the next write (DESIGN 7), and an attempt older is not sent."""

FAILURES_IN_A_ROW = 3
FAILURES_IN_ALL = 5
"""So many writes without a clear answer, and no further write is started (FAULTS W17)."""

LONGEST_WAIT = 60.0
"""Seconds: no Retry-After makes one wait longer; a listing comes behind it, which waits as long as reads do."""

THROTTLED_IN_A_ROW = 8
"""So many writes in a row that met a 429, and no further write is started."""


@dataclass(slots=True, kw_only=True)
class WriteSession:
    """Everything the writing phase shares. Mutable on purpose: it is the one place where a run's progress lives.

    `planned` are the ids of the listing that the plan was made from; `appeared` are live rows that came later, by
    their marker: a second one with a mapping's marker stops every write to that mapping (FAULTS C5).
    `halted` says why no further write may start.
    `listing` is the last complete one, `listed_at` the monotonic time of its beginning, `listed_after` the number
    of requests that had left by then, `last_listed` the time of day, None for the plan's own listing. `sent` holds
    the number of the last request that left for each mapping, `written` every count that was sent, `unclear` those
    whose last answer leaves open what became of them, and `frames` each written object as the last listing before
    its first write showed it, the base of the frame check. `warnings` is what HaloPSA said in `_warning` about a
    mapping's row, `unrecorded` why the journal took no more records.
    """

    context: RunContext
    state: RunState
    run: RunId
    listing: dict[SubscriptionId, Subscription]
    listed_at: float
    listed_after: int = 0
    last_listed: datetime | None = None
    sent: dict[MappingKey, int] = field(default_factory=dict)
    planned: frozenset[SubscriptionId] = frozenset()
    appeared: dict[str, tuple[SubscriptionId, ...]] = field(default_factory=dict)
    outcomes: dict[MappingKey, Settled] = field(default_factory=dict)
    written: dict[MappingKey, CountTarget] = field(default_factory=dict)
    unclear: dict[MappingKey, Unclear] = field(default_factory=dict)
    frames: dict[SubscriptionId, Subscription] = field(default_factory=dict)
    warnings: dict[MappingKey, str] = field(default_factory=dict)
    requests: int = 0
    halted: str = ""
    unrecorded: StateError | None = None
    failures_in_a_row: int = 0
    failures: int = 0
    throttled: int = 0

    @classmethod
    def open(
        cls, context: RunContext, state: RunState, run: RunId, listing: Iterable[Subscription], listed_at: float
    ) -> WriteSession:
        """A session on the listing that the plan was made from; `listed_at` is when its reading began."""
        rows = {s.id: s for s in listing}
        return cls(context=context, state=state, run=run, listing=rows, listed_at=listed_at, planned=frozenset(rows))

    @property
    def target(self) -> SubscriptionTarget:
        return self.context.systems.target

    @property
    def clock(self) -> Clock:
        return self.context.clock

    @property
    def settings(self) -> Settings:
        return self.context.mappings.settings

    @property
    def observe(self) -> Observer:
        return self.context.observe

    @property
    def late_seconds(self) -> float:
        """How long a listing may not show what was written: half as long again as a probe has seen it late."""
        return self.state.recorded.halo.lag_seconds * 1.5

    def settle(self, key: MappingKey, outcome: Outcome, message: str = "", *, at: SubscriptionId | None = None) -> None:
        """Write down what became of a change and tell the observer."""
        self.outcomes[key] = Settled(outcome=outcome, message=message, subscription_id=at)
        if message != NOT_ATTEMPTED:  # one sentence tells of all of these when the run is over
            self.observe(WriteSettled(key=key, outcome=outcome, message=message))

    def told(self, key: MappingKey) -> Settled:
        """The outcome of a change with what is known of it now: what was sent, and what the last listing shows."""
        settled = self.outcomes[key]
        live = None if settled.subscription_id is None else self.listing.get(settled.subscription_id)
        checked = self.checked(key)
        return replace(
            settled,
            sent=key in self.sent,
            checked=checked and key in self.sent,
            live_count=live.quantity if live is not None and checked else None,
        )

    def checked(self, key: MappingKey) -> bool:
        """True when the last listing was begun after the last request for this mapping left."""
        return self.sent.get(key, 0) <= self.listed_after

    def look_again(self) -> None:
        """Read one more listing where some request left after the last one was begun. Raises `ApiError`."""
        if not all(map(self.checked, self.sent)):
            self.relist()

    def may_write(self) -> bool:
        """True while nobody asked to stop and no failure forbids further writes."""
        if not self.halted and self.context.stop():
            self.halted = "the run was interrupted, and no further write was started"
        return not self.halted

    def pause(self, seconds: float) -> bool:
        """Wait; false when somebody asked to stop meanwhile."""
        try:
            self.clock.sleep(seconds)
        except Interrupted:
            return False
        return not self.context.stop()

    def wait_out(self, answer: Unclear) -> bool:
        """After a 429 wait as long as HaloPSA asks, or longer each time; false when no further write may start."""
        if self.throttled >= THROTTLED_IN_A_ROW:
            self.halted = f"HaloPSA answered {self.throttled} writes in a row with 429: {answer.message}"
        if not self.may_write():
            return False
        pause = min(LONGEST_WAIT, answer.retry_after or 5.0 * 2 ** (self.throttled - 1))
        try:
            self.target.wait(pause, f"HaloPSA's request limit is reached ({bare(answer.message)}); waiting for it.")
        except (ApiError, Interrupted) as error:
            self.halted = error.message
            return False
        return self.may_write()

    def relist(self) -> None:
        """Read one complete listing. Raises `ApiError`. Its age counts from its first page: a listing may take long."""
        moment, begun, requests = self.clock.now(), self.clock.monotonic(), self.requests
        self.listing = {s.id: s for s in self.target.subscriptions()}
        self.listed_at, self.listed_after, self.last_listed = begun, requests, moment
        self.appeared = {}
        for row in self.listing.values():
            if row.id not in self.planned and row.marker and row.live:
                self.appeared[row.marker] = (*self.appeared.get(row.marker, ()), row.id)

    def freshen(self, requests: int = 1, *, anew: bool = False) -> None:
        """Have a listing of the last minute, and room for that many requests; with `anew` list in any case.

        A write that waits for its turn ages the listing it rests on, so the listing needs room as well. How many
        pages it takes is not known beforehand: where it took too many, it goes again with more room before it.
        """
        budget, room = self.settings.halo_budget.requests, requests
        self.target.await_budget(room)
        while anew or self.clock.monotonic() - self.listed_at > FRESH_SECONDS:
            self.target.await_budget(room)
            self.relist()
            self.target.await_budget(requests)
            if room >= budget:
                return  # there is no more room than this
            anew, room = False, min(4 * room, budget)

    def write(self, kind: str, entries: tuple[IntentEntry, ...], request: WriteRequest) -> WriteAnswer:
        """Journal the intent, send the request once, journal what became of it.

        Raises `StateError` before anything is sent when the intent cannot be made durable (J1), and `Interrupted`
        when somebody asked to stop while the request still waited for its turn: then it was not sent.
        """
        self.requests += 1
        number = self.requests
        self.state.intend(Intent(number=number, kind=kind, entries=entries, body_sha256=request.sha256))
        earlier = {entry.key: self.sent.get(entry.key) for entry in entries}
        self.sent |= dict.fromkeys(earlier, number)
        try:
            answer = self.target.send(request)
        except Interrupted as stopped:
            self._did_not_leave(earlier)
            self.state.conclude(number, IntentResult.NOT_SENT, stopped.message)
            raise
        if isinstance(answer, Refused) and answer.status is None:
            self._did_not_leave(earlier)
        self._count_failure(answer)
        result, message = _journal_words(answer)
        try:
            self.state.conclude(number, result, message)
        except StateError as error:  # the request is out: what is left is to stop and to say so
            self.halted = self.halted or error.message
            self.unrecorded = self.unrecorded or error
        return answer

    def _did_not_leave(self, earlier: Mapping[MappingKey, int | None]) -> None:
        for key, number in earlier.items():
            if number is None:
                del self.sent[key]
            else:
                self.sent[key] = number

    def _count_failure(self, answer: WriteAnswer) -> None:
        self.throttled = self.throttled + 1 if isinstance(answer, Unclear) and answer.throttled else 0
        match answer:
            case Accepted():
                self.failures_in_a_row = 0
            case Refused(lacks_right=True):
                self.halted = f"HaloPSA refused a write for want of a right: {answer.message}"
            case Refused():
                self.failures_in_a_row = 0
            case Unclear(server_failed=False):
                pass  # the listing that follows tells what became of it
            case Unclear(throttled=True):
                pass  # it is waited for
            case Unclear():
                self.failures_in_a_row += 1
                self.failures += 1
                self._stop_after_too_many(answer)
            case never:
                assert_never(never)

    def _stop_after_too_many(self, answer: Unclear) -> None:
        if self.failures_in_a_row >= FAILURES_IN_A_ROW or self.failures >= FAILURES_IN_ALL:
            self.halted = f"too many writes without a clear answer; the last one: {answer.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The outcome of every change of the plan, and what ended the writing early.

    `created` counts the Subscriptions that are new, whatever became of their quantity. `halted` says why no further
    write was started, once for all changes that were not attempted; empty where none was left. `error` is what was
    raised, if anything was.
    """

    outcomes: Mapping[MappingKey, Settled]
    created: int = 0
    halted: str = ""
    error: ReconcilerError | None = None

    def count(self, outcome: Outcome) -> int:
        return sum(settled.outcome is outcome for settled in self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTarget:
    """One absolute count that is to be written: whose, on which Subscription, from what it was to what it shall be."""

    change: Change
    subscription_id: SubscriptionId
    before: int
    after: int

    @property
    def key(self) -> MappingKey:
        return self.change.key

    @property
    def entry(self) -> IntentEntry:
        """The journal's line about it."""
        return IntentEntry(key=self.key, subscription_id=self.subscription_id, before=self.before, after=self.after)


def bare(message: str) -> str:
    """A message without its full stop, to stand inside a sentence."""
    return message.rstrip(". ")


def what_moved(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Say in words what differs between two flat records, e.g. "count 12 -> 14". Empty when nothing does."""
    if before == now:
        return ""
    from deepdiff import DeepDiff  # noqa: PLC0415 - slow to import, and needed only where two things differ

    difference = DeepDiff(dict(before), dict(now), verbose_level=2, ignore_numeric_type_changes=True)
    words = []
    for change in (*difference.get("values_changed", {}).items(), *difference.get("type_changes", {}).items()):
        path, values = change
        words.append(f"{_field(path)} {values['old_value']} -> {values['new_value']}")
    words += [f"{_field(path)} added: {value}" for path, value in difference.get("dictionary_item_added", {}).items()]
    words += [f"{_field(path)} removed" for path in difference.get("dictionary_item_removed", {})]
    words += [f"{_field(path)} changed" for kind in _LIST_CHANGES for path in difference.get(kind, {})]
    return ", ".join(sorted(words))


_LIST_CHANGES = ("iterable_item_added", "iterable_item_removed", "set_item_added", "set_item_removed")


def _field(path: str) -> str:
    """`root['count']` -> `count`, `root['lines'][2]` -> `lines.2`."""
    return ".".join(re.findall(r"""\[['"]?(.*?)['"]?\]""", path))


def _journal_words(answer: WriteAnswer) -> tuple[IntentResult, str]:
    match answer:
        case Accepted():
            return IntentResult.OK, ""
        case Refused(status=None):
            return IntentResult.NOT_SENT, answer.message
        case Refused():
            return IntentResult.REFUSED, answer.message
        case Unclear():
            return IntentResult.UNKNOWN, answer.message
        case never:
            assert_never(never)
