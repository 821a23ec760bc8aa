"""From a `Plan`, its outcomes or an error to the document. Pure: the same plan gives the same bytes (FAULTS O1, O2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

import msgspec

from reconciler.config.source import Diagnostic
from reconciler.errors import ApiError, ConfigError, ReconcilerError
from reconciler.model import Approval, Json, MappingKey, Money, SubscriptionId
from reconciler.moments import timestamp, zone_name
from reconciler.plan_document.layout import (
    FORMAT_VERSION,
    NEEDS,
    ActionsJson,
    AllowanceJson,
    AmountJson,
    ApprovalJson,
    ChangeJson,
    LayoutVersion,
    MoneyJson,
    NeedJson,
    PlanJson,
    StateJson,
    SumJson,
    SummaryJson,
    UnknownJson,
    ViolationJson,
    says,
)
from reconciler.planning.changes import (
    Action,
    Change,
    Plan,
    Settled,
    SubscriptionState,
    Summary,
    Violation,
)
from reconciler.planning.money import Amount
from reconciler.state.base import RunVerdict
from reconciler.state.recorded import Need

Position = Annotated[int, msgspec.Meta(ge=1)]


def plan_document(plan: Plan, *, version: str) -> PlanJson:
    """Return the plan as the JSON document of DESIGN 9.

    `applyable` is true when there is something to write and no refusal.
    """
    approved = {a.key: a for a in reversed(plan.approvals) if a.key is not None}
    document: PlanJson = {
        "format_version": FORMAT_VERSION,
        "reconciler_version": version,
        "timestamp": timestamp(plan.taken_at),
        "applyable": bool(plan.writes),
        "complete": plan.complete and not plan.held and not plan.refused,
        "errored": False,
        "mappings_sha256": plan.mappings_sha256,
        "halo_url": plan.tenant.halo_url,
        "infima_partner": plan.tenant.infima_partner,
        "resource_changes": [_change(change, approved.get(change.key)) for change in plan.changes],
        "violations": [_violation(violation) for violation in plan.violations],
        "unmapped_clients": [{"id": c.id, "name": c.name, "user_count": c.user_count} for c in plan.unmapped],
        "unmanaged_subscriptions": _plain(plan.unmanaged),
        "warnings": list(plan.warnings),
        "allowances": list(_allowances(plan)),
        "summary": _summary(plan.summary),
        "needs": needs_json(plan.needs),
    }
    if plan.zone is not UTC:
        document["timezone"] = zone_name(plan.zone)
    if not plan.complete:
        document["selected"] = True
    return document


def _plain(value: object) -> Any:
    """A value, or several, whose members are those of the document in name and order."""
    plain = msgspec.to_builtins(value)
    return list(plain) if isinstance(plain, tuple) else plain


def _summary(summary: Summary) -> SummaryJson:
    return {
        "create": summary.create,
        "update": summary.update,
        "no_op": summary.no_op,
        "held": summary.held,
        "users_before": summary.users_before,
        "users_after": summary.users_after,
        "monthly_amounts": [sum_json(one) for one in summary.amounts],
        "without_amount": summary.unpriced,
    }


def with_outcomes(
    document: PlanJson,
    plan: Plan,
    outcomes: Mapping[MappingKey, Settled],
    run: RunVerdict | None = None,
    *,
    halted: str = "",
    record_missing: str = "",
    needs: Iterable[Need] | None = None,
    met: Iterable[Need] = (),
) -> PlanJson:
    """Return the plan's document with what `apply` made of it; the document itself stays as it is.

    `needs` is what waits for a person after the run, in the place of what waited before it; `met` waits no longer.
    """
    rows = zip(document["resource_changes"], plan.changes, strict=True)
    told: PlanJson = {
        **document,
        "resource_changes": [_settled(row, change, outcomes.get(change.key)) for row, change in rows],
    }
    if needs is not None:
        told["needs"] = needs_json(needs)
    if gone := needs_json(met):
        told["needs_met"] = gone
    if run is not None:
        told["run"] = {
            "id": run.run,
            "finished_at": timestamp(run.finished_at),
            "exit_code": run.exit_code,
            "verdict": run.sentence,
        }
        if halted:
            told["run"]["halted"] = halted
        if record_missing:
            told["run"]["record_missing"] = record_missing
    return told


def _settled(row: ChangeJson, change: Change, settled: Settled | None) -> ChangeJson:
    if settled is None:
        return row
    told: ChangeJson = {**row, "outcome": settled.outcome.value, "outcome_message": settled.message}
    if change.after.id is None:
        told["change"] = _actions(change, settled.subscription_id)
    if settled.live_count is not None and (settled.sent or settled.live_count != change.live_quantity):
        told["outcome_count"] = settled.live_count
    if settled.sent:
        told["sent"] = True
    if settled.checked:
        told["checked"] = True
    return told


def _allowances(plan: Plan) -> Iterator[AllowanceJson]:
    for each in plan.allowances:
        yield {"rule": each.rule.value, "key": each.key, "reason": each.reason}
    for approval in plan.approvals:
        told = _approval(approval)
        yield {"rule": told["rule"], "key": told["key"], "reason": told["reason"], "approval": told}


def _approval(approval: Approval) -> ApprovalJson:
    row: ApprovalJson = {
        "rule": approval.rule,
        "key": approval.key,
        "until": approval.until.isoformat(),
        "reason": approval.reason,
        "line": approval.place.line,
    }
    if approval.at_least is not None and approval.at_most is not None:
        row["quantity_from"], row["quantity_to"] = approval.at_least, approval.at_most
    if approval.up_to is not None:
        row["up_to"] = approval.up_to
    if approval.approved_by:
        row["approved_by"] = approval.approved_by
    return row


def _change(change: Change, approval: Approval | None) -> ChangeJson:
    row: ChangeJson = {
        "address": change.address,
        "type": "halo_subscription",
        "name": change.key,
        "mode": "managed",
        "change": _actions(change, None),
        "action_reason": change.reason.value,
        "infima_clients": _plain(change.clients),
        "halo_customer": {"id": change.customer.id, "name": change.customer.name},
        "quantity": _plain(change.quantity),
        "monthly_amount": _amount(change),
        "hold": _plain(change.hold),
        "place": _plain(change.mapping.place),
    }
    if change.action is Action.CREATE:
        row["customer_subscriptions"] = [
            _plain(one) | {"invoices": None if one.invoices is None else list(one.invoices)} for one in change.unowned
        ]
    if change.caused_by is not None:
        row["caused_by"] = change.caused_by
    if approval is not None:
        row["approval"] = _approval(approval)
    if change.edited_from is not None:
        since = change.edited_since
        row["changed_in_halopsa"] = {
            "before": change.edited_from,
            "since": timestamp(since) if since else None,
            "counted": change.counted_before,
        }
    if change.candidates:
        row["candidates"] = [_state(one, one.id) for one in change.candidates]
    return row


def _actions(change: Change, created_id: SubscriptionId | None) -> ActionsJson:
    """Terraform's `change`: a no-op without a Subscription has no `after`, for nothing is and nothing will be there."""
    unknown: UnknownJson = {}
    after: StateJson | None = None
    subscription_id = created_id if change.after.id is None else change.after.id
    if subscription_id is not None or change.action is not Action.NO_OP:
        after = _state(change.after, subscription_id)
        if subscription_id is None:
            unknown["id"] = True
        if change.after.count is None:
            unknown["count"] = True
    return {
        "actions": [change.action.value],
        "before": None if change.before is None else _state(change.before, change.before.id),
        "after": after,
        "after_unknown": unknown,
    }


