"""The plan as `terraform show -json` writes one, on one line: for tools that judge Terraform's plans.

Such tools look in three places, and all of them say the same here: `resource_changes` holds what would be written
(after `apply`: what was), `planned_values` what HaloPSA has then, `deferred_changes` what a safety rule withholds or a
run did not do. A plan that is refused, or could not be made, has nothing in it that a tool could find in order: neither
`resource_changes` nor `configuration`; it is errored, and the reason is a failed check, as Terraform writes them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import ExitCode
from reconciler.model import Json
from reconciler.planning.changes import CAME_RIGHT, Action, Outcome
from reconciler.render.document import Kind, Row, View, view

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlanJson, StateJson, ViolationJson
    from reconciler.plan_document.write import FailureJson

FORMAT_VERSION, STATE_FORMAT_VERSION = "1.2", "1.0"
TERRAFORM_VERSION = "1.11.4"
"""The version whose layout this is; tests/golden/terraform-show.json is one of its own."""

PROVIDER_KEY, PROVIDER = "halo", "reconciler.example/reconciler/halo"

Values = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlannedResource:
    """One mapping's Subscription on both sides; None where there is none. `deferred` is why it is not written."""

    key: str
    action: str
    before: Values | None
    after: Values | None
    planned: Values | None
    deferred: str = ""


def render_terraform(document: PlanJson) -> str:
    """Return the plan, or what `apply` made of it, as Terraform's JSON plan: one line, ASCII."""
    shown = view(document)
    entries = [_planned_resource(row, shown) for row in sorted(shown.rows, key=lambda row: row.key)]
    deferred: list[Json] = [
        {"reason": entry.deferred, "resource_change": _change(entry)} for entry in entries if entry.deferred
    ]
    verdict = _verdict(shown, all_done=not deferred)
    about: Values = {"halo_url": document["halo_url"], "held": len(shown.of_kind(Kind.HELD)), **verdict}
    planned = [_subscription(entry.key, entry.planned) for entry in entries if entry.planned is not None]
    prior = [_subscription(entry.key, entry.before) for entry in entries if entry.before is not None]
    whole: Values = {
        "planned_values": _module([_about_plan(document, about), *([] if shown.refusals else planned)]),
        "resource_changes": [_change(entry) for entry in entries if not entry.deferred and entry.after is not None],
        "deferred_changes": deferred,
        "prior_state": {
            "format_version": STATE_FORMAT_VERSION,
            "terraform_version": TERRAFORM_VERSION,
            "values": _module(prior),
        },
        "configuration": _configuration(shown.rows, document["halo_url"]),
        "checks": [_violation(one) for one in document["violations"] if one["allowed"] is None],
        "timestamp": document["timestamp"],
    }
    if shown.refusals:
        del whole["resource_changes"], whole["configuration"]
    return _line(whole | verdict)


def render_terraform_failure(failure: FailureJson) -> str:
    """Return the document for a plan that could not be made: errored, with the error as a failed check."""
    verdict: Values = {"applyable": False, "complete": False, "errored": True}
    check = _check({"kind": "check", "address": "check.plan", "name": "plan"}, "error", failure["error"]["message"])
    return _line({"planned_values": _module([_about_plan(failure, verdict)]), "checks": [check], **verdict})


def count_actions(document: PlanJson) -> Counter[str]:
    """How many changes of each action the drawing has in `resource_changes`: what every tool counts."""
    shown = view(document)
    entries = () if shown.refusals else (_planned_resource(row, shown) for row in shown.rows)
    return Counter(entry.action for entry in entries if not entry.deferred)


def _planned_resource(row: Row, shown: View) -> _PlannedResource:
    """A row as Terraform tells it. After a run, what it did is `after`, with the quantity that HaloPSA shows."""
    sides, deferred = row.change["change"], _why_deferred(row, shown)
    before = _values(row, sides["before"], row.before, told=True)
    after = _values(row, sides["after"], row.after if deferred else row.shown_after)
    if not deferred and (row.action == Action.NO_OP or row.outcome is Outcome.UNCHANGED):
        return _PlannedResource(key=row.key, action=Action.NO_OP, before=after, after=after, planned=after)
    planned = after
    if deferred:
        made = row.ending is not None and after is not None and "id" in after
        planned = _values(row, sides["after"], row.shown_after) if made else before
    return _PlannedResource(
        key=row.key, action=row.action, before=before, after=after, planned=planned, deferred=deferred
    )


def _why_deferred(row: Row, shown: View) -> str:
    """The rule that withholds it, or how a run ended that did not do it; empty where it is done or will be."""
    hold = row.change["hold"]
    if hold is not None:
        return hold["rule"]
    if shown.refusals:
        return "" if row.kind is Kind.UNCHANGED else shown.refusals[0].rule
    if row.ending is None or row.outcome in CAME_RIGHT:
        return ""
    return row.ending.word.replace(" ", "-")


