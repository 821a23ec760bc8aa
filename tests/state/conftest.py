from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.state.directory import DirectoryState
from tests.state.samples import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store(tmp_path: Path, clock: StillClock) -> DirectoryState:
    return DirectoryState(tmp_path / "state", clock=clock)
