"""Which Subscriptions are ours, and what a listing shows of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model import MappingKey, Mappings, Shown, Standing, Subscription, SubscriptionId
from reconciler.planning.index import first_sighting, sight
from reconciler.state.recorded import Binding, Recorded
from tests.builders import build_mapping, build_mappings, build_observation, build_subscription
from tests.core import build_binding, build_customer, build_recorded

AT = datetime(2026, 11, 28, 2, tzinfo=UTC)
KEY = MappingKey("infima-101")


def subscription(number: int, count: int | None = 12, **more: Any) -> Subscription:
    return build_subscription(number, count=count, **more)


def bound(key: str, number: int) -> Binding:
    return build_binding(number, key, at=AT)


def seen(
    *listing: Subscription,
    state: Recorded | None = None,
    mappings: Mappings | None = None,
    known: tuple[Shown, ...] = (),
) -> dict[int, tuple[str, int | None, Standing, bool]]:
    customers = [build_customer()]
    made = mappings or build_mappings(build_mapping())
    rows = sight(made, state or Recorded(), listing, customers=customers, at=AT, known=known).rows
    return {row.subscription_id: (row.key, row.quantity, row.standing, row.managed) for row in rows}


def test_a_stranger_s_subscription_is_not_ours() -> None:
    assert seen(subscription(9001), subscription(9002, marker="somebody-else")) == {}


def test_file_binding_and_marker_make_it_ours() -> None:
    by_file = build_mappings(replace(build_mapping(), subscription_id=SubscriptionId(9001)))
    expected = {9001: (KEY, 12, Standing.LIVE, True)}
    assert seen(subscription(9001), mappings=by_file) == expected
    assert seen(subscription(9001), state=build_recorded(bound(KEY, 9001))) == expected
    assert seen(subscription(9001, marker=KEY)) == expected


def test_two_with_one_marker_are_both_ours_because_both_bill() -> None:
    found = seen(subscription(9001, 9, marker=KEY), subscription(9002, 9, marker=KEY))
    assert [row[:2] for row in found.values()] == [(KEY, 9), (KEY, 9)]


def test_what_bills_nobody_has_the_quantity_nothing_whatever_number_it_carries() -> None:
    state = build_recorded(bound(KEY, 9001))
    assert seen(subscription(9001, deleted=True), state=state)[9001] == (KEY, 0, Standing.DELETED, True)
    assert seen(subscription(9001, is_active=False), state=state)[9001] == (KEY, 0, Standing.INACTIVE, True)
    assert seen(state=state)[9001] == (KEY, 0, Standing.GONE, True)


def test_no_whole_number_is_not_known() -> None:
    assert seen(subscription(9001, None, marker=KEY))[9001] == (KEY, None, Standing.LIVE, True)


def test_what_has_left_the_file_or_was_given_up_is_followed_on() -> None:
    state = build_recorded(bound("infima-999", 9005), given_up={KEY: (SubscriptionId(9004),)})
    found = seen(subscription(9004, 7), subscription(9005, 8), subscription(9006, 6, marker="infima-77"), state=state)
    assert found == {
        9004: (KEY, 7, Standing.LIVE, False),
        9005: ("infima-999", 8, Standing.LIVE, False),
        9006: ("infima-77", 6, Standing.LIVE, False),
    }


def test_a_marker_that_only_details_show_is_remembered_within_the_run() -> None:
    """HaloPSA's lists may leave the marker out; the run's first listing was read with the details."""
    first = Shown(subscription_id=SubscriptionId(9001), key=KEY, quantity=12)
    assert seen(subscription(9001, 15), known=(first,)) == {9001: (KEY, 15, Standing.LIVE, True)}


def test_a_sighting_tells_rows_by_id_with_their_customers_as_the_listing_began() -> None:
    rows = (replace(subscription(9002, marker="infima-101"), customer_id=None), subscription(9001, marker="infima-101"))
    read = build_observation(subscriptions=rows, customers=[build_customer()], taken_at=AT)
    sighting = first_sighting(build_mappings(build_mapping()), read, Recorded())
    assert [(row.subscription_id, row.customer_id, row.customer) for row in sighting.rows] == [
        (9001, 12, "Acme Dental"), (9002, None, ""),
    ]  # fmt: skip
    assert sighting.at == (read.listed_at or AT)
    later = replace(read, listed_at=AT + timedelta(minutes=5))
    assert first_sighting(build_mappings(build_mapping()), later, Recorded()).at == AT + timedelta(minutes=5)
    assert first_sighting(build_mappings(build_mapping()), replace(read, listed_at=None), Recorded()).at == AT
