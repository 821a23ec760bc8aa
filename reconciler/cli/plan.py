"""`reconciler plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.cli.ahead import reading_ahead
from reconciler.cli.observing import load_snapshot, observe_live
from reconciler.cli.options import (
    CommonOptions,
    allowance_options,
    common_options,
    output_option,
    selection_options,
)
from reconciler.cli.output import draw_plan, prepare_drawing, say, tell
from reconciler.cli.planfile import save_plan_file
from reconciler.cli.wiring import Wiring, wire, wishes
from reconciler.errors import UsageError
from reconciler.planning.rules import Level

if TYPE_CHECKING:
    from reconciler.model import Mappings
    from reconciler.planning.changes import Plan
    from reconciler.planning.snapshot import Snapshot

EXIT_CHANGES = 2
EXIT_HELD = 3


@click.command()
@output_option("text", "json", "markdown", "html", "github")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the plan to FILE.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 3 when anything is held or refused."
)
@click.option("--against", metavar="GIT_REF", help="Say which changes come from the edit since GIT_REF.")
@click.option(
    "--save-snapshot",
    type=click.Path(path_type=Path, dir_okay=False),
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
      reconciler plan --allow zero:infima-107 --reason "school holidays"
      reconciler plan --against origin/main -o markdown
      reconciler plan --save-snapshot last-night.json
      reconciler plan --snapshot last-night.json
    """
    if save_snapshot is not None and snapshot is not None:
        raise UsageError("--save-snapshot and --snapshot contradict each other.", hint="Give one of them.")
    wiring = wire(options)
    with wiring.stopper.listen(), reading_ahead(wiring, wanted=snapshot is None) as ahead:
        from reconciler.plan_document import dump_document, plan_document  # noqa: PLC0415 - while the reads are on their way
        from reconciler.run import make_plan  # noqa: PLC0415

        prepare_drawing(options)
        mappings = wiring.load()
        wished = wishes(mappings, only, exclude, allow, reason)
        base = _base(wiring, against)
        if snapshot is not None:
            seen = load_snapshot(snapshot)
        else:
            seen = observe_live(wiring, mappings, base, every_client=save_snapshot is not None, ahead=ahead)
    made = make_plan(mappings, seen.observation, seen.recorded, wished)
    if against is not None:
        from reconciler.planning.attribution import attribute  # noqa: PLC0415 - only a review asks

        made = attribute(made, make_plan(base, seen.observation, seen.recorded, wished) if base else None)
    if save_snapshot is not None:
        _keep(save_snapshot, seen)
    document = plan_document(made, version=__version__)
    if out is not None:
        save_plan_file(out, dump_document(document))
        tell(f"Saved the plan to {out}. To perform exactly this and nothing more: reconciler apply {out}")
    say(draw_plan(document, options))
    return exit_code(made, detailed=detailed_exitcode)


def _base(wiring: Wiring, against: str | None) -> Mappings | None:
    if against is None:
        return None
    from reconciler.cli.against import load_base  # noqa: PLC0415 - only a review asks

    return load_base(wiring, against)


def _keep(path: Path, seen: Snapshot) -> None:
    from reconciler.planning.snapshot import dump_snapshot  # noqa: PLC0415

    save_plan_file(path, dump_snapshot(seen))
    tell(f"Saved what was read to {path}. To plan from it without network: reconciler plan --snapshot {path}")


def exit_code(made: Plan, *, detailed: bool) -> int:
    """0 when a plan could be made, 3 when the run would be refused; with `detailed` 2 for changes, 3 for any hold."""
    stopped = any(v.stops and v.level is Level.RUN for v in made.violations)
    if stopped or (detailed and made.held):
        return EXIT_HELD
    return EXIT_CHANGES if detailed and made.writes else 0
