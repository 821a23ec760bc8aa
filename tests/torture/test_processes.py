"""A slice of the campaign on real processes: kills, a full disk, Ctrl-C, several at once."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from tests.torture.processes import Workshop, one, together

KILLS = (9, 23, 31, 38, 45, 52, 58, 64, 71, 76, 82, 88)


@pytest.fixture
def shop() -> Iterator[Workshop]:
    shop = Workshop()
    yield shop
    shop.close()


def test_a_run_passes_enough_points_to_be_killed_at(shop: Workshop) -> None:
    points = shop.points()
    assert len(points) >= max(KILLS)
    assert {"write", "fsync", "rename", "send", "receive"} <= set(points)
    assert not shop.unconverged()


@pytest.mark.parametrize("at", KILLS)
def test_the_next_run_heals_after_a_kill(at: int) -> None:
    result = one(at, "kill")
    assert "ended with -9" in result.reached
    assert not result.violations


def test_the_next_run_heals_after_a_kill_in_the_middle_of_a_write() -> None:
    assert not one(40, "half").violations


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_loses_nothing(code: int) -> None:
    assert not one(25, str(code)).violations


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
def test_a_run_that_is_asked_to_stop_finishes_its_write_and_ends_with_130(how: str) -> None:
    result = one(62, how)
    assert "ended with 130" in result.reached
    assert not result.violations


def test_two_processes_at_once_do_no_harm() -> None:
    assert not together(2).violations
