"""The create protocol (DESIGN 7; FAULTS section 4 says why): at most one Subscription per mapping, whatever breaks.

For a group of mappings at a time: a fresh listing shows no candidate; the attempts are recorded durably by
compare-and-set; each is posted exactly once, at count 0, with its marker; listings are read until the markers show;
the ids are recorded; only then are the counts set. A create is never repeated in a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.errors import ApiError, Interrupted, NotFound, ReconcilerError
from reconciler.events import Noticed, PhaseAdvanced, PhaseFinished, PhaseStarted, Waiting
from reconciler.model import MappingKey, Subscription, SubscriptionId
from reconciler.names import same_name
from reconciler.plan import waiting_time
from reconciler.planning.changes import Change, Outcome
from reconciler.planning.observation import Details
from reconciler.planning.rules import abandon_command, resolved_by
from reconciler.providers.base import Accepted, NewSubscription, Refused, Unclear, WriteAnswer
from reconciler.state.base import IntentEntry
from reconciler.state.recorded import Attempt, Binding, BindingOrigin
from reconciler.writing.session import FAILURES_IN_A_ROW, FRESH_SECONDS, CountTarget, WriteSession, bare
from reconciler.writing.update import set_counts

PHASE = "Creating Subscriptions"


@dataclass(slots=True, kw_only=True)
class Creator:
    """Carries a run's creates out. `marked` are the rows of the listing `marked_in` by their markers."""

    session: WriteSession
    done: int = 0
    total: int = 0
    announced: set[str] = field(default_factory=set)
    marked: dict[str, list[Subscription]] = field(default_factory=dict)
    marked_in: Mapping[SubscriptionId, Subscription] | None = None

    def create(self, changes: Sequence[Change]) -> None:
        """Create a Subscription for each change and set its count; what was sent ends with an outcome or in `written`.

        What the run did not come to has neither: whoever calls tells that of all writes alike.

        Raises `ApiError` when a listing cannot be read, `StateError` when nothing more can be recorded.
        """
        if not changes:
            return
        self.total = len(changes)
        self.session.observe(PhaseStarted(phase=PHASE, total=self.total, at_least=self._seconds_at_least()))
        waiting = self._look_twice(list(changes))
        while waiting and self.session.may_write():
            size = self._group_size(len(waiting))
            group, waiting = waiting[:size], waiting[size:]
            # One listing is not enough to conclude that nothing exists: the plan's may have been cut short.
            self.session.freshen(size + _READS_PER_GROUP, anew=True)
            waiting = self._create_group(self._without_candidate(group)) + waiting
        self.session.observe(PhaseFinished(phase=PHASE))

    def _seconds_at_least(self) -> float:
        """What the request budget makes of this many creates."""
        rows, settings = len(self.session.listing), self.session.settings
        page = self.session.state.recorded.halo.page_rows
        return waiting_time(self.total, 0, rows=rows, settings=settings, page_rows=page).total_seconds()

    def _group_size(self, left: int) -> int:
        """As many as one batch of counts takes, and as the request budget lets through without a pause."""
        budget = self.session.settings.halo_budget.requests - _READS_PER_GROUP
        return max(1, min(left, self.session.settings.batch, budget))

    # -- step 1: no candidate ---------------------------------------------------------------------------------------

    def _look_twice(self, changes: list[Change]) -> list[Change]:
        """An attempt that settled without a trace may be replaced only after two listings a minute apart (C2)."""
        if not any(c.settled_attempt for c in changes):
            return changes
        reason = "looking a second time for Subscriptions of earlier creates whose outcome is unknown"
        self.session.observe(Waiting(seconds=FRESH_SECONDS, reason=reason))
        self.session.clock.sleep(FRESH_SECONDS)
        self.session.relist()
        return [c for c in self._without_candidate(changes) if not was_made(self.session, c)]

    def _without_candidate(self, changes: Iterable[Change]) -> list[Change]:
        """The changes for which the last listing shows nothing that could be their Subscription already."""
        recorded = self.session.state.recorded
        taken = {binding.subscription_id for binding in recorded.bindings.values()}
        appeared = [
            s
            for s in self.session.listing.values()
            if s.id not in self.session.planned and s.id not in taken and s.marker not in recorded.attempts
        ]
        return [c for c in changes if self._no_candidate(c, appeared)]

    def _no_candidate(self, change: Change, appeared: Sequence[Subscription]) -> bool:
        """The marker decides; besides, what a person made since the plan under the same name may well be meant."""
        hits = self._hits(change.key)
        namesakes = [s for s in appeared if is_what_was_sent(s, change)]
        if hits:
            message = f"Subscription {hits[0].id} with the marker {change.key} has appeared; the next run adopts it"
            self.session.settle(change.key, Outcome.STALE, message, at=hits[0].id)
        elif namesakes:
            message = f"Subscription {namesakes[0].id} of the same name has appeared since the plan; nothing is created"
            self.session.settle(change.key, Outcome.STALE, message, at=namesakes[0].id)
        return not hits and not namesakes

    def _hits(self, key: MappingKey) -> list[Subscription]:
        if self.marked_in is not self.session.listing:  # once a listing: a group asks for fifty keys
            self.marked, self.marked_in = {}, self.session.listing
            given_up = {n for numbers in self.session.state.recorded.given_up.values() for n in numbers}
            for row in self.session.listing.values():
                if row.marker and row.id not in given_up:
                    self.marked.setdefault(row.marker, []).append(row)
        return self.marked.get(key, [])

    # -- steps 2 and 3: record, then post once ----------------------------------------------------------------------

    def _create_group(self, group: Sequence[Change]) -> list[Change]:
        """One group through all steps; returns the changes that were not sent because time ran on."""
        if not group:
            return []
        recorded_at, attempts = self._record(group)
        known = frozenset(self.session.listing)
        answers: dict[MappingKey, WriteAnswer] = {}
        unsent: list[Change] = []
        throttled: Unclear | None = None
        for change in group:
            if change.key not in attempts:
                continue
            late = self.session.clock.monotonic() - recorded_at > FRESH_SECONDS
            if throttled is not None or late or not self.session.may_write():
                unsent.append(change)
                continue
            try:
                answers[change.key] = answer = self._post(change)
                if isinstance(answer, Unclear):
                    throttled = answer if answer.throttled else None
                    if answer.warned:
                        self.session.warnings[change.key] = "; ".join(answer.warned.values())
            except Interrupted:  # it still waited for its turn, so it was not sent
                unsent.append(change)
                continue
            self.done += 1
            self.session.observe(PhaseAdvanced(phase=PHASE, done=self.done, total=self.total))
        self.session.state.settle_attempts({c.key: attempts[c.key].nonce for c in unsent})
        if throttled is not None:
            self._wait_out(throttled)
        sent = [c for c in group if c.key in answers]
        self._follow_up(sent, answers, attempts, known)
        return [] if self.session.halted else unsent

    def _wait_out(self, answer: Unclear) -> None:
        """After a 429 the others of the group are left for later: each that met one would be unknown for hours."""
        if self.session.throttled >= FAILURES_IN_A_ROW:
            self.session.halted = f"{self.session.throttled} creates in a row met HaloPSA's request limit"
        self.session.wait_out(answer)

    def _record(self, group: Sequence[Change]) -> tuple[float, dict[MappingKey, Attempt]]:
        """Record all attempts of the group in one durable step; a key that somebody else holds is held."""
        recorded_at = self.session.clock.monotonic()
        now = self.session.clock.now()
        attempts = {c.key: self._attempt(c, now) for c in group}
        replacing = {c.key: c.settled_attempt.nonce for c in group if c.settled_attempt}
        granted = self.session.state.record_attempts(list(attempts.values()), replacing=replacing)
        for change in group:
            if change.key not in granted:
                message = "another run is creating it right now, or has just done so; the next run decides"
                self.session.settle(change.key, Outcome.HELD, message)
        return recorded_at, {key: a for key, a in attempts.items() if key in granted}

    def _attempt(self, change: Change, now: datetime) -> Attempt:
        earlier = change.settled_attempt
        return Attempt(
            key=change.key,
            generation=earlier.generation + 1 if earlier else 1,
            run=self.session.run,
            nonce=self.session.context.nonce(),
            customer_id=change.mapping.halo_customer.id,
            subscription_name=change.mapping.subscription_name,
            recorded_at=now,
        )

    def _post(self, change: Change) -> WriteAnswer:
        mapping = change.mapping
        request = self.session.target.prepare_create(
            NewSubscription(key=change.key, customer_id=mapping.halo_customer.id, name=mapping.subscription_name)
        )
        entry = IntentEntry(key=change.key, subscription_id=None, before=None, after=0)
        return self.session.write("create", (entry,), request)

    # -- steps 4 to 6: look, bind, set the count --------------------------------------------------------------------

    def _follow_up(
        self,
        sent: Sequence[Change],
        answers: dict[MappingKey, WriteAnswer],
        attempts: dict[MappingKey, Attempt],
        known: frozenset[SubscriptionId],
    ) -> None:
        if not sent:
            return
        try:
            found = self._look_for(sent, answers, known)
        except ReconcilerError:
            keep_named(self.session, sent, answers)
            raise
        keep_named(self.session, [c for c in sent if c.key not in found], answers)
        failed = {}
        for change in sent:
            answer = answers[change.key]
            if change.key in found or change.key in self.session.outcomes:
                continue
            if isinstance(answer, Refused):
                failed[change.key] = attempts[change.key].nonce
                self.session.settle(change.key, Outcome.FAILED, f"HaloPSA refused the create: {answer.message}")
            else:
                self.session.settle(change.key, Outcome.UNKNOWN, _unknown_create(change, answer))
        self.session.state.settle_attempts(failed)
        now = self.session.clock.now()
        bound = [c for c in sent if c.key in found]
        self.session.state.record_bindings([_binding(c, found[c.key], now) for c in bound])
        set_counts(self.session, [t for c in bound if (t := self._first_count(c, found[c.key]))])

    def _look_for(
        self, sent: Sequence[Change], answers: dict[MappingKey, WriteAnswer], known: frozenset[SubscriptionId]
    ) -> dict[MappingKey, Subscription]:
        """Read listings until every create that may have worked shows exactly once, or the wait is over."""
        wait = max(self.session.settings.marker_wait_seconds, self.session.late_seconds)
        deadline = self.session.clock.monotonic() + wait
        pause = 1.0
        details = Details(target=self.session.target, marker_field=self.session.settings.marker_field)
        while True:
            self.session.relist()
            listed = tuple(self.session.listing.values())
            shown = details.reveal(listed, self._unexplained(sent, answers, known))
            self.session.listing = {row.id: row for row in shown}
            found = {c.key: s for c in sent if (s := self._new_object(c, answers[c.key], known))}
            missing = [
                c
                for c in sent
                if c.key not in found and c.key not in self.session.outcomes and not isinstance(answers[c.key], Refused)
            ]
            left = deadline - self.session.clock.monotonic()
            if not missing or left <= 0:
                return found
            if not self.session.pause(min(pause, left)):
                return found
            pause = min(pause * 2, 15.0)

    def _unexplained(
        self, sent: Sequence[Change], answers: dict[MappingKey, WriteAnswer], known: frozenset[SubscriptionId]
    ) -> Iterator[list[SubscriptionId]]:
        """For each create whose answer names no row: the new rows that it may have made."""
        new = [row for row in self.session.listing.values() if row.id not in known]
        for change in sent:
            answer = answers[change.key]
            if not isinstance(answer, Refused) and self._named_by(answer, known) is None:
                yield [row.id for row in new if is_what_was_sent(row, change)]

    def _new_object(self, change: Change, answer: WriteAnswer, known: frozenset[SubscriptionId]) -> Subscription | None:
        hits = self._hits(change.key)
        if len(hits) > 1:
            ids = ", ".join(str(s.id) for s in hits)
            message = f"{len(hits)} Subscriptions carry the marker {change.key}: {ids}; none of them is touched"
            self.session.settle(change.key, Outcome.FAILED, message)
            return None
        named = self._named_by(answer, known)
        if hits and named is not None and named.id != hits[0].id:
            message = (
                f"HaloPSA says it created {named.id}, and the marker {change.key} stands on {hits[0].id}: did somebody "
                "copy it? None of them is touched in this run"
            )
            self.session.settle(change.key, Outcome.FAILED, message, at=named.id)
            return None
        if hits:
            # Sent with 0: a row with users that no answer names may be one on which somebody put the marker meanwhile.
            ours = named is not None or not hits[0].count
            return hits[0] if ours and is_what_was_sent(hits[0], change) else None
        if named is not None and named.marker is None and is_what_was_sent(named, change):
            self._say_marker_is_lost()
            return named
        return None

    def _named_by(self, answer: WriteAnswer, known: frozenset[SubscriptionId]) -> Subscription | None:
        """The new row whose id a clean answer names, once a listing shows it."""
        if not isinstance(answer, Accepted) or answer.subscription_id is None or answer.subscription_id in known:
            return None
        return self.session.listing.get(answer.subscription_id)

    def _say_marker_is_lost(self) -> None:
        field_name = str(self.session.settings.marker_field)
        if field_name in self.announced or field_name == "none":
            return
        self.announced.add(field_name)
        self.session.observe(
            Noticed(
                message=(
                    f"HaloPSA does not give the marker in {field_name!r} back: from now on only the recorded binding "
                    "says which Subscription is whose. Keep the state safe, or choose another settings.marker_field"
                )
            )
        )

    def _first_count(self, change: Change, found: Subscription) -> CountTarget | None:
        wanted = change.quantity.result
        if wanted is None or found.count is None:
            self.session.settle(change.key, Outcome.FAILED, "HaloPSA gives no whole number as its count", at=found.id)
            return None
        target = CountTarget(change=change, subscription_id=found.id, before=found.count, after=wanted)
        if found.count == wanted:
            self.session.written[change.key] = target
            self.session.frames[found.id] = found
            return None
        return target


