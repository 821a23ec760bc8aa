"""The story of a run: observe -> diff -> check -> show | apply -> record.

Everything with an outside (providers, state, clock, whom to ask and to tell) is passed in; `cli` wires it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from reconciler.answers.attached import night_look
from reconciler.answers.needs import OVERDUE_AFTER, NeedInput, failed_run, find_needs, needs_met, record_missing
from reconciler.apply import apply
from reconciler.errors import ApiError, ExitCode, Interrupted, ReconcilerError, StateError, as_failure
from reconciler.events import Noticed
from reconciler.model import HaloCustomer, MappingKey, Mappings, Observation, Sighting, Subscription
from reconciler.moments import CLOCK_TOLERANCE, spelled
from reconciler.plan import count_clients, diff, takes_long, total_of
from reconciler.planning.changes import CAME_RIGHT, Action, Change, Outcome, Plan, PlannedRow, planned_rows, select
from reconciler.planning.doubts import probe_warnings
from reconciler.planning.index import first_sighting, sight
from reconciler.planning.observation import PlanOptions, RunContext, observe
from reconciler.planning.outcomes import open_run_in_words
from reconciler.planning.snapshot import Snapshot
from reconciler.planning.twins import new_state
from reconciler.safety.check import check
from reconciler.state.base import RunInfo, RunState, RunVerdict
from reconciler.state.recorded import Falls, Need, Outlook, Recorded
from reconciler.writing.session import Applied, WriteSession
from reconciler.writing.verdict import cancelled, failed, recovered, verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How an apply ended: its plan, the outcome of every change, the verdict that was recorded.

    `record_missing` says why the state does not hold the verdict; empty where it does.
    """

    plan: Plan
    applied: Applied
    verdict: RunVerdict
    confirmed: bool = True
    needs: tuple[Need, ...] = ()
    met: tuple[Need, ...] = ()
    """What waited for a person before the run and waits no longer."""
    record_missing: str = ""


Confirm = Callable[[Plan], bool]
"""Shows the plan and asks a person; true only for a plain yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRun:
    """One apply: what it stands on, who started it with which options, and whom to show the plan and to ask.

    `confirm` is None when it was approved beforehand; `agreed` are a saved plan's rows. `check_fresh` sees the fresh
    plan before anything else happens and may raise. `looks_at_invoices` says whether the run ends with a look at the
    recurring invoices.
    """

    context: RunContext
    info: RunInfo
    options: PlanOptions
    show: Callable[[Plan], None]
    confirm: Confirm | None = None
    agreed: Mapping[MappingKey, PlannedRow] | None = None
    check_fresh: Callable[[Plan], None] | None = None
    looks_at_invoices: bool = False


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
    given = NeedInput(plan=plan, recorded=recorded, mappings=mappings, now=observation.taken_at)
    plan = select(replace(plan, needs=find_needs(given)), only=options.only, exclude=options.exclude)
    zone = mappings.settings.timezone
    unbound = {*plan.facts.never_bound} - {*plan.facts.undecided}
    told = (
        new_state(recorded, [c.key for c in plan.changes if c.action is Action.CREATE and c.key in unbound]),
        *recorded.damage,
        *(open_run_in_words(run, zone) for run in recorded.open_runs),
        *probe_warnings(mappings, recorded, halo_url=plan.tenant.halo_url),
        _overdue(recorded, observation.taken_at.astimezone(zone)),
        takes_long(plan, mappings.settings),
    )
    return replace(plan, warnings=(*filter(None, told), *plan.warnings))


def _overdue(recorded: Recorded, now: datetime) -> str:
    last = recorded.last_good_run
    if last is None or now - last <= OVERDUE_AFTER:
        return ""
    hours = int((now - last) / timedelta(hours=1))
    return (
        f"the last run that came to its end was {hours} hours ago ({spelled(last, now.tzinfo)}): look whether the "
        "nightly run still runs"
    )


def run_apply(job: ApplyRun) -> Finished:
    """Carry out one apply from question to verdict.

    Raises `StateError` when the state is not available or takes no record before the first write, `ApiError` when the
    reads fail; both are recorded as the run's verdict where there is a state to record them in. No lock is held while
    a person thinks, and the run's time begins when they have answered.
    """
    context, shown = job.context, None
    seen = _Seen(mappings=context.mappings, ahead=context.systems.clock_ahead)
    if job.confirm is not None:
        with _failure_recorded_alone(job, seen):
            shown = _plan_afresh(job, context.store.read(), seen)
            confirmed = not shown.plan.writes or job.confirm(shown.plan)
        if not confirmed:
            return _record_cancellation(job, shown.plan, seen)
        context.systems.restart_time()
    with context.store.open_run(job.info) as state:
        with _failure_on_record(job, state, seen, _BEFORE):
            fresh, agreed = _plan_to_perform(job, state, seen, shown)
            _take_up_cut_off_runs(job, state, fresh)
            _note_plan(state, fresh.plan)
            session = WriteSession.open(context, state, job.info.id, fresh.subscriptions, fresh.listed_at)
        plan, asked = fresh.plan, shown is not None
        during = "Ended without its outcomes, the journal has its requests"
        with _failure_on_record(job, state, seen, during), context.writing(), _faults_told(session):
            applied = apply(plan, session, partial(recount, context), agreed=agreed, confirmed_by_person=asked)
            seen.look_after(session)
            return _record_verdict(job, state, plan, applied, seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A plan and what it was made from. `at` and `listed_at` are moments of the monotonic clock."""

    plan: Plan
    subscriptions: Sequence[Subscription]
    listed_at: float
    recorded: Recorded
    at: float


