"""Plans with believable names that the golden files are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from reconciler.answers.needs import NeedInput, find_needs
from reconciler.model import (
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    MappingKey,
    QuantityRule,
    RunId,
    SubscriptionId,
)
from reconciler.plan_document import plan_document, with_outcomes
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.changes import (
    Action,
    ActionReason,
    Change,
    Outcome,
    Plan,
    Settled,
    UnmanagedSubscription,
    Violation,
)
from reconciler.planning.rules import Allowance, Rule
from reconciler.state.recorded import Recorded
from reconciler.writing.session import Applied
from reconciler.writing.verdict import verdict_of
from tests.builders import NOW, TEMPLATE, build_change, build_hold, build_mapping, build_plan, build_violation
from tests.core import build_binding

VERSION = "0.1.0"

ZERO = build_hold(
    Rule.ZERO,
    "INFIMA counts 0 users for Harbour Clinic where HaloPSA bills 12",
    "If the client has really left, set `retired: true` or `quantity: {allow_zero: true}`; otherwise look in INFIMA, "
    "or run: reconciler apply --allow zero:infima-107 --reason '...'",
)
INACTIVE = build_hold(
    Rule.CUSTOMER_INACTIVE,
    "HaloPSA customer 44 (Kestrel Logistics) is inactive",
    "Activate the customer in HaloPSA, or set `retired: true` on the mapping; if it is to be billed all the same, run: "
    "reconciler apply --allow customer-inactive:infima-108 --reason '...'",
)
DROPPED = Violation(
    rule=Rule.SOURCE_DROPPED,
    name="",
    message="INFIMA's counts come to 301 users where HaloPSA bills 812",
    remedy=(
        "Look whether INFIMA answers completely; if it does, run: "
        "reconciler apply --allow source-dropped --reason '...'"
    ),
    measured=62,
    limit=20,
)


def quiet_changes() -> list[Change]:
    """Three mappings that are in step."""
    quiet = [(101, 12, "Acme Dental Group"), (105, 31, "Dunmore School"), (106, 33, "Eastgate Homes")]
    return [
        build_change(
            build_mapping(client, customer, name=name, line=client - 91),
            before=customer,
            after=customer,
            subscription=8900 + client,
        )
        for client, customer, name in quiet
    ]


def night_changes() -> list[Change]:
    """A night with one create, two updates, two holds and three mappings in step."""
    nova = build_mapping(111, 51, name="Nova Optics", customer_name="Nova Optics GmbH", line=40)
    corvid = build_mapping(
        103,
        23,
        name="Corvid HQ",
        customer_name="Corvid plc",
        key="corvid",
        line=48,
        more_clients=[(104, "Corvid Labs")],
    )
    borealis = build_mapping(
        102, 19, name="Borealis Freight", customer_name="Borealis Freight Ltd", rule=QuantityRule(minimum=10), line=44
    )
    harbour = build_mapping(107, 37, name="Harbour Clinic", line=52)
    kestrel = build_mapping(108, 44, name="Kestrel Logistics", line=56)
    return [
        *quiet_changes(),
        build_change(nova, subscription=None, after=14),
        build_change(corvid, before=118, after=121, subscription=9023, counted=126, rule="active_users - 5 included"),
        build_change(borealis, before=12, after=10, subscription=9012, counted=7, rule="active_users, at least 10"),
        build_change(harbour, before=12, after=0, subscription=9007, hold=ZERO),
        build_change(kestrel, before=8, after=9, subscription=9008, hold=INACTIVE),
    ]


def night_plan(*changes: Change, **other: object) -> Plan:
    """The night's plan with everything that can stand beside the rows."""
    fields: dict[str, object] = {
        "violations": (
            build_violation(ZERO, "infima-107", measured=0, limit=1),
            build_violation(INACTIVE, "infima-108"),
        ),
        "unmapped": (
            InfimaClient(id=InfimaClientId(130), name="Otter & Sons", user_count=9),
            InfimaClient(id=InfimaClientId(131), name="Pinecrest Surgery", user_count=None),
        ),
        "unmanaged": (
            UnmanagedSubscription(
                id=SubscriptionId(9077),
                key="infima-177",
                name=TEMPLATE,
                customer_id=HaloCustomerId(77),
                customer_name="Quarry Foods",
                count=31,
            ),
        ),
        "warnings": ('INFIMA calls client 101 "Acme Dental Ltd"; mappings.yaml calls it "Acme Dental Group".',),
    }
    return build_plan(*(changes or night_changes()), **(fields | other))


