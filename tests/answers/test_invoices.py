"""Attachment to recurring invoices: on one, perhaps, only where nothing is billed, on none."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from reconciler.answers.attached import remember
from reconciler.answers.invoices import Attachment, Looked, Wanted, look
from reconciler.errors import IncompleteRead
from reconciler.model import HaloCustomerId, MappingKey, SubscriptionId
from reconciler.state.recorded import Attached, InvoiceLook, Outlook, screen_numbers
from tests.builders import NOW
from tests.quiet import ignore_events

TODAY = date(2026, 11, 22)
OURS = SubscriptionId(9001)
CUSTOMER = HaloCustomerId(11)


class Invoices:
    """Recurring invoices as HaloPSA gives them, with or without lines in the list, and how many requests were sent."""

    def __init__(self, *invoices: dict[str, Any], listed: bool = False, pages: int = 1) -> None:
        self.rows = {row["id"]: row for row in invoices}
        self.read: list[int] = []
        self.listed = listed
        self.pages = pages
        self.invoice_requests = 0

    def recurring_invoices(self, most_requests: int | None = None) -> tuple[dict[str, Any], ...]:
        if most_requests is not None and self.pages > most_requests:
            raise IncompleteRead("too long", system="HaloPSA")
        self.invoice_requests += self.pages
        kept = self.rows.values()
        return tuple(kept if self.listed else ({k: v for k, v in row.items() if k != "lines"} for row in kept))

    def recurring_invoice(self, invoice_id: int) -> dict[str, Any]:
        self.invoice_requests += 1
        self.read.append(invoice_id)
        return self.rows[invoice_id]


def line(licence: float = 9001, **members: Any) -> dict[str, Any]:
    return {"quantity_licences": [], "quantity_subscriptions": [{"licence_id": licence}], **members}


def invoice(*lines: dict[str, Any], number: int = -240, client: int = 11, **members: Any) -> dict[str, Any]:
    return {"id": number, "client_id": client, "disabled": False, "lines": list(lines), **members}


def wanted(number: int = OURS, customer: int = CUSTOMER, *seen_on: int) -> Wanted:
    return Wanted(subscription_id=SubscriptionId(number), customer_id=HaloCustomerId(customer), seen_on=seen_on)


def looked(reader: Invoices, *asked: Wanted, requests: int | None = None, everywhere: bool = True) -> Looked:
    return look(
        reader, asked or (wanted(),), today=TODAY, observe=ignore_events, requests=requests, everywhere=everywhere
    )


def seen(*invoices: dict[str, Any], everywhere: bool = True, listed: bool = False) -> Attachment:
    return looked(Invoices(*invoices, listed=listed), everywhere=everywhere).attachments[OURS]


def test_a_line_that_names_the_subscription_attaches_it() -> None:
    assert seen(invoice(line())) == Attachment(verdict=Attached.YES, invoices=(-240,))


def test_the_number_on_screen_is_minus_nine_minus_id() -> None:
    assert screen_numbers(seen(invoice(line())).invoices) == (231,)


def test_ids_may_come_as_floats_without_fraction() -> None:
    assert seen(invoice(line(9001.0), client=11)).verdict is Attached.YES


def test_quantity_licences_count_as_well() -> None:
    assert seen(invoice({"quantity_licences": [{"licence_id": 9001}]})).verdict is Attached.YES


@pytest.mark.parametrize(
    "made",
    [
        invoice(line(), disabled=True),
        invoice(line(isinactive=True)),
        invoice(line(enddate="2026-11-21T00:00:00")),
        invoice(line(), enddate="2026-11-21T00:00:00"),
        invoice(line(isActive=False)),
        invoice(line(isinactive=True, isActive=True)),
        invoice(line(isinactive=False, isActive=False)),
        invoice(line(isActive=0)),
        invoice(line(), isinactive=True),
        invoice(line(), isActive=False),
    ],
    ids=[
        "invoice disabled",
        "line inactive",
        "line ended",
        "invoice ended",
        "line not active",
        "contradicting",
        "contradicting the other way",
        "as a number",
        "invoice inactive",
        "invoice not active",
    ],
)
def test_what_does_not_bill_is_told_apart(made: dict[str, Any]) -> None:
    assert seen(made).verdict is Attached.DISABLED
    assert seen(made, listed=True).verdict is Attached.DISABLED


@pytest.mark.parametrize("end", ["1901-01-01T00:00:00", "2026-11-22T00:00:00", None, "soon"])
def test_no_date_today_and_nonsense_do_not_end_a_line(end: str | None) -> None:
    assert seen(invoice(line(enddate=end))).verdict is Attached.YES


def test_criteria_are_perhaps_and_never_no() -> None:
    assert seen(invoice(line(0, criteria=[{"fieldname": "name"}]))).verdict is Attached.PERHAPS


def test_criteria_on_another_customers_invoice_say_nothing() -> None:
    assert seen(invoice(line(0), client=12)).verdict is Attached.NO


def test_an_invoice_of_another_customer_may_bill_it() -> None:
    assert seen(invoice(line(), client=12)).verdict is Attached.YES
    assert seen(invoice(line(), client=12), everywhere=False).verdict is Attached.NO


def test_other_subscriptions_lines_do_not_attach_ours() -> None:
    assert seen(invoice(line(9002))).verdict is Attached.NO


@pytest.mark.parametrize("lines", [None, "x", [None, 3], [{"quantity_subscriptions": "x"}]])
def test_unreadable_lines_attach_nothing(lines: object) -> None:
    assert seen({"id": -240, "client_id": 11, "lines": lines}).verdict is Attached.NO


def test_reading_stops_when_everything_is_found_and_begins_with_the_customers_own() -> None:
    reader = Invoices(invoice(number=-10, client=12), invoice(line(), number=-20), invoice(number=-30, client=13))
    assert looked(reader).attachments[OURS].verdict is Attached.YES
    assert reader.read == [-20]


def test_an_invoice_where_it_was_seen_before_is_read_first() -> None:
    reader = Invoices(invoice(number=-10), invoice(line(), number=-20, client=12))
    looked(reader, wanted(OURS, CUSTOMER, -20))
    assert reader.read == [-20]


def test_lines_in_the_list_spare_every_single_read() -> None:
    reader = Invoices(invoice(line()), invoice(line(5), number=-30, client=12), listed=True)
    assert looked(reader, requests=1).attachments[OURS].verdict is Attached.YES
    assert reader.read == []


@pytest.mark.parametrize(
    "lines", [[{"item": "x"}], [], [{"recurring_invoice_quantity_type": 4}]], ids=["bare", "none", "calculated"]
)
def test_a_list_that_leaves_quantities_out_proves_nothing(lines: list[dict[str, Any]]) -> None:
    class Bare(Invoices):
        def recurring_invoices(self, most_requests: int | None = None) -> tuple[dict[str, Any], ...]:
            return tuple({**row, "lines": lines} for row in super().recurring_invoices(most_requests))

    reader = Bare(invoice(line()))
    assert looked(reader).attachments[OURS].verdict is Attached.YES
    assert reader.read == [-240]


def test_a_line_written_by_hand_needs_no_read_of_its_own() -> None:
    reader = Invoices(invoice(line()), invoice({"qty_order": 3}, number=-30, client=12), listed=True)
    looked(reader)
    assert reader.read == []


def test_no_more_requests_than_permitted_and_what_they_do_not_reach_is_left_out() -> None:
    many = [invoice(line(9000 + n), number=-n, client=n) for n in range(10, 40)]
    reader = Invoices(*many)
    asked = [wanted(9000 + n, n) for n in range(10, 40)]
    told = looked(reader, *asked, requests=11).attachments
    assert reader.invoice_requests == 11
    assert list(told) == [9000 + n for n in range(10, 20)], "those that stand first"
    assert {one.verdict for one in told.values()} == {Attached.YES}


def test_own_invoices_alone_do_not_say_that_it_is_on_none() -> None:
    reader = Invoices(invoice(number=-10), *(invoice(number=-n, client=12) for n in range(20, 40)))
    told = looked(reader, requests=5).attachments[OURS]
    assert (told.verdict, told.everywhere) == (Attached.NO, False)
    assert looked(reader).attachments[OURS].everywhere


def test_a_list_that_takes_too_long_is_no_look() -> None:
    with pytest.raises(IncompleteRead):
        looked(Invoices(pages=51), requests=50)


def test_the_next_invoice_is_the_first_live_one_of_the_customer_or_the_one_that_carries_it() -> None:
    own = [
        invoice(number=-10, nextcreationdate="2026-12-15T00:00:00"),
        invoice(number=-11, nextcreationdate="2026-12-01T00:00:00"),
        invoice(number=-12, nextcreationdate="2026-11-25T00:00:00", disabled=True),
        invoice(number=-13, nextcreationdate="2026-11-21T00:00:00"),
        invoice(number=-14, nextcreationdate="1901-01-01T00:00:00"),
    ]
    assert looked(Invoices(*own)).invoice_days[CUSTOMER] == date(2026, 12, 1)
    other = invoice(line(), number=-20, client=12, nextcreationdate="2026-11-30T00:00:00")
    assert looked(Invoices(*own, other)).invoice_days[CUSTOMER] == date(2026, 11, 30)


ACME = MappingKey("acme")


def remembered(verdict: Attached, before: InvoiceLook | None = None, *, everywhere: bool = True) -> InvoiceLook:
    told = Looked(attachments={OURS: Attachment(verdict=verdict, everywhere=everywhere)})
    outlook = Outlook(looks={ACME: before} if before else {}, unread="no right")
    made = remember(outlook, told, {ACME: OURS}, now=NOW)
    assert made.unread == ""
    return made.looks[ACME]


def test_when_it_was_last_attached_stays_known() -> None:
    attached = remembered(Attached.YES)
    assert attached.attached_at == NOW
    assert remembered(Attached.NO, attached).attached_at == NOW


def test_a_look_that_says_nothing_of_a_subscription_leaves_the_old_one() -> None:
    before = remembered(Attached.YES)
    outlook = remember(Outlook(looks={ACME: before}), Looked(), {ACME: OURS}, now=NOW)
    assert outlook.looks == {ACME: before}


def test_a_look_at_another_subscription_starts_anew() -> None:
    before = InvoiceLook(subscription_id=SubscriptionId(7), looked_at=NOW, verdict=Attached.YES, attached_at=NOW)
    assert remembered(Attached.NO, before).attached_at is None


@pytest.mark.parametrize(
    ("verdict", "everywhere", "stands"),
    [
        (Attached.PERHAPS, True, True),
        (Attached.NO, False, True),
        (Attached.NO, True, False),
        (Attached.DISABLED, True, False),
        (Attached.YES, True, False),
    ],
)
def test_a_persons_word_stands_while_no_look_contradicts_it(
    verdict: Attached, *, everywhere: bool, stands: bool
) -> None:
    before = InvoiceLook(subscription_id=OURS, looked_at=NOW, verdict=Attached.PERHAPS, word="seen on the contract")
    assert bool(remembered(verdict, before, everywhere=everywhere).word) is stands
