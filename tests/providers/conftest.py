"""Every wiring that a test makes is closed after it; `systems` are those of a test's own `world`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.providers.connect import ConnectedSystems
from reconciler.simulator.world import World
from tests.faults.app import connect_to
from tests.providers.wiring import Wiring


@pytest.fixture
def systems(world: World) -> Iterator[ConnectedSystems]:
    with connect_to(world) as systems:
        yield systems


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
