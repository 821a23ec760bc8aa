"""A slice of the histories of people, and the planted bugs that they find."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.torture.hunt import hunt
from tests.torture.people import MARKERS, play_history
from tests.torture.planted import ABOUT_TWINS, Bug

SOON = {
    "the same name is no reason to ask",
    "what resembles is no reason to ask",
    "a second mapping of a customer is no reason to ask",
    "swapped ids are no reason to ask",
    "another name is no reason to ask before a create",
}
"""The others take some dozens of histories; the campaign hunts them (docs/reliability.md)."""


@pytest.mark.parametrize("start", range(0, 40, 20))
def test_no_history_of_people_ends_with_a_twin_that_no_rule_announced(start: int) -> None:
    results = [play_history(seed) for seed in range(start, start + 20)]
    assert not [f"{r.what}: {r.violations}" for r in results if r.violations]
    reached = Counter(word for r in results for word in r.reached)
    assert reached["created"] > 8, "histories in which nothing is created find nothing"
    for word in ("held", "state lost", "wrong state", "second mapping", *(f"markers {m}" for m in MARKERS)):
        assert reached[word], reached


@pytest.mark.parametrize("bug", [b for b in ABOUT_TWINS if b.name in SOON], ids=lambda bug: bug.name)
def test_a_planted_bug_about_twins_is_found(bug: Bug) -> None:
    number, oracles = hunt(bug, seed=7, most=60)
    assert number is not None
    assert oracles


def test_a_history_repeats() -> None:
    once, again = play_history(17), play_history(17)
    assert (once.violations, once.reached) == (again.violations, again.reached)
