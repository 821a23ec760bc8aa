"""INFIMA's clients and the mappings at a glance: what each is, and what needs attention. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from reconciler.answers.invoices import Attached, Attachment
from reconciler.model import InfimaClient, MappingKey, Mappings, SubscriptionId
from reconciler.planning.changes import Action, Change, Plan
from reconciler.state.base import HistoryChange

# ---------------------------------------------------------------------------------------------------------------------
# Clients
# ---------------------------------------------------------------------------------------------------------------------


class ClientState(StrEnum):
    """What mappings.yaml makes of an INFIMA client."""

    UNMAPPED = "unmapped"
    MAPPED = "mapped"
    RETIRED = "retired"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """One INFIMA client: `key` of its mapping, or `reason` why it is ignored."""

    client: InfimaClient
    state: ClientState
    key: MappingKey | None = None
    reason: str = ""


def client_rows(mappings: Mappings, clients: Iterable[InfimaClient]) -> tuple[ClientRow, ...]:
    """Every client with its state, the unmapped first, then by id."""
    owners = {ref.id: m for m in mappings.mappings for ref in m.infima_clients if m.retired}
    owners |= {ref.id: m for m in mappings.mappings for ref in m.infima_clients if not m.retired}
    reasons = {one.client.id: one.reason for one in mappings.ignored}
    rows = []
    for client in clients:
        owner = owners.get(client.id)
        if owner is not None:
            state = ClientState.RETIRED if owner.retired else ClientState.MAPPED
            rows.append(ClientRow(client=client, state=state, key=owner.key))
        elif client.id in reasons:
            rows.append(ClientRow(client=client, state=ClientState.IGNORED, reason=reasons[client.id]))
        else:
            rows.append(ClientRow(client=client, state=ClientState.UNMAPPED))
    order = list(ClientState)
    return tuple(sorted(rows, key=lambda row: (order.index(row.state), row.client.id)))


# ---------------------------------------------------------------------------------------------------------------------
# Mappings
# ---------------------------------------------------------------------------------------------------------------------


class Attention(IntEnum):
    """How much a mapping needs a person, most first."""

    HELD = 0
    INVOICE = 1
    PENDING = 2
    NONE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """When a mapping's quantity was last written, and in which run."""

    at: datetime
    run: str
    change: HistoryChange


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One mapping at a glance. `note` says in words what needs attention, and is empty where nothing does."""

    change: Change
    attention: Attention
    note: str
    last: LastChange | None = None
    attachment: Attachment | None = None

    @property
    def renamed(self) -> bool:
        """True where somebody gave the Subscription another name in HaloPSA, which is fine."""
        before = self.change.before
        return before is not None and before.name != self.change.mapping.subscription_name


def status_rows(
    plan: Plan,
    last: MappingABC[MappingKey, LastChange],
    attachments: MappingABC[SubscriptionId, Attachment] | None = None,
) -> tuple[StatusRow, ...]:
    """Every mapping of the plan, what needs attention first."""
    rows = [_status_row(change, last.get(change.key), attachments or {}) for change in plan.changes]
    return tuple(sorted(rows, key=lambda row: (row.attention, row.change.key)))


def _status_row(
    change: Change, last: LastChange | None, attachments: MappingABC[SubscriptionId, Attachment]
) -> StatusRow:
    number = change.before.id if change.before else None
    attachment = attachments.get(number) if number is not None else None
    attention, note = _attention(change, attachment)
    return StatusRow(change=change, attention=attention, note=note, last=last, attachment=attachment)


def _attention(change: Change, attachment: Attachment | None) -> tuple[Attention, str]:
    if change.hold is not None:
        return Attention.HELD, f"held ({change.hold.rule}): {change.hold.message}"
    if attachment is not None and attachment.verdict is not Attached.YES and not change.mapping.retired:
        return Attention.INVOICE, invoice_note(attachment)
    match change.action:
        case Action.CREATE:
            return Attention.PENDING, "the next apply creates its Subscription"
        case Action.UPDATE:
            return Attention.PENDING, f"the next apply sets {change.after.count}"
        case _:
            return Attention.NONE, ""


def invoice_note(attachment: Attachment) -> str:
    """A Subscription's place on recurring invoices, in words."""
    numbers = ", ".join(str(number) for number in attachment.numbers)
    noun = "invoice" if len(attachment.invoices) == 1 else "invoices"
    match attachment.verdict:
        case Attached.YES:
            return f"on recurring {noun} {numbers}"
        case Attached.PERHAPS:
            return f"perhaps on recurring {noun} {numbers}, which selects by criteria: look there"
        case Attached.DISABLED:
            return f"only on recurring {noun} {numbers}, where it is switched off or has ended: it bills nothing"
        case _:
            return "on no recurring invoice: it bills nothing"


def last_changes(history: Iterable[tuple[datetime, str, HistoryChange]]) -> dict[MappingKey, LastChange]:
    """The newest written quantity of each mapping, from (time, run, change) in the order of time."""
    found: dict[MappingKey, LastChange] = {}
    for at, run, change in history:
        if change.outcome == "applied" and change.action in {Action.CREATE, Action.UPDATE}:
            found[change.key] = LastChange(at=at, run=run, change=change)
    return found
