"""Whether Subscriptions are on a recurring invoice: one that is on none bills nothing, whatever its quantity.

Facts about recurring invoices are in the fact sheet, section 5. Nothing here ever writes; the reads go through a port.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

from reconciler.events import Observer, PhaseAdvanced, PhaseFinished, PhaseStarted
from reconciler.model import MAX_COUNT, HaloCustomerId, Json, SubscriptionId

PHASE = "Reading recurring invoices"
_FIRST_REAL_YEAR = 1902
"""Years before it are Halo's way to write "no date"."""

Row = MappingABC[str, Json]


class Attached(StrEnum):
    """What is known of a Subscription's place on recurring invoices, worst first."""

    NO = "not attached"
    DISABLED = "only where nothing is billed"
    PERHAPS = "perhaps attached"
    YES = "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The verdict for one Subscription. `invoices` are ids as the API has them: negative."""

    verdict: Attached
    invoices: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The invoices' numbers as HaloPSA's screens show them."""
        return tuple(-9 - number for number in self.invoices)


@dataclass(slots=True)
class _Found:
    """Invoices on which one Subscription was seen, by what they come to."""

    yes: set[int] = field(default_factory=set)
    disabled: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)

    def attachment(self) -> Attachment:
        for verdict, invoices in (
            (Attached.YES, self.yes),
            (Attached.PERHAPS, self.perhaps),
            (Attached.DISABLED, self.disabled),
        ):
            if invoices:
                return Attachment(verdict=verdict, invoices=tuple(sorted(invoices, reverse=True)))
        return Attachment(verdict=Attached.NO)


class InvoiceReader(Protocol):
    """What of HaloPSA is read."""

    def recurring_invoices(self) -> tuple[Row, ...]:
        """The headers of all recurring invoices."""
        ...

    def recurring_invoice(self, invoice_id: int) -> Row:
        """One recurring invoice with its lines."""
        ...


Wanted = MappingABC[SubscriptionId, HaloCustomerId | None]
"""The Subscriptions that are asked about, each with its customer."""


def read_attachments(
    reader: InvoiceReader, wanted: Wanted, *, today: date, observe: Observer, everywhere: bool = True
) -> dict[SubscriptionId, Attachment]:
    """Look through the recurring invoices, one read for each, those of the same customers first.

    It stops as soon as every Subscription is found. Without `everywhere` only the invoices of the Subscriptions' own
    customers are read. Raises `ApiError`: half a look would call attached what is not, or the other way round.
    """
    customers = {customer for customer in wanted.values() if customer is not None}
    observe(PhaseStarted(phase=PHASE))
    headers = sorted(reader.recurring_invoices(), key=lambda row: (_customer(row) not in customers, -(_id(row) or 0)))
    if not everywhere:
        headers = [row for row in headers if _customer(row) in customers]
    found = {number: _Found() for number in wanted}
    done = 0
    for header in headers:
        number = _id(header)
        if all(one.yes for one in found.values()):
            break
        if number is None:
            continue
        _look_at(reader.recurring_invoice(number), number, found, wanted, today)
        done += 1
        observe(PhaseAdvanced(phase=PHASE, done=done, total=len(headers)))
    observe(PhaseFinished(phase=PHASE, detail=f"{done} of {len(headers)} invoices"))
    return {number: one.attachment() for number, one in found.items()}


def _look_at(invoice: Row, number: int, found: dict[SubscriptionId, _Found], wanted: Wanted, today: date) -> None:
    lines = invoice.get("lines")
    bills = not _true(invoice.get("disabled")) and not _over(invoice.get("enddate"), today)
    for line in lines if isinstance(lines, list) else ():
        if not isinstance(line, dict):
            continue
        live = bills and not _true(line.get("isinactive")) and not _over(line.get("enddate"), today)
        for element in _elements(line):
            licence = _whole(element.get("licence_id"))
            if licence:
                one = found.get(SubscriptionId(licence))
                if one is not None:
                    (one.yes if live else one.disabled).add(number)
            elif live:  # it selects by criteria: which Subscriptions those catch only HaloPSA knows
                for subscription, customer in wanted.items():
                    if customer is not None and customer == _customer(invoice):
                        found[subscription].perhaps.add(number)


def _elements(line: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for member in ("quantity_licences", "quantity_subscriptions"):
        elements = line.get(member)
        yield from (one for one in elements if isinstance(one, dict)) if isinstance(elements, list) else ()


def _id(row: Row) -> int | None:
    """A recurring invoice's id: a negative whole number."""
    value = row.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and -MAX_COUNT <= value <= MAX_COUNT
    return value if known and isinstance(value, int) else None


def _customer(row: Row) -> int | None:
    return _whole(row.get("client_id"))


def _whole(value: Json) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None


def _true(value: Json) -> bool:
    return value is True or value == 1


def _over(value: Json, today: date) -> bool:
    """True for a date that is past. HaloPSA writes "no date" as one around 1900."""
    if not isinstance(value, str):
        return False
    try:
        day = date.fromisoformat(value[:10])
    except ValueError:
        return False
    return day.year >= _FIRST_REAL_YEAR and day < today
