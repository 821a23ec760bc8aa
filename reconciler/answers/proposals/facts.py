"""What proposals are made from: the file, both systems, what is remembered, and the plan that follows from them."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import date

from reconciler.answers.sameness import Sameness
from reconciler.answers.words import day_words
from reconciler.model import (
    ClientRef,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mappings,
    NeedKind,
    Observation,
    Recorded,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import Change, Plan
from reconciler.planning.index import Index, index_subscriptions
from reconciler.safety.check import check

LONG_GONE = 14
"""So many nights in a row without a client in INFIMA's list, and it may be gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalFacts:
    """Everything a proposal rests on, looked up by id. `text` is the file that `mappings` was read from."""

    text: str
    mappings: Mappings
    observation: Observation
    recorded: Recorded
    plan: Plan
    index: Index
    clients: MappingABC[InfimaClientId, InfimaClient]
    customers: MappingABC[HaloCustomerId, HaloCustomer]
    counts: MappingABC[InfimaClientId, int]
    sameness: Sameness

    @classmethod
    def of(cls, mappings: Mappings, observation: Observation, recorded: Recorded, *, text: str) -> ProposalFacts:
        return cls(
            text=text,
            mappings=mappings,
            observation=observation,
            recorded=recorded,
            plan=judged(mappings, observation, recorded),
            index=index_subscriptions(observation.subscriptions, mappings.mappings, recorded),
            clients={one.id: one for one in observation.clients},
            customers={one.id: one for one in observation.customers},
            counts={one.client_id: one.active for one in observation.user_counts if isinstance(one, UserCount)},
            sameness=Sameness(observation.clients, observation.customers),
        )

    @property
    def today(self) -> date:
        """The day of the reading, in the user's time zone."""
        return self.mappings.settings.day(self.observation.taken_at)

    def users(self, client: InfimaClientId) -> int | None:
        """The client's active users: counted, or as INFIMA's list has them."""
        if client in self.counts:
            return self.counts[client]
        listed = self.clients.get(client)
        return None if listed is None else listed.user_count

    def unmapped_since(self, client: InfimaClientId) -> str:
        """ ", since 3 Nov 2026" where that is remembered, else nothing."""
        wanted = f"{NeedKind.UNMAPPED}:{client}"
        known = [need.since for need in self.recorded.needs if need.id == wanted]
        return f", since {day_words(self.mappings.settings.day(known[0]))}" if known else ""

    def gone_for_long(self, client: ClientRef) -> str:
        """Since when INFIMA has not listed it, in words; empty where it is listed or that is too short to tell."""
        missing = self.recorded.missing.get(client.id)
        if client.id in self.clients or missing is None or missing.nights < LONG_GONE:
            return ""
        nights = f"{missing.nights} nights in a row"
        return f"INFIMA has not listed {client.name} ({client.id}) since {day_words(missing.first)}: {nights}"

    def change(self, key: str) -> Change:
        """What the plan without any proposal does about this mapping."""
        return next(change for change in self.plan.changes if change.key == key)


def judged(mappings: Mappings, observation: Observation, recorded: Recorded) -> Plan:
    """The plan with what the safety rules hold of it."""
    today = mappings.settings.day(observation.taken_at)
    return check(diff(mappings, observation, recorded), mappings.limits, (), mappings.approvals, today=today)


def clients_to_weigh(mappings: Mappings, observation: Observation) -> tuple[InfimaClientId, ...]:
    """The clients whose users a proposal tells and no plan needs: unmapped ones, and those of a fixed quantity."""
    fixed = {ref.id for m in mappings.mappings if m.quantity.fixed is not None for ref in m.infima_clients}
    known = {ref.id for m in mappings.mappings for ref in m.infima_clients}
    known |= {one.client.id for one in mappings.ignored}
    return tuple(one.id for one in observation.clients if one.id in fixed or one.id not in known)
