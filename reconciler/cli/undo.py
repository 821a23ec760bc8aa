"""`reconciler undo`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta, tzinfo
from pathlib import Path
from typing import Any

import click

from reconciler import __version__
from reconciler.cli.drawing import draw_plan
from reconciler.cli.files import FileEdit, write_file
from reconciler.cli.options import CommonOptions, OutputFile, common_options, complete_keys, next_command, output_option
from reconciler.cli.output import safe, say, show_json, tell
from reconciler.cli.past import find_run, parse_last_day
from reconciler.cli.wiring import load, now, open_store, require_key, run_context
from reconciler.config.edit import set_quantity
from reconciler.errors import ExitCode
from reconciler.history.undo import Undo, undo_run
from reconciler.moments import spelled
from reconciler.plan_document import dump_document, plan_document
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.observation import PlanOptions
from reconciler.run import make_plan, read_live

KEPT_DAYS = 14
"""So long an old quantity is kept where nobody says how long: then its mapping is held until a person decides."""


@click.command()
@click.argument("run")
@click.option("--only", multiple=True, metavar="KEY", shell_complete=complete_keys, help="Set back this mapping only.")
@click.option(
    "--until", metavar="DATE", help=f"Last day on which the old quantity is kept.  [default: in {KEPT_DAYS} days]"
)
@click.option("--write", is_flag=True, help="Write the edit into mappings.yaml.")
@click.option("--out", type=OutputFile(), metavar="FILE", help="Save the plan to FILE.")
@output_option("text", "json")
@common_options
@click.pass_obj
def undo(
    options: CommonOptions, *, run: str, only: tuple[str, ...], until: str | None, write: bool, out: Path | None,
    output: str,
) -> int:  # fmt: skip
    """Prepare to set back what a past run wrote. It never writes to HaloPSA.

    Both systems are read: what somebody changed since is named and left out. For the rest the old quantity becomes
    `quantity: {fixed: ...}` in mappings.yaml, because the next night would otherwise count again. The edit is shown,
    or written with --write; then plan and apply do what they always do. Take the fixed quantity out again when INFIMA's
    count is right.

    \b
    Environment: as for `reconciler plan`.

    \b
    Examples:
      reconciler undo 3f2a9c1e
      reconciler undo 3f2a9c1e --write --out undo.plan.json && reconciler apply undo.plan.json
      reconciler undo 3f2a9c1e --only infima-101 --until 2026-12-31 --write
    """
    mappings = load(options)
    for key in only:
        require_key(key, mappings, "--only")
    past = find_run(open_store(options).history.runs(), run)
    today = mappings.settings.day(now())
    last = today + timedelta(days=KEPT_DAYS) if until is None else parse_last_day(until, today, "Name a day to come.")
    with run_context(options, mappings) as context:
        seen = read_live(context)
    found = undo_run(past, make_plan(mappings, seen.observation, seen.recorded, PlanOptions()))
    if only:
        found = replace(
            found,
            set_back=tuple(row for row in found.set_back if row.key in only),
            left_out=tuple(row for row in found.left_out if row.key in only),
        )
    edit = _edit(options, found, last)
    chosen = PlanOptions(only=tuple(row.key for row in found.set_back))
    plan = make_plan(edit.mappings, seen.observation, seen.recorded, chosen)
    document = plan_document(plan, version=__version__)
    if output == "json":
        show_json(_json(found, edit))
    else:
        _show(found, edit, document, options, mappings.settings.timezone)
    if write and edit.changes:
        edit.write()
        tell(f"Wrote the edit into {options.mappings}.")
    if found.set_back:
        _save(out, document, written=write)
    return ExitCode.DONE


def _edit(options: CommonOptions, found: Undo, last: date) -> FileEdit:
    """The file with the old quantities fixed, read again by the rules of every mappings.yaml."""

    def fixed(text: str) -> str:
        for row in found.set_back:
            reason = f"undo of run {found.run.info.id}"
            members: dict[str, Any] = {"fixed": row.before, "reason": reason, "until": last.isoformat()}
            text = set_quantity(text, row.key, members, file=str(options.mappings))
        return text

    return FileEdit.make(options.mappings, fixed, now=now())


def _show(found: Undo, edit: FileEdit, document: PlanJson, options: CommonOptions, zone: tzinfo) -> None:
    verdict = found.run.verdict
    say(safe(f"Run {found.run.info.id} of {spelled(verdict.finished_at, zone)}: {verdict.sentence}"))
    for row in found.left_out:
        say(safe(f"  left out  {row.key}  {row.customer}: {row.why}"))
    if not found.set_back:
        say("Nothing of it can be set back.")
        return
    say("\nThe edit of mappings.yaml:")
    for line in edit.changed_lines:
        say(safe(f"  {line}"))
    say("\nWhat apply would do with it:")
    say(draw_plan(document, options))


def _save(out: Path | None, document: PlanJson, *, written: bool) -> None:
    if out is None:
        following = f"Next: {next_command('plan')}, then apply."
        tell(safe(following) if written else "Nothing was written: add --write, or edit by hand.")
        return
    write_file(out, dump_document(document), what="plan")
    condition = "" if written else ", once mappings.yaml holds exactly this edit"
    tell(f"Saved the plan to {out}. To perform exactly this and nothing more{condition}: reconciler apply {out}")


def _json(found: Undo, edit: FileEdit) -> dict[str, object]:
    return {
        "run": found.run.info.id,
        "set_back": [
            {
                "key": row.key,
                "halo_customer": row.customer,
                "subscription_id": row.subscription_id,
                "written": row.written,
                "before": row.before,
            }
            for row in found.set_back
        ],
        "left_out": [{"key": row.key, "halo_customer": row.customer, "why": row.why} for row in found.left_out],
        "edit": edit.changed_lines,
    }
