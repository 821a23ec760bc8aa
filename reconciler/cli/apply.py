"""`reconciler apply`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import click

from reconciler import __version__
from reconciler.answers.needs import NeedInput, failed_run, find_needs
from reconciler.cli.drawing import draw_plan, terminal_pen
from reconciler.cli.files import load_plan_file
from reconciler.cli.options import (
    DOCUMENTS,
    INPUT_FILE,
    CommonOptions,
    allowance_options,
    common_options,
    output_option,
    selection_options,
)
from reconciler.cli.output import prompt, say, tell
from reconciler.cli.wiring import load, now, open_store, plan_options, run_context, run_info
from reconciler.errors import PlanFileError, ReconcilerError, StateError, UsageError, as_failure
from reconciler.plan_document import plan_document, with_outcomes
from reconciler.plan_document.layout import PlanJson
from reconciler.plan_document.read import SavedPlan
from reconciler.planning.changes import Plan
from reconciler.planning.observation import PlanOptions
from reconciler.render.terminal import render_outcome, render_plan
from reconciler.run import ApplyRun, Finished, run_apply
from reconciler.state.spelling import to_line

MAX_PLAN_AGE_HOURS = 24
CLOCK_SKEW_HOURS = 1
"""How far the clocks of the machine that planned and of the one that applies may be apart."""


@click.command()
@click.argument("plan_file", required=False, type=INPUT_FILE)
@click.option("--auto-approve", is_flag=True, help="Do not ask. It lifts no safety rule.")
@output_option("text", "json", "terraform")
@selection_options
@allowance_options
@common_options
@click.pass_obj
def apply(
    options: CommonOptions, *, plan_file: Path | None, auto_approve: bool, output: str, only: tuple[str, ...],
    exclude: tuple[str, ...], allow: tuple[str, ...], reason: str | None,
) -> int:  # fmt: skip
    """Create missing Subscriptions and set quantities, after showing the plan and asking.

    With PLAN_FILE a fresh plan is made all the same, and only what stands in both is performed: a saved plan can take
    writes away, never add one.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler apply
      reconciler apply tonight.plan.json
      reconciler apply --auto-approve --exclude infima-104
      reconciler apply --allow decrease:infima-102 --reason "left two offices, ticket 4711"
    """
    if not auto_approve and not sys.stdin.isatty():
        raise UsageError(
            "apply asks before it writes, and there is no terminal to ask on.",
            hint="Add --auto-approve to perform the plan without a question; it lifts no safety rule.",
        )
    with _waiting_told(options):
        mappings = load(options)
        chosen = plan_options(mappings, only, exclude, allow, reason)
        saved = load_plan_file(plan_file) if plan_file is not None else None
        drawing = _Drawing(options, asks=not auto_approve)
        with run_context(options, mappings) as context:
            finished = run_apply(
                ApplyRun(
                    context=context,
                    info=run_info(options, mappings, _command(chosen)),
                    options=chosen,
                    show=drawing.show,
                    confirm=None if auto_approve else drawing.confirm,
                    agreed=saved.permitted if saved is not None else None,
                    check_fresh=partial(_check_fits, saved) if saved is not None else None,
                    looks_at_invoices=True,
                )
            )
    with _run_told(finished):
        return _report(finished, drawing, options, output)


@contextmanager
def _run_told(finished: Finished) -> Iterator[None]:
    """Where drawing the result fails with a fault of ours, the error says what the run did and where its record is."""
    try:
        yield
    except (ReconcilerError, OSError):
        raise
    except Exception as fault:
        told = f"; the run: {finished.verdict.sentence} Its record: reconciler history {finished.verdict.run}"
        raise as_failure(fault, sent=told) from fault


@contextmanager
def _waiting_told(options: CommonOptions) -> Iterator[None]:
    """The document of a run that cannot begin lists what waits for a person, as far as the state can be read."""
    try:
        yield
    except ReconcilerError as error:
        if options.output in DOCUMENTS and not error.needs and not isinstance(error, StateError):
            with suppress(ReconcilerError):
                given = NeedInput(recorded=open_store(options).read(), now=now())
                error.needs = find_needs(given, failed_run(error.message, error.hint, given))
        raise


class _Drawing:
    """Shows the plan to a person; `document` is what was drawn, once it was shown."""

    document: PlanJson

    def __init__(self, options: CommonOptions, *, asks: bool) -> None:
        self.options = options
        self.asks = asks

    def show(self, plan: Plan) -> None:
        """The plan goes to stdout where a person reads it; with -o json stdout is kept for the one document.

        Where nobody is asked, what will be written is drawn once, when it is known what became of it.
        """
        self.document = plan_document(plan, version=__version__)
        if self.options.output in DOCUMENTS:
            return
        if self.asks:
            say(draw_plan(self.document, self.options))
        else:
            say(render_plan(self.document, terminal_pen(self.options), before_apply=True))

    def confirm(self, plan: Plan) -> bool:
        summary = plan.summary
        tell(
            f"\nDo you want to perform these actions in HaloPSA ({plan.tenant.halo_url})?\n"
            f"  {summary.create} to create, {summary.update} to update. "
            f"Users: {summary.users_before} -> {summary.users_after}.\n"
            "  Only 'yes' will be accepted to approve.\n"
        )
        return prompt("  Enter a value") == "yes"


def _command(chosen: PlanOptions) -> str:
    """A run of some mappings has to be known as one: its sum of users is not comparable with a whole night's."""
    selected = [f"--only {key}" for key in chosen.only] + [f"--exclude {key}" for key in chosen.exclude]
    return " ".join(["apply", *selected])


