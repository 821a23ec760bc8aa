"""Ids that the answers to creates named: kept where no listing shows them, and read by themselves (FAULTS H30)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.errors import ApiError, NotFound
from reconciler.model import MappingKey, Subscription
from reconciler.names import same_name
from reconciler.planning.changes import Change, Outcome
from reconciler.planning.rules import abandon_command, resolved_by
from reconciler.providers.base import Accepted, WriteAnswer
from reconciler.writing.session import WriteSession, bare


def is_what_was_sent(found: Subscription, change: Change) -> bool:
    """True for a live Subscription of the customer and the name that the create of this change sends."""
    return found.live and _is_named_alike(found, change)


def _is_named_alike(found: Subscription, change: Change) -> bool:
    mapping = change.mapping
    return (
        found.is_subscription
        and found.customer_id == mapping.halo_customer.id
        and same_name(found.name, mapping.subscription_name)
    )


def keep_named(session: WriteSession, changes: Sequence[Change], answers: Mapping[MappingKey, WriteAnswer]) -> None:
    """Keep with the attempts of these changes the ids that the answers named. Raises `StateError`."""
    session.state.record_named(
        {
            change.key: answer.subscription_id
            for change in changes
            if isinstance(answer := answers[change.key], Accepted) and answer.subscription_id is not None
        }
    )


def was_made(session: WriteSession, change: Change) -> bool:
    """True where the id that the earlier create's answer named exists, or cannot be told: then nothing is created.

    Lists may leave out what exists; one object that is read by itself is not cut off by any page.
    """
    number = change.settled_attempt.named_id if change.settled_attempt else None
    if number is None:
        return False
    try:
        found = session.target.subscription(number)
    except NotFound:
        return False
    except ApiError as error:
        seen = f"could not be read ({bare(error.message)}): the next run looks again"
    else:
        if not _is_named_alike(found, change):
            return False
        adopt = resolved_by(change.key, number)
        over = "deleted" if found.deleted else "inactive"
        seen = (
            f"exists, though no listing shows it. To use it: {adopt}"
            if found.live
            else f"is {over}. Restore it in HaloPSA, then: {adopt}; or, for a new one: {abandon_command(change.key)}"
        )
    message = f"nothing is created: Subscription {number}, which the answer to the earlier create named, {seen}"
    session.settle(change.key, Outcome.HELD, message, at=number)
    return True
