"""Sure is sure: no pair of names that is called so is wrong, in a market made of what makes names wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.figures import DOCUMENT, document
from tests.truth.market import KINDS, Tally, measure, table

Measured = tuple[Tally, list[str]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure(10_000, seed=1)


def test_no_sure_one_is_wrong_and_most_of_the_plain_ones_are_found(measured: Measured) -> None:
    tally, wrong = measured
    total = sum(tally.values(), Counter())

    assert wrong == []
    assert (total["pairs"], len(tally)) == (10_000, len(KINDS))
    assert tally["same"]["sure, right"] >= 0.85 * tally["same"]["pairs"]
    assert total["likely, right"] > 2 * total["likely, wrong"]


def test_the_market_has_traps_for_whoever_goes_by_the_same_name_alone(measured: Measured) -> None:
    caught = {kind: counted["same name, wrong"] for kind, counted in measured[0].items()}
    assert all(caught[kind] > 20 for kind in ("abbreviation", "branch", "numbered", "parent and daughter"))
    assert f"the same name alone {sum(caught.values())} of these" in DOCUMENT.read_text(encoding="utf-8")


def test_another_seed_has_no_wrong_one_either() -> None:
    assert measure(1_000, seed=18)[1] == []


def test_the_published_table_is_what_the_command_prints(measured: Measured) -> None:
    published = DOCUMENT.read_text(encoding="utf-8")
    assert published == document(published, "market", f"{table(measured[0])}\n")
