"""What keeps a second Subscription from being made: one that is there already, a second mapping, a lost state.

Names only ever hold a create here; which Subscription is whose is decided by ids (`identity`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile

from reconciler.model import Mapping, MappingKey, Subscription
from reconciler.names import resembles, same_name
from reconciler.planning.index import Index
from reconciler.planning.rules import Doubt, Rule, adopt_command, allow_command, move_command
from reconciler.state.recorded import BindingOrigin, Recorded


def unowned(mapping: Mapping, index: Index) -> tuple[Subscription, ...]:
    """The Subscriptions of the mapping's customer that no mapping of the file has, live ones first."""
    rows = (
        row
        for row in index.by_customer.get(mapping.halo_customer.id, ())
        if row.is_subscription and not index.owners(row.id)
    )
    return tuple(sorted(rows, key=lambda row: (not row.live, row.id)))


def candidates(mapping: Mapping, index: Index, recorded: Recorded) -> tuple[Subscription, ...]:
    """Those of them that may be meant: of the same name, live or not, or live and like the template (DESIGN 7).

    A live one that the state has under a key which left the file may be meant whatever its name: keys get renamed.
    What a person gave up for this mapping is not among them.
    """
    given_up = recorded.given_up.get(mapping.key, ())
    return tuple(
        row
        for row in unowned(mapping, index)
        if row.id not in given_up
        and (
            same_name(row.name, mapping.subscription_name)
            or (row.live and (row.id in index.claims or resembles(row.name, mapping.subscription_name)))
        )
    )


def namesakes(mapping: Mapping, found: Iterable[Subscription]) -> tuple[Subscription, ...]:
    """Those that have the name that a new Subscription would get."""
    return tuple(row for row in found if same_name(row.name, mapping.subscription_name))


def twin_doubts(mapping: Mapping, index: Index, recorded: Recorded) -> tuple[Doubt, ...]:
    """Why a new Subscription for this mapping may be a second one."""
    found = candidates(mapping, index, recorded)
    doubts = [_state_lost(mapping, index, recorded.location)] if is_undecided(mapping, index, recorded) else []
    if same := namesakes(mapping, found):
        doubts.append(_same_name(mapping, same, _former_keys(same, index)))
    elif found:
        doubts.append(_resembles(mapping, found, _former_keys(found, index)))
    if not same and (sibling := _sibling(mapping, index)) is not None:
        doubts.append(_second_mapping(mapping, *sibling))
    return tuple(doubts)


def _former_keys(rows: Iterable[Subscription], index: Index) -> set[MappingKey]:
    """The keys that left the file under which the state or a marker has these rows."""
    return {key for row in rows for key in index.claims.get(row.id, ())}


def is_undecided(mapping: Mapping, index: Index, recorded: Recorded) -> bool:
    """True where the state may have forgotten this mapping's Subscription, and nobody has said yet that it has none."""
    return bool(index.forgotten) or not known_keys(mapping, index.keys).isdisjoint(recorded.undecided)


def known_keys(mapping: Mapping, keys: Collection[MappingKey]) -> set[MappingKey]:
    """The mapping's key, and those that its clients had by default while no other mapping of the file has them.

    What was in doubt under a key is in doubt under the one that it got since.
    """
    usual = {MappingKey(f"infima-{client.id}") for client in mapping.infima_clients}
    return {mapping.key, *usual.difference(keys)}


def counts_were_lost(index: Index, recorded: Recorded) -> bool:
    """True where the state was lost and no count of an earlier night is remembered for any mapping of the file.

    What the first run after a loss bound by its marker, and did not come to confirm, is no memory either.
    """
    bound = [binding for key, binding in recorded.bindings.items() if key in index.keys]
    found_again = any(binding.origin is BindingOrigin.MARKER for binding in bound)
    lost = bool(index.forgotten) or bool(recorded.undecided) or found_again
    return lost and all(binding.last_counted is None for binding in bound)


