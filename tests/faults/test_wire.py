"""What really stands on the wire, read with plain sockets."""

from __future__ import annotations

import errno
import socket
import time

import pytest

from reconciler.simulator.world import World
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.faults.server import serve
from tests.simulator.test_server import announced, dial, read_all, request


def answer(world: World, kind: FaultKind, seconds: float = 0.2) -> bytes:
    """Everything that comes back on a connection whose only request meets the fault."""
    faults = Faults([Fault(kind=kind, seconds=seconds)])
    with serve(world, faults=faults) as server, dial(server) as connection:
        connection.sendall(request(world))
        if kind is FaultKind.SLOW_BODY:
            connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def test_a_truncated_body_stops_before_its_announced_end(world: World) -> None:
    head, _, body = answer(world, FaultKind.TRUNCATED_BODY).partition(b"\r\n\r\n")
    assert 0 < len(body) < announced(head)


def test_lengths_that_are_wrong(world: World) -> None:
    head, _, body = answer(world, FaultKind.LENGTH_TOO_LONG).partition(b"\r\n\r\n")
    assert announced(head) == len(body) + 100
    head, _, body = answer(world, FaultKind.LENGTH_TOO_SHORT).partition(b"\r\n\r\n")
    assert announced(head) == len(body) - 5


def test_chunks_without_a_size(world: World) -> None:
    head, _, body = answer(world, FaultKind.BAD_CHUNKING).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body.startswith(b"zz\r\n")


def test_the_end_comes_within_the_headers(world: World) -> None:
    assert b"\r\n\r\n" not in answer(world, FaultKind.EOF_IN_HEADER)


def test_headers_without_number(world: World) -> None:
    assert answer(world, FaultKind.MANY_HEADERS).count(b"X-Header-") == 100_000


def test_a_disconnect_says_nothing(world: World) -> None:
    assert answer(world, FaultKind.DISCONNECT) == b""


def test_a_reset_is_a_reset(world: World) -> None:
    with pytest.raises(ConnectionResetError) as caught:
        answer(world, FaultKind.RESET)
    assert caught.value.errno == errno.ECONNRESET


def test_a_silence_lasts_as_long_as_asked(world: World) -> None:
    start = time.perf_counter()
    assert answer(world, FaultKind.READ_TIMEOUT, seconds=0.2) == b""
    assert time.perf_counter() - start >= 0.2


def test_a_slow_body_comes_byte_by_byte(world: World) -> None:
    start = time.perf_counter()
    head, _, body = answer(world, FaultKind.SLOW_BODY, seconds=0.2).partition(b"\r\n\r\n")
    assert time.perf_counter() - start >= 0.15
    assert announced(head) == len(body)


def test_an_endless_body_goes_on_until_the_client_goes_away(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.ENDLESS_BODY)])
    received = 0
    with serve(world, faults=faults) as server, dial(server) as connection:
        connection.sendall(request(world))
        while received < 20_000_000:
            received += len(connection.recv(1_000_000))
    assert received >= 20_000_000
