"""What mappings.yaml says and the two systems no longer do: names, clients that are gone, days that are over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from reconciler.answers.needs import ENDING_DAYS
from reconciler.answers.proposals.values import (
    Confidence,
    DropApproval,
    DropIgnore,
    Proposal,
    ProposalFacts,
    ProposalKind,
    Remark,
    Retire,
    propose,
)
from reconciler.answers.words import day_words, named
from reconciler.config.edit import NewMapping, NewName, clean_name, client_ref, customer_ref
from reconciler.model import Approval, CustomerRef, IgnoredClient, InfimaClient, InfimaClientId, Mapping
from reconciler.names import alike
from reconciler.planning.changes import UnmanagedSubscription
from reconciler.planning.doubts import Names, Said
from reconciler.planning.index import DEFAULT_KEY
from reconciler.planning.rules import Rule

_WHOSE = frozenset(
    {Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.MOVED, Rule.ATTEMPT_OPEN, Rule.STATE_LOST}
    | {Rule.SAME_NAME, Rule.RESEMBLES}
)
"""Doubts that leave open whether the mapping has a Subscription, and which."""


def propose_upkeep(facts: ProposalFacts) -> Iterator[Proposal]:
    """Everything but new clients and unmanaged Subscriptions."""
    names = Names.of(facts.mappings.mappings, dict(facts.clients), dict(facts.customers))
    for mapping in facts.mappings.mappings:
        for said in names.said_in(mapping):
            if said.differs and (real := clean_name(said.real or "")):
                yield _renamed(mapping, said, real, facts)
        if not mapping.retired:
            yield from _retired(mapping, facts)
            yield from _fixed_ends(mapping, facts)
    for ignored in facts.mappings.ignored:
        yield from _ignored(ignored, facts)
    yield from (_ended(approval) for approval in facts.mappings.approvals if approval.until < facts.today)


def _renamed(mapping: Mapping, said: Said, real: str, facts: ProposalFacts) -> Proposal:
    """Sure where the Subscription exists: ids decide there. At a create a name is the guard against a mistyped id."""
    change = facts.change(mapping.key)
    exists, follows = change.before is not None, alike(said.ref.name, real)
    confidence = Confidence.ASK if not exists else Confidence.SURE if follows else Confidence.LIKELY
    place = said.ref.place or mapping.place
    evidence = [f"{said.what} {said.ref.id} is called {real} now, and {place} says {said.ref.name}"]
    if said.others:
        confidence = Confidence.ASK
        evidence.append(f"the name in the file is that of {said.what} {said.others[0]} today: were the ids swapped?")
    elif rules := [doubt.rule for doubt in change.doubts if doubt.rule in _WHOSE]:
        confidence = Confidence.ASK
        evidence.append(f"the mapping is held by {rules[0]}: the name may be right, and the id wrong")
    elif exists:
        evidence.append("its Subscription exists, and ids decide there: no quantity hangs on this name")
    else:
        evidence.append("its Subscription does not exist yet: look whether it is the right id")
    if not follows:
        evidence.append("the two names have nothing in common")
    is_customer = isinstance(said.ref, CustomerRef)
    return propose(
        ProposalKind.RENAME,
        f"name-{mapping.key}-" + ("customer" if is_customer else f"client-{said.ref.id}"),
        confidence,
        title=f"Write the name {real} for {said.what} {said.ref.id} in {mapping.key}",
        evidence=evidence,
        edit=NewName(key=mapping.key, ref=replace(said.ref, place=None), name=real),  # no fingerprint has a place
        mapping=mapping,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Who is gone
# ---------------------------------------------------------------------------------------------------------------------


def _retired(mapping: Mapping, facts: ProposalFacts) -> Iterator[Proposal]:
    """Where all clients are long gone and the customer is inactive, or nobody is billed; else the hold is right."""
    evidence = [facts.gone_for_long(ref) for ref in mapping.infima_clients]
    if not all(evidence):
        return
    clients = "client" if len(evidence) == 1 else "clients"
    customer, billed = facts.customers.get(mapping.halo_customer.id), _billed(mapping, facts)
    inactive = customer is not None and customer.inactive
    if not inactive and billed != 0:
        return
    if inactive:
        evidence.append(f"customer {named(mapping.halo_customer)} is inactive in HaloPSA")
    if billed == 0:
        evidence.append("nobody is billed for it: there is no live Subscription with a quantity")
    elif billed is not None:
        evidence.append(f"its Subscription still has the quantity {billed}, which retired brings to 0")
    confidence = Confidence.SURE if billed == 0 else Confidence.LIKELY
    if mapping.quantity.fixed is not None and billed != 0:
        confidence = Confidence.ASK
        evidence.append("its quantity is fixed by contract")
    yield propose(
        ProposalKind.RETIRE,
        f"retire-{mapping.key}",
        confidence,
        title=f"Retire {mapping.key}: INFIMA has not listed its {clients} for long",
        evidence=evidence,
        edit=Retire(key=mapping.key),
        mapping=mapping,
        users=billed,
    )


def _billed(mapping: Mapping, facts: ProposalFacts) -> int | None:
    """What the mapping's Subscription bills; None where that is not known."""
    change = facts.change(mapping.key)
    if change.before is not None and change.before.id is not None:
        return facts.index.by_id[change.before.id].quantity
    return None if any(doubt.rule in _WHOSE for doubt in change.doubts) else 0


