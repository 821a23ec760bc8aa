"""state.json: what is remembered, as a frozen value, its one spelling as bytes, and the changes it permits.

The file is JSON with one line per key, sorted, so that `git diff` reads well. It is accepted only in exactly the
spelling that `encode` gives, checksum included: a file that was edited, cut or damaged is refused, never half-read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from reconciler.errors import StateConflict, StateError
from reconciler.model import (
    Attempt,
    Binding,
    BindingOrigin,
    HaloCustomerId,
    Json,
    MappingKey,
    Recorded,
    RunId,
    SubscriptionId,
    Tenant,
)

_TIMES = 256
"""So many spellings of times are remembered: one night binds a thousand Subscriptions at one moment."""

FORMAT = 1
STATE_FILE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The newest record known of a chain: in which file, its number and its hash."""

    file: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDocument:
    """Everything in state.json."""

    tenant: Tenant | None = None
    bindings: Mapping[MappingKey, Binding] = field(default_factory=dict)
    attempts: Mapping[MappingKey, Attempt] = field(default_factory=dict)
    given_up: Mapping[MappingKey, tuple[SubscriptionId, ...]] = field(default_factory=dict)
    last_good_run: datetime | None = None
    journal: ChainHead | None = None
    history: ChainHead | None = None

    def recorded(self, *, durable: bool) -> Recorded:
        """The part that plan and apply look at."""
        return Recorded(
            tenant=self.tenant,
            bindings=dict(self.bindings),
            attempts=dict(self.attempts),
            given_up=dict(self.given_up),
            last_good_run=self.last_good_run,
            durable=durable,
        )


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
                hint="One Subscription bills one mapping: see which of the two keys is right.",
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
    return replace(document, bindings=recorded, attempts=attempts, given_up=given_up)


def release_binding(document: StateDocument, key: MappingKey, *, give_up: bool) -> StateDocument:
    """Forget a key's binding and attempt; with `give_up` remember the old Subscription as given up."""
    bindings, attempts, given_up = dict(document.bindings), dict(document.attempts), dict(document.given_up)
    old = bindings.pop(key, None)
    attempts.pop(key, None)
    if give_up and old is not None:
        given_up[key] = tuple(sorted({*given_up.get(key, ()), old.subscription_id}))
    return replace(document, bindings=bindings, attempts=attempts, given_up=given_up)


def decide(
    document: StateDocument,
    key: MappingKey,
    *,
    bind: Binding | None,
    give_up: Sequence[SubscriptionId],
    take_from: Sequence[MappingKey],
    abandon: str | None,
) -> StateDocument:
    """A person's word about one key: bind it anew, end its binding, or forget its open attempt.

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
    bindings, given_up = dict(document.bindings), dict(document.given_up)
    bindings.pop(key, None)
    for other in take_from:
        if bind is not None and other in bindings and bindings[other].subscription_id == bind.subscription_id:
            del bindings[other]
    if give_up:
        given_up[key] = tuple(sorted({*given_up.get(key, ()), *give_up}))
    attempts = {other: attempt for other, attempt in document.attempts.items() if other != key}
    freed = replace(document, bindings=bindings, attempts=attempts, given_up=given_up)
    return freed if bind is None else add_bindings(freed, [bind])


# ---------------------------------------------------------------------------------------------------------------------
# Its spelling
# ---------------------------------------------------------------------------------------------------------------------


def encode(document: StateDocument) -> bytes:
    """The document's only spelling, its checksum in the last member."""
    body = _body(document)
    checksum = hashlib.sha256(body.encode("ascii")).hexdigest()
    return f'{body},\n"sha256": "{checksum}"\n}}\n'.encode("ascii")


def decode(content: bytes | None, *, place: str) -> StateDocument:
    """The document in `content`; None (no file) is the empty document. `place` names the file in messages.

    Raises `StateError` for a newer format and for anything that `encode` did not write.
    """
    if content is None:
        return StateDocument()
    try:
        document = _decode_object(json.loads(content.decode("ascii")), place)
        if encode(document) == content:
            return document
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise _damaged(place) from exc
    raise _damaged(place)


def format_time(moment: datetime) -> str:
    """A time as the state's files spell it: UTC, ISO 8601, with a Z."""
    return _spelled(moment.astimezone(UTC))


@lru_cache(maxsize=_TIMES)
def _spelled(moment: datetime) -> str:
    """Only in UTC: elsewhere two moments of the hour that a clock shows twice are equal."""
    return moment.isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=_TIMES)
