"""A token that HaloPSA no longer takes is forgotten, a newer one is not."""

from __future__ import annotations

from reconciler.providers.halo_token import HaloToken
from tests.providers.wiring import Wiring, token_answer


def token_of(wiring: Wiring) -> HaloToken:
    token = wiring.target._token
    assert isinstance(token, HaloToken)
    return token


def test_a_rejected_token_is_asked_for_anew(wiring: Wiring) -> None:
    wiring.halo.answer("/auth/token", token_answer(access_token="first"), token_answer(access_token="second"))
    token = token_of(wiring)
    first = token.bearer()
    token.reject(first)
    assert (first.reveal(), token.bearer().reveal()) == ("first", "second")


def test_a_late_rejection_of_the_old_token_leaves_the_new_one(wiring: Wiring) -> None:
    """Several reads share a token: each of them may be told 401 for the one that another has renewed already."""
    wiring.halo.answer("/auth/token", token_answer(access_token="first"), token_answer(access_token="second"))
    token = token_of(wiring)
    first = token.bearer()
    token.reject(first)
    second = token.bearer()
    token.reject(first)
    assert token.bearer() is second
    assert len(wiring.halo.asked("/auth/token")) == 2
