"""The story of a run: observe -> diff -> check -> show | apply -> record.

Everything with an outside (providers, state, clock, whom to ask and to tell) is passed in; `cli` wires it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from reconciler.apply import Applied, Listing, PlannedRow, Tools, apply
from reconciler.changes import Change, Plan, select
from reconciler.clock import Clock
from reconciler.errors import ApiError, NotAuthorised, ReconcilerError, StateError
from reconciler.events import Noticed, Observer, PhaseFinished, PhaseStarted
from reconciler.model import (
    CountSource as CountRule,
)
from reconciler.model import (
    InfimaClient,
    InfimaClientId,
    MappingKey,
    Mappings,
    Observation,
    Recorded,
    Subscription,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.plan import diff, takes_long
from reconciler.providers.base import CountSource, SubscriptionTarget
from reconciler.rules import Allowance
from reconciler.safety import check
from reconciler.state.base import RunInfo, RunState, RunVerdict, StateStore
from reconciler.verdict import EXIT_INCOMPLETE, cancelled, failed, verdict_of

STALE_AFTER = timedelta(hours=36)
"""From this age on, the last good run is old enough that every plan and apply says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Both systems, connected. `halo_url` is the instance's address, part of the tenant."""

    source: CountSource
    target: SubscriptionTarget
    halo_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person who started the run asked for."""

    only: tuple[MappingKey, ...] = ()
    exclude: tuple[MappingKey, ...] = ()
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Clock, observer, the wish to stop, and a source of unguessable words."""

    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    nonce: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an apply ended: its plan, the outcome of every change, the verdict that was recorded."""

    plan: Plan
    applied: Applied
    verdict: RunVerdict
    confirmed: bool = True


# ---------------------------------------------------------------------------------------------------------------------
# observe -> diff -> check
# ---------------------------------------------------------------------------------------------------------------------


def observe(live: Live, mappings: Mappings, surroundings: Surroundings) -> Observation:
    """Read everything a plan needs from both systems, side by side; complete or not at all. Raises `ApiError`.

    Counting users takes long where there are many clients. Subscriptions are then listed last, so that what a person
    edits in HaloPSA meanwhile is seen and not overwritten.
    """
    taken_at = surroundings.clock.now()
    tell = surroundings.observe

    def list_subscriptions() -> tuple[Subscription, ...]:
        return _phase(tell, "Reading HaloPSA Subscriptions", live.target.subscriptions, _many("rows"))

    pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="observe")
    try:
        partner = pool.submit(_phase, tell, "Connecting to INFIMA", live.source.partner, str)
        clients = pool.submit(_phase, tell, "Reading INFIMA clients", live.source.clients, _many("clients"))
        customers = pool.submit(_phase, tell, "Reading HaloPSA customers", live.target.customers, _many("customers"))
        early = [] if counts_users(mappings) else [pool.submit(list_subscriptions)]
        _raise_first(partner, clients, customers, *early)
    finally:  # whoever interrupts a read does not wait for the other reads to end
        pool.shutdown(wait=False, cancel_futures=True)
    wanted = clients_to_count(mappings, clients.result())
    counts: tuple[UserCount | UnreadableUsers, ...] = ()
    if wanted:
        counts = live.source.user_counts(wanted)  # tells of its own progress, client by client
    return Observation(
        taken_at=taken_at,
        tenant=Tenant(halo_url=live.halo_url, infima_partner=partner.result()),
        clients=clients.result(),
        user_counts=counts,
        customers=customers.result(),
        subscriptions=early[0].result() if early else list_subscriptions(),
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


def make_plan(mappings: Mappings, observation: Observation, recorded: Recorded, wishes: Wishes) -> Plan:
    """Compare, judge the whole, then keep what --only and --exclude ask for. Pure."""
    plan = check(diff(mappings, observation, recorded), mappings.limits, wishes.allowances)
    plan = select(plan, only=wishes.only, exclude=wishes.exclude)
    told = (_overdue(recorded, observation.taken_at), takes_long(plan, mappings.settings))
    return replace(plan, warnings=(*filter(None, told), *plan.warnings))


def _overdue(recorded: Recorded, now: datetime) -> str:
    last = recorded.last_good_run
    if last is None or now - last <= STALE_AFTER:
        return ""
    hours = int((now - last) / timedelta(hours=1))
    return (
        f"the last run that came to its end was {hours} hours ago ({last:%Y-%m-%d %H:%M} UTC): look whether the "
        "nightly run still runs"
    )


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


# ---------------------------------------------------------------------------------------------------------------------
# apply -> record
# ---------------------------------------------------------------------------------------------------------------------

Confirm = Callable[[Plan], bool]
"""Shows the plan and asks a person; true only for a plain yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """Everything one apply needs. `confirm` is None when it was approved beforehand; `agreed` are a saved plan's rows.

    `check_fresh` sees the fresh plan before anything else happens and may raise. `writing` surrounds everything from
    the first possible write to the last look at it.
    """

    live: Live
    mappings: Mappings
    store: StateStore
    info: RunInfo
    wishes: Wishes
    surroundings: Surroundings
    show: Callable[[Plan], None]
    confirm: Confirm | None = None
    agreed: Mapping[MappingKey, PlannedRow] | None = None
    check_fresh: Callable[[Plan], None] | None = None
    writing: Callable[[], AbstractContextManager[None]] = nullcontext


