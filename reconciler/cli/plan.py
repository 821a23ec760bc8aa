"""`reconciler plan`."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.drawing import draw_plan
from reconciler.cli.files import write_file
from reconciler.cli.options import (
    CommonOptions,
    OutputFile,
    allowance_options,
    common_options,
    output_option,
    selection_options,
)
from reconciler.cli.output import safe, say, tell
from reconciler.cli.wiring import load, now, plan_options, run_context
from reconciler.config import parse_mappings
from reconciler.errors import ConfigError, ExitCode, PlanFileError, StateError, UsageError
from reconciler.model import Mappings
from reconciler.moments import spelled
from reconciler.plan_document import dump_document, plan_document
from reconciler.planning.attribution import attribute, new_approvals
from reconciler.planning.changes import Plan
from reconciler.planning.observation import RunContext, clients_to_count, count_more, every_client_to_bill
from reconciler.planning.rules import Level
from reconciler.planning.snapshot import MAKE_ANOTHER, Snapshot, dump_snapshot, read_snapshot
from reconciler.run import make_plan, read_live
from reconciler.state.gitcommand import Git, hint_for

GIT_SECONDS = 20


@click.command()
@output_option("text", "json", "markdown", "html", "github", "terraform")
@click.option("--out", type=OutputFile(), metavar="FILE", help="Save the plan to FILE.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 3 when anything is held or refused."
)
@click.option("--against", metavar="GIT_REF", help="Say which changes come from the edit since GIT_REF.")
@click.option(
    "--save-snapshot",
    type=OutputFile(),
    metavar="FILE",
    help="Keep what was read as a file: ids, names and counts, nothing of any user.",
)
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Plan from such a file, without network and without credentials.",
)
@selection_options
@allowance_options
@common_options
@click.pass_obj
def plan(
    options: CommonOptions,
    *,
    output: str,  # noqa: ARG001 - -o is read by draw_plan
    out: Path | None,
    detailed_exitcode: bool,
    against: str | None,
    save_snapshot: Path | None,
    snapshot: Path | None,
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    allow: tuple[str, ...],
    reason: str | None,
) -> int:
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
    base = load_base(options, against) if against is not None else None
    seen = _read(options, mappings, base, snapshot, every_client=save_snapshot is not None)
    made = make_plan(mappings, seen.observation, seen.recorded, chosen)
    if against is not None:
        made = attribute(made, make_plan(base, seen.observation, seen.recorded, chosen) if base else None)
        made = replace(made, warnings=(*new_approvals(mappings, base), *made.warnings))
    document = plan_document(made, version=__version__)
    if save_snapshot is not None:
        _keep(save_snapshot, seen)
    if out is not None:
        write_file(out, dump_document(document), what="plan")
        tell(f"Saved the plan to {out}. To perform exactly this and nothing more: reconciler apply {out}")
    say(draw_plan(document, options))
    return exit_code(made, detailed=detailed_exitcode)


def _read(
    options: CommonOptions, mappings: Mappings, base: Mappings | None, snapshot: Path | None, *, every_client: bool
) -> Snapshot:
    """What the plan is made from: both systems and the state as they are now, or a file that was kept of them."""
    if snapshot is not None:
        return load_snapshot(snapshot)
    with run_context(options, mappings) as context:
        return _more_counts(context, read_live(context), base, every_client=every_client)


def _more_counts(context: RunContext, seen: Snapshot, base: Mappings | None, *, every_client: bool) -> Snapshot:
    """Count the users of clients too that only the base maps, so that both plans rest on the same reads.

    With `every_client` those of all that are listed and not ignored: a snapshot can then answer for mappings that do
    not exist yet.
    """
    found = seen.observation
    wanted = set(clients_to_count(base, found.clients)) if base is not None else set()
    if every_client:
        wanted |= set(every_client_to_bill(context.mappings, found.clients))
    return replace(seen, observation=count_more(context, found, wanted))


def load_snapshot(path: Path, *, what: str = "this plan is made") -> Snapshot:
    """Read a snapshot file, and tell `what` is made from it. Raises `PlanFileError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.", hint=MAKE_ANOTHER) from error
    snapshot = read_snapshot(data)
    taken = snapshot.observation.taken_at
    tell(f"Nothing is read from INFIMA or HaloPSA: {what} from a snapshot of {spelled(taken, UTC)}.")
    return snapshot


def load_base(options: CommonOptions, ref: str) -> Mappings | None:
    """mappings.yaml as it stands at a git reference; None, with a word about it, when it is not usable there.

    Raises `UsageError` when the reference does not exist, or mappings.yaml is in no repository.
    """
    path = options.mappings.absolute()
    if ref.startswith("-"):
        raise UsageError(f"--against {ref}: that is no git reference.")
    git = Git(path.parent, os.environ)
    try:
        known = git.run("rev-parse", "--verify", f"{ref}^{{commit}}", seconds=GIT_SECONDS)
        shown = git.run("show", f"{ref}:./{path.name}", seconds=GIT_SECONDS)
    except StateError as error:
        raise UsageError("--against needs git, and it could not be run.", hint=error.message) from error
    if not known.ok:
        hint = hint_for(known.complaint) or "Fetch it first (in CI: fetch-depth: 0), or name another."
        words = known.complaint or f"exit code {known.code}"
        raise UsageError(f"--against: git knows no commit {ref!r}. It said: {words}", hint=hint)
    if not shown.ok:
        tell(f"{path.name} does not exist at {safe(ref)}: every change comes from this edit.")
        return None
    try:
        return parse_mappings(shown.output, file=f"{ref}:{path.name}", now=now())
    except ConfigError as error:
        tell(f"{safe(error.message)}, so every change is put down to this edit.")
        return None


def _keep(path: Path, seen: Snapshot) -> None:
    write_file(path, dump_snapshot(seen), what="snapshot")
    tell(f"Saved what was read to {path}. To plan from it without network: reconciler plan --snapshot {path}")


def exit_code(made: Plan, *, detailed: bool) -> ExitCode:
    """0 when a plan could be made, 3 when the run would be refused; with `detailed` 2 for changes, 3 for any hold."""
    stopped = any(v.stops and v.level is Level.RUN for v in made.violations)
    if stopped or (detailed and made.held):
        return ExitCode.HELD
    return ExitCode.CHANGES if detailed and made.writes else ExitCode.DONE
