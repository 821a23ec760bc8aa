"""What a recurring invoice says, read from HaloPSA's JSON with care: the fact sheet, section 5. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from datetime import date

from reconciler.model import MAX_COUNT, Json

_FIRST_REAL_YEAR = 1902
"""Years before it are Halo's way to write "no date"."""

_QUANTITIES = ("quantity_licences", "quantity_subscriptions")
_CALCULATED = frozenset({1, 2, 3, 4})
"""Values of `recurring_invoice_quantity_type` whose quantity comes from a count; another is written by hand."""

Row = MappingABC[str, Json]


def lines_of(invoice: Row) -> Iterator[dict[str, Json]]:
    """The lines that the row holds; none where it tells of none."""
    lines = invoice.get("lines")
    yield from (line for line in lines if isinstance(line, dict)) if isinstance(lines, list) else ()


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
        elements = line.get(member)
        yield from (one for one in elements if isinstance(one, dict)) if isinstance(elements, list) else ()


def is_billing(invoice: Row, today: date) -> bool:
    """True where the invoice is switched on and has not ended."""
    return not _true(invoice.get("disabled")) and is_live(invoice) and not is_over(invoice.get("enddate"), today)


def is_live(row: Row) -> bool:
    """False where either of the two members that say so calls it dead (FAULTS H32)."""
    return not _true(row.get("isinactive")) and not any(_false(row.get(name)) for name in ("isActive", "isactive"))


def id_of(row: Row) -> int | None:
    """A recurring invoice's id: a negative whole number."""
    value = row.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and -MAX_COUNT <= value <= MAX_COUNT
    return value if known and isinstance(value, int) else None


def whole_number(value: Json) -> int | None:
    """A whole number within bounds, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None


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
