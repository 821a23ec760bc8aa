"""Names as the second witness: swapped ids, new names, strangers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import ClientRef, CustomerRef, HaloCustomerId, InfimaClientId, Mapping, Place
from reconciler.planning.changes import Action, Plan
from reconciler.planning.doubts import NameIndex
from reconciler.planning.rules import Rule
from tests.builders import build_mapping, build_mappings, build_subscription
from tests.core import (
    KEY,
    build_binding,
    build_client,
    build_count,
    build_customer,
    build_recorded,
    observe_fitting,
    plan_of,
)

MARKED = build_subscription(9001, marker=KEY)
KNOWN = build_recorded(build_binding(9001))
CLIENTS = (build_client(101, "Acme Dental"), build_client(102, "Borealis Freight"))
CUSTOMERS = (build_customer(12, "Acme Dental"), build_customer(13, "Borealis Freight"))


def at(line: int) -> Place:
    return Place(file="mappings.yaml", line=line, column=5)


def client(number: int, name: str, line: int = 10) -> ClientRef:
    return ClientRef(id=InfimaClientId(number), name=name, place=at(line))


def customer(number: int, name: str, line: int = 11) -> CustomerRef:
    return CustomerRef(id=HaloCustomerId(number), name=name, place=at(line))


def plan_two(first: Mapping, *others: Mapping, exists: bool = True) -> Plan:
    observation = observe_fitting(
        first, 15, *((MARKED,) if exists else ()),
        clients=CLIENTS, customers=CUSTOMERS, counts=(build_count(101), build_count(102)),
    )  # fmt: skip
    return plan_of(build_mappings(first, *others), observation, KNOWN if exists else None)


@pytest.mark.parametrize("exists", [True, False])
def test_swapped_clients_hold_at_create_and_at_update_with_both_lines_and_the_edit(*, exists: bool) -> None:
    first = replace(build_mapping(101), infima_clients=(client(101, "Borealis Freight", 10),))
    second = replace(build_mapping(102, 13, name="x"), infima_clients=(client(102, "Acme Dental", 20),),
                     halo_customer=customer(13, "Borealis Freight"))  # fmt: skip
    changes = plan_two(first, second, exists=exists).changes
    assert [[d.rule for d in c.doubts] for c in changes] == [[Rule.NAME_SWAPPED]] * 2
    [doubt] = changes[0].doubts
    assert "mappings.yaml:10:5" in doubt.message
    assert "mappings.yaml:20:5" in doubt.message
    assert 'at mappings.yaml:10:5 write infima_client: {id: 102, name: "Borealis Freight"}' in doubt.remedy
    assert 'at mappings.yaml:20:5 {id: 101, name: "Acme Dental"}' in doubt.remedy
    assert "--allow name-swapped:infima-101 --reason '...'" in doubt.remedy


def test_swapped_clients_inside_one_mapping_hold() -> None:
    refs = (client(101, "Borealis Freight", 10), client(102, "ACME dental", 11))
    [change] = plan_two(replace(build_mapping(101), infima_clients=refs)).changes
    assert [d.rule for d in change.doubts] == [Rule.NAME_SWAPPED] * 2


@pytest.mark.parametrize("exists", [True, False])
def test_a_customer_with_the_name_of_another_holds(*, exists: bool) -> None:
    mapping = replace(build_mapping(101), halo_customer=customer(12, "Borealis Freight"))
    [change] = plan_two(mapping, exists=exists).changes
    assert change.action is (Action.UPDATE if exists else Action.CREATE)
    [doubt] = change.doubts
    assert doubt.rule is Rule.NAME_SWAPPED
    assert 'write halo_customer: {id: 13, name: "Borealis Freight"}' in doubt.remedy
    assert "which the file does not name" in doubt.message


def test_an_id_that_nobody_has_under_anothers_name_holds() -> None:
    mapping = replace(build_mapping(101), halo_customer=customer(14, "Borealis Freight"))
    [change] = plan_two(mapping, exists=False).changes
    assert [d.rule for d in change.doubts] == [Rule.CUSTOMER_UNKNOWN, Rule.NAME_SWAPPED]


def test_a_name_that_two_have_is_no_swap_where_it_is_the_ids_own() -> None:
    observation = observe_fitting(
        build_mapping(), 15, MARKED, clients=(build_client(), build_client(102, "Acme Dental"))
    )
    [change] = plan_of(build_mappings(build_mapping()), observation, KNOWN).changes
    assert change.doubts == ()


def test_an_inactive_customer_lends_no_name() -> None:
    mapping = replace(build_mapping(101), halo_customer=customer(12, "Borealis Freight"))
    rows = (build_customer(12, "Acme Dental"), build_customer(13, "Borealis Freight", inactive=True))
    observation = observe_fitting(mapping, 15, MARKED, customers=rows)
    plan = plan_of(build_mappings(mapping), observation, KNOWN)
    assert plan.changes[0].doubts == ()
    assert "is now named 'Acme Dental'" in plan.warnings[0]


def test_a_retired_mapping_with_swapped_ids_is_held_too() -> None:
    """Else the wrong one of two would be brought to 0."""
    mapping = replace(build_mapping(101, retired=True), infima_clients=(client(101, "Borealis Freight"),))
    assert [d.rule for d in plan_two(mapping).changes[0].doubts] == [Rule.NAME_SWAPPED]


@pytest.mark.parametrize("live", ["Acme\u200bDental", "Acme\u2028Dental", "\ufeffacme \u00addental\u200f"])
def test_what_nobody_sees_is_no_other_name(live: str) -> None:
    for rows in ((MARKED,), ()):
        observation = observe_fitting(
            build_mapping(), 15, *rows, clients=(build_client(name=live),), customers=(build_customer(name=live),)
        )
        plan = plan_of(build_mappings(build_mapping()), observation, KNOWN if rows else None)
        assert (plan.changes[0].doubts, plan.warnings) == ((), ())


def test_a_new_name_is_told_with_the_way_to_write_it() -> None:
    observation = observe_fitting(build_mapping(), 15, MARKED, clients=(build_client(name="Acme Smiles"),))
    [told] = plan_of(build_mappings(build_mapping()), observation, KNOWN).warnings
    assert "INFIMA client 101 is now named 'Acme Smiles'" in told
    assert told.endswith("reconciler fmt --names")


def test_a_create_for_a_customer_with_quite_another_name_carries_a_warning() -> None:
    mapping = build_mapping(name="Zephyr Cycles", customer_name="Bramble Catering")
    observation = observe_fitting(mapping, 15)
    [told] = plan_of(build_mappings(mapping), observation).warnings
    assert "'Zephyr Cycles' (101) would be billed to HaloPSA customer 'Bramble Catering' (12)" in told
    assert plan_of(build_mappings(build_mapping()), observe_fitting(build_mapping(), 15)).warnings == ()


def test_of_two_with_the_name_the_lower_id_is_offered_and_names_that_show_nothing_are_nobodys() -> None:
    rows = {number: build_customer(number, "Borealis") for number in (14, 13)} | {15: build_customer(15, "\u200b")}
    index = NameIndex(live=rows, refs=())
    assert index.called("borealis ") == [13, 14]
    assert index.called("\u2060") == []


def test_the_edit_offers_only_what_is_known() -> None:
    listed = replace(build_mapping(101), halo_customer=customer(12, "Borealis Freight"))
    [doubt] = plan_two(listed).changes[0].doubts
    assert "HaloPSA customer 12 is called 'Acme Dental', and mappings.yaml:11:5 calls it" in doubt.message
    assert 'if it was renamed, at mappings.yaml:11:5 write {id: 12, name: "Acme Dental"}' in doubt.remedy
    unlisted = replace(build_mapping(101), halo_customer=customer(14, "Borealis Freight"))
    [_, doubt] = plan_two(unlisted, exists=False).changes[0].doubts
    assert "HaloPSA customer 14 is not listed, and" in doubt.message
    assert "renamed" not in doubt.remedy


def test_without_a_place_of_its_own_a_name_stands_where_its_mapping_does() -> None:
    nameless = CustomerRef(id=HaloCustomerId(12), name="Borealis Freight")
    [doubt] = plan_two(replace(build_mapping(101, line=77), halo_customer=nameless)).changes[0].doubts
    assert "mappings.yaml:77:5 calls it" in doubt.message


def test_names_are_spelled_as_the_file_has_them() -> None:
    rows = (build_customer(12, "Acme"), build_customer(13, "Caf\u00e9 Nord"))
    mapping = replace(build_mapping(101), halo_customer=customer(12, "Caf\u00e9 Nord"))
    [change] = plan_of(build_mappings(mapping), observe_fitting(mapping, 15, MARKED, customers=rows), KNOWN).changes
    assert '{id: 13, name: "Caf\u00e9 Nord"}' in change.doubts[0].remedy
