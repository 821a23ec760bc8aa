"""What mappings.yaml says and the two systems no longer do: names, clients that are gone, days that are over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from reconciler.answers.needs import ENDING_DAYS
from reconciler.answers.proposals.facts import ProposalFacts
from reconciler.answers.proposals.values import (
    Confidence,
    DropApproval,
    DropIgnore,
    Edit,
    Proposal,
    ProposalKind,
    Remark,
    Retire,
    as_sentence,
    fingerprint,
)
from reconciler.answers.words import day_words
from reconciler.config.edit import NewMapping, NewName, clean_name, client_ref, customer_ref
from reconciler.model import Approval, ClientRef, CustomerRef, IgnoredClient, InfimaClient, InfimaClientId, Mapping
from reconciler.names import alike
from reconciler.planning.changes import UnmanagedSubscription
from reconciler.planning.doubts import Names, Said
from reconciler.planning.index import DEFAULT_KEY
from reconciler.planning.rules import Rule


def propose_upkeep(facts: ProposalFacts) -> Iterator[Proposal]:
    """Everything but new clients and unmanaged Subscriptions."""
    names = Names.of(facts.mappings.mappings, dict(facts.clients), dict(facts.customers))
    for mapping in facts.mappings.mappings:
        yield from (_renamed(mapping, said, facts) for said in names.said_in(mapping) if _has_new_name(said))
        if not mapping.retired:
            yield from _retired(mapping, facts)
            yield from _fixed_ends(mapping, facts)
    for ignored in facts.mappings.ignored:
        yield from _ignored(ignored, facts)
    for approval in facts.mappings.approvals:
        if approval.until < facts.today:
            yield _ended(approval)


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------


def _has_new_name(said: Said) -> bool:
    return said.differs and bool(clean_name(said.real or ""))


def _renamed(mapping: Mapping, said: Said, facts: ProposalFacts) -> Proposal:
    """Sure where the Subscription exists: ids decide there. At a create a name is the guard against a mistyped id."""
    is_customer = isinstance(said.ref, CustomerRef)
    key = f"name-{mapping.key}-" + ("customer" if is_customer else f"client-{said.ref.id}")
    change, real = facts.change(mapping.key), clean_name(said.real or "")
    exists = change.before is not None
    follows = alike(said.ref.name, real)
    confidence = Confidence.LIKELY if exists else Confidence.ASK
    if exists and follows:
        confidence = Confidence.SURE
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
    edit = NewName(key=mapping.key, ref=_bare(said.ref), name=real)
    return _proposal(
        ProposalKind.RENAME,
        key,
        confidence,
        title=f"Write the name {real} for {said.what} {said.ref.id} in {mapping.key}",
        evidence=evidence,
        edit=edit,
        mapping=mapping,
    )


def _bare(ref: ClientRef | CustomerRef) -> ClientRef | CustomerRef:
    """Without its place, which moves: a fingerprint must not."""
    if isinstance(ref, CustomerRef):
        return CustomerRef(id=ref.id, name=ref.name)
    return ClientRef(id=ref.id, name=ref.name)


# ---------------------------------------------------------------------------------------------------------------------
# Who is gone
# ---------------------------------------------------------------------------------------------------------------------


def _retired(mapping: Mapping, facts: ProposalFacts) -> Iterator[Proposal]:
    """Where all clients are long gone and the customer is inactive, or nobody is billed; else the hold is right."""
    gone = [facts.gone_for_long(ref) for ref in mapping.infima_clients]
    if not all(gone):
        return
    customer, billed = facts.customers.get(mapping.halo_customer.id), _billed(mapping, facts)
    inactive = customer is not None and customer.inactive
    if not inactive and billed != 0:
        return
    evidence = list(gone)
    if inactive:
        evidence.append(f"customer {mapping.halo_customer.name} ({mapping.halo_customer.id}) is inactive in HaloPSA")
    if billed == 0:
        evidence.append("nobody is billed for it: there is no live Subscription with a quantity")
    elif billed is not None:
        evidence.append(f"its Subscription still has the quantity {billed}, which retired brings to 0")
    confidence = Confidence.SURE if billed == 0 else Confidence.LIKELY
    if mapping.quantity.fixed is not None and billed != 0:
        confidence = Confidence.ASK
        evidence.append("its quantity is fixed by contract")
    yield _proposal(
        ProposalKind.RETIRE,
        f"retire-{mapping.key}",
        confidence,
        title=f"Retire {mapping.key}: INFIMA has not listed its {_plural('client', len(gone))} for long",
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


_WHOSE = frozenset(
    {Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.MOVED, Rule.ATTEMPT_OPEN, Rule.STATE_LOST}
    | {Rule.SAME_NAME, Rule.RESEMBLES}
)
"""Doubts that leave open whether the mapping has a Subscription, and which."""


def _ignored(ignored: IgnoredClient, facts: ProposalFacts) -> Iterator[Proposal]:
    """Never sure: if the client comes back, nothing says any more that it is not billed on purpose."""
    if words := facts.gone_for_long(ignored.client):
        yield _proposal(
            ProposalKind.IGNORE_GONE,
            f"ignore-{ignored.client.id}",
            Confidence.LIKELY,
            title=f"Take {ignored.client.name} ({ignored.client.id}) out of ignore",
            evidence=[
                words,
                f"if it comes back, it will be an unmapped client: {ignored.reason} is said at {ignored.place} only",
            ],
            edit=DropIgnore(client=ignored.client.id),
            client=f"{ignored.client.name} ({ignored.client.id})",
        )


# ---------------------------------------------------------------------------------------------------------------------
# Days
# ---------------------------------------------------------------------------------------------------------------------


def _fixed_ends(mapping: Mapping, facts: ProposalFacts) -> Iterator[Proposal]:
    """A comment at its line; it is written once for each last day."""
    rule = mapping.quantity
    if rule.fixed is None or rule.until is None or not facts.today <= rule.until <= facts.today + _SOON:
        return
    said = f"{mapping.key}: fixed {rule.fixed} ends {rule.until.isoformat()}"
    if f"# {said}" in facts.text:
        return
    counts = [facts.users(ref.id) for ref in mapping.infima_clients]
    counted = "is not known" if None in counts else f"is {sum(n for n in counts if n is not None)}"
    remark = f"{said}; INFIMA's count on {facts.today.isoformat()} {counted}"
    yield _proposal(
        ProposalKind.FIXED_ENDS,
        f"fixed-{mapping.key}",
        Confidence.SURE,
        title=f"Note at {mapping.key} that its fixed quantity of {rule.fixed} ends on {day_words(rule.until)}",
        evidence=[
            f"the contract ({rule.reason}) holds until {day_words(rule.until)}, and INFIMA's count {counted}",
            "after that day the mapping is held: renew until, or delete fixed, reason and until at "
            + str(mapping.place),
        ],
        edit=Remark(key=mapping.key, text=f"{remark}. Renew until, or delete fixed, reason and until."),
        mapping=mapping,
        users=rule.fixed,
        content=[mapping.key, rule.fixed, rule.until],
    )


_SOON = timedelta(days=ENDING_DAYS)


def _ended(approval: Approval) -> Proposal:
    subject = f"{approval.rule} for {approval.key}" if approval.key else approval.rule
    return _proposal(
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
            client = int(left.key.removeprefix("infima-")) if DEFAULT_KEY.fullmatch(left.key) else None
            number = None if client is None else InfimaClientId(client)
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
    elif client is not None:
        evidence.append(f"INFIMA lists {client.name} ({client.id}), which no mapping has")
        edit = NewMapping(clients=(client_ref(client),), customer=customer_ref(customer), subscription_id=left.id)
    elif not any(one.client.id == number for one in facts.mappings.ignored):
        evidence.append(f"INFIMA does not list client {number} any more, so the mapping would be a retired one")
        gone = InfimaClient(id=number, name=f"client {number}")
        edit = NewMapping(
            clients=(client_ref(gone),), customer=customer_ref(customer), subscription_id=left.id, retired=True
        )
    evidence.append("or set its quantity to 0 in HaloPSA by hand, if it is not to be billed")
    at = left.customer_name or f"customer {left.customer_id}"
    back = "Write a mapping for" if edit is not None else "Say what becomes of"
    key = f"unmanaged-{left.id}"
    return _proposal(
        ProposalKind.UNMANAGED,
        key,
        Confidence.ASK,
        title=f"{back} Subscription {left.id} of {at}, once {left.key}",
        evidence=evidence,
        edit=edit,
        client="" if client is None else f"{client.name} ({client.id})",
        customer=f"{left.customer_name} ({left.customer_id})" if left.customer_id is not None else "",
        users=left.count,
        command=f"reconciler propose --write {key}" if edit is not None else "reconciler status",
    )


def _proposal(
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
    if mapping is not None:
        client = " + ".join(f"{ref.name} ({ref.id})" for ref in mapping.infima_clients)
        customer = f"{mapping.halo_customer.name} ({mapping.halo_customer.id})"
    return Proposal(
        kind=kind,
        key=key,
        confidence=confidence,
        client=client,
        customer=customer,
        title=title,
        evidence=tuple(as_sentence(line) for line in evidence),
        users=users,
        tonight="nothing",
        command=command or f"reconciler propose --write {key}",
        fingerprint=fingerprint(kind, key, *(content or (edit, title))),
        edit=edit,
    )


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
