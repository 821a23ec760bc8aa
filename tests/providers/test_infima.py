"""Reading INFIMA completely or not at all."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import (
    ApiError,
    Forbidden,
    IncompleteRead,
    NotAuthorised,
    RequestForbidden,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.model import InfimaClient, UnreadableUsers, UserCount
from tests.providers.wiring import API_KEY, Wiring, client, infima_list

CLIENTS = "/v1/clients"


def users_path(number: int) -> str:
    return f"/v1/clients/{number}/users"


def users(*statuses: Any) -> list[dict[str, Any]]:
    return [{"id": f"user-{n}", "status": status} for n, status in enumerate(statuses)]


def read_clients(wiring: Wiring, *pages: Any) -> tuple[InfimaClient, ...]:
    wiring.infima.answer(CLIENTS, *pages)
    return wiring.source.clients()


def test_partner_is_named(wiring: Wiring) -> None:
    wiring.infima.answer("/v1/partner", httpx.Response(200, json={"partner_name": "Northwind", "admins": []}))
    assert wiring.source.partner() == "Northwind"


@pytest.mark.parametrize("body", [{}, {"partner_name": None}, {"partner_name": " "}, [], "Northwind"])
def test_a_partner_without_a_name_is_unreadable(wiring: Wiring, body: Any) -> None:
    wiring.infima.answer("/v1/partner", httpx.Response(200, json=body))
    with pytest.raises(UnreadableAnswer):
        wiring.source.partner()


def test_the_key_travels_in_its_header_only(wiring: Wiring) -> None:
    read_clients(wiring, infima_list([client(1)]))
    request = wiring.infima.requests[0]
    assert request.headers["X-API-Key"] == API_KEY
    assert API_KEY not in str(request.url)


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (50, 1), (51, 2), (100, 2), (1_000, 20)])
def test_a_list_costs_no_page_more_than_it_has(wiring: Wiring, count: int, pages: int) -> None:
    found = read_clients(wiring, infima_list([client(n) for n in range(1, count + 1)]))
    assert [one.id for one in found] == list(range(1, count + 1))
    assert len(wiring.infima.requests) == pages


@given(count=st.integers(0, 130), seed=st.integers(0, 999), has_total=st.booleans())
@settings(max_examples=25, deadline=None)
def test_order_and_paging_do_not_matter(count: int, seed: int, *, has_total: bool) -> None:
    rows = [client(n) for n in range(1, count + 1)]
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order, not a secret
    wiring = Wiring()
    found = read_clients(wiring, infima_list(rows, total="count" if has_total else None))
    wiring.systems.close()
    assert [one.id for one in found] == list(range(1, count + 1))


def test_without_a_total_pages_are_read_until_an_empty_one(wiring: Wiring) -> None:
    read_clients(wiring, infima_list([client(n) for n in range(1, 101)], total=None))
    assert len(wiring.infima.requests) == 3


def test_without_a_total_a_repeated_page_is_an_error(wiring: Wiring) -> None:
    page = httpx.Response(200, json={"items": [client(1), client(2)]})
    with pytest.raises(IncompleteRead, match="repeats itself"):
        read_clients(wiring, page)


def test_without_a_total_a_short_page_in_the_middle_is_not_the_end(wiring: Wiring) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params["offset"])
        rows = [client(n) for n in range(start + 1, start + 51)][: 40 if start == 50 else 50]
        return httpx.Response(200, json={"items": rows if start < 150 else []})

    with pytest.raises(IncompleteRead, match="short"):
        read_clients(wiring, page)


@pytest.mark.parametrize("total", [1, 3, 51])
def test_a_total_that_is_never_met_is_refused_after_three_more_reads(wiring: Wiring, total: int) -> None:
    with pytest.raises(IncompleteRead) as caught:
        read_clients(wiring, infima_list([client(1), client(2)], total=total))
    assert caught.value.system == "INFIMA"
    assert len([r for r in wiring.infima.requests if r.url.params["offset"] == "0"]) == 4


def test_a_list_that_moved_once_is_read_again(wiring: Wiring) -> None:
    rows = [client(n) for n in range(1, 61)]
    moved = httpx.Response(200, json={"items": rows[:50], "total": 61})
    assert len(read_clients(wiring, moved, infima_list(rows))) == 60


def test_a_row_that_comes_twice_may_hide_another_one(wiring: Wiring) -> None:
    with pytest.raises(IncompleteRead):
        read_clients(wiring, infima_list([client(1), client(1)]))


@pytest.mark.parametrize("number", [None, 0, -1, "1", True, 1.5, 2**31])
def test_a_client_without_a_usable_id_spoils_the_list(wiring: Wiring, number: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="no usable id"):
        read_clients(wiring, infima_list([client(1), {**client(2), "id": number}]))


@pytest.mark.parametrize("body", [[], {}, {"items": None}, {"items": [1]}, {"items": [], "total": "0"}, {"items": {}}])
def test_another_envelope_is_unreadable(wiring: Wiring, body: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_clients(wiring, httpx.Response(200, json=body))


@pytest.mark.parametrize("value", [None, "4", True, -1, 4.5, 2**31])
def test_an_unusable_counter_is_none_and_not_zero(wiring: Wiring, value: Any) -> None:
    assert read_clients(wiring, infima_list([client(1, user_count=value)]))[0].user_count is None


def test_a_float_without_fraction_counts(wiring: Wiring) -> None:
    assert read_clients(wiring, infima_list([client(1, user_count=12.0)]))[0].user_count == 12


def test_a_missing_name_costs_only_the_name(wiring: Wiring) -> None:
    assert read_clients(wiring, infima_list([client(1, client_name=None)]))[0].name == ""


def test_active_users_are_counted_whatever_the_spelling(wiring: Wiring) -> None:
    wiring.infima.answer(users_path(7), infima_list(users("active", "Active", "ACTIVE", "inactive", "pending", None)))
    assert wiring.source.user_counts([7]) == (UserCount(client_id=7, active=3, listed=6, without_status=1),)
    assert wiring.infima.requests[0].url.params["status"] == "all"


@pytest.mark.parametrize("status", [None, "", " ", 1, True, []])
def test_users_without_a_status_are_counted_apart(wiring: Wiring, status: object) -> None:
    wiring.infima.answer(users_path(7), infima_list(users("active", status, "inactive")))
    [count] = wiring.source.user_counts([7])
    assert count == UserCount(client_id=7, active=1, listed=3, without_status=1)


def test_a_client_without_users_has_none(wiring: Wiring) -> None:
    wiring.infima.answer(users_path(7), infima_list([]))
    assert wiring.source.user_counts([7]) == (UserCount(client_id=7, active=0, listed=0),)


def test_all_pages_of_users_are_counted_in_the_order_asked(wiring: Wiring) -> None:
    for number, size in ((3, 120), (1, 50), (2, 51)):
        wiring.infima.answer(users_path(number), infima_list(users(*["active"] * size)))
    assert [(c.client_id, c.active) for c in wiring.source.user_counts([3, 1, 2])] == [(3, 120), (1, 50), (2, 51)]
    assert len(wiring.infima.requests) == 3 + 1 + 2


def test_without_a_total_users_are_counted_twice(wiring: Wiring) -> None:
    half, whole, end = (httpx.Response(200, json={"items": users(*["active"] * number)}) for number in (1, 2, 0))
    wiring.infima.answer(users_path(7), half, end, whole, end, whole, end)
    assert wiring.source.user_counts([7]) == (UserCount(client_id=7, active=2, listed=2),)  # type: ignore[list-item,arg-type]


@pytest.mark.parametrize("status", [{}, {"status": None}, {"status": 1}])
def test_users_without_any_status_cannot_be_counted(wiring: Wiring, status: dict[str, Any]) -> None:
    wiring.infima.answer(users_path(7), infima_list([{"id": 1, **status}, {"id": 2, **status}]))
    (count,) = wiring.source.user_counts([7])
    assert isinstance(count, UnreadableUsers)
    assert "status" in count.reason


def test_where_the_status_parameter_is_refused_it_is_left_out_and_remembered(wiring: Wiring) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        if "status" in request.url.params:
            return httpx.Response(400, json={"message": "unknown parameter"})
        return infima_list(users("active"))(request)

    for number in (1, 2, 3):
        wiring.infima.answer(users_path(number), page)
    for number in (1, 2, 3):
        assert wiring.source.user_counts([number])[0].active == 1
    assert len(wiring.infima.requests) == 4


def test_a_400_for_another_reason_does_not_switch_the_parameter_off(wiring: Wiring) -> None:
    wiring.infima.answer(users_path(1), httpx.Response(400))
    wiring.infima.answer(users_path(2), infima_list(users("active", "inactive")))
    wiring.source.user_counts([1])
    wiring.source.user_counts([2])
    assert wiring.infima.requests[-1].url.params["status"] == "all"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(200, json={"items": [{"status": "active"}], "total": 1}),
        httpx.Response(200, json={"items": [], "total": 5}),
        httpx.Response(200, text="<html>"),
        httpx.Response(503),
    ],
)
def test_one_client_that_cannot_be_read_leaves_the_others(wiring: Wiring, answer: httpx.Response) -> None:
    wiring.infima.answer(users_path(1), answer)
    wiring.infima.answer(users_path(2), infima_list(users("active")))
    broken, sound = wiring.source.user_counts([1, 2])
    assert isinstance(broken, UnreadableUsers)
    assert broken.reason.endswith(".")
    assert sound == UserCount(client_id=2, active=1, listed=1)


def test_a_401_for_one_client_refuses_the_run(wiring: Wiring) -> None:
    wiring.infima.answer(users_path(1), httpx.Response(401))
    with pytest.raises(NotAuthorised):
        wiring.source.user_counts([1])


def test_a_source_that_fails_client_after_client_is_down(wiring: Wiring) -> None:
    for number in range(1, 31):
        wiring.infima.answer(users_path(number), httpx.Response(503))
    with pytest.raises(ServerFailed):
        wiring.source.user_counts(list(range(1, 31)))


def test_forbidden_clients_in_a_row_are_no_outage(wiring: Wiring) -> None:
    for number in range(1, 31):
        wiring.infima.answer(users_path(number), httpx.Response(403))
    assert all(isinstance(c, UnreadableUsers) for c in wiring.source.user_counts(list(range(1, 31))))


@pytest.mark.parametrize(("status", "kind"), [(401, NotAuthorised), (403, Forbidden), (500, ServerFailed)])
def test_a_failing_client_list_raises(wiring: Wiring, status: int, kind: type[ApiError]) -> None:
    with pytest.raises(kind):
        read_clients(wiring, httpx.Response(status))


def test_a_hint_names_the_key_and_where_to_make_one(wiring: Wiring) -> None:
    with pytest.raises(NotAuthorised) as caught:
        read_clients(wiring, httpx.Response(401))
    assert "INFIMA_API_KEY" in caught.value.hint


def test_an_id_that_is_no_id_is_never_put_into_a_path(wiring: Wiring) -> None:
    with pytest.raises(RequestForbidden):
        wiring.source.user_counts([-5])
    assert wiring.infima.requests == []


def test_nothing_asked_is_nothing_sent(wiring: Wiring) -> None:
    assert wiring.source.user_counts([]) == ()


def test_progress_counts_every_client(wiring: Wiring) -> None:
    for number in (1, 2):
        wiring.infima.answer(users_path(number), infima_list(users("active")))
    wiring.source.user_counts([1, 2])
    assert [getattr(event, "done", None) for event in wiring.events] == [None, 1, 2, None]
