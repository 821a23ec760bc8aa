"""What a safety rule may look at, and what all rules say in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.model import Limits
from reconciler.planning.changes import Action, Change, Plan, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInput:
    """What a rule may look at. `stopped` holds the keys that mapping-level rules have already stopped."""

    plan: Plan
    limits: Limits
    stopped: frozenset[str] = frozenset()


Check = Callable[[RuleInput], Iterator[Violation]]


def counted_updates(given: RuleInput) -> Iterator[tuple[Change, int]]:
    """Updates whose new quantity comes from a count, each with its live quantity."""
    for change in given.plan.changes:
        if change.action is Action.UPDATE and change.mapping.counts_users and change.before is not None:
            live = change.before.count
            if live is not None and change.quantity.result is not None:
                yield change, live
