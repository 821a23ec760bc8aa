"""A failed call names the next step that fits it."""

from __future__ import annotations

import httpx
import pytest

from reconciler.errors import UnreadableAnswer
from reconciler.http.transport import Call
from reconciler.model import UnreadableUsers
from reconciler.providers.halopsa import halo_hint
from reconciler.providers.infima import infima_hint
from tests.providers.wiring import HALO, INFIMA, Wiring

TOKEN, LIST, ONE = "/auth/token", "/api/SoftwareLicence", "/api/SoftwareLicence/9"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (LIST, 302, "Check HALO_URL: it must be the address that answers by itself."),
        (TOKEN, 308, "Check HALO_URL: it must be the address that answers by itself."),
        (LIST, 429, "lower settings.halo_budget in mappings.yaml"),
        (TOKEN, 429, "lower settings.halo_budget in mappings.yaml"),
        (LIST, 401, "it needs the scopes edit:softwarelicensing and read:softwarelicensing"),
        (ONE, 403, "it needs the scopes edit:softwarelicensing and read:softwarelicensing"),
        (LIST, 403, "with login type Application Identity: on the application's roles"),
        ("/api/Client", 403, "it needs the scope read:customers"),
        ("/api/RecurringInvoice/-4", 403, "it needs the scope read:invoices"),
        (LIST, 404, "Check HALO_URL: there is no HaloPSA at this address."),
        (TOKEN, 400, "Check HALO_CLIENT_ID and HALO_CLIENT_SECRET"),
        (TOKEN, 401, "Check HALO_CLIENT_ID and HALO_CLIENT_SECRET"),
        (TOKEN, 500, "Check HALO_CLIENT_ID and HALO_CLIENT_SECRET"),
        (TOKEN, 404, "Check HALO_AUTH_URL: it must be the token endpoint"),
        (TOKEN, 200, "Check HALO_AUTH_URL: it must be the token endpoint"),
    ],
)
def test_what_to_do_about_halopsa(path: str, status: int, words: str) -> None:
    assert words in halo_hint(Call(method="GET", origin=HALO, path=path), status)


@pytest.mark.parametrize(("path", "status"), [(ONE, 404), (LIST, 400), (LIST, 500), (LIST, 200), (TOKEN, 503)])
def test_where_nothing_helps_nothing_is_said(path: str, status: int) -> None:
    assert halo_hint(Call(method="GET", origin=HALO, path=path), status) == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "partner-level key"),
        (403, "partner-level key"),
        (404, "Check INFIMA_URL, or that the client still exists"),
        (301, "it must be the address that answers by itself"),
        (399, "it must be the address that answers by itself"),
        (400, ""),
        (500, ""),
    ],
)
def test_what_to_do_about_infima(status: int, words: str) -> None:
    hint = infima_hint(Call(method="GET", origin=INFIMA, path="/v1/clients"), status)
    assert words in hint
    assert bool(hint) == bool(words)


@pytest.mark.parametrize("body", [[], "x", 5])
def test_one_object_that_is_none_is_unreadable(wiring: Wiring, body: object) -> None:
    wiring.halo.answer(ONE, httpx.Response(200, json=body))
    with pytest.raises(UnreadableAnswer, match="something other than one object"):
        wiring.target.subscription(9)


def test_only_a_400_is_taken_for_a_parameter_that_infima_does_not_know(wiring: Wiring) -> None:
    """Another refusal leaves the client unread at the first answer, and the parameter in place for the others."""
    wiring.infima.answer("/v1/clients/1/users", httpx.Response(418))
    wiring.infima.answer("/v1/clients/2/users", httpx.Response(200, json={"items": [], "total": 0}))
    [unread] = wiring.source.user_counts([1])
    assert isinstance(unread, UnreadableUsers)
    assert len(wiring.infima.requests) == 1
    wiring.source.user_counts([2])
    assert wiring.infima.requests[-1].url.params["status"] == "all"
