"""`reconciler backtest`."""

from __future__ import annotations

from datetime import tzinfo

import click

from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import Part, safe, say, show_json, show_rows, tell
from reconciler.cli.past import parse_date
from reconciler.cli.wiring import load, now, open_store
from reconciler.errors import ExitCode
from reconciler.history.account import recorded_prices
from reconciler.history.backtest import Backtest, Night, ReplayedMapping
from reconciler.history.backtest import backtest as replay
from reconciler.model import Json
from reconciler.moments import moment_in, zone_name
from reconciler.render.grid import Column

SHOWN = 30


@click.command()
@click.option(
    "--since", required=True, metavar="DATE",
    help="The first day to replay, in settings.timezone, for example 2026-09-01.",
)  # fmt: skip
@output_option("text", "csv", "json", "markdown")
@common_options
@click.pass_obj
def backtest(options: CommonOptions, *, since: str, output: str) -> int:
    """Replay recorded counts through a mappings file: what would have been written, held, refused.

    Try other limits or rules in a copy of mappings.yaml, and see what they would have done to past nights. The
    copy has to lie beside mappings.yaml, or --state has to name the state. Nothing is read from INFIMA or HaloPSA.

    \b
    Examples:
      reconciler backtest --since 2026-09-01
      reconciler backtest --mappings stricter.yaml --since 2026-09-01 -o csv > nights.csv
    """
    mappings = load(options)
    zone = mappings.settings.timezone
    start = parse_date(since, "--since", zone)
    history = open_store(options).history
    runs = history.runs()
    made = replay(mappings, runs, since=start, prices=recorded_prices(runs, history.snapshots(), now()))
    if output == "json":
        show_json(_json(made))
    elif made.nights:
        _draw(output, made, zone)
    if made.unrecorded:
        some = ", ".join(made.unrecorded[:10]) + (", ..." if len(made.unrecorded) > 10 else "")  # noqa: PLR2004
        tell(safe(f"The history has no count of {len(made.unrecorded)} of the mappings: {some}"))
    if not made.nights:
        tell(f"No complete run is recorded since {since}.")
    return ExitCode.DONE


def _draw(output: str, made: Backtest, zone: tzinfo) -> None:
    parts: tuple[Part[Night], ...] = (
        (Column(title=f"Night ({zone_name(zone)})"), lambda n: moment_in(n.run.verdict.finished_at, zone)),
        (Column(title="Run"), lambda n: n.run.info.id),
        (Column(title="Quantity then", number=True), lambda n: n.recorded),
        (Column(title="Replayed", number=True), lambda n: n.replayed),
        (Column(title="Difference", number=True), lambda n: n.replayed - n.recorded),
        (Column(title="Written", number=True), lambda n: n.written),
        (Column(title="Held", number=True), lambda n: len(n.held)),
        (Column(title="Stopped by", wrap=True), _stopped_by),
    )
    nights = made.nights if output != "text" else made.nights[-SHOWN:]
    show_rows(output, parts, nights)
    if output != "text":
        return
    if len(nights) < len(made.nights):
        tell(f"{len(made.nights) - len(nights)} earlier nights are not shown: -o csv has them all.")
    moved = [row for row in made.outcomes if row.recorded != row.replayed or row.nights_held]
    if moved:
        say("\nMappings that would stand otherwise, or would have been held:")
        show_rows(output, _MOVED, moved)
    say("\n" + _summary(made))


_MOVED: tuple[Part[ReplayedMapping], ...] = (
    (Column(title="Mapping"), lambda row: row.mapping.key),
    (Column(title="Customer"), lambda row: row.mapping.halo_customer.name),
    (Column(title="Quantity then", number=True), lambda row: row.recorded),
    (Column(title="Replayed", number=True), lambda row: row.replayed),
    (Column(title="Nights held", number=True), lambda row: row.nights_held),
)


def _stopped_by(night: Night) -> str:
    return ", ".join([*(f"refused: {rule}" for rule in night.refused), *sorted({rule for _, rule in night.held})])


def _summary(made: Backtest) -> str:
    """The replay in three sentences."""
    refused = sum(bool(night.refused) for night in made.nights)
    holds = sum(len(night.held) for night in made.nights)
    keys = {key for night in made.nights for key, _ in night.held}
    then, now = sum(n.recorded for n in made.nights), sum(n.replayed for n in made.nights)
    return (
        f"{len(made.nights)} nights replayed: {refused} would have been refused, "
        f"{holds} changes of {len(keys)} mappings held. "
        f"Users, summed over the nights: {then} recorded, {now} replayed ({now - then:+d})."
    )


def _json(made: Backtest) -> dict[str, Json]:
    return {
        "nights": [
            {
                "run": night.run.info.id,
                "finished_at": night.run.verdict.finished_at.isoformat(),
                "users_recorded": night.recorded,
                "users_replayed": night.replayed,
                "written": night.written,
                "held": [{"key": key, "rule": rule} for key, rule in night.held],
                "refused": list(night.refused),
            }
            for night in made.nights
        ],
        "mappings": [
            {"key": o.mapping.key, "recorded": o.recorded, "replayed": o.replayed, "nights_held": o.nights_held}
            for o in made.outcomes
        ],
        "unrecorded": [str(key) for key in made.unrecorded],
    }
