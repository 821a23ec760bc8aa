"""From the bytes of a saved plan to a `SavedPlan`, strictly: it decides which writes `apply` may perform.

A saved plan only ever takes writes away (DESIGN 3), so a forged one cannot add any. Strictness here is for the other
direction: a damaged or contradictory file must not be mistaken for one that a person has reviewed.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reconciler.errors import PlanFileError
from reconciler.model import HaloCustomerId, MappingKey, SubscriptionId, Tenant
from reconciler.plan_document.layout import (
    FORMAT_VERSION,
    AmountJson,
    ChangeJson,
    NeedJson,
    PlanJson,
    StateJson,
    SumJson,
    SummaryJson,
)
from reconciler.plan_document.write import sum_json
from reconciler.planning.changes import Action, ActionReason, PlannedRow
from reconciler.planning.money import Amount, add_up
from reconciler.planning.rules import Level, Rule

MAX_PLAN_BYTES = 50_000_000
"""Largest plan file that is read; ten thousand mappings take about a sixth of it."""

MAKE_ANOTHER = "Make a new one with: reconciler plan --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan that was saved and may have been reviewed. `document` is the whole of it, for drawing.

    `applyable` is false when the plan had nothing to write or was refused: then it permits no write at all.
    """

    mappings_sha256: str
    tenant: Tenant
    taken_at: datetime
    applyable: bool
    rows: tuple[PlannedRow, ...]
    document: PlanJson = field(compare=False, repr=False)

    @property
    def permitted(self) -> dict[MappingKey, PlannedRow]:
        """The rows that `apply` may perform, by key."""
        return {row.key: row for row in self.rows if row.performs_write} if self.applyable else {}


def read_plan_file(data: bytes) -> SavedPlan:
    """Return the saved plan in these bytes; raises `PlanFileError` for everything that is not exactly one."""
    document = _decode(data)
    newer = _is_newer(document)
    try:
        plan = msgspec.convert(document, type=PlanJson)
    except msgspec.ValidationError as mismatch:
        what, _, place = str(mismatch).partition(" - at `$")
        raise _refusal(f"{place.strip('.`') or 'the document'}: {what}") from None
    if document != plan and not newer:  # plain values on both sides, so only a member more makes a difference
        raise _refusal(f"{_unknown_member(document, plan).lstrip('.')}: this format does not know such a member")
    if plan["errored"]:
        raise _refusal("it records a plan that could not be made")
    rows = tuple(_row(change) for change in plan["resource_changes"])
    _require_consistency(plan, rows)
    return SavedPlan(
        mappings_sha256=plan["mappings_sha256"],
        tenant=Tenant(halo_url=plan["halo_url"], infima_partner=plan["infima_partner"]),
        taken_at=_moment(plan["timestamp"]),
        applyable=plan["applyable"],
        rows=rows,
        document=plan,
    )


def _refusal(problem: str) -> PlanFileError:
    return PlanFileError(f"The plan file cannot be used: {problem}.", hint=MAKE_ANOTHER)


