"""From a count of users to the quantity (DESIGN 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from reconciler.model import Mapping, QuantityRule


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
