"""Each kind of fault as a client meets it on the callables, and what it leaves behind in the world."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest

from reconciler.simulator.records import Actor, Endpoint
from reconciler.simulator.server import HALO_URL
from reconciler.simulator.switches import LEAST_SCOPES
from reconciler.simulator.world import World
from tests.clock import START, VirtualClock
from tests.faults.app import halo_app, infima_app
from tests.faults.distort import DEPTH, DIGITS, HUGE
from tests.faults.inject import rehearsal
from tests.faults.kinds import (
    NO_ANSWER,
    STATUSES,
    Fault,
    FaultKind,
    Faults,
    endpoints_of,
    enumerate_single_faults,
    moments_of,
)
from tests.simulator.contract import all_licences, halo_client, infima_client, token_form

UPDATE = [{"id": 9001, "count": 12}, {"id": 9002, "count": 61}]


def update(world: World, kind: FaultKind, *, after: bool = False, seconds: float = 90) -> httpx.Response:
    """Send one batch that meets the fault."""
    faults = Faults([Fault(kind=kind, at="halo.write", after=after, seconds=seconds)])
    with halo_client(world, faults) as halo:
        return halo.post("/api/SoftwareLicence", json=UPDATE)


def listing(world: World, kind: FaultKind, *, nth: int = 1, row: int = 0) -> httpx.Response:
    """Read the first page of two rows (or the second) of Halo's listing, meeting the fault on the way."""
    faults = Faults([Fault(kind=kind, at="halo.licences", nth=nth, row=row)])
    with halo_client(world, faults) as halo:
        for page in range(1, nth + 1):
            query = {"pageinate": "true", "page_no": str(page), "page_size": "2", "order": "id"}
            answer = halo.get("/api/SoftwareLicence", params=query)
    return answer


def clients(world: World, kind: FaultKind, row: int = 0) -> dict[str, Any]:
    """Read INFIMA's client list, meeting the fault."""
    with infima_client(world, Faults([Fault(kind=kind, at="infima.clients", row=row)])) as infima:
        page: dict[str, Any] = infima.get("/v1/clients").json()
        return page


def counts(world: World) -> tuple[int, int]:
    return world.licences[9001]["count"], world.licences[9002]["count"]


# ---- statuses and lost answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(STATUSES))
@pytest.mark.parametrize("after", [False, True])
def test_a_status_before_or_after_the_effect(world: World, kind: FaultKind, *, after: bool) -> None:
    answer = update(world, kind, after=after)
    assert str(answer.status_code) == kind.value[:3]
    assert counts(world) == ((12, 61) if after else (10, 60))
    assert world.requests[-1].fault == f"{kind}{' after' if after else ''}"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FaultKind.RATE_LIMITED, None),
        (FaultKind.RATE_LIMITED_SECONDS, "5"),
        (FaultKind.RATE_LIMITED_ZERO, "0"),
        (FaultKind.RATE_LIMITED_NEGATIVE, "-1"),
        (FaultKind.RATE_LIMITED_HUGE, "1000000000"),
        (FaultKind.RATE_LIMITED_DATE, "Sun, 22 Nov 2026 05:00:05 GMT"),
        (FaultKind.RATE_LIMITED_WORD, "soon"),
    ],
)
def test_retry_after(world: World, kind: FaultKind, value: str | None) -> None:
    assert listing(world, kind).headers.get("Retry-After") == value


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RESET, httpx.ReadError),
        (FaultKind.DISCONNECT, httpx.RemoteProtocolError),
        (FaultKind.READ_TIMEOUT, httpx.ReadTimeout),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_never_comes(world: World, kind: FaultKind, error: type[Exception], *, after: bool) -> None:
    with pytest.raises(error):
        update(world, kind, after=after)
    assert counts(world) == ((12, 61) if after else (10, 60))
    assert world.requests[-1].status is None


def test_a_refused_connection_has_no_effect(world: World) -> None:
    with pytest.raises(httpx.ConnectError):
        update(world, FaultKind.CONNECT_ERROR)
    assert counts(world) == (10, 60)


def test_a_timeout_takes_its_time(world: World) -> None:
    with pytest.raises(httpx.ReadTimeout):
        update(world, FaultKind.READ_TIMEOUT, seconds=60)
    assert (world.clock.now() - START).total_seconds() == 60


