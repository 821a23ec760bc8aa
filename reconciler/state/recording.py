"""A run's records, for any backend: what is journaled, what changes state.json, and what goes into the history.

A backend is a `Keeper`: it applies a step to the newest state and makes the result durable as one compare-and-set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from reconciler.clock import Clock
from reconciler.errors import StateConflict, StateError
from reconciler.model import Json, MappingKey, SubscriptionId, Tenant
from reconciler.state import document as changes
from reconciler.state.base import CutOffRun, HistoryChange, Intent, IntentResult, RunInfo, RunVerdict
from reconciler.state.document import STATE_FILE, StateDocument, refuse_moved
from reconciler.state.files import PrivateDirectory, StateFiles
from reconciler.state.history import append_history, info_facts, verdict_facts
from reconciler.state.journal import (
    Journal,
    damage_in_words,
    intent_facts,
    journal_name,
    previous_journals,
    read_cut_off,
)
from reconciler.state.recorded import (
    Attempt,
    Binding,
    Falls,
    HaloFacts,
    Missing,
    Offers,
    OpenRun,
    Outlook,
    ProbeAttempt,
    Recorded,
)
from reconciler.state.spelling import plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Generic[T]):
    """What a step makes of the state: the new document, whole files to replace, and the caller's answer."""

    document: StateDocument
    answer: T
    files: Mapping[str, bytes] = field(default_factory=dict)


Step = Callable[[StateDocument, StateFiles], Edit[T]]
"""A change to the newest state. It may be asked again, on a newer state, when somebody else was faster."""


class Keeper(Protocol):
    """A backend as one run sees it."""

    @property
    def local(self) -> PrivateDirectory:
        """Where this run's journal is written, on this machine's disk."""

    @property
    def files(self) -> StateFiles:
        """The newest files known."""

    @property
    def document(self) -> StateDocument:
        """The newest state known."""

    def started(self, journal: Journal) -> None:
        """The run's journal holds its first record: make it known."""

    def update(self, step: Step[T], *, message: str) -> T:
        """Apply a step to the newest state, durably, as one compare-and-set; return its answer."""

    def overtaken(self) -> bool:
        """True when somebody else has changed the state since the last question."""


