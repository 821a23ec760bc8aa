"""Attachment to recurring invoices: on one, perhaps, only where nothing is billed, on none."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from reconciler.answers.invoices import Attached, Attachment, read_attachments
from reconciler.events import ignore_events
from reconciler.model import HaloCustomerId, SubscriptionId

TODAY = date(2026, 11, 22)
OURS = SubscriptionId(9001)
CUSTOMER = HaloCustomerId(11)


class Invoices:
    """Recurring invoices as HaloPSA gives them, and how many were read."""

    def __init__(self, *invoices: dict[str, Any]) -> None:
        self.rows = {row["id"]: row for row in invoices}
        self.read: list[int] = []

    def recurring_invoices(self) -> tuple[dict[str, Any], ...]:
        return tuple({k: v for k, v in row.items() if k != "lines"} for row in self.rows.values())

    def recurring_invoice(self, invoice_id: int) -> dict[str, Any]:
        self.read.append(invoice_id)
        return self.rows[invoice_id]


def line(licence: float = 9001, **members: Any) -> dict[str, Any]:
    return {"quantity_licences": [], "quantity_subscriptions": [{"licence_id": licence}], **members}


def invoice(*lines: dict[str, Any], number: int = -240, client: int = 11, **members: Any) -> dict[str, Any]:
    return {"id": number, "client_id": client, "disabled": False, "lines": list(lines), **members}


def look(*invoices: dict[str, Any], everywhere: bool = True) -> Attachment:
    found = read_attachments(
        Invoices(*invoices), {OURS: CUSTOMER}, today=TODAY, observe=ignore_events, everywhere=everywhere
    )
    return found[OURS]


def test_a_line_that_names_the_subscription_attaches_it() -> None:
    assert look(invoice(line())) == Attachment(verdict=Attached.YES, invoices=(-240,))


def test_the_number_on_screen_is_minus_nine_minus_id() -> None:
    assert look(invoice(line())).numbers == (231,)


def test_ids_may_come_as_floats_without_fraction() -> None:
    assert look(invoice(line(9001.0), client=11)).verdict is Attached.YES


def test_quantity_licences_count_as_well() -> None:
    assert look(invoice({"quantity_licences": [{"licence_id": 9001}]})).verdict is Attached.YES


@pytest.mark.parametrize(
    "made",
    [
        invoice(line(), disabled=True),
        invoice(line(isinactive=True)),
        invoice(line(enddate="2026-11-21T00:00:00")),
        invoice(line(), enddate="2026-11-21T00:00:00"),
    ],
    ids=["invoice disabled", "line inactive", "line ended", "invoice ended"],
)
def test_what_does_not_bill_is_told_apart(made: dict[str, Any]) -> None:
    assert look(made).verdict is Attached.DISABLED


@pytest.mark.parametrize("end", ["1901-01-01T00:00:00", "2026-11-22T00:00:00", None, "soon"])
def test_no_date_today_and_nonsense_do_not_end_a_line(end: str | None) -> None:
    assert look(invoice(line(enddate=end))).verdict is Attached.YES


def test_criteria_are_perhaps_and_never_no() -> None:
    assert look(invoice(line(0, criteria=[{"fieldname": "name"}]))).verdict is Attached.PERHAPS


def test_criteria_on_another_customers_invoice_say_nothing() -> None:
    assert look(invoice(line(0), client=12)).verdict is Attached.NO


def test_an_invoice_of_another_customer_may_bill_it() -> None:
    assert look(invoice(line(), client=12)).verdict is Attached.YES
    assert look(invoice(line(), client=12), everywhere=False).verdict is Attached.NO


def test_other_subscriptions_lines_do_not_attach_ours() -> None:
    assert look(invoice(line(9002))).verdict is Attached.NO


@pytest.mark.parametrize("lines", [None, "x", [None, 3], [{"quantity_subscriptions": "x"}]])
def test_unreadable_lines_attach_nothing(lines: object) -> None:
    assert look({"id": -240, "client_id": 11, "lines": lines}).verdict is Attached.NO


def test_reading_stops_when_everything_is_found_and_begins_with_the_customers_own() -> None:
    reader = Invoices(invoice(number=-10, client=12), invoice(line(), number=-20), invoice(number=-30, client=13))
    read_attachments(reader, {OURS: CUSTOMER}, today=TODAY, observe=ignore_events)
    assert reader.read == [-20]
