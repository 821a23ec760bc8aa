"""HaloPSA's token, rights, rate limit, customers, invoices and change log as the fact sheet describes them."""

from __future__ import annotations

import httpx
import pytest

from reconciler.simulator.server import HALO_URL, halo_app
from reconciler.simulator.world import World
from reconciler.simulator.worlds import invoice_line
from tests.simulator.contract import halo_client, switch, token_form


def ask_token(world: World, form: dict[str, str], query: str = "") -> httpx.Response:
    with httpx.Client(transport=httpx.MockTransport(halo_app(world)), base_url=HALO_URL) as client:
        return client.post(f"/auth/token{query}", data=form)


# ---- token ----------------------------------------------------------------------------------------------------------


def test_a_token_says_how_long_it_lasts_and_what_it_may(world: World) -> None:
    answer = ask_token(world, token_form(world)).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert answer["scope"] == "read:customers read:invoices edit:softwarelicensing"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"scope": "read:customers edit:everything"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_token_requests_that_are_refused(world: World, change: dict[str, str], status: int, error: str) -> None:
    answer = ask_token(world, token_form(world) | change)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_request_has_to_be_a_form(world: World) -> None:
    with httpx.Client(transport=httpx.MockTransport(halo_app(world)), base_url=HALO_URL) as client:
        assert client.post("/auth/token", json=token_form(world)).status_code == 400


def test_a_token_without_scope_may_do_nothing(world: World) -> None:
    with halo_client(world, scope="") as client:
        assert client.get("/api/SoftwareLicence").status_code == 401


def test_a_wrong_tenant_is_an_error_of_the_server(world: World) -> None:
    assert ask_token(world, token_form(world), "?tenant=other").status_code == 500
    assert ask_token(world, token_form(world), "?tenant=simulator").status_code == 200


def test_a_tenant_may_be_demanded(world: World) -> None:
    switch(world, tenant_required=True)
    assert ask_token(world, token_form(world)).status_code == 400
    assert ask_token(world, token_form(world) | {"tenant": "simulator"}).status_code == 200


@pytest.mark.parametrize(
    ("form", "said"),
    [("true", 60), ("absent", None), ("zero", 0), ("text", "60"), ("float", 60.0), ("huge", 10**12), ("negative", -1)],
)
def test_forms_of_expires_in(world: World, form: str, said: object) -> None:
    switch(world, token_seconds=60, expires_in=form)
    assert ask_token(world, token_form(world)).json().get("expires_in") == said


def test_the_granted_scope_may_be_left_unsaid(world: World) -> None:
    switch(world, scope_in_token_answer=False)
    assert "scope" not in ask_token(world, token_form(world)).json()


def test_a_secret_is_not_kept_in_the_log(world: World) -> None:
    ask_token(world, token_form(world))
    assert "client_id" in world.requests[-1].body
    assert world.credentials.halo_client_secret not in repr(world.requests)


# ---- rights ---------------------------------------------------------------------------------------------------------


def test_a_token_ends_when_its_time_is_over(world: World, halo: httpx.Client) -> None:
    world.clock.sleep(3599)
    assert halo.get("/api/Client").status_code == 200
    world.clock.sleep(1)
    assert (halo.get("/api/Client").status_code, halo.get("/api/Client").content) == (401, b"")


def test_no_token_no_answer(world: World) -> None:
    with httpx.Client(transport=httpx.MockTransport(halo_app(world)), base_url=HALO_URL) as client:
        assert client.get("/api/SoftwareLicence").status_code == 401


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_scope(world: World, status: int) -> None:
    switch(world, missing_scope_status=status)
    with halo_client(world, scope="read:customers") as client:
        assert client.get("/api/Client").status_code == 200
        assert client.get("/api/SoftwareLicence").status_code == status
        assert client.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 1}]).status_code == status
    assert world.mutations == []


def test_the_right_to_edit_may_not_include_the_right_to_read(world: World, halo: httpx.Client) -> None:
    switch(world, edit_implies_read=False)
    assert halo.get("/api/SoftwareLicence").status_code == 401
    assert halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 1}]).status_code == 200


def test_what_the_agent_may_not_is_forbidden_whatever_the_token_says(world: World, halo: httpx.Client) -> None:
    switch(world, agent_lacks=("read:invoices",))
    assert (halo.get("/api/RecurringInvoice").status_code, halo.get("/api/RecurringInvoice").content) == (403, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/Client"), ("POST", "/api/RecurringInvoice"), ("DELETE", "/api/Client/11"), ("GET", "/api/Tickets")],
)
def test_what_a_quantity_sync_never_needs_is_forbidden(halo: httpx.Client, method: str, path: str) -> None:
    assert halo.request(method, path).status_code == 403


def test_authinfo_and_version_need_no_token(world: World) -> None:
    with httpx.Client(transport=httpx.MockTransport(halo_app(world)), base_url=HALO_URL) as client:
        assert client.get("/api/authinfo").json() == {"auth_url": f"{HALO_URL}/auth", "tenant_id": "simulator"}
        assert "version" in client.get("/api/InstanceInfo").json()
        assert client.get("/elsewhere").status_code == 404