_READS_PER_GROUP = 4
"""Requests besides the posts that one group needs at least: listing before, listing after, counts, and one spare."""


def _binding(change: Change, found: Subscription, now: datetime) -> Binding:
    return Binding(
        key=change.key,
        subscription_id=found.id,
        customer_id=change.mapping.halo_customer.id,
        origin=BindingOrigin.CREATED,
        bound_at=now,
        awaiting_first_count=True,
    )


def _unknown_create(change: Change, answer: WriteAnswer) -> str:
    why = answer.message if isinstance(answer, Unclear) else "HaloPSA said yes"
    return (
        f"a create was sent and no Subscription with the marker {change.key} shows yet: {bare(why)}; it is not "
        "sent again. The next run adopts it if it has appeared"
    )


# -- Ids that the answers to creates named: kept where no listing shows them, and read by themselves (FAULTS H30) -----


def is_what_was_sent(found: Subscription, change: Change) -> bool:
    """True for a live Subscription of the customer and the name that the create of this change sends."""
    return found.live and _is_named_alike(found, change)


def _is_named_alike(found: Subscription, change: Change) -> bool:
    mapping = change.mapping
    return (
        found.is_subscription
        and found.customer_id == mapping.halo_customer.id
        and same_name(found.name, mapping.subscription_name)
    )