PLAN_IS_OLD_SECONDS = 60.0
"""A plan that a person looked at for longer is made again before anything is written."""


@contextmanager
def _failure_recorded_alone(job: ApplyRun, seen: _Seen) -> Iterator[None]:
    """What ends a run before its lock is taken leaves its cause in the history, as that of any run."""
    try:
        yield
    except (ReconcilerError, KeyboardInterrupt) as error:
        verdict = failed(job.info.id, error, when=_BEFORE, finished_at=job.context.clock.now())
        _record_alone(job, seen.on_record(verdict), error)
        raise


_BEFORE = "Failed before the first write"


def _plan_to_perform(
    job: ApplyRun, state: RunState, seen: _Seen, shown: _Planned | None
) -> tuple[_Planned, Mapping[MappingKey, PlannedRow] | None]:
    """The plan under the lock, and the rows that somebody agreed to: what a person saw, a saved plan, or both.

    What a person saw is used as it is while it is young and the state is the same; else both systems are read again,
    and what moved is not written.
    """
    recorded = state.recorded
    if shown is None:
        return _plan_afresh(job, recorded, seen), job.agreed
    age = job.context.clock.monotonic() - shown.at
    if age <= PLAN_IS_OLD_SECONDS and _plan_alike(recorded, shown.recorded):
        return shown, job.agreed
    why = f"is {age / 60:.0f} minutes old" if age > PLAN_IS_OLD_SECONDS else "was made before another run ended"
    message = f"the plan {why}: it is made again, and only what stands in both is performed"
    job.context.observe(Noticed(message=message))
    rows = planned_rows(shown.plan)
    if job.agreed is not None:
        rows = {key: row for key, row in rows.items() if row == job.agreed.get(key)}
    return _plan_afresh(job, recorded, seen), rows


def _plan_alike(one: Recorded, other: Recorded) -> bool:
    """Whether two readings of the state would make the same plan."""
    return (one.tenant, one.bindings, one.attempts, one.given_up, one.undecided, one.falls, one.halo) == (
        other.tenant, other.bindings, other.attempts, other.given_up, other.undecided, other.falls, other.halo,
    )  # fmt: skip


def _take_up_cut_off_runs(job: ApplyRun, state: RunState, fresh: _Planned) -> None:
    """Put into the history what earlier runs wrote that were cut off, by what their journal and HaloPSA show."""
    for cut in state.cut_off:
        verdict = recovered(cut, fresh.subscriptions, state.recorded, by=job.info.id)
        state.record_cut_off(cut, verdict)
        job.context.observe(Noticed(message=f"taken into the history: run {cut.info.id}. {verdict.sentence}"))


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What the run's complete listings showed of our Subscriptions so far: its record in the history keeps it."""

    mappings: Mappings
    ahead: Callable[[], timedelta | None]
    sightings: tuple[Sighting, ...] = ()
    customers: Sequence[HaloCustomer] = ()

    def look_first(self, observation: Observation, recorded: Recorded) -> None:
        """Note what the plan's own listing shows."""
        self.customers = observation.customers
        first = first_sighting(self.mappings, observation, recorded)
        self.sightings = (replace(first, at=self._halo_time(first.at)),)

    def look_after(self, session: WriteSession) -> None:
        """Note what the last listing after it shows, where there was one."""
        if session.last_listed is not None:
            recorded, rows = session.state.recorded, session.listing.values()
            at, known = self._halo_time(session.last_listed), self.sightings[-1].rows
            last = sight(self.mappings, recorded, rows, customers=self.customers, at=at, known=known)
            self.sightings = (*self.sightings, last)

    def _halo_time(self, moment: datetime) -> datetime:
        """The moment by HaloPSA's clock, where this machine's is off by more than an answer takes."""
        ahead = self.ahead()
        return moment if ahead is None or abs(ahead) <= CLOCK_TOLERANCE else moment - ahead

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
            state.finish(seen.on_record(verdict), outlook=_after_failure(job, state, error, when))
        except StateError as second:
            why = " either" if isinstance(error, StateError) else f": {second.message}"
            job.context.observe(Noticed(message=f"the failure could not be recorded{why}"))
        raise


@contextmanager
def _faults_told(session: WriteSession) -> Iterator[None]:
    """From the first request on what became of it is told, also where a bug of ours keeps it from being drawn."""
    try:
        yield
    except ReconcilerError:
        raise
    except Exception as fault:
        if not session.sent:
            raise
        ended = ((key, session.outcomes.get(key)) for key in sorted(session.sent))
        rows = (f"{key} {'not known' if settled is None else settled.outcome}" for key, settled in ended)
        raise as_failure(fault, sent=f"; what was sent: {', '.join(rows)}") from fault


