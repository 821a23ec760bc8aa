"""What a safety rule may look at, and what all rules say in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.changes import Action, Change, Plan, Violation
from reconciler.model import Limits
from reconciler.rules import Rule
from reconciler.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a rule may look at. `stopped` holds the keys that mapping-level rules have already stopped."""

    plan: Plan
    limits: Limits
    stopped: frozenset[str] = frozenset()


Check = Callable[[Ground], Iterator[Violation]]


def counted_updates(ground: Ground) -> Iterator[tuple[Change, int]]:
    """Updates whose new quantity comes from a count, each with its live quantity."""
    for change in ground.plan.changes:
        if change.action is Action.UPDATE and change.mapping.counts_users and change.before is not None:
            live = change.before.count
            if live is not None and change.quantity.result is not None:
                yield change, live


def allow(rule: Rule, key: str = "") -> str:
    """The option that lifts a rule for one run."""
    return f"--allow {rule}{f':{key}' if key else ''} --reason '...'"
