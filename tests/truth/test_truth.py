"""A seeded slice of the campaign: what every drawing says is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.campaign import judged

SEEDS = range(1, 41)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_drawing_says_what_is_not_so(seed: int, tmp_path: Path) -> None:
    assert judged(seed, tmp_path).false == []