def parse_time(text: str) -> datetime:
    """The time in `text`. Raises `ValueError` without a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


_SPELLING = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(", ", ": "))


def to_line(value: Json) -> str:
    """JSON on one line, members sorted, ASCII only; NaN and infinities raise `ValueError`."""
    return _SPELLING.encode(value)


def _damaged(place: str) -> StateError:
    return StateError(
        f"{place} is damaged or was edited by hand.",
        hint=(
            "Restore it from a backup or from git. Or move it away: bindings are found again by the markers on the "
            "Subscriptions; when a create was under way, first wait for settle_hours."
        ),
    )


def _body(document: StateDocument) -> str:
    last = document.last_good_run
    members = {
        "format": str(FORMAT),
        "tenant": to_line(_encode_tenant(document.tenant)),
        "last_good_run": to_line(None if last is None else format_time(last)),
        "journal": to_line(_encode_head(document.journal)),
        "history": to_line(_encode_head(document.history)),
        "bindings": _section({key: _spell_binding(value) for key, value in document.bindings.items()}),
        "attempts": _section({key: to_line(_encode_attempt(value)) for key, value in document.attempts.items()}),
        "given_up": _section({key: to_line(list(value)) for key, value in document.given_up.items()}),
    }
    return "{\n" + ",\n".join(f'"{name}": {value}' for name, value in members.items())


def _section(rows: Mapping[MappingKey, str]) -> str:
    lines = [f"{to_line(str(key))}: {rows[key]}" for key in sorted(rows)]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"


def _encode_head(head: ChainHead | None) -> Json:
    return None if head is None else {"file": head.file, "seq": head.seq, "hash": head.hash}


def _encode_tenant(tenant: Tenant | None) -> Json:
    if tenant is None:
        return None
    return {"halo_url": tenant.halo_url, "infima_partner": tenant.infima_partner}


def _spell_binding(binding: Binding) -> str:
    """As `to_line` would: there is one for each mapping, and the state is spelled several times a run."""
    counted = "null" if binding.last_counted is None else binding.last_counted
    return (
        f'{{"awaiting_first_count": {"true" if binding.awaiting_first_count else "false"}, '
        f'"bound_at": "{format_time(binding.bound_at)}", "customer_id": {binding.customer_id}, '
        f'"last_counted": {counted}, "origin": "{binding.origin.value}", '
        f'"subscription_id": {binding.subscription_id}}}'
    )


def _encode_attempt(attempt: Attempt) -> Json:
    return {
        "generation": attempt.generation,
        "run": attempt.run,
        "nonce": attempt.nonce,
        "customer_id": attempt.customer_id,
        "subscription_name": attempt.subscription_name,
        "recorded_at": format_time(attempt.recorded_at),
    }


def _decode_object(raw: Any, place: str) -> StateDocument:
    # Wrong types and missing members raise here or show as another spelling in `decode`; both mean damage.
    if type(raw["format"]) is int and raw["format"] > FORMAT:
        raise StateError(
            f"{place} has format {raw['format']}, and this version of reconciler knows {FORMAT}.",
            hint="Upgrade reconciler to the version that wrote it; an older one must not change it.",
        )
    tenant, last = raw["tenant"], raw["last_good_run"]
    return StateDocument(
        tenant=tenant and Tenant(halo_url=_text(tenant["halo_url"]), infima_partner=_text(tenant["infima_partner"])),
        bindings={MappingKey(key): _decode_binding(key, row) for key, row in raw["bindings"].items()},
        attempts={MappingKey(key): _decode_attempt(key, row) for key, row in raw["attempts"].items()},
        given_up={
            MappingKey(key): tuple(SubscriptionId(_whole(value)) for value in row)
            for key, row in raw["given_up"].items()
        },
        last_good_run=last and parse_time(last),
        journal=_decode_head(raw["journal"]),
        history=_decode_head(raw["history"]),
    )


def _decode_head(raw: Any) -> ChainHead | None:
    return raw and ChainHead(file=_text(raw["file"]), seq=_whole(raw["seq"]), hash=_text(raw["hash"]))


def _decode_binding(key: str, row: Any) -> Binding:
    return Binding(
        key=MappingKey(key),
        subscription_id=SubscriptionId(_whole(row["subscription_id"])),
        customer_id=HaloCustomerId(_whole(row["customer_id"])),
        origin=BindingOrigin(row["origin"]),
        bound_at=parse_time(row["bound_at"]),
        awaiting_first_count=_flag(row["awaiting_first_count"]),
        last_counted=None if row["last_counted"] is None else _whole(row["last_counted"]),
    )


def _decode_attempt(key: str, row: Any) -> Attempt:
    return Attempt(
        key=MappingKey(key),
        generation=_whole(row["generation"]),
        run=RunId(_text(row["run"])),
        nonce=_text(row["nonce"]),
        customer_id=HaloCustomerId(_whole(row["customer_id"])),
        subscription_name=_text(row["subscription_name"]),
        recorded_at=parse_time(row["recorded_at"]),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(value)
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(value)
    return value
