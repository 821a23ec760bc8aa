"""`reconciler approve`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from reconciler.answers.words import plural
from reconciler.cli.files import FileEdit, load_snapshot
from reconciler.cli.options import INPUT_FILE, CommonOptions, common_options, complete_keys
from reconciler.cli.output import safe, say, tell
from reconciler.cli.past import parse_last_day
from reconciler.cli.wiring import load, now, require_key, run_context
from reconciler.config.edit import NewApproval, add_approval, remove_approvals
from reconciler.errors import DecisionRefused, ExitCode, UsageError
from reconciler.model import Mappings
from reconciler.planning.changes import Plan, Violation
from reconciler.planning.observation import PlanOptions
from reconciler.planning.rules import Rule
from reconciler.run import make_plan, read_live
from reconciler.safety.approvals import extent_in_words, proposed_bounds

RUN_RULES = [str(rule) for rule in Rule if rule.approvable and rule.level == "run"]


@click.command()
@click.argument("key", shell_complete=complete_keys)
@click.option("--until", metavar="DATE", help="Last day on which it holds, at most 92 days ahead.")
@click.option("--reason", metavar="TEXT", help="Why; reviewers see it now, history and report show it later.")
@click.option("--from", "lowest", type=click.IntRange(0, 1_000_000), metavar="N", help="Smallest quantity approved.")
@click.option("--to", "highest", type=click.IntRange(0, 1_000_000), metavar="N", help="Largest quantity approved.")
@click.option("--up-to", type=click.IntRange(1, 1_000_000), metavar="N", help="For a rule about the whole run.")
@click.option("--remove", is_flag=True, help="Take the approvals of KEY out of the file again.")
@click.option(
    "--snapshot", type=INPUT_FILE, metavar="FILE",
    help="Look at a snapshot instead of both systems: no network, no credentials.",
)  # fmt: skip
@common_options
@click.pass_obj
def approve(
    options: CommonOptions, *, key: str, until: str | None, reason: str | None, lowest: int | None,
    highest: int | None, up_to: int | None, remove: bool, snapshot: Path | None,
) -> int:  # fmt: skip
    """Write an approval of what is held now into mappings.yaml, for a reviewer to agree to. HaloPSA is not touched.

    It reads both systems, finds the rules that hold mapping KEY and writes one entry for each, with bounds around the
    quantity that is counted today. KEY can also be a rule about the whole run: many-creates, source-dropped,
    amounts-drop, amounts-rise. An earlier approval of the same rule is replaced. Everything else in the file stays as
    it is, byte for byte.

    \b
    Environment: as for `reconciler plan`; none with --remove or --snapshot.

    \b
    Examples:
      reconciler approve infima-102 --until 2026-12-15 --reason "closed two branches, ticket 4711"
      reconciler approve infima-102 --until 2026-12-15 --reason "ticket 4711" --from 12 --to 20
      reconciler approve many-creates --until 2026-12-15 --reason "first run" --up-to 40
      reconciler approve infima-102 --remove
    """
    mappings = load(options)
    if key not in RUN_RULES:
        require_key(key, mappings, "KEY")
    old = options.mappings.read_bytes()
    file, text = str(options.mappings), old.decode("utf-8")
    if remove:
        edit = FileEdit.of(options.mappings, old, remove_approvals(text, key, file=file), now=now())
        if not edit.changes:
            raise DecisionRefused(f"mappings.yaml approves nothing of {key}.", hint="Nothing was written.")
        return _write(edit, f"Took the approvals of {key} out of {file}.")
    last = _last_day(mappings, until, reason)
    plan = _plan(options, mappings, snapshot)
    held = _held(plan, key)
    for violation in held:
        entry = _entry(plan, violation, last, reason or "", lowest=lowest, highest=highest, up_to=up_to)
        say(safe(f"{violation.rule}: {violation.message}"))
        say(safe(f"  approved: {extent_in_words(entry.at_least, entry.at_most, entry.up_to)} until {last}"))
        text = add_approval(text, entry, file=file)
    edit = FileEdit.of(options.mappings, old, text, now=now())
    _write(edit, f"Wrote {plural(len(held), 'approval')} into {file}.")
    for violation in plan.violations:
        if violation.name == key and violation.stops and violation not in held:
            tell(safe(f"{key} stays held by {violation.rule}: {violation.message}. Next: {violation.remedy}"))
    return ExitCode.DONE


def _plan(options: CommonOptions, mappings: Mappings, snapshot: Path | None) -> Plan:
    if snapshot is not None:
        seen = load_snapshot(snapshot)
    else:
        with run_context(options, mappings) as context:
            seen = read_live(context)
    return make_plan(mappings, seen.observation, seen.recorded, PlanOptions())


def _last_day(mappings: Mappings, until: str | None, reason: str | None) -> date:
    if until is None:
        raise UsageError("approve needs a last day.", hint="Add --until DATE, for example --until 2026-12-15.")
    day = parse_last_day(until, mappings.settings.day(now()), "Name a day to come, at most 92 days ahead.")
    if not (reason or "").strip():
        raise UsageError("approve needs a reason.", hint="Add --reason '...'; reviewers see it in the file.")
    return day


def _held(plan: Plan, key: str) -> list[Violation]:
    """What stops this mapping, or this rule of the run, and can be approved."""
    whose = [v for v in plan.violations if (v.rule == key if key in RUN_RULES else v.name == key) and v.stops]
    found = [v for v in whose if v.rule.approvable]
    if found:
        return found
    if whose:
        why = f"{key} is held by {whose[0].rule}, and that cannot be approved: {whose[0].message}."
        raise DecisionRefused(why, hint=whose[0].remedy)
    raise DecisionRefused(f"Nothing holds {key} now.", hint="`reconciler plan` shows what is held.")


def _entry(
    plan: Plan, violation: Violation, last: date, reason: str, *, lowest: int | None, highest: int | None,
    up_to: int | None,
) -> NewApproval:  # fmt: skip
    rule, proposed = str(violation.rule), proposed_bounds(plan, violation)
    if not violation.name:
        if lowest is not None or highest is not None:
            raise UsageError(f"{rule} is about the whole run.", hint="Give --up-to instead of --from and --to.")
        return NewApproval(rule=rule, until=last, reason=reason, up_to=up_to or proposed[1])
    if up_to is not None:
        raise UsageError(f"{rule} is about one mapping.", hint="Give --from and --to instead of --up-to.")
    low, high = (proposed[0] if lowest is None else lowest), (proposed[1] if highest is None else highest)
    if low > high:
        raise UsageError(f"--from {low} is above --to {high}.", hint="Swap the two numbers.")
    return NewApproval(rule=rule, key=violation.name, until=last, reason=reason, at_least=low, at_most=high)


def _write(edit: FileEdit, told: str) -> int:
    for line in edit.changed_lines:
        say(safe(f"  {line}"))
    edit.write()
    tell(f"{told} It holds once it is merged: commit it and open a pull request, then: reconciler plan")
    return ExitCode.DONE
