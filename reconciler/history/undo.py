"""Which of a past run's writes can be set back, and to what. Pure.

Nothing is set back by writing to HaloPSA past the plan: the next night would count again and undo the undo. What is
set back becomes a `fixed` quantity in mappings.yaml, which a person reviews; plan and apply then do what they always
do.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model import MappingKey, SubscriptionId
from reconciler.planning.changes import Action, Change, Outcome, Plan
from reconciler.state.base import HistoryChange
from reconciler.state.history import PastRun


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """A quantity that stands as the run wrote it: `written` goes back to `before`."""

    key: MappingKey
    customer: str
    subscription_id: SubscriptionId
    written: int
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something the run did that is not set back, and why, in a sentence."""

    key: MappingKey
    customer: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What undoing a run comes to, sorted by key."""

    run: PastRun
    set_back: tuple[SetBack, ...]
    left_out: tuple[LeftOut, ...]


_DONE = frozenset({Outcome.APPLIED, Outcome.UNKNOWN})


def undo_run(run: PastRun, live: Plan) -> Undo:
    """Compare what the run wrote with a fresh plan, which knows what is live now."""
    changes = {change.key: change for change in live.changes}
    back, left = [], []
    for line in sorted(run.verdict.changes, key=lambda line: line.key):
        if not _done(line) or line.action not in {Action.CREATE, Action.UPDATE}:
            continue
        change = changes.get(line.key)
        customer = change.customer.name if change else ""
        found = _judge(line, change, customer)
        if isinstance(found, SetBack):
            back.append(found)
        else:
            left.append(LeftOut(key=line.key, customer=customer, why=found))
    return Undo(run=run, set_back=tuple(back), left_out=tuple(left))


def _done(line: HistoryChange) -> bool:
    """True for what was written or may have been, even if a later check failed."""
    stands = line.sent and line.after is not None and line.after == line.wanted
    return line.outcome in _DONE or stands


def _judge(line: HistoryChange, change: Change | None, customer: str) -> SetBack | str:  # noqa: PLR0911 - one reason each
    """The quantity to set back, or why not."""
    if line.outcome == Outcome.UNKNOWN:
        return "whether that run wrote it is unknown"
    if line.action == Action.CREATE or line.before is None:
        return "that run created the Subscription, and nothing is ever deleted: write retired: true to bring it to 0"
    if line.before == 0:
        return "it stood at 0 before, as a new Subscription does: write retired: true to bring it to 0"
    if change is None:
        return "mappings.yaml has no mapping with that key any more"
    if change.before is None or change.before.id != line.subscription_id or line.subscription_id is None:
        return f"the mapping no longer uses Subscription {line.subscription_id}"
    if line.after is None or change.before.count != line.after:
        return f"changed since: that run wrote {line.after}, HaloPSA has {change.before.count} now"
    if change.mapping.retired:
        return "the mapping is retired"
    rule = change.mapping.quantity
    if rule.fixed is not None:
        return "the quantity is fixed in mappings.yaml: change it there"
    if (rule.minimum is not None and line.before < rule.minimum) or (
        rule.maximum is not None and line.before > rule.maximum
    ):
        return f"{line.before} is outside the mapping's minimum and maximum"
    return SetBack(
        key=line.key, customer=customer, subscription_id=line.subscription_id, written=line.after, before=line.before
    )
