"""Doubts about a mapping's clients and customer: what is said, and what to do."""

from __future__ import annotations

import pytest

from reconciler.model import CountRule, InfimaClientId, Mapping, QuantityRule, UserCount
from reconciler.planning.rules import Doubt, Rule
from tests.builders import build_mapping, build_subscription
from tests.core import KEY, build_client, build_customer, change_for, unreadable

MARKED = build_subscription(9001, marker=KEY)
BY_RECORD = build_mapping(rule=QuantityRule(count=CountRule.CLIENT_RECORD))


def doubts(mapping: Mapping, *rows: object, **instead: object) -> tuple[Doubt, ...]:
    return change_for(mapping, 15, *rows, **instead).doubts  # type: ignore[arg-type]


def only_doubt(mapping: Mapping, *rows: object, **instead: object) -> Doubt:
    [doubt] = doubts(mapping, *rows, **instead)
    return doubt


def test_a_client_that_is_not_listed() -> None:
    doubt = only_doubt(build_mapping(), MARKED, clients=())
    assert doubt.rule is Rule.CLIENT_MISSING
    assert doubt.message == "INFIMA does not list client 101 (Acme Dental); missing is not zero"
    assert "retired: true" in doubt.remedy


def test_a_client_whose_users_could_not_be_read() -> None:
    doubt = only_doubt(build_mapping(), MARKED, counts=(unreadable(reason="page 2 was refused"),))
    assert doubt.rule is Rule.CLIENT_UNREADABLE
    assert doubt.message == (
        "the users of INFIMA client 101 (Acme Dental) could not be read completely: page 2 was refused"
    )
    assert doubt.remedy.startswith("run again")


@pytest.mark.parametrize(
    ("without", "said", "held"),
    [(0, 16, False), (1, 15, False), (1, 16, True), (1, 14, True), (1, None, True)],
)
def test_users_without_a_status_hold_where_the_client_list_counts_others(
    without: int, said: int | None, *, held: bool
) -> None:
    count = UserCount(client_id=InfimaClientId(101), active=15, listed=20, without_status=without)
    found = doubts(build_mapping(), MARKED, counts=(count,), clients=(build_client(user_count=said),))
    assert [doubt.rule for doubt in found] == [Rule.CLIENT_UNREADABLE] * held
    assert all(f"without a status: {without} of 20; 15 are active without them" in doubt.message for doubt in found)
    assert all(doubt.message.endswith("gives no number" if said is None else f"says {said}") for doubt in found)
    assert all("client_record" in doubt.remedy for doubt in found)


def test_a_client_whose_users_nobody_read() -> None:
    doubt = only_doubt(build_mapping(), MARKED, counts=())
    assert doubt.rule is Rule.CLIENT_UNREADABLE
    assert doubt.message.endswith("its users were not read")


def test_a_record_without_a_usable_count() -> None:
    doubt = only_doubt(BY_RECORD, MARKED, clients=(build_client(user_count=None),))
    assert doubt.rule is Rule.CLIENT_UNREADABLE
    assert doubt.message.endswith("its record carries no usable user_count")


def test_a_record_that_says_zero_is_usable() -> None:
    assert doubts(BY_RECORD, MARKED, clients=(build_client(user_count=0),)) == ()


def test_each_client_of_several_is_named() -> None:
    mapping = build_mapping(more_clients=[(102, "Acme Labs"), (103, "Acme Care")])
    counts: tuple[UserCount, ...] = ()
    found = doubts(mapping, MARKED, clients=(build_client(102, "Acme Labs"),), counts=counts)
    assert [d.rule for d in found] == [Rule.CLIENT_MISSING, Rule.CLIENT_UNREADABLE, Rule.CLIENT_MISSING]


@pytest.mark.parametrize(
    ("customers", "words"),
    [((build_customer(inactive=True),), "is inactive in HaloPSA"), ((), "is not among HaloPSA's customers")],
)
def test_a_customer_that_cannot_be_billed(customers: tuple[object, ...], words: str) -> None:
    doubt = only_doubt(build_mapping(), MARKED, customers=customers)
    assert doubt.rule is Rule.CUSTOMER_INACTIVE
    assert doubt.message == f"customer 12 (Acme Dental) {words}"
    assert "activate the customer in HaloPSA" in doubt.remedy


def test_nothing_is_created_for_a_customer_that_halo_does_not_list() -> None:
    doubt = only_doubt(build_mapping(), customers=())
    assert (doubt.rule, doubt.rule.liftable) == (Rule.CUSTOMER_UNKNOWN, False)
    assert doubt.message == "customer 12 (Acme Dental) is not among HaloPSA's customers: nothing is created"
    assert "correct halo_customer at mappings.yaml:" in doubt.remedy


def test_a_fixed_quantity_needs_an_active_customer_too() -> None:
    fixed = build_mapping(rule=QuantityRule(fixed=40))
    assert only_doubt(fixed, MARKED, customers=()).rule is Rule.CUSTOMER_INACTIVE


def test_a_retired_mapping_does_not() -> None:
    assert doubts(build_mapping(retired=True), MARKED, customers=()) == ()


def test_at_create_the_customers_name_is_a_witness() -> None:
    doubt = only_doubt(build_mapping(), customers=(build_customer(name="Other Ltd"),))
    assert doubt.rule is Rule.NAME_MISMATCH
    assert doubt.message.startswith("HaloPSA customer 12 is named 'Other Ltd', mappings.yaml says 'Acme Dental'")
    assert "--allow name-mismatch:infima-101 --reason" in doubt.remedy


def test_at_create_the_clients_name_is_a_witness() -> None:
    doubt = only_doubt(build_mapping(), clients=(build_client(name="Other Ltd"),))
    assert doubt.rule is Rule.NAME_MISMATCH
    assert doubt.message.startswith("INFIMA client 101 is named 'Other Ltd', mappings.yaml says 'Acme Dental'")


def test_at_create_every_client_of_several_is_a_witness() -> None:
    mapping = build_mapping(more_clients=[(102, "Acme Labs")])
    found = doubts(mapping, clients=(build_client(101, "One"), build_client(102, "Two")))
    assert [d.rule for d in found] == [Rule.NAME_MISMATCH] * 2


def test_case_and_spacing_aside() -> None:
    assert doubts(build_mapping(), customers=(build_customer(name="ACME  dental "),)) == ()


def test_on_an_existing_subscription_names_are_no_doubt() -> None:
    assert doubts(build_mapping(), MARKED, clients=(build_client(name="Other Ltd"),)) == ()


def test_all_doubts_of_a_mapping_stand_together() -> None:
    found = doubts(build_mapping(), build_subscription(9002), customers=(), clients=())
    assert [d.rule for d in found] == [Rule.SAME_NAME, Rule.CLIENT_MISSING, Rule.CUSTOMER_UNKNOWN]


def test_an_inactive_customer_with_another_name_is_two_doubts() -> None:
    found = doubts(build_mapping(), customers=(build_customer(name="Other Ltd", inactive=True),))
    assert [d.rule for d in found] == [Rule.CUSTOMER_INACTIVE, Rule.NAME_MISMATCH]
