"""The safety rules about one mapping's count: to nobody, too far down, too far up. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import ChangeLimit
from reconciler.planning.changes import Change, Violation
from reconciler.planning.rules import Rule, allow_command
from reconciler.safety.rule_input import RuleInput, counted_updates


def to_zero(given: RuleInput) -> Iterator[Violation]:
    """A count of 0, or a quantity of 0, where the quantity is above 0 today."""
    for change, live in counted_updates(given):
        nobody = change.quantity.counted == 0 or change.quantity.result == 0
        if not nobody or live == 0 or change.mapping.quantity.allow_zero:
            continue
        counted, result = change.quantity.counted, change.quantity.result
        nobody_counted = "INFIMA counts nobody" if counted == 0 else f"INFIMA counts {counted} active users"
        becomes = "" if counted == result else f", which comes to {result} ({change.quantity.rule})"
        yield Violation(
            rule=Rule.ZERO,
            name=change.key,
            message=f"{nobody_counted}{becomes}; the quantity in HaloPSA is {live}",
            remedy=(
                "ask the client; if it is right, write quantity: {allow_zero: true} (may drop to nobody) or "
                f"retired: true (has left) into the mapping, or run: {allow_command(change.key, Rule.ZERO)}"
            ),
            measured=0,
            limit=1,
        )


def decreases(given: RuleInput) -> Iterator[Violation]:
    """A fall beyond both the number and the percentage of `max_decrease`; one to nobody as well.

    Only the file can say beforehand that a client may fall to nobody (`allow_zero`): lifting `zero` for one run lifts
    `zero` alone.
    """
    limit = given.limits.max_decrease
    for change, live in counted_updates(given):
        emptied = change.quantity.counted == 0 or change.quantity.result == 0
        if emptied and change.mapping.quantity.allow_zero:
            continue
        fall = live - (change.quantity.result or 0)
        if _beyond(fall, live, limit):
            yield _beyond_limit(Rule.DECREASE, change, live, fall, limit=limit, name="max_decrease")


def increases(given: RuleInput) -> Iterator[Violation]:
    """A rise beyond both the number and the percentage of `max_increase`.

    The first count of a Subscription that this program made at 0 is not a rise.
    """
    limit = given.limits.max_increase
    for change, live in counted_updates(given):
        if change.awaiting_first_count and live == 0:
            continue
        rise = (change.quantity.result or 0) - live
        if _beyond(rise, live, limit):
            yield _beyond_limit(Rule.INCREASE, change, live, rise, limit=limit, name="max_increase")


def _beyond(difference: int, live: int, limit: ChangeLimit) -> bool:
    """Both the number and the percentage of the live quantity are exceeded; whole numbers only, no rounding."""
    return difference > limit.users and difference * 100 > limit.percent * live


def _beyond_limit(rule: Rule, change: Change, live: int, size: int, *, limit: ChangeLimit, name: str) -> Violation:
    percent = f"{size * 100 // live} %" if live else "from nothing"
    direction = "down" if rule is Rule.DECREASE else "up"
    return Violation(
        rule=rule,
        name=change.key,
        message=(
            f"{live} -> {change.quantity.result} is {size} users {direction} ({percent}); the limit is more than "
            f"{limit.users} users and more than {limit.percent} %"
        ),
        remedy=(
            f"check the client in INFIMA; if it is right, run: {allow_command(change.key, rule)}; "
            f"or change limits.{name}"
        ),
        measured=size,
        limit=limit.users,
    )
