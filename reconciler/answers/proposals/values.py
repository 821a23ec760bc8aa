"""A proposal as a value: what it would write, why, how sure that is; and the facts that proposals rest on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date
from enum import StrEnum

from reconciler.answers.sameness import Sameness
from reconciler.answers.words import capital, day_words, named
from reconciler.config.edit import NewMapping, NewName
from reconciler.model import (
    ClientRef,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    UserCount,
)
from reconciler.plan import diff
from reconciler.planning.changes import Change, Plan
from reconciler.planning.index import Index, index_subscriptions
from reconciler.safety.check import check
from reconciler.state.recorded import NeedKind, Recorded


class Confidence(StrEnum):
    """How sure a proposal is. `propose --write` makes those that are sure, `--likely` the likely ones too."""

    SURE = "sure"
    LIKELY = "likely"
    ASK = "ask"


class ProposalKind(StrEnum):
    """What is proposed, in the order in which it is told."""

    NEW_MAPPING = "new-mapping"  # an INFIMA client that nobody has mapped
    ADOPT = "adopt"  # the same, and the customer has a Subscription that is meant
    COMBINE = "combine"  # the same, and the customer is mapped already
    RENAME = "rename"  # a name in the file that is not today's
    RETIRE = "retire"  # a client that INFIMA has not listed for long
    FIXED_ENDS = "fixed-ends"  # a contract that ends soon
    UNMANAGED = "unmanaged"  # a Subscription with a marker of ours that no mapping has
    IGNORE_GONE = "ignore-gone"  # an ignored client that INFIMA has not listed for long
    APPROVAL_ENDED = "approval-ended"  # an approval whose last day is over


# ---------------------------------------------------------------------------------------------------------------------
# Edits of mappings.yaml; their members are part of a proposal's fingerprint
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinClient:
    """One more client in the mapping called `key`."""

    key: MappingKey
    client: ClientRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """`retired: true` in the mapping called `key`."""

    key: MappingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment above the quantity of the mapping called `key`."""

    key: MappingKey
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIgnore:
    """The entry of `ignore` about this client goes."""

    client: InfimaClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropApproval:
    """The approval of this rule goes, for `key` where it is about one mapping; others of that key stay."""

    rule: str
    key: MappingKey | None
    until: date


SingleEdit = JoinClient | Retire | Remark | DropIgnore | DropApproval
Edit = NewMapping | NewName | SingleEdit

# ---------------------------------------------------------------------------------------------------------------------
# Proposals
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One suggested edit. All texts are plain, foreign names in them as they are: each drawing makes them safe.

    `key` is unique among the proposals of a file and the same on every night: `propose --again KEY`. `title` is one
    line, `evidence` are further ones. `client` and `customer` are names with ids, empty where there is none. `users`
    are those at stake, None where their number is not known. `tonight` is what the edit would come to in tonight's run.
    `command` is the next step for a person, and works when it is pasted. `edit` is None where only a person can say
    what to write. `fingerprint` stays the same while the edit does: a declined proposal is not made again until it
    changes.
    """

    kind: ProposalKind
    key: str
    confidence: Confidence
    client: str
    customer: str
    title: str
    evidence: tuple[str, ...]
    users: int | None
    tonight: str
    command: str
    fingerprint: str
    edit: Edit | None = None


def propose(
    kind: ProposalKind,
    key: str,
    confidence: Confidence,
    *,
    title: str,
    evidence: Sequence[str],
    edit: Edit | None,
    mapping: Mapping | None = None,
    client: str = "",
    customer: str = "",
    users: int | None = None,
    command: str = "",
    content: Sequence[object] = (),
) -> Proposal:
    """A proposal; client and customer are those of `mapping` where it is about one.

    The fingerprint is made of `content`, else of edit and title.
    """
    if mapping is not None:
        client, customer = " + ".join(map(named, mapping.infima_clients)), named(mapping.halo_customer)
    return Proposal(
        kind=kind,
        key=key,
        confidence=confidence,
        client=client,
        customer=customer,
        title=title,
        evidence=tuple(map(as_line, evidence)),
        users=users,
        tonight="nothing",
        command=command or f"reconciler propose --write {key}",
        fingerprint=fingerprint(kind, key, *(content or (edit, title))),
        edit=edit,
    )


def map_command(edit: NewMapping) -> str:
    """The command that makes this mapping by hand."""
    command = f"reconciler map {edit.clients[0].id} --customer {edit.customer.id}"
    return command if edit.subscription_id is None else f"{command} --subscription {edit.subscription_id}"


def fingerprint(kind: ProposalKind, key: str, *content: object) -> str:
    """A hash of what is proposed; numbers that change from night to night are no part of it."""
    plain = [asdict(one) if is_dataclass(one) and not isinstance(one, type) else one for one in content]
    spelled = json.dumps([kind, key, *plain], sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def as_line(text: str) -> str:
    """A line of its own, which begins with a word of ours; behind a command to be pasted stands no full stop."""
    ends = text.endswith((".", "?")) or "reconciler " in text
    return capital(text) + ("" if ends else ".")


# ---------------------------------------------------------------------------------------------------------------------
# Facts: the file, both systems, what is remembered, and the plan that follows from them
# ---------------------------------------------------------------------------------------------------------------------

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
        since = day_words(missing.first)
        return f"INFIMA has not listed {named(client)} since {since}: {missing.nights} nights in a row"

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
