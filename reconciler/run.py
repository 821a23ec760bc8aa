"""The story of a run: observe -> diff -> check -> show | apply -> record.

Everything with an outside (providers, state, clock, whom to ask and to tell) is passed in; `cli` wires it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from reconciler.apply import apply
from reconciler.errors import ApiError, ExitCode, ReconcilerError, StateError
from reconciler.events import Noticed
from reconciler.model import (
    CountRule,
    Falls,
    HaloCustomer,
    InfimaClient,
    InfimaClientId,
    MappingKey,
    Mappings,
    Observation,
    Recorded,
    Sighting,
    UnreadableUsers,
    UserCount,
)
from reconciler.plan import diff, takes_long
from reconciler.planning.changes import Change, Outcome, Plan, PlannedRow, select
from reconciler.planning.context import PlanOptions, RunContext
from reconciler.planning.observation import observe
from reconciler.planning.ours import first_sighting, sight
from reconciler.planning.snapshot import Snapshot
from reconciler.safety.check import check
from reconciler.state.base import RunInfo, RunState, RunVerdict
from reconciler.writing.session import Applied, WriteSession
from reconciler.writing.verdict import cancelled, failed, verdict_of

STALE_AFTER = timedelta(hours=36)
"""From this age on, the last good run is old enough that every plan and apply says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an apply ended: its plan, the outcome of every change, the verdict that was recorded.

    `record_missing` says why the state does not hold the verdict; empty where it does.
    """

    plan: Plan
    applied: Applied
    verdict: RunVerdict
    confirmed: bool = True
    record_missing: str = ""


Confirm = Callable[[Plan], bool]
"""Shows the plan and asks a person; true only for a plain yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRun:
    """One apply: what it stands on, who started it with which options, and whom to show the plan and to ask.

    `confirm` is None when it was approved beforehand; `agreed` are a saved plan's rows. `check_fresh` sees the fresh
    plan before anything else happens and may raise.
    """

    context: RunContext
    info: RunInfo
    options: PlanOptions
    show: Callable[[Plan], None]
    confirm: Confirm | None = None
    agreed: Mapping[MappingKey, PlannedRow] | None = None
    check_fresh: Callable[[Plan], None] | None = None


def read_live(context: RunContext) -> Snapshot:
    """Read the state and both systems: everything a plan is made from, besides mappings.yaml."""
    recorded = context.store.read()
    return Snapshot(observation=observe(context, recorded), recorded=recorded)


def make_plan(mappings: Mappings, observation: Observation, recorded: Recorded, options: PlanOptions) -> Plan:
    """Compare, judge the whole, then keep what --only and --exclude ask for. Pure."""
    today = mappings.settings.day(observation.taken_at)
    plan = check(
        diff(mappings, observation, recorded), mappings.limits, options.allowances, mappings.approvals, today=today
    )
    plan = select(plan, only=options.only, exclude=options.exclude)
    told = (*recorded.damage, _overdue(recorded, observation.taken_at), takes_long(plan, mappings.settings))
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


def run_apply(job: ApplyRun) -> Finished:
    """Carry out one apply from lock to verdict.

    Raises `StateError` when the state cannot be had, `ApiError` when the reads fail; both are recorded as the run's
    verdict where there is a state to record them in.
    """
    seen = _Seen(mappings=job.context.mappings)
    with job.context.store.open_run(job.info) as state:
        with _failure_on_record(job, state, seen, "Failed before the first write"):
            plan, session = _plan_afresh(job, state, seen)
            asked = job.confirm is not None and bool(plan.writes)
            if asked and job.confirm is not None and not job.confirm(plan):
                return _record_cancellation(job, state, plan, seen)
        during = "Ended during the writing, the journal says after what"
        with _failure_on_record(job, state, seen, during), job.context.writing():
            applied = apply(plan, session, partial(recount, job.context), agreed=job.agreed, confirmed_by_person=asked)
            seen.look_after(applied, state.recorded)
            return _record_verdict(job, state, plan, applied, seen)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the run's complete listings showed of our Subscriptions so far: its record in the history keeps it."""

    mappings: Mappings
    sightings: tuple[Sighting, ...] = ()
    customers: Sequence[HaloCustomer] = ()

    def look_first(self, observation: Observation, recorded: Recorded) -> None:
        """Note what the plan's own listing shows."""
        self.customers = observation.customers
        self.sightings = (first_sighting(self.mappings, observation, recorded),)

    def look_after(self, applied: Applied, recorded: Recorded) -> None:
        """Note what the last listing after it shows, where there was one."""
        if applied.last_listed is not None:
            last = sight(
                self.mappings,
                recorded,
                applied.last_listing,
                customers=self.customers,
                at=applied.last_listed,
                known=self.sightings[-1].rows,
            )
            self.sightings = (*self.sightings, last)

    def on_record(self, verdict: RunVerdict) -> RunVerdict:
        """The verdict with everything that was seen."""
        return replace(verdict, sightings=self.sightings)


