"""Which Subscription belongs to which mapping, and every contradiction there can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model import HaloCustomerId, Subscription
from reconciler.names import same_name
from reconciler.planning.rules import Doubt, Rule
from reconciler.state.recorded import BindingOrigin
from tests.builders import NOW, build_mapping, build_subscription
from tests.core import KEY, SETTLE, build_attempt, build_binding, build_recorded, identity_of

MARKED = build_subscription(9001, marker=KEY)
PLAIN = build_subscription(9002)
SECOND = timedelta(seconds=1)


def doubt_of(*subscriptions: Subscription, **more: object) -> Doubt:
    mapping = more.pop("mapping", None) or build_mapping()
    [doubt] = identity_of(mapping, *subscriptions, **more).doubts  # type: ignore[arg-type]
    return doubt


# --- the order -------------------------------------------------------------------------------------------------------


def test_the_marker_finds_it() -> None:
    found = identity_of(build_mapping(), MARKED, replace(PLAIN, customer_id=HaloCustomerId(13)))
    assert (found.subscription, found.origin, found.doubts) == (MARKED, BindingOrigin.MARKER, ())


@pytest.mark.parametrize("origin", list(BindingOrigin))
def test_the_binding_finds_it_and_says_how_it_came_to_be(origin: BindingOrigin) -> None:
    recorded = build_recorded(build_binding(9002, origin=origin))
    found = identity_of(build_mapping(), PLAIN, recorded=recorded)
    assert (found.subscription, found.origin, found.doubts) == (PLAIN, origin, ())


def test_the_file_finds_it() -> None:
    found = identity_of(build_mapping(subscription_id=9002), PLAIN)
    assert (found.subscription, found.origin, found.doubts) == (PLAIN, BindingOrigin.FILE, ())


def test_where_file_and_state_agree_the_state_knows_the_origin() -> None:
    recorded = build_recorded(build_binding(9002, origin=BindingOrigin.ADOPTED))
    found = identity_of(build_mapping(subscription_id=9002), PLAIN, recorded=recorded)
    assert (found.subscription, found.origin) == (PLAIN, BindingOrigin.ADOPTED)


def test_file_state_and_marker_may_all_say_the_same() -> None:
    recorded = build_recorded(build_binding(9001))
    found = identity_of(build_mapping(subscription_id=9001), MARKED, recorded=recorded)
    assert (found.subscription, found.doubts) == (MARKED, ())


def test_nothing_says_anything() -> None:
    found = identity_of(build_mapping(), build_subscription(9002, name="Microsoft 365"))
    assert (found.subscription, found.origin, found.doubts) == (None, None, ())


def test_another_keys_marker_is_no_hit() -> None:
    other = build_subscription(9001, customer=13, marker="infima-1010")
    assert identity_of(build_mapping(), other).subscription is None


# --- contradictions --------------------------------------------------------------------------------------------------


def test_file_against_state() -> None:
    """Neither carries a marker: still two different Subscriptions are named."""
    recorded = build_recorded(build_binding(9002))
    doubt = doubt_of(build_subscription(9001), PLAIN, mapping=build_mapping(subscription_id=9001), recorded=recorded)
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert "mappings.yaml says 9001, the state says 9002" in doubt.message
    assert "for 9001: reconciler adopt infima-101 9001 --reason '...' --yes" in doubt.remedy


def test_file_against_marker() -> None:
    doubt = doubt_of(MARKED, PLAIN, mapping=build_mapping(subscription_id=9002))
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert "mappings.yaml says 9002, the marker says 9001" in doubt.message


def test_state_against_marker() -> None:
    doubt = doubt_of(MARKED, PLAIN, recorded=build_recorded(build_binding(9002)))
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert "the state says 9002, the marker says 9001" in doubt.message


def test_a_live_marker_contradicts_a_binding_that_is_gone() -> None:
    assert doubt_of(MARKED, recorded=build_recorded(build_binding(9002))).rule is Rule.IDENTITY_CONFLICT


def test_file_against_state_and_marker() -> None:
    recorded = build_recorded(build_binding(9001))
    doubt = doubt_of(MARKED, PLAIN, mapping=build_mapping(subscription_id=9002), recorded=recorded)
    assert "mappings.yaml says 9002, the state says 9001, the marker says 9001" in doubt.message


def test_a_contradiction_leaves_no_subscription_to_write_to() -> None:
    recorded = build_recorded(build_binding(9002))
    assert identity_of(build_mapping(), MARKED, PLAIN, recorded=recorded).subscription is None


@pytest.mark.parametrize("dead", [{"deleted": True}, {"is_active": False}])
def test_a_dead_marker_contradicts_nobody(dead: dict[str, bool]) -> None:
    gone = build_subscription(9001, marker=KEY, **dead)  # type: ignore[arg-type]
    found = identity_of(build_mapping(), gone, PLAIN, recorded=build_recorded(build_binding(9002)))
    assert (found.subscription, found.doubts) == (PLAIN, ())


def test_a_dead_marker_does_not_hide_that_file_and_state_differ() -> None:
    gone = build_subscription(9001, marker=KEY, deleted=True)
    recorded = build_recorded(build_binding(9002))
    mapping = build_mapping(subscription_id=9003)
    assert doubt_of(gone, PLAIN, build_subscription(9003), mapping=mapping, recorded=recorded).rule is (
        Rule.IDENTITY_CONFLICT
    )


# --- two live markers ------------------------------------------------------------------------------------------------


def test_two_live_markers_hold_even_what_the_state_knows() -> None:
    twin = build_subscription(9005, marker=KEY)
    found = identity_of(build_mapping(), MARKED, twin, recorded=build_recorded(build_binding(9001)))
    [doubt] = found.doubts
    assert found.subscription is None
    assert (doubt.rule, doubt.measured, doubt.limit) == (Rule.DUPLICATE_MARKER, 2, 1)
    assert "9001, 9005; none of them is touched" in doubt.message
    assert "to keep 9001: reconciler adopt infima-101 9001 --reason '...' --yes" in doubt.remedy


def test_three_live_markers_are_all_named() -> None:
    doubt = doubt_of(MARKED, build_subscription(9005, marker=KEY), build_subscription(9006, marker=KEY))
    assert "3 Subscriptions carry the marker infima-101: 9001, 9005, 9006" in doubt.message


def test_a_live_and_a_dead_marker_are_one_hit() -> None:
    dead = build_subscription(9000, marker=KEY, deleted=True)
    assert identity_of(build_mapping(), dead, MARKED).subscription == MARKED


def test_two_live_markers_of_which_one_was_given_up_are_one_hit() -> None:
    twin = build_subscription(9005, marker=KEY)
    recorded = build_recorded(given_up={KEY: (9005,)})
    assert identity_of(build_mapping(), MARKED, twin, recorded=recorded).subscription == MARKED


# --- claimed twice ---------------------------------------------------------------------------------------------------


def test_a_subscription_id_that_carries_another_mappings_marker() -> None:
    other = build_mapping(102, 12)
    marked = build_subscription(9001, marker=other.key)
    first, second = build_mapping(subscription_id=9001), other
    for mapping, beside in ((first, second), (second, first)):
        doubt = doubt_of(marked, mapping=mapping, others=[beside])
        assert doubt.rule is Rule.IDENTITY_CONFLICT
        assert doubt.message == f"Subscription 9001 is claimed by {mapping.key} and by {beside.key}"
        assert "correct subscription_id" in doubt.remedy


def test_a_subscription_id_that_is_bound_to_another_key() -> None:
    recorded = build_recorded(build_binding(9002, "infima-102"))
    assert doubt_of(PLAIN, mapping=build_mapping(subscription_id=9002), recorded=recorded).rule is (
        Rule.IDENTITY_CONFLICT
    )


def test_a_subscription_with_the_marker_of_a_key_that_left_may_be_adopted_by_id() -> None:
    left = build_subscription(9002, marker="infima-555")
    found = identity_of(build_mapping(subscription_id=9002), left)
    assert (found.subscription, found.doubts) == (left, ())


def test_a_binding_against_another_mappings_marker() -> None:
    other = build_mapping(102, 12)
    marked = build_subscription(9001, marker=other.key)
    assert doubt_of(marked, recorded=build_recorded(build_binding(9001)), others=[other]).rule is (
        Rule.IDENTITY_CONFLICT
    )


def test_a_marker_that_its_own_mapping_gave_up_claims_nothing() -> None:
    other = build_mapping(102, 12)
    marked = build_subscription(9001, marker=other.key)
    recorded = build_recorded(build_binding(9001), given_up={other.key: (9001,)})
    assert identity_of(build_mapping(), marked, recorded=recorded, others=[other]).subscription == marked


# --- gone, moved, a licence, no number -------------------------------------------------------------------------------


def test_a_bound_id_that_halo_does_not_list() -> None:
    doubt = doubt_of(recorded=build_recorded(build_binding(9002)))
    assert doubt.rule is Rule.SUBSCRIPTION_GONE
    assert doubt.message == "HaloPSA does not list Subscription 9002 any more"
    assert "reconciler resolve infima-101 --recreate --reason" in doubt.remedy


@pytest.mark.parametrize(("dead", "word"), [({"deleted": True}, "deleted"), ({"is_active": False}, "inactive")])
def test_a_bound_subscription_that_bills_no_more(dead: dict[str, bool], word: str) -> None:
    gone = build_subscription(9002, **dead)  # type: ignore[arg-type]
    found = identity_of(build_mapping(), gone, recorded=build_recorded(build_binding(9002)))
    [doubt] = found.doubts
    assert (found.subscription, doubt.rule) == (gone, Rule.SUBSCRIPTION_GONE)
    assert f"is {word} in HaloPSA" in doubt.message
    assert "reconciler resolve infima-101 --recreate --reason" in doubt.remedy


def test_deleted_with_our_marker_is_not_created_again() -> None:
    assert doubt_of(build_subscription(9001, marker=KEY, deleted=True)).rule is Rule.SUBSCRIPTION_GONE


def test_a_plain_licence_is_no_subscription() -> None:
    licence = replace(PLAIN, type=0)
    doubt = doubt_of(licence, mapping=build_mapping(subscription_id=9002))
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert "is a plain licence, not a Subscription" in doubt.message
    assert "subscription_id" in doubt.remedy


def test_a_licence_with_our_marker_is_mended_in_halopsa() -> None:
    doubt = doubt_of(replace(build_subscription(9001, marker=KEY), type=0))
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert f"carries the marker {KEY}" in doubt.remedy
    assert "subscription_id" not in doubt.remedy


def test_a_licence_that_the_state_has_is_mended_or_replaced_by_adopt() -> None:
    doubt = doubt_of(replace(build_subscription(9001), type=0), recorded=build_recorded(build_binding(9001)))
    assert f"reconciler adopt {KEY} ID --reason" in doubt.remedy


@pytest.mark.parametrize(("left", "held"), [(-1, True), (0, False), (1, False)])
def test_a_subscription_past_its_last_day(left: int, held: bool) -> None:  # noqa: FBT001 - a table's column
    last_day = NOW.date() + timedelta(days=left)
    ended = replace(MARKED, last_day=last_day)
    found = identity_of(build_mapping(), ended)
    assert found.subscription == ended
    assert [d.rule for d in found.doubts] == ([Rule.SUBSCRIPTION_GONE] if held else [])
    assert all(f"ended on {last_day.isoformat()}" in d.message and "end date" in d.remedy for d in found.doubts)


def test_what_is_retired_may_be_brought_to_nothing_after_its_last_day() -> None:
    ended = replace(MARKED, last_day=NOW.date() - timedelta(days=9))
    assert identity_of(build_mapping(retired=True), ended).doubts == ()


def test_moved_in_halo() -> None:
    there = build_subscription(9002, customer=19, count=7)
    doubt = doubt_of(there, recorded=build_recorded(build_binding(9002)))
    assert doubt.rule is Rule.MOVED
    assert "belongs to customer 19 in HaloPSA, and its quantity is 7" in doubt.message
    assert "the mapping says customer 12 (Acme Dental)" in doubt.message
    assert doubt.remedy.startswith("move it back to customer 12 in HaloPSA")


def test_moved_in_the_file() -> None:
    recorded = build_recorded(build_binding(9002, customer=12))
    doubt = doubt_of(PLAIN, mapping=build_mapping(customer=19), recorded=recorded)
    assert doubt.rule is Rule.MOVED
    assert "give the mapping a new key" in doubt.remedy
    assert "retired: true" in doubt.remedy


def test_a_marker_under_another_customer() -> None:
    assert doubt_of(build_subscription(9001, customer=19, marker=KEY)).rule is Rule.MOVED


def test_a_subscription_without_customer_has_moved() -> None:
    doubt = doubt_of(build_subscription(9001, customer=None, count=None, marker=KEY))
    assert doubt.rule is Rule.MOVED
    assert "belongs to no customer in HaloPSA, and its quantity is not known" in doubt.message


def test_a_quantity_that_is_no_whole_number() -> None:
    doubt = doubt_of(build_subscription(9001, count=None, marker=KEY))
    assert doubt.rule is Rule.IDENTITY_CONFLICT
    assert "no whole number as the quantity of Subscription 9001" in doubt.message
    assert "by hand" in doubt.remedy


# --- the same name ---------------------------------------------------------------------------------------------------


def test_a_namesake_holds_the_create() -> None:
    doubt = doubt_of(PLAIN)
    assert (doubt.rule, doubt.measured, doubt.limit) == (Rule.SAME_NAME, None, None)
    assert "Acme Dental already has a Subscription named 'INFIMA Security Awareness Training': 9002" in doubt.message
    assert "(quantity 12)" in doubt.message
    assert "reconciler adopt infima-101 9002 --reason" in doubt.remedy
    assert "subscription_id: 9002" in doubt.remedy
    assert "--allow same-name:infima-101 --reason" in doubt.remedy


def test_all_namesakes_are_named() -> None:
    doubt = doubt_of(PLAIN, build_subscription(9003, count=None))
    assert doubt.message.endswith("9002 (quantity 12), 9003 (quantity ?)")


def test_case_and_spacing_make_no_other_name() -> None:
    assert doubt_of(build_subscription(9002, name="  infima security  AWARENESS training ")).rule is Rule.SAME_NAME


def test_an_inactive_and_a_deleted_namesake_count() -> None:
    for row in (build_subscription(9002, is_active=False), build_subscription(9002, deleted=True)):
        doubt = doubt_of(row)
        assert doubt.rule is Rule.SAME_NAME
        assert "restore it in HaloPSA, then run: reconciler adopt infima-101 9002" in doubt.remedy


@pytest.mark.parametrize(
    "other",
    [
        build_subscription(9002, name="Microsoft 365"),
        build_subscription(9002, customer=13),
        replace(PLAIN, type=0),
    ],
)
def test_no_namesake(other: Subscription) -> None:
    assert identity_of(build_mapping(), other).doubts == ()


def test_a_namesake_that_another_mapping_owns_is_told_as_that() -> None:
    other = build_mapping(102, 12, line=20)
    for recorded, row, owner in [
        (build_recorded(build_binding(9002, other.key)), PLAIN, other),
        (build_recorded(), PLAIN, replace(other, subscription_id=PLAIN.id)),
    ]:
        [doubt] = identity_of(build_mapping(), row, recorded=recorded, others=[owner]).doubts
        assert doubt.rule is Rule.SAME_NAME
        assert doubt.message.startswith(
            "Acme Dental is billed through the mapping infima-102 (mappings.yaml:20:5) already, which has Subscription "
            "9002 (quantity 12)"
        )


def test_a_retired_mapping_has_no_say_in_what_a_new_one_is_named() -> None:
    other = build_mapping(102, 12, retired=True)
    assert (
        identity_of(
            build_mapping(), PLAIN, recorded=build_recorded(build_binding(9002, other.key)), others=[other]
        ).doubts
        == ()
    )


def test_a_namesake_whose_key_left_the_file_is_held() -> None:
    """A renamed key looks like a new mapping: without this it would get a second Subscription (FAULTS CF10)."""
    doubt = doubt_of(PLAIN, recorded=build_recorded(build_binding(9002, "acme-old")))
    assert doubt.rule is Rule.SAME_NAME
    assert "billed under the key acme-old, which mappings.yaml no longer has: write that key back" in doubt.remedy
    assert "--allow same-name:infima-101 --reason" in doubt.remedy


def test_what_this_mapping_gave_up_is_no_namesake() -> None:
    assert identity_of(build_mapping(), PLAIN, recorded=build_recorded(given_up={KEY: (9002,)})).doubts == ()


def test_what_another_mapping_gave_up_is_a_namesake() -> None:
    assert doubt_of(PLAIN, recorded=build_recorded(given_up={"infima-102": (9002,)})).rule is Rule.SAME_NAME


def test_the_given_up_marker_is_no_hit() -> None:
    recorded = build_recorded(given_up={KEY: (9001,)})
    assert identity_of(build_mapping(), MARKED, recorded=recorded).subscription is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Acme", "ACME ", True),
        ("Acme  Ltd", "acme\tltd", True),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("Stra\u00dfe", "STRASSE", True),
        ("Acme", "Acme.", False),
        ("Acme", "\u0410cme", False),
    ],
)
def test_same_name(one: str, other: str, *, same: bool) -> None:
    assert same_name(one, other) is same


# --- attempts --------------------------------------------------------------------------------------------------------


def test_an_open_attempt_holds() -> None:
    attempt = build_attempt(age=timedelta(hours=2, minutes=30))
    found = identity_of(build_mapping(), recorded=build_recorded(attempts=[attempt]))
    [doubt] = found.doubts
    assert doubt.rule is Rule.ATTEMPT_OPEN
    assert "a create was begun at 2026-11-22 02:47 UTC and its outcome is not known" in doubt.message
    assert "the first run after 2026-11-22 22:47 UTC decides it" in doubt.remedy
    assert "if it made nothing: reconciler resolve infima-101 --abandon --reason '...' --yes" in doubt.remedy
    assert "--adopt" not in doubt.remedy
    assert found.settled_attempt is None


def test_an_open_attempt_names_what_it_may_have_made() -> None:
    attempt = build_attempt(age=timedelta(hours=2))
    doubt = doubt_of(build_subscription(9002, count=0), recorded=build_recorded(attempts=[attempt]))
    assert doubt.rule is Rule.ATTEMPT_OPEN
    assert doubt.message.endswith("; Acme Dental has one of that name: 9002 (quantity 0)")
    assert (
        "if it is what the create made: reconciler resolve infima-101 --adopt 9002 --reason '...' --yes" in doubt.remedy
    )
    assert "nothing to do" not in doubt.remedy  # with one of that name the settle time decides nothing


@pytest.mark.parametrize(("age", "is_open"), [(SETTLE - SECOND, True), (SETTLE, False), (SETTLE + SECOND, False)])
def test_an_attempt_settles_after_exactly_the_settle_time(age: timedelta, *, is_open: bool) -> None:
    attempt = build_attempt(age=age)
    found = identity_of(build_mapping(), recorded=build_recorded(attempts=[attempt]))
    assert [d.rule for d in found.doubts] == ([Rule.ATTEMPT_OPEN] if is_open else [])
    assert found.settled_attempt == (None if is_open else attempt)


def test_an_attempt_from_the_future_is_open() -> None:
    """The clock of this machine is wrong, or was."""
    recorded = build_recorded(attempts=[build_attempt(age=-timedelta(days=2))])
    assert doubt_of(recorded=recorded).rule is Rule.ATTEMPT_OPEN


def test_an_attempt_that_is_found_is_no_doubt() -> None:
    found = identity_of(build_mapping(), MARKED, recorded=build_recorded(attempts=[build_attempt()]))
    assert (found.subscription, found.doubts, found.settled_attempt) == (MARKED, (), None)


def test_a_settled_attempt_beside_a_namesake_is_held() -> None:
    """Where Halo does not give the marker back the namesake may be what the attempt made."""
    attempt = build_attempt(age=SETTLE)
    found = identity_of(build_mapping(), PLAIN, recorded=build_recorded(attempts=[attempt]))
    assert [d.rule for d in found.doubts] == [Rule.SAME_NAME]
    assert found.settled_attempt == attempt


def test_another_keys_attempt_holds_nothing() -> None:
    assert identity_of(build_mapping(), recorded=build_recorded(attempts=[build_attempt("infima-102")])).doubts == ()


# --- retired ---------------------------------------------------------------------------------------------------------


def test_retired_and_live_is_found_like_any_other() -> None:
    assert identity_of(build_mapping(retired=True), MARKED).subscription == MARKED


@pytest.mark.parametrize("rows", [(), (build_subscription(9001, deleted=True),)])
def test_retired_and_gone_needs_nothing(rows: tuple[Subscription, ...]) -> None:
    found = identity_of(build_mapping(retired=True), *rows, recorded=build_recorded(build_binding(9001)))
    assert (found.subscription, found.doubts) == (None, ())


def test_retired_without_anything_needs_nothing() -> None:
    found = identity_of(build_mapping(retired=True), PLAIN)
    assert (found.subscription, found.doubts) == (None, ())


def test_retired_with_an_open_attempt_is_held() -> None:
    recorded = build_recorded(attempts=[build_attempt()])
    assert doubt_of(mapping=build_mapping(retired=True), recorded=recorded).rule is Rule.ATTEMPT_OPEN


def test_retired_but_moved_is_held() -> None:
    assert doubt_of(build_subscription(9001, customer=13, marker=KEY), mapping=build_mapping(retired=True)).rule is (
        Rule.MOVED
    )


def test_retired_but_shared_is_held() -> None:
    other = build_mapping(102, HaloCustomerId(12), subscription_id=9001)
    assert doubt_of(MARKED, mapping=build_mapping(retired=True), others=[other]).rule is Rule.IDENTITY_CONFLICT


def test_the_order_of_the_listing_does_not_matter() -> None:
    """A plan is the same to the byte whatever order HaloPSA gives its rows in (O2)."""
    namesakes = [build_subscription(number) for number in (9004, 9002, 9003)]
    twins = [build_subscription(number, marker=KEY) for number in (9004, 9002)]
    gone = [build_subscription(number, marker=KEY, deleted=True) for number in (9004, 9002)]
    for rows in (namesakes, twins, gone):
        assert identity_of(build_mapping(), *rows) == identity_of(build_mapping(), *reversed(rows))
