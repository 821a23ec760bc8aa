"""The plan as inert data: changes with before, after and reason, what holds them, and their sum.

`plan.diff` makes these values, `safety.check` adds holds and violations, `apply` and the drawings read nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from reconciler.model import (
    Approval,
    CustomerRef,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    MappingKey,
    Money,
    SubscriptionId,
    Tenant,
    UnitPrice,
)
from reconciler.planning.money import Amount, add_up, amount_of
from reconciler.planning.quantity import Quantity
from reconciler.planning.rules import Allowance, Doubt, Level, Rule
from reconciler.state.recorded import Attempt, BindingOrigin, CountedNight, Missing, Need


class Action(StrEnum):
    """What a change does to the Subscription; the words of Terraform's JSON plan."""

    CREATE = "create"
    UPDATE = "update"
    NO_OP = "no-op"


class ActionReason(StrEnum):
    """Why the action is what it is; `action_reason` in the JSON plan."""

    NEW_MAPPING = "create_because_mapping_is_new"
    COUNT_CHANGED = "update_because_count_changed"
    CHANGED_IN_HALO = "update_because_quantity_was_changed_in_halopsa"
    RETIRED = "update_because_mapping_is_retired"
    FIXED = "update_because_quantity_is_fixed"
    FIRST_COUNT = "update_because_first_count_is_due"
    IN_STEP = "no_op_because_count_matches"
    NOTHING_TO_RETIRE = "no_op_because_retired_without_subscription"
    UNKNOWN_COUNT = "no_op_because_count_is_unknown"
    UNKNOWN_SUBSCRIPTION = "no_op_because_subscription_is_doubtful"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """One side of a change. `id` is None before a create, `count` None where no number is known."""

    id: SubscriptionId | None
    count: int | None
    customer_id: HaloCustomerId | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedClient:
    """One INFIMA client's part in a change. Numbers are None where they were not read."""

    id: InfimaClientId
    name: str
    active_users: int | None
    listed_users: int | None = None
    user_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnownedSubscription:
    """A Subscription of a create's customer that no mapping has: perhaps the one that is wanted.

    `invoices` are the numbers of the recurring invoices that bill it, as HaloPSA shows them; None where nobody looked.
    """

    id: SubscriptionId
    name: str
    count: int | None
    live: bool
    invoices: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A change withheld by a safety rule; the other changes go on."""

    rule: Rule
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Create, update or no-op for one mapping, with before, after and reason; `hold` is set by `safety.check`.

    `counted_before` is the count of users that the current live quantity came from, where the state knows it.
    `settled_attempt` is an earlier create without a trace, old enough to be replaced after a second look. `price` is
    the unit price that estimates and limits use, None where none is known. `unowned` are the customer's Subscriptions
    that no mapping has, looked up where the change creates one. `candidates` are the live Subscriptions that may be
    this mapping's where it cannot be told which is: whatever they bill, they go on billing. `edited_from` is the
    quantity that the last run saw where a person has changed it in HaloPSA since, `edited_since` when that run was.
    `nights` have counted this fall in a row, tonight last; none where there is no fall.
    """

    mapping: Mapping
    action: Action
    reason: ActionReason
    before: SubscriptionState | None
    after: SubscriptionState
    customer: CustomerRef
    clients: tuple[CountedClient, ...]
    quantity: Quantity
    origin: BindingOrigin | None = None
    counted_before: int | None = None
    awaiting_first_count: bool = False
    settled_attempt: Attempt | None = None
    doubts: tuple[Doubt, ...] = ()
    hold: Hold | None = None
    caused_by: str | None = None
    price: UnitPrice | None = None
    unowned: tuple[UnownedSubscription, ...] = ()
    nights: tuple[CountedNight, ...] = ()
    candidates: tuple[SubscriptionState, ...] = ()
    edited_from: int | None = None
    edited_since: datetime | None = None

    @property
    def key(self) -> MappingKey:
        return self.mapping.key

    @property
    def address(self) -> str:
        """The change's name in the JSON plan, as Terraform spells addresses."""
        return f"halo_subscription.{self.key}"

    @property
    def live_id(self) -> SubscriptionId | None:
        """The Subscription that it has today, None without one."""
        return None if self.before is None else self.before.id

    @property
    def live_quantity(self) -> int | None:
        """The quantity today, None without a Subscription."""
        return None if self.before is None else self.before.count

    @property
    def amount(self) -> Amount | None:
        """What both sides cost a month, an estimate; None where price or users are not known."""
        if self.action is Action.NO_OP:
            return amount_of(self.price, self.live_quantity, self.live_quantity)
        return amount_of(self.price, 0 if self.before is None else self.live_quantity, self.after.count)

    @property
    def performs_write(self) -> bool:
        """True when `apply` would send something for it."""
        return self.hold is None and self.action is not Action.NO_OP


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRow:
    """One change as a saved plan shows it: what a person has seen and agreed to.

    `subscription_id` and `before` are None where no Subscription existed, `after` where no number was known, and
    all of them where nothing exists and nothing was going to. `customer_id` is the Subscription's.
    """

    key: MappingKey
    action: Action
    subscription_id: SubscriptionId | None
    before: int | None
    after: int | None
    customer_id: HaloCustomerId | None
    hold: Rule | None = None

    @property
    def performs_write(self) -> bool:
        """True when the saved plan would have sent something for it."""
        return self.hold is None and self.action is not Action.NO_OP


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A safety rule that was broken: measured value, limit, what to do. `allowed` holds the reason of an allowance.

    `name` is the mapping's key, empty at run level. A limit given as an amount has its two figures as amounts.
    `approval` is the entry of mappings.yaml that lifted it, where one did.
    """

    rule: Rule
    name: str
    message: str
    remedy: str
    measured: int | None = None
    limit: int | None = None
    measured_amount: Money | None = None
    limit_amount: Money | None = None
    allowed: str | None = None
    approval: Approval | None = None

    @property
    def level(self) -> Level:
        return self.rule.level

    @property
    def stops(self) -> bool:
        """True unless a person lifted the rule."""
        return self.allowed is None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmanagedSubscription:
    """A Subscription that was ours and that no mapping claims any more; its quantity is still `count`."""

    id: SubscriptionId
    key: str
    name: str
    customer_id: HaloCustomerId | None
    customer_name: str
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Figures about the whole run that the run-level rules judge by. Numbers count clients and bindings.

    `clients_wanted` are the INFIMA clients whose count some mapping needs, `clients_found` those of them that INFIMA
    lists. `bindings` are the recorded ids of this file's mappings, retired ones left out, `bindings_found` those of
    them that HaloPSA still lists. `undecided` are the mappings without a Subscription of which a lost state leaves
    open whether they had one; `never_bound` those of which the state has known none since it was new. `counts_lost`
    says that the state was lost and with it every earlier count. `unfit` are the reasons, found by the probe of
    `probed_at`, why this HaloPSA cannot be written safely; `page_rows` is how many rows its pages hold, where a probe
    saw that.
    """

    clients_wanted: int = 0
    clients_found: int = 0
    bindings: int = 0
    bindings_found: int = 0
    recorded_tenant: Tenant | None = None
    durable: bool = True
    undecided: tuple[MappingKey, ...] = ()
    never_bound: tuple[MappingKey, ...] = ()
    counts_lost: bool = False
    unfit: tuple[str, ...] = ()
    probed_at: datetime | None = None
    page_rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The plan in numbers. Held changes are in none of create, update and no_op.

    `amounts` are the estimated monthly amounts before and after, one for each currency; `unpriced` counts the
    mappings that bill or would bill somebody and whose amount is not known, so that it is in none of them.
    """

    create: int
    update: int
    no_op: int
    held: int
    users_before: int
    users_after: int
    amounts: tuple[Amount, ...] = ()
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a run would do, and everything it would not do and why. Changes are sorted by key.

    `complete` is false when --only or --exclude left mappings out; `whole` are then the changes before that. `needs` is
    what waits for a person, whatever was left out. `unmapped` are the INFIMA clients that no mapping counts and that
    are not ignored. `approvals` are those that let something through. `missing` are the clients that the file names and
    INFIMA does not list, with the nights in a row, tonight included.
    """

    taken_at: datetime
    tenant: Tenant
    mappings_sha256: str
    changes: tuple[Change, ...]
    facts: Facts = Facts()
    unmapped: tuple[InfimaClient, ...] = ()
    unmanaged: tuple[UnmanagedSubscription, ...] = ()
    warnings: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    approvals: tuple[Approval, ...] = ()
    complete: bool = True
    needs: tuple[Need, ...] = ()
    whole: tuple[Change, ...] = ()
    zone: tzinfo = UTC
    missing: Missing = field(default_factory=dict)

    @property
    def every_change(self) -> tuple[Change, ...]:
        """All changes, those that --only and --exclude left out as well."""
        return self.changes if self.complete else self.whole

    @property
    def refusals(self) -> tuple[Violation, ...]:
        """Run-level violations that nobody lifted: with one of them nothing at all is written."""
        return tuple(v for v in self.violations if v.level is Level.RUN and v.stops)

    @property
    def refused(self) -> bool:
        """True when the run stops before its first write."""
        return bool(self.refusals)

    @property
    def writes(self) -> tuple[Change, ...]:
        """The changes that `apply` would perform; none when the run is refused."""
        return () if self.refused else tuple(c for c in self.changes if c.performs_write)

    @property
    def held(self) -> tuple[Change, ...]:
        """The changes that a safety rule withholds."""
        return tuple(c for c in self.changes if c.hold is not None)

    @property
    def summary(self) -> Summary:
        return summarise(self.changes)