def _decode(data: bytes) -> dict[str, object]:
    if len(data) > MAX_PLAN_BYTES:
        raise _refusal(f"it is larger than {MAX_PLAN_BYTES // 1_000_000} MB")
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise _refusal("it is not UTF-8 text") from None
    except RecursionError:
        raise _refusal("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        # the reason and the place only: the text around it may be anything
        raise _refusal(f"it is not JSON ({error.msg}, line {error.lineno}, column {error.colno})") from None
    except ValueError:
        raise _refusal("it holds a number with too many digits") from None
    if not isinstance(document, dict):
        raise _refusal("it is not a JSON object")
    if "error" in document and document.get("errored") is True:
        raise _refusal("it records a plan that could not be made")
    return document


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _refusal("an object in it has two members of one name")
    return members


def _refuse_constant(_text: str) -> float:
    raise _refusal("it holds NaN or infinity, which JSON does not have")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _refusal("it holds a number that is too large")
    return number


def _is_newer(document: dict[str, object]) -> bool:
    """True when a newer minor version wrote the file; raises for another major version."""
    stated = document.get("format_version")
    major, _, minor = stated.partition(".") if isinstance(stated, str) else ("", "", "")
    our_major, _, our_minor = FORMAT_VERSION.partition(".")
    if not (minor.isascii() and minor.isdigit() and len(minor) < len("100000")):
        raise _refusal("format_version is missing or unreadable; is this a plan that reconciler saved?")
    if major != our_major:
        raise PlanFileError(
            f"The plan file cannot be used: its format_version is not {our_major}.x.",
            hint=f"Another version of reconciler saved it. {MAKE_ANOTHER}",
        )
    return int(minor) > int(our_minor)


def _unknown_member(stated: Any, known: Any) -> str:
    """Where the file has a member that the layout does not, which msgspec passes over; empty where it has none."""
    steps: Iterable[tuple[str, Any]] = ()
    if isinstance(stated, dict):
        if more := sorted(set(stated) - set(known)):
            return f".{more[0]}"
        steps = ((f".{name}", name) for name in stated)
    elif isinstance(stated, list):
        steps = ((f"[{at}]", at) for at in range(len(stated)))
    return next((step + where for step, at in steps if (where := _unknown_member(stated[at], known[at]))), "")


def _row(change: ChangeJson) -> PlannedRow:
    name, side = change["name"], change["change"]
    if change["address"] != f"halo_subscription.{name}":
        raise _refusal("a row's address and name differ")
    action = Action(side["actions"][0])
    if change["action_reason"] not in list(ActionReason):
        raise _refusal("a row has an action_reason that this version does not know")
    hold, before, after = change["hold"], side["before"], side["after"]
    if hold is None and not _sides_fit(action, before, after):
        raise _refusal(f"a row's before and after do not fit its action ({action})")
    subscription_id = None if before is None else before.get("id")
    customer_id = None if after is None else after["customer_id"]
    return PlannedRow(
        key=MappingKey(name),
        action=action,
        subscription_id=None if subscription_id is None else SubscriptionId(subscription_id),
        before=None if before is None else before["count"],
        after=None if after is None else after["count"],
        customer_id=None if customer_id is None else HaloCustomerId(customer_id),
        hold=None if hold is None else _rule(hold["rule"]),
    )


def _sides_fit(action: Action, before: StateJson | None, after: StateJson | None) -> bool:
    """True unless the row would write something else than its action says; held rows write nothing."""
    if action is Action.NO_OP:
        return True
    if after is None or after["count"] is None:
        return False
    if action is Action.CREATE:
        return before is None
    return before is not None and "id" in before and before["id"] == after.get("id")


def _rule(name: str) -> Rule:
    try:
        return Rule(name)
    except ValueError:
        raise _refusal("it names a safety rule that this version does not know") from None


def _require_consistency(plan: PlanJson, rows: tuple[PlannedRow, ...]) -> None:
    """Refuse a document whose parts contradict each other: what a person read must be what counts."""
    if len({row.key for row in rows}) != len(rows):
        raise _refusal("it has two rows for one mapping")
    refused = False
    for violation in plan["violations"]:
        rule = _rule(violation["rule"])
        if violation["level"] != rule.level:
            raise _refusal("a violation's level is not its rule's")
        refused = refused or (rule.level is Level.RUN and violation["allowed"] is None)
    for allowance in plan["allowances"]:
        _rule(allowance["rule"])
    if plan["applyable"] != (not refused and any(row.performs_write for row in rows)):
        raise _refusal("applyable contradicts its rows and violations")
    if plan["summary"] != _summary(rows, plan["resource_changes"]):
        raise _refusal("its summary contradicts its rows")


def _summary(rows: Sequence[PlannedRow], changes: Sequence[ChangeJson]) -> SummaryJson:
    """The same sums as `changes.summarise`, from what the file shows."""
    doubt = in_doubt(changes)
    amounts, without = _amounts(changes)
    tally = Counter("held" if row.hold is not None else row.action.value for row in rows)
    before = sum(row.before or 0 for row in rows)
    after = sum((row.before if row.hold is not None or row.after is None else row.after) or 0 for row in rows)
    return {
        "create": tally["create"],
        "update": tally["update"],
        "no_op": tally["no-op"],
        "held": tally["held"],
        "users_before": before + doubt,
        "users_after": after + doubt,
        "monthly_amounts": amounts,
        "without_amount": without,
    }


def in_doubt(changes: Sequence[ChangeJson]) -> int:
    """Users on Subscriptions of which it cannot be told whose they are, each counted once."""
    known = {side.get("id") for change in changes if (side := change["change"]["before"]) is not None}
    doubtful = {one.get("id"): one["count"] or 0 for change in changes for one in change.get("candidates", ())}
    return sum(count for number, count in doubtful.items() if number not in known)


def _amounts(changes: Iterable[ChangeJson]) -> tuple[list[SumJson], int]:
    """The sums of the rows' amounts in each currency, and how many rows that bill somebody have none."""
    found, without = [], 0
    for change in changes:
        stated, sides = change["monthly_amount"], (change["change"]["before"], change["change"]["after"])
        if stated is None:
            without += any(side is not None and side["count"] for side in sides)
            continue
        amount = amount_in(stated)
        if amount.change != Decimal(stated["change"]):
            raise _refusal("a row's monthly amounts contradict each other")
        found.append(amount if change["hold"] is None else amount.staying)
    return [sum_json(one) for one in add_up(found)], without


def amount_in(stated: AmountJson | SumJson) -> Amount:
    """An amount of the document as a value."""
    return Amount(currency=stated["currency"], before=Decimal(stated["before"]), after=Decimal(stated["after"]))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _refusal("timestamp: a time such as 2026-11-22T05:17:03Z is expected") from None


def needs_in(value: object) -> tuple[NeedJson, ...]:
    """The needs that a document of another run holds; none where they are not of this layout."""
    try:
        return tuple(msgspec.convert(value, type=list[NeedJson]))
    except msgspec.ValidationError:
        return ()
