"""The limit with httpx in place of the standard library: the same requests on the same threads, nothing checked.

`limit_httpx.py plan|apply client_record|active_users`, with the environment that the simulator prints.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

THREADS = 8
POOL = ThreadPoolExecutor(THREADS)
LIMITS = httpx.Limits(max_connections=2 * THREADS, max_keepalive_connections=2 * THREADS)
CLIENT = httpx.Client(timeout=60, trust_env=False, limits=LIMITS)
HALO, INFIMA = os.environ["HALO_URL"], os.environ["INFIMA_URL"]
KEY = {"X-API-Key": os.environ["INFIMA_API_KEY"]}


def get(address: str, headers: dict[str, str]) -> Any:
    """One read."""
    return CLIENT.get(address, headers=headers).raise_for_status().json()


def token() -> dict[str, str]:
    """The header that HaloPSA wants."""
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["HALO_CLIENT_ID"],
        "client_secret": os.environ["HALO_CLIENT_SECRET"],
        "scope": "read:customers read:invoices edit:softwarelicensing",
    }
    granted = CLIENT.post(HALO + "/auth/token", data=form).raise_for_status().json()
    return {"Authorization": "Bearer " + granted["access_token"]}


def halo_list(resource: str, rows: str, headers: dict[str, str]) -> list[Any]:
    """All rows, in pages as large as the server gives them."""
    query = "pageinate=true&page_size=1000&order=id&orderdesc=false&includeinactive=true"
    address = f"{HALO}/api/{resource}?{query}&page_no="
    first = get(address + "1", headers)
    found = first[rows]
    pages = -(-first["record_count"] // max(len(found), 1))
    for page in POOL.map(lambda number: get(f"{address}{number}", headers), range(2, pages + 1)):
        found += page[rows]
    return list(found)


def infima_list(path: str, *, parallel: bool) -> list[Any]:
    """All rows, fifty a page."""
    address = f"{INFIMA}{path}limit=50&offset="
    first = get(address + "0", KEY)
    found, starts = first["items"], range(50, first["total"], 50)
    for page in (POOL.map if parallel else map)(lambda start: get(f"{address}{start}", KEY), starts):
        found += page["items"]
    return list(found)


def active_users(client: Any) -> int:
    """Count them one by one."""
    users = infima_list(f"/v1/clients/{client['id']}/users?status=all&", parallel=False)
    return sum(user["status"] == "active" for user in users)


def main(job: str, mode: str) -> None:
    """Read both systems; with `apply` also set what differs, fifty a post, and look once more."""
    with ThreadPoolExecutor(4) as top:
        partner = top.submit(get, INFIMA + "/v1/partner", KEY)
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
        for start in range(0, len(changed), 50):
            batch = changed[start : start + 50]
            CLIENT.post(HALO + "/api/SoftwareLicence", headers=headers, json=batch).raise_for_status()
        halo_list("SoftwareLicence", "licences", headers)


if __name__ == "__main__":
    main(*sys.argv[1:])