def new_state(recorded: Recorded, unbound: Sequence[MappingKey]) -> str:
    """Words about a state that knows too little; empty where it is new neither as a whole nor for any of `unbound`.

    A first run is nothing to worry about; a mistyped --state and a lost one look the same. It is said until the state
    knows the Subscriptions of the mappings that it met when it was new: a night that was refused or held everything,
    and a decision by hand, have not told it of them.
    """
    where = f"the state in {recorded.location} is new"
    if recorded.is_new:
        return f"{where}: nothing is remembered there yet. If there is one already, name it with --state"
    if recorded.untried:
        return f"{where}: no run has written with it yet. If there is one already, name it with --state"
    if not unbound:
        return ""
    more = f" and {len(unbound) - _LISTED} more" if len(unbound) > _LISTED else ""
    return (
        f"{where} for {', '.join(unbound[:_LISTED])}{more}: it has known no Subscription of theirs yet. If another "
        "state does, name it with --state"
    )


def given_up_perhaps(mapping: Mapping, hits: Sequence[Subscription], index: Index, recorded: Recorded) -> Doubt | None:
    """After a loss the marker alone may name a Subscription that a person had given up for another one.

    Two things speak of it: a later one with the same marker that is over by now, or another one at the customer that
    nobody owns and that may be meant.
    """
    if mapping.retired or mapping.key in recorded.attempts:
        return None
    marked = next(row for row in hits if row.live)
    later = [row for row in hits if row.id > marked.id]
    others = [row for row in candidates(mapping, index, recorded) if row.live]
    if not later and not others:
        return None
    return Doubt(
        rule=Rule.STATE_LOST,
        message=(
            f"Subscription {marked.id} ({marked.name}) carries the marker {mapping.key} and the state does not know "
            f"it; {mapping.halo_customer.name} also has {with_quantities(later or others)}, so {marked.id} may have "
            "been given up for that one before the state was lost"
        ),
        remedy=(
            f"name the right state with --state; or say which is billed: {adopt_command(mapping.key, marked.id)}; or "
            f"{adopt_command(mapping.key, (later or others)[0].id)}"
        ),
    )


def _sibling(mapping: Mapping, index: Index) -> tuple[Mapping, Subscription | None] | None:
    """Another mapping whose Subscription at the same customer has, or gets, the same name.

    The other may name another customer by now: then it is held as moved, and its Subscription still bills this one.
    Where the file gives both the same name, it does not matter what people called the first one in HaloPSA. Of two that
    are both new only the later one in the file is held: the first is no twin until the second is made.
    """
    here = [row for row in index.by_customer.get(mapping.halo_customer.id, ()) if row.is_subscription and row.live]
    for row in here:
        for key in sorted((index.owners(row.id) & index.billing.keys()) - {mapping.key}):
            other = index.billing[key]
            named = same_name(row.name, mapping.subscription_name)
            if named or (other.subscription_id is None and _same_in_file(other, mapping)):
                return other, row
    siblings = index.siblings.get(mapping.halo_customer.id, ())
    claiming = {key for keys in index.claims.values() for key in keys} if len(siblings) > 1 else set()
    for other in takewhile(lambda sibling: sibling.key != mapping.key, siblings):
        if other.key not in claiming and _same_in_file(other, mapping):
            return other, None
    return None


def _same_in_file(one: Mapping, other: Mapping) -> bool:
    return same_name(one.subscription_name, other.subscription_name)


