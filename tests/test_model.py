"""The frozen values: what they know of themselves."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace

import pytest

from reconciler import model
from reconciler.model import Place, QuantityRule
from reconciler.planning import changes, identity, quantity, rules
from tests.builders import build_mapping, build_subscription

VALUES = [
    cls
    for module in (model, changes, identity, quantity, rules)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if is_dataclass(cls) and cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_values_are_frozen_slotted_and_made_by_keyword(cls: type) -> None:
    made = object.__new__(cls)
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(cls)[0].name, 1)
    assert not hasattr(made, "__dict__")
    assert all(each.kw_only for each in fields(cls))


def test_a_place_reads_like_a_compilers() -> None:
    assert str(Place(file="mappings.yaml", line=10, column=5)) == "mappings.yaml:10:5"


@pytest.mark.parametrize(
    ("retired", "rule", "counts"),
    [
        (False, QuantityRule(), True),
        (False, QuantityRule(fixed=0), False),
        (True, QuantityRule(), False),
        (True, QuantityRule(fixed=4), False),
    ],
)
def test_a_mapping_counts_users_unless_the_file_gives_the_number(
    *, retired: bool, rule: QuantityRule, counts: bool
) -> None:
    assert build_mapping(retired=retired, rule=rule).counts_users is counts


@pytest.mark.parametrize(
    ("active", "deleted", "live"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_a_subscription_bills_while_it_is_active_and_not_deleted(*, active: bool, deleted: bool, live: bool) -> None:
    assert build_subscription(is_active=active, deleted=deleted).live is live


@pytest.mark.parametrize(("code", "subscription"), [(1, True), (0, False), (2, False)])
def test_only_type_one_is_a_subscription(code: int, *, subscription: bool) -> None:
    assert replace(build_subscription(), type=code).is_subscription is subscription


def test_the_raw_row_takes_no_part_in_equality_or_drawing() -> None:
    one = build_subscription()
    other = replace(one, raw={"vat_code": 3})
    assert one == other
    assert "vat_code" not in repr(other)
