"""When the names of a client and a customer are the same, and what speaks against it."""

from __future__ import annotations

import unicodedata

import pytest

from reconciler.answers.sameness import Counterpart, Sameness
from reconciler.model import HaloCustomer, HaloCustomerId, InfimaClient, InfimaClientId


def clients(*names: str) -> list[InfimaClient]:
    return [InfimaClient(id=InfimaClientId(number), name=name) for number, name in enumerate(names, 1)]


def customers(*names: str, inactive: str = "") -> list[HaloCustomer]:
    return [
        HaloCustomer(id=HaloCustomerId(number), name=name, inactive=name == inactive)
        for number, name in enumerate(names, 11)
    ]


def first(names: list[InfimaClient], among: list[HaloCustomer]) -> Counterpart:
    return Sameness(names, among).counterpart(names[0])


@pytest.mark.parametrize(
    ("client", "customer"),
    [
        ("Acme Dental", "ACME  dental"),
        ("Acme Dental", "Acme\u00a0Dental, Ltd."),
        ("Acme Dental Limited", "Acme Dental Ltd"),
        ("Acme-Dental", "Acme Dental"),
        ("O'Brien Foods", "O\u2019BRIEN FOODS"),
        ("Smith & Sons", "Smith and Sons LLC"),
        ("A.B. Carter", "AB Carter"),
        ("Müller Bau", unicodedata.normalize("NFD", "MÜLLER Bau GmbH")),
        ("Acme\u200b Dental", "Acme Dental"),
        ("Straße 9 GmbH".replace(" 9", ""), "STRASSE"),
        ("Ромашка", "РОМАШКА"),
    ],
)
def test_case_spacing_form_punctuation_and_legal_suffix_tell_nothing_apart(client: str, customer: str) -> None:
    found = first(clients(client, "Zephyr"), customers("Quarry", customer))
    assert found.sure
    assert found.customer is not None
    assert found.customer.name == customer


@pytest.mark.parametrize(
    ("client", "customer"),
    [
        ("Müller Bau", "Mueller Bau"),
        ("Müller Bau", "Muller Bau"),
        ("Dental Riverside", "Riverside Dental"),
        ("Kessler Pumps", "Kesler Pumps"),
        ("Acme Group", "Acme"),
        ("Acme SA", "Acme"),
        ("The Bakery", "Bakery"),
    ],
)
def test_another_spelling_is_likely_and_never_sure(client: str, customer: str) -> None:
    found = first(clients(client), customers("Zephyr", customer))
    assert (found.customer is not None, found.likely, found.sure) == (True, True, False)


@pytest.mark.parametrize(
    ("others", "among", "why"),
    [
        ([], ["Acme Leeds", "Acme York"], "other customers have names near this one: Acme York (12)"),
        ([], ["Acme Leeds", "Acme"], "other customers have names near this one: Acme (12)"),
        ([], ["Acme Leeds", "Acme Leeds Bakery"], "near this one: Acme Leeds Bakery (12)"),
        ([], ["Acme Leeds", "Leeds Acme"], "near this one: Leeds Acme (12)"),
        ([], ["Acme Leeds", "Acme Leds"], "near this one: Acme Leds (12)"),
        ([], ["Acme Leeds", "AL"], "near this one: AL (12)"),
        ([], ["Acme Leeds", "\u0410cme Leeds"], "near this one: \u0410cme Leeds (12)"),
        ([], ["Acme Leeds", "ACME LEEDS Ltd"], "2 customers have this name"),
        (["acme leeds"], ["Acme Leeds"], "other INFIMA clients have names near this one: acme leeds (2)"),
        (["Acme York"], ["Acme Leeds"], "other INFIMA clients have names near this one: Acme York (2)"),
    ],
)
def test_what_stands_beside_it_makes_it_a_question(others: list[str], among: list[str], why: str) -> None:
    found = first(clients("Acme Leeds", *others), customers(*among))
    assert not found.sure
    assert not found.likely
    assert why in "; ".join(found.doubts)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Muellerhoefe", "M\u00fcllerh\u00f6fe"),
        ("Bigbank", "Big Bank North"),
        ("Big Bank", "Bigbank North"),
        ("Modern", "Modem"),
        ("Walmart", "Vvalmart"),
        ("\U0001f642", "\U0001f642"),
        ("$$$", "$$$ Ltd"),
    ],
)
def test_a_name_read_or_written_for_another_one_is_near_it(name: str, other: str) -> None:
    """Umlauts written out, words written as one, letters read for one another, signs alone: in both systems."""
    assert not first(clients(name, other), customers(name)).sure
    assert not first(clients(name), customers(name, other)).sure
    assert first(clients(name, "Quarry"), customers(name, "Quarry")).sure


