"""The safety rules: `check` turns doubts and limits into violations, holds and refusals (DESIGN 8). Pure.

Every rule is a small function in `RULES` that sees the whole plan and yields what it finds; none can switch another
off. An allowance lifts exactly the rule it names, and the violation stays in the plan with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from reconciler.model import Approval, Limits
from reconciler.planning.changes import Hold, Plan, Violation
from reconciler.planning.rules import Allowance, Level, Rule, allow_command, approve_command
from reconciler.safety.amounts import amount_decreases, amount_increases, amounts_drop, amounts_rise
from reconciler.safety.approvals import with_approvals
from reconciler.safety.counts import Check, RuleInput, decreases, increases, source_dropped, source_empty, to_zero
from reconciler.safety.state import halo_unfit, many_creates, non_durable_state, wrong_tenant

PROPOSED_FOR = timedelta(days=14)
"""The approval that a remedy proposes ends so long after today."""


def check(
    plan: Plan,
    limits: Limits,
    allowances: Sequence[Allowance] = (),
    approvals: Sequence[Approval] = (),
    *,
    today: date | None = None,
) -> Plan:
    """Judge the whole plan: every violation is listed, held changes carry their hold, the plan may be refused.

    Mapping-level rules come first, because a create that is held does not count towards `many-creates`. `approvals`
    are those of the reviewed file, `today` the day in its time zone (without it, the plan's day in UTC).
    """
    given = RuleInput(plan=plan, limits=limits)
    today = today or plan.taken_at.date()

    def judge(rules: Iterable[Check]) -> tuple[Violation, ...]:
        found = (_with_allowance(v, allowances) for rule in rules for v in rule(given))
        judged = with_approvals(found, plan.changes, approvals, today=today)
        return _with_whole_commands(judged, today + PROPOSED_FOR)

    mapping_level = judge(MAPPING_RULES)
    holds = _holds(mapping_level)
    given = replace(given, stopped=frozenset(holds))
    run_level = judge(RUN_RULES)
    return replace(
        plan,
        changes=tuple(c if c.hold is holds.get(c.key) else replace(c, hold=holds.get(c.key)) for c in plan.changes),
        violations=run_level + mapping_level,
        allowances=tuple(allowances),
        approvals=tuple(v.approval for v in run_level + mapping_level if v.approval is not None),
    )


def _with_allowance(violation: Violation, allowances: Sequence[Allowance]) -> Violation:
    for allowance in allowances:
        if violation.rule.liftable and allowance.covers(violation.rule, violation.name):
            return replace(violation, allowed=allowance.reason)
    return violation


def _with_whole_commands(violations: tuple[Violation, ...], until: date) -> tuple[Violation, ...]:
    """Remedies with the commands that let a change through: the reviewed way first, then the one for a single run.

    Where several rules stop one change (or the run), the command names all of them. What `--allow` has lifted already
    is in it too: a run without that option would be stopped by it again.
    """
    rules: dict[str, dict[Rule, None]] = {}
    for violation in violations:
        if violation.rule.liftable and violation.approval is None:
            rules.setdefault(violation.name, {})[violation.rule] = None
    return tuple(_with_whole_command(v, tuple(rules.get(v.name, ())), until) for v in violations)


def _with_whole_command(violation: Violation, rules: tuple[Rule, ...], until: date) -> Violation:
    for_one_run = allow_command(violation.name, violation.rule)
    if not rules or for_one_run not in violation.remedy:
        return violation
    commands = allow_command(violation.name, *rules)
    if all(rule.approvable for rule in rules):
        name = violation.name or violation.rule
        commands = f"{approve_command(name, until)}; or for one run: {commands}"
    return replace(violation, remedy=violation.remedy.replace(for_one_run, commands))


def _holds(violations: Iterable[Violation]) -> dict[str, Hold]:
    """The first violation that nobody lifted holds the mapping; the others stand beside it in the plan."""
    holds: dict[str, Hold] = {}
    for violation in violations:
        if violation.level is Level.MAPPING and violation.stops:
            hold = Hold(rule=violation.rule, message=violation.message, remedy=violation.remedy)
            holds.setdefault(violation.name, hold)
    return holds


def doubtful(given: RuleInput) -> Iterator[Violation]:
    """Everything `diff` was in doubt about: identity, names, customers and clients that could not be read."""
    for change in given.plan.changes:
        for doubt in change.doubts:
            yield Violation(
                rule=doubt.rule,
                name=change.key,
                message=doubt.message,
                remedy=doubt.remedy,
                measured=doubt.measured,
                limit=doubt.limit,
            )


MAPPING_RULES: tuple[Check, ...] = (
    doubtful,
    to_zero,
    decreases,
    increases,
    amount_decreases,
    amount_increases,
    non_durable_state,
)
RUN_RULES: tuple[Check, ...] = (
    source_empty,
    source_dropped,
    many_creates,
    wrong_tenant,
    halo_unfit,
    amounts_drop,
    amounts_rise,
)
