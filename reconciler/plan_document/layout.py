"""The shape of the plan document, once: mypy reads it, msgspec checks saved plans by it.

`schema/plan.schema.json` is made of it, descriptions included, by `make schema`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from reconciler.model import MAX_COUNT
from reconciler.planning.changes import ActionReason
from reconciler.planning.rules import Rule
from reconciler.state.recorded import NeedKind

FORMAT_VERSION = "1.0"
"""A reader accepts every minor version of the same major: minor versions only add members."""


def says(description: str) -> Meta:
    """What a member means, for readers of the schema."""
    return Meta(description=description)


LayoutVersion = Annotated[str, Meta(pattern=r"^1\.[0-9]+$")]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Id = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Total = Annotated[int, Meta(ge=0, le=2**53)]
Figure = Annotated[int, Meta(ge=-(2**53), le=2**53)]

Decimals = Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$")]
"""Amounts are texts: a JSON number would become a binary float in most readers."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]

Moment = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", extra_json_schema={"format": "date-time"}
    ),
]

RuleName = Annotated[str, Meta(extra_json_schema={"enum": [rule.value for rule in Rule]})]
"""Texts here and not the enums themselves, so that the document stays plain; `read` looks them up."""

ReasonName = Annotated[str, Meta(extra_json_schema={"enum": [reason.value for reason in ActionReason]})]


class StateJson(TypedDict):
    """One side of a change. `id` is absent where it is known only after apply."""

    id: NotRequired[
        Annotated[Id, says("Id of the Subscription in HaloPSA. Absent where it is known only after apply.")]
    ]
    count: Annotated[
        Count | None, says("The Subscription's quantity; a recurring invoice bills it. Null where it is not known.")
    ]
    customer_id: Annotated[
        Id | None, says("Id of the HaloPSA customer that the Subscription belongs to; null where HaloPSA names none.")
    ]
    name: Annotated[str, says("The Subscription's name. It is set once, at create, and never changed.")]


class UnknownJson(TypedDict):
    """What of `after` is not known yet, as Terraform writes it."""

    id: NotRequired[Annotated[Literal[True], says("True where the id is known only after apply.")]]
    count: NotRequired[Annotated[Literal[True], says("True where the quantity is not known.")]]


class ActionsJson(TypedDict):
    """Terraform's `change` object. `actions` always holds exactly one action."""

    actions: Annotated[
        list[Literal["create", "update", "no-op"]],
        Meta(min_length=1, max_length=1),
        says("Exactly one action: create, update or no-op. A held change keeps its action."),
    ]
    before: Annotated[StateJson | None, says("The Subscription as HaloPSA has it; null where there is none.")]
    after: Annotated[
        StateJson | None, says("The Subscription as it would be; null where there is none and none would be created.")
    ]
    after_unknown: Annotated[UnknownJson, says("Which members of after are not known yet.")]


class ClientJson(TypedDict):
    """One INFIMA client's part in a change; numbers are null where they were not read."""

    id: Annotated[Id, says("Id of the client in INFIMA.")]
    name: Annotated[str, says("Name of the client in INFIMA.")]
    active_users: Annotated[Count | None, says("Users that count. Null where they were not read.")]
    listed_users: Annotated[
        Count | None, says("All users that were listed, active or not. Null where they were not listed.")
    ]
    user_count: Annotated[Count | None, says("The number on INFIMA's client list. Null where it carries none.")]


class CustomerJson(TypedDict):
    """The Halo customer that the mapping is for."""

    id: Annotated[Id, says("Id of the customer in HaloPSA.")]
    name: Annotated[str, says("Name of the customer.")]


class QuantityJson(TypedDict):
    """How the number came about."""

    counted: Annotated[
        Count | None,
        says("Users counted over all clients of the mapping. Null where a count is missing: missing is not zero."),
    ]
    rule: Annotated[str, says("The quantity rule in words.")]
    result: Annotated[Count | None, says("The quantity that follows. Null where none does.")]


class AmountJson(TypedDict):
    """What a mapping comes to a month, an estimate; `source` is who says the unit price."""

    unit_price: Annotated[Decimals, says("What one user costs a month.")]
    currency: Annotated[Currency, says("Three capital letters of ISO 4217.")]
    source: Annotated[Literal["mappings.yaml", "HaloPSA"], says("Who says the unit price; mappings.yaml wins.")]
    before: Annotated[Decimals, says("A month before the plan.")]
    after: Annotated[Decimals, says("A month after it.")]
    change: Annotated[Decimals, says("The difference.")]