def _state(state: SubscriptionState, subscription_id: SubscriptionId | None) -> StateJson:
    known: StateJson = {"count": state.count, "customer_id": state.customer_id, "name": state.name}
    return known if subscription_id is None else {"id": subscription_id, **known}


def _amount(change: Change) -> AmountJson | None:
    amount, price = change.amount, change.price
    if amount is None or price is None:
        return None
    return {"unit_price": f"{price.amount:f}", "source": price.source.value, **sum_json(amount)}


def sum_json(amount: Amount) -> SumJson:
    """An amount as the document has it, digit for digit."""
    return {
        "currency": amount.currency,
        "before": f"{amount.before:f}",
        "after": f"{amount.after:f}",
        "change": f"{amount.change:f}",
    }


def _money(money: Money) -> MoneyJson:
    return {"amount": f"{money.amount:f}", "currency": money.currency}


def _violation(violation: Violation) -> ViolationJson:
    row: ViolationJson = {
        "rule": violation.rule.value,
        "level": violation.level.value,
        "name": violation.name,
        "measured": violation.measured,
        "limit": violation.limit,
        "message": violation.message,
        "remedy": violation.remedy,
        "allowed": violation.allowed,
    }
    if violation.approval is not None:
        row["approval"] = _approval(violation.approval)
    if violation.measured_amount is not None:
        row["measured_amount"] = _money(violation.measured_amount)
    if violation.limit_amount is not None:
        row["limit_amount"] = _money(violation.limit_amount)
    return row