def _values(row: Row, side: StateJson | None, quantity: int | None, *, told: bool = False) -> Values | None:
    """A Subscription's attributes. What is not known yet is left out; `told` says null, as HaloPSA does, instead."""
    if side is None:
        return None
    customer, known = row.change["halo_customer"], quantity is not None or told
    return {
        **({"id": side["id"]} if "id" in side else {}),
        "name": side["name"],
        **({"quantity": quantity} if known else {}),
        "customer_id": side["customer_id"],
        "customer_name": customer["name"] if side["customer_id"] == customer["id"] else None,
        "infima_clients": [{"id": client["id"], "name": client["name"]} for client in row.change["infima_clients"]],
    }


def _verdict(shown: View, *, all_done: bool) -> Values:
    """Terraform's three words. A run that is over has nothing left to apply; exit code 4 and the like are errors."""
    document = shown.document
    failed = "run" in document and document["run"]["exit_code"] not in {ExitCode.DONE, ExitCode.HELD}
    return {
        "applyable": document["applyable"] and not shown.applied,
        "complete": all_done and not shown.refusals and not shown.selected,
        "errored": bool(shown.refusals) or failed,
    }


# --- Terraform's objects ----------------------------------------------------------------------------------------------


def _place(key: str) -> Values:
    return {"address": f"halo_subscription.{key}", "mode": "managed", "type": "halo_subscription", "name": key}


def _resource(place: Values, values: Values, sensitive: Json) -> Values:
    return {**place, "provider_name": PROVIDER, "schema_version": 0, "values": values, "sensitive_values": sensitive}


def _subscription(key: str, values: Values) -> Values:
    return _resource(_place(key), values, _nothing_sensitive(values))


def _about_plan(document: PlanJson | FailureJson, values: Values) -> Values:
    """A data resource with what is true of the whole plan, for checkers that see nothing but resources."""
    place: Values = {"address": "data.halo_plan.this", "mode": "data", "type": "halo_plan", "name": "this"}
    return _resource(place, {"reconciler_version": document["reconciler_version"], **values}, {})


def _change(entry: _PlannedResource) -> Values:
    before, after = entry.before, entry.after
    unknown: Values = {} if after is None else {name: True for name in ("id", "quantity") if name not in after}
    return {
        **_place(entry.key),
        "provider_name": PROVIDER,
        "change": {
            "actions": [entry.action],
            "before": before,
            "after": after,
            "after_unknown": unknown,
            "before_sensitive": _nothing_sensitive(before),
            "after_sensitive": _nothing_sensitive(after),
        },
    }


def _nothing_sensitive(values: Values | None) -> Json:
    """No secret is ever in a plan; Terraform says so with the shape of the values."""
    clients = None if values is None else values["infima_clients"]
    return {"infima_clients": [{} for _ in clients]} if isinstance(clients, list) else False


def _module(resources: Iterable[Values]) -> Values:
    return {"root_module": {"resources": list(resources)}}


def _configuration(rows: Iterable[Row], halo_url: str) -> Values:
    """mappings.yaml as Terraform would keep it: what it says of each mapping; the quantity is counted, not written."""
    return {
        "provider_config": {
            PROVIDER_KEY: {
                "name": PROVIDER_KEY,
                "full_name": PROVIDER,
                "expressions": {"url": {"constant_value": halo_url}},
            }
        },
        "root_module": {
            "resources": [
                {
                    **_place(row.key),
                    "provider_config_key": PROVIDER_KEY,
                    "expressions": {
                        "customer_id": {"constant_value": row.customer_id},
                        "infima_client_ids": {"constant_value": [c["id"] for c in row.change["infima_clients"]]},
                    },
                    "schema_version": 0,
                }
                for row in rows
            ]
        },
    }


def _violation(violation: ViolationJson) -> Values:
    """A broken safety rule as a check that failed: of its mapping, or of the whole run."""
    place: Values = {"kind": "resource", **_place(violation["name"])}
    if violation["level"] == "run":
        place = {"kind": "check", "address": f"check.{violation['rule']}", "name": violation["rule"]}
    return _check(place, "fail", f"{violation['rule']}: {violation['message']}")


def _check(place: Values, status: str, message: str) -> Values:
    """One check with one instance; `address` of the place is what Terraform would display."""
    display = {"to_display": place["address"]}
    address = {name: value for name, value in place.items() if name != "address"} | display
    instance: Values = {"address": display, "status": status, "problems": [{"message": message}]}
    return {"address": address, "status": status, "instances": [instance]}


def _line(members: Values) -> str:
    whole = {"format_version": FORMAT_VERSION, "terraform_version": TERRAFORM_VERSION, **members}
    return json.dumps(whole, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"
