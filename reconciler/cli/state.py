"""`reconciler state`: what is remembered, and taking it somewhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC

import click

from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import prompt, safe, say, show_json, tell
from reconciler.cli.wiring import now, open_store, run_info
from reconciler.clock import SystemClock
from reconciler.errors import ExitCode, UsageError
from reconciler.model import Json, Mappings
from reconciler.moments import spelled, timestamp
from reconciler.state.directory import DirectoryState
from reconciler.state.document import StateDocument, refuse_moved
from reconciler.state.git import GitState
from reconciler.state.places import move_state, open_state


@click.group()
def state() -> None:
    """Show what is remembered between runs, or move it to another place.

    The state holds which Subscription belongs to which mapping, creates whose outcome is not known, the journal and the
    history. It holds no secret. --state or RECONCILER_STATE says which state is meant.

    \b
    Examples:
      reconciler state show
      reconciler state move --to git:reconciler-state
    """


@state.command("show")
@output_option("text", "json")
@common_options
@click.pass_obj
def show(options: CommonOptions, *, output: str) -> int:
    """Show where the state is and what it remembers. No request is made.

    \b
    Examples:
      reconciler state show
      reconciler --state git:reconciler-state state show -o json
    """
    store = open_store(options)
    document = store.look()
    if output == "json":
        show_json(_json(store, document))
        return 0
    for line in _text(store, document):
        say(safe(line))
    return 0


@state.command("move")
@click.option("--to", "target", metavar="directory:PATH|git:BRANCH", required=True, help="Where it shall live.")
@click.option("--yes", is_flag=True, help="Do not ask. Every check is made all the same.")
@common_options
@click.pass_obj
def move(options: CommonOptions, *, target: str, yes: bool) -> int:
    """Move the state: copy it whole, read it back, compare, and leave a note at the old place.

    The place that --state or RECONCILER_STATE names is moved. From then on the old place is refused. A place that
    holds a state of its own is never written over. Moving back is the same command the other way round.

    \b
    Examples:
      reconciler state move --to git:reconciler-state
      reconciler --state git:reconciler-state state move --to directory:.reconciler
    """
    source = open_store(options)
    to = open_state(target, mappings_path=options.mappings, clock=SystemClock(), environ=os.environ)
    refuse_moved(source.look(), source.location)
    say(safe(f"From {source.location} to {to.location}: bindings, open creates, journal and history."))
    if not yes and not _confirmed():
        tell("Nothing was moved.")
        return ExitCode.ERROR
    moved = move_state(source, to, run_info(options, Mappings(mappings=()), "state move"), now=now())
    say(safe(f"Moved and compared: {len(moved.bindings)} bindings, {len(moved.attempts)} open creates."))
    say(safe(f"{source.location} is refused from now on; it says where the state went."))
    say(safe(f"Next: use --state {to.spec}, or set RECONCILER_STATE={to.spec}, here and in CI."))
    return 0


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("state move asks first, and there is no terminal to ask on.", hint="Add --yes to move it.")
    return prompt("  Move it? [y/N]").strip().casefold() in {"y", "yes"}


def _json(store: DirectoryState | GitState, document: StateDocument) -> dict[str, Json]:
    last, moved, tenant = document.last_good_run, document.moved_at, document.tenant
    belongs: Json = None
    if tenant is not None:
        belongs = {"halo_url": tenant.halo_url, "infima_partner": tenant.infima_partner}
    return {
        "location": store.location,
        "spec": store.spec,
        "new": document == StateDocument(),
        "tenant": belongs,
        "last_good_run": None if last is None else timestamp(last),
        "bindings": [
            {"key": one.key, "subscription_id": one.subscription_id, "customer_id": one.customer_id,
             "origin": one.origin.value, "bound_at": timestamp(one.bound_at), "last_counted": one.last_counted}
            for _, one in sorted(document.bindings.items())
        ],
        "attempts": [
            {"key": one.key, "customer_id": one.customer_id, "run": one.run, "recorded_at": timestamp(one.recorded_at)}
            for _, one in sorted(document.attempts.items())
        ],
        "given_up": {str(key): list(ids) for key, ids in sorted(document.given_up.items())},
        "undecided": [str(key) for key in sorted(document.undecided)],
        "never_bound": [str(key) for key in sorted(document.never_bound)],
        "moved_to": document.moved_to or None,
        "moved_at": None if moved is None else timestamp(moved),
    }  # fmt: skip


def _text(store: DirectoryState | GitState, document: StateDocument) -> Iterator[str]:
    yield f"State: {store.location} (--state {store.spec})"
    if document.moved_to:
        when = "" if document.moved_at is None else f" on {spelled(document.moved_at, UTC)}"
        yield f"It was moved to {document.moved_to}{when} and is refused here. What it held then:"
    if document == StateDocument():
        yield "It is new: nothing is remembered there yet. If there is one already, name it with --state."
        return
    tenant, last = document.tenant, document.last_good_run
    if tenant is not None:
        yield f"It belongs to {tenant.halo_url} and INFIMA partner {tenant.infima_partner}."
    yield "No run came to its end yet." if last is None else f"Last good run: {spelled(last, UTC)}."
    yield f"Bindings: {len(document.bindings)}"
    for key, binding in sorted(document.bindings.items()):
        yield (
            f"  {key}: Subscription {binding.subscription_id} of customer {binding.customer_id}, "
            f"{binding.origin}, since {binding.bound_at:%Y-%m-%d}"
        )
    if document.attempts:
        yield f"Creates whose outcome is not known: {len(document.attempts)}"
        for key, attempt in sorted(document.attempts.items()):
            yield f"  {key}: customer {attempt.customer_id}, since {spelled(attempt.recorded_at, UTC)}"
    if document.given_up:
        yield "Given up by a person's decision:"
        for key, ids in sorted(document.given_up.items()):
            yield f"  {key}: {', '.join(map(str, ids))}"
    if document.undecided:
        yield f"Undecided since a loss (state-lost): {', '.join(sorted(document.undecided))}"
    if document.never_bound:
        yield f"Without a Subscription since this state was new: {', '.join(sorted(document.never_bound))}"
