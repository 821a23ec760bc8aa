"""A seeded slice of the months: the past is as it was, and each planted bug is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.truth.months import judged
from tests.truth.planted_past import PLANTED


@pytest.mark.parametrize("seed", range(1, 9))
def test_statement_and_history_say_what_was_so_or_nothing(seed: int, tmp_path: Path) -> None:
    found = judged(seed, tmp_path)
    assert found.false == []
    assert found.numbers


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    with PLANTED[bug]():
        for seed in range(1, 13):
            (tmp_path / str(seed)).mkdir()
            if judged(seed, tmp_path / str(seed)).false:
                return
    pytest.fail(f"no history of twelve shows that {bug}")
