"""The month's statement: what each mapping billed at the invoice day and over the month, beside INFIMA's count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from reconciler.history.timeline import Month, Point, Timeline, month_of
from reconciler.model import HaloCustomerId, MappingKey, Mappings, Recorded, SubscriptionId, UnitPrice
from reconciler.planning.money import CENT, estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """Whom a key bills, as mappings.yaml and the state have it; the ids are None and the name empty where unknown."""

    customer_id: HaloCustomerId | None = None
    customer: str = ""
    subscription_id: SubscriptionId | None = None
    price: UnitPrice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One Subscription's month. Quantities are whole users, `average` is over the days; None where not known.

    `counted` is INFIMA's newest recorded count at the invoice day; `difference` is what is billed beyond it (below it,
    negative): included users, a minimum, a fixed quantity or a hold.
    """

    key: MappingKey
    whom: Billed
    invoiced: int | None
    first: int | None
    last: int | None
    peak: int | None
    average: Decimal | None
    counted: int | None

    @property
    def difference(self) -> int | None:
        """Users billed at the invoice day more than INFIMA counted then."""
        return None if self.invoiced is None or self.counted is None else self.invoiced - self.counted

    @property
    def amount(self) -> Decimal | None:
        """The month's amount, an estimate; None without a price or a quantity."""
        return None if self.invoiced is None or self.whom.price is None else estimate(self.invoiced, self.whom.price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A month's rows, sorted by customer and key. `until` is when the month ends, or now while it has not."""

    month: Month
    invoice_at: datetime
    until: datetime
    rows: tuple[StatementRow, ...]

    @property
    def invoiced(self) -> int:
        """All users billed at the invoice day, as far as known."""
        return sum(row.invoiced or 0 for row in self.rows)

    @property
    def amounts(self) -> dict[str, Decimal]:
        """The estimated sum in each currency."""
        sums: dict[str, Decimal] = {}
        for row in self.rows:
            if row.amount is not None and row.whom.price is not None:
                currency = row.whom.price.currency
                sums[currency] = sums.get(currency, Decimal(0)) + row.amount
        return dict(sorted(sums.items()))

    @property
    def unknown(self) -> int:
        """How many rows have no known quantity at the invoice day."""
        return sum(row.invoiced is None for row in self.rows)

    @property
    def unpriced(self) -> int:
        """How many rows bill somebody and have no amount, because no price is known."""
        return sum(bool(row.invoiced) and row.amount is None for row in self.rows)


def whom_billed(
    mappings: Mappings | None, recorded: Recorded, prices: Mapping[MappingKey, UnitPrice] | None = None
) -> dict[MappingKey, Billed]:
    """Customer, Subscription and price of every key that the file or the state knows.

    `prices` are those that runs have read from HaloPSA; the one in the file wins.
    """
    known = {m.key: m for m in mappings.mappings} if mappings else {}
    found = {}
    for key in known.keys() | recorded.bindings.keys():
        mapping, binding = known.get(key), recorded.bindings.get(key)
        found[key] = Billed(
            customer_id=mapping.halo_customer.id if mapping else binding.customer_id if binding else None,
            customer=mapping.halo_customer.name if mapping else "",
            subscription_id=binding.subscription_id if binding else mapping.subscription_id if mapping else None,
            price=(mapping.price if mapping else None) or (prices or {}).get(key),
        )
    return found


def make_statement(
    timeline: Timeline, whom: Mapping[MappingKey, Billed], month: Month, *, invoice_day: int, now: datetime
) -> Statement:
    """The statement of a month that has begun. The invoice day counts as a whole (UTC), and ends with the month."""
    until = min(month.end, now)
    day = month.days[min(invoice_day, len(month.days)) - 1]
    invoice_at = min(datetime.combine(day, time(), tzinfo=UTC) + timedelta(days=1), until)
    rows = (
        _row(
            key, timeline.between(key, month.start, until), whom.get(key, Billed()), invoice_at=invoice_at, until=until
        )
        for key in timeline.points
    )
    kept = [row for row in rows if row is not None]
    return Statement(
        month=month,
        invoice_at=invoice_at,
        until=until,
        rows=tuple(sorted(kept, key=lambda row: (row.whom.customer.casefold(), row.key))),
    )


def _row(
    key: MappingKey, points: tuple[Point, ...], whom: Billed, *, invoice_at: datetime, until: datetime
) -> StatementRow | None:
    quantities = [point.quantity for point in points if point.quantity is not None]
    if not quantities:
        return None
    # A moment before the day's end: what was written at midnight belongs to the next day.
    invoiced = _last_before(points, invoice_at)
    return StatementRow(
        key=key,
        whom=whom,
        invoiced=invoiced.quantity if invoiced else None,
        first=quantities[0],
        last=points[-1].quantity,
        peak=max(quantities),
        average=_average(points, until),
        counted=invoiced.counted if invoiced else None,
    )


def _last_before(points: Iterable[Point], moment: datetime) -> Point | None:
    found = None
    for point in points:
        if point.at < moment:
            found = point
    return found


def _average(points: tuple[Point, ...], until: datetime) -> Decimal | None:
    """The mean of what stood at the end of each day that has begun and whose quantity is known."""
    daily = []
    for day in month_of(points[0].at).days:
        begin = datetime.combine(day, time(), tzinfo=UTC)
        if begin >= until:
            break
        point = _last_before(points, begin + timedelta(days=1))
        if point is not None and point.quantity is not None:
            daily.append(point.quantity)
    if not daily:
        return None
    return (Decimal(sum(daily)) / len(daily)).quantize(CENT, rounding=ROUND_HALF_UP)
