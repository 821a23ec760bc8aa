"""state.json: what is remembered, as a frozen value, its one spelling as bytes, and the changes it permits.

The file is JSON with one line per key, sorted, so that `git diff` reads well. It is accepted only in exactly the
spelling that `encode` gives, checksum included: a file that was edited, cut or damaged is refused, never half-read.

To remember something more, add a member with a default to `Remembered`, `Binding` or `Attempt` (`state/recorded.py`):
a member at its default is not spelled, so files from before it are read as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from reconciler.errors import StateConflict, StateError
from reconciler.model import MAX_COUNT, MappingKey, SubscriptionId, Tenant
from reconciler.moments import spelled
from reconciler.state.recorded import (
    Attempt,
    Binding,
    Falls,
    Outlook,
    Recorded,
    Remembered,
)
from reconciler.state.spelling import convert, plain, plain_line, read_tree, require_whole_numbers

FORMAT = 2
"""Format 1 spelled every member, defaults too. It is read, and written anew at the next record."""

STATE_FILE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The newest record known of a chain: in which file, its number and its hash."""

    file: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDocument(Remembered):
    """Everything in state.json. One with `moved_to` is a note that the state lives elsewhere."""

    journal: ChainHead | None = None
    history: ChainHead | None = None
    moved_to: str = ""
    moved_at: datetime | None = None

    def recorded(self, *, durable: bool) -> Recorded:
        """The part that plan and apply look at."""
        return Recorded(durable=durable, **{name: getattr(self, name) for name in _SHARED})

    @classmethod
    def of(cls, recorded: Recorded) -> StateDocument:
        """The document that says what `recorded` says, without the ends of the chains."""
        return cls(**{name: getattr(recorded, name) for name in _SHARED})


_SHARED = tuple(each.name for each in fields(Remembered))


# ---------------------------------------------------------------------------------------------------------------------
# The changes it permits
# ---------------------------------------------------------------------------------------------------------------------


def grant_attempts(
    document: StateDocument, attempts: Sequence[Attempt], replacing: Mapping[MappingKey, str]
) -> tuple[StateDocument, frozenset[MappingKey]]:
    """Record the attempts whose key is free; return the document and the granted keys.

    A key is free without a binding and without an open attempt, or when `replacing` names the open one's nonce.
    """
    recorded = dict(document.attempts)
    granted: set[MappingKey] = set()
    for attempt in attempts:
        key = attempt.key
        standing = document.attempts.get(key)
        free = standing is None or standing.nonce == replacing.get(key)
        if free and key not in granted and key not in document.bindings:
            recorded[key] = attempt
            granted.add(key)
    return replace(document, attempts=recorded), frozenset(granted)


def settle_attempts(document: StateDocument, nonces: Mapping[MappingKey, str]) -> StateDocument:
    """Remove the attempts that stand under exactly these nonces."""
    left = {key: attempt for key, attempt in document.attempts.items() if nonces.get(key) != attempt.nonce}
    return replace(document, attempts=left)


def name_attempts(document: StateDocument, named: Mapping[MappingKey, SubscriptionId]) -> StateDocument:
    """Keep with these attempts the ids that the answers to their creates named."""
    known = {
        key: replace(document.attempts[key], named_id=number)
        for key, number in named.items()
        if key in document.attempts
    }
    return replace(document, attempts={**document.attempts, **known})


def add_bindings(document: StateDocument, bindings: Sequence[Binding]) -> StateDocument:
    """Record bindings and close their attempts. Raises `StateConflict` where a key or a Subscription is taken."""
    recorded, attempts, given_up = dict(document.bindings), dict(document.attempts), dict(document.given_up)
    owners = {binding.subscription_id: key for key, binding in recorded.items()}
    for binding in bindings:
        key, subscription = binding.key, binding.subscription_id
        if key in recorded and recorded[key].subscription_id != subscription:
            raise StateConflict(
                f"{key} is bound to Subscription {recorded[key].subscription_id}, so it cannot be bound to "
                f"{subscription}.",
                hint=f"Look at both in HaloPSA; `reconciler explain {key}` tells what is recorded.",
            )
        if owners.get(subscription, key) != key:
            raise StateConflict(
                f"Subscription {subscription} is bound to {owners[subscription]}, so {key} cannot have it too.",
                hint="One Subscription belongs to one mapping: see which of the two keys is right.",
            )
        # Who found it by its marker while another run was creating it cannot know that its first count is still due.
        attempted, standing = attempts.pop(key, None), recorded.get(key)
        due = attempted or (standing and standing.awaiting_first_count and standing.bound_at != binding.bound_at)
        counted = binding.last_counted is not None
        recorded[key] = replace(binding, awaiting_first_count=True) if due and not counted else binding
        owners[subscription] = key
        # A person who adopts what was given up before takes that word back.
        left = tuple(id_ for id_ in given_up.pop(key, ()) if id_ != subscription)
        if left:
            given_up[key] = left
    bound = replace(document, bindings=recorded, attempts=attempts, given_up=given_up)
    return note_loss(bound, undecided=(), decided=[binding.key for binding in bindings])


