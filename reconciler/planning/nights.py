"""What several nights in a row have to show: falls (`limits.decrease_nights`), and clients that are gone. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date

from reconciler.model import CountedNight, InfimaClientId, Mapping, Mappings, Missing, MissingNights
from reconciler.planning.quantity import Quantity, apply_rule, implied_count
from reconciler.planning.rules import Doubt, Rule, allow_command


def nights_of_fall(
    mapping: Mapping,
    quantity: Quantity,
    live: int | None,
    *,
    counted_before: int | None,
    remembered: tuple[CountedNight, ...],
    today: date,
) -> tuple[CountedNight, ...]:
    """The nights that have counted this fall, oldest first and tonight last; none where tonight counts no fall.

    `live` is the quantity in HaloPSA, `counted_before` the count that it came from where the state knows it,
    `remembered` the nights before. A night is a day of `settings.timezone`: of two runs on one day the larger count
    stands. What an edit of the file lowers is no fall.
    """
    counted, result = quantity.counted, quantity.result
    if counted is None or result is None or live is None or not mapping.counts_users or result >= live:
        return ()
    earlier = implied_count(mapping.quantity, live, counted) if counted_before is None else counted_before
    if counted >= earlier:
        return ()
    before = tuple(night for night in remembered if night.day < today)
    again = [night.counted for night in remembered if night.day == today]
    return (*before, CountedNight(day=today, counted=max([counted, *again])))


def settled_quantity(mapping: Mapping, quantity: Quantity, nights: tuple[CountedNight, ...], wanted: int) -> Quantity:
    """What is written once `wanted` nights have counted the fall: what the largest of their counts comes to."""
    if len(nights) < wanted:
        return quantity
    largest = max(night.counted for night in nights[-wanted:])
    if largest == quantity.counted:
        return quantity
    words = f"{quantity.rule}, the largest count of {wanted} nights ({largest})"
    return replace(quantity, rule=words, result=apply_rule(mapping.quantity, largest))


def falling_doubt(mapping: Mapping, nights: tuple[CountedNight, ...], wanted: int) -> tuple[Doubt, ...]:
    """A fall that too few nights have counted so far."""
    if not nights or len(nights) >= wanted:
        return ()
    first = nights[0].day
    return (
        Doubt(
            rule=Rule.FALLING,
            message=f"the count is falling: seen {len(nights)} of {wanted} nights, first on {first.day} {first:%b}",
            remedy=(
                "wait for the next night; if it is right and cannot wait, run: "
                f"{allow_command(mapping.key, Rule.FALLING)}"
            ),
            measured=len(nights),
            limit=wanted,
        ),
    )


def nights_missing(
    mappings: Mappings,
    listed: Collection[InfimaClientId],
    remembered: Missing,
    *,
    today: date,
) -> dict[InfimaClientId, MissingNights]:
    """For each client that the file names and INFIMA's complete list lacks, the nights in a row, tonight included.

    Several runs on one day are one night. A client that is listed again is forgotten, and so is one that left the file;
    of retired mappings nobody asks.
    """
    named = {ref.id for m in mappings.mappings if not m.retired for ref in m.infima_clients}
    named |= {one.client.id for one in mappings.ignored}
    return {number: _one_night_more(remembered.get(number), today) for number in named.difference(listed)}


def _one_night_more(before: MissingNights | None, today: date) -> MissingNights:
    if before is None:
        return MissingNights(first=today, last=today, nights=1)
    return before if before.last >= today else replace(before, last=today, nights=before.nights + 1)