class MoneyJson(TypedDict):
    """An amount a month in one currency."""

    amount: Annotated[Decimals, says("A month.")]
    currency: Annotated[Currency, says("Three capital letters of ISO 4217.")]


class SumJson(TypedDict):
    """All known monthly amounts of one currency; held changes with their quantity now on both sides."""

    currency: Annotated[Currency, says("Three capital letters of ISO 4217.")]
    before: Annotated[Decimals, says("A month before the plan.")]
    after: Annotated[Decimals, says("A month after it.")]
    change: Annotated[Decimals, says("The difference.")]


class ApprovalJson(TypedDict):
    """An entry of `approvals` in mappings.yaml that let something through."""

    rule: Annotated[RuleName, says("The safety rule that it lifted.")]
    key: Annotated[str | None, says("The mapping's key; null where it is about the whole run.")]
    quantity_from: NotRequired[Annotated[Count, says("Smallest quantity that was approved.")]]
    quantity_to: NotRequired[Annotated[Count, says("Largest quantity that was approved.")]]
    up_to: NotRequired[Annotated[Count, says("For a rule about the whole run: how much of it was approved.")]]
    until: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$"), says("Last day on which it holds.")]
    reason: Annotated[str, says("The reason that stands in the file.")]
    line: Annotated[Count, says("Line of mappings.yaml, from 1.")]
    approved_by: NotRequired[Annotated[str, says("Who brought it in, in which commit and when, where git tells.")]]


class HoldJson(TypedDict):
    """Why a change is withheld, and what to do about it."""

    rule: Annotated[RuleName, says("The safety rule that holds the mapping.")]
    message: Annotated[str, says("What was found.")]
    remedy: Annotated[str, says("What a person can do about it.")]


class PlaceJson(TypedDict):
    """Where the mapping stands in mappings.yaml; lines and columns count from 1."""

    file: Annotated[str, says("File, as it was named on the command line.")]
    line: Annotated[Count, says("Line, from 1.")]
    column: Annotated[Count, says("Column, from 1.")]


class EditedJson(TypedDict):
    """A quantity that a person changed in HaloPSA: what the last run saw, when, and what INFIMA counted then."""

    before: Annotated[Count, says("The quantity that the last run saw.")]
    since: Annotated[Moment | None, says("When the last run that came to its end was; null where none is known.")]
    counted: Annotated[Count | None, says("What INFIMA counted then; null where it is not known.")]


class UnownedJson(TypedDict):
    """A Subscription of a create's customer that no mapping has: perhaps the one that is wanted."""

    id: Annotated[Id, says("Id of the Subscription in HaloPSA.")]
    name: Annotated[str, says("Its name.")]
    count: Annotated[Count | None, says("Its quantity; null where HaloPSA gives no whole number.")]
    live: Annotated[bool, says("False where it is deleted or inactive.")]
    invoices: Annotated[
        list[int] | None,
        says("Numbers of the recurring invoices that bill it, as HaloPSA shows them; null where nobody looked."),
    ]


class ChangeJson(TypedDict):
    """One mapping of mappings.yaml and the Subscription that belongs to it: a row of Terraform's `resource_changes`."""

    address: Annotated[str, Meta(pattern=r"^halo_subscription\."), says("halo_subscription. and the mapping's key.")]
    type: Annotated[Literal["halo_subscription"], says("Always halo_subscription.")]
    name: Annotated[str, says("The mapping's key.")]
    mode: Annotated[Literal["managed"], says("Always managed.")]
    change: Annotated[ActionsJson, says("Terraform's change object.")]
    action_reason: Annotated[ReasonName, says("Why the action is what it is.")]
    infima_clients: Annotated[list[ClientJson], says("The INFIMA clients whose users are counted.")]
    halo_customer: Annotated[CustomerJson, says("The HaloPSA customer that the mapping is for.")]
    quantity: Annotated[QuantityJson, says("How the number came about.")]
    monthly_amount: Annotated[
        AmountJson | None,
        says(
            "What the mapping comes to a month, an estimate by its unit price; a held change with what it would "
            "be. Null where price or quantity is not known: never 0 for that."
        ),
    ]
    customer_subscriptions: NotRequired[
        Annotated[
            list[UnownedJson],
            says("Only at create: the customer's Subscriptions that no mapping has, live ones first."),
        ]
    ]
    hold: Annotated[HoldJson | None, says("Why a safety rule withholds the change; null where none does.")]
    place: Annotated[PlaceJson, says("Where the mapping stands.")]
    approval: NotRequired[
        Annotated[ApprovalJson, says("The approval that let the change through; the first where there are several.")]
    ]
    caused_by: NotRequired[
        Annotated[
            str,
            Meta(examples=["mappings", "counts", "drift"]),
            says(
                "Only with --against. mappings: the change comes from the edit of mappings.yaml; counts: users "
                "came or went; drift: somebody changed the quantity in HaloPSA."
            ),
        ]
    ]
    changed_in_halopsa: NotRequired[
        Annotated[EditedJson, says("Only where a person changed the quantity in HaloPSA since the last run.")]
    ]
    candidates: NotRequired[
        Annotated[
            list[StateJson],
            says(
                "Only where it cannot be told which Subscription is the mapping's: those that it may be. They stay as "
                "they are."
            ),
        ]
    ]
    outcome: NotRequired[
        Annotated[
            Literal["applied", "unchanged", "held", "stale", "failed", "unknown"],
            says("Only after apply: what became of the change. unknown is never done."),
        ]
    ]
    outcome_message: NotRequired[
        Annotated[str, says("Only after apply: a sentence about the outcome; empty where all went well.")]
    ]
    outcome_count: NotRequired[
        Annotated[
            Count,
            says(
                "Only after apply, where something was sent or the quantity moved: what the last listing of "
                "HaloPSA shows. Absent where that is not known."
            ),
        ]
    ]
    sent: NotRequired[
        Annotated[
            Literal[True], says("Only after apply: a request for this change left. Absent where nothing was sent.")
        ]
    ]
    checked: NotRequired[
        Annotated[
            Literal[True], says("Only after apply: a complete listing was read after the last request for this change.")
        ]
    ]


