"""Reading both systems: everything that a plan is made from, complete or not at all. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from reconciler.errors import NotAuthorised
from reconciler.events import Observer, PhaseFinished, PhaseStarted
from reconciler.model import (
    CountRule,
    InfimaClient,
    InfimaClientId,
    Mappings,
    Observation,
    Recorded,
    Subscription,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.planning.context import RunContext
from reconciler.planning.markers import reveal_known, reveal_markers


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
        early = [] if counts_users(mappings) else [pool.submit(list_subscriptions)]
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


def counts_users(mappings: Mappings) -> bool:
    """True when some mapping's users have to be walked one by one."""
    return any(m.counts_users and m.quantity.count is CountRule.ACTIVE_USERS for m in mappings.mappings)


def clients_to_count(mappings: Mappings, clients: Iterable[InfimaClient]) -> tuple[InfimaClientId, ...]:
    """The listed clients whose users some mapping counts, in ascending order."""
    listed = {c.id for c in clients}
    wanted = {
        ref.id
        for m in mappings.mappings
        if m.counts_users and m.quantity.count is CountRule.ACTIVE_USERS
        for ref in m.infima_clients
    }
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
