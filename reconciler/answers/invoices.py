"""Whether Subscriptions are on a recurring invoice: one that is on none bills nothing, whatever its quantity.

Facts about recurring invoices are in the fact sheet, section 5. Nothing here ever writes; the reads go through a port.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from reconciler.events import Observer, PhaseAdvanced, PhaseFinished, PhaseStarted
from reconciler.model import MAX_COUNT, HaloCustomerId, Json, SubscriptionId
from reconciler.state.recorded import Attached

PHASE = "Reading recurring invoices"

Row = MappingABC[str, Json]


class InvoiceReader(Protocol):
    """The reads of HaloPSA that are needed here."""

    @property
    def invoice_requests(self) -> int:
        """How many requests for recurring invoices were sent so far."""
        ...

    def recurring_invoices(self, most_requests: int | None = None) -> tuple[Row, ...]:
        """All recurring invoices, inactive ones included, with their lines where HaloPSA lists those.

        Raises `ApiError`, also where the list takes more than `most_requests` requests.
        """
        ...

    def recurring_invoice(self, invoice_id: int) -> Row:
        """One recurring invoice with its lines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A Subscription that is asked about: its customer, and the invoices on which it was seen before."""

    subscription_id: SubscriptionId
    customer_id: HaloCustomerId | None
    seen_on: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The verdict for one Subscription. `invoices` are ids as the API has them: negative.

    `everywhere` is false where only the invoices of its own customer were looked at.
    """

    verdict: Attached
    invoices: tuple[int, ...] = ()
    everywhere: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look: the verdict of each Subscription that it could judge, and each customer's next invoice.

    A Subscription for which the requests did not suffice is in neither.
    """

    attachments: MappingABC[SubscriptionId, Attachment] = field(default_factory=dict)
    invoice_days: MappingABC[HaloCustomerId, date] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------------------------------


def look(
    reader: InvoiceReader,
    wanted: Sequence[Wanted],
    *,
    today: date,
    observe: Observer,
    requests: int | None = None,
    everywhere: bool = True,
) -> Looked:
    """Look for Subscriptions on recurring invoices, in the order given.

    HaloPSA's list is asked for the lines; where it leaves them out each invoice is read, first those where a
    Subscription was seen before and those of its own customer. With `requests` no more than so many are sent, and what
    they do not suffice for is left out. Without `everywhere` other customers' invoices are not read. Raises `ApiError`.
    """
    observe(PhaseStarted(phase=PHASE))
    spent = reader.invoice_requests
    headers = {number: row for row in reader.recurring_invoices(requests) if (number := id_of(row)) is not None}
    pages = _Pages(today=today, wanted=wanted, headers=headers)
    own = pages.unread_own()
    others = sorted(set(pages.unread) - set(own), reverse=True)
    if requests is not None and len(pages.unread) > requests - (reader.invoice_requests - spent):
        others = []  # a part of the others proves nothing
    to_read = [*own, *(others if everywhere else ())]
    for done, number in enumerate(to_read, start=1):
        if pages.all_found() or (requests is not None and reader.invoice_requests - spent >= requests):
            break
        pages.take(number, reader.recurring_invoice(number))
        observe(PhaseAdvanced(phase=PHASE, done=done, total=len(to_read)))
    observe(PhaseFinished(phase=PHASE, detail=f"{len(headers) - len(pages.unread)} of {len(headers)} invoices"))
    return Looked(attachments=pages.attachments(), invoice_days=pages.days())


Found = MappingABC[Attached, set[int]]
"""The invoices on which one Subscription was seen, by verdict."""


def _attachment(found: Found, *, everywhere: bool) -> Attachment:
    for verdict in (Attached.YES, Attached.PERHAPS, Attached.DISABLED):
        if found[verdict]:
            ids = tuple(sorted(found[verdict], reverse=True))
            return Attachment(verdict=verdict, invoices=ids, everywhere=everywhere)
    return Attachment(verdict=Attached.NO, everywhere=everywhere)


class _Pages:
    """The invoices as far as they were read, and what they say of the wanted Subscriptions."""

    def __init__(self, *, today: date, wanted: Sequence[Wanted], headers: MappingABC[int, Row]) -> None:
        self._today = today
        self._wanted = wanted
        self._headers = headers
        self._found: dict[SubscriptionId, Found] = {one.subscription_id: defaultdict(set) for one in wanted}
        listed = any(has_quantities(line) for row in headers.values() for line in lines_of(row))
        self.unread = [number for number, row in headers.items() if not (listed and tells_lines(row))]
        for number in headers.keys() - set(self.unread):
            self._judge(number, headers[number])

    def take(self, number: int, invoice: Row) -> None:
        """An invoice that was read by itself."""
        self._judge(number, {**self._headers[number], **invoice})
        self.unread.remove(number)

    def all_found(self) -> bool:
        """True when every wanted Subscription is known to be attached."""
        return all(found[Attached.YES] for found in self._found.values())

    def unread_own(self) -> list[int]:
        """Invoices still to be read that most likely carry a wanted Subscription, in the order of the wanted."""
        by_customer: defaultdict[int | None, list[int]] = defaultdict(list)
        for number in self.unread:
            by_customer[_customer(self._headers[number])].append(number)
        unread = set(self.unread)
        order: dict[int, None] = {}
        for one in self._wanted:
            order |= dict.fromkeys(number for number in one.seen_on if number in unread)
            order |= dict.fromkeys(by_customer[one.customer_id] if one.customer_id else ())
        return list(order)

    def attachments(self) -> dict[SubscriptionId, Attachment]:
        """The verdicts: of those that were found, and of those whose own customer's invoices were all read."""
        unread = set(self.unread)
        customers_unread = {_customer(self._headers[number]) for number in unread}
        told = {}
        for one in self._wanted:
            found = self._found[one.subscription_id]
            attached = bool(found[Attached.YES])
            if attached or not (one.customer_id in customers_unread or unread & set(one.seen_on)):
                told[one.subscription_id] = _attachment(found, everywhere=not unread or attached)
        return told

    def days(self) -> dict[HaloCustomerId, date]:
        """The day of each wanted Subscription's customer's next invoice: its own, or the one that carries it."""
        days: dict[HaloCustomerId, date] = {}

        def note(customer: int | None, row: Row) -> None:
            day = day_in(row.get("nextcreationdate"))
            if customer and day is not None and day >= self._today and is_billing(row, self._today):
                number = HaloCustomerId(customer)
                days[number] = min(days.get(number, day), day)

        for row in self._headers.values():
            note(_customer(row), row)
        for one in self._wanted:
            for number in self._found[one.subscription_id][Attached.YES]:
                note(one.customer_id, self._headers[number])
        return days

    def _judge(self, number: int, invoice: Row) -> None:
        bills, customer = is_billing(invoice, self._today), _customer(invoice)
        for line in lines_of(invoice):
            live = bills and is_live(line) and not is_over(line.get("enddate"), self._today)
            for element in elements_of(line):
                licence = whole_number(element.get("licence_id"))
                if licence:
                    found = self._found.get(SubscriptionId(licence))
                    if found is not None:
                        found[Attached.YES if live else Attached.DISABLED].add(number)
                elif live:  # it selects by criteria: which Subscriptions those catch only HaloPSA knows
                    for wanted in self._wanted:
                        if wanted.customer_id is not None and wanted.customer_id == customer:
                            self._found[wanted.subscription_id][Attached.PERHAPS].add(number)


