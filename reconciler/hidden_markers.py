"""Markers that HaloPSA shows in the detail of a Subscription and leaves out of its lists (FAULTS H27)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.errors import ApiError, NotFound, UnreadableAnswer
from reconciler.identity import index_subscriptions, namesakes
from reconciler.model import Mappings, MarkerField, Recorded, Subscription, SubscriptionId
from reconciler.providers.base import SubscriptionTarget

MOST_READS = 50
"""So many details are read at most in one run; what is left over keeps its doubt, `same-name`."""


def reveal_markers(
    target: SubscriptionTarget, mappings: Mappings, listing: tuple[Subscription, ...], recorded: Recorded
) -> tuple[Subscription, ...]:
    """The listing, with the markers that only the details of the rows in question show.

    Nothing is read where any listed row has the member: then its absence from another says that nothing stands there.
    A mapping's candidates are read all or not at all, because one marker seen of two would be taken for the only one.
    What cannot be read stays as it was listed. Source: FAULTS H27.
    """
    field = mappings.settings.marker_field
    if field is MarkerField.NONE or any(field.value in row.raw for row in listing):
        return listing
    markers: dict[SubscriptionId, str | None] = {}
    left = MOST_READS
    for candidates in _in_question(mappings, listing, recorded):
        unread = [number for number in candidates if number not in markers]
        if len(unread) > left:
            break
        left -= len(unread)
        try:
            markers |= {number: target.subscription(number).marker for number in unread}
        except (NotFound, UnreadableAnswer):
            continue  # this row's own trouble; the other mappings' candidates may well be read
        except ApiError:
            break
    return tuple(replace(row, marker=markers[row.id]) if row.id in markers else row for row in listing)


def _in_question(
    mappings: Mappings, listing: Sequence[Subscription], recorded: Recorded
) -> Iterator[list[SubscriptionId]]:
    """The candidates of each mapping that neither file nor state gives a Subscription; open attempts come first."""
    index = index_subscriptions(listing, mappings.mappings, recorded)
    for mapping in sorted(mappings.mappings, key=lambda m: (m.key not in recorded.attempts, m.key)):
        if mapping.subscription_id is None and mapping.key not in recorded.bindings:
            yield [row.id for row in namesakes(mapping, index, recorded)]
