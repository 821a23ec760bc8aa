"""The safety rules: `check` turns doubts and limits into violations, holds and refusals (DESIGN 8). Pure.

Every rule is a small function in `RULES` that sees the whole plan and yields what it finds; none can switch another
off. An allowance lifts exactly the rule it names, and the violation stays in the plan with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.amount_limits import amount_decreases, amount_increases, amounts_drop, amounts_rise
from reconciler.changes import Action, Change, Hold, Plan, Violation
from reconciler.ground import Check, Ground, allow, counted_updates
from reconciler.model import ChangeLimit, Limits
from reconciler.quantity import implied_count
from reconciler.rules import Allowance, Level, Rule

TOTAL_DECREASE_USERS = 20
"""`source-dropped` looks at nothing smaller than this many users: a small MSP may well lose a fifth of ten."""

STEEP_USERS, STEEP_MAPPINGS, STEEP_PERCENT = 3, 3, 10
"""`source-dropped` also looks at how many mappings lost a third of their users, and at least three of them, at once:
from three mappings and a tenth of all on, that is a source which answers for some clients badly (FAULTS I18)."""

VANISHED_BINDINGS = 3
"""From so many recorded ids on, all of them missing at once speaks of another tenant, not of deletions."""


def check(plan: Plan, limits: Limits, allowances: Sequence[Allowance] = ()) -> Plan:
    """Judge the whole plan: every violation is listed, held changes carry their hold, the plan may be refused.

    Mapping-level rules come first, because a create that is held does not count towards `many-creates`.
    """
    ground = Ground(plan=plan, limits=limits)
    mapping_level = _judge(MAPPING_RULES, ground, allowances)
    holds = _holds(mapping_level)
    ground = replace(ground, stopped=frozenset(holds))
    run_level = _judge(RUN_RULES, ground, allowances)
    return replace(
        plan,
        changes=tuple(c if c.hold is holds.get(c.key) else replace(c, hold=holds.get(c.key)) for c in plan.changes),
        violations=run_level + mapping_level,
        allowances=tuple(allowances),
    )


def _judge(rules: Iterable[Check], ground: Ground, allowances: Sequence[Allowance]) -> tuple[Violation, ...]:
    return tuple(_with_allowance(v, allowances) for rule in rules for v in rule(ground))


def _with_allowance(violation: Violation, allowances: Sequence[Allowance]) -> Violation:
    for allowance in allowances:
        if violation.rule.liftable and allowance.covers(violation.rule, violation.name):
            return replace(violation, allowed=allowance.reason)
    return violation


def _holds(violations: Iterable[Violation]) -> dict[str, Hold]:
    """The first violation that nobody lifted holds the mapping; the others stand beside it in the plan."""
    holds: dict[str, Hold] = {}
    for violation in violations:
        if violation.level is Level.MAPPING and violation.stops:
            hold = Hold(rule=violation.rule, message=violation.message, remedy=violation.remedy)
            holds.setdefault(violation.name, hold)
    return holds


# ---------------------------------------------------------------------------------------------------------------------
# Mapping level
# ---------------------------------------------------------------------------------------------------------------------


def doubtful(ground: Ground) -> Iterator[Violation]:
    """Everything `diff` was in doubt about: identity, names, customers and clients that could not be read."""
    for change in ground.plan.changes:
        for doubt in change.doubts:
            yield Violation(
                rule=doubt.rule,
                name=change.key,
                message=doubt.message,
                remedy=doubt.remedy,
                measured=doubt.measured,
                limit=doubt.limit,
            )


def to_zero(ground: Ground) -> Iterator[Violation]:
    """A count of 0, or a quantity of 0, where users are billed today."""
    for change, live in counted_updates(ground):
        nobody = change.quantity.counted == 0 or change.quantity.result == 0
        if not nobody or live == 0 or change.mapping.quantity.allow_zero:
            continue
        counted, result = change.quantity.counted, change.quantity.result
        nobody_counted = "INFIMA counts nobody" if counted == 0 else f"INFIMA counts {counted} active users"
        becomes = "" if counted == result else f", which comes to {result} ({change.quantity.rule})"
        yield Violation(
            rule=Rule.ZERO,
            name=change.key,
            message=f"{nobody_counted}{becomes}; HaloPSA bills {live}",
            remedy=(
                "ask the client; if it is right, write quantity: {allow_zero: true} (may drop to nobody) or "
                f"retired: true (has left) into the mapping, or run with {allow(Rule.ZERO, change.key)}"
            ),
            measured=0,
            limit=1,
        )


def decreases(ground: Ground) -> Iterator[Violation]:
    """A fall beyond both the number and the percentage of `max_decrease`; one to nobody as well.

    Only the file can say beforehand that a client may fall to nobody (`allow_zero`): lifting `zero` for one run lifts
    `zero` alone.
    """
    limit = ground.limits.max_decrease
    for change, live in counted_updates(ground):
        emptied = change.quantity.counted == 0 or change.quantity.result == 0
        if emptied and change.mapping.quantity.allow_zero:
            continue
        fall = live - (change.quantity.result or 0)
        if _beyond(fall, live, limit):
            yield _beyond_limit(Rule.DECREASE, change, live, fall, limit=limit, name="max_decrease")


def increases(ground: Ground) -> Iterator[Violation]:
    """A rise beyond both the number and the percentage of `max_increase`.

    The first count of a Subscription that this program made at 0 is not a rise.
    """
    limit = ground.limits.max_increase
    for change, live in counted_updates(ground):
        if change.awaiting_first_count and live == 0:
            continue
        rise = (change.quantity.result or 0) - live
        if _beyond(rise, live, limit):
            yield _beyond_limit(Rule.INCREASE, change, live, rise, limit=limit, name="max_increase")


def state_that_dies(ground: Ground) -> Iterator[Violation]:
    """A create in CI while the state lives in the default directory, which dies with the job."""
    if ground.plan.facts.durable:
        return
    for change in ground.plan.changes:
        if change.action is Action.CREATE:
            yield Violation(
                rule=Rule.STATE_NOT_DURABLE,
                name=change.key,
                message=(
                    "the record of this create would be lost with the CI job, and a lost answer could then lead to "
                    "a second Subscription"
                ),
                remedy=(
                    "keep the state: --state git:reconciler-state, or name a directory that outlives the job with "
                    "--state directory:PATH or RECONCILER_STATE; for this once, run with "
                    f"{allow(Rule.STATE_NOT_DURABLE, change.key)}"
                ),
            )


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
            f"check the client in INFIMA; if it is right, run with {allow(rule, change.key)}, or change limits.{name}"
        ),
        measured=size,
        limit=limit.users,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Run level
# ---------------------------------------------------------------------------------------------------------------------


def source_empty(ground: Ground) -> Iterator[Violation]:
    """INFIMA lists no client at all, or fewer than half of those whose count some mapping needs."""
    facts = ground.plan.facts
    if facts.clients_wanted and facts.clients_found * 2 < facts.clients_wanted:
        yield Violation(
            rule=Rule.SOURCE_EMPTY,
            name="",
            message=f"INFIMA lists {facts.clients_found} of the {facts.clients_wanted} mapped clients",
            remedy=(
                "check that INFIMA_API_KEY is a partner-level key of the right partner and that INFIMA is up; "
                "if it is right, run with --allow source-empty --reason '...'"
            ),
            measured=facts.clients_found,
            limit=(facts.clients_wanted + 1) // 2,
        )


def source_dropped(ground: Ground) -> Iterator[Violation]:
    """The sum of counts falls too far below what the live quantities came from.

    Counts are compared with counts, not with quantities: a mapping whose rule changed in the reviewed file (more
    included users, a lower maximum) moves its quantity without INFIMA having lost anybody. The earlier count is the
    one that the state remembers, else what the live quantity implies.

    Small clients may each lose a third below their own guard. Several at once speak of the source too; those that a
    rule of their own holds already are left to it.
    """
    expected = counted = compared = steep = 0
    for change in ground.plan.changes:
        now, before = change.quantity.counted, change.before
        if not change.mapping.counts_users or now is None or before is None or before.count is None:
            continue
        remembered = change.counted_before
        if remembered is None and before.count == 0:
            continue  # a live 0, or what is deleted or inactive, says nothing of an earlier count
        earlier = implied_count(change.mapping.quantity, before.count, now) if remembered is None else remembered
        expected += earlier
        counted += now
        compared += 1
        steep += change.key not in ground.stopped and earlier - now >= STEEP_USERS and (earlier - now) * 3 >= earlier
    fall = expected - counted
    percent = ground.limits.max_total_decrease_percent
    if fall > TOTAL_DECREASE_USERS and fall * 100 > percent * expected:
        share = -(-fall * 100 // expected)  # rounded up: what is over the limit must not look like the limit
        yield Violation(
            rule=Rule.SOURCE_DROPPED,
            name="",
            message=(
                f"INFIMA counts {counted} active users where {expected} were expected, new mappings left out: "
                f"{share} % fewer"
            ),
            remedy=(
                "this looks like a source that answers badly; look into INFIMA. If it is right, run with "
                "--allow source-dropped --reason '...'"
            ),
            measured=share,
            limit=percent,
        )
    elif steep >= STEEP_MAPPINGS and steep * 100 > STEEP_PERCENT * compared:
        yield Violation(
            rule=Rule.SOURCE_DROPPED,
            name="",
            message=f"{steep} of {compared} mappings lost a third of their users or more at once, each below its guard",
            remedy=(
                "people do not leave several clients in one night: look into INFIMA. If it is right, run with "
                "--allow source-dropped --reason '...'"
            ),
            measured=steep * 100 // compared,
            limit=STEEP_PERCENT,
        )


def many_creates(ground: Ground) -> Iterator[Violation]:
    """More new Subscriptions at once than anybody expects of one night."""
    creates = sum(c.action is Action.CREATE and c.key not in ground.stopped for c in ground.plan.changes)
    limit = ground.limits.max_creates
    if creates > limit:
        yield Violation(
            rule=Rule.MANY_CREATES,
            name="",
            message=f"{creates} Subscriptions would be created, the limit is {limit}",
            remedy=(
                "if this is the first run, run with --allow many-creates --reason '...'; else check the state and "
                "the marker field; or raise limits.max_creates"
            ),
            measured=creates,
            limit=limit,
        )


def wrong_tenant(ground: Ground) -> Iterator[Violation]:
    """The state belongs to another Halo instance or INFIMA partner, or every recorded Subscription is gone at once."""
    facts, tenant = ground.plan.facts, ground.plan.tenant
    known = facts.recorded_tenant
    remedy = "check HALO_URL, INFIMA_API_KEY and --state; if it is right, run with --allow wrong-tenant --reason '...'"
    if known is not None and known != tenant:
        yield Violation(
            rule=Rule.WRONG_TENANT,
            name="",
            message=(
                f"the state belongs to {known.halo_url} and INFIMA partner {known.infima_partner!r}, this run reads "
                f"{tenant.halo_url} and {tenant.infima_partner!r}"
            ),
            remedy=remedy,
        )
    elif facts.bindings >= VANISHED_BINDINGS and facts.bindings_found == 0:
        yield Violation(
            rule=Rule.WRONG_TENANT,
            name="",
            message=f"HaloPSA knows none of the {facts.bindings} recorded Subscriptions any more",
            remedy=remedy,
            measured=0,
            limit=facts.bindings,
        )


MAPPING_RULES: tuple[Check, ...] = (
    doubtful,
    to_zero,
    decreases,
    increases,
    amount_decreases,
    amount_increases,
    state_that_dies,
)
RUN_RULES: tuple[Check, ...] = (source_empty, source_dropped, many_creates, wrong_tenant, amounts_drop, amounts_rise)