# ---------------------------------------------------------------------------------------------------------------------
# What HaloPSA's JSON says, read with care
# ---------------------------------------------------------------------------------------------------------------------

_FIRST_REAL_YEAR = 1902
"""Years before it are Halo's way to write "no date"."""

_QUANTITIES = ("quantity_licences", "quantity_subscriptions")
_CALCULATED = frozenset({1, 2, 3, 4})
"""Values of `recurring_invoice_quantity_type` whose quantity comes from a count; another is written by hand."""


def lines_of(invoice: Row) -> Iterator[dict[str, Json]]:
    """The lines that the row holds; none where it tells of none."""
    return _objects(invoice.get("lines"))


def tells_lines(row: Row) -> bool:
    """True where a row of a list that holds lines with quantities can be taken as a whole invoice."""
    return isinstance(row.get("lines"), list) and all(
        has_quantities(line) or whole_number(line.get("recurring_invoice_quantity_type")) not in _CALCULATED
        for line in lines_of(row)
    )


def has_quantities(line: Row) -> bool:
    """True where the line says from which Subscriptions its quantity comes."""
    return any(isinstance(line.get(member), list) for member in _QUANTITIES)


def elements_of(line: Row) -> Iterator[dict[str, Json]]:
    """The Subscriptions that the line takes its quantity from."""
    for member in _QUANTITIES:
        yield from _objects(line.get(member))


def _objects(value: Json) -> Iterator[dict[str, Json]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def is_billing(invoice: Row, today: date) -> bool:
    """True where the invoice is switched on and has not ended."""
    return not _true(invoice.get("disabled")) and is_live(invoice) and not is_over(invoice.get("enddate"), today)


def is_live(row: Row) -> bool:
    """False where either of the two members that say so calls it dead (FAULTS H32)."""
    return not _true(row.get("isinactive")) and not any(_false(row.get(name)) for name in ("isActive", "isactive"))


def id_of(row: Row) -> int | None:
    """A recurring invoice's id: a negative whole number."""
    return whole_number(row.get("id"), least=-MAX_COUNT)


def _customer(row: Row) -> int | None:
    return whole_number(row.get("client_id"))


def whole_number(value: Json, *, least: int = 0) -> int | None:
    """A whole number within bounds, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_COUNT else None


def _true(value: Json) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() == "true")


def _false(value: Json) -> bool:
    return value is False or (value is not None and value == 0) or (isinstance(value, str) and value.lower() == "false")


def day_in(value: Json) -> date | None:
    """A date as HaloPSA writes it; None for "no date", which it writes as one around 1900."""
    try:
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day is not None and day.year >= _FIRST_REAL_YEAR else None


def is_over(value: Json, today: date) -> bool:
    """True where the value is a day before today."""
    day = day_in(value)
    return day is not None and day < today
