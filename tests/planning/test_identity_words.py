"""What a contradiction says is the same on every day and in every process."""

from __future__ import annotations

import pytest

from reconciler.model import Mapping, Subscription
from reconciler.planning.rules import Doubt
from tests.builders import build_mapping, build_subscription
from tests.core import KEY, build_binding, build_recorded, identity_of

KEYS = [f"k{n}" for n in range(8)]
"""Enough of them that no order but the sorted one looks sorted by accident."""


def doubt_of(mapping: Mapping, *rows: Subscription, **more: object) -> Doubt:
    [doubt] = identity_of(mapping, *rows, **more).doubts  # type: ignore[arg-type]
    return doubt


def test_all_who_claim_one_subscription_are_named_in_order() -> None:
    others = [build_mapping(200 + n, key=key, subscription_id=9001) for n, key in enumerate(reversed(KEYS))]
    doubt = doubt_of(build_mapping(subscription_id=9001), build_subscription(9001), others=others)
    assert doubt.message == f"Subscription 9001 is claimed by infima-101 and by {', '.join(KEYS)}"


def test_only_who_names_an_id_is_quoted() -> None:
    recorded = build_recorded(build_binding(9002))
    doubt = doubt_of(build_mapping(), build_subscription(9001, marker=KEY), recorded=recorded)
    assert doubt.message == ("it cannot be told which Subscription is meant: the state says 9002, the marker says 9001")
    assert "for 9002: reconciler adopt infima-101 9002" in doubt.remedy


def test_all_keys_that_namesakes_were_billed_under_are_named_in_order() -> None:
    numbers = range(9001, 9001 + len(KEYS))
    bound = [build_binding(number, key) for number, key in zip(numbers, reversed(KEYS), strict=True)]
    doubt = doubt_of(build_mapping(), *map(build_subscription, numbers), recorded=build_recorded(*bound))
    assert f"it was billed under the key {', '.join(KEYS)}, which mappings.yaml no longer has" in doubt.remedy


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (build_subscription(marker=KEY, deleted=True), "is deleted in HaloPSA: it bills nobody, {} (12)"),
        (build_subscription(marker=KEY, is_active=False, count=None), "is inactive in HaloPSA: it bills nobody, {}"),
    ],
)
def test_what_bills_nobody_says_which_number_it_still_carries(row: Subscription, words: str) -> None:
    assert doubt_of(build_mapping(), row).message.endswith(words.format("whatever number it carries"))
