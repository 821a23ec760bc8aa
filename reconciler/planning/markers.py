"""Markers that HaloPSA shows in the detail of a Subscription and leaves out of its lists (FAULTS H27)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import ApiError, NotFound, UnreadableAnswer
from reconciler.model import Mappings, MarkerField, Recorded, Subscription, SubscriptionId
from reconciler.planning.index import index_subscriptions
from reconciler.planning.twins import candidates
from reconciler.providers.base import SubscriptionTarget

MOST_READS = 50
"""So many details are read at most for one plan, and for one group of creates; what is left over keeps its doubt."""


@dataclass(slots=True, kw_only=True)
class Details:
    """The details read so far, each once, and how many more may be. Mutable: creates look again and again."""

    target: SubscriptionTarget
    marker_field: MarkerField
    markers: dict[SubscriptionId, str | None] = field(default_factory=dict)
    left: int = MOST_READS

    def reveal(
        self, listing: tuple[Subscription, ...], groups: Iterable[Sequence[SubscriptionId]]
    ) -> tuple[Subscription, ...]:
        """The listing, with the markers that only the details of the rows in `groups` show.

        Nothing is read where any listed row has the member: then its absence from another says that nothing stands
        there. A group is read whole or not at all, because one marker seen of two would be taken for the only one.
        What cannot be read stays as it was listed. Source: FAULTS H27.
        """
        name = self.marker_field
        if name is MarkerField.NONE or any(name.value in row.raw for row in listing):
            return listing
        for group in groups:
            unread = [number for number in group if number not in self.markers]
            if len(unread) > self.left:
                break
            self.left -= len(unread)
            try:
                self.markers |= {number: self.target.subscription(number).marker for number in unread}
            except (NotFound, UnreadableAnswer):
                continue  # this row's own trouble; the other groups may well be read
            except ApiError:
                break
        return tuple(replace(row, marker=self.markers[row.id]) if row.id in self.markers else row for row in listing)


def reveal_markers(
    target: SubscriptionTarget, mappings: Mappings, listing: tuple[Subscription, ...], recorded: Recorded
) -> tuple[Subscription, ...]:
    """The listing with the hidden markers of all rows that some mapping without a Subscription may mean."""
    details = Details(target=target, marker_field=mappings.settings.marker_field)
    return details.reveal(listing, _in_question(mappings, listing, recorded))


def _in_question(
    mappings: Mappings, listing: Sequence[Subscription], recorded: Recorded
) -> Iterator[list[SubscriptionId]]:
    """The candidates of each mapping that neither file nor state gives a Subscription; open attempts come first."""
    index = index_subscriptions(listing, mappings.mappings, recorded)
    for mapping in sorted(mappings.mappings, key=lambda m: (m.key not in recorded.attempts, m.key)):
        if mapping.subscription_id is None and mapping.key not in recorded.bindings:
            yield [row.id for row in candidates(mapping, index, recorded)]
