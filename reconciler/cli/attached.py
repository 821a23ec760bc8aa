"""`reconciler resolve KEY --attached`: a person says that a Subscription is on a recurring invoice."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime

import click

from reconciler.answers.invoices import invoice_note, look_of
from reconciler.answers.needs import day_words
from reconciler.cli.options import CommonOptions, next_command
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, open_store, require_key, run_info
from reconciler.cli.wiring import now as this_moment
from reconciler.errors import DecisionRefused, UsageError
from reconciler.model import Attached, Binding, InvoiceLook, MappingKey, Recorded
from reconciler.writing.verdict import decision_verdict


def say_attached(options: CommonOptions, key: str, *, reason: str | None, yes: bool) -> int:
    """Record a person's word where no look can show it: no right to read invoices, or a line that selects by criteria.

    It stands until a look contradicts it. HaloPSA is neither read nor written.
    """
    why = (reason or "").strip()
    if not why:
        raise UsageError("resolve needs a reason.", hint="Add --reason '...'; it is written into the history.")
    mappings = load(options)
    require_key(key, [str(m.key) for m in mappings.mappings], "KEY")
    name, store = MappingKey(key), open_store(options)
    binding, now = _bound(store.read(), name), this_moment()
    seen = _judged(store.read(), name, binding, why, now)
    say(safe(f"Recorded will be: Subscription {binding.subscription_id} of {key} is on a recurring invoice: {why}"))
    if not yes and not _confirmed():
        tell("Nothing was recorded.")
        return 1
    info = run_info(options, mappings, "resolve")
    with store.open_run(info) as state:
        recorded = state.recorded
        seen = _judged(recorded, name, _bound(recorded, name), why, now)
        state.note("attached", {"key": key, "reason": why})
        verdict = decision_verdict(info, name, "attached", why, at=seen.subscription_id, finished_at=this_moment())
        state.finish(verdict, outlook=replace(recorded.outlook, looks={**recorded.looks, name: seen}))
    say(safe(f"Recorded in {store.location}. Next: {next_command(f'status --only {key}')}"))
    return 0


def _bound(recorded: Recorded, key: MappingKey) -> Binding:
    binding = recorded.bindings.get(key)
    if binding is None:
        raise DecisionRefused(
            f"No Subscription is recorded for {key}.", hint=f"See what is known of it: reconciler explain {key}"
        )
    return binding


def _judged(recorded: Recorded, key: MappingKey, binding: Binding, why: str, now: datetime) -> InvoiceLook:
    """The look with the person's word in it. Raises `DecisionRefused` where a look has shown the contrary."""
    before = look_of(key, recorded)
    if before is None:
        number = binding.subscription_id
        return InvoiceLook(subscription_id=number, looked_at=now, verdict=Attached.PERHAPS, everywhere=False, word=why)
    if before.verdict is Attached.DISABLED or (before.verdict is Attached.NO and before.everywhere):
        raise DecisionRefused(
            f"The look of {day_words(before.looked_at)} showed Subscription {before.subscription_id} "
            f"{invoice_note(before)}.",
            hint=f"When it has been attached since: reconciler check-invoices --only {key}",
        )
    return replace(before, word=why)


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("resolve asks before it writes the state, and there is no terminal.", hint="Add --yes.")
    answer: str = click.prompt("Only 'yes' will be accepted", default="", show_default=False, err=True)
    return answer == "yes"
