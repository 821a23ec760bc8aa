"""The limit: the requests that a run needs, made with the standard library and nothing else. No file, no check.

`limit.py plan|apply client_record|active_users [httpx]`, with the environment that the simulator prints. It is what the
program is measured against: whatever the program costs beyond this is the price of its checks. With the word `httpx`
that library's client sends the same requests from the same threads.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode, urlsplit

THREADS = 8
HALO, INFIMA = os.environ["HALO_URL"], os.environ["INFIMA_URL"]
KEY = {"X-API-Key": os.environ["INFIMA_API_KEY"]}
POOL = ThreadPoolExecutor(THREADS)


def standard_library() -> Callable[..., bytes]:
    """Each thread keeps a connection of its own to each system."""
    import http.client  # noqa: PLC0415 - one of the two is measured, and its import with it

    mine = threading.local()

    def send(origin: str, method: str, path: str, headers: dict[str, str], body: bytes | None) -> bytes:
        connections = mine.__dict__.setdefault("connections", {})
        if origin not in connections:
            where = urlsplit(origin)
            connections[origin] = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
        connection = connections[origin]
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {answer.status}")
        return bytes(content)

    return send


def httpx_client() -> Callable[..., bytes]:
    """All threads share one client and its pool."""
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=2 * THREADS, max_keepalive_connections=2 * THREADS)
    client = httpx.Client(timeout=60, trust_env=False, limits=limits)

    def send(origin: str, method: str, path: str, headers: dict[str, str], body: bytes | None) -> bytes:
        return client.request(method, origin + path, headers=headers, content=body).raise_for_status().content

    return send


SEND = httpx_client() if "httpx" in sys.argv[3:] else standard_library()


def ask(origin: str, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    """One request on a kept connection."""
    return json.loads(SEND(origin, method, path, headers, body))


def token() -> dict[str, str]:
    """The header that HaloPSA wants."""
    form = urlencode({
        "grant_type": "client_credentials",
        "client_id": os.environ["HALO_CLIENT_ID"],
        "client_secret": os.environ["HALO_CLIENT_SECRET"],
        "scope": "read:customers read:invoices edit:softwarelicensing",
    })  # fmt: skip
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return {"Authorization": "Bearer " + ask(HALO, "POST", "/auth/token", kind, form.encode())["access_token"]}


def halo_list(resource: str, rows: str, headers: dict[str, str], *, first_time: bool = True) -> list[Any]:
    """All rows, in pages as large as the server gives them; a count that proves nothing costs one more page, once."""
    path = f"/api/{resource}?pageinate=true&page_size=1000&order=id&orderdesc=false&includeinactive=true&page_no="
    first = ask(HALO, "GET", path + "1", headers)
    found = first[rows]
    pages = -(-first["record_count"] // max(len(found), 1))
    if pages == 1 and first_time:
        pages = 2
    for page in POOL.map(lambda number: ask(HALO, "GET", f"{path}{number}", headers), range(2, pages + 1)):
        found += page[rows]
    return list(found)


def infima_list(path: str, *, parallel: bool) -> list[Any]:
    """All rows, fifty a page."""
    first = ask(INFIMA, "GET", f"{path}limit=50&offset=0", KEY)
    found, starts = first["items"], range(50, first["total"], 50)
    others = (POOL.map if parallel else map)(lambda at: ask(INFIMA, "GET", f"{path}limit=50&offset={at}", KEY), starts)
    for page in others:
        found += page["items"]
    return list(found)


def active_users(client: Any) -> int:
    """Count them one by one."""
    users = infima_list(f"/v1/clients/{client['id']}/users?status=all&", parallel=False)
    return sum(user["status"] == "active" for user in users)


def main(job: str, mode: str) -> None:
    """Read both systems; with `apply` also set what differs, fifty a post, and look once more."""
    with ThreadPoolExecutor(4) as top:
        partner = top.submit(ask, INFIMA, "GET", "/v1/partner", KEY)
        listed = top.submit(infima_list, "/v1/clients?", parallel=True)
        headers = token()
        licences = top.submit(halo_list, "SoftwareLicence", "licences", headers)
        customers = top.submit(halo_list, "Client", "clients", headers)
        partner.result(), customers.result()
    clients = listed.result()
    counts = POOL.map(active_users, clients) if mode == "active_users" else (c["user_count"] for c in clients)
    ours = {row.get("snowid"): row for row in licences.result()}
    changed = [
        {"id": ours[key]["id"], "count": count}
        for key, count in zip((f"infima-{c['id']}" for c in clients), counts, strict=True)
        if key in ours and ours[key]["count"] != count
    ]
    if job == "apply" and changed:
        headers["Content-Type"] = "application/json"
        for start in range(0, len(changed), 50):
            ask(HALO, "POST", "/api/SoftwareLicence", headers, json.dumps(changed[start : start + 50]).encode())
        halo_list("SoftwareLicence", "licences", headers, first_time=False)


if __name__ == "__main__":
    main(*sys.argv[1:3])
