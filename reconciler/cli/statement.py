"""`reconciler statement`."""

from __future__ import annotations

from collections.abc import Callable

import click

from reconciler.answers.words import plural
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import Part, safe, show_json, show_rows, stdout_encoding, tell, terminal_width
from reconciler.cli.past import load_past, past_month, zone_of
from reconciler.cli.wiring import now
from reconciler.errors import ExitCode
from reconciler.history.account import recorded_prices
from reconciler.history.statement import DayKnown, Statement, StatementRow, make_statement, owners_of, unmade_mappings
from reconciler.history.timeline import draw_timeline
from reconciler.model import Json
from reconciler.moments import moment_in, zone_name
from reconciler.render.grid import Cell, Column, fits
from reconciler.state.recorded import Attached


@click.command()
@click.option("--month", metavar="YYYY-MM", help="The month, in settings.timezone.  [default: the current one]")
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
    """Show the quantity of each Subscription in a month: at the invoice day, first, last, peak and average.

    It is made from the recorded history alone. The number of a day is what stood when it ended, and it is given only
    where a listing before that moment and one after it agree; else the line says "not known" and why. For a day that
    is not over it is what the newest listing shows. INFIMA is the newest count recorded by then; the difference comes
    from the mapping's rule or a hold. Whether a Subscription was on an invoice is as of the last look at invoices.

    \b
    Examples:
      reconciler statement --month 2026-11
      reconciler statement --month 2026-11 --invoice-day 31 -o csv > november.csv
    """
    moment, past = now(), load_past(options)
    wanted = past_month(month, zone_of(past.mappings), moment)
    timeline = draw_timeline(past.runs, past.snapshots)
    prices = recorded_prices(past.runs, past.snapshots, min(wanted.end, moment))
    made = make_statement(
        timeline,
        owners_of(past.mappings, past.recorded, prices),
        wanted,
        invoice_day=invoice_day,
        now=moment,
        unmade=unmade_mappings(past.mappings, timeline, past.runs),
    )
    if output == "json":
        show_json(_json(made))
    elif made.rows:
        _draw(output, made)
    for sentence in _sentences(made):
        tell(safe(sentence))
    if output == "text" and (note := _shared_note(made)):
        tell(safe(f"All {len(made.rows)} lines: {note}."))
    return ExitCode.DONE


def _sentences(made: Statement) -> list[str]:
    """The sum in words, what is in it and what is not."""
    if not made.rows:
        return [f"Nothing is recorded for {made.month}."]
    zone = made.month.zone
    at = f"at the end of {made.day}" if made.over else f"so far, as last seen by {moment_in(made.invoice_at, zone)}"
    users = "no quantity is known"
    if made.invoiced is not None:
        users = f"{made.invoiced} users on {plural(made.known, 'Subscription')}"
    told = [f"{made.month}: {users} {at} ({zone_name(zone)})."]
    if made.unknown:
        told.append(f"Not known, in none of these sums: {made.unknown} of the {len(made.rows)} lines, each says why.")
    if made.unmade:
        told.append(f"Without a Subscription at that time: {made.unmade}.")
    told += [f"Estimated amount of {made.month}: {currency} {sum_:,}." for currency, sum_ in made.amounts.items()]
    if made.amounts and made.unpriced:
        told.append(f"Without a known price, in none of these: {made.unpriced} of the {len(made.rows)} lines.")
    partly = sum(row.days_known != row.days for row in made.rows)
    if partly:
        told.append(f"Averages are over the days whose quantity is known; that is not every day in {partly} lines.")
    return told


# ---------------------------------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------------------------------

_RANKS = {"Last": 1, "On invoice": 1, "Average": 2, "First": 3, "Peak": 3, "Subscription": 4}
"""Columns that a narrow terminal does without, the highest first."""


def _draw(output: str, made: Statement) -> None:
    if output != "text":
        show_rows(output, _all_parts(made), made.rows)
        return
    parts = _short_parts(made)
    for rank in range(max(_RANKS.values()), 0, -1):
        cells = [[cell(row) for _, cell in parts] for row in made.rows]
        if fits([column for column, _ in parts], cells, width=terminal_width(), encoding=stdout_encoding()):
            break
        parts = [part for part in parts if _RANKS.get(part[0].title, 0) < rank]
    show_rows(output, parts, made.rows)


def _number(title: str, cell: Callable[[StatementRow], Cell]) -> Part[StatementRow]:
    return Column(title=title, number=True), cell


