"""`reconciler probe`."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from random import SystemRandom

import click

from reconciler.answers.words import capital
from reconciler.cli.files import write_file
from reconciler.cli.options import CommonOptions, OutputFile, common_options
from reconciler.cli.output import prompt, safe, say, say_wrapped, tell
from reconciler.cli.wiring import load, open_store, progress, run_info, without_infima
from reconciler.clock import SystemClock
from reconciler.errors import DecisionRefused, ExitCode, PlanFileError, UsageError
from reconciler.model import HaloCustomerId, Mappings
from reconciler.probing.exchanges import MOST_CREATES, MOST_REQUESTS
from reconciler.probing.probe import Left, Probed, Seen, look, run_probe
from reconciler.probing.report import Answer, encode_report
from reconciler.probing.session import ProbeSession
from reconciler.providers.connect import connect
from reconciler.providers.credentials import read_credentials
from reconciler.state.base import StateStore
from reconciler.state.recorded import Recorded

MAKES = 3
"""Subscriptions that an ordinary probe makes."""

_SIGNS = {Answer.YES: "yes", Answer.NO: "no ", Answer.UNTOLD: "?  "}


@click.command()
@click.option(
    "--customer", type=click.IntRange(1, 2**31 - 1), required=True, metavar="ID",
    help="The throw-away HaloPSA customer to ask with.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask. Every check is made all the same.")
@click.option(
    "--out", type=OutputFile(), default=Path("probe.json"), show_default=True, metavar="FILE",
    help="Where the answers go.",
)  # fmt: skip
@click.option(
    "--wait", type=click.IntRange(10, 600), default=60, show_default=True, metavar="SECONDS",
    help="How long a listing may be late.",
)  # fmt: skip
@common_options
@click.pass_obj
def probe(options: CommonOptions, *, customer: int, yes: bool, out: Path, wait: int) -> int:
    """Ask your HaloPSA what no documentation tells, on one throw-away customer. Takes about a minute.

    It makes three Subscriptions of its own (five at most) at quantity 0, named "reconciler probe, may be deleted", sets
    them to 1 and back, and looks at what HaloPSA does with them. It deletes nothing, touches nothing that a probe did
    not make, sends at most 60 requests, and leaves everything it made at 0. A customer that mappings.yaml names is
    refused. A probe that was killed is finished by the next one at that customer.

    The answers go into probe.json, without a value of any customer, and into the state: plan and apply use them, doctor
    shows them. docs/probe.md tells how to read them.

    Exit code 3 where apply must not be used (halo-unfit), 4 where something may not stand at 0 or is not on record.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional); each
    secret also as ..._FILE. INFIMA is not asked.

    \b
    Examples:
      reconciler customers "Test"
      reconciler probe --customer 77
      reconciler probe --customer 77 --yes --out halo.json
      reconciler simulate --probe probe.json
    """
    mappings, store, number = load(options), open_store(options), HaloCustomerId(customer)
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "probe asks before it writes to HaloPSA, and there is no terminal to ask on.", hint="Add --yes."
        )
    _refuse_mapped(mappings, store.read(), number)
    clock, observe, stop = SystemClock(options.stopper.event), progress(options), options.stopper.stopping
    known, word = read_credentials(without_infima(os.environ)), secrets.token_hex(4)
    with connect(known, mappings.settings, clock=clock, observer=observe, rng=SystemRandom()) as systems:
        session = ProbeSession(
            halo=systems.raw, clock=clock, observe=observe, stop=stop, customer=number, word=word, wait=float(wait),
            restart_time=systems.restart_time,
        )  # fmt: skip
        _introduce(look(session), session, store, systems.halo_url, out)
        if not yes and not _confirmed():
            tell("Nothing was written to HaloPSA.")
            return ExitCode.ERROR
        systems.restart_time()
        info = run_info(options, mappings, "probe")
        with store.open_run(info) as state, options.stopper.writing():
            _refuse_mapped(mappings, state.recorded, number)
            ended = run_probe(session, state, info, halo_url=systems.halo_url)
    _tell(ended, options, number, out)
    _write(ended, out)
    return _exit_code(ended, stopped=stop())


def _refuse_mapped(mappings: Mappings, recorded: Recorded, customer: HaloCustomerId) -> None:
    """A customer that is billed, or was, is none to try things on."""
    keys = [str(m.key) for m in mappings.mappings if m.halo_customer.id == customer]
    keys += [str(key) for key, binding in recorded.bindings.items() if binding.customer_id == customer]
    keys += [str(key) for key, attempt in recorded.attempts.items() if attempt.customer_id == customer]
    if keys:
        raise DecisionRefused(
            f"Customer {customer} has a mapping ({min(keys)}), and a probe writes to none that is billed.",
            hint="Make a customer in HaloPSA for it, on no recurring invoice, and name that one's number.",
        )


# -- before it ------------------------------------------------------------------------------------------------------


def _introduce(seen: Seen, session: ProbeSession, store: StateStore, halo_url: str, out: Path) -> None:
    """Say which customer it is and everything that will be done, before anything is."""
    tell(safe(f"HaloPSA customer {session.customer}: {seen.name}{' (inactive)' if seen.inactive else ''}"))
    if seen.others:
        tell(f"It has {seen.others} Subscriptions or licences of its own. They are not touched.")
    if seen.earlier:
        tell(f"Of earlier probes {seen.earlier} Subscriptions stand there. They are set to 0, where they are not.")
    tell("\nThe probe")
    for line in (
        f"sends at most {MOST_REQUESTS} requests to {halo_url}; {session.halo.sent} of them are behind it",
        f'makes {MAKES} Subscriptions at this customer ({MOST_CREATES} at most), named "{session.name(0)}"',
        "sets their quantity to 0 or 1, for some seconds each; at the end all stand at 0",
        "deletes nothing, and touches nothing that a probe did not make",
        f"remembers the answers in {store.location}, and writes {out}: no value of a customer stands in it",
    ):
        tell(safe(f"  - {line}"))
    tell("Take a customer that is on no recurring invoice: a 1 that stands for some seconds must bill nobody.")


def _confirmed() -> bool:
    tell("\nShall it begin? Only 'yes' will be accepted.")
    return prompt("  Enter a value") == "yes"


# -- after it -------------------------------------------------------------------------------------------------------


def _write(ended: Probed, out: Path) -> None:
    """Write the file; where it takes nothing, say where the answers are all the same. Raises `PlanFileError`."""
    try:
        write_file(out, encode_report(ended.report), what="list of answers", private=False)
    except PlanFileError as error:
        if ended.record_missing or not ended.clean:
            tell(f"Error: {error.message}")  # the exit code tells of what may not stand at 0
            return
        hint = f"{error.hint} The answers are in the state: reconciler doctor shows them. For the file, ask again."
        raise PlanFileError(error.message, hint=hint) from error
    tell(f"Wrote {out}. Rehearse against a simulator like it: reconciler simulate --probe {out}")


def _tell(ended: Probed, options: CommonOptions, customer: HaloCustomerId, out: Path) -> None:
    """The answers, what follows from them, and what a person may delete."""
    findings = ended.report.findings
    tally = {answer: sum(one.answer is answer for one in findings) for answer in Answer}
    say(
        f"{len(findings)} questions, {ended.report.requests} requests: {tally[Answer.YES]} yes, {tally[Answer.NO]} no, "
        f"{tally[Answer.UNTOLD]} could not be answered."
    )
    for finding in findings:
        if options.verbose or finding.answer is not Answer.YES:
            say_wrapped(f"  {_SIGNS[finding.answer]}  ", f"{finding.asks} {capital(finding.detail)}.")
    if not options.verbose:
        say(f"The {tally[Answer.YES]} that are yes stand in {out}; -v shows them here.")
    say("")
    for why in ended.report.unfit.values():
        say_wrapped("Do not use apply: ", f"{why}. It refuses (halo-unfit) until a newer probe finds otherwise.")
    for advice in ended.report.advice:
        say_wrapped("To do: ", advice)
    if not ended.report.unfit and not ended.report.advice:
        left_open = f" {tally[Answer.UNTOLD]} questions stay open." if tally[Answer.UNTOLD] else ""
        say(f"No answer contradicts what reconciler assumes.{left_open} plan and apply use the answers from now on.")
    _tell_left(ended.left, customer)
    for name in ended.lost:
        say(f'A create was sent and no listing shows what came of it: "{name}" may yet appear, at 0 or 1.')
    if not ended.clean:
        say(f"Run it again later: reconciler probe --customer {customer}. It sets to 0 what it finds of this one.")
    if ended.record_missing:
        tell(safe(f"The answers are not in the state: {ended.record_missing}"))


def _tell_left(left: tuple[Left, ...], customer: HaloCustomerId) -> None:
    if not left:
        say("The probe made nothing, so there is nothing to delete.")
        return
    say(f"These may be deleted in HaloPSA, at customer {customer}:")
    for one in left:
        stands = "its quantity could not be seen" if one.quantity is None else f"quantity {one.quantity}"
        say(safe(f"  #{one.subscription_id}  {one.name}  {stands}"))


def _exit_code(ended: Probed, *, stopped: bool) -> ExitCode:
    if not ended.clean or ended.record_missing:
        return ExitCode.INCOMPLETE
    if stopped:
        return ExitCode.INTERRUPTED
    return ExitCode.HELD if ended.report.unfit else ExitCode.DONE
