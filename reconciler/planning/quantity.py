"""From a count of users to the quantity (DESIGN 5), and what several nights in a row have to show first. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from reconciler.model import InfimaClientId, Mapping, Mappings, QuantityRule
from reconciler.planning.rules import Doubt, Rule, allow_command
from reconciler.state.recorded import CountedNight, Missing, MissingNights


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """How the number came about: `counted` users, `rule` in words, `result` the quantity that follows.

    `counted` is None where no count was read completely; `result` is None where no number follows from that.
    """

    counted: int | None
    rule: str
    result: int | None


def quantity_of(mapping: Mapping, counted: int | None, *, today: date | None = None) -> Quantity:
    """The quantity that `counted` active users come to under the mapping's rule; none where its contract has ended."""
    rule = mapping.quantity
    if mapping.retired:
        return Quantity(counted=counted, rule="retired", result=0)
    if rule.fixed is not None:
        ended = has_ended(rule, today)
        words = _fixed_in_words(rule)
        return Quantity(counted=counted, rule=words, result=None if ended else rule.fixed)
    return Quantity(counted=counted, rule=_counted_in_words(rule), result=apply_rule(rule, counted))


def has_ended(rule: QuantityRule, today: date | None) -> bool:
    """True when a fixed quantity's last day is over."""
    return rule.fixed is not None and rule.until is not None and today is not None and today > rule.until


def apply_rule(rule: QuantityRule, counted: int | None) -> int | None:
    """`counted - included`, at least `minimum`, at most `maximum`, never below 0; None without a count."""
    if counted is None:
        return None
    result = counted - rule.included
    if rule.minimum is not None:
        result = max(result, rule.minimum)
    if rule.maximum is not None:
        result = min(result, rule.maximum)
    return max(result, 0)


def implied_count(rule: QuantityRule, live: int, counted: int) -> int:
    """The count that a live quantity most likely came from, where the state does not remember it.

    A live quantity at its minimum says only that the count was no higher; a live 0 says nothing. Both then read as
    "no fall", because the question asked of this number is whether the source has lost users.
    """
    if live == 0 or (rule.minimum is not None and live <= rule.minimum):
        return min(live + rule.included, counted)
    return live + rule.included


def _fixed_in_words(rule: QuantityRule) -> str:
    until = f" until {rule.until.isoformat()}" if rule.until else ""
    reason = f" ({rule.reason})" if rule.reason else ""
    return f"fixed {rule.fixed}{until}{reason}"


def _counted_in_words(rule: QuantityRule) -> str:
    words = str(rule.count)
    if rule.included:
        words += f" - {rule.included} included"
    if rule.minimum is not None:
        words += f", at least {rule.minimum}"
    if rule.maximum is not None:
        words += f", at most {rule.maximum}"
    return words


# -- Nights in a row: falls (`limits.decrease_nights`), and clients that are gone -------------------------------------


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
    mappings: Mappings, listed: Collection[InfimaClientId], remembered: Missing, *, today: date
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
