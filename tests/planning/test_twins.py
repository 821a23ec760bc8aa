"""What holds a create, because a second Subscription might come of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import HaloCustomerId, MappingKey, Subscription, Tenant
from reconciler.planning.changes import Action, Plan
from reconciler.planning.rules import Doubt, Rule
from reconciler.planning.twins import new_state
from reconciler.state.recorded import BindingOrigin
from tests.builders import build_mapping, build_mappings, build_subscription
from tests.core import (
    KEY,
    build_binding,
    build_client,
    build_count,
    build_customer,
    build_recorded,
    change_for,
    identity_of,
    observe_fitting,
    plan_of,
)

AWARENESS = build_subscription(9041, name="Awareness training (Acme Dental)", count=37)
ELSEWHERE = build_subscription(9500, 77, marker="infima-107")
"""A Subscription of another mapping of the file, which carries its marker."""
ELSEWHERE_RENAMED = build_subscription(9500, 12, name="E-learning", count=3)
KNOWN = build_recorded(build_binding(9500, "infima-107"))


def rules_of(*subscriptions: Subscription, **more: object) -> list[Rule]:
    return [d.rule for d in identity_of(build_mapping(), *subscriptions, **more).doubts]  # type: ignore[arg-type]


def only(doubts: tuple[Doubt, ...]) -> Doubt:
    [doubt] = doubts
    return doubt


# --- resembles -------------------------------------------------------------------------------------------------------


def test_one_under_another_name_is_offered_for_adoption() -> None:
    doubt = only(identity_of(build_mapping(), AWARENESS).doubts)
    assert doubt.rule is Rule.RESEMBLES
    assert "9041 'Awareness training (Acme Dental)' (quantity 37)" in doubt.message
    assert "reconciler adopt infima-101 9041 --reason '...' --yes" in doubt.remedy
    assert "--allow resembles:infima-101 --reason '...'" in doubt.remedy


@pytest.mark.parametrize(
    "other",
    [
        replace(AWARENESS, is_active=False),
        replace(AWARENESS, deleted=True),
        replace(AWARENESS, type=0),
        replace(AWARENESS, customer_id=HaloCustomerId(13)),
        replace(AWARENESS, name="Endpoint security"),
    ],
)
def test_what_is_over_elsewhere_or_different_is_not(other: Subscription) -> None:
    assert rules_of(other) == []


def test_what_this_mapping_gave_up_is_not() -> None:
    assert rules_of(AWARENESS, recorded=build_recorded(given_up={KEY: (9041,)})) == []


def test_what_another_mapping_has_is_not() -> None:
    other = build_mapping(102, 12, subscription_id=9041)
    assert rules_of(AWARENESS, others=[other]) == []


def test_one_of_the_very_name_is_told_as_that() -> None:
    assert rules_of(AWARENESS, build_subscription(9002)) == [Rule.SAME_NAME]


def test_a_create_lists_what_nobody_has_at_the_customer() -> None:
    """Live ones first, and what has nothing to do with it as well: a person sees more than a rule."""
    rows = [build_subscription(9003, name="Backup", is_active=False), build_subscription(9004, name="Backup", count=3)]
    change = change_for(build_mapping(), 15, *rows)
    assert change.action is Action.CREATE
    assert [(u.id, u.count, u.live) for u in change.unowned] == [(9004, 3, True), (9003, 12, False)]


def test_an_update_lists_nothing() -> None:
    marked = build_subscription(9001, marker=KEY)
    other = build_subscription(9004, name="Backup")
    change = change_for(build_mapping(), 15, marked, other, recorded=build_recorded(build_binding(9001)))
    assert (change.action, change.unowned) == (Action.UPDATE, ())


# --- a second mapping of one customer ---------------------------------------------------------------------------------


def plan_two(first_line: int, second_line: int) -> list[tuple[str, list[Rule]]]:
    first = build_mapping(101, line=first_line)
    second = build_mapping(102, name="Acme Labs", customer_name="Acme Dental", line=second_line)
    clients = (build_client(101), build_client(102, "Acme Labs"))
    observation = observe_fitting(first, 15, clients=clients, counts=(build_count(101), build_count(102)))
    plan = plan_of(build_mappings(first, second), observation)
    return [(c.key, [d.rule for d in c.doubts]) for c in plan.changes]


def test_of_two_new_ones_the_later_in_the_file_is_held() -> None:
    assert plan_two(10, 20) == [("infima-101", []), ("infima-102", [Rule.SAME_NAME])]
    assert plan_two(30, 20) == [("infima-101", [Rule.SAME_NAME]), ("infima-102", [])]


@pytest.mark.parametrize("line", [5, 15])
def test_a_sibling_under_another_name_is_no_namesake(line: int) -> None:
    other = build_mapping(102, 12, subscription_id=9041, line=line)
    assert rules_of(AWARENESS, others=[other]) == []


def test_a_sibling_that_has_one_of_the_name_holds_while_that_one_lives() -> None:
    other, row = build_mapping(102, 12, subscription_id=9002), build_subscription(9002)
    assert rules_of(row, others=[other]) == [Rule.SAME_NAME]
    assert rules_of(replace(row, is_active=False), others=[other]) == []
    assert rules_of(replace(row, type=0), others=[other]) == []


def test_keys_that_left_the_file_are_named_in_order() -> None:
    recorded = build_recorded(build_binding(9002, "zeta"), build_binding(9003, "alpha"))
    doubt = only(
        identity_of(build_mapping(), build_subscription(9002), build_subscription(9003), recorded=recorded).doubts
    )
    assert "under the key alpha, zeta, which" in doubt.remedy


def test_a_namesake_is_not_told_of_under_the_key_of_another_row() -> None:
    recorded = build_recorded(build_binding(9041, "zeta"))
    doubt = only(identity_of(build_mapping(), build_subscription(9002), AWARENESS, recorded=recorded).doubts)
    assert doubt.rule is Rule.SAME_NAME
    assert "zeta" not in doubt.remedy
    assert "write subscription_id: 9002" in doubt.remedy


def test_what_is_over_is_called_deleted_or_inactive() -> None:
    rows = [build_subscription(9002, deleted=True, count=None), build_subscription(9003, is_active=False)]
    message = only(identity_of(build_mapping(), *rows).doubts).message
    assert message.endswith("9002 (deleted, quantity ?), 9003 (inactive, quantity 12)")


def test_a_sibling_that_people_renamed_in_halo_is_one_all_the_same() -> None:
    """`validate` warns of two mappings with one name; what the row is called by now changes nothing."""
    other = build_mapping(107, 12, name="Acme Labs")
    doubt = only(identity_of(build_mapping(), ELSEWHERE_RENAMED, others=[other], recorded=KNOWN).doubts)
    assert doubt.rule is Rule.SAME_NAME
    assert "is billed through the mapping infima-107" in doubt.message
    assert "which has Subscription 9500 'E-learning' (quantity 3)" in doubt.message


@pytest.mark.parametrize(
    "row", [{"is_active": False}, {"deleted": True}, {"customer_id": HaloCustomerId(13)}, {"type": 0}]
)
def test_a_sibling_that_bills_nobody_here_is_no_twin(row: dict[str, object]) -> None:
    other = build_mapping(107, 12, name="Acme Labs")
    found = replace(ELSEWHERE_RENAMED, **row)  # type: ignore[arg-type] # members of a Subscription
    assert rules_of(found, others=[other], recorded=KNOWN) == []


def test_a_subscription_whose_mapping_names_another_customer_by_now_is_a_twin_here() -> None:
    """Ids of two customers changed places in the file: the first is held as moved, and bills this customer still."""
    other = build_mapping(107, 77, name="Borealis")
    own = replace(ELSEWHERE, customer_id=HaloCustomerId(12))
    doubt = only(identity_of(build_mapping(), own, others=[other], recorded=KNOWN).doubts)
    assert doubt.rule is Rule.SAME_NAME
    assert "which names customer 77 (Borealis) by now, and has Subscription 9500 " in doubt.message
    assert "correct halo_customer of infima-107 and of infima-101 in mappings.yaml" in doubt.remedy


# --- a lost state ----------------------------------------------------------------------------------------------------


def test_markers_that_the_state_does_not_know_hold_every_create() -> None:
    other = build_mapping(107, 77, name="Borealis")
    doubt = only(identity_of(build_mapping(), ELSEWHERE, others=[other]).doubts)
    assert doubt.rule is Rule.STATE_LOST
    assert "(9500), and the state does not know them" in doubt.message
    for way_out in ("--state", "--allow state-lost:infima-101 --reason '...'", "adopt infima-101 ID"):
        assert way_out in doubt.remedy


@pytest.mark.parametrize(("number", "more"), [(5, ")"), (7, " and 2 more)")])
def test_of_many_forgotten_ones_five_are_listed(number: int, more: str) -> None:
    others = [build_mapping(107 + n, 77 + n, name=f"Firm {n}") for n in range(number)]
    rows = [build_subscription(9500 + n, 77 + n, marker=f"infima-{107 + n}") for n in range(number)]
    message = only(identity_of(build_mapping(), *rows, others=others).doubts).message
    assert f"(9500, 9501, 9502, 9503, 9504{more}, and the state" in message


def test_markers_that_the_state_knows_hold_nothing() -> None:
    other = build_mapping(107, 77, name="Borealis")
    recorded = build_recorded(build_binding(9500, "infima-107", customer=77))
    assert rules_of(ELSEWHERE, others=[other], recorded=recorded) == []


def test_markers_of_other_files_hold_nothing() -> None:
    assert rules_of(ELSEWHERE) == []


def test_what_a_loss_left_open_stays_open() -> None:
    """The next run has bound what it found; the mapping without a marker is held until a person has decided it."""
    other = build_mapping(107, 77, name="Borealis")
    recorded = replace(build_recorded(build_binding(9500, "infima-107", customer=77)), undecided=(MappingKey(KEY),))
    doubt = only(identity_of(build_mapping(), ELSEWHERE, others=[other], recorded=recorded).doubts)
    assert doubt.rule is Rule.STATE_LOST
    assert doubt.message.startswith("the state was lost")


def test_the_plan_knows_what_is_undecided() -> None:
    first, other = build_mapping(101), build_mapping(107, 77, name="Borealis", retired=True)
    observation = observe_fitting(first, 15, ELSEWHERE, customers=(build_customer(), build_customer(77, "Borealis")))
    plan = plan_of(build_mappings(first, other), observation)
    assert plan.facts.undecided == (KEY,)
    known = build_recorded(build_binding(9500, "infima-107", customer=77))
    assert plan_of(build_mappings(first, other), observation, known).facts.undecided == ()


# --- what had been given up ------------------------------------------------------------------------------------------

OLD, NEW = build_subscription(9001, marker=KEY), build_subscription(9002, marker=KEY)


def test_after_a_loss_the_older_one_is_not_taken_back_where_the_newer_one_is_over() -> None:
    doubt = only(identity_of(build_mapping(), OLD, replace(NEW, deleted=True)).doubts)
    assert doubt.rule is Rule.STATE_LOST
    assert "9001" in doubt.message
    assert "reconciler adopt infima-101 9001" in doubt.remedy
    assert "reconciler adopt infima-101 9002" in doubt.remedy


def test_after_a_loss_the_newer_one_is_taken() -> None:
    found = identity_of(build_mapping(), replace(OLD, deleted=True), NEW)
    assert (found.subscription, found.doubts) == (NEW, ())


def test_after_a_loss_an_unmarked_one_beside_the_marked_one_asks_a_person() -> None:
    doubt = only(identity_of(build_mapping(), OLD, AWARENESS).doubts)
    assert doubt.rule is Rule.STATE_LOST
    assert "Acme Dental also has 9041 (quantity 37)" in doubt.message
    assert "reconciler adopt infima-101 9041" in doubt.remedy
    assert rules_of(OLD, build_subscription(9007, is_active=False)) == []
    assert rules_of(OLD, build_subscription(9007, name="Backup")) == []


def test_with_the_state_nothing_of_it_is_doubtful() -> None:
    recorded = build_recorded(build_binding(9001))
    assert rules_of(OLD, replace(NEW, deleted=True), AWARENESS, recorded=recorded) == []


def test_a_retired_mapping_takes_what_carries_its_marker() -> None:
    assert identity_of(build_mapping(retired=True), OLD, replace(NEW, deleted=True)).doubts == ()


# --- a new state -----------------------------------------------------------------------------------------------------


def test_a_state_with_decisions_by_hand_alone_is_new_to_every_mapping() -> None:
    adopted = build_recorded(build_binding(9500, "infima-107", customer=77, origin=BindingOrigin.ADOPTED))
    assert "is new: no run has written with it yet" in new_state(adopted, [])
    plan = plan_of(build_mappings(build_mapping()), observe_fitting(build_mapping()), adopted)
    assert plan.facts.never_bound == (KEY,)


def test_a_state_that_knows_its_systems_is_new_for_what_it_never_bound() -> None:
    known = replace(build_recorded(), tenant=TENANT)
    keys = [MappingKey(f"infima-{number}") for number in range(102, 108)]
    told = new_state(known, keys)
    assert "is new for infima-102, infima-103, infima-104, infima-105, infima-106 and 1 more: " in told
    assert new_state(known, []) == ""


TENANT = Tenant(halo_url="https://halo.example", infima_partner="Partner")


# --- a key that was renamed ------------------------------------------------------------------------------------------


def renamed_key(**recorded: object) -> Plan:
    mapping = replace(build_mapping(), key=MappingKey("acme"))
    observation = observe_fitting(mapping, subscriptions=recorded.pop("listed", ()))
    return plan_of(build_mappings(mapping), observation, replace(build_recorded(), tenant=TENANT, **recorded))  # type: ignore[arg-type]


def test_what_was_in_doubt_under_the_default_key_is_in_doubt_under_the_new_one() -> None:
    plan = renamed_key(undecided=(KEY,))
    assert [d.rule for d in plan.changes[0].doubts] == [Rule.STATE_LOST]
    assert plan.facts.undecided == ("acme",)
    assert renamed_key(never_bound=(KEY,)).facts.never_bound == ("acme",)
    assert renamed_key().facts == replace(renamed_key().facts, undecided=(), never_bound=())


def test_a_default_key_that_another_mapping_has_says_nothing_about_this_one() -> None:
    """Two mappings of a file may not bill one client, but a retired one keeps its key."""
    retired = build_mapping(retired=True)
    mapping = replace(build_mapping(line=20), key=MappingKey("acme"))
    recorded = replace(build_recorded(), tenant=TENANT, undecided=(KEY,))
    plan = plan_of(build_mappings(retired, mapping), observe_fitting(mapping), recorded)
    assert plan.facts.undecided == (KEY,)


def test_what_the_state_has_under_a_key_that_left_the_file_may_be_meant_whatever_its_name() -> None:
    found = build_subscription(9500, 12, name="E-learning", count=3)
    recorded = build_recorded(build_binding(9500, "acme-old"))
    doubt = only(identity_of(build_mapping(), found, recorded=recorded).doubts)
    assert doubt.rule is Rule.RESEMBLES
    assert (
        "it was billed under the key acme-old, which mappings.yaml no longer has: write that key back" in doubt.remedy
    )
    assert rules_of(replace(found, deleted=True), recorded=recorded) == []
