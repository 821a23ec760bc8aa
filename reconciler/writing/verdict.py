"""How a run ended: its exit code, its one sentence, and what the history keeps of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.errors import ExitCode, Interrupted, ReconcilerError, StateError
from reconciler.model import MappingKey, PriceSource, RunId, Subscription, SubscriptionId, UnitPrice
from reconciler.planning.changes import Action, Change, Outcome, Plan, Settled, Violation, users_in_doubt
from reconciler.planning.outcomes import ending_of, verdict_sentence
from reconciler.state.base import ALLOW, APPROVAL, CutOffRun, HistoryChange, Lifted, RunInfo, RunVerdict
from reconciler.state.recorded import Recorded
from reconciler.writing.session import Applied


def verdict_of(run: RunId, plan: Plan, applied: Applied, *, stopped: bool, finished_at: datetime) -> RunVerdict:
    """The verdict of a run that came to its end; `stopped` says that somebody asked it to."""
    return _verdict(
        run,
        plan,
        applied.outcomes,
        exit_code=exit_code(plan, applied, stopped=stopped),
        sentence=sentence(plan, applied),
        finished_at=finished_at,
    )


def cancelled(run: RunId, plan: Plan, *, finished_at: datetime) -> RunVerdict:
    """The verdict of a run whose plan nobody confirmed."""
    words = "Apply cancelled: it was not confirmed."
    return _verdict(run, plan, {}, exit_code=ExitCode.ERROR, sentence=words, finished_at=finished_at)


def failed(run: RunId, error: BaseException, *, when: str, finished_at: datetime) -> RunVerdict:
    """The verdict of a run that was ended early; `when` says how far it had come."""
    told = error if isinstance(error, ReconcilerError) else Interrupted("interrupted")
    return RunVerdict(
        run=run,
        finished_at=finished_at,
        exit_code=told.exit_code,
        sentence=f"{when}: {told.message}",
        users_before=0,
        users_after=0,
        changes=(),
        snapshot={},
    )


def decision_verdict(
    info: RunInfo,
    key: MappingKey,
    kind: str,
    reason: str,
    *,
    at: SubscriptionId | None,
    quantity: int | None = None,
    finished_at: datetime,
) -> RunVerdict:
    """The verdict of a person's decision about one mapping; `at` is the Subscription that it is about."""
    line = HistoryChange(
        key=key,
        subscription_id=at,
        action=kind,
        before=quantity,
        after=quantity,
        counted=None,
        rule=info.command,
        outcome=str(Outcome.APPLIED),
        message=reason,
    )
    words = f"{info.command}: {kind} {key} by hand: {reason}"
    return command_verdict(info.id, words, finished_at=finished_at, changes=(line,))


def command_verdict(
    run: RunId, words: str, *, finished_at: datetime, changes: tuple[HistoryChange, ...] = ()
) -> RunVerdict:
    """The verdict of a command that is on record and is no run over the mappings: it counted no users."""
    return RunVerdict(
        run=run,
        finished_at=finished_at,
        exit_code=ExitCode.DONE,
        sentence=words,
        users_before=0,
        users_after=0,
        changes=changes,
        snapshot={},
        decision=True,
    )


def exit_code(plan: Plan, applied: Applied, *, stopped: bool) -> ExitCode:
    """The highest of 0, 3 (something was withheld) and 4 (failed or unknown).

    130 when a stop cut the run short, and 1 when the state took no records, so that nothing was sent.
    """
    incomplete = applied.error is not None or applied.count(Outcome.FAILED) or applied.count(Outcome.UNKNOWN)
    if incomplete and (stopped or isinstance(applied.error, Interrupted)):
        return ExitCode.INTERRUPTED
    if isinstance(applied.error, StateError) and not any(settled.sent for settled in applied.outcomes.values()):
        return ExitCode.ERROR
    if incomplete:
        return ExitCode.INCOMPLETE
    if plan.refused or applied.count(Outcome.HELD) or applied.count(Outcome.STALE):
        return ExitCode.HELD
    return ExitCode.DONE


def sentence(plan: Plan, applied: Applied) -> str:
    """The verdict in one line, as the history shows it."""
    endings = [ending_of(c, s) for c in plan.changes if (s := applied.outcomes.get(c.key)) is not None]
    rules = [str(violation.rule) for violation in plan.refusals]
    return verdict_sentence(endings, refused_by=rules, halted=applied.error is not None)


