"""Needs about changes of the plan: held, failed, unknown, stale."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC

from reconciler.answers.needs.given import NeedInput, about, run_need
from reconciler.model import MappingKey, Need, NeedKind
from reconciler.planning.changes import Outcome, Plan, Settled, Violation
from reconciler.planning.outcomes import ending_of


def held(plan: Plan, given: NeedInput) -> Iterator[Need]:
    """Changes that a safety rule holds."""
    broken: dict[str, list[Violation]] = {}
    for violation in plan.violations:
        if violation.stops and violation.name:
            broken.setdefault(violation.name, []).append(violation)
    for change in plan.every_change:
        if change.hold is not None:
            told = [f"{v.rule}: {v.message}" for v in broken.get(change.key, ())]
            what = ". ".join(told) or f"{change.hold.rule}: {change.hold.message}"
            yield about(NeedKind.HELD, change, what, change.hold.remedy, given, rule=change.hold.rule)


TOLD_ONE_BY_ONE = 3
"""So many changes that a run did not come to are told one by one; more of them are one thing to do."""


def _not_attempted(plan: Plan, outcomes: MappingABC[MappingKey, Settled]) -> list[MappingKey]:
    told = ((c, outcomes.get(c.key) or Settled(outcome=Outcome.FAILED)) for c in plan.changes)
    return [change.key for change, settled in told if ending_of(change, settled).not_attempted]


def unsettled(plan: Plan, given: NeedInput) -> Iterator[Need]:
    """Changes that a run did not bring to a good end."""
    if given.outcomes is None or plan.refused:
        return
    waiting = _not_attempted(plan, given.outcomes)
    if len(waiting) > TOLD_ONE_BY_ONE:
        names = ", ".join(waiting[:TOLD_ONE_BY_ONE])
        what = f"{len(waiting)} changes were not attempted and nothing was sent for them: {names} and more"
        yield run_need(
            NeedKind.FAILED, "not-attempted", what, "the next run does them; sooner: reconciler apply", given
        )
    for change in plan.changes:
        settled = given.outcomes.get(change.key)
        ending = ending_of(change, settled or Settled(outcome=Outcome.FAILED))
        if ending.not_attempted and len(waiting) > TOLD_ONE_BY_ONE:
            continue
        outcome = ending.outcome
        known = ": ".join(filter(None, [ending.word, ending.details]))
        said = settled.message if settled is not None and not ending.not_attempted else ""
        message = ". ".join(filter(None, [known, said[:1].upper() + said[1:]]))
        again = f"reconciler apply --only {change.key}"
        match outcome:
            case Outcome.FAILED:
                yield about(NeedKind.FAILED, change, message, f"the next run tries again; sooner: {again}", given)
            case Outcome.UNKNOWN:
                step = f"the next run looks what became of it; sooner, look into HaloPSA, then: {again}"
                yield about(NeedKind.UNKNOWN, change, message, step, given)
            case Outcome.STALE:
                step = f"see what it is now: reconciler plan --only {change.key}"
                yield about(NeedKind.STALE, change, message, step, given)
            case Outcome.HELD if change.hold is None:
                why = settled.message if settled is not None else ""
                yield about(NeedKind.HELD, change, why, f"then: {again}", given)
            case _:
                pass
