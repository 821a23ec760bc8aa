"""What the check-up makes of the facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciler.answers import doctor as checkup
from reconciler.answers.doctor import Check, CheckStatus
from reconciler.model import (
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    MappingKey,
    RunId,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.state.recorded import BindingOrigin, HaloFacts, ProbeAttempt, ProbeRecord, Recorded
from tests.builders import NOW, TENANT, build_mapping, build_mappings, build_subscription
from tests.core import build_attempt, build_binding

NEEDED = ("read:customers", "read:invoices", "edit:softwarelicensing")
MAPPINGS = build_mappings(build_mapping(101, 12), build_mapping(102, 13))


def client(number: int, users: int | None = None, inactive: int | None = None) -> InfimaClient:
    return InfimaClient(
        id=InfimaClientId(number), name=f"Client {number}", user_count=users, inactive_user_count=inactive
    )


def count(number: int, active: int, listed: int) -> UserCount:
    return UserCount(client_id=InfimaClientId(number), active=active, listed=listed)


@pytest.mark.parametrize(
    ("granted", "status", "said"),
    [
        (frozenset(NEEDED), CheckStatus.OK, "exactly"),
        (frozenset(NEEDED[:2]), CheckStatus.FAILED, "edit:softwarelicensing"),
        (frozenset({*NEEDED, "all"}), CheckStatus.LOOK, "more is granted than needed: all"),
        (None, CheckStatus.OK, "does not say"),
    ],
)
def test_scopes(granted: frozenset[str] | None, status: CheckStatus, said: str) -> None:
    check = checkup.check_scopes(granted, NEEDED)
    assert (check.status, said in check.message) == (status, True)
    assert bool(check.fix) == (status is not CheckStatus.OK)


@pytest.mark.parametrize(
    ("numbers", "status", "said"),
    [
        ([101, 102], CheckStatus.OK, "2 listed"),
        ([101, 103, 104], CheckStatus.LOOK, "1 mapped ones are not among them: 102"),
        ([101], CheckStatus.FAILED, "limited to that client"),
        ([], CheckStatus.FAILED, "the list is empty"),
    ],
)
def test_clients(numbers: list[int], status: CheckStatus, said: str) -> None:
    check = checkup.check_clients(MAPPINGS, [client(number) for number in numbers])
    assert (check.status, said in check.message) == (status, True)


def test_one_client_alone_is_worth_a_look_before_anything_is_mapped() -> None:
    assert checkup.check_clients(None, [client(101)]).status is CheckStatus.LOOK


@pytest.mark.parametrize(
    ("users", "status", "said"),
    [
        (9, CheckStatus.OK, "client_record may be used"),
        (12, CheckStatus.LOOK, "seems to count all users"),
        (11, CheckStatus.LOOK, "seems to count something else"),
        (None, CheckStatus.OK, "has no user_count"),
    ],
)
def test_counters(users: int | None, status: CheckStatus, said: str) -> None:
    check = checkup.check_counters([client(101, users)], [count(101, 9, 12)])
    assert (check.status, said in check.message) == (status, True)


def test_unreadable_users_fail_the_counters() -> None:
    unreadable = UnreadableUsers(client_id=InfimaClientId(101), reason="403")
    assert checkup.check_counters([client(101, 9)], [unreadable]).status is CheckStatus.FAILED


def test_the_sample_prefers_mapped_clients_with_inactive_users() -> None:
    clients = [client(900, 5, 99), client(101, 5, 0), client(102, 5, 3)]
    assert [c.id for c in checkup.sample_of(MAPPINGS, clients)] == [102, 101, 900]
    assert len(checkup.sample_of(None, [client(n) for n in range(1, 40)])) == checkup.SAMPLE


def test_a_marker_that_halo_swallowed_is_told() -> None:
    recorded = Recorded(bindings={MappingKey("infima-101"): build_binding(9001)})
    lost = checkup.check_marker(MAPPINGS, recorded, [build_subscription(9001)])
    kept = checkup.check_marker(MAPPINGS, recorded, [build_subscription(9001, marker="infima-101")])
    assert (lost.status, kept.status) == (CheckStatus.LOOK, CheckStatus.OK)


def test_an_adopted_subscription_needs_no_marker() -> None:
    recorded = Recorded(bindings={MappingKey("infima-101"): build_binding(9001, origin=BindingOrigin.ADOPTED)})
    assert checkup.check_marker(MAPPINGS, recorded, [build_subscription(9001)]).status is CheckStatus.OK


def test_a_state_of_other_systems_fails() -> None:
    other = Recorded(tenant=Tenant(halo_url="https://other.example", infima_partner="Acme MSP"))
    assert checkup.check_state(other, "directory x", TENANT, unfinished=0).status is CheckStatus.FAILED


def test_open_attempts_unfinished_runs_and_short_lived_states_are_worth_a_look() -> None:
    attempt = build_attempt()
    open_one = Recorded(attempts={attempt.key: attempt})
    assert "reconciler explain infima-101" in checkup.check_state(open_one, "x", None, unfinished=0).fix
    assert checkup.check_state(Recorded(), "x", None, unfinished=2).status is CheckStatus.LOOK
    assert checkup.check_state(Recorded(durable=False), "x", None, unfinished=0).status is CheckStatus.LOOK
    assert checkup.check_state(Recorded(), "x", None, unfinished=0).status is CheckStatus.OK


@pytest.mark.parametrize(("hours", "status"), [(35, CheckStatus.OK), (37, CheckStatus.LOOK)])
def test_an_old_good_run_is_worth_a_look(hours: int, status: CheckStatus) -> None:
    recorded = Recorded(last_good_run=NOW - timedelta(hours=hours))
    assert checkup.check_last_run(recorded, NOW).status is status


@pytest.mark.parametrize(("seconds", "said"), [(0, "agrees"), (-300, "300 s behind"), (300, "300 s ahead of")])
def test_the_clock(seconds: int, said: str) -> None:
    assert said in checkup.check_clock(timedelta(seconds=seconds)).message


def test_the_verdict_counts_failures_before_notes() -> None:
    good, note = checkup.ok("a", "b"), checkup.look("a", "b", "c")
    bad = checkup.failed("a", "b", "c")
    assert checkup.verdict([good]) == "Connected."
    assert checkup.verdict([good, note]) == "Connected. 1 thing is worth a look."
    assert checkup.verdict([bad, note]) == "Not connected: 1 check failed."
    assert not checkup.connected([good, bad])
    assert checkup.connected([Check(name="a", status=CheckStatus.SKIPPED, message="b")])


def test_what_updates_must_hold_is_told() -> None:
    assert checkup.check_habits(HaloFacts()).message.startswith("nothing unusual was seen yet")
    told = checkup.check_habits(HaloFacts(update_members=("client_id", "name", "type")))
    assert (told.status, told.message) == (
        CheckStatus.OK,
        "an update must also hold client_id, name, type, unchanged; every update does",
    )


def probed(**members: Any) -> Recorded:
    answers = {"paging": "yes: it holds others", "bad-row": "no: none of them was written", "page-rows": "could not"}
    record = ProbeRecord(at=NOW - timedelta(days=3), halo_url=TENANT.halo_url, answers=answers, **members)
    return Recorded(halo=HaloFacts(probe=record))


def test_a_probe_is_told_with_its_age_and_with_what_is_not_so() -> None:
    (told,) = checkup.check_probe(probed(), TENANT.halo_url, NOW)
    assert told.status is CheckStatus.OK
    assert "3 days ago: 1 yes, 1 no, 1 could not be told. No: bad-row (none of them was written)" in told.message


def test_an_old_probe_is_worth_another_one() -> None:
    (told,) = checkup.check_probe(probed(), TENANT.halo_url, NOW + timedelta(days=180))
    assert (told.status, "reconciler probe --customer ID" in told.fix) == (CheckStatus.LOOK, True)


def test_what_forbids_writing_fails_and_advice_is_worth_a_look() -> None:
    recorded = probed(unfit={"update-frame": "an update resets notes"}, advice=("set the marker field",))
    unfit, advice, _ = checkup.check_probe(recorded, TENANT.halo_url, NOW)
    assert (unfit.status, advice.status) == (CheckStatus.FAILED, CheckStatus.LOOK)
    assert "halo-unfit" in unfit.message
    assert "an update resets notes" in unfit.message


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ("yes: given back unchanged", CheckStatus.OK, "the probe found that HaloPSA keeps it"),
        ("no: it is empty or left out", CheckStatus.LOOK, "the probe found it is empty or left out"),
        ("could not be told: x", CheckStatus.OK, "shows with the first create"),
    ],
)
def test_the_marker_line_knows_what_a_probe_found(found: str, status: CheckStatus, said: str) -> None:
    record = ProbeRecord(
        at=NOW, halo_url=TENANT.halo_url, answers={"marker-snowid": found, "update-alone": "yes: taken"}
    )
    recorded = Recorded(halo=HaloFacts(probe=record))
    check = checkup.check_marker(build_mappings(), recorded, [])
    assert (check.status, said in check.message) == (status, True)
    assert "the probe found that an update needs an id and a count" in checkup.check_habits(recorded.halo).message


@pytest.mark.parametrize(("recorded", "url"), [(Recorded(), TENANT.halo_url), (probed(), "https://other.example")])
def test_a_halo_that_was_not_asked_is_told_how_to_ask_it(recorded: Recorded, url: str) -> None:
    (told,) = checkup.check_probe(recorded, url, NOW)
    assert (told.status, told.fix) == (CheckStatus.OK, "Ask it: reconciler probe --customer ID")


def test_a_probe_that_was_cut_off_is_told_with_its_customer() -> None:
    attempt = ProbeAttempt(customer_id=HaloCustomerId(77), word="w", run=RunId("r"), recorded_at=NOW)
    told = next(checkup.check_probe(Recorded(probes=(attempt,)), TENANT.halo_url, NOW))
    assert told.status is CheckStatus.LOOK
    assert "reconciler probe --customer 77" in told.fix


def test_a_proxy_that_is_used_and_one_that_is_not() -> None:
    assert checkup.check_proxy("", "").message == "none"
    assert checkup.check_proxy("http://proxy.example.com:3128", "").message.endswith("http://proxy.example.com:3128")
    unused = checkup.check_proxy("", "HTTPS_PROXY")
    assert (unused.status, "RECONCILER_PROXY" in unused.fix) == (CheckStatus.LOOK, True)
