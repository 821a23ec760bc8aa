"""`reconciler statement`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import safe, show_json, show_table, tell
from reconciler.cli.past import load_past, zone_of
from reconciler.cli.wiring import now
from reconciler.errors import UsageError
from reconciler.history.account import recorded_prices
from reconciler.history.months import month_of, parse_month
from reconciler.history.statement import DayKnown, Statement, StatementRow, make_statement, owners_of, unmade_mappings
from reconciler.history.timeline import draw_timeline
from reconciler.model import Attached, Json
from reconciler.moments import moment_in, zone_name
from reconciler.render.grid import Cell, Column, fits


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
    moment = now()
    past = load_past(options)
    zone = zone_of(past.mappings)
    wanted = parse_month(month, zone) if month else month_of(moment, zone)
    if wanted.start > moment:
        raise UsageError(f"{wanted} has not begun.", hint="Name a month of the past, or the current one.")
    timeline = draw_timeline(past.runs, past.snapshots)
    made = make_statement(
        timeline,
        owners_of(past.mappings, past.recorded, recorded_prices(past.runs, past.snapshots, min(wanted.end, moment))),
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
    return 0


def _sentences(made: Statement) -> list[str]:
    """The sum in words, what is in it and what is not."""
    if not made.rows:
        return [f"Nothing is recorded for {made.month}."]
    zone = made.month.zone
    at = f"at the end of {made.day}" if made.over else f"so far, as last seen by {moment_in(made.invoice_at, zone)}"
    told = [f"{made.month}: {_users(made)} {at} ({zone_name(made.month.zone)})."]
    if made.unknown:
        told.append(f"Not known, in none of these sums: {made.unknown} of the {len(made.rows)} lines, each says why.")
    if made.unmade:
        told.append(f"Without a Subscription at that time: {made.unmade}.")
    told += [f"Estimated amount of {made.month}: {currency} {sum_:,}." for currency, sum_ in made.amounts.items()]
    if made.amounts and made.unpriced:
        told.append(f"Without a known price, in none of these: {made.unpriced} of the {len(made.rows)} lines.")
    partly = [row for row in made.rows if row.days_known != row.days]
    if partly:
        told.append(
            f"Averages are over the days whose quantity is known; that is not every day in {len(partly)} lines."
        )
    return told


def _users(made: Statement) -> str:
    if made.invoiced is None:
        return "no quantity is known"
    noun = "Subscription" if made.known == 1 else "Subscriptions"
    return f"{made.invoiced} users on {made.known} {noun}"


# ---------------------------------------------------------------------------------------------------------------------
# The table
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A column with what it shows of a row. `rank` says which go first where a terminal is narrow: high ones."""

    title: str
    cell: Callable[[StatementRow], Cell]
    number: bool = True
    wrap: bool = False
    rank: int = 0

    @property
    def column(self) -> Column:
        return Column(title=self.title, number=self.number, wrap=self.wrap, name=self.title == "Customer")


def _draw(output: str, made: Statement) -> None:
    parts = _all_parts(made) if output != "text" else _short_parts(made)
    if output == "text":
        width, encoding = shutil.get_terminal_size((120, 24)).columns, sys.stdout.encoding or "ascii"
        for rank in range(max(part.rank for part in parts), 0, -1):
            drawn = [part.column for part in parts]
            if fits(drawn, [_cells(parts, row) for row in made.rows], width=width, encoding=encoding):
                break
            parts = [part for part in parts if part.rank < rank]
    show_table(output, [part.column for part in parts], [_cells(parts, row) for row in made.rows])


def _cells(parts: list[_Part], row: StatementRow) -> tuple[Cell, ...]:
    return tuple(part.cell(row) for part in parts)


def _short_parts(made: Statement) -> list[_Part]:
    """The columns for a terminal, in as little room as tells the same."""
    currencies = list(made.amounts)
    parts = [
        _Part(title="Customer", cell=lambda row: row.whom.customer, number=False),
        _Part(title="Mapping", cell=lambda row: row.key, number=False),
        _Part(title="Subscription", cell=lambda row: row.whom.subscription_id, rank=4),
        _Part(title=f"{made.day.day} {made.day:%b}", cell=_invoice_cell),
        _Part(title="First", cell=lambda row: row.first, rank=3),
        _Part(title="Last", cell=lambda row: row.last, rank=1),
        _Part(title="Peak", cell=lambda row: row.peak, rank=3),
        _Part(title="Average", cell=lambda row: _text(row.average), rank=2),
        _Part(title="INFIMA", cell=lambda row: row.counted),
    ]
    if len(currencies) == 1:
        parts.append(_Part(title=f"{currencies[0]} (est.)", cell=lambda row: _text(row.amount)))
    elif currencies:
        parts.append(_Part(title="Amount (est.)", cell=_amount_with_currency))
    parts.append(_Part(title="On invoice", cell=lambda row: _invoice_look(row, made), number=False, rank=1))
    if not _shared_note(made) and any(_note(row) for row in made.rows):
        parts.append(_Part(title="Note", cell=_note, number=False, wrap=True))
    return parts


def _all_parts(made: Statement) -> list[_Part]:
    """Every column, for spreadsheets and pages."""
    parts = [
        _Part(title="Customer", cell=lambda row: row.whom.customer, number=False),
        _Part(title="Customer id", cell=lambda row: row.whom.customer_id),
        _Part(title="Mapping", cell=lambda row: row.key, number=False),
        _Part(title="Subscription", cell=lambda row: row.whom.subscription_id),
        _Part(title="Invoice day", cell=lambda row: row.invoiced),
        _Part(title="First", cell=lambda row: row.first),
        _Part(title="Last", cell=lambda row: row.last),
        _Part(title="Peak", cell=lambda row: row.peak),
        _Part(title="Average", cell=lambda row: _text(row.average)),
        _Part(title="INFIMA", cell=lambda row: row.counted),
        _Part(title="Difference", cell=lambda row: row.difference),
    ]
    if made.amounts:
        parts += [
            _Part(title="Amount (estimate)", cell=lambda row: _text(row.amount)),
            _Part(title="Currency", cell=lambda row: row.whom.price.currency if row.whom.price else None, number=False),
            _Part(title="Unit price", cell=lambda row: str(row.whom.price.amount) if row.whom.price else None),
            _Part(title="Price from", cell=lambda row: _text(row.whom.price and row.whom.price.source), number=False),
        ]
    return [
        *parts,
        _Part(title="On invoice", cell=lambda row: _invoice_look(row, made), number=False),
        _Part(title="Note", cell=_note, number=False),
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
    whom = row.whom
    return {
        "key": row.key,
        "halo_customer": {"id": whom.customer_id, "name": whom.customer},
        "subscription_id": whom.subscription_id,
        "told": row.told.value,
        "invoice_day": row.invoiced,
        "why": row.why,
        "seen_at": None if row.seen_at is None else row.seen_at.isoformat(),
        "first": row.first,
        "last": row.last,
        "peak": row.peak,
        "average": _text(row.average),
        "days_known": row.days_known,
        "days": row.days,
        "counted": row.counted,
        "difference": row.difference,
        "estimated_amount": _text(row.amount),
        "unit_price": None if whom.price is None else str(whom.price.amount),
        "currency": None if whom.price is None else whom.price.currency,
        "price_source": None if whom.price is None else whom.price.source.value,
        "standing": None if row.standing is None else row.standing.value,
        "managed": row.managed,
        "on_invoice": None if whom.look is None else whom.look.verdict.value,
        "invoice_looked_at": None if whom.look is None else whom.look.looked_at.isoformat(),
        "notes": list(row.notes),
    }
