"""When two names are the same, and when they are merely alike."""

from __future__ import annotations

import pytest

from reconciler.names import agrees, alike, folded, plain, resembles, same_name

TEMPLATE = "INFIMA Security Awareness Training"

SAME = [
    ("Acme Dental", "ACME  dental"),
    ("Acme Dental", " Acme\tDental\n"),
    ("Caf\u00e9 Nord", "Cafe\u0301 Nord"),  # Unicode form
    ("Acme Dental", "\uff21cme Dental"),  # full width
    ("Acme Dental", "Acme\u00a0Dental"),  # no-break space
    ("Acme Dental", "Acme\u200bDental"),  # zero-width space
    ("Acme Dental", "Acme\u200d Dental"),
    ("Acme Dental", "Ac\u00adme Dental"),  # soft hyphen
    ("Acme Dental", "\u200eAcme Dental\u200f"),  # directional marks
    ("Acme Dental", "\u202aAcme Dental\u202c"),
    ("Acme Dental", "\u2066Acme Dental\u2069"),
    ("Acme Dental", "Acme\u2028Dental"),  # line separator
    ("Acme Dental", "Acme\u2029Dental"),
    ("Acme Dental", "\ufeffAcme Dental"),  # BOM
    ("Acme Dental", "Acme\u3164 Dental\ufe0f"),  # filler, variation selector
    ("Stra\u00dfe", "STRASSE"),
    ("\u0130zmir", "i\u0307zmir"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_case_spacing_form_and_what_nobody_sees_make_no_other_name(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(
    "other", ["Acme Dentel", "Acme", "Dental Acme", "Acme Dental 2", "Acme-Dental", "\u0410cme Dental", ""]
)
def test_another_name_is_another_name(other: str) -> None:
    """A Cyrillic letter that looks like ours is another letter."""
    assert not same_name("Acme Dental", other)


def test_folding_is_final() -> None:
    for one, other in SAME:
        assert folded(folded(one)) == folded(one) == folded(other)


def test_a_live_name_that_the_file_cannot_hold_contradicts_nothing() -> None:
    assert agrees("client 7", "\u200b\u2060")
    assert agrees("A" * 255, "A" * 300)
    assert not agrees("A" * 254, "A" * 300)
    assert not agrees("client 7", "Acme")


@pytest.mark.parametrize(
    "name",
    [
        "Awareness training (Amber Couriers)",
        "Security awareness",
        "AWARENESS & SECURITY, per user",
        "infima",
        "INFIMA licences",
        "In\u00adfima Phishing",
        "Training: S\u00e9curity",
    ],
)
def test_what_may_be_meant_resembles_the_template(name: str) -> None:
    assert resembles(name, TEMPLATE)


@pytest.mark.parametrize("name", ["Training", "Microsoft 365 Business", "Endpoint Security", "", "Piano training room"])
def test_one_word_alone_does_not(name: str) -> None:
    assert not resembles(name, TEMPLATE)


def test_words_that_any_subscription_has_do_not_count() -> None:
    assert not resembles("Backup per user, monthly subscription", "Phishing per user, monthly subscription")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme Dental", "Acme Dental Group Ltd"),
        ("Vale Physio", "Vale Physiotherapy"),
        ("Oakridge Vets", "Oakridge Veterinary Centre"),
        ("KPMG", "K.P.M.G. Holdings"),
        ("NHL", "Northern Heights Logistics"),
        ("Acme Dentel", "Akme Dental"),
        ("Cafe\u0301", "CAF\u00c9 Ltd"),
    ],
)
def test_firms_that_may_be_the_same(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zephyr Cycles", "Bramble Catering"), ("Acme Ltd", "Borealis Ltd"), ("The Group", "Fenwick Law"), ("", "Acme")],
)
def test_firms_that_have_nothing_in_common(one: str, other: str) -> None:
    assert not alike(one, other)


@pytest.mark.parametrize(
    "hidden",
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180f\ufe00\ufe0f\U000e0100\U000e01ef",
)
def test_letters_and_marks_that_show_nothing_make_no_other_name(hidden: str) -> None:
    assert same_name(f"Acme{hidden} Dental", "Acme Dental")


@pytest.mark.parametrize("seen", "\u1810\ufe10\u2801\u3165")
def test_their_neighbours_that_show_something_do(seen: str) -> None:
    assert not same_name(f"Acme{seen} Dental", "Acme Dental")


def test_for_searching_what_nobody_sees_is_a_space_or_nothing() -> None:
    assert plain("Acme\u2028D\u00e9n\u00adtal\u3164& Sons") == "acme dental  and  sons"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("IT Security", "Security for IT rooms", False),  # a word of two letters counts for nothing
        ("Ace Security", "Security by Ace", True),
        ("Security 2026", "Backup Security 2026", False),  # a number neither
    ],
)
def test_which_words_count_for_a_template(one: str, other: str, *, expected: bool) -> None:
    assert resembles(one, other) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Abc", "Abcdefghijk", True),  # three letters within the other's
        ("Ab", "Abacus", False),
        ("Abcde", "Abcxy", True),  # six of ten letters
        ("Ibex Burrows", "IB", True),  # initials
        ("Ibex Inn", "I", False),
        ("!!!", "???", False),
    ],
)
def test_where_likeness_begins(one: str, other: str, *, expected: bool) -> None:
    assert alike(one, other) is expected
    assert alike(other, one) is expected
