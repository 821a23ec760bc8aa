"""The demo's world, its night and its mappings.yaml fit each other; scaled worlds are what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.config import load_mappings
from reconciler.simulator.roster import demo_mappings_yaml
from reconciler.simulator.world import World
from reconciler.simulator.worlds import demo_world, night_passes, scaled_world, world_document
from tests.scaled import scaled_mappings_yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world() -> World:
    return demo_world()


@pytest.fixture(scope="module")
def mappings() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "mappings.yaml").read_text(encoding="utf-8"))
    return loaded


def clients_of(mapping: dict[str, Any]) -> list[dict[str, Any]]:
    return mapping.get("infima_clients") or [mapping["infima_client"]]


def test_the_file_at_the_root_is_the_demos() -> None:
    assert (ROOT / "mappings.yaml").read_text(encoding="utf-8") == demo_mappings_yaml()


def test_every_name_in_the_file_is_the_live_name(world: World, mappings: dict[str, Any]) -> None:
    for mapping in mappings["mappings"]:
        customer = mapping["halo_customer"]
        assert world.customers[customer["id"]]["name"] == customer["name"]
        for client in clients_of(mapping):
            assert world.infima_clients[client["id"]].name == client["name"]


def test_every_client_is_mapped_or_ignored_at_first(world: World, mappings: dict[str, Any]) -> None:
    mapped = [client["id"] for mapping in mappings["mappings"] for client in clients_of(mapping)]
    ignored = [entry["infima_client"]["id"] for entry in mappings["ignore"]]
    assert sorted(mapped + ignored) == sorted(world.infima_clients)
    assert 38 <= len(world.infima_clients) <= 44


def test_sizes_are_believable(world: World) -> None:
    sizes = [client.active for client in world.infima_clients.values() if client.active and client.id < 139]
    assert (min(sizes), max(sizes)) == (3, 180)


def test_adopted_subscriptions_exist_under_the_mappings_customer(world: World, mappings: dict[str, Any]) -> None:
    adopted = [mapping for mapping in mappings["mappings"] if "subscription_id" in mapping]
    assert len(adopted) == 21
    for mapping in adopted:
        row = world.licences[mapping["subscription_id"]]
        assert (row["type"], row["client_id"], "snowid" in row) == (1, mapping["halo_customer"]["id"], False)


def test_a_first_apply_creates_some_and_not_more_than_are_allowed(world: World, mappings: dict[str, Any]) -> None:
    markers = {row.get("snowid") for row in world.live_subscriptions()}
    keys = {mapping.get("key", f"infima-{clients_of(mapping)[0]['id']}") for mapping in mappings["mappings"]}
    adopted = {
        each.get("key", f"infima-{clients_of(each)[0]['id']}")
        for each in mappings["mappings"]
        if "subscription_id" in each
    }
    assert 10 <= len(keys - markers - adopted) <= mappings["limits"]["max_creates"]


def test_the_file_shows_every_rule(mappings: dict[str, Any]) -> None:
    rules = [mapping.get("quantity", {}) for mapping in mappings["mappings"]]
    shown = {name for rule in rules for name in rule}
    assert shown == {"minimum", "included", "fixed", "reason", "until", "allow_zero"}
    assert [mapping["retired"] for mapping in mappings["mappings"] if "retired" in mapping] == [True]


def test_some_subscriptions_are_on_no_invoice_line(world: World) -> None:
    billed = {
        quantity["licence_id"]
        for invoice in world.invoices.values()
        if not invoice["disabled"]
        for line in invoice["lines"]
        if not line["isinactive"]
        for quantity in line["quantity_subscriptions"]
    }
    ours = {row["id"] for row in world.live_subscriptions() if row["price"]}
    assert billed & ours
    assert ours - billed
    assert 0 in billed  # a line that selects by criteria


def test_the_same_seed_gives_the_same_world() -> None:
    assert world_document(demo_world(seed=4)) == world_document(demo_world(seed=4))
    assert world_document(demo_world(seed=4)) != world_document(demo_world(seed=5))


def test_a_night_brings_what_the_story_tells(world: World, mappings: dict[str, Any]) -> None:
    night_passes(world)
    assert world.infima_clients[112].active == 0
    assert world.customers[47]["inactive"] is True
    known = {client["id"] for mapping in mappings["mappings"] for client in clients_of(mapping)} | {140, 141}
    assert set(world.infima_clients) - known == {142}
    changed = [each for each in world.mutations if each.kind == "client" and "active" in each.changes]
    assert {new > old for old, new in (each.changes["active"] for each in changed)} == {True, False}
    assert all(each.request is None for each in world.mutations)


def test_the_second_night_brings_what_propose_finds(world: World) -> None:
    night_passes(world)
    night_passes(world)
    assert world.infima_clients[122].name == "Vale Physiotherapy"
    assert world.infima_clients[143].name == "Tidewater Yoga"
    assert world.customers[72]["name"] == "Tidewater Yoga Ltd"
    [by_hand] = [row for row in world.live_subscriptions() if row["client_id"] == 71]
    assert (by_hand["count"], by_hand.get("snowid")) == (17, None)


def test_later_nights_are_ordinary(world: World) -> None:
    for _ in range(30):
        night_passes(world)
    assert len([client for client in world.infima_clients.values() if client.active == 0]) == 2
    assert world.nights == 30


def test_a_night_passes_over_any_world() -> None:
    night_passes(World())
    small = scaled_world(5)
    night_passes(small)
    assert small.mutations


def test_a_scaled_world_has_what_was_asked_for() -> None:
    world = scaled_world(200, users_per_client=30, seed=2)
    assert len(world.infima_clients) == len(world.customers) == len(world.licences) == 200
    assert all(20 <= client.active <= 40 for client in world.infima_clients.values())
    for client, row in zip(world.infima_clients.values(), world.licences.values(), strict=True):
        assert (row["snowid"], row["count"]) == (f"infima-{client.id}", client.active)


def test_a_share_of_a_scaled_world_has_changed() -> None:
    world = scaled_world(1000, changed=0.1)
    rows = zip(world.infima_clients.values(), world.licences.values(), strict=True)
    assert 60 <= sum(client.active != row["count"] for client, row in rows) <= 140


def test_a_scaled_world_before_a_first_run_has_no_subscription() -> None:
    assert scaled_world(10, marked=False).licences == {}


def test_the_scaled_file_fits_its_world() -> None:
    world = scaled_world(25)
    loaded = yaml.safe_load(scaled_mappings_yaml(world, count="client_record"))
    assert loaded["defaults"]["quantity"]["count"] == "client_record"
    assert loaded["limits"]["max_creates"] == 25
    for mapping in loaded["mappings"]:
        assert world.infima_clients[mapping["infima_client"]["id"]].name == mapping["infima_client"]["name"]
        assert world.customers[mapping["halo_customer"]["id"]]["name"] == mapping["halo_customer"]["name"]


def test_the_loader_accepts_both_files(tmp_path: Path) -> None:
    scaled = tmp_path / "mappings.yaml"
    scaled.write_text(scaled_mappings_yaml(scaled_world(7)), encoding="utf-8")
    sizes = [
        len(load_mappings(path, now=datetime(2026, 11, 22, tzinfo=UTC)).mappings)
        for path in (ROOT / "mappings.yaml", scaled)
    ]
    assert sizes == [36, 7]
