"""Monthly amounts: which unit price holds, and what users at that price come to. Pure, `Decimal` throughout.

Amounts are estimates: taxes, discounts, pro rata and rounding on the invoice are HaloPSA's. They are shown, and limits
may be given as amounts; nothing of them is ever sent. Currencies are never added up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from reconciler.model import HaloCustomer, Mapping, Money, PriceSource, Subscription, UnitPrice

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What a quantity comes to a month before and after a change, in one currency."""

    currency: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """How far the amount moves; negative for a fall."""
        return self.after - self.before

    @property
    def staying(self) -> Amount:
        """The same where nothing is written: a held change keeps its quantity."""
        return Amount(currency=self.currency, before=self.before, after=self.before)


def estimate(users: int, price: UnitPrice) -> Decimal:
    """What so many users cost a month, to the cent."""
    return (users * price.amount).quantize(CENT, rounding=ROUND_HALF_UP)


def amount_of(price: UnitPrice | None, before: int | None, after: int | None) -> Amount | None:
    """What the users before and after cost a month; None where price or users are not known: never 0 for "unknown"."""
    if price is None or before is None or after is None:
        return None
    first = estimate(before, price)
    return Amount(currency=price.currency, before=first, after=first if after == before else estimate(after, price))


def add_up(amounts: Iterable[Amount]) -> tuple[Amount, ...]:
    """The sum in each currency, sorted by currency."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for one in amounts:
        before, after = sums.get(one.currency, (Decimal(0), Decimal(0)))
        sums[one.currency] = before + one.before, after + one.after
    return tuple(
        Amount(currency=currency, before=before, after=after) for currency, (before, after) in sorted(sums.items())
    )


def price_for(
    mapping: Mapping, subscription: Subscription | None, customer: HaloCustomer | None, currency: str | None
) -> UnitPrice | None:
    """The unit price that holds for a mapping: the one in mappings.yaml, else HaloPSA's, else none.

    mappings.yaml wins because people have reviewed it, and it says unit, month and currency; a Subscription's row says
    none of the three beyond doubt.
    """
    return mapping.price or live_price(subscription, customer, currency)


def live_price(
    subscription: Subscription | None, customer: HaloCustomer | None, currency: str | None
) -> UnitPrice | None:
    """HaloPSA's unit price with its currency: the customer's, else `settings.currency`; None where the two differ."""
    if subscription is None or subscription.unit_price is None:
        return None
    stated = customer.currency if customer else None
    if stated and currency and stated != currency:
        return None
    named = stated or currency
    return UnitPrice(amount=subscription.unit_price, currency=named, source=PriceSource.HALO) if named else None


def differing_prices(pairs: Iterable[tuple[Mapping, UnitPrice | None]]) -> str:
    """A sentence about the mappings whose price in the file is not HaloPSA's; empty where there are none."""
    apart = [
        f"{mapping.key} ({in_words(mapping.price)}, HaloPSA {in_words(live)})"
        for mapping, live in pairs
        if mapping.price is not None
        and live is not None
        and (mapping.price.amount, mapping.price.currency) != (live.amount, live.currency)
    ]
    if not apart:
        return ""
    more = f" and {len(apart) - SHOWN} more" if len(apart) > SHOWN else ""
    return (
        f"the price in mappings.yaml is not HaloPSA's for {', '.join(apart[:SHOWN])}{more}; estimates and limits use "
        "the one in mappings.yaml"
    )


SHOWN = 3
"""Mappings that a sentence names before it only counts the others."""


def in_words(money: UnitPrice | Money) -> str:
    """An amount with its currency, e.g. "EUR 1,250.00"."""
    return written(money.amount, money.currency)


def written(amount: Decimal, currency: str) -> str:
    """An amount to the cent at least, with its currency in front."""
    return f"{currency} {max(amount, amount.quantize(CENT), key=_decimals):,}"


def _decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