class RecordedRun:
    """`RunState` over a keeper. Records are journaled on the local disk first; then the state changes."""

    def __init__(self, keeper: Keeper, journal: Journal, info: RunInfo, opening: Recorded) -> None:
        """`opening` is what was recorded when the run began."""
        self._keeper = keeper
        self._journal = journal
        self._info = info
        self._opening = opening
        self._updates = 0
        self._open: tuple[OpenRun, ...] = ()
        self._one_at_a_time = threading.Lock()
        self.ended = False
        self.finished = False

    @property
    def recorded(self) -> Recorded:
        newest, opening = self._keeper.document.recorded(durable=self._opening.durable), self._opening
        return replace(newest, damage=opening.damage, location=opening.location, is_new=opening.is_new)

    @property
    def cut_off(self) -> tuple[CutOffRun, ...]:
        files, local = self._keeper.files, self._keeper.local
        return tuple(
            read_cut_off(one, files, complete=local.read(one.journal) is not None)
            for one in self._keeper.document.open_runs
            if one.run != self._info.id
        )

    def record_cut_off(self, cut: CutOffRun, verdict: RunVerdict) -> None:
        self._journal.append("cut-off-run", {"of": cut.info.id, "sentence": verdict.sentence})

        def step(document: StateDocument, files: StateFiles) -> Edit[None]:
            written = changes.forget_quantities(document, cut.sent)
            return self._end(written, files, cut.info, verdict)

        self._update(step, f"Run {cut.info.id} was cut off: {verdict.sentence}")

    def record_ground(
        self,
        tenant: Tenant,
        bindings: Sequence[Binding],
        planned: Sequence[HistoryChange] = (),
        never_bound: Sequence[MappingKey] = (),
    ) -> None:
        updates = self._updates
        keys = sorted(change.key for change in planned)
        if planned:
            self._journal.append("writing", {"changes": plain(planned)})
            begun = OpenRun(
                run=self._info.id, journal=self._journal.name, since=self._info.started_at, keys=tuple(keys)
            )
            self._open = (begun,)
        if self._keeper.document.tenant == tenant:
            self.record_bindings(bindings)
        else:
            self._record_tenant(tenant, bindings, never_bound)
        if planned and self._updates == updates:
            self._touch(f"About to write: {_some(keys)}")

    def _record_tenant(self, tenant: Tenant, bindings: Sequence[Binding], never_bound: Sequence[MappingKey]) -> None:
        meet = partial(changes.meet_systems, tenant=tenant, never_bound=never_bound)
        if not bindings:
            self._change("tenant", plain(tenant), meet, "Systems recorded")
            return
        self._journal.append("tenant", plain(tenant), durable=False)
        try:
            self._bind(bindings, meet)
        except StateConflict:  # whose state it is does not hang on one mapping's trouble
            self._rewrite(meet, "Systems recorded")
            raise

    def record_loss(self, undecided: Sequence[MappingKey], decided: Sequence[MappingKey]) -> None:
        self._change(
            "state-lost",
            {"undecided": plain(undecided), "decided": plain(decided)},
            partial(changes.note_loss, undecided=undecided, decided=decided),
            "The state was lost: what is undecided is recorded",
        )

    def overtaken(self) -> bool:
        return self._keeper.overtaken()

    def record_attempts(
        self, attempts: Sequence[Attempt], *, replacing: Mapping[MappingKey, str] | None = None
    ) -> frozenset[MappingKey]:
        if not attempts:
            return frozenset()
        nonces = {attempt.key: attempt.nonce for attempt in attempts}
        replaced = {key: nonce for key, nonce in (replacing or {}).items() if key in nonces}
        self._journal.append("attempts", {"nonces": plain(nonces), "replacing": plain(replaced)})

        def step(document: StateDocument, _: StateFiles) -> Edit[frozenset[MappingKey]]:
            grown, granted = changes.grant_attempts(document, attempts, replaced)
            return Edit(document=self._stamped(grown), answer=granted)

        granted = self._update(step, f"Attempt: create Subscription for {_some(list(nonces))}") & self._ours(attempts)
        if lost := sorted(nonces.keys() - granted):
            self._journal.append("attempts-not-granted", {"keys": plain(lost)})
        return granted

    def settle_attempts(self, nonces: Mapping[MappingKey, str]) -> None:
        if nonces:
            self._change(
                "attempts-settled",
                {"nonces": plain(nonces)},
                partial(changes.settle_attempts, nonces=nonces),
                f"Attempt failed: {_some(list(nonces))}",
            )

    def record_named(self, named: Mapping[MappingKey, SubscriptionId]) -> None:
        if named:
            self._change(
                "attempts-named",
                {"named": plain(named)},
                partial(changes.name_attempts, named=named),
                f"Created, and not listed yet: {_some(list(named))}",
            )

    def record_bindings(self, bindings: Sequence[Binding]) -> None:
        if bindings:
            self._bind(bindings)

    def _bind(
        self, bindings: Sequence[Binding], before: Callable[[StateDocument], StateDocument] = lambda document: document
    ) -> None:
        rows: list[Json] = [
            {"key": row.key, "subscription_id": row.subscription_id, "origin": row.origin.value} for row in bindings
        ]
        self._change(
            "bindings",
            {"bindings": rows},
            lambda document: changes.add_bindings(before(document), bindings),
            f"Bound: {_some([row.key for row in bindings])}",
        )

    def record_facts(self, facts: HaloFacts) -> None:
        self._change("halo-facts", plain(facts), partial(replace, halo=facts), "HaloPSA's habits recorded")

    def record_probes(self, probes: Sequence[ProbeAttempt]) -> None:
        words: list[Json] = [probe.word for probe in probes]
        self._change("probes", {"open": words}, partial(replace, probes=tuple(probes)), "Probes recorded")

    def record_decision(
        self,
        key: MappingKey,
        *,
        bind: Binding | None = None,
        give_up: Sequence[SubscriptionId] = (),
        take_from: Sequence[MappingKey] = (),
        abandon: str | None = None,
    ) -> None:
        facts: dict[str, Json] = {
            "key": key,
            "bind": None if bind is None else bind.subscription_id,
            "give_up": plain(give_up),
            "take_from": plain(take_from),
            "abandon": abandon,
        }
        decided = partial(changes.decide, key=key, bind=bind, give_up=give_up, take_from=take_from, abandon=abandon)
        self._change("decision", facts, decided, f"Decided by hand: {key}")

    def intend(self, intent: Intent) -> None:
        if not self._updates:  # a real write: a remote or a disk that refuses it has to be known before the request
            self._touch("About to write")
        self._journal.append("intent", intent_facts(intent))

    def conclude(self, number: int, result: IntentResult, message: str = "") -> None:
        facts: dict[str, Json] = {"number": number, "result": result.value, "message": message}
        self._journal.append("outcome", facts, durable=False)

    def note(self, kind: str, facts: Mapping[str, Json]) -> None:
        self._journal.append(f"note:{kind}", facts, durable=False)

    def finish(
        self,
        verdict: RunVerdict,
        *,
        falls: Falls | None = None,
        missing: Missing | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.ended = True
        self._journal.append("verdict", verdict_facts(verdict))

        def step(document: StateDocument, files: StateFiles) -> Edit[None]:
            seen = changes.remember_falls(document, falls or {})
            if missing is not None:
                seen = replace(seen, missing=dict(missing))
            if outlook is not None:
                seen = changes.look_ahead(seen, outlook)
            if verdict.good:
                seen = replace(seen, last_good_run=verdict.finished_at)
            return self._end(seen, files, self._info, verdict)

        self._update(step, verdict.sentence)
        self.finished = True

    def abandon(self, reason: str) -> None:
        """Say in the journal that the run ends without a verdict, and keep what it did."""
        self._journal.append("ended-without-verdict", {"reason": reason})
        if self._updates:
            self._touch(f"Run {self._info.id} ended without a verdict")

    def _change(
        self, kind: str, facts: Mapping[str, Json], change: Callable[[StateDocument], StateDocument], message: str
    ) -> None:
        self._journal.append(kind, facts)
        try:
            self._rewrite(change, message)
        except StateConflict as exc:
            self._journal.append("conflict", {"of": kind, "message": exc.message})
            raise

    def _touch(self, message: str) -> None:
        """Write the state as it is, with this journal's end in it."""
        self._rewrite(lambda document: document, message)

    def _rewrite(self, change: Callable[[StateDocument], StateDocument], message: str) -> None:
        self._update(lambda document, _: Edit(document=self._stamped(change(document)), answer=None), message)

    def _update(self, step: Step[T], message: str) -> T:
        def where_it_lives(document: StateDocument, files: StateFiles) -> Edit[T]:
            refuse_moved(document, self._opening.location)
            return step(document, files)

        with self._one_at_a_time:
            answer = self._keeper.update(where_it_lives, message=message)
            self._updates += 1
        return answer

    def _ours(self, attempts: Sequence[Attempt]) -> frozenset[MappingKey]:
        """The keys whose attempt stands under our nonce: the last word where a backend's answer was ambiguous."""
        standing = self._keeper.document.attempts
        return frozenset(row.key for row in attempts if row.key in standing and standing[row.key].nonce == row.nonce)

    def _stamped(self, document: StateDocument) -> StateDocument:
        others = tuple(one for one in document.open_runs if one not in self._open)
        return replace(document, journal=self._journal.head, open_runs=(*others, *self._open))

    def _end(self, document: StateDocument, files: StateFiles, info: RunInfo, verdict: RunVerdict) -> Edit[None]:
        """Put the end of a run, this one or one that was cut off, into the history."""
        name, content, head = append_history(files, document.history, info, verdict)
        left = tuple(one for one in document.open_runs if one.run != info.id)
        ended = replace(document, journal=self._journal.head, history=head, open_runs=left)
        return Edit(document=ended, answer=None, files={name: content})


def change_offers(keeper: Keeper, change: Callable[[Offers], Offers], *, message: str, location: str) -> None:
    """`StateStore.record_offers` for any backend."""

    def step(document: StateDocument, _: StateFiles) -> Edit[None]:
        refuse_moved(document, location)
        return Edit(document=replace(document, offers=change(document.offers)), answer=None)

    if change(keeper.document.offers) != keeper.document.offers:
        keeper.update(step, message=message)


@contextmanager
def record_run(keeper: Keeper, info: RunInfo, *, clock: Clock, durable: bool, location: str) -> Iterator[RecordedRun]:
    """Start a run's journal behind its predecessor's last record, and close it when the run is over."""
    name = journal_name(info)
    prev, findings = previous_journals(keeper.document.journal, keeper.files)
    opening = recorded_in(keeper.document, keeper.files, durable=durable, location=location, findings=findings)
    journal = Journal(keeper.local.create(name), name=name, run=info.id, clock=clock, prev=prev)
    try:
        journal.append("run-started", info_facts(info))
        for facts in findings:
            journal.append("previous-run", facts)
        keeper.started(journal)
        run = RecordedRun(keeper, journal, info, opening)
        try:
            yield run
        except BaseException as exc:
            if not run.finished:
                # The run is failing already, perhaps because of the state itself: its own error is the one to show.
                with suppress(StateError):
                    run.abandon(type(exc).__name__)
            raise
        if not run.finished:
            # A verdict that could not be recorded was told to the run's caller already, who tells the person.
            with suppress(StateError) if run.ended else nullcontext():
                run.abandon("")
    finally:
        journal.close()


def recorded_in(
    document: StateDocument,
    files: StateFiles,
    *,
    durable: bool,
    location: str,
    findings: Sequence[Mapping[str, Json]] | None = None,
) -> Recorded:
    """What is recorded, with what is wrong with the newest journals: `findings`, where they were looked at already."""
    refuse_moved(document, location)
    if findings is None:
        _, findings = previous_journals(document.journal, files)
    return replace(
        document.recorded(durable=durable),
        damage=damage_in_words(findings),
        location=location,
        is_new=files.read(STATE_FILE) is None,
    )


def _some(keys: Sequence[MappingKey]) -> str:
    """ "acme", or "acme, +3" for four keys."""
    first = min(keys)
    return first if len(keys) == 1 else f"{first}, +{len(keys) - 1}"
