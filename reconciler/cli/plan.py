"""`reconciler plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.cli.options import (
    CommonOptions,
    allowance_options,
    common_options,
    output_option,
    selection_options,
)
from reconciler.cli.output import draw_plan, say, tell
from reconciler.cli.planfile import save_plan_file
from reconciler.cli.wiring import live, wire, wishes
from reconciler.rules import Level

if TYPE_CHECKING:
    from reconciler.changes import Plan

EXIT_CHANGES = 2
EXIT_HELD = 3


@click.command()
@output_option("text", "json", "markdown", "github")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the plan to FILE.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 3 when anything is held or refused."
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
    """
    from reconciler.plan_document import dump_document, plan_document  # noqa: PLC0415
    from reconciler.run import make_plan, observe  # noqa: PLC0415

    wiring = wire(options)
    with wiring.stopper.listen():
        mappings = wiring.load()
        wished = wishes(mappings, only, exclude, allow, reason)
        with wiring.connect(mappings) as systems:
            recorded = wiring.store().read()
            observation = observe(live(systems), mappings, wiring.surroundings())
    made = make_plan(mappings, observation, recorded, wished)
    document = plan_document(made, version=__version__)
    if out is not None:
        save_plan_file(out, dump_document(document))
        tell(f"Saved the plan to {out}. To perform exactly this and nothing more: reconciler apply {out}")
    say(draw_plan(document, options))
    return exit_code(made, detailed=detailed_exitcode)


def exit_code(made: Plan, *, detailed: bool) -> int:
    """0 when a plan could be made, 3 when the run would be refused; with `detailed` 2 for changes, 3 for any hold."""
    stopped = any(v.stops and v.level is Level.RUN for v in made.violations)
    if stopped or (detailed and made.held):
        return EXIT_HELD
    return EXIT_CHANGES if detailed and made.writes else 0
