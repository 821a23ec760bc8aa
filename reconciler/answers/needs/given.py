"""What the list of needs is made from, and how one need is made."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import date, datetime

from reconciler.answers.needs.words import as_sentence, as_step
from reconciler.model import Mapping, MappingKey, Mappings, Need, NeedKind, Recorded
from reconciler.moments import spelled
from reconciler.names import same_name
from reconciler.planning.changes import Change, Plan, Settled

THE_RUN = "The whole run"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedInput:
    """What the list is made from. Without a `plan` it is what is remembered, brought up to `now`.

    `outcomes` are those of an apply that came to its end; it is None for a plan, a preview or a status.
    """

    recorded: Recorded
    now: datetime
    mappings: Mappings | None = None
    plan: Plan | None = None
    outcomes: MappingABC[MappingKey, Settled] | None = None

    def spell(self, moment: datetime) -> str:
        """A moment in a sentence, in the user's time zone where it is known."""
        return spelled(moment, self.mappings.settings.timezone if self.mappings else None)

    @property
    def today(self) -> date:
        """The day on which days are counted, in the user's time zone where it is known."""
        return self.mappings.settings.day(self.now) if self.mappings else self.now.date()

    @property
    def ran(self) -> bool:
        """True after an apply that was not refused."""
        return self.outcomes is not None and self.plan is not None and not self.plan.refused


def about(kind: NeedKind, change: Change, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    """A need about one mapping of the plan."""
    numbers = (change.live_quantity or 0, change.quantity.result or 0)
    return Need(
        kind=kind,
        id=f"{kind}:{change.key}",
        key=change.key,
        who=who_of(change.mapping),
        what=as_sentence(what),
        step=as_step(step),
        since=given.now,
        rule=rule,
        customer_id=change.mapping.halo_customer.id,
        subscription_id=change.before.id if change.before else None,
        users=max(numbers),
    )


def who_of(mapping: Mapping) -> str:
    """Whom a mapping is about, in names."""
    clients = " + ".join(client.name for client in mapping.infima_clients)
    customer = mapping.halo_customer.name
    return customer if same_name(clients, customer) else f"{clients} -> {customer}"


def run_need(kind: NeedKind, name: str, what: str, step: str, given: NeedInput, *, rule: str = "") -> Need:
    """All customers are at stake, so it is due before the first of their invoices."""
    changes = given.plan.every_change if given.plan else ()
    users = sum(change.live_quantity or 0 for change in changes)
    if not changes:
        users = sum(binding.last_counted or 0 for binding in given.recorded.bindings.values())
    return Need(
        kind=kind,
        id=f"{kind}:{name}",
        key="",
        who=THE_RUN,
        what=as_sentence(what),
        step=as_step(step),
        since=given.now,
        rule=str(rule),
        users=users,
    )
