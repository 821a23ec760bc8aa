"""A world survives being written down."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World
from reconciler.simulator.worlds import NotAWorld, demo_world, world_document, world_from


def through_json(world: World) -> World:
    return world_from(json.loads(json.dumps(world_document(world))))


def test_a_world_is_the_same_after_json() -> None:
    world = demo_world()
    world.switches = replace(world.switches, marker_fields=("notes",), count_shape="float")
    again = through_json(world)
    assert world_document(again) == world_document(world)
    assert again.switches == world.switches
    assert again.infima_clients == world.infima_clients


def test_new_rows_get_new_ids_after_json(world: World) -> None:
    again = through_json(world)
    assert again.person_creates(11, "New") == 9004


def test_the_copy_shares_nothing(world: World) -> None:
    document = world_document(world)
    world_from(document).person_sets_count(9001, 99)
    assert world.licences[9001]["count"] == 10


@pytest.mark.parametrize("document", [None, [], {}, {"format": 2}, {"format": 1, "partner": "x"}])
def test_what_is_no_world_is_refused(document: Any) -> None:
    with pytest.raises(NotAWorld):
        world_from(document)


def test_an_unknown_switch_is_refused() -> None:
    with pytest.raises(TypeError, match="no_such"):
        Switches.from_json({"no_such": 1})
