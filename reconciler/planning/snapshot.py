"""An observation with what was recorded, as a file: an honest plan without any credentials ("as of last night").

It holds ids, names, counts and unit prices, and nothing of any user: raw rows, notes, addresses and the like stay out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from reconciler.errors import PlanFileError
from reconciler.model import (
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Json,
    Observation,
    Recorded,
    Subscription,
    SubscriptionId,
    Tenant,
    UnreadableUsers,
    UserCount,
)
from reconciler.state.document import StateDocument
from reconciler.state.document import decode as decode_state
from reconciler.state.document import encode as encode_state

FORMAT = "reconciler-snapshot/1"
MAX_SNAPSHOT_BYTES = 100_000_000
MAKE_ANOTHER = "Make a new one with: reconciler plan --save-snapshot FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a plan is made from, besides mappings.yaml."""

    observation: Observation
    recorded: Recorded


def dump_snapshot(snapshot: Snapshot) -> str:
    """The snapshot as JSON: the same snapshot gives the same text."""
    seen, recorded = snapshot.observation, snapshot.recorded
    state = StateDocument(
        tenant=recorded.tenant,
        bindings=recorded.bindings,
        attempts=recorded.attempts,
        given_up=recorded.given_up,
        last_good_run=recorded.last_good_run,
    )
    document: dict[str, Json] = {
        "format": FORMAT,
        "taken_at": seen.taken_at.astimezone(UTC).isoformat(),
        "halo_url": seen.tenant.halo_url,
        "infima_partner": seen.tenant.infima_partner,
        "clients": [[c.id, c.name, c.user_count, c.inactive_user_count] for c in seen.clients],
        "user_counts": [_count_row(u) for u in seen.user_counts],
        "customers": [[c.id, c.name, c.inactive, c.currency] for c in seen.customers],
        "subscriptions": [
            [
                *(s.id, s.customer_id, s.name, s.count, s.type, s.is_active, s.deleted, s.marker),
                s.last_day.isoformat() if s.last_day else None,
                None if s.unit_price is None else f"{s.unit_price:f}",
            ]
            for s in seen.subscriptions
        ],
        "durable": recorded.durable,
        "state": encode_state(state).decode(),
    }
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def _count_row(counted: UserCount | UnreadableUsers) -> list[Json]:
    if isinstance(counted, UserCount):
        known: list[Json] = [counted.client_id, counted.active, counted.listed]
        return [*known, counted.without_status] if counted.without_status else known
    return [counted.client_id, counted.reason]


def read_snapshot(data: bytes) -> Snapshot:
    """The snapshot in these bytes. Raises `PlanFileError` for anything that is not exactly one."""
    if len(data) > MAX_SNAPSHOT_BYTES:
        raise PlanFileError("The snapshot is too large.", hint=MAKE_ANOTHER)
    try:
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise PlanFileError("The file is not a snapshot of this version.", hint=MAKE_ANOTHER)
        return Snapshot(observation=_observation(document), recorded=_recorded(document))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PlanFileError(f"The snapshot cannot be read: {error}.", hint=MAKE_ANOTHER) from error


def _observation(document: Mapping[str, Any]) -> Observation:
    taken_at = datetime.fromisoformat(document["taken_at"])
    if taken_at.tzinfo is None:
        raise ValueError("taken_at has no time zone")
    return Observation(
        taken_at=taken_at,
        tenant=Tenant(halo_url=_text(document["halo_url"]), infima_partner=_text(document["infima_partner"])),
        clients=tuple(
            InfimaClient(
                id=InfimaClientId(_whole(number)), name=_text(name), user_count=_count(users),
                inactive_user_count=_count(inactive),
            )
            for number, name, users, inactive in document["clients"]
        ),
        user_counts=tuple(_user_count(row) for row in document["user_counts"]),
        customers=tuple(
            HaloCustomer(
                id=HaloCustomerId(_whole(number)), name=_text(name), inactive=_flag(inactive),
                currency=_text(currency[0]) if currency and currency[0] is not None else None,
            )
            for number, name, inactive, *currency in document["customers"]
        ),
        subscriptions=tuple(_subscription(*row) for row in document["subscriptions"]),
    )  # fmt: skip


def _user_count(row: list[Any]) -> UserCount | UnreadableUsers:
    client = InfimaClientId(_whole(row[0]))
    if isinstance(row[1], str):
        return UnreadableUsers(client_id=client, reason=row[1])
    without = _whole(row[3]) if len(row) > 3 else 0  # noqa: PLR2004 - written only where there is something to say
    return UserCount(client_id=client, active=_whole(row[1]), listed=_whole(row[2]), without_status=without)


def _subscription(  # noqa: PLR0917 - one row of the file, in its order
    number: object,
    customer: object,
    name: object,
    count: object,
    kind: object,
    is_active: object,
    deleted: object,
    marker: object,
    last_day: object = None,
    unit_price: object = None,
) -> Subscription:
    return Subscription(
        id=SubscriptionId(_whole(number)),
        customer_id=None if customer is None else HaloCustomerId(_whole(customer, least=-1)),
        name=_text(name),
        count=_count(count),
        type=_whole(kind),
        is_active=_flag(is_active),
        deleted=_flag(deleted),
        marker=None if marker is None else _text(marker),
        last_day=None if last_day is None else date.fromisoformat(_text(last_day)),
        unit_price=None if unit_price is None else _price(_text(unit_price)),
    )


def _recorded(document: Mapping[str, Any]) -> Recorded:
    state = decode_state(_text(document["state"]).encode(), place="the snapshot's state")
    return state.recorded(durable=_flag(document["durable"]))


def _price(text: str) -> Decimal:
    if not _PRICE.fullmatch(text):
        raise ValueError(f"a price is wanted, not {text!r}")
    return Decimal(text)


_PRICE = re.compile(r"[0-9]{1,8}(\.[0-9]{1,4})?")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is wanted, not {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is wanted, not {value!r}")
    return value


def _count(value: object) -> int | None:
    return None if value is None else _whole(value)


def _whole(value: object, *, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise TypeError(f"a whole number is wanted, not {value!r}")
    return value
