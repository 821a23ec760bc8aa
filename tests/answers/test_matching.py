"""Customers with names alike: the best first, never inactive ones, never a decision."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from reconciler.answers.matching import difflib_ratio, find, likely, rank
from reconciler.model import HaloCustomer, HaloCustomerId


def customers(*names: str, inactive: str = "") -> list[HaloCustomer]:
    return [
        HaloCustomer(id=HaloCustomerId(10 + i), name=name, inactive=name == inactive) for i, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("client", "customer"),
    [
        ("Acme Dental", "Acme Dental Group Ltd"),
        ("ACME  dental, Inc.", "Acme Dental"),
        ("Bäckerei Müller GmbH", "Backerei Muller"),
        ("Smith & Sons", "Smith and Sons Limited"),
        ("Dental Acme", "Acme Dental"),
        ("Vale Physio", "Vale Physiotherapy"),
    ],
)
def test_the_firm_that_is_meant_comes_first(client: str, customer: str) -> None:
    found = rank(client, customers("Zenith Roofing", customer, "Acorn Catering", "Vale Foods"))
    assert found[0].customer.name == customer


def test_legal_forms_tell_nothing_apart() -> None:
    assert not rank("Quarry Ltd", customers("Oasis Ltd"))


def test_inactive_customers_are_left_out() -> None:
    assert rank("Acme Dental", customers("Acme Dental", inactive="Acme Dental")) == ()


def test_two_alike_are_not_likely() -> None:
    assert not likely(rank("Acme", customers("Acme North", "Acme South")))
    assert likely(rank("Acme", customers("Acme Ltd", "Zenith")))
    assert not likely(())


def test_ties_go_by_id() -> None:
    assert [p.customer.id for p in rank("Acme", customers("Acme", "ACME", "Acme Ltd"))] == [10, 11, 12]


def test_without_rapidfuzz_the_standard_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("rapidfuzz"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert rank("Acme Dental", customers("Zenith", "Acme Dental Group"))[0].customer.id == 11
    assert difflib_ratio("same", "same") == 100


def test_find_takes_words_in_any_order_without_case_and_accents() -> None:
    everyone = customers("Bäckerei Müller", "Acme Dental")
    assert [c.name for c in find("muller BACK", everyone)] == ["Bäckerei Müller"]
    assert find("nobody", everyone) == ()
