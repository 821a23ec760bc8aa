"""The port to what is remembered between runs: bindings, create attempts, the journal and the history.

Two backends keep the same files: `state.directory` and `state.git`. A store is opened for one run at a time
(`StateStore.open_run`), and everything recorded through a `RunState` is durable when the call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from reconciler.errors import ExitCode
from reconciler.model import Json, MappingKey, RunId, Sighting, SubscriptionId, Tenant, UnitPrice
from reconciler.state.recorded import (
    Attempt,
    Binding,
    Falls,
    HaloFacts,
    Missing,
    Offers,
    Outlook,
    ProbeAttempt,
    Recorded,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Who runs what, and since when. `actor` is a user name or a CI run's address; `commit` may be empty."""

    id: RunId
    command: str
    started_at: datetime
    actor: str = ""
    commit: str = ""
    mappings_sha256: str = ""
    version: str = ""

    @property
    def short_commit(self) -> str:
        """The commit for people; "-dirty" behind it says that mappings.yaml was not what the commit has."""
        number, dirty, _ = self.commit.partition("-dirty")
        return number[:10] + dirty


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentEntry:
    """One object inside a mutating request. `subscription_id` and `before` are None for a create."""

    key: MappingKey
    subscription_id: SubscriptionId | None
    before: int | None
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A mutating request that is about to be sent. `number` counts the run's mutating requests from 1.

    `kind` is "create" or "set-counts"; `body_sha256` is of the exact bytes that go out.
    """

    number: int
    kind: str
    entries: tuple[IntentEntry, ...]
    body_sha256: str


class IntentResult(StrEnum):
    """What became of an intent. A journal that holds no result for one means UNKNOWN."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not-sent"


