"""An INFIMA client that nobody has mapped: which customer it is, on which Subscription, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.answers.matching import rank
from reconciler.answers.proposals.values import (
    Confidence,
    Edit,
    JoinClient,
    Proposal,
    ProposalFacts,
    ProposalKind,
    map_command,
    propose,
)
from reconciler.answers.sameness import Counterpart, FirmName
from reconciler.answers.words import day_words, named, plural
from reconciler.config import parse_mappings
from reconciler.config.edit import NewMapping, add_mappings, client_ref, customer_ref
from reconciler.errors import ConfigError
from reconciler.model import HaloCustomer, InfimaClient, InfimaClientId, Mapping, Subscription, SubscriptionId
from reconciler.names import resembles
from reconciler.planning.index import Index, index_subscriptions
from reconciler.planning.twins import candidates

NEAR_USERS, NEAR_PERCENT = 2, 10
"""A quantity is near a count when it differs by at most this many users or this many per cent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A client, the customer that it probably is, and what that customer has already.

    `owners` are the mappings of that customer. `meant` are its Subscriptions that no mapping has and for which the plan
    would hold the create; `others` those that are like the template all the same: another mapping has them, a person
    gave them up, or they are over.
    """

    client: InfimaClient
    found: Counterpart
    owners: tuple[Mapping, ...] = ()
    meant: tuple[Subscription, ...] = ()
    others: tuple[Subscription, ...] = ()

    @property
    def confidence(self) -> Confidence:
        """By the names alone."""
        if self.found.sure:
            return Confidence.SURE
        return Confidence.LIKELY if self.found.likely else Confidence.ASK


def propose_newcomers(facts: ProposalFacts, spoken_for: frozenset[InfimaClientId]) -> Iterator[Proposal]:
    """One proposal for each unmapped client but those that are `spoken_for` by another proposal."""
    unmapped = [facts.clients[one.id] for one in facts.plan.unmapped if one.id not in spoken_for]
    found = [(client, _counterpart(client, facts)) for client in unmapped]
    meant = _meant(facts, [(client, one.customer) for client, one in found if one.customer is not None])
    for client, counterpart in found:
        customer = counterpart.customer
        if customer is None:
            yield _nobody(Newcomer(client=client, found=counterpart), facts)
            continue
        owners = tuple(m for m in facts.mappings.mappings if m.halo_customer.id == customer.id)
        rows, others = meant.get(client.id, ((), ()))
        one = Newcomer(client=client, found=counterpart, owners=owners, meant=rows, others=others)
        if any(not owner.retired for owner in owners):
            yield _combined(one, customer, facts)
        elif one.meant:
            yield _adopted(one, customer, facts)
        else:
            yield _mapped(one, customer, facts)


def _counterpart(client: InfimaClient, facts: ProposalFacts) -> Counterpart:
    """By the names. A client that has the partner's name may be the partner's own staff."""
    found, partner = facts.sameness.counterpart(client), FirmName.of(facts.observation.tenant.infima_partner)
    if not partner.words or not set(partner.words) <= set(FirmName.of(client.name).words):
        return found
    why = (
        f"it has the INFIMA partner's name. If it is our own staff: reconciler map {client.id} --ignore 'our own staff'"
    )
    return replace(found, doubts=(*found.doubts, why))


Rows = tuple[Subscription, ...]


def _meant(
    facts: ProposalFacts, pairs: Sequence[tuple[InfimaClient, HaloCustomer]]
) -> dict[InfimaClientId, tuple[Rows, Rows]]:
    """With these pairs in the file: the Subscriptions for which the plan would hold a create, and others like them."""
    entries = [_entry(client, customer) for client, customer in pairs]
    try:
        text = add_mappings(facts.text, entries)
        made = parse_mappings(text, file=facts.mappings.file, now=facts.observation.taken_at)
    except ConfigError:  # one of them does not fit into the file, such as one whose key is taken: its proposal says so
        half = len(pairs) // 2
        return {} if not half else _meant(facts, pairs[:half]) | _meant(facts, pairs[half:])
    index = index_subscriptions(facts.observation.subscriptions, made.mappings, facts.recorded)
    by_client = {ref.id: m for m in made.mappings for ref in m.infima_clients}
    return {client.id: _rows_of(by_client[client.id], index, facts) for client, _ in pairs}


def _rows_of(mapping: Mapping, index: Index, facts: ProposalFacts) -> tuple[Rows, Rows]:
    meant = candidates(mapping, index, facts.recorded)
    others = tuple(
        row
        for row in index.by_customer.get(mapping.halo_customer.id, ())
        if row not in meant and row.is_subscription and resembles(row.name, mapping.subscription_name)
    )
    return meant, others


def _entry(client: InfimaClient, customer: HaloCustomer, adopt: SubscriptionId | None = None) -> NewMapping:
    return NewMapping(clients=(client_ref(client),), customer=customer_ref(customer), subscription_id=adopt)


# ---------------------------------------------------------------------------------------------------------------------
# One proposal for each case
# ---------------------------------------------------------------------------------------------------------------------


def _mapped(one: Newcomer, customer: HaloCustomer, facts: ProposalFacts) -> Proposal:
    more: list[str] = []
    if one.owners:
        more.append(f"the customer was billed through {_keys(one.owners)}, which is retired")
    if live := "; ".join(_described(row) for row in one.others if row.live):
        more.append(f"it has {live}, which another mapping has or a person gave up")
    if over := "; ".join(_described(row) for row in one.others if not row.live):
        more.append(f"it had {over}: is it not billed any more, on purpose?")
    if not one.others:
        more.append("it has no Subscription that may be meant")
    edit = _entry(one.client, customer)
    return _proposal(
        ProposalKind.NEW_MAPPING,
        one,
        facts,
        Confidence.ASK if one.owners or one.others else one.confidence,
        title=f"Map {named(one.client)} to {named(customer)}",
        evidence=more,
        edit=edit,
        by_hand=map_command(edit),
    )


def _adopted(one: Newcomer, customer: HaloCustomer, facts: ProposalFacts) -> Proposal:
    """A Subscription that a person made is taken over; likely where there is one and its quantity fits, never sure."""
    row, users = one.meant[0], facts.users(one.client.id)
    only = len(one.meant) == 1 and row.live and (row.last_day is None or row.last_day >= facts.today)
    fits = only and row.marker is None and _is_near(row.count, users)
    seen = "; ".join(map(_described, one.meant))
    if only and not fits:
        seen += f", which is not near the count of {'?' if users is None else users}"
    edit = _entry(one.client, customer, row.id) if only else None
    on = f"its Subscription {row.id} is over"
    if only:
        on = f"on its Subscription {row.id}"
    elif len(one.meant) > 1:
        on = "choose one of the customer's Subscriptions"
    return _proposal(
        ProposalKind.ADOPT,
        one,
        facts,
        Confidence.LIKELY if one.found.sure and fits and not one.owners else Confidence.ASK,
        title=f"Map {named(one.client)} to {named(customer)}, {on}",
        evidence=(f"no mapping has {seen}",),
        edit=edit,
        by_hand=map_command(edit) if edit is not None else f"reconciler map {one.client.id}",  # `map` asks which one
    )


def _combined(one: Newcomer, customer: HaloCustomer, facts: ProposalFacts) -> Proposal:
    """Together on one Subscription, or a second one? Only a person knows."""
    owners = [owner for owner in one.owners if not owner.retired]
    owner, by_hand = owners[0], f"reconciler map {one.client.id} --customer {customer.id} --key"
    clients = " + ".join(map(named, owner.infima_clients))
    return _proposal(
        ProposalKind.COMBINE,
        one,
        facts,
        Confidence.ASK,
        title=f"Bill {named(one.client)} together with {clients} on the Subscription of {named(customer)}",
        evidence=(
            f"the customer is billed through {_keys(owners)} already: together on one Subscription, or a second one?",
            f"for a second one: {by_hand} infima-{one.client.id}",
        ),
        edit=JoinClient(key=owner.key, client=client_ref(one.client)) if len(owners) == 1 else None,
        by_hand=f"{by_hand} {owner.key}",
    )


def _nobody(one: Newcomer, facts: ProposalFacts) -> Proposal:
    near = ", ".join(named(m.customer) for m in rank(one.client.name, facts.sameness.alike(one.client), limit=3))
    return _proposal(
        ProposalKind.NEW_MAPPING,
        one,
        facts,
        Confidence.ASK,
        title=f"Say which customer {named(one.client)} is, or that it is not billed",
        evidence=(f"somewhat alike: {near}" if near else "no active customer has a name like it",),
        edit=None,
        by_hand=f"reconciler map {one.client.id}",
    )


def _proposal(
    kind: ProposalKind,
    one: Newcomer,
    facts: ProposalFacts,
    confidence: Confidence,
    *,
    title: str,
    evidence: Sequence[str],
    edit: Edit | None,
    by_hand: str,
) -> Proposal:
    who, users, customer = named(one.client), facts.users(one.client.id), one.found.customer
    counted = "users not counted" if users is None else plural(users, "active user")
    first = f"INFIMA lists {who}, {counted}; no mapping has it{facts.unmapped_since(one.client.id)}"
    return propose(
        kind,
        f"map-{one.client.id}",
        confidence,
        title=title,
        evidence=(first, *_about_names(one), *one.found.doubts, *evidence),
        edit=edit,
        client=who,
        customer="" if customer is None else named(customer),
        users=users,
        command=by_hand if confidence is Confidence.ASK else "",
    )


def _about_names(one: Newcomer) -> Iterator[str]:
    customer = one.found.customer
    if customer is None:
        return
    if one.found.sure:
        yield f"HaloPSA has one customer of this name, {named(customer)}, and no other name near it"
    elif one.found.same:
        yield f"HaloPSA has one active customer of this name, {named(customer)}"
    else:
        yield f"HaloPSA has no customer of exactly this name; the closest one is {named(customer)}"


def _is_near(quantity: int | None, users: int | None) -> bool:
    if quantity is None or users is None:
        return False
    return abs(quantity - users) <= max(NEAR_USERS, users * NEAR_PERCENT // 100)


def _described(row: Subscription) -> str:
    state = "" if row.live else " (deleted)" if row.deleted else " (inactive)"
    if row.live and row.last_day is not None:
        state = f" (until {day_words(row.last_day)})"
    marker = "" if row.marker is None else f", marker {row.marker}"
    return f"Subscription {row.id} {row.name!r}{state}, quantity {'?' if row.count is None else row.count}{marker}"


def _keys(owners: Sequence[Mapping]) -> str:
    return ", ".join(owner.key for owner in owners)
