"""What a Subscription's row says of its price. Halo documents none of these members beyond their types.

Read with care, because an amount that is wrong is worse than none (halopsa.md 3.5; the readings are ours):

* `price` is taken for what one unit costs in one billing cycle, `billing_cycle` for the length of that cycle. A row
  that names no cycle is taken for a monthly one: should it be longer, the estimate is too high, and a limit holds too
  early rather than too late. A cycle in words that are not known here gives no price.
* 0 is what HaloPSA stores where nobody entered a price, and null or absent members say nothing: all of them mean "not
  known", never "free".
* `monthly_price` may be meant for one unit or for the whole row, so that alone it says nothing. Beside `price` it is a
  second witness: where it agrees with neither reading, there is no price.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from reconciler.http.decoding import WireNumber
from reconciler.model import Json

FINEST = Decimal("0.0001")
"""Unit prices are kept to four decimals, as in mappings.yaml."""

_TOO_MUCH = Decimal(10_000_000)
_CENT = Decimal("0.01")

_EXPONENTS = frozenset(range(-4, 1))

_MONTHS = {
    "": 1, "monthly": 1, "month": 1, "1 month": 1, "p1m": 1,
    "quarterly": 3, "quarter": 3, "3 months": 3, "p3m": 3,
    "half-yearly": 6, "semi-annual": 6, "semi-annually": 6, "6 months": 6, "p6m": 6,
    "annual": 12, "annually": 12, "yearly": 12, "year": 12, "1 year": 12, "12 months": 12, "p1y": 12, "p12m": 12,
}  # fmt: skip


def monthly_unit_price(row: Mapping[str, Json], count: int | None) -> Decimal | None:
    """What one user costs a month, to four decimals; None where the row does not say it beyond doubt."""
    price, monthly, cycle = _digits(row.get("price")), _digits(row.get("monthly_price")), row.get("billing_cycle")
    if price is None or not (cycle is None or isinstance(cycle, str)):
        return None
    return _unit_price(price, monthly, cycle or "", None if monthly == price else count)


@lru_cache(maxsize=4096)
def _unit_price(price: str, monthly: str | None, cycle: str, count: int | None) -> Decimal | None:
    """The same for rows that say the same, which most do: a listing has thousands of rows and few prices."""
    stated, witness, months = _known(price), _known(monthly), _MONTHS.get(cycle.strip().casefold())
    if stated is None or months is None:
        return None
    unit = stated if months == 1 else stated / months
    if witness is not None and not any(abs(witness - unit * users) < _CENT for users in (1, count or 1)):
        return None
    return unit if _is_fine(unit) else unit.quantize(FINEST, rounding=ROUND_HALF_UP) or None


def months_of(cycle: Json) -> int | None:
    """How many months a billing cycle has; None for words that are not known here."""
    return _MONTHS.get(cycle.strip().casefold()) if isinstance(cycle, str) else 1 if cycle is None else None


def currency_of(row: Mapping[str, Json]) -> str | None:
    """The customer's currency where the row names it by its three letters (ISO 4217)."""
    stated = row.get("clientcurrency")
    if isinstance(stated, str) and len(stated) == len("EUR") and stated.isascii() and stated.isupper():
        return stated if stated.isalpha() else None
    return None


def _digits(value: Json) -> str | None:
    """A JSON number as it was written; None for anything else."""
    if isinstance(value, WireNumber):
        return value.digits
    return str(value) if type(value) is int else None


def _known(digits: str | None) -> Decimal | None:
    number = None if digits is None else Decimal(digits)
    return number if number is not None and 0 < number < _TOO_MUCH else None


def _is_fine(unit: Decimal) -> bool:
    return unit == unit.quantize(FINEST) and unit.as_tuple().exponent in _EXPONENTS