def keep_named(session: WriteSession, changes: Sequence[Change], answers: Mapping[MappingKey, WriteAnswer]) -> None:
    """Keep with the attempts of these changes the ids that the answers named. Raises `StateError`."""
    session.state.record_named(
        {
            change.key: answer.subscription_id
            for change in changes
            if isinstance(answer := answers[change.key], Accepted) and answer.subscription_id is not None
        }
    )


def was_made(session: WriteSession, change: Change) -> bool:
    """True where the id that the earlier create's answer named exists, or cannot be told: then nothing is created.

    Lists may leave out what exists; one object that is read by itself is not cut off by any page.
    """
    number = change.settled_attempt.named_id if change.settled_attempt else None
    if number is None:
        return False
    try:
        found = session.target.subscription(number)
    except NotFound:
        return False
    except ApiError as error:
        seen = f"could not be read ({bare(error.message)}): the next run looks again"
    else:
        if not _is_named_alike(found, change):
            return False
        adopt = resolved_by(change.key, number)
        over = "deleted" if found.deleted else "inactive"
        seen = (
            f"exists, though no listing shows it. To use it: {adopt}"
            if found.live
            else f"is {over}. Restore it in HaloPSA, then: {adopt}; or, for a new one: {abandon_command(change.key)}"
        )
    message = f"nothing is created: Subscription {number}, which the answer to the earlier create named, {seen}"
    session.settle(change.key, Outcome.HELD, message, at=number)
    return True
