"""What waits for a person, in the one JSON form that every drawing takes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

import msgspec

from reconciler.model import Need
from reconciler.plan_document.layout import NeedJson


def needs_json(needs: Iterable[Need]) -> list[NeedJson]:
    """What waits for a person, in the form that every drawing takes."""
    return [
        {
            "kind": need.kind.value,
            "id": need.id,
            "key": need.key,
            "who": need.who,
            "what": need.what,
            "step": need.step,
            "rule": need.rule,
            "since": need.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "next_invoice": need.next_invoice.isoformat() if need.next_invoice else None,
            "users": need.users,
            "customer_id": need.customer_id,
            "subscription_id": need.subscription_id,
        }
        for need in needs
    ]


def needs_in(value: object) -> tuple[NeedJson, ...]:
    """The needs that a document of another run holds; none where they are not of this layout."""
    try:
        return tuple(msgspec.convert(value, type=list[NeedJson]))
    except msgspec.ValidationError:
        return ()