def test_a_slow_body_takes_its_time_while_it_is_read(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.SLOW_BODY, at="halo.licences", seconds=500)])
    with halo_client(world, faults) as halo:
        assert len(all_licences(halo)) == 3
    assert (world.clock.now() - START).total_seconds() == pytest.approx(500, rel=0.1)


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED_BODY, FaultKind.BAD_CHUNKING, FaultKind.EOF_IN_HEADER])
def test_what_httpx_calls_a_broken_protocol(world: World, kind: FaultKind) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        update(world, kind, after=True)
    assert counts(world) == (12, 61)


def test_redirects_lead_elsewhere(world: World) -> None:
    assert listing(world, FaultKind.REDIRECT).headers["Location"].startswith("https://elsewhere.example.com")


# ---- 200 around something else --------------------------------------------------------------------------------------


def fails_to_decode(answer: httpx.Response) -> bool:
    try:
        json.loads(answer.content)
    except (ValueError, RecursionError):
        return True
    return False


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.HTML,
        FaultKind.EMPTY_BODY,
        FaultKind.BAD_UTF8,
        FaultKind.TRUNCATED_JSON,
        FaultKind.HUGE_INTEGER,
        FaultKind.DEEP_NESTING,
        FaultKind.LENGTH_TOO_SHORT,
    ],
)
def test_bodies_that_are_no_json(world: World, kind: FaultKind) -> None:
    answer = listing(world, kind)
    assert answer.status_code == 200
    assert fails_to_decode(answer)


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (FaultKind.DUPLICATE_KEYS, lambda body: body.count(b'"page_no"') == 2),
        (FaultKind.BOM, lambda body: body.startswith(b'\xef\xbb\xbf{"page_no"')),
        (FaultKind.NAN, lambda body: b":NaN}" in body),
        (FaultKind.INFINITY, lambda body: b":-Infinity}" in body),
        (FaultKind.OVERFLOW, lambda body: b":1e400}" in body),
        (FaultKind.HUGE_BODY, lambda body: len(body) > HUGE),
        (FaultKind.HUGE_INTEGER, lambda body: b"9" * DIGITS in body),
        (FaultKind.DEEP_NESTING, lambda body: b"[" * DEPTH in body),
        (FaultKind.BARE_LIST, lambda body: body.startswith(b'[{"id":9001')),
    ],
)
def test_bodies_that_are_json_of_a_kind(world: World, kind: FaultKind, holds: Callable[[bytes], bool]) -> None:
    assert holds(listing(world, kind).content)


def test_a_wrong_content_type(world: World) -> None:
    assert listing(world, FaultKind.WRONG_CONTENT_TYPE).headers["Content-Type"] == "text/plain"


def test_an_answer_out_of_a_cache_says_its_age(world: World) -> None:
    answer = listing(world, FaultKind.OLD_CACHE)
    assert (answer.headers["Age"], answer.headers["Date"]) == ("86400", "Sat, 21 Nov 2026 05:00:00 GMT")


def test_a_compressed_body(world: World) -> None:
    answer = listing(world, FaultKind.GZIP)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["licences"]) == 2


def test_a_page_of_html_can_come_before_or_after_the_effect(world: World) -> None:
    update(world, FaultKind.HTML)
    assert counts(world) == (10, 60)
    update(world, FaultKind.HTML, after=True)
    assert counts(world) == (12, 61)


# ---- lists and values -----------------------------------------------------------------------------------------------


def ids(answer: httpx.Response) -> list[Any]:
    return [row.get("id") for row in answer.json()["licences"]]


@pytest.mark.parametrize(
    ("kind", "nth", "rows", "total"),
    [
        (FaultKind.SHORT_PAGE, 1, [9001], 3),
        (FaultKind.REPEATED_PAGE, 2, [9001, 9002], 3),
        (FaultKind.DUPLICATE_EQUAL, 1, [9001, 9001], 3),
        (FaultKind.DUPLICATE_DIFFERENT, 1, [9001, 9002, 9001], 3),
        (FaultKind.TOTAL_WRONG, 1, [9001, 9002], 6),
        (FaultKind.TOTAL_MISSING, 1, [9001, 9002], None),
        (FaultKind.EMPTY_LIST, 1, [], 0),
        (FaultKind.ROW_MISSING, 1, [9002], 2),
        (FaultKind.ID_MISSING, 1, [None, 9002], 3),
        (FaultKind.ID_STRING, 1, ["9001", 9002], 3),
    ],
)
def test_lists_that_are_not_what_they_say(
    world: World, kind: FaultKind, nth: int, rows: list[Any], total: int | None
) -> None:
    answer = listing(world, kind, nth=nth)
    assert (ids(answer), answer.json().get("record_count")) == (rows, total)


