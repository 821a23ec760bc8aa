"""INFIMA's Reporting API over the world: partner, clients, users. Read only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx

from reconciler.simulator.answers import encode, raw, reply
from reconciler.simulator.records import ClientRecord, Endpoint, Row
from reconciler.simulator.world import World

MAX_LIMIT = 50
DEFAULT_LIMIT = 20
_SPELLINGS: dict[str, Callable[[str], str]] = {"lower": str, "capital": str.capitalize, "upper": str.upper}
USERS_PATH = re.compile(r"/v1/clients/([^/]+)/users", re.IGNORECASE)


def endpoint_of(method: str, path: str) -> Endpoint:
    """What a request to INFIMA is for."""
    plain = path.lower().rstrip("/")
    if method != "GET":
        return Endpoint.OTHER
    if USERS_PATH.fullmatch(plain):
        return Endpoint.USERS
    return {"/v1/partner": Endpoint.PARTNER, "/v1/clients": Endpoint.CLIENTS}.get(plain, Endpoint.OTHER)


class BadQuery(Exception):
    """A query parameter that cannot be used; becomes a 400."""


def answer(world: World, request: httpx.Request) -> httpx.Response:
    """The plain answer to a request, faults aside."""
    path = request.url.path.rstrip("/")
    endpoint = endpoint_of(request.method, path)
    if refusal := _refuse_key(world, request, endpoint):
        return refusal
    try:
        match endpoint:
            case Endpoint.PARTNER:
                return reply(200, _partner(world))
            case Endpoint.CLIENTS:
                return _clients(world, request)
            case Endpoint.USERS:
                return _users(world, request, path)
            case _:
                return reply(405 if request.method != "GET" else 404, {"message": "Not Found"})
    except BadQuery as problem:
        return reply(400, {"message": str(problem)})


def _refuse_key(world: World, request: httpx.Request, endpoint: Endpoint) -> httpx.Response | None:
    key = request.headers.get("X-API-Key")
    if key == world.credentials.infima_api_key and not world.infima_key_revoked:
        return None
    status = world.switches.bad_key
    words = {401: "Unauthorized", 403: "Forbidden"}.get(status)
    if words is not None:
        return reply(status, {"message": words})
    nothing: Row = {"items": [], "total": 0, "limit": DEFAULT_LIMIT, "offset": 0}
    return reply(200, {} if endpoint is Endpoint.PARTNER else nothing)


def _partner(world: World) -> Row:
    created = {"created_date": "2022-03-01T09:00:00Z"}
    admin = {"id": "3f0c2a52-6a0e-4c66-9a57-6e4d1b0f8c11", "email": "owner@example.com", "role": "Administrator"}
    return {"partner_name": world.partner, **created, "admins": [admin | created]}


def _clients(world: World, request: httpx.Request) -> httpx.Response:
    switches = world.switches
    clients = sorted(world.infima_clients.values(), key=lambda client: client.id)
    if switches.key_client is not None:
        clients = [client for client in clients if client.id == switches.key_client]
    if switches.archived == "hidden":
        clients = [client for client in clients if not client.archived]
    window = _window(world, request)
    rows = [_client_row(world, client) for client in clients[window]]
    return _page(world, request, rows, window, len(clients))


def _client_row(world: World, client: ClientRecord) -> Row:
    switches = world.switches
    active, inactive = client.active, client.inactive
    if client.archived and switches.archived == "listed_with_zero":
        active = 0
    row: Row = {
        "id": client.id,
        "client_name": client.name,
        "created_date": "2024-05-06T10:00:00Z",
        "inactive_user_count": inactive,
        "phishing_click_rate_total": 12.5,
        "phishing_click_rate_last_year": 9.25,
        "training_on_track_rate": 81.0,
    }
    if switches.user_count != "absent":
        stale = active if client.stale_count is None else client.stale_count
        row["user_count"] = {"active": active, "total": active + inactive, "stale": stale}[switches.user_count]
    return row | client.members


def _users(world: World, request: httpx.Request, path: str) -> httpx.Response:
    match = USERS_PATH.fullmatch(path)
    text = match[1] if match else ""
    if not text.isdecimal():
        return reply(400, {"message": "client_id must be an integer"})
    client = world.infima_clients.get(int(text))
    window = _window(world, request)
    scope = world.switches.key_client
    if scope is not None and int(text) != scope:
        status = world.switches.other_client
        words = {403: "Forbidden", 404: "Not Found"}.get(status)
        return _page(world, request, [], window, 0) if words is None else reply(status, {"message": words})
    if client is None:
        return reply(404, {"message": "Not Found"})
    rows = _wanted(world, request, client)
    return _page(world, request, rows[window], window, len(rows))


def _wanted(world: World, request: httpx.Request, client: ClientRecord) -> list[Row]:
    """Users that the status filter lets through, with the status spelled as the switch says."""
    switches = world.switches
    asked = request.url.params.get("status")
    if asked is not None and switches.status_filter == "refused":
        raise BadQuery("unknown parameter: status")
    if asked is None or switches.status_filter == "ignored":
        asked = switches.status_default
    rows = list(client.users())
    if asked.lower() != "all":
        rows = [row for row in rows if str(row.get("status")).lower() == asked.lower()]
    for row in rows:
        if isinstance(status := row.get("status"), str):
            row["status"] = _SPELLINGS[switches.status_spelling](status)
    return rows


def _window(world: World, request: httpx.Request) -> slice:
    limit = _whole(request, "limit", DEFAULT_LIMIT)
    offset = _whole(request, "offset", 0)
    if not 1 <= limit <= MAX_LIMIT:
        if world.switches.limit_over_50 == "refuse":
            raise BadQuery("limit must be between 1 and 50")
        limit = min(max(limit, 1), MAX_LIMIT)
    if offset < 0:
        raise BadQuery("offset must not be negative")
    return slice(offset, offset + limit)


def _whole(request: httpx.Request, name: str, default: int) -> int:
    text = request.url.params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise BadQuery(f"{name} must be an integer")
    return int(text)


def _page(world: World, request: httpx.Request, rows: list[Row], window: slice, total: int) -> httpx.Response:
    offset, limit = window.start, window.stop - window.start
    path = request.url.path
    totals = {"present": total, "wrong": total + 1, "changing": total + offset // limit}
    said = totals.get(world.switches.total)
    page: dict[str, Any] = (
        {"items": rows}
        | ({} if said is None else {"total": said})
        | {
            "limit": limit,
            "offset": offset,
            "next": f"{path}?limit={limit}&offset={offset + limit}" if offset + limit < total else None,
            "previous": f"{path}?limit={limit}&offset={max(offset - limit, 0)}" if offset else None,
            "href": f"{path}?limit={limit}&offset={offset}",
        }
    )
    return raw(200, encode(page), "application/json")