def needs_json(needs: Iterable[Need]) -> list[NeedJson]:
    """What waits for a person, in the form that every drawing takes."""
    return [_plain(need) | {"since": timestamp(need.since)} for need in needs]


# --- failure ---------------------------------------------------------------------------------------------------------


class DiagnosticJson(TypedDict):
    """One problem of mappings.yaml."""

    file: Annotated[str, says("The file's name.")]
    line: Annotated[Position, says("Line, from 1.")]
    column: Annotated[Position, says("Column, from 1.")]
    severity: Annotated[Literal["error", "warning"], says("error or warning.")]
    message: Annotated[str, says("What is wrong.")]
    hint: Annotated[str, says("How to mend it; may be empty.")]


class ErrorJson(TypedDict):
    """What went wrong."""

    code: Annotated[str, says("The kind of error, a word that scripts may compare.")]
    message: Annotated[str, says("What happened.")]
    hint: Annotated[str, says("The next step; may be empty.")]
    system: NotRequired[Annotated[str, says("INFIMA or HaloPSA, where one of them is the cause.")]]
    request: NotRequired[Annotated[str, says("Method and path of the request that failed.")]]
    diagnostics: NotRequired[
        Annotated[list[DiagnosticJson], says("Every problem of mappings.yaml, in order of place.")]
    ]


class FailureJson(TypedDict):
    """The whole document. Its members are a plan's; there are no `resource_changes`, so that nothing looks in order."""

    format_version: LayoutVersion
    reconciler_version: str
    applyable: bool
    complete: bool
    errored: bool
    error: Annotated[ErrorJson, says("Why there is no plan. Present on failure only.")]
    needs: NotRequired[Annotated[list[NeedJson], says(NEEDS)]]


def error_document(error: ReconcilerError, *, version: str) -> FailureJson:
    """Return what `-o json` prints on failure: `errored` is true and `error` has code, message and next step."""
    details: ErrorJson = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, ApiError):
        details["system"] = error.system
        details["request"] = error.request
    if isinstance(error, ConfigError):
        details["diagnostics"] = [diagnostic_json(one) for one in error.diagnostics if isinstance(one, Diagnostic)]
    document: FailureJson = {
        "format_version": FORMAT_VERSION,
        "reconciler_version": version,
        "applyable": False,
        "complete": False,
        "errored": True,
        "error": details,
    }
    if error.needs:
        document["needs"] = needs_json(error.needs)
    return document


def diagnostic_json(one: Diagnostic) -> DiagnosticJson:
    """One problem of mappings.yaml, as every document has it."""
    told: DiagnosticJson = _plain(one.place) | {"severity": one.severity, "message": one.message, "hint": one.hint}
    return told


# --- text ------------------------------------------------------------------------------------------------------------


def dump_document(document: PlanJson | FailureJson | Mapping[str, Json]) -> str:
    """Return the document as ASCII text: a line for each member and for each element of a list, newline at the end.

    Raises ValueError for a number that JSON does not have (NaN, infinity).
    """
    members = cast("Mapping[str, Json]", document)
    lines = ",\n".join(f"{_compact(name)}: {_member(value)}" for name, value in members.items())
    return "{" + lines + "}\n"


def _member(value: Json) -> str:
    if not isinstance(value, list) or not value:
        return _compact(value)
    return "[\n" + ",\n".join(f"  {_compact(item)}" for item in value) + "\n]"


def _compact(value: Json) -> str:
    # without `indent` json encodes in C: 10,000 changes cost a tenth of what pretty-printing would
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
