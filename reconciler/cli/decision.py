"""What `adopt` and `resolve` share: look live, show what was seen, ask, write the state. HaloPSA is only read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from reconciler.answers.adoption import Decision, DecisionContext
from reconciler.cli.edits import FileEdit
from reconciler.cli.options import CommonOptions, next_command
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, require_key, run_context, run_info
from reconciler.config.edit import set_subscription_id
from reconciler.errors import DecisionRefused, ExitCode, UsageError
from reconciler.model import Mapping, MappingKey, Mappings, Recorded, Subscription
from reconciler.planning.index import index_subscriptions
from reconciler.planning.observation import reveal_known
from reconciler.state.base import RunInfo, StateStore
from reconciler.state.open import runs_in_ci
from reconciler.writing.verdict import decision_verdict

Decide = Callable[["DecisionContext"], "Decision"]


def carry_out(
    options: CommonOptions,
    key: str,
    decide: Decide,
    *,
    command: str,
    reason: str | None,
    yes: bool,
    as_patch: bool = False,
) -> int:
    """Decide on live facts, ask, decide again on the locked state, record it, and write into mappings.yaml what lasts.

    An adopted Subscription carries no marker: what the file says of it survives the loss of any state. `as_patch`
    prints that edit instead of making it; stdout then holds nothing else.

    Raises `DecisionRefused` when the facts are against it, `UsageError` without a reason or without anyone to ask.
    """
    _require_reason(command, reason, yes=yes)
    mappings = load(options)
    mapping = find_mapping(mappings, key)
    with run_context(options, mappings) as context:
        store, target = context.store, context.systems.target
        recorded = store.read()
        look = _Look(
            mappings=mappings,
            mapping=mapping,
            listing=reveal_known(target, mappings, target.subscriptions(), recorded, live_too=True),
            halo_url=context.systems.halo_url,
            now=context.clock.now().astimezone(mappings.settings.timezone),
        )

    def judge(recorded: Recorded) -> Decision:
        return decide(look.context(recorded))

    decision = judge(recorded)
    edit = _edit(options, decision)
    show = tell if as_patch else say
    _show(decision, edit, show)
    if not yes and not _confirmed(edit):
        tell("Nothing was recorded.")
        return ExitCode.ERROR
    info = run_info(options, mappings, command)
    _record(store, info, decision, judge, reason=(reason or "").strip())
    show(safe(f"Recorded in {store.location}."))
    if edit is not None:
        _keep_in_file(edit, decision, show, as_patch=as_patch)
    show(safe(f"Next: {next_command(f'plan --only {key}')}"))
    return 0


def _require_reason(command: str, reason: str | None, *, yes: bool) -> None:
    if not (reason or "").strip():
        raise UsageError(
            f"{command} needs a reason.", hint="Add --reason '...'; it is written into the journal and the history."
        )
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"{command} asks before it writes the state, and there is no terminal to ask on.",
            hint="Add --yes to record the decision without a question; every check is made all the same.",
        )


def _edit(options: CommonOptions, decision: Decision) -> FileEdit | None:
    """The line of mappings.yaml that says what was adopted; None where it is said already, or found by its marker."""
    if decision.write_id is None:
        return None
    number, file = decision.write_id, str(options.mappings)
    edit = FileEdit.make(
        options.mappings,
        lambda text: set_subscription_id(text, decision.key, number, file=file),
        now=now(),
    )
    return edit if edit.changes else None


def _keep_in_file(edit: FileEdit, decision: Decision, show: Callable[[str], None], *, as_patch: bool) -> None:
    line = f"subscription_id: {decision.write_id}"
    if as_patch:
        sys.stdout.write(edit.patch)
        return
    if runs_in_ci(os.environ):
        show(safe(f"Commit this to {edit.path}, so that a lost state forgets nothing:"))
        sys.stdout.write(edit.patch)
        return
    edit.write()
    show(safe(f"Written into {edit.path}: {line}. Commit it, so that a lost state forgets nothing."))


def find_mapping(mappings: Mappings, key: str) -> Mapping:
    """The mapping called `key`. Raises `UsageError`, with the nearest key as its hint."""
    require_key(key, [str(m.key) for m in mappings.mappings], "KEY")
    return next(m for m in mappings.mappings if m.key == key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at HaloPSA, from which decisions are judged on whatever the state says by then."""

    mappings: Mappings
    mapping: Mapping
    listing: tuple[Subscription, ...]
    halo_url: str
    now: datetime

    def context(self, recorded: Recorded) -> DecisionContext:
        known = recorded.tenant
        if known is not None and known.halo_url != self.halo_url:
            raise DecisionRefused(
                f"This state belongs to {known.halo_url}, and HALO_URL is {self.halo_url}.",
                hint="Check HALO_URL and --state: ids of one HaloPSA mean nothing in another.",
            )
        return DecisionContext(
            mapping=self.mapping,
            index=index_subscriptions(self.listing, self.mappings.mappings, recorded),
            recorded=recorded,
            now=self.now,
            settle=timedelta(hours=self.mappings.settings.settle_hours),
        )


def _show(decision: Decision, edit: FileEdit | None, show: Callable[[str], None]) -> None:
    show(safe("Seen in HaloPSA and in the state:"))
    for line in decision.seen:
        show(safe(f"  {line}"))
    show(safe("What follows:"))
    for line in decision.follows:
        show(safe(f"  {line}"))
    if edit is not None:
        show(safe(f"  {edit.path} says so as well: subscription_id: {decision.write_id}."))


def _confirmed(edit: FileEdit | None) -> bool:
    written = "Only the state is written" if edit is None else f"The state and {edit.path} are written"
    tell(safe(f"\n{written}; HaloPSA is not touched. Only 'yes' will be accepted."))
    answer: str = click.prompt("  Enter a value", default="", show_default=False, err=True)
    return answer == "yes"


def _record(
    store: StateStore,
    info: RunInfo,
    decision: Decision,
    judge: Callable[[Recorded], Decision],
    *,
    reason: str,
) -> None:
    with store.open_run(info) as state:
        fresh = judge(state.recorded)
        if fresh.writes != decision.writes:
            raise DecisionRefused(
                "The state changed while you were deciding.", hint="Run the command again and look at the new facts."
            )
        state.note(decision.kind, {"key": decision.key, "reason": reason, "seen": list(decision.seen)})
        state.record_decision(
            decision.key,
            bind=fresh.bind,
            give_up=fresh.give_up,
            take_from=fresh.take_from,
            abandon=fresh.settle,
        )
        at = fresh.bind.subscription_id if fresh.bind else None
        state.finish(
            decision_verdict(
                info,
                MappingKey(decision.key),
                decision.kind,
                reason,
                at=at,
                quantity=decision.count,
                finished_at=now(),
            )
        )