# ---- rate limit -----------------------------------------------------------------------------------------------------


def test_the_window_rolls(world: World, halo: httpx.Client) -> None:
    switch(world, rate_limit=3)
    statuses = []
    for _ in range(4):
        statuses.append(halo.get("/api/Client").status_code)
        world.clock.sleep(100)
    assert statuses == [200, 200, 200, 200]
    assert halo.get("/api/Client").status_code == 200
    assert halo.get("/api/Client").status_code == 429


def test_a_refused_request_has_no_effect(world: World, halo: httpx.Client) -> None:
    switch(world, rate_limit=0)
    world.accepted.append(world.clock.now())
    assert halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 1}]).status_code == 429
    assert world.mutations == []


@pytest.mark.parametrize(
    ("how", "said"),
    [("none", None), ("seconds", "301"), ("date", "Sun, 22 Nov 2026 05:05:00 GMT"), ("absurd", "1000000000")],
)
def test_forms_of_retry_after(world: World, halo: httpx.Client, how: str, said: str | None) -> None:
    switch(world, rate_limit=1, retry_after=how)
    halo.get("/api/Client")
    assert halo.get("/api/Client").headers.get("Retry-After") == said


@pytest.mark.parametrize(("form", "start"), [("string", b'"Rate'), ("object", b'{"error'), ("empty", b"")])
def test_bodies_of_a_429(world: World, halo: httpx.Client, form: str, start: bytes) -> None:
    switch(world, rate_limit=1, rate_body=form)
    halo.get("/api/Client")
    body = halo.get("/api/Client").content
    assert body.startswith(start)
    assert bool(body) == bool(start)


# ---- customers ------------------------------------------------------------------------------------------------------


def names(halo: httpx.Client, **query: str) -> list[str]:
    return [row["name"] for row in halo.get("/api/Client", params=query).json()["clients"]]


def test_inactive_customers_are_listed_when_asked_for(world: World, halo: httpx.Client) -> None:
    world.person_deactivates_customer(12)
    assert names(halo) == ["Acme Dental Group", "Corvid plc"]
    assert names(halo, includeinactive="true") == ["Acme Dental Group", "Borealis Freight Ltd", "Corvid plc"]


def test_customers_are_searched_by_a_part_of_the_name(world: World, halo: httpx.Client) -> None:
    assert names(halo, search="freight") == ["Borealis Freight Ltd"]
    switch(world, search="exact")
    assert names(halo, search="freight") == []
    switch(world, search="ignored")
    assert len(names(halo, search="freight")) == 3


def test_one_customer(halo: httpx.Client) -> None:
    assert halo.get("/api/Client/12").json()["name"] == "Borealis Freight Ltd"
    assert (halo.get("/api/Client/99").status_code, halo.get("/api/Client/99").content) == (404, b"")
    assert halo.get("/api/client/probe").json() == {"id": ["The value 'probe' is not valid."]}


# ---- recurring invoices and the change log --------------------------------------------------------------------------


def test_invoices_have_negative_ids_and_lines_in_the_detail_only(world: World, halo: httpx.Client) -> None:
    invoice = world.add_invoice(11, "Monthly", [invoice_line(1, 9001, "Training")])
    page = halo.get("/api/RecurringInvoice", params={"includelines": "true"}).json()
    assert [row["id"] for row in page["invoices"]] == [invoice] == [-10]
    assert "lines" not in page["invoices"][0]
    (line,) = halo.get("/api/RecurringInvoice/-10").json()["lines"]
    assert line["quantity_subscriptions"][0]["licence_id"] == 9001


@pytest.mark.parametrize(("form", "bare"), [("filled", False), ("bare", True)])
def test_lines_in_the_list(world: World, halo: httpx.Client, form: str, *, bare: bool) -> None:
    switch(world, invoice_lines_in_list=form)
    world.add_invoice(11, "Monthly", [invoice_line(1, 9001, "Training")])
    (row,) = halo.get("/api/RecurringInvoice", params={"includelines": "true"}).json()["invoices"]
    assert ("quantity_subscriptions" not in row["lines"][0]) is bare


def test_invoices_of_one_customer(world: World, halo: httpx.Client) -> None:
    world.add_invoice(11, "Monthly", [])
    world.add_invoice(12, "Monthly", [], disabled=True)
    rows = halo.get("/api/RecurringInvoice", params={"client_id": "12"}).json()["invoices"]
    assert [(row["client_id"], row["disabled"]) for row in rows] == [(12, True)]


def test_halo_tells_who_changed_what(world: World, halo: httpx.Client) -> None:
    world.person_sets_count(9001, 8)
    halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 12}])
    changes = halo.get("/api/LicenceChange", params={"licence_id": "9001"}).json()["changes"]
    assert [(row["who"], row["field_name"], row["old_value"], row["new_value"]) for row in changes] == [
        ("Dana Fields", "count", "10", "8"),
        ("API Agent", "count", "8", "12"),
    ]
    assert halo.get("/api/LicenceChange", params={"licence_id": "9002"}).json() == {"changes": []}
