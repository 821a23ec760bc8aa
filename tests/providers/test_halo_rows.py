"""HaloPSA's rows: prices read exactly or not at all, writes that hold nothing else, answers judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from reconciler.errors import DeadlineExceeded, RequestForbidden
from reconciler.http.decoding import decode_json, whole_number
from reconciler.model import Json, MarkerField, RequestBudget, Settings
from reconciler.providers.base import Accepted, CountWrite, NewSubscription, Refused, Unclear, WriteRequest
from reconciler.providers.halo_rows import customer_of, monthly_unit_price
from tests.providers.wiring import SECRET, TOKEN, Wiring, halo_list, licence, token_answer


def row(text: str) -> dict[str, Json]:
    found = decode_json(text.encode())
    assert isinstance(found, dict)
    return found


def price(text: str, count: int | None = 12) -> Decimal | None:
    return monthly_unit_price(row(text), count)


@pytest.mark.parametrize("digits", ["2.75", "0.1", "2.7499", "3", "3.0", "275e-2", "0.30"])
def test_a_price_is_what_was_written_digit_for_digit(digits: str) -> None:
    assert price(f'{{"price": {digits}}}') == Decimal(digits)


def test_a_price_does_not_pass_through_a_binary_float() -> None:
    digits = "1234567.1000000000000000000001"
    assert price(f'{{"price": {digits}}}') == Decimal("1234567.1000")
    assert price('{"price": 0.00005000000000000000000000001}') == Decimal("0.0001")
    assert price('{"price": 0.00004999999999999999999999999}') is None


@pytest.mark.parametrize(
    "value", ["null", "0", "0.0", "-2.75", '"2.75"', "true", "[2.75]", "10000000", "0.00001", "1e300"]
)
def test_what_is_no_price_is_not_known(value: str) -> None:
    assert price(f'{{"price": {value}}}') is None


def test_an_absent_price_is_not_known() -> None:
    assert price("{}") is None


def test_a_monthly_price_alone_says_nothing() -> None:
    assert price('{"monthly_price": 2.75}') is None
    assert price('{"price": 0, "monthly_price": 2.75}') is None


@pytest.mark.parametrize(
    ("cycle", "unit"),
    [
        ('"Monthly"', "33"),
        ('" MONTHLY "', "33"),
        ('""', "33"),
        ("null", "33"),
        ('"Quarterly"', "11"),
        ('"Annual"', "2.75"),
        ('"P1Y"', "2.75"),
        ('"Fortnightly"', None),
        ("12", None),
    ],
)
def test_the_price_is_that_of_one_cycle(cycle: str, unit: str | None) -> None:
    assert price(f'{{"price": 33, "billing_cycle": {cycle}}}') == (unit and Decimal(unit))


def test_a_price_that_does_not_divide_is_kept_to_four_decimals() -> None:
    assert price('{"price": 100, "billing_cycle": "Yearly"}') == Decimal("8.3333")


@pytest.mark.parametrize(
    ("monthly", "agrees"),
    [("2.75", True), ("33.00", True), ("0", True), ("null", True), ("3.75", False), ("32", False)],
)
def test_a_monthly_price_is_a_second_witness(monthly: str, *, agrees: bool) -> None:
    """It may be meant for one user or for all twelve; anything else contradicts."""
    assert (price(f'{{"price": 2.75, "monthly_price": {monthly}}}') is not None) is agrees


def test_without_a_count_only_the_price_of_one_agrees() -> None:
    assert price('{"price": 2.75, "monthly_price": 2.75}', None) == Decimal("2.75")
    assert price('{"price": 2.75, "monthly_price": 33}', None) is None


@pytest.mark.parametrize("monthly", ["120", "120.00"])
def test_the_same_number_for_a_year_and_for_a_month_contradicts_also_with_twelve_users(monthly: str) -> None:
    row = f'{{"price": 120, "monthly_price": {monthly}, "billing_cycle": "Yearly"}}'
    assert [price(row, count) for count in (11, 12, 13)] == [None, None, None]


@pytest.mark.parametrize(
    ("stated", "currency"),
    [
        ("EUR", "EUR"),
        ("eur", None),
        ("E1R", None),
        ("Euro", None),
        ("", None),
        (None, None),
        (978, None),
        ("ÄÖÜ", None),
    ],
)
def test_a_currency_is_three_capital_letters_or_none(stated: Json, currency: str | None) -> None:
    assert customer_of({"id": 1, "clientcurrency": stated}).currency == currency


def test_numbers_of_the_wire_stay_numbers() -> None:
    found = row('{"count": 5.0, "half": 2.5}')
    assert (whole_number(found["count"]), whole_number(found["half"])) == (5, None)
    assert json.dumps(found) == '{"count": 5.0, "half": 2.5}'
    assert found == {"count": 5.0, "half": 2.5}


LICENCES = "/api/SoftwareLicence"
NEW = NewSubscription(key="infima-101", customer_id=12, name='Training "A" \u2013 ü')


def counts(*pairs: tuple[int, Any]) -> list[CountWrite]:
    return [CountWrite(subscription_id=number, count=count) for number, count in pairs]


@pytest.fixture
def listed(wiring: Wiring) -> Wiring:
    """A wiring whose run has listed the Subscriptions 9 and 10."""
    wiring.halo.answer(LICENCES, halo_list([licence(9), licence(10)]))
    wiring.target.subscriptions()
    wiring.halo.requests.clear()
    return wiring


def create(wiring: Wiring, *answers: Any) -> Any:
    wiring.halo.answer(LICENCES, *answers)
    return wiring.target.send(wiring.target.prepare_create(NEW))


def update(wiring: Wiring, *answers: Any) -> Any:
    wiring.halo.answer(LICENCES, *answers)
    return wiring.target.send(wiring.target.prepare_counts(counts((9, 7), (10, 0))))


# -- bodies -------------------------------------------------------------------------------------------------------


def test_a_create_is_an_array_of_one_with_count_0_and_the_marker(wiring: Wiring) -> None:
    assert wiring.target.prepare_create(NEW).body == (
        b'[{"type":1,"client_id":12,"name":"Training \\"A\\" \\u2013 \\u00fc","snowid":"infima-101","count":0}]'
    )


def test_without_a_marker_field_a_create_carries_none(make_wiring: Callable[..., Wiring]) -> None:
    wiring = make_wiring(settings=Settings(marker_field=MarkerField.NONE))
    assert set(json.loads(wiring.target.prepare_create(NEW).body)[0]) == {"type", "client_id", "name", "count"}


def test_an_update_holds_ids_and_counts_and_nothing_else(listed: Wiring) -> None:
    request = listed.target.prepare_counts(counts((9, 7), (10, 0)))
    assert request.body == b'[{"id":9,"count":7},{"id":10,"count":0}]'


@pytest.mark.parametrize("number", [11, 0, -9, "9", True, None])
def test_an_id_that_no_listing_gave_is_never_written(listed: Wiring, number: Any) -> None:
    with pytest.raises(RequestForbidden):
        listed.target.prepare_counts(counts((number, 7)))


@pytest.mark.parametrize("count", [-1, 2**31, 2.0, "7", True, None])
def test_a_count_that_is_no_whole_number_is_never_written(listed: Wiring, count: Any) -> None:
    with pytest.raises(RequestForbidden):
        listed.target.prepare_counts(counts((9, count)))


@pytest.mark.parametrize("pairs", [(), ((9, 7), (9, 8))])
def test_no_row_or_one_row_twice_is_never_written(listed: Wiring, pairs: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(RequestForbidden):
        listed.target.prepare_counts(counts(*pairs))


@pytest.mark.parametrize("change", [{"customer_id": 0}, {"customer_id": "12"}, {"name": " "}, {"key": ""}])
def test_a_create_without_a_customer_a_name_or_a_key_is_never_sent(wiring: Wiring, change: dict[str, Any]) -> None:
    members = {"key": NEW.key, "customer_id": NEW.customer_id, "name": NEW.name, **change}
    with pytest.raises(RequestForbidden):
        wiring.target.prepare_create(NewSubscription(**members))


FORGED = [
    [],
    {"id": 9, "count": 7},
    [{"id": 9, "count": 7, "name": "x"}],
    [{"id": 9}],
    [{"id": 11, "count": 7}],
    [{"id": None, "count": 7}],
    [{"type": 1, "client_id": 12, "name": "x", "count": 5}],
    [{"type": 1, "client_id": 12, "name": "x"}],
    [{"client_id": 12, "name": "x", "count": 0}, {"client_id": 12, "name": "y", "count": 0}],
    [{"id": 9, "count": 7}, {"client_id": 12, "name": "x", "count": 0}],
]


@pytest.mark.parametrize("body", FORGED, ids=range(len(FORGED)))
def test_a_body_that_was_tampered_with_is_stopped_at_the_last_gate(listed: Wiring, body: Any) -> None:
    with pytest.raises(RequestForbidden):
        listed.target.send(WriteRequest(body=json.dumps(body).encode()))
    assert listed.halo.requests == []


def test_what_goes_out_are_the_prepared_bytes(listed: Wiring) -> None:
    request = listed.target.prepare_counts(counts((9, 7)))
    listed.halo.answer(LICENCES, httpx.Response(201, json={"id": 9, "count": 7}))
    listed.target.send(request)
    (sent,) = listed.halo.requests
    assert (sent.method, sent.content, sent.headers["Content-Type"]) == ("POST", request.body, "application/json")


# -- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("wrap", [lambda row: row, lambda row: [row]], ids=["object", "array"])
def test_a_create_is_accepted_in_both_shapes(wiring: Wiring, status: int, wrap: Callable[[Any], Any]) -> None:
    row = {"id": 77.0, "client_id": 12, "count": 0, "type": 1}
    assert create(wiring, httpx.Response(status, json=wrap(row))) == Accepted(subscription_id=77)


def test_a_create_that_names_no_id_is_accepted_without_one(wiring: Wiring) -> None:
    assert create(wiring, httpx.Response(201, json={"client_id": 12})) == Accepted(subscription_id=None)


@pytest.mark.parametrize(
    "body",
    [
        [{"id": 9, "count": 7}, {"id": 10, "count": 0}],
        [{"id": 10, "count": 0.0}],
        {"id": 9, "count": 7, "client_id": 12, "name": "anything"},
        {"id": 9},
    ],
)
def test_an_update_is_accepted_when_nothing_contradicts_it(listed: Wiring, body: Any) -> None:
    assert update(listed, httpx.Response(200, json=body)) == Accepted()


@pytest.mark.parametrize(
    "body",
    [
        {"id": 11, "count": 7},
        {"id": 9, "count": 8},
        {"id": 9, "count": None},
        {"id": 9, "count": "7"},
        {"id": "9", "count": 7},
        [{"id": 9, "count": 7}, {"id": 10, "count": 3}],
        [{"id": 9}, {"id": 10}, {"id": 9}],
        [{"id": 9, "count": 7}, None],
        {"id": 9, "_warning": "count was not changed"},
        {},
        [],
        None,
        "ok",
    ],
)
def test_a_2xx_that_contradicts_or_confirms_nothing_is_unclear(listed: Wiring, body: Any) -> None:
    answer = update(listed, httpx.Response(200, json=body))
    assert isinstance(answer, Unclear)
    assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"id": 77, "client_id": 13},
        {"id": 77, "count": 5},
        {"id": 0},
        {"id": "77"},
        [{"id": 77}, {"id": 78}],
        {"id": 77, "_warning": "duplicate"},
    ],
)
def test_a_created_object_that_is_not_what_was_sent_is_unclear(wiring: Wiring, body: Any) -> None:
    assert isinstance(create(wiring, httpx.Response(201, json=body)), Unclear)


@pytest.mark.parametrize("content", [b"", b"<html>ok</html>", b'{"id": 77', b'{"id":77,"id":78}', b"\xff"])
def test_a_2xx_that_cannot_be_read_is_unclear(wiring: Wiring, content: bytes) -> None:
    assert isinstance(create(wiring, httpx.Response(200, content=content)), Unclear)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 415, 422])
def test_a_definite_no_is_refused_with_halos_words(wiring: Wiring, status: int) -> None:
    body = {"ClassName": "System.Exception", "Message": "Customer is inactive", "StackTraceString": "at Halo.Secret"}
    assert create(wiring, httpx.Response(status, json=body)) == Refused(status=status, message="Customer is inactive")


def test_only_a_403_lacks_a_right(wiring: Wiring) -> None:
    assert create(wiring, httpx.Response(403)).lacks_right
    assert not create(wiring, httpx.Response(400)).lacks_right


@pytest.mark.parametrize("status", [100 + 202, 307, 401, 402, 408, 418, 429, 500, 502, 503, 504])
def test_every_other_status_is_unclear_and_sent_once(wiring: Wiring, status: int) -> None:
    answer = create(wiring, httpx.Response(status, headers={"Location": "https://evil.example/"}))
    assert isinstance(answer, Unclear)
    assert answer.status == status
    assert len(wiring.halo.asked(LICENCES)) == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")])
def test_a_connection_that_was_never_made_is_a_refusal_without_status(wiring: Wiring, failure: Exception) -> None:
    answer = create(wiring, failure)
    assert isinstance(answer, Refused)
    assert answer.status is None
    assert len(wiring.halo.asked(LICENCES)) == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("late"),
        httpx.WriteTimeout("late"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.CloseError("closed"),
        httpx.RemoteProtocolError("garbage"),
        httpx.LocalProtocolError("odd"),
        httpx.DecodingError("gzip"),
        RuntimeError("a bug below"),
        MemoryError(),
    ],
)
def test_every_other_failure_of_a_write_is_unclear_and_sent_once(wiring: Wiring, failure: Exception) -> None:
    assert isinstance(create(wiring, failure), Unclear)
    assert len(wiring.halo.asked(LICENCES)) == 1


def test_a_compressed_answer_to_a_write_is_unclear(wiring: Wiring) -> None:
    def zipped(_request: httpx.Request) -> httpx.Response:
        response = httpx.Response(200, json={"id": 77})
        response.headers["Content-Encoding"] = "gzip"
        return response

    assert isinstance(create(wiring, zipped), Unclear)


def test_halos_words_never_hold_a_secret(wiring: Wiring) -> None:
    answer = create(wiring, httpx.Response(400, json={"Message": f"Bearer {TOKEN} and {SECRET} were sent"}))
    assert answer.message == "Bearer *** and *** were sent"


def test_a_warning_never_holds_a_secret(wiring: Wiring) -> None:
    answer = create(wiring, httpx.Response(200, json={"id": 77, "_warning": {"seen": TOKEN}}))
    assert "***" in answer.message
    assert TOKEN not in answer.message


# -- token and budget ---------------------------------------------------------------------------------------------


def test_without_a_token_a_write_was_surely_not_sent(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", httpx.Response(401))
    answer = create(wiring, httpx.Response(201, json={"id": 77}))
    assert isinstance(answer, Refused)
    assert answer.status is None
    assert wiring.halo.asked(LICENCES) == []


def test_a_401_to_a_write_is_unclear_and_the_next_request_has_a_new_token(wiring: Wiring) -> None:
    create(wiring, httpx.Response(401))
    create(wiring, httpx.Response(201, json={"id": 77}))
    assert len(wiring.halo.asked("/auth/token")) == 2


@pytest.mark.parametrize(("life", "age", "asked"), [(1_000, 699, 1), (1_000, 701, 2), (60, 29, 1), (60, 31, 2)])
def test_a_token_near_its_end_is_renewed_before_a_write(wiring: Wiring, life: int, age: int, asked: int) -> None:
    wiring.halo.answer("/auth/token", token_answer(expires_in=life))
    create(wiring, httpx.Response(201, json={"id": 77}))
    wiring.clock.sleep(age)
    create(wiring, httpx.Response(201, json={"id": 78}))
    assert len(wiring.halo.asked("/auth/token")) == asked


def test_after_the_runs_time_a_write_was_surely_not_sent(listed: Wiring) -> None:
    request = listed.target.prepare_counts(counts((9, 7)))
    listed.clock.sleep(1_801)
    answer = listed.target.send(request)
    assert isinstance(answer, Refused)
    assert answer.status is None
    assert listed.halo.asked(LICENCES) == []


def test_awaiting_the_budget_leaves_room_for_all_of_them(make_wiring: Callable[..., Wiring]) -> None:
    wiring = make_wiring(settings=Settings(halo_budget=RequestBudget(requests=10, seconds=100)))
    wiring.halo.answer(LICENCES, halo_list([]))
    for _ in range(6):
        wiring.target.subscriptions()
    wiring.target.await_budget(8)
    waited = len(wiring.waits)
    for _ in range(8):
        wiring.target.subscriptions()
    assert waited > 0
    assert len(wiring.waits) == waited


# -- what an instance demands besides id and count ----------------------------------------------------------------


def listed_as(wiring: Wiring, **members: Any) -> Wiring:
    wiring.halo.answer(LICENCES, halo_list([{**licence(9), **members}]))
    wiring.target.subscriptions()
    return wiring


def test_what_goes_along_is_exactly_what_the_last_listing_showed(wiring: Wiring) -> None:
    listed_as(wiring, client_id=12, name='A "B" \u2013 ü', type=1)
    listed_as(wiring, client_id=13.0, name="Renamed", type=1.0)
    request = wiring.target.prepare_counts(counts((9, 7)), along=("client_id", "name", "type"))
    assert request.body == b'[{"id":9,"count":7,"client_id":13,"name":"Renamed","type":1}]'


def test_what_the_listing_does_not_show_is_left_out(wiring: Wiring) -> None:
    listed_as(wiring, client_id=None, name="A", type=None)
    request = wiring.target.prepare_counts(counts((9, 7)), along=("client_id", "name", "type"))
    assert json.loads(request.body) == [{"id": 9, "count": 7, "name": "A"}]


@pytest.mark.parametrize(
    "row",
    [
        {"id": 9, "count": 7, "client_id": 13},
        {"id": 9, "count": 7, "name": "Another"},
        {"id": 9, "count": 7, "client_id": 12, "type": 0},
        {"id": 9, "count": 7, "client_id": None},
        {"id": 9, "count": 7, "price": 2.5},
        {"id": 9, "client_id": 12},
    ],
    ids=str,
)
def test_a_row_that_would_change_more_than_the_count_never_leaves(wiring: Wiring, row: dict[str, Any]) -> None:
    listed_as(wiring, client_id=12, name="A", type=1, price=2.5)
    wiring.halo.requests.clear()
    with pytest.raises(RequestForbidden, match="Nothing was sent"):
        wiring.target.send(WriteRequest(body=json.dumps([row]).encode()))
    assert not wiring.halo.requests


def test_a_row_without_its_id_is_held_against_nothing(listed: Wiring) -> None:
    """The listing that follows decides (FAULTS W19)."""
    assert update(listed, httpx.Response(200, json={"count": 3})) == Accepted()


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), (None, None), ("soon", None)])
def test_a_429_says_how_long_to_wait(listed: Wiring, header: str | None, seconds: float | None) -> None:
    answer = update(listed, httpx.Response(429, headers={"Retry-After": header} if header else {}))
    assert (answer.throttled, answer.retry_after) == (True, seconds)


def test_a_wait_that_was_asked_for_is_told_and_has_its_end(wiring: Wiring) -> None:
    wiring.target.wait(30, "HaloPSA's request limit is reached.")
    assert wiring.waits == [30]
    with pytest.raises(DeadlineExceeded):
        wiring.target.wait(1e6, "HaloPSA's request limit is reached.")
