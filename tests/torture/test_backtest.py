"""A slice of the back-test of the rules about the source (FAULTS T20)."""

from __future__ import annotations

import pytest

from reconciler.model import Limits
from tests.builders import build_mapping
from tests.torture.backtest import OUTAGES, Book, ordinary_months, ordinary_nights, outages


def test_partial_outages_write_no_made_up_number() -> None:
    figures = outages(400, seed=5)
    assert set(figures.played) == set(OUTAGES)
    assert not set(figures.bad) - {"some halved"}, figures.examples


def test_what_slips_through_is_small() -> None:
    """Half of the users of a few clients gone is not told from an ordinary month, as long as it stays small."""
    figures = outages(400, seed=6)
    assert figures.worst_percent <= 20


def test_ordinary_months_are_not_stopped() -> None:
    figures = ordinary_months(150, seed=5)
    assert figures.bad["month"] * 100 < figures.played["month"]


def night(falls: dict[int, int], size: int = 15, clients: int = 20) -> bool:
    """Whether a night is refused in which these clients lose that many users."""
    numbers = range(100, 100 + clients)
    mappings = {n: build_mapping(n, n, key=f"infima-{n}", name=f"Client {n}") for n in numbers}
    counts = dict.fromkeys(numbers, size)
    book = Book(mappings, counts, dict(counts), dict(counts))
    return book.plan({n: size - falls.get(n - 100, 0) for n in numbers}).refused


@pytest.mark.parametrize(
    ("falls", "refused"),
    [
        ({0: 5, 1: 5, 2: 5}, True),
        ({0: 5, 1: 5}, False),
        ({0: 4, 1: 4, 2: 4}, False),
        ({0: 5, 1: 5, 2: 4}, False),
    ],
)
def test_three_clients_that_lose_a_third_at_once_are_an_outage(falls: dict[int, int], refused: bool) -> None:  # noqa: FBT001
    assert night(falls) is refused


def test_a_third_of_tiny_clients_is_nothing() -> None:
    assert not night({0: 2, 1: 2, 2: 2}, size=6)


def test_three_of_many_clients_are_no_outage() -> None:
    assert not night({0: 5, 1: 5, 2: 5}, clients=30)


def test_an_outage_of_one_night_writes_nothing_lower_where_two_nights_are_wanted() -> None:
    assert outages(300, seed=5).bad.total() > 0
    assert outages(300, seed=5, nights=2).bad.total() == 0


def test_the_default_limits_hold_fewer_than_one_ordinary_change_in_a_thousand_client_nights() -> None:
    figures = ordinary_nights(30, seed=5, limits=Limits())
    assert figures.played["client-night"] > 20_000
    assert 0 < figures.bad["held"] * 1_000 < figures.played["client-night"]