ALLOW = "--allow"
APPROVAL = "an approval in mappings.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A safety rule that a person lifted, and why. `by`: `ALLOW`, for the one run, or `APPROVAL`, with the person."""

    rule: str
    reason: str
    by: str = ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryChange:
    """One mapping's line in the history of a run. `outcome` is a word of DESIGN 9; counts are whole users.

    `after` is the quantity that HaloPSA showed last in that run, None where it was not known, and `wanted` the one that
    the plan asked for; `sent` says that a request for it left.
    `unit_price` and `currency` are HaloPSA's price a user and month, as text; empty where none was known or where
    mappings.yaml has its own. `held_by` is the safety rule that withheld the change, empty where none did,
    `lifted` are those that a person lifted for it.
    """

    key: MappingKey
    subscription_id: SubscriptionId | None
    action: str
    before: int | None
    after: int | None
    counted: int | None
    rule: str
    outcome: str
    message: str = ""
    unit_price: str = ""
    currency: str = ""
    held_by: str = ""
    wanted: int | None = None
    sent: bool = False
    lifted: tuple[Lifted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """How a run ended; `sentence` is the verdict line that people read.

    `changes` holds every mapping whose outcome is not "unchanged", and those whose count moved without moving the
    quantity; `snapshot` every mapping's (key -> live quantity) for the month's full record, empty where the run was
    about some of them only, and `prices` HaloPSA's unit prices for the same record. `decision` marks a person's word
    about one binding (adopt, resolve): it read no counts, so its sums of users are 0 and it never counts as a good
    run. `whole` is false for a run that was refused, or that --only or --exclude kept to a part. `recovered_by` is the
    run that wrote this record for one which was cut off before it could.
    `sightings` are the run's complete listings of what is ours, the one that it planned from and the last one after its
    writes, as far as it came, also of what it was not about; None in the history of versions that kept none.
    `lifted` are rules about the whole run that a person lifted.
    """

    run: RunId
    finished_at: datetime
    exit_code: int
    sentence: str
    users_before: int
    users_after: int
    changes: tuple[HistoryChange, ...]
    snapshot: Mapping[MappingKey, int]
    decision: bool = False
    whole: bool = True
    recovered_by: str = ""
    prices: Mapping[MappingKey, UnitPrice] = field(default_factory=dict)
    sightings: tuple[Sighting, ...] | None = None
    lifted: tuple[Lifted, ...] = ()

    @property
    def good(self) -> bool:
        """True when the run came to its end over all mappings: what was not held is written and verified.

        A hold waits for a person and says so every night; it does not make the night a bad one.
        """
        return self.exit_code in {ExitCode.DONE, ExitCode.HELD} and self.whole and not self.decision


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOffRun:
    """An earlier run that began to write and whose record is not in the history, as its journal tells of it.

    `changes` are those it was about to write, `sent` the keys of its journaled requests: a journal of which only the
    beginning was kept may lack some, one that is `complete` lacks none. `last_at` is the time of its last record.
    `verdict` is how it said that it ended, where only the record of it is missing.
    """

    info: RunInfo
    journal: str
    changes: tuple[HistoryChange, ...]
    sent: frozenset[MappingKey]
    last_at: datetime
    verdict: str = ""
    complete: bool = False


class RunState(Protocol):
    """A store opened for one run. Each method raises `StateError`, or returns when what it records is durable.

    Two need not wait for the disk: an outcome that a power loss takes away is one that nobody knows, which is what a
    crash a moment earlier would have left, and the next record makes it durable.
    """

    @property
    def recorded(self) -> Recorded:
        """What the state says now, own records included."""

    @property
    def cut_off(self) -> tuple[CutOffRun, ...]:
        """Earlier runs that wrote and did not come to their record, oldest first."""

    def record_cut_off(self, cut: CutOffRun, verdict: RunVerdict) -> None:
        """Put into the history what an earlier run did that could not record it."""

    def record_ground(
        self,
        tenant: Tenant,
        bindings: Sequence[Binding],
        planned: Sequence[HistoryChange] = (),
        never_bound: Sequence[MappingKey] = (),
    ) -> None:
        """Write down which two systems this state belongs to, and bindings as `record_bindings` does, in one step.

        `never_bound` are the mappings without a Subscription; they are kept where no run wrote with this state before.
        `planned` are the changes that this run is about to write. With any, the state is really written, so that it
        is known to take records before the first request leaves, and so that a later run learns of this one.
        """

    def record_loss(self, undecided: Sequence[MappingKey], decided: Sequence[MappingKey]) -> None:
        """Write down which mappings a lost state leaves in doubt, and which of them a person has decided.

        It comes before the bindings that were found again: with them the state is no longer empty.
        """

    def overtaken(self) -> bool:
        """True when another run has written this state since this one last looked: what was listed before is old.

        A state that cannot be asked counts as overtaken.
        """

    def record_attempts(
        self, attempts: Sequence[Attempt], *, replacing: Mapping[MappingKey, str] | None = None
    ) -> frozenset[MappingKey]:
        """Record create attempts by compare-and-set, all in one durable step; return the keys that were granted.

        A key is granted only when it has no binding and no open attempt, or when its open attempt's nonce is the one
        that `replacing` names (an attempt that settled without a trace). Nothing may be posted for a key that was
        not granted.
        """

    def settle_attempts(self, nonces: Mapping[MappingKey, str]) -> None:
        """Remove these attempts: they failed for certain, or were never sent. Others' attempts are left alone."""

    def record_named(self, named: Mapping[MappingKey, SubscriptionId]) -> None:
        """Keep with open attempts the ids that the answers to their creates named and no listing has shown."""

    def record_bindings(self, bindings: Sequence[Binding]) -> None:
        """Record bindings, replacing this key's earlier binding to the same id; its open attempt is closed with it.

        Raises `StateConflict` when a key is bound to another Subscription, or a Subscription to another key.
        """

    def record_facts(self, facts: HaloFacts) -> None:
        """Remember what this HaloPSA has shown of its habits."""

    def record_probes(self, probes: Sequence[ProbeAttempt]) -> None:
        """Write down which probes have begun and not ended, before the first of them sends anything."""

    def record_decision(
        self,
        key: MappingKey,
        *,
        bind: Binding | None = None,
        give_up: Sequence[SubscriptionId] = (),
        take_from: Sequence[MappingKey] = (),
        abandon: str | None = None,
    ) -> None:
        """Record a person's decision about one key, all of it in one durable step, so that no crash leaves half of it.

        `bind` replaces the key's binding; with neither `bind` nor `abandon` the binding ends. `give_up` are ids that
        count no more as this key's, `take_from` keys whose binding to the same Subscription ends, `abandon` the nonce
        of the open attempt that is forgotten. Raises `StateConflict` when the state is not what the person saw.
        """

    def intend(self, intent: Intent) -> None:
        """Journal a mutating request before it is sent (J1)."""

    def conclude(self, number: int, result: IntentResult, message: str = "") -> None:
        """Journal what became of the intent with that number (J2); durable with the next record."""

    def note(self, kind: str, facts: Mapping[str, Json]) -> None:
        """Journal anything else worth keeping, such as plan figures and holds; durable with the next record."""

    def finish(
        self,
        verdict: RunVerdict,
        *,
        falls: Falls | None = None,
        missing: Missing | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        """Journal the verdict and append the run to the history; remember the rest of what it saw in the same step.

        Without `missing` the clients that INFIMA did not list stay as they were remembered.
        """


class StateStore(Protocol):
    """Where the state lives."""

    @property
    def location(self) -> str:
        """How a person names it, e.g. "directory .reconciler"."""

    def read(self) -> Recorded:
        """What is recorded, without taking any lock; an empty `Recorded` where nothing was recorded yet."""

    def prove_writable(self) -> None:
        """Really write something and leave nothing of it that means anything. Raises `StateError`."""

    def record_offers(self, change: Callable[[Offers], Offers], *, message: str) -> None:
        """Change what is remembered of proposed edits, durably and as one compare-and-set; no run is opened for it.

        `change` is asked again when somebody else was faster. Nothing is written where it changes nothing.
        """

    def open_run(self, info: RunInfo) -> AbstractContextManager[RunState]:
        """Take the run lock, read the state afresh and start this run's journal.

        Raises `StateLocked`, which names the holder, since when, and how to break it.
        """
