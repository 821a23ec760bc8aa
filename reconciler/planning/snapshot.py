"""An observation with what was recorded, as a file: an honest plan without any credentials ("as of last night").

It holds ids, names, counts and unit prices, and nothing of any user: raw rows, notes, addresses and the like stay out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.errors import PlanFileError
from reconciler.model import HaloCustomer, InfimaClient, Observation, Subscription, Tenant, UnreadableUsers, UserCount
from reconciler.state.document import StateDocument
from reconciler.state.document import decode as decode_state
from reconciler.state.document import encode as encode_state
from reconciler.state.recorded import Recorded
from reconciler.state.spelling import convert, read_tree, require_whole_numbers, to_line

FORMAT = "reconciler-snapshot/2"
MAX_SNAPSHOT_BYTES = 100_000_000
MAKE_ANOTHER = "Make a new one with: reconciler plan --save-snapshot FILE"
_NO_CUSTOMER = -1
_PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a plan is made from, besides mappings.yaml."""

    observation: Observation
    recorded: Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class _Members:
    """The file's members. `state` is a whole state.json, checksum included."""

    format: str
    taken_at: datetime
    tenant: Tenant
    clients: tuple[InfimaClient, ...]
    user_counts: tuple[UserCount, ...]
    unreadable: tuple[UnreadableUsers, ...]
    customers: tuple[HaloCustomer, ...]
    subscriptions: tuple[Subscription, ...]
    durable: bool
    state: str


def dump_snapshot(snapshot: Snapshot) -> str:
    """The snapshot as JSON: the same snapshot gives the same text."""
    seen, recorded = snapshot.observation, snapshot.recorded
    members = _Members(
        format=FORMAT,
        taken_at=seen.taken_at,
        tenant=seen.tenant,
        clients=seen.clients,
        user_counts=tuple(one for one in seen.user_counts if isinstance(one, UserCount)),
        unreadable=tuple(one for one in seen.user_counts if isinstance(one, UnreadableUsers)),
        customers=seen.customers,
        subscriptions=tuple(replace(one, raw={}) for one in seen.subscriptions),
        durable=recorded.durable,
        state=encode_state(StateDocument.of(recorded)).decode(),
    )
    return to_line(members) + "\n"


def read_snapshot(data: bytes) -> Snapshot:
    """The snapshot in these bytes. Raises `PlanFileError` for anything that `dump_snapshot` did not write."""
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise PlanFileError("The snapshot is too large.", hint=MAKE_ANOTHER)
    try:
        tree = read_tree(data)
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise PlanFileError("The file is not a snapshot of this version.", hint=MAKE_ANOTHER)
        require_whole_numbers(tree, least={"customer_id": _NO_CUSTOMER})
        snapshot = _snapshot(convert(tree, _Members))
        untouched = dump_snapshot(snapshot).encode() == data
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"The snapshot cannot be read: {error}.", hint=MAKE_ANOTHER) from error
    if not untouched:
        raise PlanFileError(
            "The snapshot cannot be read: it was edited, or another version of reconciler wrote it.", hint=MAKE_ANOTHER
        )
    return snapshot


def _snapshot(members: _Members) -> Snapshot:
    for one in members.subscriptions:
        if one.unit_price is not None and not _PRICE.fullmatch(f"{one.unit_price:f}"):
            raise ValueError(f"{one.unit_price} is no price")
    counts: list[UserCount | UnreadableUsers] = [*members.user_counts, *members.unreadable]
    counts.sort(key=lambda one: one.client_id)
    state = decode_state(members.state.encode(), place="the snapshot's state")
    return Snapshot(
        observation=Observation(
            taken_at=members.taken_at,
            tenant=members.tenant,
            clients=members.clients,
            user_counts=tuple(counts),
            customers=members.customers,
            subscriptions=members.subscriptions,
        ),
        recorded=state.recorded(durable=members.durable),
    )
