"""What `adopt` and `resolve` share: look live, show what was seen, ask, write the state. HaloPSA is only read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from reconciler.answers.adoption import Decision, DecisionContext
from reconciler.cli.options import CommonOptions
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, require_key, run_context, run_info
from reconciler.errors import DecisionRefused, ExitCode, UsageError
from reconciler.model import Mapping, MappingKey, Mappings, Recorded, Subscription
from reconciler.planning.index import index_subscriptions
from reconciler.state.base import HistoryChange, RunInfo, RunVerdict, StateStore

Decide = Callable[["DecisionContext"], "Decision"]


def carry_out(options: CommonOptions, key: str, decide: Decide, *, command: str, reason: str | None, yes: bool) -> int:
    """Decide on live facts, ask, decide again on the locked state, and record it.

    Raises `DecisionRefused` when the facts are against it, `UsageError` without a reason or without anyone to ask.
    """
    if not (reason or "").strip():
        raise UsageError(
            f"{command} needs a reason.", hint="Add --reason '...'; it is written into the journal and the history."
        )
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"{command} asks before it writes the state, and there is no terminal to ask on.",
            hint="Add --yes to record the decision without a question; every check is made all the same.",
        )
    mappings = load(options)
    mapping = find_mapping(mappings, key)
    with run_context(options, mappings) as context:
        store = context.store
        look = _Look(
            mappings=mappings,
            mapping=mapping,
            listing=context.systems.target.subscriptions(),
            halo_url=context.systems.halo_url,
            now=context.clock.now(),
        )

    def judge(recorded: Recorded) -> Decision:
        return decide(look.context(recorded))

    decision = judge(store.read())
    _show(decision)
    if not yes and not _confirmed():
        tell("Nothing was recorded.")
        return ExitCode.ERROR
    info = run_info(options, mappings, command)
    _record(store, info, decision, judge, reason=(reason or "").strip())
    say(safe(f"Recorded in {store.location}. Next: reconciler plan --only {key}"))
    return 0


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


def _show(decision: Decision) -> None:
    say(safe("Seen in HaloPSA and in the state:"))
    for line in decision.seen:
        say(safe(f"  {line}"))
    say(safe("What follows:"))
    for line in decision.follows:
        say(safe(f"  {line}"))


def _confirmed() -> bool:
    tell("\nOnly the state is written; HaloPSA is not touched. Only 'yes' will be accepted.")
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
        line = HistoryChange(
            key=MappingKey(decision.key),
            subscription_id=fresh.bind.subscription_id if fresh.bind else None,
            action=decision.kind,
            before=decision.count,
            after=decision.count,
            counted=None,
            rule=info.command,
            outcome="applied",
            message=reason,
        )
        state.finish(
            RunVerdict(
                run=info.id,
                finished_at=now(),
                exit_code=0,
                sentence=f"{info.command}: {decision.kind} {decision.key} by hand: {reason}",
                users_before=0,
                users_after=0,
                changes=(line,),
                snapshot={},
                decision=True,
            )
        )
