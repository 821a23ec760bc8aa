"""A slice of the random schedules, and the seeds that once found something."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.torture.schedules import play_schedule

FOUND = {
    290: "a run said that all is well about a row which it had seen edited by a person meanwhile",
    506: "the same, with two runs",
    625: "the same, with a row that a person deactivated",
    7000723: "a second row with the marker, made while somebody looked at the plan, did not stop the write",
}


@pytest.mark.parametrize("start", range(0, 160, 40))
def test_random_schedules_keep_every_invariant(start: int) -> None:
    results = [play_schedule(seed) for seed in range(start, start + 40)]
    assert not [f"{r.what}: {r.violations}" for r in results if r.violations]
    reached = Counter(word for r in results for word in r.reached)
    assert reached["write"] > 20, "schedules in which nothing is written find nothing"
    assert reached["crash in the create window"], reached


@pytest.mark.parametrize("seed", FOUND)
def test_schedules_that_once_found_something(seed: int) -> None:
    assert not play_schedule(seed, wide=False).violations, FOUND[seed]


def test_a_seed_repeats() -> None:
    once, again = play_schedule(41), play_schedule(41)
    assert (once.violations, once.reached) == (again.violations, again.reached)
