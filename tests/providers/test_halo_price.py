"""What a Subscription's row says of its price: read exactly, and "not known" wherever it is not beyond doubt."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from reconciler.http.decoding import decode_json, whole_number
from reconciler.model import Json
from reconciler.providers.halo_rows import customer_of, monthly_unit_price


def row(text: str) -> dict[str, Json]:
    found = decode_json(text.encode())
    assert isinstance(found, dict)
    return found


def price(text: str, count: int | None = 12) -> Decimal | None:
    return monthly_unit_price(row(text), count)


@pytest.mark.parametrize("digits", ["2.75", "0.1", "2.7499", "3", "3.0", "275e-2", "0.30"])
def test_a_price_is_what_was_written_digit_for_digit(digits: str) -> None:
    assert price(f'{{"price": {digits}}}') == Decimal(digits)


def test_a_price_does_not_pass_through_a_binary_float() -> None:
    digits = "1234567.1000000000000000000001"
    assert price(f'{{"price": {digits}}}') == Decimal("1234567.1000")
    assert price('{"price": 0.00005000000000000000000000001}') == Decimal("0.0001")
    assert price('{"price": 0.00004999999999999999999999999}') is None


@pytest.mark.parametrize(
    "value", ["null", "0", "0.0", "-2.75", '"2.75"', "true", "[2.75]", "10000000", "0.00001", "1e300"]
)
def test_what_is_no_price_is_not_known(value: str) -> None:
    assert price(f'{{"price": {value}}}') is None


def test_an_absent_price_is_not_known() -> None:
    assert price("{}") is None


def test_a_monthly_price_alone_says_nothing() -> None:
    assert price('{"monthly_price": 2.75}') is None
    assert price('{"price": 0, "monthly_price": 2.75}') is None


@pytest.mark.parametrize(
    ("cycle", "unit"),
    [
        ('"Monthly"', "33"),
        ('" MONTHLY "', "33"),
        ('""', "33"),
        ("null", "33"),
        ('"Quarterly"', "11"),
        ('"Annual"', "2.75"),
        ('"P1Y"', "2.75"),
        ('"Fortnightly"', None),
        ("12", None),
    ],
)
def test_the_price_is_that_of_one_cycle(cycle: str, unit: str | None) -> None:
    assert price(f'{{"price": 33, "billing_cycle": {cycle}}}') == (unit and Decimal(unit))


def test_a_price_that_does_not_divide_is_kept_to_four_decimals() -> None:
    assert price('{"price": 100, "billing_cycle": "Yearly"}') == Decimal("8.3333")


@pytest.mark.parametrize(
    ("monthly", "agrees"),
    [("2.75", True), ("33.00", True), ("0", True), ("null", True), ("3.75", False), ("32", False)],
)
def test_a_monthly_price_is_a_second_witness(monthly: str, *, agrees: bool) -> None:
    """It may be meant for one user or for all twelve; anything else contradicts."""
    assert (price(f'{{"price": 2.75, "monthly_price": {monthly}}}') is not None) is agrees


def test_without_a_count_only_the_price_of_one_agrees() -> None:
    assert price('{"price": 2.75, "monthly_price": 2.75}', None) == Decimal("2.75")
    assert price('{"price": 2.75, "monthly_price": 33}', None) is None


@pytest.mark.parametrize(
    ("stated", "currency"),
    [
        ("EUR", "EUR"),
        ("eur", None),
        ("E1R", None),
        ("Euro", None),
        ("", None),
        (None, None),
        (978, None),
        ("ÄÖÜ", None),
    ],
)
def test_a_currency_is_three_capital_letters_or_none(stated: Json, currency: str | None) -> None:
    assert customer_of({"id": 1, "clientcurrency": stated}).currency == currency


def test_numbers_of_the_wire_stay_numbers() -> None:
    found = row('{"count": 5.0, "half": 2.5}')
    assert (whole_number(found["count"]), whole_number(found["half"])) == (5, None)
    assert json.dumps(found) == '{"count": 5.0, "half": 2.5}'
    assert found == {"count": 5.0, "half": 2.5}