def run_apply(job: Applying) -> Finished:
    """Carry out one apply from lock to verdict.

    Raises `StateError` when the state cannot be had, `ApiError` when the reads fail; both are recorded as the run's
    verdict where there is a state to record them in.
    """
    with job.store.open_run(job.info) as state:
        with _failure_on_record(job, state, "Failed before the first write"):
            plan, listing = _plan_afresh(job, state)
            asked = job.confirm is not None and bool(plan.writes)
            if asked and job.confirm is not None and not job.confirm(plan):
                return _record_cancellation(job, state, plan)
        with _failure_on_record(job, state, "Ended during the writing, the journal says after what"), job.writing():
            applied = apply(plan, _tools(job, state), listing, agreed=job.agreed, confirmed_by_person=asked)
            return _record_verdict(job, state, plan, applied)


@contextmanager
def _failure_on_record(job: Applying, state: RunState, when: str) -> Iterator[None]:
    """What ends a run early leaves its cause in the history."""
    try:
        yield
    except (ReconcilerError, KeyboardInterrupt) as error:
        try:
            state.finish(failed(job.info.id, error, when=when, finished_at=job.surroundings.clock.now()))
        except StateError as second:
            job.surroundings.observe(Noticed(message=f"the failure could not be recorded: {second.message}"))
        raise


def _plan_afresh(job: Applying, state: RunState) -> tuple[Plan, Listing]:
    """Read, compare, judge, and show what comes of it."""
    listed_at = job.surroundings.clock.monotonic()  # the listing is among the first reads; counting users takes long
    observation = observe(job.live, job.mappings, job.surroundings)
    plan = make_plan(job.mappings, observation, state.recorded, job.wishes)
    if job.check_fresh is not None:
        job.check_fresh(plan)
    _note_plan(state, plan)
    job.show(plan)
    return plan, Listing(subscriptions=observation.subscriptions, listed_at=listed_at)


def _record_cancellation(job: Applying, state: RunState, plan: Plan) -> Finished:
    verdict = cancelled(job.info.id, plan, finished_at=job.surroundings.clock.now())
    state.finish(verdict)
    return Finished(plan=plan, applied=Applied(outcomes={}), verdict=verdict, confirmed=False)


def _record_verdict(job: Applying, state: RunState, plan: Plan, applied: Applied) -> Finished:
    around = job.surroundings
    verdict = verdict_of(job.info.id, plan, applied, stopped=around.stop(), finished_at=around.clock.now())
    try:
        state.finish(verdict)
    except StateError as error:
        verdict = replace(verdict, exit_code=max(verdict.exit_code, EXIT_INCOMPLETE))
        applied = replace(applied, error=applied.error or error)
    return Finished(plan=plan, applied=applied, verdict=verdict)


def _tools(job: Applying, state: RunState) -> Tools:
    around = job.surroundings
    return Tools(
        target=job.live.target,
        recount=lambda changes: _recount(job, changes),
        state=state,
        clock=around.clock,
        settings=job.mappings.settings,
        observe=around.observe,
        stop=around.stop,
        run=job.info.id,
        nonce=around.nonce,
    )


def _recount(job: Applying, changes: Sequence[Change]) -> dict[MappingKey, int | None]:
    """Read the counts of these mappings again, from scratch."""
    try:
        clients = {c.id: c for c in job.live.source.clients()}
        wanted = [
            ref.id
            for change in changes
            if change.mapping.quantity.count is CountRule.ACTIVE_USERS
            for ref in change.mapping.infima_clients
            if ref.id in clients
        ]
        read = {u.client_id: u for u in job.live.source.user_counts(wanted)}
    except ApiError as error:
        job.surroundings.observe(Noticed(message=f"the second read of INFIMA failed: {error.message}"))
        return {}
    return {change.key: _second_count(change, clients, read) for change in changes}


def _second_count(
    change: Change,
    clients: Mapping[InfimaClientId, InfimaClient],
    read: Mapping[InfimaClientId, UserCount | UnreadableUsers],
) -> int | None:
    total = 0
    for ref in change.mapping.infima_clients:
        client = clients.get(ref.id)
        if client is None:
            return None
        users = read.get(ref.id)
        by_record = change.mapping.quantity.count is CountRule.CLIENT_RECORD
        count = client.user_count if by_record else (users.active if isinstance(users, UserCount) else None)
        if count is None:
            return None
        total += count
    return total


def _note_plan(state: RunState, plan: Plan) -> None:
    summary = plan.summary
    state.note(
        "plan",
        {
            "create": summary.create,
            "update": summary.update,
            "no_op": summary.no_op,
            "held": summary.held,
            "users_before": summary.users_before,
            "users_after": summary.users_after,
            "refused_by": [str(v.rule) for v in plan.refusals],
            "holds": {c.key: str(c.hold.rule) for c in plan.changes if c.hold is not None},
            "allowances": [{"rule": str(a.rule), "key": a.key, "reason": a.reason} for a in plan.allowances],
        },
    )