def note_loss(
    document: StateDocument, *, undecided: Sequence[MappingKey], decided: Sequence[MappingKey]
) -> StateDocument:
    """Remember of which mappings a lost state leaves open whether they had a Subscription, until that is decided."""
    return replace(
        document,
        undecided=document.undecided.union(undecided).difference(decided),
        never_bound=document.never_bound.difference(decided),
    )


def meet_systems(document: StateDocument, tenant: Tenant, never_bound: Sequence[MappingKey]) -> StateDocument:
    """Remember which two systems this state belongs to; a new one also notes the mappings that it meets unbound.

    A state that was lost and one that never was look the same: only these mappings may have had a Subscription before.
    """
    met = frozenset(never_bound) if document.tenant is None else document.never_bound
    return replace(document, tenant=tenant, never_bound=met)


def forget_quantities(document: StateDocument, keys: Collection[MappingKey]) -> StateDocument:
    """No quantity is remembered for these: what shows there may be the write of a run that was cut off."""
    unsure = {key: replace(row, last_quantity=None) for key, row in document.bindings.items() if key in keys}
    return replace(document, bindings={**document.bindings, **unsure})


def remember_falls(document: StateDocument, falls: Falls) -> StateDocument:
    """Note the nights in a row that have counted a fall; without any, what was noted of that mapping is forgotten."""
    noted = {**document.falls, **falls}
    return replace(document, falls={key: nights for key, nights in noted.items() if nights})


def decide(
    document: StateDocument,
    key: MappingKey,
    *,
    bind: Binding | None,
    give_up: Sequence[SubscriptionId],
    take_from: Sequence[MappingKey],
    abandon: str | None,
) -> StateDocument:
    """A person's decision about one key: bind it anew, end its binding, or forget its open attempt.

    Raises `StateConflict` when the attempt is another one by now, or the Subscription is another key's.
    """
    if abandon is not None:
        standing = document.attempts.get(key)
        if standing is None or standing.nonce != abandon:
            raise StateConflict(
                f"The create of {key} is not the one that was looked at any more.",
                hint="Somebody else was faster. Look again, and decide anew.",
            )
        return settle_attempts(document, {key: abandon})
    wanted = bind and bind.subscription_id
    bindings = {
        other: row
        for other, row in document.bindings.items()
        if other != key and not (other in take_from and row.subscription_id == wanted)
    }
    given_up = dict(document.given_up)
    if give_up:
        given_up[key] = tuple(sorted({*given_up.get(key, ()), *give_up}))
    attempts = {other: attempt for other, attempt in document.attempts.items() if other != key}
    freed = replace(document, bindings=bindings, attempts=attempts, given_up=given_up)
    freed = note_loss(freed, undecided=(), decided=[key])
    return freed if bind is None else add_bindings(freed, [bind])


def look_ahead(document: StateDocument, outlook: Outlook) -> StateDocument:
    """Remember what waits for a person and what was seen of recurring invoices; looks of keys without binding end."""
    bound = {key: seen for key, seen in outlook.looks.items() if key in document.bindings}
    return document.with_outlook(replace(outlook, looks=bound))


def refuse_moved(document: StateDocument, location: str) -> None:
    """Raise `StateError` for a state that was moved away."""
    if document.moved_to:
        when = "" if document.moved_at is None else f" on {spelled(document.moved_at, UTC)}"
        raise StateError(
            f"The state at {location} was moved to {document.moved_to}{when} and is not used any more.",
            hint=f"Use --state {document.moved_to}, or set RECONCILER_STATE to it, in CI as well.",
        )


