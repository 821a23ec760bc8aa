"""Monthly amounts in words, from the plan document: always with their currency, always called an estimate."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from reconciler.model import UnitPrice
from reconciler.planning.money import Amount, add_up, estimate, written
from reconciler.render.document import Row, View, plural

if TYPE_CHECKING:
    from reconciler.plan_document.layout import AmountJson, SumJson


def amount_from(stated: AmountJson | SumJson) -> Amount:
    """Return an amount of the document as a value."""
    return Amount(currency=stated["currency"], before=Decimal(stated["before"]), after=Decimal(stated["after"]))


def monthly_amounts(shown: View) -> tuple[tuple[Amount, ...], int]:
    """Return the monthly amount in each currency, and how many mappings have none.

    After a run only what was read back counts as changed.
    """
    summary = shown.document["summary"]
    if not shown.applied:
        return tuple(map(amount_from, summary["monthly_amounts"])), summary["without_amount"]
    known = [row_amount(row, row.amount) for row in shown.rows if row.amount is not None]
    return add_up(known), summary["without_amount"]


def row_amount(row: Row, stated: AmountJson) -> Amount:
    """Return the row's amount: as planned, or after a run by the quantity that HaloPSA shows."""
    amount = amount_from(stated)
    if row.shown_after in {None, row.before}:
        return amount.staying
    if row.shown_after == row.after:
        return amount
    price = UnitPrice(amount=Decimal(stated["unit_price"]), currency=stated["currency"])
    return replace(amount, after=estimate(row.shown_after or 0, price))


def amounts_sentence(shown: View, arrow: str = "->") -> str:
    """Return the monthly amounts as a sentence; empty where none is known."""
    amounts, without = monthly_amounts(shown)
    if not amounts:
        return ""
    told = "; ".join(
        f"{written(one.before, one.currency)} {arrow} {one.after:,} ({moved(one.change)})" for one in amounts
    )
    left = f"; not known for {plural(without, 'mapping')}" if without else ""
    return f"Monthly amount (estimate): {told}{left}."


def amount_in_words(row: Row) -> str:
    """Return how the row's monthly amount would move, e.g. "EUR +8.25/month"."""
    if row.amount is None:
        return "no amount"
    return f"{row.amount['currency']} {moved(row_amount(row, row.amount).change)}/month"


def moved(amount: Decimal) -> str:
    """Return "+3.00", "-3.00" or "0.00"."""
    return f"{amount:+,}" if amount else f"{amount:,}"
