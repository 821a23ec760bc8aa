"""Schedules that once found something wrong, by their seeds."""

from __future__ import annotations

import pytest

from tests.torture.schedules import play_schedule


@pytest.mark.parametrize("seed", [7002440, 210000286])
def test_a_schedule_that_found_a_fault_finds_it_no_more(seed: int) -> None:
    """7002440: somebody copies the marker onto a row of their own between the listing and the create.

    210000286: a run finds by its marker what another one is just creating, and takes its first count for a jump.
    """
    assert play_schedule(seed, wide=False).violations == []


@pytest.mark.parametrize("seed", [31001284, 9000000000071, 9000000000097])
def test_a_wide_schedule_that_found_a_fault_finds_it_no_more(seed: int) -> None:
    """31001284: somebody's own row with our marker is the only one listed after a create whose answer was empty.

    9000000000071: a row is deleted behind the last listing, and an update with its name is taken for a create.
    9000000000097: a saved plan is confirmed at a prompt so slowly that it is made again, and the count moved meanwhile.
    """
    assert play_schedule(seed).violations == []
