"""`reconciler status`."""

from __future__ import annotations

import click

from reconciler.answers.invoices import Attachment, read_attachments
from reconciler.answers.status import Attention, LastChange, StatusRow, last_changes, status_rows
from reconciler.cli.options import CommonOptions, common_options, complete_keys, output_option
from reconciler.cli.output import safe, show_json, show_table, tell
from reconciler.cli.wiring import load, open_store, plan_options, run_context
from reconciler.model import Json, MappingKey, SubscriptionId
from reconciler.planning.changes import Plan
from reconciler.planning.context import RunContext
from reconciler.render.document import plural
from reconciler.render.grid import Cell, Column
from reconciler.run import make_plan, read_live


@click.command()
@click.option(
    "--only",
    multiple=True,
    metavar="KEY",
    shell_complete=complete_keys,
    help="This mapping and no other; may be given several times.",
)
@click.option(
    "--check-invoices", "invoices", is_flag=True, help="Read the recurring invoices too: one request for each."
)
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def status(options: CommonOptions, *, only: tuple[str, ...], invoices: bool, output: str) -> int:
    """Show each mapping at a glance: who is paired with whom, both numbers, the last change, what needs attention.

    It reads both systems and writes nothing. What needs attention comes first.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler status
      reconciler status --only infima-101 --check-invoices
      reconciler status -o csv > status.csv
    """
    mappings = load(options)
    chosen = plan_options(mappings, only)
    with run_context(options, mappings) as context:
        seen = read_live(context)
        plan = make_plan(mappings, seen.observation, seen.recorded, chosen)
        attachments = read_invoices(context, plan) if invoices else None
    rows = status_rows(plan, newest_changes(options), attachments)
    if output == "json":
        show_json({"taken_at": plan.taken_at.isoformat(), "mappings": [_json(row) for row in rows]})
        return 0
    if rows:
        _draw(output, rows)
    needing = sum(row.attention is not Attention.NONE for row in rows)
    attention = f"{needing} of them {'needs' if needing == 1 else 'need'} attention" if needing else "all in step"
    tell(f"{plural(len(rows), 'mapping')}, {attention}.")
    for violation in plan.refusals:
        tell(safe(f"Refused as a whole ({violation.rule}): {violation.message}"))
    if plan.unmapped:
        tell(f"Neither mapped nor ignored: {plural(len(plan.unmapped), 'INFIMA client')}. Next: reconciler map")
    return 0


def newest_changes(options: CommonOptions) -> dict[MappingKey, LastChange]:
    """The last written quantity of each mapping, from the history."""
    runs = open_store(options).history.runs()
    return last_changes(
        (past.verdict.finished_at, past.info.id, change) for past in runs for change in past.verdict.changes
    )


def read_invoices(context: RunContext, plan: Plan) -> dict[SubscriptionId, Attachment]:
    """Where the plan's live Subscriptions stand on recurring invoices."""
    wanted = {
        c.before.id: c.before.customer_id for c in plan.changes if c.before is not None and c.before.id is not None
    }
    if not wanted:
        return {}
    return read_attachments(context.systems.target, wanted, today=context.clock.now().date(), observe=context.observe)


def _draw(output: str, rows: tuple[StatusRow, ...]) -> None:
    if output == "text":
        _draw_narrow(rows)
        return
    columns = (
        Column(title="Mapping"),
        Column(title="INFIMA client", name=True),
        Column(title="HaloPSA customer", name=True),
        Column(title="Subscription"),
        Column(title="INFIMA", number=True),
        Column(title="HaloPSA", number=True),
        Column(title="Rule"),
        Column(title="Last change"),
        Column(title="Attention"),
    )
    show_table(output, columns, [_cells(row) for row in rows])


def _draw_narrow(rows: tuple[StatusRow, ...]) -> None:
    """The same for a terminal: names share a column, and a Subscription's name shows where people changed it."""
    columns = (
        Column(title="Mapping"),
        Column(title="INFIMA client -> HaloPSA customer", name=True),
        Column(title="Subscription"),
        Column(title="INFIMA", number=True),
        Column(title="HaloPSA", number=True),
        Column(title="Rule"),
        Column(title="Last change"),
        Column(title="Attention", wrap=True),
    )
    cells = []
    for row in rows:
        change = row.change
        subscription = (
            f"#{change.before.id}" + (f" {change.before.name}" if row.renamed else "") if change.before else ""
        )
        pair = f"{' + '.join(client.name for client in change.clients)} -> {change.customer.name}"
        cells.append((change.key, pair, subscription, *_cells(row)[4:]))
    kept = [i for i, column in enumerate(columns) if column.wrap or any(row[i] not in {None, ""} for row in cells)]
    show_table("text", [columns[i] for i in kept], [[row[i] for i in kept] for row in cells])


def _cells(row: StatusRow) -> tuple[Cell, ...]:
    change = row.change
    subscription = f"#{change.before.id} {change.before.name}" if change.before else None
    return (
        change.key,
        ", ".join(f"{client.name} ({client.id})" for client in change.clients),
        f"{change.customer.name} ({change.customer.id})",
        subscription,
        change.quantity.counted,
        change.before.count if change.before else None,
        change.quantity.rule,
        _last(row.last),
        row.note,
    )


def _last(last: LastChange | None) -> str:
    if last is None:
        return ""
    before = "new" if last.change.before is None else str(last.change.before)
    return f"{last.at:%Y-%m-%d} {before} -> {last.change.after}"


def _json(row: StatusRow) -> Json:
    change, last = row.change, row.last
    return {
        "key": change.key,
        "infima_clients": [
            {"id": c.id, "name": c.name, "active_users": c.active_users, "user_count": c.user_count}
            for c in change.clients
        ],
        "halo_customer": {"id": change.customer.id, "name": change.customer.name},
        "subscription": None
        if change.before is None
        else {"id": change.before.id, "name": change.before.name, "count": change.before.count},
        "quantity": {
            "counted": change.quantity.counted,
            "rule": change.quantity.rule,
            "result": change.quantity.result,
        },
        "action": change.action.value,
        "hold": None if change.hold is None else change.hold.rule.value,
        "attention": row.note or None,
        "last_change": None
        if last is None
        else {
            "at": last.at.isoformat(),
            "run": last.run,
            "before": last.change.before,
            "after": last.change.after,
        },
        "invoice": None
        if row.attachment is None
        else {"verdict": row.attachment.verdict.value, "invoices": list(row.attachment.invoices)},
    }