@contextmanager
def _failure_on_record(job: ApplyRun, state: RunState, seen: _Seen, when: str) -> Iterator[None]:
    """What ends a run early leaves its cause in the history."""
    try:
        yield
    except (ReconcilerError, KeyboardInterrupt) as error:
        try:
            verdict = failed(job.info.id, error, when=when, finished_at=job.context.clock.now())
            state.finish(seen.on_record(verdict))
        except StateError as second:
            job.context.observe(Noticed(message=f"the failure could not be recorded: {second.message}"))
        raise


def _plan_afresh(job: ApplyRun, state: RunState, seen: _Seen) -> tuple[Plan, WriteSession]:
    """Read, compare, judge, and show what comes of it."""
    context = job.context
    listed_at = context.clock.monotonic()  # the listing is among the first reads; counting users takes long
    observation = observe(context, state.recorded)
    seen.look_first(observation, state.recorded)
    plan = make_plan(context.mappings, observation, state.recorded, job.options)
    if job.check_fresh is not None:
        job.check_fresh(plan)
    _note_plan(state, plan)
    job.show(plan)
    return plan, WriteSession.open(context, state, job.info.id, observation.subscriptions, listed_at)


def _record_cancellation(job: ApplyRun, state: RunState, plan: Plan, seen: _Seen) -> Finished:
    verdict = seen.on_record(cancelled(job.info.id, plan, finished_at=job.context.clock.now()))
    state.finish(verdict)
    return Finished(plan=plan, applied=Applied(outcomes={}), verdict=verdict, confirmed=False)


def _record_verdict(job: ApplyRun, state: RunState, plan: Plan, applied: Applied, seen: _Seen) -> Finished:
    around = job.context
    verdict = verdict_of(job.info.id, plan, applied, stopped=around.stop(), finished_at=around.clock.now())
    verdict = seen.on_record(verdict)
    missing = ""
    try:
        state.finish(verdict, falls=_falls(plan, applied))
    except StateError as error:
        missing = error.message
        verdict = replace(verdict, exit_code=max(verdict.exit_code, ExitCode.INCOMPLETE))
        applied = replace(applied, error=applied.error or error)
        if applied.halted == missing:  # the cause is told once
            applied = replace(applied, halted="")
    return Finished(plan=plan, applied=applied, verdict=verdict, record_missing=missing)


def _falls(plan: Plan, applied: Applied) -> Falls:
    """The nights that have counted each fall so far; none where it is written. A refused run counts for nothing."""
    if plan.refused:
        return {}
    written = {key for key, settled in applied.outcomes.items() if settled.outcome is Outcome.APPLIED}
    return {c.key: () if c.key in written else c.nights for c in plan.changes}


def recount(context: RunContext, changes: Sequence[Change]) -> dict[MappingKey, int | None]:
    """Read the counts of these mappings again, from scratch."""
    try:
        clients = {c.id: c for c in context.systems.source.clients()}
        wanted = [
            ref.id
            for change in changes
            if change.mapping.quantity.count is CountRule.ACTIVE_USERS
            for ref in change.mapping.infima_clients
            if ref.id in clients
        ]
        read = {u.client_id: u for u in context.systems.source.user_counts(wanted)}
    except ApiError as error:
        context.observe(Noticed(message=f"the second read of INFIMA failed: {error.message}"))
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
