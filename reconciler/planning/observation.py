"""What a run stands on, and its reading of both systems: complete or not at all. Nothing is written.

Also what HaloPSA shows of one Subscription alone and leaves out of its lists: markers (FAULTS H27), inactive rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from reconciler.clock import Clock
from reconciler.errors import ApiError, NotAuthorised, NotFound, UnreadableAnswer
from reconciler.events import Observer, PhaseFinished, PhaseStarted
from reconciler.model import (
    InfimaClient,
    InfimaClientId,
    MappingKey,
    Mappings,
    MarkerField,
    Observation,
    Subscription,
    SubscriptionId,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.planning.index import index_subscriptions
from reconciler.planning.rules import Allowance
from reconciler.planning.twins import candidates
from reconciler.providers.base import SubscriptionTarget, Systems
from reconciler.state.base import StateStore
from reconciler.state.recorded import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the person who started the run asked for."""

    only: tuple[MappingKey, ...] = ()
    exclude: tuple[MappingKey, ...] = ()
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The valid file, both systems, the state, the clock, and whom to tell.

    `stop` asks whether somebody wants the run to end. `writing` surrounds everything from the first possible write to
    the last look at it: meanwhile a stop waits for the write in flight. `nonce` gives words that nobody can guess.
    """

    mappings: Mappings
    systems: Systems
    store: StateStore
    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    nonce: Callable[[], str]
    writing: Callable[[], AbstractContextManager[None]] = nullcontext


def observe(context: RunContext, recorded: Recorded) -> Observation:
    """Read everything a plan needs from both systems, side by side; complete or not at all. Raises `ApiError`.

    `recorded` spares looking for Subscriptions that the state knows.

    Counting users takes long where there are many clients. Subscriptions are then listed last, so that what a person
    edits in HaloPSA meanwhile is seen and not overwritten.
    """
    systems, mappings, tell = context.systems, context.mappings, context.observe
    begun_at = context.clock.now()
    begun: list[datetime] = []

    def list_subscriptions() -> tuple[Subscription, ...]:
        begun.append(context.clock.now())
        return _phase(tell, "Reading HaloPSA Subscriptions", systems.target.subscriptions, _many("rows"))

    pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="observe")
    try:
        partner = pool.submit(_phase, tell, "Connecting to INFIMA", systems.source.partner, str)
        clients = pool.submit(_phase, tell, "Reading INFIMA clients", systems.source.clients, _many("clients"))
        customers = pool.submit(_phase, tell, "Reading HaloPSA customers", systems.target.customers, _many("customers"))
        early = [] if any(m.walks_users for m in mappings.mappings) else [pool.submit(list_subscriptions)]
        _raise_first(partner, clients, customers, *early)
    finally:  # whoever interrupts a read does not wait for the other reads to end
        pool.shutdown(wait=False, cancel_futures=True)
    wanted = clients_to_count(mappings, clients.result())
    counts: tuple[UserCount | UnreadableUsers, ...] = ()
    if wanted:
        counts = systems.source.user_counts(wanted)  # tells of its own progress, client by client
    listing = early[0].result() if early else list_subscriptions()
    listing = reveal_known(systems.target, mappings, listing, recorded)
    return Observation(
        taken_at=begun_at,
        tenant=Tenant(halo_url=systems.halo_url, infima_partner=partner.result()),
        clients=clients.result(),
        user_counts=counts,
        customers=customers.result(),
        subscriptions=reveal_markers(systems.target, mappings, listing, recorded),
        listed_at=begun[0],
    )


def clients_to_count(mappings: Mappings, clients: Iterable[InfimaClient]) -> tuple[InfimaClientId, ...]:
    """The listed clients whose users some mapping counts, in ascending order."""
    listed = {c.id for c in clients}
    wanted = {ref.id for m in mappings.mappings if m.walks_users for ref in m.infima_clients}
    return tuple(sorted(wanted & listed))


def every_client_to_bill(mappings: Mappings, clients: Iterable[InfimaClient]) -> tuple[InfimaClientId, ...]:
    """All listed clients but the ignored ones, in ascending order."""
    return tuple(sorted({c.id for c in clients} - {one.client.id for one in mappings.ignored}))


def count_more(context: RunContext, seen: Observation, wanted: Iterable[InfimaClientId]) -> Observation:
    """The same reading with the users of these clients counted as well. Raises `ApiError`."""
    missing = sorted({*wanted} - {one.client_id for one in seen.user_counts})
    if not missing:
        return seen
    counted = (*seen.user_counts, *context.systems.source.user_counts(missing))
    return replace(seen, user_counts=tuple(sorted(counted, key=lambda one: one.client_id)))


T = TypeVar("T")


def _phase(tell: Observer, phase: str, read: Callable[[], T], sum_up: Callable[[T], str]) -> T:
    tell(PhaseStarted(phase=phase))
    result = read()
    tell(PhaseFinished(phase=phase, detail=sum_up(result)))
    return result


def _many(noun: str) -> Callable[[Sequence[object]], str]:
    return lambda rows: f"{len(rows)} {noun}"


def _raise_first(*reads: Future[Any]) -> None:
    """Wait for all; of several failures the one about rights is the cause a person can mend, so it is told first."""
    failures = [error for read in reads if (error := read.exception()) is not None]
    failures.sort(key=lambda error: not isinstance(error, NotAuthorised))
    if failures:
        raise failures[0]


# -- What the lists leave out -----------------------------------------------------------------------------------------


MOST_READS = 50
"""So many details are read at most for one plan, and for one group of creates; what is left over keeps its doubt."""


@dataclass(slots=True, kw_only=True)
class Details:
    """The details read so far, each once, and how many more may be. Mutable: creates look again and again."""

    target: SubscriptionTarget
    marker_field: MarkerField
    markers: dict[SubscriptionId, str | None] = field(default_factory=dict)
    left: int = MOST_READS

    def reveal(
        self, listing: tuple[Subscription, ...], groups: Iterable[Sequence[SubscriptionId]]
    ) -> tuple[Subscription, ...]:
        """The listing, with the markers that only the details of the rows in `groups` show.

        Nothing is read where any listed row has the member: then its absence from another says that nothing stands
        there. A group is read whole or not at all, because one marker seen of two would be taken for the only one.
        What cannot be read stays as it was listed. Source: FAULTS H27.
        """
        name = self.marker_field
        if name is MarkerField.NONE or any(name.value in row.raw for row in listing):
            return listing
        for group in groups:
            unread = [number for number in group if number not in self.markers]
            if len(unread) > self.left:
                break
            self.left -= len(unread)
            try:
                self.markers |= {number: self.target.subscription(number).marker for number in unread}
            except (NotFound, UnreadableAnswer):
                continue  # this row's own trouble; the other groups may well be read
            except ApiError:
                break
        return tuple(replace(row, marker=self.markers[row.id]) if row.id in self.markers else row for row in listing)


def reveal_markers(
    target: SubscriptionTarget, mappings: Mappings, listing: tuple[Subscription, ...], recorded: Recorded
) -> tuple[Subscription, ...]:
    """The listing with the hidden markers of all rows that some mapping without a Subscription may mean."""
    details = Details(target=target, marker_field=mappings.settings.marker_field)
    return details.reveal(listing, _in_question(mappings, listing, recorded))


def reveal_known(
    target: SubscriptionTarget,
    mappings: Mappings,
    listing: tuple[Subscription, ...],
    recorded: Recorded,
    *,
    live_too: bool = False,
) -> tuple[Subscription, ...]:
    """The listing, and besides what it leaves out of the ids that file and state know: each is read by itself.

    A list may leave out what is inactive, and where no marker comes back nothing else speaks of such a row: it would be
    called gone, and a second one would be made. A live row of a mapping is added only with `live_too`, for a decision
    by hand: a plan would write to it, and no list could show what came of it. Raises `ApiError` where an id that would
    stop a create cannot be read.
    """
    listed = {row.id for row in listing}
    found = []
    for number in sorted(_former(mappings, recorded) - listed):
        with suppress(NotFound):
            found.append(target.subscription(number))
    for number in sorted(_own(mappings, recorded) - listed)[:MOST_READS]:
        try:
            row = target.subscription(number)
        except (NotFound, UnreadableAnswer):
            continue
        except ApiError:
            break  # its mapping is held as it is
        if live_too or not row.live:
            found.append(row)
    return tuple(sorted((*listing, *found), key=lambda row: row.id))


def _own(mappings: Mappings, recorded: Recorded) -> set[SubscriptionId]:
    """The ids that file and state give the mappings, or a create's answer named; a retired one needs none."""
    bindings = recorded.bindings
    kept = [mapping for mapping in mappings.mappings if not mapping.retired]
    named = {mapping.subscription_id for mapping in kept if mapping.subscription_id is not None}
    named |= {bindings[mapping.key].subscription_id for mapping in kept if mapping.key in bindings}
    answered = (recorded.attempts[mapping.key].named_id for mapping in kept if mapping.key in recorded.attempts)
    return named | {number for number in answered if number is not None}


def _former(mappings: Mappings, recorded: Recorded) -> set[SubscriptionId]:
    """What the state has under keys that left the file, at customers for which a mapping is about to get a new one."""
    keys = {mapping.key for mapping in mappings.mappings}
    creating = {
        mapping.halo_customer.id
        for mapping in mappings.mappings
        if mapping.subscription_id is None and mapping.key not in recorded.bindings and not mapping.retired
    }
    bindings = recorded.bindings.items()
    return {bound.subscription_id for key, bound in bindings if key not in keys and bound.customer_id in creating}


def _in_question(
    mappings: Mappings, listing: Sequence[Subscription], recorded: Recorded
) -> Iterator[list[SubscriptionId]]:
    """The candidates of each mapping that neither file nor state gives a Subscription; open attempts come first."""
    index = index_subscriptions(listing, mappings.mappings, recorded)
    for mapping in sorted(mappings.mappings, key=lambda m: (m.key not in recorded.attempts, m.key)):
        if mapping.subscription_id is None and mapping.key not in recorded.bindings:
            yield [row.id for row in candidates(mapping, index, recorded)]