def refused_plan() -> Plan:
    """A night on which INFIMA answered badly."""
    plan = night_plan()
    return night_plan(violations=(DROPPED, *plan.violations))


def lifted_plan() -> Plan:
    """A plan whose hold a person lifted."""
    held = build_violation(ZERO, "infima-107", measured=0, limit=1)
    lifted = Violation(
        rule=held.rule,
        name=held.name,
        message=held.message,
        remedy=held.remedy,
        measured=0,
        limit=1,
        allowed="all left",
    )
    harbour = build_change(
        build_mapping(107, 37, name="Harbour Clinic", line=52), before=12, after=0, subscription=9007
    )
    allowance = Allowance(rule=Rule.ZERO, key="infima-107", reason="all left")
    return build_plan(*quiet_changes(), harbour, violations=(lifted,), allowances=(allowance,))


def against_plan() -> Plan:
    """A plan made --against the base branch: one change from the edit, one from the counts, one hold of each."""
    new = build_mapping(111, 51, name="Nova Optics", customer_name="Nova Optics GmbH", line=40)
    counts = build_mapping(102, 19, name="Borealis Freight", customer_name="Borealis Freight Ltd", line=44)
    retired = build_mapping(109, 45, name="Larkspur Hotel", line=60, retired=True)
    harbour = build_mapping(107, 37, name="Harbour Clinic", line=52)
    return night_plan(
        *quiet_changes(),
        build_change(new, subscription=None, after=14, caused_by="mappings"),
        build_change(
            retired, before=6, after=0, subscription=9045, reason=ActionReason.RETIRED, caused_by="mappings", counted=6
        ),
        build_change(counts, before=12, after=10, subscription=9012, caused_by="counts"),
        build_change(harbour, before=12, after=0, subscription=9007, hold=ZERO, caused_by="counts"),
        violations=(build_violation(ZERO, "infima-107", measured=0, limit=1),),
    )


def document(plan: Plan) -> PlanJson:
    """The plan as its JSON document."""
    return plan_document(with_needs(plan), version=VERSION)


def with_needs(plan: Plan) -> Plan:
    """The plan with its list of what waits for a person."""
    return replace(plan, needs=find_needs(NeedInput(plan=plan, recorded=Recorded(), now=NOW)))


def _bound(plan: Plan, outcomes: Mapping[MappingKey, Settled]) -> Recorded:
    """What the state knows after the run: the Subscriptions that it created."""
    made = {
        change.key: build_binding(settled.subscription_id, change.key, customer=change.mapping.halo_customer.id, at=NOW)
        for change in plan.changes
        if change.action is Action.CREATE
        and (settled := outcomes[change.key]).outcome is Outcome.APPLIED
        and settled.subscription_id is not None
    }
    return Recorded(bindings=made)


def _as_written(change: Change, settled: Settled) -> Settled:
    """What a run knows of a change it wrote: it was sent, and a listing was read afterwards."""
    if settled.outcome not in {Outcome.APPLIED, Outcome.FAILED, Outcome.UNKNOWN}:
        return settled
    shown = change.after.count if settled.outcome is Outcome.APPLIED else change.live_quantity
    live = shown if settled.live_count is None else settled.live_count
    return replace(settled, sent=True, checked=True, live_count=live)


def applied(plan: Plan, *, exit_code: int, **special: Settled) -> PlanJson:
    """The plan after `apply`; `special` gives outcomes by key with `_` for `-`, the others went well."""
    outcomes: dict[MappingKey, Settled] = {}
    for change in plan.changes:
        written = change in plan.writes
        withheld = change.hold is not None or (plan.refused and change.performs_write)
        fine = Outcome.HELD if withheld else Outcome.APPLIED if written else Outcome.UNCHANGED
        created = SubscriptionId(9100) if written and change.before is None else None
        plain = Settled(outcome=fine, subscription_id=created)
        outcomes[change.key] = _as_written(change, special.get(change.key.replace("-", "_"), plain))
    created = sum(c.action is Action.CREATE and outcomes[c.key].outcome is Outcome.APPLIED for c in plan.changes)
    run = verdict_of(
        RunId("20261122T051703Z-k3"),
        plan,
        Applied(outcomes=outcomes, created=created),
        stopped=False,
        finished_at=NOW + timedelta(seconds=9),
    )
    run = replace(run, exit_code=exit_code)
    given = NeedInput(plan=plan, recorded=_bound(plan, outcomes), now=run.finished_at, outcomes=outcomes)
    return with_outcomes(plan_document(plan, version=VERSION), plan, outcomes, run, needs=find_needs(given))
