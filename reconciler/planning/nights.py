"""Falls that several nights have to count before they are written (`limits.decrease_nights`). Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from reconciler.model import CountedNight, Mapping
from reconciler.planning.quantity import Quantity, billed, implied_count
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
    if wanted <= 1 or len(nights) < wanted:
        return quantity
    largest = max(night.counted for night in nights[-wanted:])
    if largest == quantity.counted:
        return quantity
    words = f"{quantity.rule}, the largest count of {wanted} nights ({largest})"
    return replace(quantity, rule=words, result=billed(mapping.quantity, largest))


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
