"""The shape of the plan document, once: mypy reads it, and `checker` turns it into the strict check of saved plans.

`schema/plan.schema.json` says the same for other people's tools; tests hold the two against each other.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union, get_args, get_origin, get_type_hints

from reconciler.model import MAX_COUNT


@dataclass(frozen=True)
class Between:
    """The smallest and the largest whole number that a member may hold."""

    least: int
    most: int


Count = Annotated[int, Between(0, MAX_COUNT)]
Id = Annotated[int, Between(0, MAX_COUNT)]
Total = Annotated[int, Between(0, 2**53)]
Figure = Annotated[int, Between(-(2**53), 2**53)]


@dataclass(frozen=True)
class Written:
    """The form that a text must have, as a regular expression, and what it is called."""

    form: str
    name: str


Decimals = Annotated[str, Written(r"-?[0-9]{1,15}(\.[0-9]{1,4})?", "an amount")]
"""Amounts are texts: a JSON number would become a binary float in most readers."""

Currency = Annotated[str, Written(r"[A-Z]{3}", "a currency of three capital letters")]


class StateJson(TypedDict):
    """One side of a change. `id` is absent where it is known only after apply."""

    id: NotRequired[Id]
    count: Count | None
    customer_id: Id | None
    name: str


class UnknownJson(TypedDict):
    """What of `after` is not known yet, as Terraform writes it."""

    id: NotRequired[Literal[True]]
    count: NotRequired[Literal[True]]


class ActionsJson(TypedDict):
    """Terraform's `change` object. `actions` always holds exactly one action."""

    actions: list[Literal["create", "update", "no-op"]]
    before: StateJson | None
    after: StateJson | None
    after_unknown: UnknownJson


class ClientJson(TypedDict):
    """One INFIMA client's part in a change; numbers are null where they were not read."""

    id: Id
    name: str
    active_users: Count | None
    listed_users: Count | None
    user_count: Count | None


class CustomerJson(TypedDict):
    """The Halo customer that is billed."""

    id: Id
    name: str


class QuantityJson(TypedDict):
    """How the number came about."""

    counted: Count | None
    rule: str
    result: Count | None


class AmountJson(TypedDict):
    """What a mapping bills a month, an estimate; `source` is who says the unit price."""

    unit_price: Decimals
    currency: Currency
    source: Literal["mappings.yaml", "HaloPSA"]
    before: Decimals
    after: Decimals
    change: Decimals


class MoneyJson(TypedDict):
    """An amount a month in one currency."""

    amount: Decimals
    currency: Currency


class SumJson(TypedDict):
    """All known monthly amounts of one currency; held changes with what they bill now on both sides."""

    currency: Currency
    before: Decimals
    after: Decimals
    change: Decimals


class HoldJson(TypedDict):
    """Why a change is withheld, and what to do about it."""

    rule: str
    message: str
    remedy: str


class PlaceJson(TypedDict):
    """Where the mapping stands in mappings.yaml; lines and columns count from 1."""

    file: str
    line: Count
    column: Count


class ChangeJson(TypedDict):
    """One mapping's row, as an element of Terraform's `resource_changes`."""

    address: str
    type: Literal["halo_subscription"]
    name: str
    mode: Literal["managed"]
    change: ActionsJson
    action_reason: str
    infima_clients: list[ClientJson]
    halo_customer: CustomerJson
    quantity: QuantityJson
    monthly_amount: AmountJson | None
    hold: HoldJson | None
    place: PlaceJson
    caused_by: NotRequired[str]
    outcome: NotRequired[Literal["applied", "unchanged", "held", "stale", "failed", "unknown"]]
    outcome_message: NotRequired[str]
    outcome_count: NotRequired[Count]
    sent: NotRequired[Literal[True]]
    checked: NotRequired[Literal[True]]


class ViolationJson(TypedDict):
    """A broken safety rule; `name` is the mapping's key, empty at run level; `allowed` is the reason it was lifted."""

    rule: str
    level: Literal["run", "mapping"]
    name: str
    measured: Figure | None
    limit: Figure | None
    measured_amount: NotRequired[MoneyJson]
    limit_amount: NotRequired[MoneyJson]
    message: str
    remedy: str
    allowed: str | None


class UnmappedJson(TypedDict):
    """An INFIMA client that nobody is billed for."""

    id: Id
    name: str
    user_count: Count | None


class UnmanagedJson(TypedDict):
    """A Subscription that no mapping claims any more, with what it still bills."""

    id: Id
    key: str
    name: str
    customer_id: Id | None
    customer_name: str
    count: Count | None


class AllowanceJson(TypedDict):
    """`--allow RULE[:KEY] --reason TEXT`; `key` is null where the rule is lifted for all."""

    rule: str
    key: str | None
    reason: str


