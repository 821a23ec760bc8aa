"""What a first script looks like: one request after the other, one post for each change, no checks.

`sequential.py plan|apply client_record|active_users`, with the environment that the simulator prints.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit


class System:
    """One of the two systems, over one kept connection."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        where = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
        self.headers = headers

    def ask(self, method: str, path: str, body: str | None = None, kind: str = "application/json") -> Any:
        """Send one request and wait for its answer."""
        headers = self.headers if body is None else {**self.headers, "Content-Type": kind}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {answer.status}")
        return json.loads(content)


def infima_rows(infima: System, path: str) -> Iterator[Any]:
    """All rows of a list, fifty a page."""
    offset, total = 0, 1
    while offset < total:
        page = infima.ask("GET", f"{path}limit=50&offset={offset}")
        yield from page["items"]
        offset, total = offset + 50, page["total"]


def subscriptions(halo: System) -> Iterator[Any]:
    """All Subscriptions, a thousand a page."""
    number, seen, total = 1, 0, 1
    while seen < total:
        page = halo.ask("GET", f"/api/SoftwareLicence?pageinate=true&page_size=1000&page_no={number}&order=id")
        yield from page["licences"]
        number, seen, total = number + 1, seen + len(page["licences"]), page["record_count"]


def main(job: str, mode: str) -> None:
    """Tell each quantity that is not as it should be; `apply` sets it."""
    infima = System(os.environ["INFIMA_URL"], {"X-API-Key": os.environ["INFIMA_API_KEY"]})
    halo = System(os.environ["HALO_URL"], {})
    login = {
        "grant_type": "client_credentials",
        "client_id": os.environ["HALO_CLIENT_ID"],
        "client_secret": os.environ["HALO_CLIENT_SECRET"],
        "scope": "edit:softwarelicensing",
    }
    granted = halo.ask("POST", "/auth/token", urlencode(login), "application/x-www-form-urlencoded")
    halo.headers = {"Authorization": "Bearer " + granted["access_token"]}
    ours = {row.get("snowid"): row for row in subscriptions(halo)}
    for client in infima_rows(infima, "/v1/clients?"):
        count = client["user_count"]
        if mode == "active_users":
            users = infima_rows(infima, f"/v1/clients/{client['id']}/users?status=active&")
            count = sum(user["status"] == "active" for user in users)
        row = ours.get(f"infima-{client['id']}")
        if row is None or row["count"] == count:
            continue
        print(f"{client['client_name']}: {row['count']} -> {count}")  # noqa: T201
        if job == "apply":
            halo.ask("POST", "/api/SoftwareLicence", json.dumps([{"id": row["id"], "count": count}]))


if __name__ == "__main__":
    main(*sys.argv[1:])