def test_a_duplicate_with_other_content(world: World) -> None:
    rows = listing(world, FaultKind.DUPLICATE_DIFFERENT).json()["licences"]
    assert (rows[0]["count"], rows[-1]["count"]) == (10, 11)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FaultKind.COUNT_STRING, "12"),
        (FaultKind.COUNT_FLOAT, 12.0),
        (FaultKind.COUNT_FRACTION, 12.5),
        (FaultKind.COUNT_BOOL, True),
        (FaultKind.COUNT_NEGATIVE, -1),
        (FaultKind.COUNT_HUGE, 2**31),
        (FaultKind.COUNT_NULL, None),
        (FaultKind.COUNT_DIGITS, "\u0661\u0662"),
        (FaultKind.COUNT_MISSING, "-"),
    ],
)
def test_values_that_are_no_counts(world: World, kind: FaultKind, value: object) -> None:
    for row, member in (
        (listing(world, kind, row=1).json()["licences"][1], "count"),
        (clients(world, kind, row=1)["items"][1], "user_count"),
    ):
        found = row.get(member, "-")
        assert (found, type(found)) == (value, type(value))


def test_a_client_is_missing_and_the_total_agrees(world: World) -> None:
    page = clients(world, FaultKind.ROW_MISSING, row=1)
    assert ([row["id"] for row in page["items"]], page["total"]) == ([101, 103], 2)


def test_a_client_without_name(world: World) -> None:
    assert clients(world, FaultKind.NAME_NULL)["items"][0]["client_name"] is None


@pytest.mark.parametrize(
    ("kind", "listed", "active"), [(FaultKind.COUNTS_ZERO, [0, 0, 0], 0), (FaultKind.COUNTS_LOW, [6, 30, 1], 7)]
)
def test_an_outage_upstream_makes_well_formed_low_numbers(
    world: World, kind: FaultKind, listed: list[int], active: int
) -> None:
    assert [row["user_count"] for row in clients(world, kind)["items"]] == listed
    with infima_client(world, Faults([Fault(kind=kind, at="infima.users")])) as infima:
        rows = infima.get("/v1/clients/101/users", params={"status": "all"}).json()["items"]
    assert len(rows) == 14
    assert [row["status"] for row in rows].count("active") in {active, active - 1}


def test_a_stale_listing_shows_the_world_before_its_latest_changes(world: World) -> None:
    world.person_sets_count(9001, 11)
    made = world.person_creates(11, "New")
    answer = listing(world, FaultKind.STALE_LISTING)
    assert [row["count"] for row in answer.json()["licences"]] == [10, 60]
    assert answer.json()["record_count"] == 3
    assert world.licences[made]["name"] == "New"


# ---- writes ---------------------------------------------------------------------------------------------------------


def test_a_late_effect_after_an_error(world: World) -> None:
    assert update(world, FaultKind.LATE_EFFECT, seconds=40).status_code == 500
    world.clock.sleep(39)
    assert counts(world) == (10, 60)
    world.clock.sleep(1)
    assert counts(world) == (12, 61)
    assert {mutation.request for mutation in world.mutations} == {world.requests[-1].number}


def test_a_late_effect_after_a_lost_answer(world: World) -> None:
    with pytest.raises(httpx.ReadTimeout):
        update(world, FaultKind.LATE_EFFECT_LOST, seconds=40)
    assert counts(world) == (10, 60)
    world.clock.sleep(20)
    assert counts(world) == (12, 61)


def test_a_late_effect_after_a_good_answer(world: World) -> None:
    answer = update(world, FaultKind.LATE_EFFECT_ACCEPTED, seconds=40)
    assert [row["count"] for row in answer.json()] == [12, 61]
    assert counts(world) == (10, 60)
    world.clock.sleep(40)
    assert counts(world) == (12, 61)


def test_a_refused_write_has_no_late_effect(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.LATE_EFFECT, at="halo.write")])
    with halo_client(world, faults, scope="read:customers") as halo:
        assert halo.post("/api/SoftwareLicence", json=UPDATE).status_code == 401
    world.clock.sleep(1000)
    assert world.mutations == []


def test_half_a_batch(world: World) -> None:
    assert update(world, FaultKind.PARTIAL_BATCH).status_code == 500
    assert counts(world) == (12, 60)


def test_half_a_batch_with_a_good_answer(world: World) -> None:
    assert [row["count"] for row in update(world, FaultKind.PARTIAL_BATCH_SILENT).json()] == [12, 61]
    assert counts(world) == (12, 60)


def test_a_good_answer_without_effect(world: World) -> None:
    assert [row["count"] for row in update(world, FaultKind.SILENT_NO_OP).json()] == [12, 61]
    assert world.mutations == []


