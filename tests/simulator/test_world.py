"""The world keeps account of each change that was applied, and of nothing else."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from reconciler.simulator.records import Actor
from reconciler.simulator.world import World
from tests.clock import START


def test_furnishing_a_world_is_not_logged(world: World) -> None:
    assert world.mutations == []


def test_a_change_is_logged_with_time_actor_and_both_values(world: World) -> None:
    world.clock.sleep(60)
    world.person_sets_count(9001, 11)
    (mutation,) = world.mutations
    assert mutation.changes == {"count": (10, 11)}
    assert (mutation.object_id, mutation.actor, mutation.request) == (9001, Actor.PERSON, None)
    assert mutation.time == START + timedelta(seconds=60)


def test_setting_what_is_there_already_is_no_change(world: World) -> None:
    world.person_sets_count(9001, 10)
    assert world.mutations == []


def test_a_change_by_request_names_the_request(world: World, halo: httpx.Client) -> None:
    halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 12}])
    (mutation,) = world.mutations
    assert mutation.request is not None
    record = world.requests[mutation.request - 1]
    assert (record.method, record.path, record.mutating) == ("POST", "/api/SoftwareLicence", True)
    assert mutation.actor is Actor.API


def test_people_between_requests_are_not_put_down_to_a_request(world: World, halo: httpx.Client) -> None:
    halo.get("/api/SoftwareLicence")
    world.person_renames(9001, "Other")
    assert world.mutations[-1].request is None


@pytest.mark.parametrize(
    ("edit", "member", "value"),
    [
        (lambda world: world.person_renames(9001, "New"), "name", "New"),
        (lambda world: world.person_moves(9001, 13), "client_id", 13),
        (lambda world: world.person_deactivates(9001), "is_active", False),
        (lambda world: world.person_deletes(9001), "deleted", True),
        (lambda world: world.person_edits(9001, price=9.5), "price", 9.5),
        (lambda world: world.person_edits(9001, notes=None), "notes", None),
    ],
    ids=["rename", "move", "deactivate", "delete", "price", "empty notes"],
)
def test_what_people_do_to_a_subscription(world: World, edit: object, member: str, value: object) -> None:
    assert callable(edit)
    edit(world)
    assert world.licences[9001].get(member) == value


def test_a_person_makes_a_subscription(world: World) -> None:
    made = world.person_creates(13, "By hand", 4, notes="mine")
    assert world.licences[made]["count"] == 4
    assert world.mutations[-1].action == "create"


def test_a_deactivated_subscription_can_come_back(world: World) -> None:
    world.person_deactivates(9001)
    world.person_activates(9001)
    assert world.licences[9001]["is_active"] is True


def test_ids_are_never_used_twice(world: World) -> None:
    world.add_licence(11, "Far", 1, licence_id=9500)
    assert world.person_creates(11, "Next") == 9501


def test_users_join_and_leave(world: World) -> None:
    world.users_join(101, 3)
    world.users_leave(101, 5)
    client = world.infima_clients[101]
    assert (client.active, client.inactive) == (10, 7)
    world.users_become(101, 1, 0)
    assert (world.infima_clients[101].active, world.infima_clients[101].inactive) == (1, 0)


def test_a_removed_user_leaves_the_front_of_the_list(world: World) -> None:
    before = [row["id"] for row in world.infima_clients[101].users()]
    world.users_leave(101, 1, removed=True)
    assert [row["id"] for row in world.infima_clients[101].users()] == before[1:]


def test_user_ids_are_unique_within_a_client(world: World) -> None:
    rows = list(world.infima_clients[102].users())
    assert len({row["id"] for row in rows}) == 62


def test_customers_and_clients_change(world: World) -> None:
    world.person_renames_customer(11, "Acme")
    world.person_deactivates_customer(11)
    assert (world.customers[11]["name"], world.customers[11]["inactive"]) == ("Acme", True)
    world.person_activates_customer(11)
    world.person_renames_client(101, "Acme D")
    world.person_archives_client(101)
    world.person_removes_client(102)
    assert (world.infima_clients[101].name, world.infima_clients[101].archived) == ("Acme D", True)
    assert 102 not in world.infima_clients
    assert [mutation.kind for mutation in world.mutations] == ["customer"] * 3 + ["client"] * 3
