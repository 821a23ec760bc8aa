"""Reading HaloPSA completely, and the token that goes with every request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from reconciler.errors import (
    Forbidden,
    IncompleteRead,
    NotAuthorised,
    NotFound,
    Rejected,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.model import HaloCustomer, MarkerField, Settings, Subscription
from tests.providers.wiring import ENVIRON, SECRET, TOKEN, Wiring, halo_list, licence, token_answer

LICENCES, CUSTOMERS, INVOICES = "/api/SoftwareLicence", "/api/Client", "/api/RecurringInvoice"


def list_licences(wiring: Wiring, *pages: Any) -> tuple[Subscription, ...]:
    wiring.halo.answer(LICENCES, *pages)
    return wiring.target.subscriptions()


def one(wiring: Wiring, **members: Any) -> Subscription:
    row = {name: value for name, value in licence(9, **members).items() if value is not ...}
    return list_licences(wiring, halo_list([row]))[0]


# -- the token ----------------------------------------------------------------------------------------------------


def test_the_token_is_asked_for_with_exactly_three_scopes(wiring: Wiring) -> None:
    list_licences(wiring, halo_list([]))
    (request,) = wiring.halo.asked("/auth/token")
    form = parse_qs(request.content.decode())
    assert form["scope"] == ["read:customers read:invoices edit:softwarelicensing"]
    assert form["grant_type"] == ["client_credentials"]
    assert form["client_secret"] == [SECRET]
    assert request.url.query == b""


def test_the_tenant_is_a_query_parameter(make_wiring: Callable[..., Wiring]) -> None:
    wiring = make_wiring(environ={**ENVIRON, "HALO_TENANT": "acme"})
    list_licences(wiring, halo_list([]))
    assert wiring.halo.asked("/auth/token")[0].url.params["tenant"] == "acme"


def test_one_token_serves_many_reads(wiring: Wiring) -> None:
    list_licences(wiring, halo_list([]))
    list_licences(wiring, halo_list([]))
    assert len(wiring.halo.asked("/auth/token")) == 1
    assert wiring.halo.asked(LICENCES)[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(("age", "asked"), [(2_879, 1), (2_881, 2)])
def test_a_token_is_renewed_at_four_fifths_of_its_life(wiring: Wiring, age: int, asked: int) -> None:
    list_licences(wiring, halo_list([]))
    wiring.clock.sleep(age)
    wiring.systems.target._transport._deadline.ends_at += age
    list_licences(wiring, halo_list([]))
    assert len(wiring.halo.asked("/auth/token")) == asked


@pytest.mark.parametrize("life", [None, 0, -5, "soon", True, [], 1e300])
def test_an_absurd_life_is_survived(wiring: Wiring, life: Any) -> None:
    wiring.halo.answer("/auth/token", token_answer(expires_in=life))
    assert list_licences(wiring, halo_list([])) == ()


def test_a_life_written_as_a_string_is_believed(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", token_answer(expires_in="60"))
    list_licences(wiring, halo_list([]))
    wiring.clock.sleep(50)
    list_licences(wiring, halo_list([]))
    assert len(wiring.halo.asked("/auth/token")) == 2


@pytest.mark.parametrize(
    "members",
    [
        {"access_token": None},
        {"access_token": 5},
        {"access_token": ""},
        {"access_token": "a\r\nX-Injected: 1"},
        {"access_token": "x" * 20_000},
        {"token_type": "mac"},
    ],
)
def test_a_token_that_cannot_be_used_is_unreadable(wiring: Wiring, members: dict[str, Any]) -> None:
    wiring.halo.answer("/auth/token", token_answer(**members))
    with pytest.raises(UnreadableAnswer, match="bearer token"):
        list_licences(wiring, halo_list([]))


def test_the_token_request_is_repeated_like_a_read(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", httpx.Response(503), httpx.ConnectError("refused"), token_answer())
    assert list_licences(wiring, halo_list([])) == ()
    assert len(wiring.halo.asked("/auth/token")) == 3


def test_a_refused_client_is_said_with_halos_words_and_where_to_look(wiring: Wiring) -> None:
    words = {"error": "invalid_client", "error_description": f"The secret {SECRET} is wrong"}
    wiring.halo.answer("/auth/token", httpx.Response(401, json=words))
    with pytest.raises(NotAuthorised, match=r"The secret \*\*\* is wrong") as caught:
        list_licences(wiring, halo_list([]))
    assert "HALO_CLIENT_SECRET" in caught.value.hint


def test_a_token_request_that_is_wrong_otherwise_asks_for_no_other_scopes(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", httpx.Response(400, json={"error": "invalid_request"}))
    with pytest.raises(Rejected, match="invalid_request"):
        list_licences(wiring, halo_list([]))
    assert len(wiring.halo.asked("/auth/token")) == 1


def test_granted_scopes_are_what_halo_names(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", token_answer(scope="all read:customers"))
    assert wiring.target.granted_scopes == {"all", "read:customers"}


@pytest.mark.parametrize(
    ("granted", "lacking"),
    [
        ("read:customers read:invoices", "edit:softwarelicensing"),
        ("read:customers read:softwarelicensing", "edit:softwarelicensing"),
        ("read:customers read:invoices edit:softwarelicensing", None),
        ("all", None),
        (None, None),
    ],
)
def test_a_right_that_the_token_does_not_grant_is_named_before_anything_is_read(
    wiring: Wiring, granted: str | None, lacking: str | None
) -> None:
    wiring.halo.answer("/auth/token", token_answer(scope=granted))
    if lacking is None:
        assert list_licences(wiring, halo_list([])) == ()
        return
    with pytest.raises(Forbidden, match=f"does not grant {lacking}") as caught:
        list_licences(wiring, halo_list([]))
    assert "Read and Modify" in caught.value.hint
    assert wiring.halo.asked(LICENCES) == []


def test_scopes_that_halo_does_not_name_are_unknown(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", token_answer(scope=None))
    assert wiring.target.granted_scopes is None


def test_a_401_renews_the_token_once_and_asks_again(wiring: Wiring) -> None:
    assert list_licences(wiring, httpx.Response(401), halo_list([licence(9)]))[0].id == 9
    assert len(wiring.halo.asked("/auth/token")) == 2


def test_a_second_401_names_the_permission(wiring: Wiring) -> None:
    with pytest.raises(NotAuthorised) as caught:
        list_licences(wiring, httpx.Response(401))
    assert "edit:softwarelicensing" in caught.value.hint
    assert len(wiring.halo.asked(LICENCES)) == 4, "once more with a new token, and so with read:softwarelicensing"


def test_a_403_names_the_permission_at_once(wiring: Wiring) -> None:
    wiring.halo.answer(CUSTOMERS, httpx.Response(403))
    with pytest.raises(Forbidden) as caught:
        wiring.target.customers()
    assert "read:customers" in caught.value.hint
    assert len(wiring.halo.asked(CUSTOMERS)) == 1


# -- listings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "cap", "pages"), [(0, 1_000, 1), (1_000, 1_000, 2), (1_001, 1_000, 2), (120, 50, 3)])
def test_a_listing_costs_one_page_more_only_where_the_count_proves_nothing(
    wiring: Wiring, count: int, cap: int, pages: int
) -> None:
    found = list_licences(wiring, halo_list([licence(n) for n in range(1, count + 1)], cap=cap))
    assert len(found) == count
    assert len(wiring.halo.asked(LICENCES)) == pages


@pytest.mark.parametrize("cap", [1, 7, 50, 1_000])
def test_without_a_count_of_records_an_empty_page_ends_the_listing(wiring: Wiring, cap: int) -> None:
    found = list_licences(wiring, halo_list([licence(n) for n in range(1, 22)], cap=cap, total=None))
    assert [subscription.id for subscription in found] == list(range(1, 22))


def test_the_size_that_the_server_grants_is_asked_for_afterwards(wiring: Wiring) -> None:
    list_licences(wiring, halo_list([licence(n) for n in range(1, 121)], cap=50))
    assert sorted((r.url.params["page_no"], r.url.params["page_size"]) for r in wiring.halo.asked(LICENCES)) == [
        ("1", "1000"),
        ("2", "50"),
        ("3", "50"),
    ]


def test_a_server_that_repeats_the_first_page_is_refused(wiring: Wiring) -> None:
    rows = [licence(n) for n in range(1, 51)]
    with pytest.raises(IncompleteRead):
        list_licences(wiring, httpx.Response(200, json={"licences": rows, "record_count": 120}))


def test_a_server_that_repeats_a_page_without_a_count_is_refused(wiring: Wiring) -> None:
    with pytest.raises(IncompleteRead, match="repeats itself"):
        list_licences(wiring, httpx.Response(200, json={"licences": [licence(1)]}))


def test_inactive_rows_are_asked_for_in_a_stable_order(wiring: Wiring) -> None:
    list_licences(wiring, halo_list([]))
    params = dict(wiring.halo.asked(LICENCES)[0].url.params)
    assert params["includeinactive"] == "true"
    assert (params["order"], params["orderdesc"], params["pageinate"]) == ("id", "false", "true")


def test_the_order_of_rows_does_not_matter(wiring: Wiring) -> None:
    found = list_licences(wiring, halo_list([licence(3), licence(1), licence(2)]))
    assert [subscription.id for subscription in found] == [1, 2, 3]


@pytest.mark.parametrize("body", [{"softwarelicences": []}, [], {"licences": None}, "x", {"licences": [[]]}])
def test_another_envelope_is_unreadable(wiring: Wiring, body: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        list_licences(wiring, httpx.Response(200, json=body))


def test_a_page_that_fails_in_the_middle_is_no_listing(wiring: Wiring) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        if request.url.params["page_no"] == "2":
            return httpx.Response(500)
        return halo_list([licence(n) for n in range(1, 121)], cap=50)(request)

    with pytest.raises(ServerFailed):
        list_licences(wiring, page)


# -- rows ---------------------------------------------------------------------------------------------------------


def test_a_row_becomes_a_subscription(wiring: Wiring) -> None:
    found = one(wiring, snowid="infima-101", unheard_of={"x": [1]})
    assert found == Subscription(id=9, customer_id=12, name="Training 9", count=5, marker="infima-101")
    assert found.raw["unheard_of"] == {"x": [1]}


@pytest.mark.parametrize(
    ("sent", "count"), [(5, 5), (5.0, 5), (0, 0), (2.5, None), ("5", None), (True, None), (-1, None), (..., None)]
)
def test_only_a_whole_number_is_a_quantity(wiring: Wiring, sent: Any, count: int | None) -> None:
    assert one(wiring, count=sent).count == count


@pytest.mark.parametrize(("sent", "kind"), [(1, True), (1.0, True), (..., True), (None, True), (0, False), (2, False)])
def test_a_row_that_does_not_say_its_type_is_taken_for_a_subscription(wiring: Wiring, sent: Any, *, kind: bool) -> None:
    assert one(wiring, type=sent).is_subscription is kind


@pytest.mark.parametrize(("sent", "live"), [(..., True), (None, True), (True, True), (False, False), ("no", False)])
def test_a_row_is_active_unless_it_says_otherwise(wiring: Wiring, sent: Any, *, live: bool) -> None:
    assert one(wiring, is_active=sent).live is live


@pytest.mark.parametrize(("sent", "live"), [(..., True), (False, True), (None, True), (True, False), ("yes", False)])
def test_a_row_is_not_deleted_unless_it_says_so(wiring: Wiring, sent: Any, *, live: bool) -> None:
    assert one(wiring, deleted=sent).live is live


@pytest.mark.parametrize("sent", [..., None, 0, -1, "12", 2.5])
def test_a_row_without_a_usable_customer_has_none(wiring: Wiring, sent: Any) -> None:
    assert one(wiring, client_id=sent).customer_id is None


@pytest.mark.parametrize("sent", [..., None, "", "  ", 5])
def test_a_blank_marker_is_none(wiring: Wiring, sent: Any) -> None:
    assert one(wiring, snowid=sent).marker is None


def test_the_marker_is_read_from_the_field_that_the_settings_name(make_wiring: Callable[..., Wiring]) -> None:
    wiring = make_wiring(settings=Settings(marker_field=MarkerField.NOTES))
    assert one(wiring, notes="infima-1", snowid="other").marker == "infima-1"


def test_without_a_marker_field_there_is_no_marker(make_wiring: Callable[..., Wiring]) -> None:
    wiring = make_wiring(settings=Settings(marker_field=MarkerField.NONE))
    assert one(wiring, snowid="infima-1").marker is None


@pytest.mark.parametrize("number", [None, 0, "9", -9, 1.5])
def test_a_row_without_a_usable_id_spoils_the_listing(wiring: Wiring, number: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="no usable id"):
        list_licences(wiring, halo_list([{**licence(1), "id": number}]))


def test_customers_are_listed_with_inactive_ones(wiring: Wiring) -> None:
    rows = [{"id": 19, "name": "Borealis", "inactive": True}, {"id": 12.0, "name": "Acme"}]
    wiring.halo.answer(CUSTOMERS, halo_list(rows, envelope="clients"))
    assert wiring.target.customers() == (
        HaloCustomer(id=12, name="Acme"),
        HaloCustomer(id=19, name="Borealis", inactive=True),
    )
    assert wiring.halo.asked(CUSTOMERS)[0].url.params["includeinactive"] == "true"


def test_customers_are_searched_live_and_paged(wiring: Wiring) -> None:
    rows = [{"id": n, "name": f"Acme & Söhne {n}"} for n in range(1, 61)]
    wiring.halo.answer(CUSTOMERS, halo_list(rows, envelope="clients", cap=50))
    assert len(wiring.target.find_customers("Acme & Söhne")) == 60
    assert {r.url.params["search"] for r in wiring.halo.asked(CUSTOMERS)} == {"Acme & Söhne"}
    assert "includeinactive" not in wiring.halo.asked(CUSTOMERS)[0].url.params


def test_one_subscription_is_read_by_its_id(wiring: Wiring) -> None:
    wiring.halo.answer(f"{LICENCES}/9", httpx.Response(200, json=licence(9)))
    assert wiring.target.subscription(9).count == 5


def test_an_unknown_subscription_is_not_found(wiring: Wiring) -> None:
    with pytest.raises(NotFound):
        wiring.target.subscription(9)


def test_another_subscription_than_asked_for_is_unreadable(wiring: Wiring) -> None:
    wiring.halo.answer(f"{LICENCES}/9", httpx.Response(200, json=licence(8)))
    with pytest.raises(UnreadableAnswer):
        wiring.target.subscription(9)


def test_a_night_asks_for_no_more_pages_of_invoices_than_it_may(wiring: Wiring) -> None:
    wiring.halo.answer(INVOICES, halo_list([{"id": -240}], envelope="invoices"))
    with pytest.raises(IncompleteRead, match="takes more than 1 requests") as caught:
        wiring.target.recurring_invoices(most_requests=1)
    assert "reconciler check-invoices" in caught.value.hint
    assert wiring.target.invoice_requests == 1


def test_recurring_invoices_have_negative_ids(wiring: Wiring) -> None:
    wiring.halo.answer(INVOICES, halo_list([{"id": -240}, {"id": -237}], envelope="invoices"))
    wiring.halo.answer(f"{INVOICES}/-240", httpx.Response(200, json={"id": -240, "lines": []}))
    assert [invoice["id"] for invoice in wiring.target.recurring_invoices()] == [-240, -237]
    assert wiring.target.recurring_invoice(-240)["lines"] == []


@pytest.mark.parametrize(
    ("members", "last_day"),
    [
        ({"end_date": "2026-10-31T00:00:00"}, date(2026, 10, 31)),
        ({"end_date": "2026-10-31T06:24:10.967+00:00"}, date(2026, 10, 31)),
        ({"end_date": "2026-10-31", "autorenew": True}, None),
        ({"end_date": "2026-10-31", "autorenew": False}, date(2026, 10, 31)),
        ({"end_date": "1901-01-01T00:00:00"}, None),
        ({"end_date": "1900-01-01T00:00:00"}, None),
        ({"end_date": "soon"}, None),
        ({"end_date": None}, None),
        ({}, None),
    ],
)
def test_the_last_day_of_a_term_that_ends(wiring: Wiring, members: dict[str, Any], last_day: date | None) -> None:
    assert one(wiring, **members).last_day == last_day
