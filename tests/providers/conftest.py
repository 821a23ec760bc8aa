"""Every wiring that a test makes is closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.providers.wiring import Wiring


@pytest.fixture
def make_wiring() -> Iterator[Callable[..., Wiring]]:
    made: list[Wiring] = []

    def make(**how: Any) -> Wiring:
        made.append(Wiring(**how))
        return made[-1]

    yield make
    for wiring in made:
        wiring.systems.close()


@pytest.fixture
def wiring(make_wiring: Callable[..., Wiring]) -> Wiring:
    return make_wiring()
