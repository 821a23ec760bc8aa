"""The rules' names, levels, and what a person may lift."""

from __future__ import annotations

import pytest

from reconciler.config.checking import mappings_schema
from reconciler.config.consistency import BOUNDED_RULES, RUN_RULES
from reconciler.planning.rules import APPROVABLE_RULES, Allowance, Rule

LIFTABLE = {
    "source-empty", "source-dropped", "many-creates", "wrong-tenant", "amounts-drop", "amounts-rise",
    "zero", "decrease", "increase", "amount-decrease", "amount-increase",
    "falling", "customer-inactive", "name-mismatch", "name-swapped", "same-name", "resembles", "state-lost",
    "state-not-durable",
}  # fmt: skip
FIRM = {
    "client-missing", "client-unreadable", "customer-unknown", "subscription-gone", "moved", "identity-conflict",
    "duplicate-marker", "attempt-open", "contract-expired", "halo-unfit",
}  # fmt: skip


APPROVABLE = {
    "zero", "decrease", "increase", "falling", "customer-inactive", "name-mismatch", "resembles", "amount-decrease",
    "amount-increase", "many-creates", "source-dropped", "amounts-drop", "amounts-rise",
}  # fmt: skip


def test_what_can_be_approved_can_be_lifted_and_stands_in_the_schema() -> None:
    assert {str(rule) for rule in Rule if rule.approvable} == APPROVABLE
    assert all(rule.liftable for rule in APPROVABLE_RULES)
    entry = mappings_schema()["properties"]["approvals"]["items"]["properties"]["rule"]
    assert set(entry["enum"]) == APPROVABLE
    assert {str(rule) for rule in APPROVABLE_RULES if rule.level == "run"} == set(RUN_RULES)
    assert {str(rule) for rule in APPROVABLE_RULES} > BOUNDED_RULES


def test_every_rule_is_either_liftable_or_firm() -> None:
    assert {str(rule) for rule in Rule} == LIFTABLE | FIRM


@pytest.mark.parametrize("rule", list(Rule))
def test_what_has_no_number_or_no_one_object_cannot_be_lifted(rule: Rule) -> None:
    assert rule.liftable is (str(rule) in LIFTABLE)


@pytest.mark.parametrize(
    ("rule", "key", "covered"),
    [
        (Rule.ZERO, "a", True),
        (Rule.ZERO, "b", False),
        (Rule.ZERO, "", False),
        (Rule.DECREASE, "a", False),
    ],
)
def test_an_allowance_for_one_mapping(rule: Rule, key: str, *, covered: bool) -> None:
    assert Allowance(rule=Rule.ZERO, reason="r", key="a").covers(rule, key) is covered


@pytest.mark.parametrize(("rule", "covered"), [(Rule.ZERO, True), (Rule.DECREASE, False)])
def test_an_allowance_without_key_covers_every_mapping_of_its_rule(rule: Rule, *, covered: bool) -> None:
    allowance = Allowance(rule=Rule.ZERO, reason="r")
    assert [allowance.covers(rule, key) for key in ("a", "b", "")] == [covered] * 3
