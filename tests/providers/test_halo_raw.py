"""What a probe may send: rows of its own at one customer, with the quantity 0 or 1, and nothing else ever leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ConnectFailed, RequestForbidden
from reconciler.model import HaloCustomerId
from reconciler.providers.connect import ConnectedSystems
from reconciler.providers.halo_raw import NO_NUMBER, PROBE_NAME, UNKNOWN_ID, RawHalo
from reconciler.providers.halo_rows import months_of
from tests.faults.kinds import Fault, FaultKind
from tests.probing.setting import CUSTOMER, OTHER_CUSTOMER, ProbeStage

NAME = f"{PROBE_NAME} (w)"
CREATE: dict[str, Any] = {"type": 1, "client_id": CUSTOMER, "name": NAME, "count": 0}
OWN = {"id": 9500, "client_id": CUSTOMER, "name": NAME, "type": 1, "count": 0}
FOREIGN = 9001


@pytest.fixture
def stage(tmp_path: Path) -> ProbeStage:
    return ProbeStage(tmp_path)


@pytest.fixture
def systems(stage: ProbeStage) -> Iterator[ConnectedSystems]:
    with stage.systems(stage.mappings()) as systems:
        yield systems


@pytest.fixture
def raw(systems: ConnectedSystems) -> RawHalo:
    systems.raw.customer = HaloCustomerId(CUSTOMER)
    assert systems.raw.learn(OWN) == 9500
    return systems.raw


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps(rows).encode()


@pytest.mark.parametrize(
    "row",
    [
        CREATE,
        CREATE | {"count": 1, "snowid": "w-snowid", "notes": "w", "third_party_productid": "w"},
        CREATE | {"id": UNKNOWN_ID},
        {"id": 9500, "count": 1},
        {"id": 9500, "count": 0, "client_id": CUSTOMER, "name": NAME, "type": 1},
        {"id": 9500, "count": NO_NUMBER},
    ],
)
def test_a_probes_own_rows_leave(raw: RawHalo, stage: ProbeStage, row: dict[str, Any]) -> None:
    raw.post(body(row))
    assert stage.writes() == [body(row).decode()]


@pytest.mark.parametrize(
    "row",
    [
        CREATE | {"client_id": OTHER_CUSTOMER},
        CREATE | {"name": "INFIMA Security Awareness Training"},
        CREATE | {"count": 2},
        CREATE | {"count": -1},
        CREATE | {"count": True},
        CREATE | {"count": NO_NUMBER},
        CREATE | {"type": 0},
        CREATE | {"price": 1},
        CREATE | {"is_active": False},
        CREATE | {"id": FOREIGN},
        CREATE | {"id": 0},
        {"client_id": CUSTOMER, "name": NAME, "count": 0},
        {"id": FOREIGN, "count": 0},
        {"id": 9500, "count": 2},
        {"id": 9500, "count": 0, "name": "renamed"},
        {"id": 9500, "count": 0, "client_id": OTHER_CUSTOMER},
        {"id": 9500, "count": 0, "notes": "x"},
        {"id": 9500, "deleted": True},
        {"id": 9500},
        {},
    ],
)
def test_anything_else_does_not(raw: RawHalo, stage: ProbeStage, row: dict[str, Any]) -> None:
    with pytest.raises(RequestForbidden, match="Nothing was sent"):
        raw.post(body(CREATE, row))
    assert stage.writes() == []


@pytest.mark.parametrize(
    "row",
    [
        {"id": FOREIGN, "client_id": CUSTOMER, "name": "Office"},
        {"id": FOREIGN, "client_id": OTHER_CUSTOMER, "name": NAME},
        {"id": "9001", "client_id": CUSTOMER, "name": NAME},
        {"client_id": CUSTOMER, "name": NAME},
    ],
)
def test_only_a_row_of_its_name_at_its_customer_is_taken_for_its_own(raw: RawHalo, row: dict[str, Any]) -> None:
    assert raw.learn(row) is None
    with pytest.raises(RequestForbidden):
        raw.post(body({"id": FOREIGN, "count": 0}))


def test_without_a_customer_nothing_is_its_own(systems: ConnectedSystems) -> None:
    assert systems.raw.learn(OWN) is None
    with pytest.raises(RequestForbidden):
        systems.raw.post(body(CREATE))


def test_a_write_without_a_token_never_left(raw: RawHalo, stage: ProbeStage) -> None:
    stage.faults.script = (Fault(kind=FaultKind.FORBIDDEN, at="halo.token", times=9),)
    with pytest.raises(ConnectFailed, match="there is no token"):
        raw.post(body(CREATE))
    assert stage.writes() == []


def test_every_request_counts_and_room_is_kept_for_a_token(raw: RawHalo) -> None:
    assert (raw.sent, raw.has_room(6), raw.has_room(5)) == (0, True, False)
    raw.get("/api/SoftwareLicence")
    assert raw.sent == 2, "the token and the listing"


def test_a_path_that_is_not_on_the_list_does_not_leave(raw: RawHalo, stage: ProbeStage) -> None:
    before = len(stage.halo_requests())
    with pytest.raises(RequestForbidden):
        raw.get("/api/Users")
    assert [each.path for each in stage.halo_requests()[before:]] == ["/auth/token"]


@pytest.mark.parametrize(
    ("cycle", "months"),
    [(None, 1), ("", 1), ("Monthly", 1), (" annual ", 12), ("P1Y", 12), ("fortnight", None), (3, None)],
)
def test_a_billing_cycle_in_months(cycle: Any, months: int | None) -> None:
    assert months_of(cycle) == months
