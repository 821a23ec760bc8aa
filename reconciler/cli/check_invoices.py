"""`reconciler check-invoices`."""

from __future__ import annotations

from dataclasses import replace

import click

from reconciler.answers.invoices import Attached, Attachment
from reconciler.answers.status import invoice_note
from reconciler.cli.options import CommonOptions, common_options, complete_keys, output_option
from reconciler.cli.output import show_json, show_table, tell
from reconciler.cli.status import read_invoices
from reconciler.cli.wiring import load, plan_options, run_context
from reconciler.model import Json, SubscriptionId
from reconciler.plan import diff
from reconciler.planning.changes import Change, Plan, select
from reconciler.render.document import plural
from reconciler.render.grid import Column
from reconciler.run import read_live


@click.command("check-invoices")
@click.option(
    "--only",
    multiple=True,
    metavar="KEY",
    shell_complete=complete_keys,
    help="This mapping and no other; may be given several times.",
)
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def check_invoices(options: CommonOptions, *, only: tuple[str, ...], output: str) -> int:
    """Find Subscriptions that are on no recurring invoice, and so bill nothing.

    It reads the recurring invoices one by one, within settings.halo_budget, and stops when every Subscription is found.
    Lines that select by criteria are "perhaps": only HaloPSA knows what they catch. Nothing is written.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.
    Rights: the scope read:invoices, and on the Agent's role Invoices read.

    \b
    Examples:
      reconciler check-invoices
      reconciler check-invoices --only infima-113 -o json
    """
    plan, found = look_at_invoices(options, only)
    order = list(Attached)
    rows = [
        (change, found[change.before.id])
        for change in plan.changes
        if change.before is not None and change.before.id in found
    ]
    rows.sort(key=lambda row: (order.index(row[1].verdict), row[0].key))
    without = len(plan.changes) - len(rows)
    if output == "json":
        show_json({"subscriptions": [_json(*row) for row in rows], "mappings_without_subscription": without})
        return 0
    if rows:
        _draw(output, rows)
    tally = {verdict: sum(one.verdict is verdict for _, one in rows) for verdict in Attached}
    tell(
        f"{plural(len(rows), 'Subscription')}: "
        + ", ".join(f"{n} {verdict}" for verdict, n in tally.items() if n)
        + "."
    )
    if without:
        tell(f"Without a Subscription yet, or with one in doubt: {plural(without, 'mapping')}. See: reconciler status")
    if tally[Attached.NO] or tally[Attached.DISABLED]:
        tell(
            "Next, in HaloPSA: open the customer's recurring invoice, add a line whose quantity comes from the "
            "Subscription, and save it. reconciler never touches invoices."
        )
    return 0


def look_at_invoices(
    options: CommonOptions, only: tuple[str, ...] = ()
) -> tuple[Plan, dict[SubscriptionId, Attachment]]:
    """Read HaloPSA: whose Subscription is which, and where each stands on recurring invoices. Counts nobody's users."""
    mappings = load(options)
    chosen = plan_options(mappings, only)
    # without mappings nobody's users are counted: which Subscription is whose does not hang on numbers
    with run_context(options, replace(mappings, mappings=())) as context:
        seen = read_live(context)
        plan = select(diff(mappings, seen.observation, seen.recorded), only=chosen.only)
        return plan, read_invoices(context, plan)


def _draw(output: str, rows: list[tuple[Change, Attachment]]) -> None:
    columns = (
        Column(title="Verdict"),
        Column(title="Mapping"),
        Column(title="HaloPSA customer", name=True),
        Column(title="Subscription"),
        Column(title="Quantity", number=True),
        Column(title="Where", wrap=True),
    )
    cells = [
        (
            str(one.verdict),
            change.key,
            f"{change.customer.name} ({change.customer.id})",
            f"#{change.before.id} {change.before.name}" if change.before else "",
            change.before.count if change.before else None,
            invoice_note(one),
        )
        for change, one in rows
    ]
    show_table(output, columns, cells)


def _json(change: Change, one: Attachment) -> Json:
    return {
        "key": change.key,
        "halo_customer": {"id": change.customer.id, "name": change.customer.name},
        "subscription": None
        if change.before is None
        else {"id": change.before.id, "name": change.before.name, "count": change.before.count},
        "verdict": one.verdict.value,
        "invoices": [{"id": number, "number": shown} for number, shown in zip(one.invoices, one.numbers, strict=True)],
    }