def summarise(changes: Iterable[Change]) -> Summary:
    """Count the changes; the sums of quantities take in all of them, held ones with their live count on both sides."""
    tally = dict.fromkeys(Action, 0)
    changes = tuple(changes)
    held = unpriced = 0
    before = after = users_in_doubt(changes)
    amounts = []
    for change in changes:
        live = change.live_quantity or 0
        before += live
        amount = change.amount
        if amount is not None:
            amounts.append(amount if change.hold is None else amount.staying)
        else:
            unpriced += bool(live or change.after.count)
        if change.hold is not None:
            held += 1
            after += live
            continue
        tally[change.action] += 1
        after += live if change.after.count is None else change.after.count
    return Summary(
        create=tally[Action.CREATE],
        update=tally[Action.UPDATE],
        no_op=tally[Action.NO_OP],
        held=held,
        users_before=before,
        users_after=after,
        amounts=add_up(amounts),
        unpriced=unpriced,
    )


def planned_rows(plan: Plan) -> dict[MappingKey, PlannedRow]:
    """The writes of a plan as somebody saw and agreed to them."""
    return {
        change.key: PlannedRow(
            key=change.key,
            action=change.action,
            subscription_id=change.live_id,
            before=change.live_quantity,
            after=change.after.count,
            customer_id=change.after.customer_id,
        )
        for change in plan.writes
    }


