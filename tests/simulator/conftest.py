"""A small world: three INFIMA clients, three Halo customers, two Subscriptions and a licence."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.simulator.contract import halo_client, infima_client


@pytest.fixture
def world() -> World:
    world = World(clock=VirtualClock())
    for number, name, active in ((101, "Acme Dental", 12), (102, "Borealis Freight", 60), (103, "Corvid", 3)):
        world.add_client(number, name, active=active, inactive=2)
    for number, name in ((11, "Acme Dental Group"), (12, "Borealis Freight Ltd"), (13, "Corvid plc")):
        world.add_customer(number, name)
    world.add_licence(11, "Training", 10, snowid="infima-101", notes="keep")
    world.add_licence(12, "Training", 60, snowid="infima-102")
    world.add_licence(13, "Office", 5, type=0)
    return world


@pytest.fixture
def halo(world: World) -> Iterator[httpx.Client]:
    with halo_client(world) as client:
        yield client


@pytest.fixture
def infima(world: World) -> Iterator[httpx.Client]:
    with infima_client(world) as client:
        yield client