def _plan_afresh(job: ApplyRun, recorded: Recorded, seen: _Seen) -> _Planned:
    """Read, compare, judge, and show what comes of it."""
    context = job.context
    listed_at = context.clock.monotonic()  # the listing is among the first reads; counting users takes long
    observation = observe(context, recorded)
    seen.look_first(observation, recorded)
    plan = make_plan(context.mappings, observation, recorded, job.options)
    if job.check_fresh is not None:
        job.check_fresh(plan)
    job.show(plan)
    return _Planned(
        plan=plan,
        subscriptions=observation.subscriptions,
        listed_at=listed_at,
        recorded=recorded,
        at=context.clock.monotonic(),
    )


def _record_cancellation(job: ApplyRun, plan: Plan, seen: _Seen) -> Finished:
    verdict = seen.on_record(cancelled(job.info.id, plan, finished_at=job.context.clock.now()))
    _record_alone(job, verdict)
    return Finished(plan=plan, applied=Applied(outcomes={}), verdict=verdict, confirmed=False, needs=plan.needs)


def _record_alone(job: ApplyRun, verdict: RunVerdict, error: BaseException | None = None) -> None:
    """Record a run that wrote nothing and held no lock; that it cannot be recorded hurts nobody, and is told."""
    try:
        with job.context.store.open_run(job.info) as state:
            state.finish(verdict, outlook=_after_failure(job, state, error, _BEFORE) if error else None)
    except StateError as second:
        job.context.observe(Noticed(message=f"this run is not in the history: {second.message}"))


def _record_verdict(job: ApplyRun, state: RunState, plan: Plan, applied: Applied, seen: _Seen) -> Finished:
    around, waited = job.context, (*state.recorded.outlook.needs, *plan.needs)
    outlook = _look_at_invoices(job, state, plan)
    verdict = verdict_of(job.info.id, plan, applied, stopped=around.stop(), finished_at=around.clock.now())
    verdict = seen.on_record(verdict)
    recorded = state.recorded.with_outlook(outlook)
    if verdict.good:
        recorded = replace(recorded, last_good_run=verdict.finished_at)
    given = NeedInput(
        plan=plan, recorded=recorded, mappings=job.context.mappings, now=verdict.finished_at, outcomes=applied.outcomes
    )
    needs, missing = find_needs(given, *_cut_short(applied, given)), ""
    try:
        state.finish(
            verdict,
            falls=_falls(plan, applied),
            missing=None if plan.refused else plan.missing,
            outlook=replace(outlook, needs=needs),
        )
    except StateError as error:
        # The state's first refusal is the cause; what follows says the same in other words, and is not told again.
        cause = applied.error if isinstance(applied.error, StateError) else error
        missing = cause.message
        needs = find_needs(given, record_missing(missing, given))
        verdict = replace(verdict, exit_code=max(verdict.exit_code, ExitCode.INCOMPLETE))
        applied = replace(applied, error=applied.error or error)
        if applied.halted == missing:  # the cause is told once
            applied = replace(applied, halted="")
    met = needs_met(waited, needs)
    return Finished(plan=plan, applied=applied, verdict=verdict, record_missing=missing, needs=needs, met=met)


def _look_at_invoices(job: ApplyRun, state: RunState, plan: Plan) -> Outlook:
    """What the run sees of recurring invoices; a run that shall end looks no more."""
    context, recorded = job.context, state.recorded
    if not job.looks_at_invoices or context.stop():
        return recorded.outlook
    target, now = context.systems.target, context.clock.now()
    return night_look(target, plan.changes, recorded, now=now, observe=context.observe)


def _cut_short(applied: Applied, given: NeedInput) -> tuple[Need, ...]:
    """A run that could not go on, where no single change tells of it."""
    error = applied.error
    if error is None or any(one.outcome not in CAME_RIGHT for one in applied.outcomes.values()):
        return ()
    return (failed_run(error.message, error.hint, given),)


def _after_failure(job: ApplyRun, state: RunState, error: BaseException, when: str) -> Outlook:
    """What waited before waits on, and the failed run with it."""
    recorded = state.recorded
    given = NeedInput(recorded=recorded, mappings=job.context.mappings, now=job.context.clock.now())
    told = error if isinstance(error, ReconcilerError) else Interrupted("interrupted")
    needs = find_needs(given, failed_run(f"{when}: {told.message}", told.hint, given))
    if isinstance(error, ReconcilerError):
        error.needs = needs
    return replace(recorded.outlook, needs=needs)


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
        walked = (change.mapping for change in changes if change.mapping.walks_users)
        wanted = [ref.id for mapping in walked for ref in mapping.infima_clients if ref.id in clients]
        read = {u.client_id: u for u in context.systems.source.user_counts(wanted)}
    except ApiError as error:
        context.observe(Noticed(message=f"the second read of INFIMA failed: {error.message}"))
        return {}
    return {c.key: total_of(count_clients(c.mapping, clients, read)) for c in changes}


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
