"""INFIMA's API as its fact sheet describes it, and each of its switches."""

from __future__ import annotations

import httpx
import pytest

from reconciler.simulator.world import World
from tests.simulator.contract import infima_client, switch


def test_the_partner_has_a_name(infima: httpx.Client) -> None:
    assert infima.get("/v1/partner").json()["partner_name"] == "Northwind Managed IT"


def test_clients_come_in_pages_with_their_counts(infima: httpx.Client) -> None:
    page = infima.get("/v1/clients", params={"limit": 2, "offset": 1}).json()
    assert [(row["id"], row["user_count"]) for row in page["items"]] == [(102, 60), (103, 3)]
    assert (page["total"], page["limit"], page["offset"], page["next"]) == (3, 2, 1, None)


def test_a_page_past_the_end_is_empty(infima: httpx.Client) -> None:
    assert infima.get("/v1/clients", params={"offset": 100_000}).json()["items"] == []


def test_twenty_rows_are_the_default(infima: httpx.Client) -> None:
    page = infima.get("/v1/clients/102/users").json()
    assert (len(page["items"]), page["total"]) == (20, 60)


def test_all_users_include_inactive_ones(infima: httpx.Client) -> None:
    page = infima.get("/v1/clients/101/users", params={"status": "all", "limit": 50}).json()
    statuses = [row["status"] for row in page["items"]]
    assert (statuses.count("active"), statuses.count("inactive"), page["total"]) == (12, 2, 14)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "51"}, {"limit": "x"}, {"offset": "-1"}])
def test_a_window_that_cannot_be_is_refused(infima: httpx.Client, query: dict[str, str]) -> None:
    assert infima.get("/v1/clients", params=query).status_code == 400


def test_a_large_limit_may_be_clamped(world: World, infima: httpx.Client) -> None:
    switch(world, limit_over_50="clamp")
    assert infima.get("/v1/clients", params={"limit": 500}).json()["limit"] == 50


@pytest.mark.parametrize(("how", "status"), [(401, 401), (403, 403), (200, 200)])
def test_a_wrong_key(world: World, infima: httpx.Client, how: int, status: int) -> None:
    switch(world, bad_key=how)
    answer = infima.get("/v1/clients", headers={"X-API-Key": "wrong"})
    assert answer.status_code == status
    assert answer.json().get("items", []) == []


def test_an_authorization_header_does_not_do(world: World) -> None:
    with infima_client(world) as client:
        del client.headers["X-API-Key"]
        answer = client.get("/v1/clients", headers={"Authorization": world.credentials.infima_api_key})
    assert answer.status_code == 401


def test_a_revoked_key_is_refused(world: World, infima: httpx.Client) -> None:
    world.infima_key_revoked = True
    assert infima.get("/v1/partner").status_code == 401


@pytest.mark.parametrize(("meaning", "count"), [("active", 12), ("total", 14), ("stale", 7), ("absent", None)])
def test_meanings_of_user_count(world: World, infima: httpx.Client, meaning: str, count: int | None) -> None:
    switch(world, user_count=meaning)
    world.infima_clients[101].stale_count = 7
    assert infima.get("/v1/clients").json()["items"][0].get("user_count") == count


@pytest.mark.parametrize(("spelling", "status"), [("lower", "active"), ("capital", "Active"), ("upper", "ACTIVE")])
def test_spellings_of_a_status(world: World, infima: httpx.Client, spelling: str, status: str) -> None:
    switch(world, status_spelling=spelling)
    assert infima.get("/v1/clients/101/users").json()["items"][0]["status"] == status


def test_a_status_filter_may_be_ignored_or_refused(world: World, infima: httpx.Client) -> None:
    switch(world, status_filter="ignored", status_default="all")
    assert infima.get("/v1/clients/101/users", params={"status": "inactive"}).json()["total"] == 14
    switch(world, status_filter="refused")
    assert infima.get("/v1/clients/101/users", params={"status": "all"}).status_code == 400


@pytest.mark.parametrize(("how", "total"), [("present", 3), ("wrong", 4), ("absent", None)])
def test_forms_of_total(world: World, infima: httpx.Client, how: str, total: int | None) -> None:
    switch(world, total=how)
    assert infima.get("/v1/clients").json().get("total") == total


def test_a_total_may_change_from_page_to_page(world: World, infima: httpx.Client) -> None:
    switch(world, total="changing")
    totals = [infima.get("/v1/clients", params={"limit": 1, "offset": at}).json()["total"] for at in (0, 1, 2)]
    assert totals == [3, 4, 5]


@pytest.mark.parametrize(("how", "status"), [(403, 403), (404, 404), (200, 200)])
def test_a_key_made_for_one_client(world: World, infima: httpx.Client, how: int, status: int) -> None:
    switch(world, key_client=101, other_client=how)
    assert [row["id"] for row in infima.get("/v1/clients").json()["items"]] == [101]
    assert infima.get("/v1/clients/102/users").status_code == status
    assert infima.get("/v1/clients/101/users").json()["total"] == 12


@pytest.mark.parametrize(
    ("how", "counts"), [("listed", [12, 60, 3]), ("hidden", [60, 3]), ("listed_with_zero", [0, 60, 3])]
)
def test_an_archived_client(world: World, infima: httpx.Client, how: str, counts: list[int]) -> None:
    switch(world, archived=how)
    world.person_archives_client(101)
    assert [row["user_count"] for row in infima.get("/v1/clients").json()["items"]] == counts


def test_members_of_a_client_can_be_anything(world: World, infima: httpx.Client) -> None:
    world.infima_clients[101].members = {"user_count": "12", "unknown": [1]}
    row = infima.get("/v1/clients").json()["items"][0]
    assert (row["user_count"], row["unknown"]) == ("12", [1])


def test_extra_users_are_listed_as_they_are(world: World, infima: httpx.Client) -> None:
    world.infima_clients[103].extra_users.append({"id": "u-1", "status": None})
    rows = infima.get("/v1/clients/103/users", params={"status": "all"}).json()["items"]
    assert rows[-1] == {"id": "u-1", "status": None}


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/clients/999/users", 404), ("/v1/clients/x/users", 400), ("/v1/clients/101", 404)]
)
def test_paths_that_lead_nowhere(infima: httpx.Client, path: str, status: int) -> None:
    assert infima.get(path).status_code == status


def test_nothing_can_be_written(infima: httpx.Client) -> None:
    assert infima.post("/v1/clients", json={}).status_code == 405
