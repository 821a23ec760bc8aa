"""`SoftwareLicence`: what a listing shows, what a write does, and each switch about either."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from reconciler.simulator.world import World
from tests.simulator.contract import all_licences, switch

PATH = "/api/SoftwareLicence"


def post(halo: httpx.Client, *elements: Any) -> httpx.Response:
    return halo.post(PATH, json=list(elements))


def ids(halo: httpx.Client, **query: str) -> list[int]:
    return [row["id"] for row in halo.get(PATH, params=query).json()["licences"]]


# ---- lists ----------------------------------------------------------------------------------------------------------


def test_a_listing_holds_licences_and_subscriptions_without_null_members(halo: httpx.Client) -> None:
    rows = all_licences(halo)
    assert [(row["id"], row["type"]) for row in rows] == [(9001, 1), (9002, 1), (9003, 0)]
    assert None not in rows[0].values()


def test_routes_do_not_care_about_case_and_unknown_parameters_are_ignored(halo: httpx.Client) -> None:
    answer = halo.get("/API/softwarelicence", params={"CLIENT_ID": "11", "clint_id": "12"})
    assert [row["id"] for row in answer.json()["licences"]] == [9001]


def test_fifty_rows_when_nothing_is_asked(world: World, halo: httpx.Client) -> None:
    for _ in range(60):
        world.add_licence(11, "More", 1)
    assert (len(ids(halo)), len(ids(halo, count="55"))) == (50, 55)


@pytest.mark.parametrize(("ceiling", "rows"), [(None, 203), (1000, 203), (100, 100), (50, 50)])
def test_a_page_is_cut_at_the_ceiling(world: World, halo: httpx.Client, ceiling: int | None, rows: int) -> None:
    switch(world, page_ceiling=ceiling)
    for _ in range(200):
        world.add_licence(11, "More", 1)
    page = halo.get(PATH, params={"pageinate": "true", "page_no": "1", "page_size": "5000"}).json()
    assert (len(page["licences"]), page["record_count"]) == (rows, 203)


def test_pages_follow_each_other_to_an_empty_one(halo: httpx.Client) -> None:
    pages = [ids(halo, pageinate="true", page_no=str(number), page_size="2") for number in (1, 2, 3)]
    assert pages == [[9001, 9002], [9003], []]


def test_paging_may_be_ignored(world: World, halo: httpx.Client) -> None:
    switch(world, paging_ignored=True)
    assert ids(halo, pageinate="true", page_no="2", page_size="2") == [9001, 9002]


@pytest.mark.parametrize(
    ("form", "said"), [("present", 3), ("rows", 3), ("zero", 0), ("stale", 2), ("wrong", 10), ("absent", None)]
)
def test_forms_of_record_count(world: World, halo: httpx.Client, form: str, said: int | None) -> None:
    switch(world, record_count=form)
    assert halo.get(PATH).json().get("record_count") == said


def test_another_key_may_hold_the_rows(world: World, halo: httpx.Client) -> None:
    switch(world, envelope_key="softwarelicences")
    assert len(halo.get(PATH).json()["softwarelicences"]) == 3


def test_inactive_rows_are_listed_when_asked_for(world: World, halo: httpx.Client) -> None:
    world.person_deactivates(9001)
    assert ids(halo) == [9002, 9003]
    assert ids(halo, includeinactive="true") == [9001, 9002, 9003]
    switch(world, includeinactive_default=True)
    assert ids(halo) == [9001, 9002, 9003]
    switch(world, includeinactive_default=False, includeinactive_honoured=False)
    assert ids(halo, includeinactive="true") == [9002, 9003]


def test_deleted_rows_are_gone_unless_the_switch_lists_them(world: World, halo: httpx.Client) -> None:
    world.person_deletes(9001)
    assert ids(halo, includeinactive="true") == [9002, 9003]
    assert halo.get(f"{PATH}/9001").status_code == 404
    switch(world, deleted_listed=True)
    assert ids(halo) == [9001, 9002, 9003]


def test_filters_by_type_and_words(world: World, halo: httpx.Client) -> None:
    assert ids(halo, licence_type="0") == [9003]
    assert ids(halo, search="train") == [9001, 9002]
    switch(world, licence_type_honoured=False, search="ignored")
    assert ids(halo, licence_type="0", search="train") == [9001, 9002, 9003]


def test_orders(world: World, halo: httpx.Client) -> None:
    assert ids(halo, order="id", orderdesc="true") == [9003, 9002, 9001]
    assert ids(halo, order="name")[0] == 9003
    switch(world, order="by_name")
    assert ids(halo, order="id") == [9003, 9001, 9002]
    switch(world, order="changing")
    assert len({tuple(ids(halo, order="id")) for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("shape", "value"),
    [("int", 10), ("float", 10.0), ("half", 10.5), ("null", None), ("string", "10"), ("absent", "-")],
)
def test_shapes_of_a_count(world: World, halo: httpx.Client, shape: str, value: object) -> None:
    switch(world, count_shape=shape)
    shown = all_licences(halo)[0].get("count", "-")
    assert (shown, type(shown)) == (value, type(value))


def test_rows_may_have_members_nobody_published(world: World, halo: httpx.Client) -> None:
    switch(world, unknown_members=True)
    assert "zz_added_in_a_later_version" in all_licences(halo)[0]


def test_a_single_read_may_demand_the_customer(world: World, halo: httpx.Client) -> None:
    switch(world, single_read_needs_client=True)
    assert halo.get(f"{PATH}/9001").status_code == 400
    assert halo.get(f"{PATH}/9001", params={"client_id": "11"}).json()["id"] == 9001
    assert halo.get(f"{PATH}/x").status_code == 400


# ---- lag ------------------------------------------------------------------------------------------------------------


def test_a_young_row_is_not_listed_for_some_seconds(world: World, halo: httpx.Client) -> None:
    switch(world, lag_seconds=30)
    made = post(halo, {"name": "New", "client_id": 11, "type": 1}).json()["id"]
    assert made not in [row["id"] for row in all_licences(halo)]
    assert halo.get(f"{PATH}/{made}").status_code == 200
    world.clock.sleep(30)
    assert made in [row["id"] for row in all_licences(halo)]


def test_a_young_change_is_not_listed_for_some_listings(world: World, halo: httpx.Client) -> None:
    switch(world, lag_reads=2)
    post(halo, {"id": 9001, "count": 12})
    post(halo, {"id": 9001, "count": 13})
    assert [all_licences(halo)[0]["count"] for _ in range(4)] == [10, 10, 13, 13]


def test_lag_may_concern_creates_only_and_single_reads_too(world: World, halo: httpx.Client) -> None:
    switch(world, lag_seconds=float("inf"), lag_of="creates", lag_on_single_read=True)
    made = post(halo, {"name": "New", "client_id": 11}).json()["id"]
    post(halo, {"id": 9001, "count": 12})
    assert [row["count"] for row in all_licences(halo)] == [12, 60, 5]
    assert halo.get(f"{PATH}/{made}").status_code == 404


# ---- creates --------------------------------------------------------------------------------------------------------


def test_an_element_without_id_creates_one_row(world: World, halo: httpx.Client) -> None:
    sent = {"type": 1, "client_id": 13, "name": "Training", "snowid": "infima-103", "count": 0}
    made = post(halo, sent).json()
    assert made["id"] == 9004
    assert {name: made[name] for name in sent} == sent
    assert made["client_name"] == "Corvid plc"
    assert [mutation.action for mutation in world.mutations] == ["create"]


@pytest.mark.parametrize("no_id", [{}, {"id": None}, {"id": 0}])
def test_null_and_zero_are_no_ids(world: World, halo: httpx.Client, no_id: dict[str, Any]) -> None:
    post(halo, no_id | {"client_id": 11, "name": "x"})
    assert len(world.licences) == 4


def test_a_row_without_type_is_a_licence(halo: httpx.Client) -> None:
    assert post(halo, {"client_id": 11, "name": "x"}).json()["type"] == 0


def test_two_equal_creates_make_two_rows_unless_names_are_checked(world: World, halo: httpx.Client) -> None:
    new = {"client_id": 11, "name": "Twin"}
    assert post(halo, new).json()["id"] != post(halo, new).json()["id"]
    switch(world, equal_creates="refuse")
    assert post(halo, new).json()["Message"] == "Name must be unique"


@pytest.mark.parametrize(("fate", "kept"), [("kept", "key"), ("dropped", None), ("overwritten", "import-0001")])
def test_fates_of_a_marker(world: World, halo: httpx.Client, fate: str, kept: str | None) -> None:
    switch(world, marker=fate)
    post(halo, {"client_id": 11, "name": "x", "snowid": "key"})
    assert all_licences(halo)[-1].get("snowid") == kept


def test_a_marker_may_be_missing_from_lists(world: World, halo: httpx.Client) -> None:
    switch(world, marker="unlisted")
    assert "snowid" not in all_licences(halo)[0]
    assert halo.get(f"{PATH}/9001").json()["snowid"] == "infima-101"


def test_only_the_named_fields_lose_a_marker(world: World, halo: httpx.Client) -> None:
    switch(world, marker="dropped", marker_fields=("snowid",))
    made = post(halo, {"client_id": 11, "name": "x", "snowid": "key", "notes": "key"}).json()
    assert ("snowid" in made, made["notes"]) == (False, "key")


# ---- updates --------------------------------------------------------------------------------------------------------


def test_an_update_leaves_other_members_alone(world: World, halo: httpx.Client) -> None:
    post(halo, {"id": 9001, "count": 12})
    assert world.mutations[-1].changes == {"count": (10, 12)}
    assert world.licences[9001]["notes"] == "keep"


def test_an_update_may_reset_what_it_leaves_out(world: World, halo: httpx.Client) -> None:
    switch(world, update_mode="reset")
    post(halo, {"id": 9001, "count": 12})
    assert set(world.mutations[-1].changes) == {"count", "type", "notes", "billing_cycle", "snowid"}


def test_numbers_may_be_sent_as_text(world: World, halo: httpx.Client) -> None:
    post(halo, {"id": "9001", "count": "12"})
    assert world.licences[9001]["count"] == 12


@pytest.mark.parametrize(
    ("policy", "number", "stored"),
    [
        ({}, 0, 0),
        ({"count_zero": "refuse"}, 0, None),
        ({"count_zero": "refuse_at_create"}, 0, 0),
        ({}, 2.5, None),
        ({"count_fraction": "round"}, 2.6, 3),
        ({"count_fraction": "keep"}, 2.5, 2.5),
        ({}, -1, None),
        ({"count_negative": "keep"}, -1, -1),
        ({}, True, None),
        ({}, None, None),
        ({}, "twelve", None),
        ({}, 2**31, None),
        ({}, 7.0, 7),
    ],
)
def test_quantities(
    world: World, halo: httpx.Client, policy: dict[str, Any], number: Any, stored: float | None
) -> None:
    """A quantity is stored, or refused with 400 and the old one kept."""
    switch(world, **policy)
    answer = post(halo, {"id": 9001, "count": number})
    assert answer.status_code == (400 if stored is None else 200)
    assert world.licences[9001]["count"] == (10 if stored is None else stored)


def test_zero_may_be_refused_at_create_only(world: World, halo: httpx.Client) -> None:
    switch(world, count_zero="refuse_at_create")
    assert post(halo, {"client_id": 11, "name": "x", "count": 0}).status_code == 400
    assert len(world.licences) == 3


@pytest.mark.parametrize(
    ("policy", "status", "rows"), [("not_found", 404, 3), ("bad_request", 400, 3), ("create", 200, 4)]
)
def test_an_unknown_id(world: World, halo: httpx.Client, policy: str, status: int, rows: int) -> None:
    switch(world, unknown_id=policy)
    assert post(halo, {"id": 5555, "count": 1, "name": "x", "client_id": 11}).status_code == status
    assert len(world.licences) == rows


def test_a_deleted_row_may_be_revived(world: World, halo: httpx.Client) -> None:
    world.person_deletes(9001)
    assert post(halo, {"id": 9001, "count": 1}).status_code == 404
    switch(world, unknown_id="revive")
    assert post(halo, {"id": 9001, "count": 1}).status_code == 200
    assert (world.licences[9001]["deleted"], world.licences[9001]["count"]) == (False, 1)


# ---- arrays and bodies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "counts"),
    [("reject_all", [10, 60, 5]), ("apply_good", [1, 60, 3]), ("apply_until_bad", [1, 60, 5])],
)
def test_an_array_with_one_bad_element(world: World, halo: httpx.Client, policy: str, counts: list[int]) -> None:
    switch(world, bad_element=policy)
    answer = post(halo, {"id": 9001, "count": 1}, {"id": 9002, "count": -2}, {"id": 9003, "count": 3})
    assert answer.status_code == 400
    assert [world.licences[number]["count"] for number in (9001, 9002, 9003)] == counts


@pytest.mark.parametrize(
    ("shape", "one", "two"),
    [
        ("auto", dict, list), ("array", list, list), ("object", dict, dict), ("first", dict, dict),
        ("without_id", dict, list), ("empty", bytes, bytes),
    ],
)  # fmt: skip
def test_shapes_of_an_answer(world: World, halo: httpx.Client, shape: str, one: type, two: type) -> None:
    switch(world, post_shape=shape, post_status=201)
    first = post(halo, {"id": 9001, "count": 1})
    second = post(halo, {"id": 9001, "count": 2}, {"id": 9002, "count": 2})
    found = [type(answer.json() if answer.content else answer.content) for answer in (first, second)]
    assert found == [one, two]
    assert first.status_code == 201


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("exception", "Client must be specified"), ("database", "'Larea'"), ("binding", '"client_id":['),
        ("parsing", '"[0].client_id":['), ("string", '"Client must be specified"'), ("empty", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 422])
def test_an_update_may_have_to_say_whose_it_is(
    world: World, halo: httpx.Client, shape: str, said: str, status: int
) -> None:
    switch(world, update_requires="client", refusal_shape=shape, refusal_status=status)
    answer = post(halo, {"id": 9001, "count": 1})
    assert (answer.status_code, said in answer.text, world.mutations) == (status, True, [])
    assert post(halo, {"id": 9001, "count": 1, "client_id": 11}).status_code == 200


@pytest.mark.parametrize(("wanting", "left_out"), [("client", "client_id"), ("client_name_type", "name"),
                                                   ("client_name_type", "type")])  # fmt: skip
def test_an_update_may_want_more(world: World, halo: httpx.Client, wanting: str, left_out: str) -> None:
    switch(world, update_requires=wanting, refusal_shape="parsing")
    whole = {"id": 9001, "count": 1, "client_id": 11, "name": "Training", "type": 1}
    said = post(halo, {"id": 9002, "count": 1, "client_id": 12, "name": "Training", "type": 1},
                {name: value for name, value in whole.items() if name != left_out})  # fmt: skip
    assert f"[1].{left_out}" in said.text
    assert post(halo, whole).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"id": 9001, "count": 1}', "application/json", 400),
        (b"[", "application/json", 400),
        (b"[7]", "application/json", 400),
        (b'[{"id": 9001, "name": 7}]', "application/json", 400),
        (b'[{"name": "x"}]', "application/json", 400),
        (b'[{"client_id": 11}]', "application/json", 400),
        (b"[]", "text/plain", 415),
        (b"[]", "application/x-www-form-urlencoded", 415),
        (b'[{"id": 9001, "count": 1}]', "text/json; charset=utf-8", 200),
        (b'[{"id": 9001, "count": 1}]', "application/json-patch+json", 200),
    ],
)
def test_bodies(world: World, halo: httpx.Client, content: bytes, kind: str, status: int) -> None:
    assert halo.post(PATH, content=content, headers={"Content-Type": kind}).status_code == status
    assert bool(world.mutations) is (status == 200)


def test_a_delete_is_soft_and_seen(world: World, halo: httpx.Client) -> None:
    assert halo.delete(f"{PATH}/9001").status_code == 200
    assert (world.mutations[-1].action, world.requests[-1].mutating) == ("delete", True)
    assert halo.delete(f"{PATH}/9001").status_code == 404
    assert halo.delete(f"{PATH}/x").status_code == 400
