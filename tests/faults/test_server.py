"""Faults as httpx meets them over a real connection."""

from __future__ import annotations

import httpx
import pytest

from reconciler.simulator.world import World
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.faults.server import serve
from tests.simulator.test_server import connect


@pytest.mark.parametrize(
    ("kind", "errors"),
    [
        (FaultKind.RESET, (httpx.ReadError, httpx.RemoteProtocolError)),
        (FaultKind.DISCONNECT, (httpx.RemoteProtocolError, httpx.ReadError)),
        (FaultKind.TRUNCATED_BODY, (httpx.RemoteProtocolError,)),
        (FaultKind.LENGTH_TOO_LONG, (httpx.RemoteProtocolError,)),
        (FaultKind.BAD_CHUNKING, (httpx.RemoteProtocolError,)),
        (FaultKind.EOF_IN_HEADER, (httpx.RemoteProtocolError,)),
        (FaultKind.MANY_HEADERS, (httpx.RemoteProtocolError,)),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_a_broken_answer_before_or_after_the_effect(
    world: World, kind: FaultKind, errors: tuple[type[Exception], ...], *, after: bool
) -> None:
    faults = Faults([Fault(kind=kind, at="halo.write", after=after)])
    with serve(world, faults=faults) as server, connect(server) as halo:
        with pytest.raises(errors):
            halo.post("/api/SoftwareLicence", json=[{"id": 9001, "count": 12}])
        assert world.licences[9001]["count"] == (12 if after else 10)
        assert halo.get("/api/SoftwareLicence/9001").json()["count"] == (12 if after else 10)


def test_a_client_that_waits_no_longer(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.READ_TIMEOUT, at="halo.customers", seconds=30)])
    with serve(world, faults=faults) as server, connect(server) as halo:
        with pytest.raises(httpx.ReadTimeout):
            halo.get("/api/Client", timeout=0.1)
        assert halo.get("/api/Client").status_code == 200


def test_a_compressed_body_goes_out_compressed(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.GZIP, at="halo.customers")])
    with serve(world, faults=faults) as server, connect(server) as halo:
        answer = halo.get("/api/Client")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["record_count"] == 3