_CUSTOMER: Part[StatementRow] = (Column(title="Customer", name=True), lambda row: row.whom.customer)
_MAPPING: Part[StatementRow] = (Column(title="Mapping"), lambda row: row.key)
_SUBSCRIPTION = _number("Subscription", lambda row: row.whom.subscription_id)
_COUNTS = (
    _number("First", lambda row: row.first),
    _number("Last", lambda row: row.last),
    _number("Peak", lambda row: row.peak),
    _number("Average", lambda row: _text(row.average)),
    _number("INFIMA", lambda row: row.counted),
)
_PRICES: tuple[Part[StatementRow], ...] = (
    _number("Amount (estimate)", lambda row: _text(row.amount)),
    (Column(title="Currency"), lambda row: _text(row.whom.price and row.whom.price.currency)),
    _number("Unit price", lambda row: _text(row.whom.price and row.whom.price.amount)),
    (Column(title="Price from"), lambda row: _text(row.whom.price and row.whom.price.source)),
)


def _short_parts(made: Statement) -> list[Part[StatementRow]]:
    """The columns for a terminal, in as little room as tells the same."""
    currencies = list(made.amounts)
    invoiced = _number(f"{made.day.day} {made.day:%b}", _invoice_cell)
    parts = [_CUSTOMER, _MAPPING, _SUBSCRIPTION, invoiced, *_COUNTS]
    if len(currencies) == 1:
        parts.append(_number(f"{currencies[0]} (est.)", lambda row: _text(row.amount)))
    elif currencies:
        parts.append(_number("Amount (est.)", _amount_with_currency))
    parts.append((Column(title="On invoice"), lambda row: _invoice_look(row, made)))
    if not _shared_note(made) and any(_note(row) for row in made.rows):
        parts.append((Column(title="Note", wrap=True), _note))
    return parts


def _all_parts(made: Statement) -> list[Part[StatementRow]]:
    """Every column, for spreadsheets and pages."""
    return [
        _CUSTOMER,
        _number("Customer id", lambda row: row.whom.customer_id),
        _MAPPING,
        _SUBSCRIPTION,
        _number("Invoice day", lambda row: row.invoiced),
        *_COUNTS,
        _number("Difference", lambda row: row.difference),
        *(_PRICES if made.amounts else ()),
        (Column(title="On invoice"), lambda row: _invoice_look(row, made)),
        (Column(title="Note"), _note),
    ]


def _invoice_cell(row: StatementRow) -> Cell:
    return {DayKnown.KNOWN: row.invoiced, DayKnown.NONE: "none"}.get(row.told, "?")


def _amount_with_currency(row: StatementRow) -> Cell:
    return None if row.amount is None or row.whom.price is None else f"{row.amount} {row.whom.price.currency}"


def _invoice_look(row: StatementRow, made: Statement) -> str:
    look = row.whom.look
    if look is None:
        return "not checked"
    day = look.looked_at.astimezone(made.month.zone)
    return f"{_ON_INVOICE[look.verdict]}, {day.day} {day:%b}"


_ON_INVOICE = {Attached.YES: "yes", Attached.PERHAPS: "perhaps", Attached.DISABLED: "NO", Attached.NO: "NO"}


def _note(row: StatementRow) -> str:
    why = row.why if row.told is DayKnown.NONE else f"not known: {row.why}" if row.why else ""
    return "; ".join(filter(None, (why, *row.notes)))


def _shared_note(made: Statement) -> str:
    """The one note that all lines have; empty where they differ, or where there is but one line."""
    notes = {_note(row) for row in made.rows}
    return notes.pop() if len(notes) == 1 and len(made.rows) > 1 else ""


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _json(made: Statement) -> dict[str, Json]:
    return {
        "month": str(made.month),
        "timezone": zone_name(made.month.zone),
        "invoice_day": made.day.isoformat(),
        "invoice_at": made.invoice_at.isoformat(),
        "until": made.until.isoformat(),
        "final": made.over,
        "users_invoiced": made.invoiced,
        "not_known": made.unknown,
        "without_subscription": made.unmade,
        "without_amount": made.unpriced,
        "estimated_amounts": {currency: str(amount) for currency, amount in made.amounts.items()},
        "rows": [_row_json(row) for row in made.rows],
    }


def _row_json(row: StatementRow) -> Json:
    whom, price, look = row.whom, row.whom.price, row.whom.look
    return {
        "key": row.key,
        "halo_customer": {"id": whom.customer_id, "name": whom.customer},
        "subscription_id": whom.subscription_id,
        "told": row.told.value,
        "invoice_day": row.invoiced,
        "why": row.why,
        "seen_at": _text(row.seen_at and row.seen_at.isoformat()),
        "first": row.first,
        "last": row.last,
        "peak": row.peak,
        "average": _text(row.average),
        "days_known": row.days_known,
        "days": row.days,
        "counted": row.counted,
        "difference": row.difference,
        "estimated_amount": _text(row.amount),
        "unit_price": _text(price and price.amount),
        "currency": _text(price and price.currency),
        "price_source": _text(price and price.source),
        "standing": _text(row.standing),
        "managed": row.managed,
        "on_invoice": _text(look and look.verdict),
        "invoice_looked_at": _text(look and look.looked_at.isoformat()),
        "notes": list(row.notes),
    }