def _verdict(
    run: RunId,
    plan: Plan,
    outcomes: Mapping[MappingKey, Settled],
    *,
    exit_code: int,
    sentence: str,
    finished_at: datetime,
) -> RunVerdict:
    lines = tuple(
        _history_line(change, settled, _withheld_by(plan, change, settled), _lifted(plan, change.key))
        for change in plan.changes
        if (settled := outcomes.get(change.key)) is not None
        and (settled.outcome is not Outcome.UNCHANGED or _count_moved(change))
    )
    quantities = {c.key: _quantity_after(c, outcomes.get(c.key)) for c in plan.changes}
    known = {key: count for key, count in quantities.items() if count is not None}
    return RunVerdict(
        run=run,
        finished_at=finished_at,
        exit_code=exit_code,
        sentence=sentence,
        users_before=plan.summary.users_before,
        users_after=sum(known.values()) + users_in_doubt(plan.changes),
        changes=lines,
        snapshot=known if plan.complete else {},  # a month's full record is never made of a part
        whole=plan.complete and not plan.refused,
        lifted=_lifted(plan, ""),
        prices={c.key: price for c in plan.changes if (price := _live_price(c)) is not None} if plan.complete else {},
    )


def _count_moved(change: Change) -> bool:
    """A count that moved below a minimum or within the included users changes no quantity, yet a backtest needs it."""
    counted = change.quantity.counted
    return change.mapping.counts_users and counted is not None and counted != change.counted_before


def _quantity_after(change: Change, settled: Settled | None) -> int | None:
    """What HaloPSA has after the run, as far as the run has seen it; the last number seen where it is not known."""
    ending = None if settled is None else ending_of(change, settled)
    if ending is None or ending.after is None or (ending.creates and not ending.created):
        return change.live_quantity
    return ending.after


def _live_price(change: Change) -> UnitPrice | None:
    """HaloPSA's price: what mappings.yaml says stands in git, and needs no second record."""
    return change.price if change.price is not None and change.price.source is PriceSource.HALO else None


def _withheld_by(plan: Plan, change: Change, settled: Settled) -> str:
    """The mapping's own rule, else the one that refused the whole run."""
    if settled.outcome is not Outcome.HELD:
        return ""
    rules = [change.hold] if change.hold is not None else plan.refusals
    return next((str(one.rule) for one in rules), "")


def planned_lines(plan: Plan, writes: Iterable[Change]) -> tuple[HistoryChange, ...]:
    """The history's lines of what a run is about to write, before anything is known of it."""
    lines = (
        _history_line(c, Settled(outcome=Outcome.UNKNOWN, subscription_id=c.live_id), "", _lifted(plan, c.key))
        for c in writes
    )
    return tuple(replace(line, after=None) for line in lines)


def _lifted(plan: Plan, name: str) -> tuple[Lifted, ...]:
    """The rules that a person lifted for this mapping, or with an empty name for the whole run."""
    return tuple(
        Lifted(rule=str(violation.rule), reason=violation.allowed, by=_lifted_by(violation))
        for violation in plan.violations
        if violation.name == name and violation.allowed is not None
    )


def _lifted_by(violation: Violation) -> str:
    """The option, or the reviewed file with who brought the approval in, where git told."""
    if violation.approval is None:
        return ALLOW
    return f"{APPROVAL} ({violation.approval.approved_by})" if violation.approval.approved_by else APPROVAL


def lifted_in_words(lifted: Sequence[Lifted]) -> str:
    """ "decrease lifted with --allow: closed two branches"."""
    return "; ".join(f"{one.rule} lifted with {one.by}: {one.reason}" for one in lifted)


def _history_line(change: Change, settled: Settled, held_by: str, lifted: tuple[Lifted, ...]) -> HistoryChange:
    price = _live_price(change)
    return HistoryChange(
        key=change.key,
        subscription_id=settled.subscription_id,
        action=str(change.action),
        before=change.live_quantity,
        after=ending_of(change, settled).after,
        wanted=change.after.count,
        sent=settled.sent,
        counted=change.quantity.counted,
        rule=change.quantity.rule,
        outcome=str(settled.outcome),
        message="; ".join(filter(None, (settled.message, lifted_in_words(lifted)))),
        unit_price=f"{price.amount:f}" if price else "",
        currency=price.currency if price else "",
        held_by=held_by,
        lifted=lifted,
    )


