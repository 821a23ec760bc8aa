"""`reconciler adopt` and `reconciler resolve`: a person decides. The state is written; HaloPSA is only read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import click

from reconciler.answers import adoption
from reconciler.answers.adoption import Decision, DecisionContext
from reconciler.answers.attached import invoice_note, look_of
from reconciler.answers.words import day_words
from reconciler.cli.files import FileEdit
from reconciler.cli.options import CommonOptions, common_options, complete_keys, next_command, output_option
from reconciler.cli.output import prompt, safe, say, tell
from reconciler.cli.wiring import load, now, open_store, require_key, run_context, run_info
from reconciler.config.edit import set_subscription_id
from reconciler.errors import DecisionRefused, ExitCode, UsageError
from reconciler.model import Mapping, MappingKey, SubscriptionId
from reconciler.planning.index import index_subscriptions
from reconciler.planning.observation import RunContext, reveal_known
from reconciler.state.base import RunInfo, StateStore
from reconciler.state.places import runs_in_ci
from reconciler.state.recorded import Attached, InvoiceLook, Recorded
from reconciler.writing.verdict import decision_verdict

Decide = Callable[[DecisionContext], Decision]
Judge = Callable[[Recorded], Decision]
"""A decision on what was seen in HaloPSA and on whatever the state says by then."""

SUBSCRIPTION_ID = click.IntRange(min=1, max=2**31 - 1)

reason_option = click.option("--reason", metavar="TEXT", help="Why; it is written into the journal and the history.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask. Every check is made all the same.")


@click.command()
@click.argument("key", shell_complete=complete_keys)
@click.argument("subscription_id", type=SUBSCRIPTION_ID)
@reason_option
@yes_option
@output_option("text", "patch")
@common_options
@click.pass_obj
def adopt(options: CommonOptions, *, key: str, subscription_id: int, reason: str | None, yes: bool, output: str) -> int:
    """Bind mapping KEY to a Subscription that exists already, so that no second one is created.

    It looks at HaloPSA, refuses what is not plainly the mapping's (another customer, inactive, a plain licence, another
    mapping's), and writes the state and `subscription_id` into mappings.yaml, without disturbing a byte of the rest, so
    that the adoption survives the loss of any state. HaloPSA is not touched. The next apply sets the quantity.

    With -o patch, which suits CI, mappings.yaml stays as it is and the edit is printed for `git apply`.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler adopt infima-104 9010 --reason "made by hand in 2024"
      reconciler adopt infima-104 9010 --reason "ticket 4711" --yes
      reconciler adopt infima-104 9010 --reason "ticket 4711" --yes -o patch | git apply
    """
    why = _required_reason("adopt", reason, yes=yes)
    return _carry_out(options, key, _adopting(subscription_id), "adopt", why, yes=yes, as_patch=output == "patch")


@click.command()
@click.argument("key", shell_complete=complete_keys)
@click.option(
    "--adopt", "adopted", type=SUBSCRIPTION_ID, metavar="ID",
    help="The create did take effect: this Subscription is the one.",
)  # fmt: skip
@click.option("--abandon", is_flag=True, help="The create took no effect: forget it, so that a new one may be sent.")
@click.option("--recreate", is_flag=True, help="The Subscription is gone: give it up, so that a new one is created.")
@click.option("--attached", is_flag=True, help="It is on a recurring invoice, where no look can show it.")
@reason_option
@yes_option
@common_options
@click.pass_obj
def resolve(
    options: CommonOptions, *, key: str, adopted: int | None, abandon: bool, recreate: bool, attached: bool,
    reason: str | None, yes: bool,
) -> int:  # fmt: skip
    """Decide what the program must not decide alone: a create without an answer, a Subscription that is gone.

    Exactly one of --adopt, --abandon, --recreate and --attached. It refuses what was seen to be otherwise, and writes
    the state only. --attached is for Subscriptions that the program cannot see on an invoice: it may not read invoices,
    or a line selects by criteria.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler resolve infima-113 --adopt 9055 --reason "found it in HaloPSA"
      reconciler resolve infima-113 --abandon --reason "looked, it is not there"
      reconciler resolve infima-107 --recreate --reason "deleted by mistake"
      reconciler resolve infima-113 --attached --reason "line 3 of contract 71 takes all trainings in"
    """
    if (adopted is not None) + abandon + recreate + attached != 1:
        raise UsageError(
            "resolve takes exactly one of --adopt ID, --abandon, --recreate and --attached.",
            hint=f"`reconciler explain {key}` tells which of them fits.",
        )
    why = _required_reason("resolve", reason, yes=yes)
    if attached:
        return _say_attached(options, key, why, yes=yes)
    decide = adoption.abandon if abandon else adoption.recreate if adopted is None else _adopting(adopted)
    return _carry_out(options, key, decide, "resolve", why, yes=yes)


def _adopting(number: int) -> Decide:
    return lambda context: adoption.adopt(context, SubscriptionId(number))


def _required_reason(command: str, reason: str | None, *, yes: bool) -> str:
    """The reason, trimmed. Raises `UsageError` where there is none, or where nobody can be asked."""
    why = (reason or "").strip()
    if not why:
        raise UsageError(
            f"{command} needs a reason.", hint="Add --reason '...'; it is written into the journal and the history."
        )
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"{command} asks before it writes the state, and there is no terminal to ask on.",
            hint="Add --yes to record the decision without a question; every check is made all the same.",
        )
    return why


def _confirmed(edit: FileEdit | None) -> bool:
    written = "Only the state is written" if edit is None else f"The state and {edit.path} are written"
    tell(safe(f"\n{written}; HaloPSA is not touched. Only 'yes' will be accepted."))
    agreed = prompt("  Enter a value") == "yes"
    if not agreed:
        tell("Nothing was recorded.")
    return agreed


# ---------------------------------------------------------------------------------------------------------------------
# Whose Subscription it is: look at HaloPSA, show what was seen, ask, write the state
# ---------------------------------------------------------------------------------------------------------------------


def _carry_out(
    options: CommonOptions, key: str, decide: Decide, command: str, why: str, *, yes: bool, as_patch: bool = False
) -> int:
    """Decide on live facts, ask, decide again on the locked state, record it, and write into mappings.yaml what lasts.

    An adopted Subscription carries no marker: what the file says of it survives the loss of any state. `as_patch`
    prints that edit instead of making it; stdout then holds nothing else. Raises `DecisionRefused` when the facts are
    against it.
    """
    mappings = load(options)
    mapping = require_key(key, mappings, "KEY")
    with run_context(options, mappings) as context:
        recorded = context.store.read()
        judge = _judge_by_live_facts(context, mapping, recorded, decide)
    decision = judge(recorded)
    edit = _edit(options, decision)
    show = tell if as_patch else say
    _show(decision, edit, show)
    if not yes and not _confirmed(edit):
        return ExitCode.ERROR
    _record(context.store, run_info(options, mappings, command), decision, judge, why)
    show(safe(f"Recorded in {context.store.location}."))
    if edit is not None:
        _keep_in_file(edit, decision, show, as_patch=as_patch)
    show(safe(f"Next: {next_command(f'plan --only {key}')}"))
    return ExitCode.DONE


def _judge_by_live_facts(context: RunContext, mapping: Mapping, recorded: Recorded, decide: Decide) -> Judge:
    """Look at HaloPSA once; the judge that is returned may be asked again when the state has changed."""
    mappings, target, halo_url = context.mappings, context.systems.target, context.systems.halo_url
    listing = reveal_known(target, mappings, target.subscriptions(), recorded, live_too=True)
    moment = context.clock.now().astimezone(mappings.settings.timezone)

    def judge(recorded: Recorded) -> Decision:
        known = recorded.tenant
        if known is not None and known.halo_url != halo_url:
            raise DecisionRefused(
                f"This state belongs to {known.halo_url}, and HALO_URL is {halo_url}.",
                hint="Check HALO_URL and --state: ids of one HaloPSA mean nothing in another.",
            )
        return decide(
            DecisionContext(
                mapping=mapping,
                index=index_subscriptions(listing, mappings.mappings, recorded),
                recorded=recorded,
                now=moment,
                settle=timedelta(hours=mappings.settings.settle_hours),
            )
        )

    return judge


def _edit(options: CommonOptions, decision: Decision) -> FileEdit | None:
    """The line of mappings.yaml that says what was adopted; None where it is said already, or found by its marker."""
    number, file = decision.write_id, str(options.mappings)
    if number is None:
        return None
    edit = FileEdit.make(
        options.mappings, lambda text: set_subscription_id(text, decision.key, number, file=file), now=now()
    )
    return edit if edit.changes else None


def _show(decision: Decision, edit: FileEdit | None, show: Callable[[str], None]) -> None:
    lines = ["Seen in HaloPSA and in the state:", *(f"  {line}" for line in decision.seen)]
    lines += ["What follows:", *(f"  {line}" for line in decision.follows)]
    if edit is not None:
        lines.append(f"  {edit.path} says so as well: subscription_id: {decision.write_id}.")
    for line in lines:
        show(safe(line))


def _record(store: StateStore, info: RunInfo, decision: Decision, judge: Judge, why: str) -> None:
    with store.open_run(info) as state:
        fresh = judge(state.recorded)
        if fresh.writes != decision.writes:
            raise DecisionRefused(
                "The state changed while you were deciding.", hint="Run the command again and look at the new facts."
            )
        state.note(decision.kind, {"key": decision.key, "reason": why, "seen": list(decision.seen)})
        state.record_decision(
            decision.key, bind=fresh.bind, give_up=fresh.give_up, take_from=fresh.take_from, abandon=fresh.settle
        )
        at = fresh.bind.subscription_id if fresh.bind else None
        verdict = decision_verdict(
            info, decision.key, decision.kind, why, at=at, quantity=decision.count, finished_at=now()
        )
        state.finish(verdict)


def _keep_in_file(edit: FileEdit, decision: Decision, show: Callable[[str], None], *, as_patch: bool) -> None:
    if as_patch or runs_in_ci(os.environ):
        if not as_patch:
            show(safe(f"Commit this to {edit.path}, so that a lost state forgets nothing:"))
        sys.stdout.write(edit.patch)
        return
    edit.write()
    line = f"subscription_id: {decision.write_id}"
    show(safe(f"Written into {edit.path}: {line}. Commit it, so that a lost state forgets nothing."))


# ---------------------------------------------------------------------------------------------------------------------
# --attached: a person says that a Subscription is on a recurring invoice
# ---------------------------------------------------------------------------------------------------------------------


def _say_attached(options: CommonOptions, key: str, why: str, *, yes: bool) -> int:
    """Record a person's word where no look can show it: no right to read invoices, or a line that selects by criteria.

    It stands until a look contradicts it. HaloPSA is neither read nor written.
    """
    mappings = load(options)
    name, store = require_key(key, mappings, "KEY").key, open_store(options)
    seen = _with_word(store.read(), name, why)
    say(safe(f"This will be recorded: Subscription {seen.subscription_id} of {key} is on a recurring invoice: {why}"))
    if not yes and not _confirmed(None):
        return ExitCode.ERROR
    info = run_info(options, mappings, "resolve")
    with store.open_run(info) as state:
        recorded = state.recorded
        seen = _with_word(recorded, name, why)
        state.note("attached", {"key": key, "reason": why})
        verdict = decision_verdict(info, name, "attached", why, at=seen.subscription_id, finished_at=now())
        state.finish(verdict, outlook=replace(recorded.outlook, looks={**recorded.looks, name: seen}))
    say(safe(f"Recorded in {store.location}. Next: {next_command(f'status --only {key}')}"))
    return ExitCode.DONE


def _with_word(recorded: Recorded, key: MappingKey, why: str) -> InvoiceLook:
    """The look with the person's word in it. Raises `DecisionRefused` where a look has shown the contrary."""
    binding, before = recorded.bindings.get(key), look_of(key, recorded)
    if binding is None:
        raise DecisionRefused(
            f"No Subscription is recorded for {key}.", hint=f"See what is known of it: reconciler explain {key}"
        )
    if before is None:
        number, perhaps = binding.subscription_id, Attached.PERHAPS
        return InvoiceLook(subscription_id=number, looked_at=now(), verdict=perhaps, everywhere=False, word=why)
    if before.verdict is Attached.DISABLED or (before.verdict is Attached.NO and before.everywhere):
        raise DecisionRefused(
            f"On {day_words(before.looked_at)} Subscription {before.subscription_id} was seen {invoice_note(before)}.",
            hint=f"When it has been attached since: reconciler check-invoices --only {key}",
        )
    return replace(before, word=why)
