"""How many schedules it takes until a planted bug is found, and by which oracles."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.torture.people import play_history
from tests.torture.plans import play_plan
from tests.torture.planted import ABOUT_TWINS, Bug, planted
from tests.torture.schedules import play_schedule
from tests.torture.sweep import Result, play, single_faults


def schedules(seed: int, most: int) -> Iterator[Result]:
    """Random schedules, and now and then a single fault out of the sweep, or plans held together."""
    rng = Random(seed)  # noqa: S311 - has to repeat
    faults = list(single_faults())
    rng.shuffle(faults)
    faults.sort(key=lambda fault: fault.times == 1)  # those that last are few: they come first
    for number in range(most):
        if number % 6 == 5:
            yield play_plan(seed * 1_000_000 + number)
        elif number % 6 == 3:
            yield play_history(seed * 1_000_000 + number)
        elif number % 6 == 2:
            yield play([faults[number // 6 % len(faults)]])  # each in its turn: those that last are the first twelve
        else:
            yield play_schedule(seed * 1_000_000 + number)


def histories(seed: int, most: int) -> Iterator[Result]:
    """Histories of people alone: a bug about twins hides nowhere else."""
    for number in range(most):
        yield play_history(seed * 1_000_000 + number)


def hunt(bug: Bug, seed: int, most: int = 2000) -> tuple[int | None, set[str]]:
    """The number of schedules until the bug was found, None where it was not, and the oracles that spoke."""
    hidden = histories(seed, most) if bug in ABOUT_TWINS else schedules(seed, most)
    faultless = next(hidden)  # the recorded run that names the faults is made before the bug is planted
    assert not faultless.violations, faultless
    with planted(bug):
        for number, result in enumerate(hidden, start=1):
            if result.violations:
                return number, {v.partition(":")[0] for v in result.violations}
    return None, set()