def test_a_write_that_changes_another_field_too(world: World) -> None:
    update(world, FaultKind.OTHER_FIELD)
    by_itself = [mutation for mutation in world.mutations if mutation.actor is Actor.HALO]
    assert [mutation.changes for mutation in by_itself] == [{"price": (0.0, 1.23)}] * 2
    assert counts(world) == (12, 61)


def test_a_warning_in_a_good_answer(world: World) -> None:
    assert all("_warning" in row for row in update(world, FaultKind.WARNING).json())
    assert counts(world) == (12, 61)


def test_an_answer_about_another_row(world: World) -> None:
    assert [row["id"] for row in update(world, FaultKind.WRONG_ECHO).json()] == [9002, 9003]
    assert counts(world) == (12, 61)


@pytest.mark.parametrize("kind", [FaultKind.WARNING, FaultKind.NAN, FaultKind.PARTIAL_BATCH, FaultKind.SILENT_NO_OP])
def test_a_refusal_stays_a_refusal(world: World, kind: FaultKind) -> None:
    faults = Faults([Fault(kind=kind, at="halo.write", after=True)])
    with halo_client(world, faults) as halo:
        assert halo.post("/api/SoftwareLicence", json={"id": 9001}).status_code == 400
    assert world.mutations == []


@pytest.mark.parametrize(
    ("kind", "end"), [(FaultKind.NAN, b",NaN]"), (FaultKind.DUPLICATE_KEYS, b"}]"), (FaultKind.BOM, b"}]")]
)
def test_an_answer_that_is_an_array_can_be_spoilt_too(world: World, kind: FaultKind, end: bytes) -> None:
    assert update(world, kind, after=True).content.endswith(end)
    assert counts(world) == (12, 61)


# ---- token, key, people ---------------------------------------------------------------------------------------------


def token(world: World, kind: FaultKind) -> dict[str, Any]:
    with halo_client(world, Faults([Fault(kind=kind, at="halo.token")])) as halo:
        answer: dict[str, Any] = halo.post("/auth/token", data=token_form(world)).json()
        return answer


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FaultKind.TOKEN_NO_EXPIRY, None),
        (FaultKind.TOKEN_EXPIRY_ZERO, 0),
        (FaultKind.TOKEN_EXPIRY_HUGE, 10**12),
        (FaultKind.TOKEN_EXPIRY_TEXT, "soon"),
    ],
)
def test_expiries(world: World, kind: FaultKind, value: object) -> None:
    assert token(world, kind).get("expires_in") == value


def test_tokens_that_are_none(world: World) -> None:
    assert isinstance(token(world, FaultKind.TOKEN_NOT_TEXT)["access_token"], dict)
    assert "access_token" not in token(world, FaultKind.TOKEN_MISSING)


def test_a_token_that_ends_early_ends_for_good(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.TOKEN_EXPIRED, at="halo.licences", nth=2)])
    with halo_client(world, faults) as halo:
        statuses = [halo.get("/api/SoftwareLicence").status_code for _ in range(3)]
    assert statuses == [200, 401, 401]


def test_a_key_is_revoked_in_between(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.KEY_REVOKED, at="infima.clients", nth=2)])
    with infima_client(world, faults) as infima:
        assert [infima.get("/v1/clients").status_code for _ in range(3)] == [200, 401, 401]


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        (FaultKind.PERSON_SETS_COUNT, "count", 11),
        (FaultKind.PERSON_RENAMES, "name", "Training (renamed)"),
        (FaultKind.PERSON_DEACTIVATES, "is_active", False),
        (FaultKind.PERSON_DELETES, "deleted", True),
        (FaultKind.PERSON_MOVES, "client_id", 12),
        (FaultKind.PERSON_EDITS_MARKER, "snowid", "typed-by-hand"),
    ],
)
def test_people_edit_just_before_a_request(world: World, kind: FaultKind, member: str, value: object) -> None:
    assert listing(world, kind).status_code == 200
    assert world.licences[9001][member] == value
    assert (world.mutations[-1].actor, world.mutations[-1].request) == (Actor.PERSON, None)


def test_an_edit_of_nothing_does_nothing() -> None:
    nobody = World(clock=VirtualClock())
    faults = Faults([Fault(kind=FaultKind.PERSON_DELETES), Fault(kind=FaultKind.LIST_CHANGES, nth=2)])
    with halo_client(nobody, faults) as halo:
        assert [halo.get("/api/SoftwareLicence").json()["record_count"] for _ in range(2)] == [0, 0]
    assert nobody.mutations == []


