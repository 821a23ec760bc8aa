"""Sums by currency in one order, and how many differing prices are named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.model import PriceSource, UnitPrice
from reconciler.planning.changes import Action
from reconciler.planning.money import Amount, add_up, differing_prices
from tests.builders import build_change, build_mapping


def test_sums_stand_in_the_order_of_their_currencies() -> None:
    amounts = [Amount(currency=word, before=Decimal(1), after=Decimal(2)) for word in ("GBP", "USD", "EUR", "GBP")]
    assert [(a.currency, a.before, a.after) for a in add_up(amounts)] == [("EUR", 1, 2), ("GBP", 2, 4), ("USD", 1, 2)]


@pytest.mark.parametrize(("apart", "more"), [(1, ""), (3, ""), (4, " and 1 more;"), (9, " and 6 more;")])
def test_three_are_named_and_only_what_is_over_is_counted(apart: int, more: str) -> None:
    said = UnitPrice(amount=Decimal("2.75"), currency="EUR", source=PriceSource.FILE)
    live = UnitPrice(amount=Decimal(3), currency="EUR", source=PriceSource.HALO)
    told = differing_prices((replace(build_mapping(key=f"k{n}"), price=said), live) for n in range(apart))
    assert told.count("HaloPSA EUR 3.00") == min(apart, 3)
    assert (" more" in told) == bool(more)
    assert more in told


@pytest.mark.parametrize("after", [12, None])
def test_what_is_not_written_goes_on_costing_what_it_costs(after: int | None) -> None:
    change = build_change(before=12, after=after, action=Action.NO_OP)
    price = UnitPrice(amount=Decimal("2.50"), currency="EUR", source=PriceSource.FILE)
    assert replace(change, price=price).amount == Amount(
        currency="EUR", before=Decimal("30.00"), after=Decimal("30.00")
    )
