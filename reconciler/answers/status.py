"""INFIMA's clients and the mappings at a glance: what each is, and what needs attention. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from reconciler.answers.attached import look_of
from reconciler.answers.words import day_words
from reconciler.model import InfimaClient, MappingKey, Mappings
from reconciler.planning.changes import Action, Change, Plan
from reconciler.state.history import PastChange, PastRun
from reconciler.state.recorded import InvoiceLook, Need, Recorded

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

    def row(client: InfimaClient) -> ClientRow:
        if owner := owners.get(client.id):
            state = ClientState.RETIRED if owner.retired else ClientState.MAPPED
            return ClientRow(client=client, state=state, key=owner.key)
        reason = reasons.get(client.id)
        state = ClientState.UNMAPPED if reason is None else ClientState.IGNORED
        return ClientRow(client=client, state=state, reason=reason or "")

    order = list(ClientState)
    return tuple(sorted(map(row, clients), key=lambda one: (order.index(one.state), one.client.id)))


# ---------------------------------------------------------------------------------------------------------------------
# Mappings
# ---------------------------------------------------------------------------------------------------------------------


class Attention(IntEnum):
    """How urgently a mapping needs a person, the most urgent first."""

    NEED = 0
    PENDING = 1
    NONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One mapping at a glance. `note` says in words what needs attention, and is empty where nothing does.

    `needs` are those of the list that are about this mapping, `last` is its newest written quantity.
    `look` is what is remembered of recurring invoices, None where nobody has looked.
    """

    change: Change
    attention: Attention
    note: str
    needs: tuple[Need, ...] = ()
    last: PastChange | None = None
    look: InvoiceLook | None = None

    @property
    def renamed(self) -> bool:
        """True where somebody gave the Subscription another name in HaloPSA, which is fine."""
        before = self.change.before
        return before is not None and before.name != self.change.mapping.subscription_name

    @property
    def invoice(self) -> str:
        """Whether it is on a recurring invoice, in a word or two, with the day of the look."""
        if self.change.before is None:
            return ""
        if self.look is None:
            return "not checked"
        word = self.look.verdict.value if not self.look.word else "attached, as a person said"
        return f"{word} ({day_words(self.look.looked_at)})"


def status_rows(plan: Plan, last: MappingABC[MappingKey, PastChange], recorded: Recorded) -> tuple[StatusRow, ...]:
    """Every mapping of the plan, in the order of its needs, then what is pending."""
    needs: dict[str, list[Need]] = {}
    for need in plan.needs:
        needs.setdefault(need.key, []).append(need)
    first = {need.key: place for place, need in reversed(list(enumerate(plan.needs)))}

    def row(change: Change) -> StatusRow:
        mine = tuple(needs.get(change.key, ()))
        attention, note = _attention(change, mine, refused=plan.refused)
        look = look_of(change.key, recorded)
        return StatusRow(
            change=change, attention=attention, note=note, needs=mine, last=last.get(change.key), look=look
        )

    rows = map(row, plan.changes)
    return tuple(sorted(rows, key=lambda one: (one.attention, first.get(one.change.key, 0), one.change.key)))


def _attention(change: Change, needs: Sequence[Need], *, refused: bool) -> tuple[Attention, str]:
    if needs:
        return Attention.NEED, " ".join(f"{need.kind}: {need.what}" for need in needs)
    if change.action is Action.NO_OP:
        return Attention.NONE, ""
    if refused:
        return Attention.PENDING, f"{change.after.count} is due; the whole run is refused"
    if change.action is Action.CREATE:
        return Attention.PENDING, "the next apply creates its Subscription"
    return Attention.PENDING, f"the next apply sets {change.after.count}"


def last_changes(runs: Iterable[PastRun]) -> dict[MappingKey, PastChange]:
    """The newest written quantity of each mapping; the runs in the order of time."""
    return {
        change.key: PastChange(run=run, change=change)
        for run in runs
        for change in run.verdict.changes
        if change.outcome == "applied" and change.action in {Action.CREATE, Action.UPDATE}
    }