class ViolationJson(TypedDict):
    """A broken safety rule; `name` is the mapping's key, empty at run level; `allowed` is the reason it was lifted."""

    rule: Annotated[RuleName, says("The safety rule.")]
    level: Annotated[Literal["run", "mapping"], says("run: the whole run is refused. mapping: this mapping is held.")]
    name: Annotated[str, says("The mapping's key; empty at run level.")]
    measured: Annotated[
        Figure | None, says("The value that was found, in the rule's own unit; null where the rule measures nothing.")
    ]
    limit: Annotated[Figure | None, says("The value that it is held against; null where there is none.")]
    measured_amount: NotRequired[
        Annotated[
            MoneyJson, says("The amount that was found, for a limit given as an amount; absent where it is not known.")
        ]
    ]
    limit_amount: NotRequired[Annotated[MoneyJson, says("The amount that it is held against.")]]
    message: Annotated[str, says("What was found.")]
    remedy: Annotated[str, says("What a person can do about it.")]
    allowed: Annotated[
        str | None, says("The reason that was given with --allow or in an approval; null where nobody lifted the rule.")
    ]
    approval: NotRequired[Annotated[ApprovalJson, says("The approval that lifted it.")]]


class UnmappedJson(TypedDict):
    """An INFIMA client that no mapping counts."""

    id: Annotated[Id, says("Id of the client in INFIMA.")]
    name: Annotated[str, says("Name of the client.")]
    user_count: Annotated[Count | None, says("The number on INFIMA's client list. Null where it carries none.")]


class UnmanagedJson(TypedDict):
    """A Subscription that no mapping claims any more, with the quantity it still has."""

    id: Annotated[Id, says("Id of the Subscription in HaloPSA.")]
    key: Annotated[str, says("The key of the mapping that it belonged to.")]
    name: Annotated[str, says("Name of the Subscription.")]
    customer_id: Annotated[Id | None, says("Id of the customer that it belongs to.")]
    customer_name: Annotated[str, says("Name of that customer; empty where it is not listed.")]
    count: Annotated[Count | None, says("Its quantity, which nothing changes any more.")]


class AllowanceJson(TypedDict):
    """What lifted a rule: `--allow RULE[:KEY] --reason TEXT`, or an approval of mappings.yaml."""

    rule: Annotated[RuleName, says("The safety rule.")]
    key: Annotated[str | None, says("The mapping's key; null where the rule was lifted for all.")]
    reason: Annotated[str, says("The reason that was given.")]
    approval: NotRequired[Annotated[ApprovalJson, says("The entry of mappings.yaml; absent for --allow.")]]


class SummaryJson(TypedDict):
    """The plan in numbers; held changes are in none of create, update and no_op."""

    create: Annotated[Total, says("Subscriptions to create.")]
    update: Annotated[Total, says("Quantities to set.")]
    no_op: Annotated[Total, says("Mappings in step.")]
    held: Annotated[Total, says("Mappings that a safety rule holds.")]
    users_before: Annotated[Total, says("The quantities now, added up over all mapped Subscriptions.")]
    users_after: Annotated[Total, says("The quantities after apply, added up; a held one with what it is now.")]
    monthly_amounts: Annotated[
        list[SumJson],
        says(
            "The known monthly amounts added up, estimates: one element for each currency, never added over "
            "currencies; held changes with their quantity now on both sides."
        ),
    ]
    without_amount: Annotated[
        Total, says("Mappings that bill or would bill somebody and whose amount is not known: in none of the sums.")
    ]