def refuse_other_use(kind: str, name: str, others: Collection[str]) -> None:
    """Raise `StateError` for a place (`kind`: branch or directory) without state.json that holds `others`' files."""
    if others:
        raise StateError(
            f"The {kind} {name} has no {STATE_FILE} and holds other files, for example {min(others)}: it is no state "
            f"{kind}.",
            hint=f"Name a {kind} that is used for nothing else, for example {_FOR_EXAMPLE[kind]}.",
        )


_FOR_EXAMPLE = {"branch": "git:reconciler-state", "directory": "directory:.reconciler"}


# ---------------------------------------------------------------------------------------------------------------------
# Its spelling
# ---------------------------------------------------------------------------------------------------------------------


def encode(document: StateDocument) -> bytes:
    """The document's only spelling, its checksum in the last member."""
    return _lines({"format": FORMAT, **_members(document)})


def decode(content: bytes | None, *, place: str) -> StateDocument:
    """The document in `content`; None (no file) is the empty document. `place` names the file in messages.

    Raises `StateError` for a newer format and for anything that `encode` did not write, in this format or the first.
    """
    if content is None:
        return StateDocument()
    try:
        tree = read_tree(content)
        stated = tree.pop("format")
        if type(stated) is int and stated > FORMAT:
            raise StateError(
                f"{place} has format {stated}, and this version of reconciler knows {FORMAT}.", hint=_UPGRADE
            )
        document = _document(tree)
        if encode(document) == content:
            return document
        unspoilt = _lines({"format": stated, **tree}) == content  # duplicate members are lost on the way, and show
        if unspoilt and stated == 1 and _without_defaults(tree) == _members(document):
            return document
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise _damaged(place) from exc
    if unspoilt and stated == FORMAT:
        raise StateError(
            f"{place} is whole, but holds something that this version of reconciler does not write.",
            hint=(
                f"{_UPGRADE} If there is no newer version, it was edited by hand: restore it from a backup or from git."
            ),
        )
    raise _damaged(place)


_UPGRADE = "Upgrade reconciler to the version that wrote it; an older one must not change it."


def _damaged(place: str) -> StateError:
    return StateError(
        f"{place} is damaged or was edited by hand.",
        hint=(
            "Restore it from a backup or from git. Or move it away: what carries a marker or stands in mappings.yaml "
            "with its subscription_id is found again, every other create is held until it is decided (reconciler "
            "explain state-lost); when a create was under way, first wait for settle_hours."
        ),
    )


_SECTIONS = frozenset(each.name for each in fields(StateDocument) if each.default_factory is dict)
_NAMED_BY_THEIR_KEY = ("bindings", "attempts")
"""The sections whose rows are spelled without their key: it stands before them."""


def _members(document: StateDocument) -> dict[str, Any]:
    """The document in plain values, as `_lines` spells them."""
    members: dict[str, Any] = plain(document)
    for section in _NAMED_BY_THEIR_KEY:
        for key, row in members.get(section, {}).items():
            if row.pop("key") != key:
                raise ValueError(f"{section}: {key} stands before another key's row")
    return members


def _document(tree: Mapping[str, Any]) -> StateDocument:
    require_whole_numbers(tree, least={"invoices": -MAX_COUNT})
    keyed = {
        section: {key: {**row, "key": key} for key, row in tree[section].items()}
        for section in _NAMED_BY_THEIR_KEY
        if section in tree
    }
    return convert({**tree, **keyed}, StateDocument)


def _lines(members: Mapping[str, Any]) -> bytes:
    """One line for each member, in a section one for each key, and the checksum of all that."""
    body = "{\n" + ",\n".join(
        f'"{name}": {_member(name, value)}' for name, value in members.items() if name != "sha256"
    )
    checksum = hashlib.sha256(body.encode("ascii")).hexdigest()
    return f'{body},\n"sha256": "{checksum}"\n}}\n'.encode("ascii")


def _member(name: str, value: Any) -> str:
    """A section and a list have a line for each row."""
    if name in _SECTIONS and value:
        return "{\n" + ",\n".join(f"{plain_line(key)}: {plain_line(value[key])}" for key in sorted(value)) + "\n}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(plain_line(row) for row in value) + "\n]"
    return plain_line(value)


def _without_defaults(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The members of format 1 as format 2 has them; null, false and nothing were the defaults."""
    members = {name: _without_defaults(value) if isinstance(value, dict) else value for name, value in tree.items()}
    return {
        name: item
        for name, item in members.items()
        if name != "sha256" and item is not None and item is not False and item != {}
    }