class SummaryJson(TypedDict):
    """The plan in numbers; held changes are in none of create, update and no_op."""

    create: Total
    update: Total
    no_op: Total
    held: Total
    users_before: Total
    users_after: Total
    monthly_amounts: list[SumJson]
    without_amount: Total


class RunJson(TypedDict):
    """The run that performed the plan; only `apply` writes it.

    `halted` is why no further write was started, said once for all changes that were not attempted. `record_missing`
    is why the state does not hold this run's record: the next run completes it.
    """

    id: str
    finished_at: str
    exit_code: Count
    verdict: str
    halted: NotRequired[str]
    record_missing: NotRequired[str]


class PlanJson(TypedDict):
    """The whole document."""

    format_version: str
    reconciler_version: str
    timestamp: str
    applyable: bool
    complete: bool
    errored: bool
    mappings_sha256: str
    halo_url: str
    infima_partner: str
    resource_changes: list[ChangeJson]
    violations: list[ViolationJson]
    unmapped_clients: list[UnmappedJson]
    unmanaged_subscriptions: list[UnmanagedJson]
    warnings: list[str]
    allowances: list[AllowanceJson]
    summary: SummaryJson
    run: NotRequired[RunJson]


class Mismatch(Exception):
    """A value that is not of the layout; `path` leads to it, `expected` says what belongs there."""

    def __init__(self, expected: str, path: str = "") -> None:
        super().__init__(f"{path}: {expected}")
        self.expected = expected
        self.path = path

    def inside(self, step: str) -> Mismatch:
        """The same mismatch, seen from one level further out."""
        return Mismatch(self.expected, f"{step}{self.path}")


Check = Callable[[object], None]

_PLAIN: dict[object, str] = {
    str: "a text is expected",
    bool: "true or false is expected",
    type(None): "null is expected",
}


@cache
def checker(layout: Any, *, extra_members: bool) -> Check:
    """Return the check of one annotation of this module; it raises `Mismatch`.

    `extra_members` lets unknown members of objects pass, as a newer minor version may have some.
    """
    origin, arguments = get_origin(layout), get_args(layout)
    if layout in _PLAIN:
        return _plain_check(layout)
    if origin is Annotated:
        bounds = arguments[1]
        return _form_check(bounds) if isinstance(bounds, Written) else _range_check(bounds)
    if origin is Literal:
        return _literal_check(arguments)
    if origin is list:
        return _list_check(checker(arguments[0], extra_members=extra_members))
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _optional_check(checker(inner, extra_members=extra_members))
    return _object_check(layout, extra_members=extra_members)


def _plain_check(kind: type) -> Check:
    def check(value: object) -> None:
        if type(value) is not kind:
            raise Mismatch(_PLAIN[kind])

    return check


def _range_check(bounds: Between) -> Check:
    def check(value: object) -> None:
        # `type is int`, not isinstance: JSON's true must not pass as 1
        if type(value) is not int or not bounds.least <= value <= bounds.most:
            raise Mismatch(f"a whole number from {bounds.least} to {bounds.most} is expected")

    return check


def _form_check(written: Written) -> Check:
    form = re.compile(written.form)

    def check(value: object) -> None:
        if type(value) is not str or form.fullmatch(value) is None:
            raise Mismatch(f"{written.name} is expected")

    return check


def _literal_check(choices: tuple[object, ...]) -> Check:
    def check(value: object) -> None:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise Mismatch("one of " + ", ".join(str(choice) for choice in choices) + " is expected")

    return check


def _optional_check(inner: Check) -> Check:
    def check(value: object) -> None:
        if value is not None:
            inner(value)

    return check


def _list_check(inner: Check) -> Check:
    def check(value: object) -> None:
        if not isinstance(value, list):
            raise Mismatch("a list is expected")
        for index, item in enumerate(value):
            try:
                inner(item)
            except Mismatch as mismatch:
                raise mismatch.inside(f"[{index}]") from None

    return check


def _object_check(layout: type, *, extra_members: bool) -> Check:
    members: dict[str, Check] = {}
    required: list[str] = []
    for name, annotation in get_type_hints(layout, include_extras=True).items():
        optional = get_origin(annotation) is NotRequired
        members[name] = checker(get_args(annotation)[0] if optional else annotation, extra_members=extra_members)
        if not optional:
            required.append(name)

    def check(value: object) -> None:
        if not isinstance(value, dict):
            raise Mismatch("an object is expected")
        for name in required:
            if name not in value:
                raise Mismatch("is missing", f".{name}")
        for name, item in value.items():
            member = members.get(name)
            if member is None:
                if extra_members:
                    continue
                raise Mismatch("holds a member that this format does not know")
            try:
                member(item)
            except Mismatch as mismatch:
                raise mismatch.inside(f".{name}") from None

    return check