def users_in_doubt(changes: Iterable[Change]) -> int:
    """Users on Subscriptions of which it cannot be told whose they are, each counted once: they stay as they are."""
    known = {change.before.id for change in changes if change.before is not None}
    doubtful = {one.id: one.count or 0 for change in changes for one in change.candidates if one.id not in known}
    return sum(doubtful.values())


def select(plan: Plan, *, only: Iterable[MappingKey] = (), exclude: Iterable[MappingKey] = ()) -> Plan:
    """Keep the changes that --only and --exclude name, and what was found of them and of the whole run.

    Rules were checked on the whole plan before.
    """
    wanted, unwanted = set(only), set(exclude)
    if not wanted and not unwanted:
        return plan
    kept = tuple(c for c in plan.changes if (not wanted or c.key in wanted) and c.key not in unwanted)
    told = {"", *(c.key for c in kept)}
    return replace(
        plan,
        changes=kept,
        violations=tuple(v for v in plan.violations if v.name in told),
        approvals=tuple(a for a in plan.approvals if (a.key or "") in told),
        complete=False,
        whole=plan.every_change,
    )


class Outcome(StrEnum):
    """What became of one change; the words of DESIGN 9."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    HELD = "held"
    STALE = "stale"
    FAILED = "failed"
    UNKNOWN = "unknown"


CAME_RIGHT = frozenset({Outcome.APPLIED, Outcome.UNCHANGED})
"""The outcomes after which the Subscription is as the plan wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of one change, with a sentence where it is not plainly good, and the object it ended on.

    `sent` is true once a request for it left this machine, `checked` when a listing was read after the last of them.
    `live_count` is the quantity that the last listing shows on that object, None where none does.
    """

    outcome: Outcome
    message: str = ""
    subscription_id: SubscriptionId | None = None
    live_count: int | None = None
    sent: bool = False
    checked: bool = False
