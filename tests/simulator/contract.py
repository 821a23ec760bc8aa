"""The published text of Halo's API as JSON Schema, and clients that talk to a simulated world."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from reconciler.simulator.records import RequestRecord
from reconciler.simulator.server import HALO_URL, INFIMA_URL
from reconciler.simulator.switches import LEAST_SCOPES
from reconciler.simulator.world import World
from tests.faults.app import halo_app, infima_app
from tests.faults.kinds import Faults

SUBSET = Path(__file__).parents[1] / "contracts" / "halo_openapi_subset.json"


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a type of null; references keep their place in the document."""
    if isinstance(node, list):
        return [as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {name: as_json_schema(value) for name, value in node.items() if name != "nullable"}
    if node.get("nullable") is True:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


@cache
def published() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SUBSET.read_text(encoding="utf-8"))
    return document


@cache
def validator(name: str) -> jsonschema.Draft4Validator:
    schemas = as_json_schema(published()["components"]["schemas"])
    return jsonschema.Draft4Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def complaints(name: str, value: Any) -> list[str]:
    """What is wrong with a value by the published schema of that name."""
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(value)]


def token_form(world: World, scope: str | None = None) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": world.credentials.halo_client_id,
        "client_secret": world.credentials.halo_client_secret,
    }
    scope = " ".join(LEAST_SCOPES) if scope is None else scope
    return form | ({"scope": scope} if scope else {})


def infima_client(world: World, faults: Faults | None = None) -> httpx.Client:
    """A client with a good key, on the callable."""
    transport = httpx.MockTransport(infima_app(world, faults=faults))
    headers = {"X-API-Key": world.credentials.infima_api_key}
    return httpx.Client(transport=transport, base_url=INFIMA_URL, headers=headers)


def halo_client(world: World, faults: Faults | None = None, *, scope: str | None = None) -> httpx.Client:
    """A client with a fresh token, on the callable; the token is asked for without the faults."""
    plain = httpx.MockTransport(halo_app(world))
    with httpx.Client(transport=plain, base_url=HALO_URL) as asking:
        token = asking.post("/auth/token", data=token_form(world, scope)).json()["access_token"]
    transport = httpx.MockTransport(halo_app(world, faults=faults))
    return httpx.Client(transport=transport, base_url=HALO_URL, headers={"Authorization": f"Bearer {token}"})


def all_licences(halo: httpx.Client, **query: str) -> list[dict[str, Any]]:
    """One listing, inactive rows included."""
    asked = {"pageinate": "true", "page_no": "1", "page_size": "1000", "order": "id", "includeinactive": "true"}
    rows: list[dict[str, Any]] = halo.get("/api/SoftwareLicence", params=asked | query).json()["licences"]
    return rows


def request_complaints(record: RequestRecord) -> list[str]:
    """What is wrong with a request to Halo's API by the published text: path, method, query, body."""
    found = [
        (route, operations)
        for route, operations in published()["paths"].items()
        if re.fullmatch("/api" + route.replace("{id}", "-?[0-9]+"), record.path)
    ]
    if not found or record.method.lower() not in found[0][1]:
        return [f"{record.method} {record.path}: not published"]
    operation = found[0][1][record.method.lower()]
    types = {each["name"]: each["schema"]["type"] for each in operation.get("parameters", []) if each["in"] == "query"}
    forms = {"integer": "-?[0-9]+", "boolean": "true|false", "string": ".*", "array": ".*"}
    wrong = [
        f"query {name}={value}"
        for name, value in record.query
        if name not in types or not re.fullmatch(forms[types[name]], value)
    ]
    if "requestBody" in operation:
        for element in json.loads(record.body):
            wrong += complaints("Licence_List", element)
    return wrong


def switch(world: World, **values: Any) -> None:
    """Put these of the world's switches into these positions."""
    world.switches = replace(world.switches, **values)