def test_an_edit_may_be_aimed_at_one_row(world: World) -> None:
    faults = Faults([Fault(kind=FaultKind.PERSON_SETS_COUNT, at="*", target=9002)])
    with halo_client(world, faults) as halo:
        assert [row["count"] for row in all_licences(halo)] == [10, 61, 5]


def test_lists_change_while_they_are_paged(world: World) -> None:
    change = [Fault(kind=FaultKind.LIST_CHANGES, at="*", nth=2)]
    with infima_client(world, Faults(change)) as infima:
        pages = [infima.get("/v1/clients", params={"limit": 2, "offset": at}).json() for at in (0, 2)]
    assert [row["id"] for page in pages for row in page["items"]] == [101, 102, 102, 103]
    with infima_client(world, Faults(change)) as infima:
        pages = [infima.get("/v1/clients/101/users", params={"limit": 6, "offset": at}).json() for at in (0, 6)]
    assert [page["total"] for page in pages] == [12, 11]
    with halo_client(world, Faults(change)) as halo:
        totals = [halo.get(f"/api/{name}").json()["record_count"] for name in ("Client", "SoftwareLicence", "Client")]
    assert totals == [3, 4, 3]


def test_an_event_and_a_fault_may_meet_one_request(world: World) -> None:
    script = [Fault(kind=FaultKind.PERSON_SETS_COUNT), Fault(kind=FaultKind.SERVER_ERROR)]
    with halo_client(world, Faults(script)) as halo:
        assert halo.get("/api/SoftwareLicence").status_code == 500
    assert world.licences[9001]["count"] == 11


# ---- every kind -----------------------------------------------------------------------------------------------------


def run(faults: Faults) -> World:
    """One request to each endpoint of a tiny world, straight on the callables."""
    here = World(clock=VirtualClock())
    here.add_client(101, "Acme", active=3)
    here.add_customer(11, "Acme")
    here.add_licence(11, "Training", 2)
    halo, infima = halo_app(here, faults=faults), infima_app(here, faults=faults)
    good = here.issue_token(frozenset(LEAST_SCOPES), here.clock.now() + timedelta(days=1))
    headers = {"Authorization": f"Bearer {good}", "X-API-Key": here.credentials.infima_api_key}
    for app, method, path, what in (
        (infima, "GET", "/v1/partner", {}),
        (infima, "GET", "/v1/clients?offset=0", {}),
        (infima, "GET", "/v1/clients/101/users", {}),
        (halo, "POST", "/auth/token", {"data": token_form(here)}),
        (halo, "GET", "/api/SoftwareLicence?pageinate=true&page_no=1", {}),
        (halo, "GET", "/api/SoftwareLicence/9001", {}),
        (halo, "GET", "/api/Client", {}),
        (halo, "POST", "/api/SoftwareLicence", {"json": [{"id": 9001, "count": 3}]}),
        (halo, "GET", "/api/RecurringInvoice", {}),
    ):
        with suppress(httpx.TransportError, httpx.DecodingError):
            app(httpx.Request(method, f"{HALO_URL}{path}", headers=headers, **what))
    return here


def test_every_fault_at_every_request_fires_there_and_breaks_nothing_in_the_simulator() -> None:
    met: set[FaultKind] = set()
    for fault in enumerate_single_faults(run(Faults()).requests, set(FaultKind) - {FaultKind.HUGE_BODY}):
        faults = Faults([fault])
        here = run(faults)
        assert len(faults.fired) == 1, str(fault)
        assert len(here.requests) == 9, str(fault)
        met.add(fault.kind)
    assert met == set(FaultKind) - {FaultKind.HUGE_BODY}


def test_every_kind_without_an_answer_is_known_to_leave_none(world: World) -> None:
    for kind in NO_ANSWER:
        assert Endpoint.WRITE in endpoints_of(kind)
        for after in moments_of(kind, Endpoint.WRITE):
            with pytest.raises(httpx.TransportError):
                update(world, kind, after=after)


def test_an_endless_body_does_not_end_before_the_largest_cap(world: World) -> None:
    assert len(listing(world, FaultKind.ENDLESS_BODY).content) >= HUGE


def test_a_rehearsal_changes_nothing(world: World) -> None:
    with rehearsal(world):
        shown = world.change_licence(9001, {"count": 99}, actor=Actor.API)
        made = world.create_licence({"name": "x", "client_id": 11}, actor=Actor.API)
    assert shown["count"] == 99
    assert made["id"] not in world.licences
    assert world.licences[9001]["count"] == 10
    assert world.mutations == []
