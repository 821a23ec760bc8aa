"""`reconciler statement`."""

from __future__ import annotations

import click

from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import show_json, show_table, tell
from reconciler.cli.past import load_past
from reconciler.cli.wiring import wire
from reconciler.errors import UsageError
from reconciler.history.statement import Statement, StatementRow, make_statement, whom_billed
from reconciler.history.timeline import draw_timeline, month_of, parse_month, recorded_prices
from reconciler.model import Json
from reconciler.render.grid import Cell, Column


@click.command()
@click.option("--month", metavar="YYYY-MM", help="The month (UTC).  [default: the current one]")
@click.option(
    "--invoice-day",
    type=click.IntRange(1, 31),
    default=1,
    show_default=True,
    help="Day of the month on which invoices are made; in a shorter month its last day.",
)
@output_option("text", "csv", "json", "markdown")
@common_options
@click.pass_obj
def statement(options: CommonOptions, *, month: str | None, invoice_day: int, output: str) -> int:
    """Show what each Subscription billed in a month: at the invoice day, first, last, peak and average.

    It is made from the recorded history alone. A quantity counts for the invoice day when it stood at the end of that
    day (UTC). INFIMA is the newest count recorded by then; the difference comes from the mapping's rule or a hold.

    \b
    Examples:
      reconciler statement --month 2026-11
      reconciler statement --month 2026-11 --invoice-day 31 -o csv > november.csv
    """
    wiring = wire(options)
    now = wiring.clock.now()
    wanted = parse_month(month) if month else month_of(now)
    if wanted.start > now:
        raise UsageError(f"{wanted} has not begun.", hint="Name a month of the past, or the current one.")
    past = load_past(wiring)
    made = make_statement(
        draw_timeline(past.runs, past.snapshots),
        whom_billed(past.mappings, past.recorded, recorded_prices(past.runs, past.snapshots, min(wanted.end, now))),
        wanted,
        invoice_day=invoice_day,
        now=now,
    )
    if output == "json":
        show_json(_json(made))
    elif made.rows:
        _draw(output, made)
    if not made.rows:
        tell(f"Nothing is recorded for {wanted}.")
        return 0
    missing = f"; {made.unknown} not known at that time" if made.unknown else ""
    day = made.invoice_at.isoformat(timespec="minutes")
    tell(f"{wanted}: {made.invoiced} users billed by {len(made.rows)} Subscriptions as of {day}{missing}.")
    for currency, amount in made.amounts.items():
        tell(f"Estimated amount of {wanted}: {currency} {amount:,}.")
    if made.amounts and made.unpriced:
        tell(f"Without a known price, in none of these: {made.unpriced} of the {len(made.rows)} Subscriptions.")
    return 0


def _draw(output: str, made: Statement) -> None:
    columns: tuple[Column, ...] = (
        Column(title="Customer"),
        Column(title="Customer id", number=True),
        Column(title="Mapping"),
        Column(title="Subscription", number=True),
        Column(title="Invoice day", number=True),
        Column(title="First", number=True),
        Column(title="Last", number=True),
        Column(title="Peak", number=True),
        Column(title="Average", number=True),
        Column(title="INFIMA", number=True),
        Column(title="Difference", number=True),
    )
    if made.amounts:
        columns += (
            Column(title="Amount (estimate)", number=True),
            Column(title="Currency"),
            Column(title="Unit price", number=True),
            Column(title="Price from"),
        )
    show_table(output, columns, [_cells(row)[: len(columns)] for row in made.rows])


def _cells(row: StatementRow) -> tuple[Cell, ...]:
    return (
        row.whom.customer,
        row.whom.customer_id,
        row.key,
        row.whom.subscription_id,
        row.invoiced,
        row.first,
        row.last,
        row.peak,
        None if row.average is None else str(row.average),
        row.counted,
        row.difference,
        None if row.amount is None else str(row.amount),
        row.whom.price.currency if row.whom.price else None,
        str(row.whom.price.amount) if row.whom.price else None,
        str(row.whom.price.source) if row.whom.price else None,
    )


def _json(made: Statement) -> dict[str, Json]:
    return {
        "month": str(made.month),
        "invoice_at": made.invoice_at.isoformat(),
        "until": made.until.isoformat(),
        "users_invoiced": made.invoiced,
        "not_known": made.unknown,
        "without_amount": made.unpriced,
        "estimated_amounts": {currency: str(amount) for currency, amount in made.amounts.items()},
        "rows": [
            {
                "key": row.key,
                "halo_customer": {"id": row.whom.customer_id, "name": row.whom.customer},
                "subscription_id": row.whom.subscription_id,
                "invoice_day": row.invoiced,
                "first": row.first,
                "last": row.last,
                "peak": row.peak,
                "average": None if row.average is None else str(row.average),
                "counted": row.counted,
                "difference": row.difference,
                "estimated_amount": None if row.amount is None else str(row.amount),
                "unit_price": None if row.whom.price is None else str(row.whom.price.amount),
                "currency": None if row.whom.price is None else row.whom.price.currency,
                "price_source": None if row.whom.price is None else row.whom.price.source.value,
            }
            for row in made.rows
        ],
    }