def _ignored(ignored: IgnoredClient, facts: ProposalFacts) -> Iterator[Proposal]:
    """Never sure: if the client comes back, nothing says any more that it is not billed on purpose."""
    if words := facts.gone_for_long(ignored.client):
        back = f"if it comes back, it will be an unmapped client: {ignored.reason} is said at {ignored.place} only"
        yield propose(
            ProposalKind.IGNORE_GONE,
            f"ignore-{ignored.client.id}",
            Confidence.LIKELY,
            title=f"Take {named(ignored.client)} out of ignore",
            evidence=[words, back],
            edit=DropIgnore(client=ignored.client.id),
            client=named(ignored.client),
        )


# ---------------------------------------------------------------------------------------------------------------------
# Days
# ---------------------------------------------------------------------------------------------------------------------


def _fixed_ends(mapping: Mapping, facts: ProposalFacts) -> Iterator[Proposal]:
    """A comment at its line; it is written once for each last day."""
    rule, today = mapping.quantity, facts.today
    if rule.fixed is None or rule.until is None or not today <= rule.until <= today + timedelta(days=ENDING_DAYS):
        return
    said = f"{mapping.key}: fixed {rule.fixed} ends {rule.until.isoformat()}"
    if f"# {said}" in facts.text:
        return
    counts = [facts.users(ref.id) for ref in mapping.infima_clients]
    counted = "is not known" if None in counts else f"is {sum(n for n in counts if n is not None)}"
    remark = f"{said}; INFIMA's count on {today.isoformat()} {counted}. Renew until, or delete fixed, reason and until."
    yield propose(
        ProposalKind.FIXED_ENDS,
        f"fixed-{mapping.key}",
        Confidence.SURE,
        title=f"Note at {mapping.key} that its fixed quantity of {rule.fixed} ends on {day_words(rule.until)}",
        evidence=[
            f"the contract ({rule.reason}) holds until {day_words(rule.until)}, and INFIMA's count {counted}",
            f"after that day the mapping is held: renew until, or delete fixed, reason and until at {mapping.place}",
        ],
        edit=Remark(key=mapping.key, text=remark),
        mapping=mapping,
        users=rule.fixed,
        content=[mapping.key, rule.fixed, rule.until],
    )


def _ended(approval: Approval) -> Proposal:
    subject = f"{approval.rule} for {approval.key}" if approval.key else approval.rule
    return propose(
        ProposalKind.APPROVAL_ENDED,
        "-".join(filter(None, ["approval", approval.rule, approval.key])),
        Confidence.SURE,
        title=f"Remove the approval of {subject}, which ended on {day_words(approval.until)}",
        evidence=[f"after its last day an approval lifts nothing; it stands at {approval.place}"],
        edit=DropApproval(rule=approval.rule, key=approval.key, until=approval.until),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Subscriptions of ours that no mapping has
# ---------------------------------------------------------------------------------------------------------------------


def propose_unmanaged(facts: ProposalFacts) -> Iterator[tuple[Proposal, InfimaClientId | None]]:
    """One proposal for each that still has a quantity, and the client that it speaks for."""
    for left in facts.plan.unmanaged:
        if left.count != 0:
            ours = DEFAULT_KEY.fullmatch(left.key)
            number = InfimaClientId(int(left.key.removeprefix("infima-"))) if ours else None
            yield _unmanaged(left, number, facts), number


def _unmanaged(left: UnmanagedSubscription, number: InfimaClientId | None, facts: ProposalFacts) -> Proposal:
    """Back into the file, where the key says whose it is: billed where INFIMA lists the client, else retired."""
    customer = None if left.customer_id is None else facts.customers.get(left.customer_id)
    count = "an unknown quantity" if left.count is None else f"the quantity {left.count}"
    evidence = [f"Subscription {left.id} ({left.name}) has {count}, and the key {left.key} that no mapping has"]
    client = None if number is None else facts.clients.get(number)
    unmapped = {one.id for one in facts.plan.unmapped}
    edit: NewMapping | None = None
    if customer is None or number is None or (client is not None and number not in unmapped):
        evidence.append("who is billed with it, only a person can say")
    elif client is not None or not any(one.client.id == number for one in facts.mappings.ignored):
        told = f"INFIMA does not list client {number} any more, so the mapping would be a retired one"
        if client is not None:
            told = f"INFIMA lists {named(client)}, which no mapping has"
        evidence.append(told)
        edit = NewMapping(
            clients=(client_ref(client if client is not None else InfimaClient(id=number, name=f"client {number}")),),
            customer=customer_ref(customer),
            subscription_id=left.id,
            retired=client is None,
        )
    evidence.append("or set its quantity to 0 in HaloPSA by hand, if it is not to be billed")
    at = left.customer_name or f"customer {left.customer_id}"
    back = "Write a mapping for" if edit is not None else "Say what becomes of"
    return propose(
        ProposalKind.UNMANAGED,
        f"unmanaged-{left.id}",
        Confidence.ASK,
        title=f"{back} Subscription {left.id} of {at}, once {left.key}",
        evidence=evidence,
        edit=edit,
        client="" if client is None else named(client),
        customer=f"{left.customer_name} ({left.customer_id})" if left.customer_id is not None else "",
        users=left.count,
        command="" if edit is not None else "reconciler status",
    )
