"""A slice of the sweep: single faults at the requests of a six-mapping run, pairs of them, and what they once found."""

from __future__ import annotations

import pytest

from reconciler.simulator.records import Endpoint
from tests.faults.kinds import Fault, FaultKind
from tests.torture.sweep import play, sampled_pairs, single_faults

LISTING = "GET /api/SoftwareLicence"
STRIDE = 23


@pytest.mark.parametrize("start", range(4))
def test_single_faults_do_no_harm(start: int) -> None:
    wrong = [f"{r.what}: {r.violations}" for f in single_faults()[start :: STRIDE * 4] if (r := play([f])).violations]
    assert not wrong


def test_pairs_of_faults_do_no_harm() -> None:
    wrong = [f"{r.what}: {r.violations}" for pair in sampled_pairs(30, seed=1) if (r := play(pair)).violations]
    assert not wrong


def test_the_sweep_reaches_every_request_and_both_sides_of_a_write() -> None:
    faults = single_faults()
    assert len({(f.at, f.nth) for f in faults}) >= 18
    assert any(f.after and f.at.startswith("POST /api/SoftwareLicence") for f in faults)


@pytest.mark.parametrize("kind", [FaultKind.EMPTY_LIST, FaultKind.ROW_MISSING, FaultKind.SHORT_PAGE])
def test_a_first_listing_that_leaves_rows_out_creates_no_duplicate(kind: FaultKind) -> None:
    assert not play([Fault(kind=kind, at=LISTING, nth=1)]).violations


def test_two_faults_of_one_write_leave_one_row() -> None:
    faults = [
        Fault(kind=FaultKind.RESET, at=Endpoint.WRITE, nth=2, after=True),
        Fault(kind=FaultKind.STALE_LISTING, at=LISTING, nth=3, times=3, seconds=90),
    ]
    assert not play(faults).violations
