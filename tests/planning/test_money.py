"""Amounts of money: exact, per currency, "not known" never 0, and which unit price holds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.model import HaloCustomer, HaloCustomerId, PriceSource, UnitPrice
from reconciler.planning.changes import Action, Change, summarise
from reconciler.planning.money import (
    Amount,
    add_up,
    amount_of,
    differing_prices,
    estimate,
    live_price,
    price_for,
    written,
)
from tests.builders import build_change, build_hold, build_mapping, build_subscription
from tests.core import change_for, plan_for

EUR = UnitPrice(amount=Decimal("2.75"), currency="EUR")
USD = UnitPrice(amount=Decimal("3.10"), currency="USD")


def priced(change: Change, price: UnitPrice | None = EUR) -> Change:
    return replace(change, price=price)


def keyed(key: str, before: int | None, after: int | None, price: UnitPrice | None = EUR, **more: object) -> Change:
    return priced(build_change(build_mapping(key=key), before=before, after=after, **more), price)  # type: ignore[arg-type]


def customer(currency: str | None) -> HaloCustomer:
    return HaloCustomer(id=HaloCustomerId(12), name="Acme Dental", currency=currency)


@pytest.mark.parametrize(
    ("users", "price", "amount"), [(3, "0.1", "0.30"), (7, "2.755", "19.29"), (1, "0.005", "0.01"), (0, "2.75", "0.00")]
)
def test_an_amount_is_exact_to_the_cent(users: int, price: str, amount: str) -> None:
    assert str(estimate(users, UnitPrice(amount=Decimal(price), currency="EUR"))) == amount


def test_what_is_not_known_has_no_amount() -> None:
    assert amount_of(None, 3, 4) is None
    assert amount_of(EUR, None, 4) is None
    assert amount_of(EUR, 3, None) is None


def test_currencies_are_never_added_up() -> None:
    amounts = [amount_of(EUR, 2, 4), amount_of(USD, 1, 0), amount_of(EUR, 10, 10)]
    assert add_up(one for one in amounts if one) == (
        Amount(currency="EUR", before=Decimal("33.00"), after=Decimal("38.50")),
        Amount(currency="USD", before=Decimal("3.10"), after=Decimal("0.00")),
    )


def test_the_file_s_price_wins_over_halo_s() -> None:
    mapping = replace(build_mapping(), price=USD)
    assert price_for(mapping, replace(build_subscription(), unit_price=Decimal(9)), customer("EUR"), "EUR") == USD


@pytest.mark.parametrize(
    ("of_customer", "of_file", "currency"),
    [("EUR", None, "EUR"), (None, "GBP", "GBP"), ("EUR", "EUR", "EUR"), ("EUR", "GBP", None), (None, None, None)],
)
def test_halo_s_price_needs_one_currency_and_no_contradiction(
    of_customer: str | None, of_file: str | None, currency: str | None
) -> None:
    found = live_price(replace(build_subscription(), unit_price=Decimal("2.75")), customer(of_customer), of_file)
    wanted = currency and UnitPrice(amount=Decimal("2.75"), currency=currency, source=PriceSource.HALO)
    assert found == wanted


def test_without_a_row_or_its_price_there_is_none() -> None:
    assert live_price(None, customer("EUR"), None) is None
    assert live_price(build_subscription(), customer("EUR"), None) is None


def test_differing_prices_are_told_once_for_all() -> None:
    live = UnitPrice(amount=Decimal(3), currency="EUR", source=PriceSource.HALO)
    mappings = [replace(build_mapping(key=f"k{i}"), price=EUR) for i in range(5)]
    told = differing_prices((mapping, live) for mapping in mappings)
    assert "k0 (EUR 2.75, HaloPSA EUR 3.00)" in told
    assert "and 2 more" in told
    assert "k3" not in told


def test_equal_prices_and_unknown_ones_are_not_told() -> None:
    mapping = replace(build_mapping(), price=EUR)
    same = UnitPrice(amount=Decimal("2.7500"), currency="EUR", source=PriceSource.HALO)
    assert differing_prices([(mapping, same), (mapping, None), (build_mapping(), same)]) == ""


def test_amounts_are_written_with_their_currency_and_cents() -> None:
    assert written(Decimal(1250), "EUR") == "EUR 1,250.00"
    assert written(Decimal("0.1255"), "EUR") == "EUR 0.1255"


# ---- changes and their sums -----------------------------------------------------------------------------------------


def test_a_held_change_keeps_its_amount_in_the_sum() -> None:
    summary = summarise([keyed("a", 10, 4, hold=build_hold()), keyed("b", 10, 14)])
    assert summary.amounts == (Amount(currency="EUR", before=Decimal("55.00"), after=Decimal("66.00")),)
    assert summary.unpriced == 0


def test_a_create_costs_from_nothing() -> None:
    change = priced(build_change(subscription=None, after=4))
    assert change.amount == Amount(currency="EUR", before=Decimal("0.00"), after=Decimal("11.00"))


def test_an_unknown_quantity_has_no_amount() -> None:
    assert keyed("a", None, None, action=Action.NO_OP).amount is None
    assert priced(build_change(subscription=None, after=None, action=Action.NO_OP)).amount is None


def test_what_has_no_amount_is_counted_and_never_zero() -> None:
    summary = summarise([keyed("a", 10, 12, None), keyed("b", 0, 0, None), keyed("c", 1, 2)])
    assert (summary.unpriced, summary.amounts[0].before) == (1, Decimal("2.75"))


def test_the_plan_takes_halo_s_price_where_the_file_has_none() -> None:
    mapping = build_mapping(subscription_id=9001)
    found = replace(build_subscription(), unit_price=Decimal("2.75"))
    change = change_for(mapping, 15, found, customers=(customer("EUR"),))
    assert change.amount == Amount(currency="EUR", before=Decimal("33.00"), after=Decimal("41.25"))
    assert change.price is not None
    assert change.price.source is PriceSource.HALO


def test_the_plan_warns_where_the_two_prices_differ() -> None:
    mapping = replace(build_mapping(subscription_id=9001), price=EUR)
    found = replace(build_subscription(), unit_price=Decimal(3))
    plan = plan_for(mapping, 15, found, customers=(customer("EUR"),))
    assert any("the price in mappings.yaml is not HaloPSA's for infima-101" in warning for warning in plan.warnings)
    assert plan.changes[0].price == EUR


# -- Sums by currency in one order, and how many differing prices are named -------------------------------------------


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
