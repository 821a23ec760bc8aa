"""An observation as a file: nothing lost that a plan needs, nothing kept that is nobody's business."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.errors import PlanFileError
from reconciler.model import UnreadableUsers, UserCount
from reconciler.plan_document import dump_document, plan_document
from reconciler.planning import snapshot as snapshots
from reconciler.planning.observation import PlanOptions
from reconciler.planning.snapshot import Snapshot, dump_snapshot, read_snapshot
from reconciler.run import make_plan, read_live
from reconciler.state.spelling import to_line
from tests.stage import Stage, small_mappings, small_world


@pytest.fixture
def taken(tmp_path: Path) -> tuple[Stage, Snapshot]:
    """A world after one apply, as a snapshot."""
    stage = Stage(small_world(), tmp_path, small_mappings())
    stage.apply()
    stage.world.users_join(101, 3)
    with stage.context() as context:
        return stage, read_live(context)


def test_a_plan_from_the_file_is_byte_equal_to_the_plan_from_the_systems(taken: tuple[Stage, Snapshot]) -> None:
    stage, snapshot = taken
    again = read_snapshot(dump_snapshot(snapshot).encode())
    documents = [
        dump_document(plan_document(make_plan(stage.mappings(), s.observation, s.recorded, PlanOptions()), version="1"))
        for s in (snapshot, again)
    ]
    assert documents[0] == documents[1]
    assert '"update"' in documents[0]


def test_the_end_of_a_term_is_kept(taken: tuple[Stage, Snapshot]) -> None:
    _, snapshot = taken
    seen = replace(
        snapshot.observation,
        subscriptions=tuple(replace(s, last_day=date(2026, 10, 31)) for s in snapshot.observation.subscriptions),
    )
    again = read_snapshot(dump_snapshot(replace(snapshot, observation=seen)).encode())
    assert {s.last_day for s in again.observation.subscriptions} == {date(2026, 10, 31)}


def test_the_unit_price_and_its_currency_are_kept_exactly(taken: tuple[Stage, Snapshot]) -> None:
    seen = taken[1].observation
    first, *others = seen.subscriptions
    seen = replace(
        seen,
        customers=tuple(replace(one, currency="EUR") for one in seen.customers),
        subscriptions=(replace(first, unit_price=Decimal("47.11")), *others),
    )
    snapshot = replace(taken[1], observation=seen)
    again = read_snapshot(dump_snapshot(snapshot).encode())
    assert again.observation == snapshot.observation
    assert again.observation.subscriptions[0].unit_price == Decimal("47.11")
    assert {c.currency for c in again.observation.customers} == {"EUR"}


def spelled(document: object) -> bytes:
    """A document in the one spelling that is read, so that only what it says can be wrong."""
    return f"{to_line(document)}\n".encode()


def test_the_helper_keeps_a_right_file_right(taken: tuple[Stage, Snapshot]) -> None:
    assert read_snapshot(spelled(json.loads(dump_snapshot(taken[1])))) == taken[1]


@pytest.mark.parametrize("price", ["NaN", "-1", "1e3", "", " 2", "Infinity"])
def test_what_is_no_price_is_refused(taken: tuple[Stage, Snapshot], price: str) -> None:
    document = json.loads(dump_snapshot(taken[1]))
    document["subscriptions"][0]["unit_price"] = price
    with pytest.raises(PlanFileError):
        read_snapshot(spelled(document))


def test_no_user_and_no_other_member_is_kept(taken: tuple[Stage, Snapshot]) -> None:
    stage, snapshot = taken
    stage.world.person_edits(9001, price=47.11, notes="call Jo")
    text = dump_snapshot(snapshot)
    assert "@" not in text
    assert "47.11" not in text
    assert "call Jo" not in text


def test_the_same_snapshot_gives_the_same_bytes(taken: tuple[Stage, Snapshot]) -> None:
    text = dump_snapshot(taken[1])
    assert dump_snapshot(read_snapshot(text.encode())) == text


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("clients"),
        lambda d: d.update(format="reconciler-snapshot/99"),
        lambda d: d.update(format="reconciler-snapshot/1"),
        lambda d: d.update(taken_at="2026-11-22T05:00:00"),
        lambda d: d.update(more=1),
        lambda d: d["clients"][0].update(more=1),
        lambda d: d["clients"].append({"id": 999, "name": "x", "user_count": True}),
        lambda d: d["clients"].append({"id": 999}),
        lambda d: d["user_counts"].append({"client_id": 999, "active": -4, "listed": 0}),
        lambda d: d["subscriptions"][0].update(count="12"),
        lambda d: d["subscriptions"][0].update(count=12.0),
        lambda d: d["subscriptions"][0].update(last_day="soon"),
        lambda d: d["subscriptions"][0].update(raw={"notes": "call Jo"}),
        lambda d: d["customers"][0].update(id="12"),
        lambda d: d.update(state="{}"),
        lambda d: d.update(durable="yes"),
    ],
)
def test_a_damaged_snapshot_is_refused(
    taken: tuple[Stage, Snapshot], damage: Callable[[dict[str, object]], object]
) -> None:
    document = json.loads(dump_snapshot(taken[1]))
    damage(document)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - either error is an answer with a next step
        read_snapshot(spelled(document))
    assert raised.type.__name__ in {"PlanFileError", "StateError"}


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_snapshot_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(PlanFileError):
        read_snapshot(data)


def test_a_client_that_could_not_be_read_keeps_its_reason(taken: tuple[Stage, Snapshot]) -> None:
    seen = taken[1].observation
    unread = UnreadableUsers(client_id=seen.user_counts[0].client_id, reason="page 2 was refused")
    snapshot = replace(taken[1], observation=replace(seen, user_counts=(unread, *seen.user_counts[1:])))
    assert read_snapshot(dump_snapshot(snapshot).encode()).observation.user_counts[0] == unread


def test_users_without_a_status_are_kept(taken: tuple[Stage, Snapshot]) -> None:
    _, snapshot = taken
    counts = tuple(replace(u, without_status=2) for u in snapshot.observation.user_counts if isinstance(u, UserCount))
    assert counts
    changed = replace(snapshot, observation=replace(snapshot.observation, user_counts=counts))
    assert read_snapshot(dump_snapshot(changed).encode()) == changed


def test_what_is_too_large_is_not_even_parsed(taken: tuple[Stage, Snapshot], monkeypatch: pytest.MonkeyPatch) -> None:
    data = dump_snapshot(taken[1]).encode()
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOT_BYTES", len(data))
    assert read_snapshot(data)
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOT_BYTES", len(data) - 1)
    with pytest.raises(PlanFileError, match="too large"):
        read_snapshot(data)


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("clients", {"name": 5}),
        ("customers", {"name": None}),
        ("customers", {"inactive": 0}),
        ("customers", {"id": True}),
        ("customers", {"id": -1}),
        ("user_counts", {"active": None}),
        ("subscriptions", {"customer_id": -2}),
        ("subscriptions", {"is_active": None}),
        ("subscriptions", {"marker": 7}),
    ],
)
def test_a_row_with_a_value_of_the_wrong_kind_is_refused(
    taken: tuple[Stage, Snapshot], member: str, values: dict[str, object]
) -> None:
    document = json.loads(dump_snapshot(taken[1]))
    document[member][0].update(values)
    with pytest.raises(PlanFileError, match="cannot be read"):
        read_snapshot(spelled(document))


def test_a_subscription_of_no_customer_is_kept(taken: tuple[Stage, Snapshot]) -> None:
    """HaloPSA has -1 there."""
    document = json.loads(dump_snapshot(taken[1]))
    document["subscriptions"][0]["customer_id"] = -1
    assert read_snapshot(spelled(document)).observation.subscriptions[0].customer_id == -1


def test_a_member_that_stands_twice_is_refused(taken: tuple[Stage, Snapshot]) -> None:
    data = dump_snapshot(taken[1]).replace('"durable": true', '"durable": false, "durable": true')
    with pytest.raises(PlanFileError, match="was edited"):
        read_snapshot(data.encode())
