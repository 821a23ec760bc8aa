"""What HaloPSA shows of one Subscription alone and leaves out of its lists: markers (FAULTS H27), inactive rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
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


def reveal_known(
    target: SubscriptionTarget,
    mappings: Mappings,
    listing: tuple[Subscription, ...],
    recorded: Recorded,
    *,
    live_too: bool = False,
) -> tuple[Subscription, ...]:
    """The listing, and besides what it leaves out of the ids that file and state know: each is read by itself.

    A list may leave out what is inactive, and where no marker comes back nothing else speaks of such a row: it would be
    called gone, and a second one would be made. A live row of a mapping is added only with `live_too`, for a decision
    by hand: a plan would write to it, and no list could show what came of it. Raises `ApiError` where an id that would
    stop a create cannot be read.
    """
    listed = {row.id for row in listing}
    found = []
    for number in sorted(_former(mappings, recorded) - listed):
        with suppress(NotFound):
            found.append(target.subscription(number))
    for number in sorted(_own(mappings, recorded) - listed)[:MOST_READS]:
        try:
            row = target.subscription(number)
        except (NotFound, UnreadableAnswer):
            continue
        except ApiError:
            break  # its mapping is held as it is
        if live_too or not row.live:
            found.append(row)
    return tuple(sorted((*listing, *found), key=lambda row: row.id))


def _own(mappings: Mappings, recorded: Recorded) -> set[SubscriptionId]:
    """The ids that file and state give the mappings, or a create's answer named; a retired one needs none."""
    bindings = recorded.bindings
    kept = [mapping for mapping in mappings.mappings if not mapping.retired]
    named = {mapping.subscription_id for mapping in kept if mapping.subscription_id is not None}
    named |= {bindings[mapping.key].subscription_id for mapping in kept if mapping.key in bindings}
    answered = (recorded.attempts[mapping.key].named_id for mapping in kept if mapping.key in recorded.attempts)
    return named | {number for number in answered if number is not None}


def _former(mappings: Mappings, recorded: Recorded) -> set[SubscriptionId]:
    """What the state has under keys that left the file, at customers for which a mapping is about to get a new one."""
    keys = {mapping.key for mapping in mappings.mappings}
    creating = {
        mapping.halo_customer.id
        for mapping in mappings.mappings
        if mapping.subscription_id is None and mapping.key not in recorded.bindings and not mapping.retired
    }
    bindings = recorded.bindings.items()
    return {bound.subscription_id for key, bound in bindings if key not in keys and bound.customer_id in creating}


def _in_question(
    mappings: Mappings, listing: Sequence[Subscription], recorded: Recorded
) -> Iterator[list[SubscriptionId]]:
    """The candidates of each mapping that neither file nor state gives a Subscription; open attempts come first."""
    index = index_subscriptions(listing, mappings.mappings, recorded)
    for mapping in sorted(mappings.mappings, key=lambda m: (m.key not in recorded.attempts, m.key)):
        if mapping.subscription_id is None and mapping.key not in recorded.bindings:
            yield [row.id for row in candidates(mapping, index, recorded)]
