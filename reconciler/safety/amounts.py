"""The safety rules about money: limits that mappings.yaml gives as monthly amounts. Pure; off unless the file has one.

They stand beside the limits in users and percent, not in their place. Like those they look at quantities that come
from a count: what a reviewed file says (`fixed`, `retired`, `allow_zero` for a fall to nobody) is no surprise, and
creates have `many-creates`. They fail closed: where the file limits a direction by amount, a change in that direction
whose price is not known in the limit's currency is held, so that the sums of a run hold all that it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from reconciler.model import Limits, Money
from reconciler.planning.changes import Change, Violation
from reconciler.planning.money import in_words, written
from reconciler.planning.rules import Rule, allow_command
from reconciler.safety.counts import RuleInput, counted_updates


@dataclass(frozen=True, slots=True, kw_only=True)
class _Direction:
    """Falls or rises, with their rules and limits by name. `sign` turns a change of the amount into its size."""

    word: str
    sign: int
    rule: Rule
    run_rule: Rule
    name: str
    total_name: str

    def limits(self, limits: Limits) -> Iterator[tuple[str, Money]]:
        """The amounts that limit this direction, each with its name in mappings.yaml."""
        single, total = getattr(limits, self.name).amount, getattr(limits, self.total_name)
        if single is not None:
            yield f"limits.{self.name}.amount", single
        if total is not None:
            yield f"limits.{self.total_name}", total


_DOWN = _Direction(
    word="down",
    sign=-1,
    rule=Rule.AMOUNT_DECREASE,
    run_rule=Rule.AMOUNTS_DROP,
    name="max_decrease",
    total_name="max_total_decrease",
)
_UP = _Direction(
    word="up",
    sign=1,
    rule=Rule.AMOUNT_INCREASE,
    run_rule=Rule.AMOUNTS_RISE,
    name="max_increase",
    total_name="max_total_increase",
)


def amount_decreases(given: RuleInput) -> Iterator[Violation]:
    """A fall of one mapping's monthly amount beyond `max_decrease.amount`, or one that cannot be judged."""
    return _beyond_amount(given, _DOWN)


def amount_increases(given: RuleInput) -> Iterator[Violation]:
    """A rise of one mapping's monthly amount beyond `max_increase.amount`, or one that cannot be judged."""
    return _beyond_amount(given, _UP)


def amounts_drop(given: RuleInput) -> Iterator[Violation]:
    """All falls that the run would write, added up, beyond `max_total_decrease`."""
    return _beyond_total(given, _DOWN)


def amounts_rise(given: RuleInput) -> Iterator[Violation]:
    """All rises that the run would write, added up, beyond `max_total_increase`."""
    return _beyond_total(given, _UP)


def _moves(given: RuleInput, direction: _Direction) -> Iterator[tuple[Change, int]]:
    """The counted updates in this direction. The first count of a new Subscription, made at 0, is no rise."""
    for change, live in counted_updates(given):
        result = change.quantity.result or 0
        if (result - live) * direction.sign <= 0:
            continue
        first = change.awaiting_first_count and live == 0
        emptied = change.quantity.counted == 0 and change.mapping.quantity.allow_zero
        if not (first or emptied):
            yield change, live


def _beyond_amount(given: RuleInput, direction: _Direction) -> Iterator[Violation]:
    limits = tuple(direction.limits(given.limits))
    if not limits:
        return
    single = getattr(given.limits, direction.name).amount
    for change, live in _moves(given, direction):
        unjudged = next(((name, money) for name, money in limits if _size(change, direction, money) is None), None)
        if unjudged is not None:
            yield _unjudged(change, live, direction, *unjudged)
        elif single is not None and (size := _size(change, direction, single) or Decimal(0)) > single.amount:
            yield _too_much(change, live, direction, size, single)


def _size(change: Change, direction: _Direction, limit: Money) -> Decimal | None:
    """How far the monthly amount moves, in the limit's currency; None where that is not known."""
    amount = change.amount
    return None if amount is None or amount.currency != limit.currency else amount.change * direction.sign


def _too_much(change: Change, live: int, direction: _Direction, size: Decimal, limit: Money) -> Violation:
    price = change.price
    at = f" at {in_words(price)} each (price: {price.source})" if price else ""
    return Violation(
        rule=direction.rule,
        name=change.key,
        message=(
            f"{live} -> {change.quantity.result} users{at} is about {written(size, limit.currency)} a month "
            f"{direction.word}; the limit is {in_words(limit)}"
        ),
        remedy=(
            f"check the client in INFIMA; if it is right, run: {allow_command(change.key, direction.rule)}, or change "
            f"limits.{direction.name}.amount"
        ),
        measured_amount=Money(amount=size, currency=limit.currency),
        limit_amount=limit,
    )


def _unjudged(change: Change, live: int, direction: _Direction, name: str, limit: Money) -> Violation:
    price = change.price
    why = "no unit price is known" if price is None else f"its unit price is in {price.currency}"
    return Violation(
        rule=direction.rule,
        name=change.key,
        message=f"{live} -> {change.quantity.result} users cannot be held against {name} ({in_words(limit)}): {why}",
        remedy=(
            f'write price: {{amount: "...", currency: {limit.currency}}} into the mapping; or check the client in '
            f"INFIMA and run: {allow_command(change.key, direction.rule)}"
        ),
        limit_amount=limit,
    )


def _beyond_total(given: RuleInput, direction: _Direction) -> Iterator[Violation]:
    limit: Money | None = getattr(given.limits, direction.total_name)
    if limit is None:
        return
    sizes = [
        _size(change, direction, limit) for change, _ in _moves(given, direction) if change.key not in given.stopped
    ]
    total = sum((size for size in sizes if size is not None), Decimal(0))
    if total <= limit.amount:
        return
    unknown = sizes.count(None)
    beside = f"; {unknown} more without a known price, lifted with --allow, not counted" if unknown else ""
    yield Violation(
        rule=direction.run_rule,
        name="",
        message=(
            f"the run would move {len(sizes) - unknown} mappings {direction.word} by about "
            f"{written(total, limit.currency)} a month together; the limit is {in_words(limit)}{beside}"
        ),
        remedy=(
            f"check the largest of them in INFIMA; if they are right, run: "
            f"{allow_command('', direction.run_rule)}; or change "
            f"limits.{direction.total_name}"
        ),
        measured_amount=Money(amount=total, currency=limit.currency),
        limit_amount=limit,
    )
