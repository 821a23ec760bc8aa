"""Each request that the Halo provider can make is one that HaloPSA's published interface describes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from reconciler.model import MarkerField, Settings
from reconciler.providers.base import CountWrite, NewSubscription
from reconciler.providers.credentials import read_credentials
from reconciler.providers.halopsa import halo_routes
from tests.providers.wiring import ENVIRON, HALO, Wiring, halo_list, licence

SPEC = json.loads((Path(__file__).parents[1] / "contracts" / "halo_openapi_subset.json").read_text())


def exercise(marker: MarkerField) -> list[httpx.Request]:
    """Make the provider send everything that it can send."""
    wiring = Wiring(settings=Settings(marker_field=marker))
    halo, target = wiring.halo, wiring.target
    halo.answer("/api/Client", halo_list([{"id": n, "name": "x"} for n in range(1, 4)], envelope="clients", cap=2))
    halo.answer("/api/RecurringInvoice", halo_list([{"id": -240}], envelope="invoices", total=None))
    halo.answer("/api/RecurringInvoice/-240", httpx.Response(200, json={"id": -240}))
    halo.answer("/api/SoftwareLicence", halo_list([licence(9)]))
    halo.answer("/api/SoftwareLicence/9", httpx.Response(200, json=licence(9)))
    target.customers()
    target.find_customers("Acme", include_inactive=True)
    target.subscriptions()
    target.subscription(9)
    target.recurring_invoices()
    target.recurring_invoice(-240)
    halo.answer("/api/SoftwareLicence", httpx.Response(201, json={"id": 9}))
    target.send(target.prepare_create(NewSubscription(key="infima-1", customer_id=12, name="Training")))
    target.send(target.prepare_counts([CountWrite(subscription_id=9, count=7)]))
    wiring.systems.close()
    return [request for request in halo.requests if request.url.path != "/auth/token"]


def operation_of(request: httpx.Request) -> dict[str, Any]:
    path = re.sub(r"/-?\d+$", "/{id}", request.url.path.removeprefix("/api"))
    operation = SPEC["paths"][path][request.method.lower()]
    assert isinstance(operation, dict)
    return operation


def schema_of(parameter: dict[str, Any], text: str) -> Any:
    match parameter["schema"].get("type"):
        case "integer":
            return int(text)
        case "boolean":
            return {"true": True, "false": False}[text]
        case _:
            return text


@pytest.fixture(scope="module", params=list(MarkerField))
def requests(request: pytest.FixtureRequest) -> list[httpx.Request]:
    return exercise(request.param)


def test_every_query_parameter_is_known_and_of_its_type(requests: list[httpx.Request]) -> None:
    for request in requests:
        known = {p["name"]: p for p in operation_of(request).get("parameters", []) if p["in"] == "query"}
        for name, text in request.url.params.items():
            if (request.url.path, name) == ("/api/RecurringInvoice", "includeinactive"):
                continue  # the vendor's own screens send it (fact sheet, 11); it stands in no published text
            assert name in known, f"{request.method} {request.url.path} has no parameter {name}"
            jsonschema.validate(schema_of(known[name], text), known[name]["schema"])


def test_every_body_is_valid(requests: list[httpx.Request]) -> None:
    posts = [request for request in requests if request.method == "POST"]
    assert len(posts) == 2
    for request in posts:
        content = operation_of(request)["requestBody"]["content"]["application/json"]["schema"]
        schema = {**content, "components": SPEC["components"]}
        jsonschema.validate(json.loads(request.content), schema)


def test_every_member_that_is_sent_is_a_published_one(requests: list[httpx.Request]) -> None:
    published = SPEC["components"]["schemas"]["Licence_List"]["properties"]
    for request in requests:
        for row in json.loads(request.content or b"[]"):
            assert set(row) <= set(published)


def test_only_licences_are_ever_written(requests: list[httpx.Request]) -> None:
    assert {r.url.path for r in requests if r.method != "GET"} == {"/api/SoftwareLicence"}
    assert {r.method for r in requests} == {"GET", "POST"}


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST", "GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        *SPEC["paths"],
        "/RecurringInvoice/process",
        "/RecurringInvoice/updatelines",
        "/LicenceChange",
        "/SoftwareLicence/",
    ],
)
def test_the_list_of_routes_permits_reading_and_one_kind_of_write(method: str, path: str) -> None:
    readable = {p for p in SPEC["paths"] if p.startswith(("/SoftwareLicence", "/Client", "/RecurringInvoice"))}
    permitted = (method == "GET" and path in readable) or (method == "POST" and path == "/SoftwareLicence")
    concrete = "/api" + path.replace("{id}", "240")
    routes = halo_routes(read_credentials(ENVIRON).halo)
    assert any(route.permits(method, HALO, concrete) for route in routes) is permitted
