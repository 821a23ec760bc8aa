"""`reconciler clients`."""

from __future__ import annotations

import click

from reconciler.answers.status import ClientRow, ClientState, client_rows
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import safe, show_json, show_table, tell
from reconciler.cli.wiring import load, run_context
from reconciler.model import Json
from reconciler.render.document import plural
from reconciler.render.grid import Column


@click.command()
@click.option("--unmapped", is_flag=True, help="Only those that are neither mapped nor ignored.")
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def clients(options: CommonOptions, *, unmapped: bool, output: str) -> int:
    """List INFIMA's clients: unmapped, mapped, retired or ignored, with the numbers on INFIMA's own client list.

    The numbers are those of the list; `plan` counts the active users one by one unless the mapping says client_record.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler clients
      reconciler clients --unmapped -o csv
    """
    mappings = load(options)
    with run_context(options, mappings) as context:
        source = context.systems.source
        partner, listed = source.partner(), source.clients()
    everything = client_rows(mappings, listed)
    rows = [row for row in everything if row.state is ClientState.UNMAPPED] if unmapped else list(everything)
    if output == "json":
        show_json({"infima_partner": partner, "clients": [_json(row) for row in rows]})
        return 0
    columns = (
        Column(title="State"),
        Column(title="Id", number=True),
        Column(title="INFIMA client", name=True),
        Column(title="Users", number=True),
        Column(title="Inactive", number=True),
        Column(title="Mapping, or why ignored", name=True),
    )
    if rows:
        show_table(output, columns, [_cells(row) for row in rows])
    left = sum(row.state is ClientState.UNMAPPED for row in everything)
    tell(safe(f"INFIMA partner {partner}: {plural(len(everything), 'client')}, {left} unmapped."))
    if left:
        tell("Map them with: reconciler map")
    return 0


def _cells(row: ClientRow) -> tuple[str | int | None, ...]:
    client = row.client
    return (
        str(row.state),
        client.id,
        client.name,
        client.user_count,
        client.inactive_user_count,
        row.key or row.reason,
    )


def _json(row: ClientRow) -> Json:
    return {
        "id": row.client.id,
        "name": row.client.name,
        "state": str(row.state),
        "mapping": row.key,
        "reason": row.reason or None,
        "user_count": row.client.user_count,
        "inactive_user_count": row.client.inactive_user_count,
    }