def _state_lost(mapping: Mapping, index: Index, location: str) -> Doubt:
    ids = ", ".join(str(number) for number in index.forgotten[:_LISTED])
    more = f" and {len(index.forgotten) - _LISTED} more" if len(index.forgotten) > _LISTED else ""
    where = f" in {location}" if location else ""
    seen = (
        f"Subscriptions with markers of this file stand in HaloPSA ({ids}{more}), and the state{where} does not know "
        "them"
        if index.forgotten
        else "the state was lost, and it is not decided yet whether this mapping had a Subscription"
    )
    return Doubt(
        rule=Rule.STATE_LOST,
        message=f"{seen}: this mapping may have one without a marker, and a second one would bill twice",
        remedy=(
            "name the right state with --state; or bring it here from where it is, with its own place as --state: "
            f"{move_command()}; or, when {mapping.halo_customer.name} has none for this mapping yet, "
            f"run: {allow_command(mapping.key, Rule.STATE_LOST)}; if it has one: {adopt_command(mapping.key)}"
        ),
    )


_LISTED = 5


def _same_name(mapping: Mapping, found: Sequence[Subscription], former: set[MappingKey]) -> Doubt:
    """A namesake whose own key left the file most likely is this mapping's, and the key was renamed (FAULTS CF10)."""
    return Doubt(
        rule=Rule.SAME_NAME,
        message=(
            f"{mapping.halo_customer.name} already has a Subscription named {mapping.subscription_name!r}: "
            f"{with_quantities(found)}"
        ),
        remedy=(
            f"{_adopting(mapping, found[0], former)}; if it is another, run: "
            f"{allow_command(mapping.key, Rule.SAME_NAME)}"
        ),
    )


def _resembles(mapping: Mapping, found: Sequence[Subscription], former: set[MappingKey]) -> Doubt:
    names = ", ".join(f"{row.id} {row.name!r} ({_quantity(row)})" for row in found)
    return Doubt(
        rule=Rule.RESEMBLES,
        message=(
            f"{mapping.halo_customer.name} already has what may be this Subscription under another name: {names}; "
            "a second one would bill twice"
        ),
        remedy=(
            f"{_adopting(mapping, found[0], former)}; if it is something else, run: "
            f"{allow_command(mapping.key, Rule.RESEMBLES)}"
        ),
    )


def _adopting(mapping: Mapping, row: Subscription, former: set[MappingKey]) -> str:
    if former:
        keys = ", ".join(sorted(former))
        return f"it was billed under the key {keys}, which mappings.yaml no longer has: write that key back"
    if row.live:
        return f"if that is the one, write subscription_id: {row.id}, or run: {adopt_command(mapping.key, row.id)}"
    return f"if that is the one, restore it in HaloPSA, then run: {adopt_command(mapping.key, row.id)}"


def _second_mapping(mapping: Mapping, other: Mapping, row: Subscription | None) -> Doubt:
    called = "" if row is None or same_name(row.name, mapping.subscription_name) else f" {row.name!r}"
    has = f"has Subscription {row.id}{called} ({_quantity(row)})" if row is not None else "gets one, too"
    if other.halo_customer.id == mapping.halo_customer.id:
        remedy = f"to bill them as one, write both clients into infima_clients of {other.key} and delete this mapping"
    else:
        has = f"names customer {other.halo_customer.id} ({other.halo_customer.name}) by now, and {has}"
        remedy = f"if the ids were swapped, correct halo_customer of {other.key} and of {mapping.key} in mappings.yaml"
    return Doubt(
        rule=Rule.SAME_NAME,
        message=(
            f"{mapping.halo_customer.name} is billed through the mapping {other.key} ({other.place}) already, which "
            f"{has}; a second one named {mapping.subscription_name!r} may bill it twice"
        ),
        remedy=(f"{remedy}; if the customer is to have two, run: {allow_command(mapping.key, Rule.SAME_NAME)}"),
    )


def with_quantities(found: Iterable[Subscription]) -> str:
    """Ids with what they bill, as one piece of a sentence."""
    return ", ".join(f"{row.id} ({_quantity(row)})" for row in found)


def _quantity(row: Subscription) -> str:
    state = "" if row.live else "deleted, " if row.deleted else "inactive, "
    return f"{state}quantity {'?' if row.count is None else row.count}"
