"""`reconciler plan`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.drawing import draw_plan
from reconciler.cli.files import load_snapshot, write_file
from reconciler.cli.options import (
    INPUT_FILE,
    CommonOptions,
    OutputFile,
    allowance_options,
    common_options,
    output_option,
    selection_options,
)
from reconciler.cli.output import say, tell
from reconciler.cli.wiring import load, load_at, plan_options, run_context
from reconciler.errors import ExitCode, UsageError
from reconciler.model import Mappings
from reconciler.plan_document import dump_document, plan_document
from reconciler.planning.attribution import attribute, new_approvals
from reconciler.planning.changes import Plan
from reconciler.planning.observation import clients_to_count, count_more, every_client_to_bill
from reconciler.planning.rules import Level
from reconciler.planning.snapshot import Snapshot, dump_snapshot
from reconciler.run import make_plan, read_live


@click.command()
@output_option("text", "json", "markdown", "html", "github", "terraform")
@click.option("--out", type=OutputFile(), metavar="FILE", help="Save the plan to FILE.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 3 when anything is held or refused."
)
@click.option("--against", metavar="GIT_REF", help="Say which changes come from the edit since GIT_REF.")
@click.option(
    "--save-snapshot", type=OutputFile(), metavar="FILE",
    help="Keep what was read as a file: ids, names and counts, nothing of any user.",
)  # fmt: skip
@click.option(
    "--snapshot", type=INPUT_FILE, metavar="FILE",
    help="Plan from such a file, without network and without credentials.",
)  # fmt: skip
@selection_options
@allowance_options
@common_options
@click.pass_obj
def plan(
    options: CommonOptions, *, output: str, out: Path | None,  # noqa: ARG001 - -o is read by draw_plan
    detailed_exitcode: bool, against: str | None, save_snapshot: Path | None, snapshot: Path | None,
    only: tuple[str, ...], exclude: tuple[str, ...], allow: tuple[str, ...], reason: str | None,
) -> int:  # fmt: skip
    """Show what would change in HaloPSA. It reads both systems and never writes.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler plan
      reconciler plan --out tonight.plan.json
      reconciler plan --only infima-101 -o json
      reconciler plan -o terraform > tfplan.json
      reconciler plan --allow zero:infima-107 --reason "school holidays"
      reconciler plan --against origin/main -o markdown
      reconciler plan --save-snapshot last-night.json
      reconciler plan --snapshot last-night.json
    """
    if save_snapshot is not None and snapshot is not None:
        raise UsageError("--save-snapshot and --snapshot contradict each other.", hint="Give one of them.")
    mappings = load(options)
    chosen = plan_options(mappings, only, exclude, allow, reason)
    base = load_at(options, against) if against is not None else None
    seen = load_snapshot(snapshot) if snapshot else _read(options, mappings, base, every_client=bool(save_snapshot))
    made = make_plan(mappings, seen.observation, seen.recorded, chosen)
    if against is not None:
        made = attribute(made, make_plan(base, seen.observation, seen.recorded, chosen) if base else None)
        made = replace(made, warnings=(*new_approvals(mappings, base), *made.warnings))
    document = plan_document(made, version=__version__)
    if save_snapshot is not None:
        again = f"To plan from it without network: reconciler plan --snapshot {save_snapshot}"
        _save(save_snapshot, dump_snapshot(seen), "snapshot", f"Saved what was read to {save_snapshot}. {again}")
    if out is not None:
        again = f"To perform exactly this and nothing more: reconciler apply {out}"
        _save(out, dump_document(document), "plan", f"Saved the plan to {out}. {again}")
    say(draw_plan(document, options))
    return _exit_code(made, detailed=detailed_exitcode)


def _read(options: CommonOptions, mappings: Mappings, base: Mappings | None, *, every_client: bool) -> Snapshot:
    """Read both systems, and count the users of clients too that only the base maps: both plans rest on the same reads.

    With `every_client` those of all that are listed and not ignored: a snapshot can then answer for mappings that do
    not exist yet.
    """
    with run_context(options, mappings) as context:
        seen = read_live(context)
        found = seen.observation
        wanted = set(clients_to_count(base, found.clients)) if base is not None else set()
        if every_client:
            wanted |= set(every_client_to_bill(mappings, found.clients))
        return replace(seen, observation=count_more(context, found, wanted))


def _save(path: Path, content: str, what: str, said: str) -> None:
    write_file(path, content, what=what)
    tell(said)


def _exit_code(made: Plan, *, detailed: bool) -> ExitCode:
    """0 when a plan could be made, 3 when the run would be refused; with `detailed` 2 for changes, 3 for any hold."""
    stopped = any(v.stops and v.level is Level.RUN for v in made.violations)
    if stopped or (detailed and made.held):
        return ExitCode.HELD
    return ExitCode.CHANGES if detailed and made.writes else ExitCode.DONE