# ---------------------------------------------------------------------------------------------------------------------
# An earlier run that was cut off before it could record what it wrote, by its journal and a fresh listing
#
# A row is called applied only where HaloPSA shows the quantity that the run was about to write, and not attempted only
# where the whole journal has no request for it. Everything else is unknown, and so is what stood after that run: a day
# later the old quantity may be one that somebody set back.
# ---------------------------------------------------------------------------------------------------------------------


def recovered(cut: CutOffRun, subscriptions: Iterable[Subscription], recorded: Recorded, *, by: RunId) -> RunVerdict:
    """The verdict of a run that was cut off, as the run `by` finds it."""
    rows = {row.id: row for row in subscriptions}
    lines = tuple(_recovered_line(change, cut, rows, recorded) for change in cut.changes)
    before = sum(line.before or 0 for line in lines)
    return RunVerdict(
        run=cut.info.id,
        finished_at=cut.last_at,
        exit_code=ExitCode.INCOMPLETE,
        sentence=_recovered_sentence(cut, lines, by),
        users_before=before,
        users_after=sum((line.before or 0) if line.after is None else line.after for line in lines),
        changes=lines,
        snapshot={},
        whole=False,
        recovered_by=by,
    )


def _recovered_sentence(cut: CutOffRun, lines: Iterable[HistoryChange], by: RunId) -> str:
    ended = [line.outcome for line in lines]
    words = ((Outcome.FAILED, "not done"), (Outcome.UNKNOWN, "unknown"), (Outcome.APPLIED, "written"))
    told = ", ".join(f"{ended.count(outcome)} {word}" for outcome, word in words if outcome in ended)
    opening = f"{cut.verdict.rstrip('.')}, and its record was lost" if cut.verdict else "Cut off while it wrote"
    found = told or "no record of what it was about to write, so how far it came is not known"
    return f"{opening}. Run {by} looked afterwards: {found}."


def _recovered_line(
    change: HistoryChange, cut: CutOffRun, rows: Mapping[SubscriptionId, Subscription], recorded: Recorded
) -> HistoryChange:
    sent = change.key in cut.sent
    creates = change.action == Action.CREATE
    if cut.complete and not sent:  # whatever stands there now, this run did not send it
        return replace(change, after=change.before, outcome=Outcome.FAILED, message="not attempted")
    number = created_for(change.key, rows.values(), recorded) if creates else change.subscription_id
    row = None if number is None else rows.get(number)
    told = replace(change, subscription_id=number, after=None if row is None else row.quantity, sent=sent)
    if row is None and creates:
        return _without_subscription(told, recorded)
    if row is None:
        return replace(told, outcome=Outcome.UNKNOWN, message=f"HaloPSA lists Subscription {number} no more")
    return _as_found(told, row.quantity)


def _as_found(told: HistoryChange, count: int | None) -> HistoryChange:
    """A row by the quantity that HaloPSA shows now; between then and now somebody may have set it back."""
    if count == told.wanted:
        return replace(told, outcome=Outcome.APPLIED, sent=True, message="seen by the run after it")
    if told.action == Action.CREATE and not count:
        message = "its Subscription was created, and its quantity was not set"
        return replace(told, outcome=Outcome.FAILED, sent=True, message=message)
    message = f"{told.wanted} was wanted; the run after it found {count}"
    return replace(told, outcome=Outcome.UNKNOWN, after=None, message=message)


def created_for(key: MappingKey, rows: Iterable[Subscription], recorded: Recorded) -> SubscriptionId | None:
    """The Subscription that a run made for a mapping: the bound one, else the only one of the rows with its marker."""
    binding = recorded.bindings.get(key)
    if binding is not None:
        return binding.subscription_id
    marked = [row.id for row in rows if row.marker == key]
    return marked[0] if len(marked) == 1 else None


def _without_subscription(told: HistoryChange, recorded: Recorded) -> HistoryChange:
    if told.sent or told.key in recorded.attempts:
        message = "a create may have been sent, and HaloPSA shows no Subscription with its marker"
        return replace(told, outcome=Outcome.UNKNOWN, message=message)
    return replace(told, outcome=Outcome.FAILED, message="not attempted")
