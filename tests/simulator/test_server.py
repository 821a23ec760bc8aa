"""The world over real HTTP: both systems, kept-alive connections, latency, and the side door."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from reconciler.clock import SystemClock
from reconciler.simulator.server import Server
from reconciler.simulator.world import World
from reconciler.simulator.worlds import demo_world, scaled_world
from tests.simulator.contract import token_form

SIDE_DOOR = {"X-Simulator-Control": "test"}


@contextmanager
def connect(server: Server) -> Iterator[httpx.Client]:
    """A client of the server's Halo, with a fresh token."""
    with httpx.Client(base_url=server.halo_url, trust_env=False, timeout=5) as client:
        token = client.post("/auth/token", data=token_form(server.world)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with Server(world) as server:
        yield server


@pytest.fixture
def halo(server: Server) -> Iterator[httpx.Client]:
    with connect(server) as client:
        yield client


def test_both_systems_answer_on_ports_of_their_own(server: Server, halo: httpx.Client) -> None:
    known = server.environment()
    assert known["HALO_URL"] != known["INFIMA_URL"]
    assert halo.get("/api/Client").json()["record_count"] == 3
    headers = {"X-API-Key": known["INFIMA_API_KEY"]}
    answer = httpx.get(f"{known['INFIMA_URL']}/v1/partner", headers=headers, trust_env=False)
    assert answer.json()["partner_name"] == "Northwind Managed IT"


def test_the_environment_holds_what_a_run_needs(server: Server) -> None:
    names = {"HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_URL", "INFIMA_API_KEY"}
    assert set(server.environment()) == names
    assert server.halo_url.startswith("http://127.0.0.1:")


def test_a_write_has_its_effect(world: World, halo: httpx.Client) -> None:
    assert halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 12}]).status_code == 200
    assert world.licences[9001]["count"] == 12


def test_one_connection_serves_many_requests(world: World, halo: httpx.Client) -> None:
    for _ in range(5):
        halo.get("/api/Client")
    assert {record.connection for record in world.requests} == {1}


def test_requests_run_side_by_side(world: World, server: Server, halo: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: halo.get("/api/SoftwareLicence").status_code, range(40)))
    assert statuses == [200] * 40
    assert [record.number for record in world.requests] == list(range(1, 42))


def test_each_request_takes_the_latency_asked_for(world: World) -> None:
    with Server(world, latency_ms=30) as server, connect(server) as halo:
        start = time.perf_counter()
        halo.get("/api/Client")
        assert time.perf_counter() - start >= 0.03


def test_a_port_can_be_chosen_and_infimas_is_the_next(world: World) -> None:
    for _ in range(50):  # another program may take one of the two ports at any moment
        with Server(world) as free:
            port = int(free.halo_url.rpartition(":")[2])
        try:
            server = Server(world, port=port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise
            continue
        with server:
            assert server.halo_url.endswith(f":{port}")
            assert server.infima_url.endswith(f":{port + 1}")
        return
    pytest.fail("no two neighbouring ports were free")


def test_a_closed_server_answers_nobody(world: World) -> None:
    with Server(world) as server, connect(server) as halo:
        server.close()
        with pytest.raises(httpx.TransportError):
            halo.get("/api/Client")


def test_a_large_page_is_whole() -> None:
    world = scaled_world(1000, clock=SystemClock())
    query = {"pageinate": "true", "page_no": "1", "page_size": "1000", "includeinactive": "true"}
    with Server(world) as server, connect(server) as halo:
        page = halo.get("/api/SoftwareLicence", params=query).json()
    assert len({row["id"] for row in page["licences"]}) == page["record_count"] == 1000


# ---- the side door --------------------------------------------------------------------------------------------------


def ask(server: Server, method: str, path: str, body: Any = None) -> httpx.Response:
    url = f"{server.halo_url}/_simulator/{path}"
    return httpx.request(method, url, json=body, headers=SIDE_DOOR, trust_env=False)


def test_the_side_door_wants_its_header(server: Server) -> None:
    assert httpx.get(f"{server.halo_url}/_simulator/log", trust_env=False).status_code == 403


def test_the_log_can_be_read_and_does_not_hold_the_side_door(world: World, server: Server, halo: httpx.Client) -> None:
    halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 12}])
    log = ask(server, "GET", "log").json()
    assert [record["path"] for record in log["requests"]] == ["/auth/token", "/api/SoftwareLicence"]
    assert log["mutations"][0]["changes"] == {"count": [10, 12]}
    assert log["mutations"][0]["request"] == 2


def test_people_can_be_let_in(world: World, server: Server) -> None:
    asked = {"method": "person_creates", "arguments": [11, "By hand"], "options": {"count": 3}}
    made = ask(server, "POST", "edit", asked).json()["result"]
    assert world.licences[made]["count"] == 3


def test_a_night_can_pass() -> None:
    world = demo_world()
    with Server(world) as server:
        assert ask(server, "POST", "night").json() == {"nights": 1}
    assert world.infima_clients[112].active == 0


def test_switches_can_be_set(world: World, server: Server, halo: httpx.Client) -> None:
    assert ask(server, "POST", "switches", {"page_ceiling": 1, "count_shape": "float"}).status_code == 200
    assert b'"count":10.0' in halo.get("/api/SoftwareLicence").content


def test_the_world_can_be_taken_along(world: World, server: Server) -> None:
    document = ask(server, "GET", "world").json()
    assert [row["id"] for row in document["licences"]] == [9001, 9002, 9003]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("nonsense", None),
        ("edit", {"method": "change_licence", "arguments": []}),
        ("edit", {"method": "person_nobody"}),
        ("switches", {"no_such": 1}),
    ],
)
def test_what_the_side_door_does_not_know_is_refused(world: World, server: Server, path: str, body: Any) -> None:
    answer = ask(server, "POST", path, body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert world.mutations == []


# ---- what stands on the wire, read with plain sockets ---------------------------------------------------------------


@contextmanager
def dial(server: Server) -> Iterator[socket.socket]:
    where = urlsplit(server.infima_url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as connection:
        yield connection


def request(world: World, path: str = "/v1/partner") -> bytes:
    key = world.credentials.infima_api_key
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: {key}\r\n\r\n".encode()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1_000_000):
        parts.append(part)
    return b"".join(parts)


def announced(head: bytes) -> int:
    (line,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return int(line.partition(b":")[2])


def test_a_plain_answer_announces_its_length(world: World) -> None:
    with Server(world) as server, dial(server) as connection:
        connection.sendall(request(world).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert announced(head) == len(body)


def test_two_requests_sent_at_once_get_two_answers(world: World) -> None:
    with Server(world) as server, dial(server) as connection:
        connection.sendall(request(world) * 2)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_the_connection(world: World, sent: bytes) -> None:
    with Server(world) as server, dial(server) as connection:
        connection.sendall(sent)
        assert b" 200 " not in read_all(connection)
    assert world.requests == []


def test_a_request_that_is_cut_off_is_not_handled(world: World) -> None:
    with Server(world) as server, dial(server) as connection:
        connection.sendall(b"POST /v1/clients HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    assert world.requests == []