@pytest.mark.parametrize(
    ("client", "customer"),
    [
        ("\u0930\u093e\u092e", "\u0930\u0940\u092e\u093e"),
        ("\u0e01\u0e32\u0e07", "\u0e01\u0e34\u0e07"),
        ("\u0e01\u0e38\u0e07", "\u0e01\u0e39\u0e07"),
    ],
)
def test_vowels_that_are_marks_are_no_accents(client: str, customer: str) -> None:
    """Hindi and Thai: another vowel is another name."""
    found = first(clients(client), customers(customer))
    assert not found.likely
    assert not found.sure
    assert first(clients(client), customers(client)).sure


def test_of_two_words_the_last_one_does_not_make_them_near() -> None:
    assert first(clients("Miller Dental", "Baker Dental"), customers("Miller Dental", "Baker Dental")).sure


@pytest.mark.parametrize("name", ["School 12", "Store #4", "Acme II", "3M", "School No. One", "Unit Four Ltd"])
def test_a_number_in_the_name_is_a_question(name: str) -> None:
    found = first(clients(name), customers(name))
    assert "number" in found.doubts[0]


def test_a_single_letter_at_the_end_is_a_question() -> None:
    assert "single letter" in first(clients("Plant B Ltd"), customers("Plant B")).doubts[0]
    assert first(clients("B"), customers("B")).sure


def test_two_legal_forms_are_two_firms_perhaps() -> None:
    found = first(clients("Baker Law Ltd"), customers("Baker Law LLC"))
    assert found.doubts == ("the legal forms differ: Baker Law Ltd, Baker Law LLC",)


def test_letters_that_only_look_the_same_are_no_match_to_be_sure_of() -> None:
    found = first(clients("\u0410cme Dental"), customers("Acme Dental"))
    assert found.customer is not None
    assert "another alphabet" in found.doubts[0]


def test_an_inactive_customer_is_none() -> None:
    found = first(clients("Gone"), customers("Gone", inactive="Gone"))
    assert (found.customer, found.doubts) == (None, ("the only customer of this name is inactive: Gone (11)",))
    both = first(clients("Gone"), customers("Gone", "Gone Ltd", inactive="Gone"))
    assert not both.sure


def test_a_name_of_nothing_visible_is_nobodys() -> None:
    found = first(clients("\u200b"), customers("\u200b", "..."))
    assert found == Counterpart(customer=None, same=False)


def test_hostile_names_cost_no_memory() -> None:
    name = " ".join(f"word{place}" for place in range(2_000))
    assert not first(clients(name * 20), customers(name * 20)).sure


def test_sure_is_only_the_one_name_on_both_sides() -> None:
    """Case and spacing aside; an inactive namesake, or a second client of the name, makes it unsure."""
    clients_named = [
        InfimaClient(id=InfimaClientId(i), name=name)
        for i, name in enumerate(["Acme Dental", "Twice", "twice", "Borealis", "Gone", "\u200b", "Corvid"])
    ]
    everyone = customers(
        "ACME  dental", "Twice", "Borealis", "borealis ", "Gone", "\u200b", "Corvid Holdings", inactive="Gone"
    )
    sameness = Sameness(clients_named, everyone)
    sure = {client.id: found.customer for client in clients_named if (found := sameness.counterpart(client)).sure}
    assert sure == {0: everyone[0]}
