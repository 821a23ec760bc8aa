"""Every planted bug still fits the code, and those that show themselves soon are found."""

from __future__ import annotations

import pytest

from tests.torture.hunt import hunt
from tests.torture.planted import ALL, Bug, planted

SOON = (
    "blind retry of a create",
    "the quantity in the create",
    "the marker is not sent",
    "the attempt is not recorded",
    "the attempt is recorded after the post",
    "the binding is recorded after the count",
    "an unknown create counts as failed",
    "the settle time is ignored",
    "the name is sent in an update",
    "one too many",
    "a deletion where a Subscription was listed",
    "only the first page is read",
    "inactive users are billed",
    "a hold holds nothing",
    "exit 0 on a hold",
    "the journal is not fsynced",
    "a record does not name the one before",
    "the state can be read by others",
    "a converged row is written again",
)


@pytest.mark.parametrize("bug", ALL, ids=lambda bug: bug.name)
def test_a_planted_bug_fits_the_code_and_is_taken_out_again(bug: Bug) -> None:
    with planted(bug):
        pass
    with planted(bug):
        pass


@pytest.mark.parametrize("bug", [b for b in ALL if b.name in SOON], ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    number, oracles = hunt(bug, seed=11, most=120)
    assert number is not None
    assert oracles
