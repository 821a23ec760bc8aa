"""Scripts of faults: what they match, how they are enumerated, drawn at random and kept as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.simulator.records import Endpoint, RequestRecord, System
from tests.faults.kinds import (
    EVENTS,
    Fault,
    FaultKind,
    Faults,
    endpoints_of,
    enumerate_single_faults,
    kinds_at,
    moments_of,
    random_faults,
)


def record(number: int, endpoint: Endpoint, path: str, method: str = "GET") -> RequestRecord:
    return RequestRecord(
        number=number,
        time=datetime(2026, 11, 22, tzinfo=UTC),
        system=System.HALO,
        endpoint=endpoint,
        method=method,
        path=path,
        query=(),
        body="",
        user_agent="",
        mutating=method != "GET",
    )


LISTING = record(1, Endpoint.LICENCES, "/api/SoftwareLicence")
WRITE = record(2, Endpoint.WRITE, "/api/SoftwareLicence", "POST")
RUN = (record(1, Endpoint.TOKEN, "/auth/token", "POST"), LISTING, LISTING, WRITE)


def fired(fault: Fault, requests: tuple[RequestRecord, ...]) -> list[bool]:
    faults = Faults([fault])
    return [bool(faults.take(each)) for each in requests]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("halo.licences", [False, True, False, False]),
        ("halo.*", [True, False, False, False]),
        ("*", [True, False, False, False]),
        ("POST /api/SoftwareLicence", [False, False, False, True]),
        ("GET /api/*", [False, True, False, False]),
        ("infima.*", [False, False, False, False]),
    ],
)
def test_a_fault_is_aimed_by_endpoint_or_by_method_and_path(at: str, expected: list[bool]) -> None:
    assert fired(Fault(kind=FaultKind.SERVER_ERROR, at=at), RUN) == expected


def test_the_nth_matching_request_is_met_and_those_that_follow_as_asked() -> None:
    fault = Fault(kind=FaultKind.SERVER_ERROR, at="halo.*", nth=2, times=2)
    assert fired(fault, RUN) == [False, True, True, False]


def test_what_fired_is_noted_with_the_request() -> None:
    fault = Fault(kind=FaultKind.HTML, at="halo.write")
    faults = Faults([fault])
    for each in RUN:
        faults.take(each)
    assert faults.fired == [(2, fault)]


def test_each_kind_has_an_endpoint_and_a_moment() -> None:
    for kind in FaultKind:
        assert endpoints_of(kind)
        for endpoint in endpoints_of(kind):
            assert moments_of(kind, endpoint)


def test_only_writes_go_wrong_after_their_effect() -> None:
    assert moments_of(FaultKind.SERVER_ERROR, Endpoint.WRITE) == (False, True)
    assert moments_of(FaultKind.SERVER_ERROR, Endpoint.LICENCES) == (False,)
    assert moments_of(FaultKind.CONNECT_ERROR, Endpoint.WRITE) == (False,)


def test_enumeration_holds_every_kind_at_every_request_once() -> None:
    found = enumerate_single_faults(RUN)
    expected = sum(len(moments_of(kind, each.endpoint)) for each in RUN for kind in kinds_at(each.endpoint))
    assert len(found) == len(set(found)) == expected
    assert {fault.nth for fault in found if fault.at == "GET /api/SoftwareLicence"} == {1, 2}


def test_enumeration_can_be_limited_to_some_kinds() -> None:
    found = enumerate_single_faults(RUN, [FaultKind.RESET])
    assert [(fault.at, fault.nth, fault.after) for fault in found] == [
        ("POST /auth/token", 1, False),
        ("GET /api/SoftwareLicence", 1, False),
        ("GET /api/SoftwareLicence", 2, False),
        ("POST /api/SoftwareLicence", 1, False),
        ("POST /api/SoftwareLicence", 1, True),
    ]


def test_a_seed_gives_the_same_script_and_another_seed_another() -> None:
    assert random_faults(7, number=5).script == random_faults(7, number=5).script
    assert len({random_faults(seed, number=5).script for seed in range(20)}) == 20


def test_random_faults_are_aimed_where_they_make_sense() -> None:
    drawn = [fault for seed in range(300) for fault in random_faults(seed).script]
    assert {fault.kind for fault in drawn} == set(FaultKind)
    for fault in drawn:
        assert Endpoint(fault.at) in endpoints_of(fault.kind)


def test_a_script_survives_json() -> None:
    faults = random_faults(3, number=6)
    assert Faults.from_json(faults.to_json()).script == faults.script


@pytest.mark.parametrize("row", [{"kind": "500", "whence": 1}, {"kind": "no-such-kind"}])
def test_a_script_with_unknown_words_is_refused(row: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Faults.from_json([row])


def test_a_new_script_counts_from_the_beginning() -> None:
    fault = Fault(kind=FaultKind.SERVER_ERROR, at="halo.licences")
    faults = Faults([fault])
    faults.take(LISTING)
    faults.replace(Faults([fault]))
    assert faults.take(LISTING) == (fault,)


def test_a_fault_reads_as_a_sentence() -> None:
    fault = Fault(kind=FaultKind.RESET, at="halo.write", nth=2, after=True)
    assert str(fault) == "reset after the effect at halo.write #2"


def test_events_are_no_answers() -> None:
    assert FaultKind.PERSON_DELETES in EVENTS
    assert FaultKind.SERVER_ERROR not in EVENTS
