"""What a person decides about a binding by hand: `adopt` and `resolve`. Pure: facts in, decision or refusal out.

A decision writes the state only, never HaloPSA. It is refused wherever the live objects say that it would bill the
wrong customer, bill twice, or leave a mapping in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.answers.words import named
from reconciler.errors import DecisionRefused
from reconciler.model import Mapping, MappingKey, Subscription, SubscriptionId
from reconciler.moments import spelled
from reconciler.names import same_name
from reconciler.planning.index import Index
from reconciler.planning.rules import abandon_command, resolved_by
from reconciler.state.recorded import Attempt, Binding, BindingOrigin, Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """What a decision stands on: the mapping, a complete listing with all claims, and the state as it is now.

    `settle` is the time after which a create without a trace counts as never made.
    """

    mapping: Mapping
    index: Index
    recorded: Recorded
    now: datetime
    settle: timedelta

    @property
    def key(self) -> MappingKey:
        """The mapping's key."""
        return self.mapping.key

    @property
    def attempt(self) -> Attempt | None:
        """The create whose outcome is unknown, if there is one."""
        return self.recorded.attempts.get(self.key)

    @property
    def bound(self) -> SubscriptionId | None:
        """The Subscription that the state has for this mapping."""
        binding = self.recorded.bindings.get(self.key)
        return binding.subscription_id if binding else None

    def spell(self, attempt: Attempt) -> str:
        """When the create was sent, in a sentence."""
        return spelled(attempt.recorded_at, self.now.tzinfo)

    @property
    def marked(self) -> tuple[Subscription, ...]:
        """Subscriptions that carry this mapping's marker and were not given up."""
        given_up = self.recorded.given_up.get(self.key, ())
        return tuple(s for s in self.index.by_marker.get(self.key, ()) if s.id not in given_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be written into the state, and in plain sentences what was seen and what follows.

    `bind` becomes the mapping's binding; `give_up` are Subscriptions that are this mapping's no more; `take_from` are
    keys outside mappings.yaml whose binding to `bind` ends; `settle` closes an open attempt by its nonce. `write_id`
    belongs into the mapping as `subscription_id`, None where a create of ours is found by its marker.
    """

    kind: str
    key: MappingKey
    seen: tuple[str, ...]
    follows: tuple[str, ...]
    bind: Binding | None = None
    count: int | None = None
    give_up: tuple[SubscriptionId, ...] = ()
    take_from: tuple[MappingKey, ...] = ()
    settle: str | None = None
    write_id: SubscriptionId | None = None

    @property
    def writes(self) -> tuple[object, ...]:
        """The part that must still be the same when the state is opened for writing; times aside."""
        bound = None if self.bind is None else (self.bind.subscription_id, self.bind.awaiting_first_count)
        return bound, self.give_up, self.take_from, self.settle


def adopt(context: DecisionContext, number: SubscriptionId) -> Decision:
    """Bind the mapping to an existing Subscription. Raises `DecisionRefused` where it is not plainly the right one."""
    mapping, attempt = context.mapping, context.attempt
    found = _adoptable(context, number)
    said = mapping.subscription_id
    if said is not None and said != number:
        raise DecisionRefused(
            f"mappings.yaml says subscription_id: {said} for {mapping.key}, not {number}.",
            hint=f"The file decides first: correct it at {mapping.place}, or adopt {said}.",
        )
    take_from = _freed_keys(context, number)
    others = tuple(n for n in _own_ids(context, live=True) if n != number)
    if context.bound == number == said and not others:
        raise DecisionRefused(
            f"{context.key} is bound to Subscription {number} already.",
            hint=f"Nothing to do. `reconciler explain {context.key}` tells why its number is what it is.",
        )
    follows = [f"From now on the quantity of Subscription {number} follows mapping {context.key}."]
    follows += [_left_alone(context.index.by_id.get(other), other) for other in others]
    follows += [f"The binding of key {old}, which is not in mappings.yaml any more, ends." for old in take_from]
    if attempt is not None:
        follows.append(f"The create of {context.spell(attempt)} is settled: this is what it made.")
    if found.marker is not None and found.marker != context.key:
        follows.append(f"It carries the marker {found.marker}, which stays: nothing but the quantity is ever written.")
    clients = ", ".join(map(named, mapping.infima_clients))
    return Decision(
        kind="adopt",
        key=context.key,
        seen=(
            _describe(found),
            f"Mapping {mapping.key}: INFIMA {clients} -> HaloPSA {named(mapping.halo_customer)}.",
        ),
        follows=tuple(follows),
        bind=_binding(context, found),
        write_id=None if attempt is not None and found.marker == context.key else number,
        count=found.count,
        give_up=others,
        take_from=take_from,
    )


def _binding(context: DecisionContext, found: Subscription) -> Binding:
    """The binding to record; one that the state has already stays as it is."""
    standing = context.recorded.bindings.get(context.key)
    if standing is not None and standing.subscription_id == found.id:
        return standing
    return Binding(
        key=context.key,
        subscription_id=found.id,
        customer_id=context.mapping.halo_customer.id,
        origin=BindingOrigin.ADOPTED,
        bound_at=context.now,
        awaiting_first_count=context.attempt is not None and found.count == 0,
    )


def abandon(context: DecisionContext) -> Decision:
    """Forget a create whose outcome is unknown, so that a new one may be sent. Raises `DecisionRefused`."""
    attempt = context.attempt
    if attempt is None:
        raise DecisionRefused(
            f"{context.key} has no create whose outcome is unknown.",
            hint=f"Nothing to abandon. `reconciler explain {context.key}` shows what is recorded.",
        )
    if context.marked:
        first = context.marked[0]
        raise DecisionRefused(
            f"The create did take effect: {_describe(first)} carries the marker {context.key}.",
            hint=f"Take it instead: {resolved_by(context.key, first.id)}",
        )
    age = context.now - attempt.recorded_at
    follows = [f"The next apply may create a new Subscription for {context.mapping.halo_customer.name}."]
    if age < context.settle:
        follows.append(
            f"The create is only {_hours(age)} old. If it takes effect later after all, two Subscriptions carry the "
            "marker, and the mapping is held until one of them is deleted."
        )
    namesakes = [
        s
        for s in context.index.by_customer.get(context.mapping.halo_customer.id, ())
        if s.is_subscription and not s.deleted and same_name(s.name, attempt.subscription_name)
    ]
    return Decision(
        kind="abandon",
        key=context.key,
        seen=(
            f"A create sent at {context.spell(attempt)} by run {attempt.run}, outcome unknown.",
            f"No Subscription in HaloPSA carries the marker {context.key}, inactive and deleted ones included.",
            *(f"The customer has one of the same name: {_describe(s)}" for s in namesakes),
        ),
        follows=tuple(follows),
        settle=attempt.nonce,
    )


def recreate(context: DecisionContext) -> Decision:
    """Give up a Subscription that is gone, so that a new one is created. Raises `DecisionRefused` while it lives."""
    mapping = context.mapping
    if mapping.subscription_id is not None:
        raise DecisionRefused(
            f"mappings.yaml says that {context.key} is Subscription {mapping.subscription_id}.",
            hint=f"Delete the line subscription_id: {mapping.subscription_id} ({mapping.place}) first.",
        )
    old = _own_ids(context)
    if not old:
        hint = "Nothing to give up: the next apply creates one."
        if context.attempt is not None:
            hint = f"A create is under way. If it made nothing: {abandon_command(context.key)}"
        raise DecisionRefused(f"{context.key} has no Subscription yet.", hint=hint)
    alive = [s for number in old if (s := context.index.by_id.get(number)) is not None and s.live]
    if alive:
        raise DecisionRefused(
            f"{_describe(alive[0])} is live: a second one would bill the customer twice.",
            hint="Delete it or make it inactive in HaloPSA first; or keep it, and nothing needs to be done here.",
        )
    return Decision(
        kind="recreate",
        key=context.key,
        seen=tuple(_describe_gone(context.index.by_id.get(number), number) for number in old),
        follows=(
            f"The next apply creates a new Subscription for {named(mapping.halo_customer)}.",
            "The new one has to be attached to a recurring invoice by hand; until then it bills nothing.",
        ),
        give_up=old,
    )


def _adoptable(context: DecisionContext, number: SubscriptionId) -> Subscription:
    """The Subscription to adopt. Raises `DecisionRefused` where it cannot be this mapping's."""
    found, wanted = context.index.by_id.get(number), context.mapping.halo_customer
    if found is None:
        raise DecisionRefused(
            f"HaloPSA does not know Subscription {number}.",
            hint=_candidates(context) or "The number is the id in the address of the Subscription's page in HaloPSA.",
        )
    if not found.is_subscription:
        raise DecisionRefused(
            f"{number} ({found.name}) is a plain licence, not a Subscription.", hint=_candidates(context)
        )
    if not found.live:
        what = "deleted" if found.deleted else "inactive"
        raise DecisionRefused(
            f"{_describe(found)} is {what} in HaloPSA, so it bills nothing.",
            hint="Restore it in HaloPSA first, or name another.",
        )
    if found.customer_id != wanted.id:
        where = "no customer" if found.customer_id is None else f"customer {found.customer_id}"
        raise DecisionRefused(
            f"{_describe(found)} belongs to {where}; the mapping is for customer {wanted.id} ({wanted.name}).",
            hint=_candidates(context) or "Correct halo_customer in mappings.yaml, or name another Subscription.",
        )
    return found


def _freed_keys(context: DecisionContext, number: SubscriptionId) -> tuple[MappingKey, ...]:
    """Keys bound to this Subscription that have left mappings.yaml. Raises where a mapping of the file claims it."""
    claiming = context.index.claims.get(number, frozenset()) - {context.key}
    standing = sorted(claiming & context.index.keys)
    if standing:
        raise DecisionRefused(
            f"Subscription {number} belongs to mapping {standing[0]}: one Subscription belongs to one mapping.",
            hint=f"See which of the two is right: reconciler explain {standing[0]}",
        )
    return tuple(sorted(claiming))


def _own_ids(context: DecisionContext, *, live: bool = False) -> tuple[SubscriptionId, ...]:
    """The Subscriptions that are this mapping's by state or by marker, with `live` only live ones of the latter."""
    bound = () if context.bound is None else (context.bound,)
    return tuple(sorted({*bound, *(s.id for s in context.marked if s.live or not live)}))


def _candidates(context: DecisionContext) -> str:
    """The customer's live Subscriptions that no mapping has, for a hint."""
    free = [
        s
        for s in context.index.by_customer.get(context.mapping.halo_customer.id, ())
        if s.is_subscription and s.live and not (context.index.claims.get(s.id, frozenset()) - {context.key})
    ]
    if not free:
        return ""
    free.sort(key=lambda s: (not same_name(s.name, context.mapping.subscription_name), s.id))
    shown = "; ".join(f"{s.id} {s.name!r} (quantity {_quantity(s)})" for s in free[:5])
    return f"{context.mapping.halo_customer.name} has: {shown}."


def _describe(found: Subscription) -> str:
    return f"Subscription {found.id} {found.name!r}, quantity {_quantity(found)}"


def _describe_gone(found: Subscription | None, number: SubscriptionId) -> str:
    if found is None:
        return f"Subscription {number} is not known to HaloPSA any more."
    return f"{_describe(found)}, is {'deleted' if found.deleted else 'inactive'} in HaloPSA."


def _left_alone(found: Subscription | None, number: SubscriptionId) -> str:
    if found is None or not found.live:
        return f"Subscription {number} is given up; it bills nothing."
    return (
        f"Subscription {number} is given up: it stays as it is with quantity {_quantity(found)} until somebody ends "
        "it in HaloPSA."
    )


def _quantity(found: Subscription) -> str:
    return "?" if found.count is None else str(found.count)


def _hours(age: timedelta) -> str:
    hours = int(age / timedelta(hours=1))
    return "under an hour" if hours < 1 else f"{hours} h"
