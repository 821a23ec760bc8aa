"""A slice of the back-test of the rules about the source (FAULTS T20)."""

from __future__ import annotations

from tests.torture.backtest import OUTAGES, ordinary_months, outages


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