def _check_fits(saved: SavedPlan, fresh: Plan) -> None:
    """A saved plan is used only with the file and the systems it was made for, and not for ever."""
    again = "Make a new one with: reconciler plan --out FILE"
    if saved.mappings_sha256 != fresh.mappings_sha256:
        raise PlanFileError("The saved plan was made from another mappings.yaml.", hint=again)
    if saved.tenant != fresh.tenant:
        raise PlanFileError(
            f"The saved plan was made for {saved.tenant.halo_url} and INFIMA partner {saved.tenant.infima_partner!r}; "
            f"this run reads {fresh.tenant.halo_url} and {fresh.tenant.infima_partner!r}.",
            hint="Check HALO_URL and INFIMA_API_KEY.",
        )
    hours = (fresh.taken_at - saved.taken_at).total_seconds() / 3600
    if hours > MAX_PLAN_AGE_HOURS:
        why = f"The saved plan is {hours:.0f} hours old; it may be {MAX_PLAN_AGE_HOURS} at most."
        raise PlanFileError(why, hint=again)
    if hours < -CLOCK_SKEW_HOURS:
        raise PlanFileError("The saved plan is from the future: its time stamp cannot be right.", hint=again)


def _report(finished: Finished, drawing: _Drawing, options: CommonOptions, output: str) -> int:
    document = with_outcomes(
        drawing.document,
        finished.plan,
        finished.applied.outcomes,
        finished.verdict,
        halted=finished.applied.halted,
        record_missing=finished.record_missing,
        needs=finished.needs,
        met=finished.met,
    )
    if output in DOCUMENTS:
        say(draw_plan(document, options))
    elif finished.confirmed:
        say("\n" + render_outcome(document, terminal_pen(options), planned=drawing.asks))
    if not finished.confirmed:
        tell("Apply cancelled.")
        return finished.verdict.exit_code
    error = finished.applied.error
    if error is not None:
        if output in DOCUMENTS or error.message not in {finished.applied.halted, finished.record_missing}:
            tell(f"Error: {error.message}")  # as text it stands above, once
        if error.hint:
            tell(f"  {error.hint}")
    if finished.record_missing:
        tell("The record of this run, which the state did not take:")
        tell(to_line(finished.verdict))
    return finished.verdict.exit_code
