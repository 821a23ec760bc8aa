"""What an earlier run wrote that was cut off before it could record it, by its journal and a fresh listing. Pure.

A row is called applied only where HaloPSA shows the quantity that the run was about to write, and not attempted only
where the whole journal has no request for it. Everything else is unknown, and so is what stood after that run: a day
later the old quantity may be one that somebody set back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.errors import ExitCode
from reconciler.model import Recorded, RunId, Subscription, SubscriptionId
from reconciler.planning.changes import Action, Outcome
from reconciler.state.base import CutOffRun, HistoryChange, RunVerdict


def recovered(cut: CutOffRun, subscriptions: Iterable[Subscription], recorded: Recorded, *, by: RunId) -> RunVerdict:
    """The verdict of a run that was cut off, as the run `by` finds it."""
    rows = {row.id: row for row in subscriptions}
    lines = tuple(_line(change, cut, rows, recorded) for change in cut.changes)
    before = sum(line.before or 0 for line in lines)
    return RunVerdict(
        run=cut.info.id,
        finished_at=cut.last_at,
        exit_code=ExitCode.INCOMPLETE,
        sentence=_sentence(cut, lines, by),
        users_before=before,
        users_after=sum((line.before or 0) if line.after is None else line.after for line in lines),
        changes=lines,
        snapshot={},
        whole=False,
        recovered_by=by,
    )


def _sentence(cut: CutOffRun, lines: Iterable[HistoryChange], by: RunId) -> str:
    ended = [line.outcome for line in lines]
    words = ((Outcome.FAILED, "not done"), (Outcome.UNKNOWN, "unknown"), (Outcome.APPLIED, "written"))
    told = ", ".join(f"{ended.count(outcome)} {word}" for outcome, word in words if outcome in ended)
    opening = f"{cut.verdict.rstrip('.')}, and its record was lost" if cut.verdict else "Cut off while it wrote"
    found = told or "no record of what it was about to write, so how far it came is not known"
    return f"{opening}. Run {by} looked afterwards: {found}."


def _line(
    change: HistoryChange, cut: CutOffRun, rows: Mapping[SubscriptionId, Subscription], recorded: Recorded
) -> HistoryChange:
    sent = change.key in cut.sent
    creates = change.action == Action.CREATE
    if cut.complete and not sent:  # whatever stands there now, this run did not send it
        return replace(change, after=change.before, outcome=Outcome.FAILED, message="not attempted")
    number = _created(change, rows, recorded) if creates else change.subscription_id
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


def _created(
    change: HistoryChange, rows: Mapping[SubscriptionId, Subscription], recorded: Recorded
) -> SubscriptionId | None:
    """The Subscription that the run made: the bound one, else the only one with the mapping's marker."""
    binding = recorded.bindings.get(change.key)
    if binding is not None:
        return binding.subscription_id
    marked = [row.id for row in rows.values() if row.marker == change.key]
    return marked[0] if len(marked) == 1 else None


def _without_subscription(told: HistoryChange, recorded: Recorded) -> HistoryChange:
    if told.sent or told.key in recorded.attempts:
        message = "a create may have been sent, and HaloPSA shows no Subscription with its marker"
        return replace(told, outcome=Outcome.UNKNOWN, message=message)
    return replace(told, outcome=Outcome.FAILED, message="not attempted")