KindName = Annotated[str, Meta(extra_json_schema={"enum": [kind.value for kind in NeedKind]})]

NEEDS = "What waits for a person, the customer's next invoice first. A need stays until a read showed it met."


class NeedJson(TypedDict):
    """One thing that waits for a person."""

    kind: Annotated[KindName, says("What kind of thing it is.")]
    id: Annotated[str, says("The same on every night for the same need.")]
    key: Annotated[str, says("The mapping's key; empty where no mapping is meant.")]
    who: Annotated[str, says("Whom it is about, in names.")]
    what: Annotated[str, says("What it is, in sentences.")]
    step: Annotated[str, says("The next step, with the command or the YAML to paste.")]
    rule: Annotated[str, says("The safety rule behind it; empty where there is none.")]
    since: Annotated[Moment, says("Since when it is known, UTC.")]
    next_invoice: Annotated[
        str | None, says("Day of the customer's next recurring invoice, YYYY-MM-DD; null where it is not known.")
    ]
    users: Annotated[Total, says("Users at stake.")]
    customer_id: Annotated[Id | None, says("Id of the HaloPSA customer; null where none is meant.")]
    subscription_id: Annotated[Id | None, says("Id of the Subscription in HaloPSA; null where none is meant.")]


class RunJson(TypedDict):
    """The run that performed the plan; only `apply` writes it."""

    id: Annotated[str, says("Id of the run.")]
    finished_at: Annotated[Moment, says("When it ended, UTC.")]
    exit_code: Annotated[Count, says("The exit code of the command.")]
    verdict: Annotated[str, says("How it ended, in one sentence.")]
    halted: NotRequired[
        Annotated[str, says("Why no further write was started, said once for all changes that were not attempted.")]
    ]
    record_missing: NotRequired[
        Annotated[
            str,
            says(
                "Why the state does not hold this run's record. The next run completes it from the journal and "
                "from what HaloPSA shows."
            ),
        ]
    ]


class PlanJson(TypedDict):
    """The whole document."""

    format_version: Annotated[LayoutVersion, says("Version of this layout. Minor versions only add members.")]
    reconciler_version: Annotated[str, says("Version of the program that made the plan.")]
    timestamp: Annotated[Moment, says("When both systems were read, UTC.")]
    timezone: NotRequired[Annotated[str, says("settings.timezone, where it is not UTC: people read moments in it.")]]
    applyable: Annotated[bool, says("True when there is something to write and no safety rule refuses the run.")]
    complete: Annotated[
        bool, says("False when the plan does not do everything: a rule holds a change or refuses the run, or selected.")
    ]
    errored: Annotated[bool, says("True in the document that is printed on failure; a plan has false.")]
    selected: NotRequired[Annotated[Literal[True], says("Only with --only or --exclude: mappings were left out.")]]
    mappings_sha256: Annotated[str, says("SHA-256 of mappings.yaml with LF as line end, hexadecimal.")]
    halo_url: Annotated[str, says("Address of the HaloPSA instance.")]
    infima_partner: Annotated[str, says("Name of the INFIMA partner that the key belongs to.")]
    resource_changes: Annotated[list[ChangeJson], says("One row for each mapping, sorted by key.")]
    violations: Annotated[list[ViolationJson], says("Every broken safety rule, lifted ones included.")]
    unmapped_clients: Annotated[
        list[UnmappedJson], says("INFIMA clients that are neither mapped nor ignored: no mapping counts them.")
    ]
    unmanaged_subscriptions: Annotated[
        list[UnmanagedJson],
        says("Subscriptions that were ours and that no mapping claims any more. Nothing is written to them."),
    ]
    warnings: Annotated[list[str], says("Sentences for a person; they stop nothing.")]
    allowances: Annotated[list[AllowanceJson], says("What --allow lifted, and approvals that let something through.")]
    summary: Annotated[SummaryJson, says("The plan in numbers. Held changes are in none of create, update and no_op.")]
    needs: NotRequired[Annotated[list[NeedJson], says(NEEDS)]]
    needs_met: NotRequired[
        Annotated[list[NeedJson], says("Only after apply: what waited for a person before it and waits no longer.")]
    ]
    run: NotRequired[Annotated[RunJson, says("Only after apply: the run that performed the plan.")]]
