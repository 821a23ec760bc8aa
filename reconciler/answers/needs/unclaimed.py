"""Needs about what no mapping claims: unmapped INFIMA clients, unmanaged Subscriptions."""

from __future__ import annotations

from reconciler.answers.needs.given import NeedInput
from reconciler.answers.needs.words import as_step
from reconciler.model import Need, NeedKind
from reconciler.planning.changes import Plan, UnmanagedSubscription, UnmappedClient
from reconciler.planning.index import DEFAULT_KEY


def unmapped(client: UnmappedClient, given: NeedInput) -> Need:
    """An INFIMA client that is neither mapped nor ignored."""
    users = "" if client.user_count is None else f" ({client.user_count} users)"
    return Need(
        kind=NeedKind.UNMAPPED,
        id=f"{NeedKind.UNMAPPED}:{client.id}",
        key="",
        who=f"{client.name} (INFIMA client {client.id})",
        what=f"Neither mapped nor ignored{users}: no mapping counts it.",
        step=f"reconciler map {client.id}",
        since=given.now,
        users=client.user_count or 0,
    )


def unmanaged(left: UnmanagedSubscription, plan: Plan, given: NeedInput) -> Need:
    """A Subscription of ours that no mapping claims any more and that still has a quantity."""
    count = "an unknown quantity" if left.count is None else f"the quantity {left.count}"
    customer = left.customer_name or f"customer {left.customer_id}"
    return Need(
        kind=NeedKind.UNMANAGED,
        id=f"{NeedKind.UNMANAGED}:{left.id}",
        key="",
        who=f"{customer}, once {left.key}",
        what=f"Subscription {left.id} ({left.name}) is claimed by no mapping any more and still has {count}.",
        step=as_step(_write_back(left, plan)),
        since=given.now,
        customer_id=left.customer_id,
        subscription_id=left.id,
        users=left.count or 0,
    )


def _write_back(left: UnmanagedSubscription, plan: Plan) -> str:
    """A retired mapping as a line that can be pasted, where its client can be told from the key."""
    by_hand = f"set the quantity of Subscription {left.id} to 0 in HaloPSA by hand"
    if any(change.key == left.key for change in plan.every_change):
        return f"the mapping {left.key} has given it up: {by_hand}, or end it there"
    if not DEFAULT_KEY.fullmatch(left.key) or left.customer_id is None:
        return f"write the mapping back with retired: true, or {by_hand}"
    client = int(left.key.removeprefix("infima-"))
    names = [one.name for one in plan.unmapped if one.id == client]
    name, customer = (_yaml_text(text) for text in (names[0] if names else left.customer_name, left.customer_name))
    return (
        f"to bring it to 0, write under mappings: - {{infima_client: {{id: {client}, name: {name}}}, halo_customer: "
        f"{{id: {left.customer_id}, name: {customer}}}, subscription_id: {left.id}, retired: true}}; or {by_hand}"
    )


def _yaml_text(text: str) -> str:
    shown = "".join(one if one.isprintable() else " " for one in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown.strip() or "unknown"}"'
