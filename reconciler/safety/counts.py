"""The safety rules about INFIMA's counts, one mapping's and the whole answer, and what any rule may look at. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.model import ChangeLimit, Limits
from reconciler.planning.changes import Action, Change, Plan, Violation
from reconciler.planning.quantity import implied_count
from reconciler.planning.rules import Rule, allow_command


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


# -- One mapping: to nobody, too far down, too far up -----------------------------------------------------------------


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


# -- The whole answer: nothing, or far less than before ---------------------------------------------------------------


TOTAL_DECREASE_USERS = 20
"""`source-dropped` looks at nothing smaller than this many users: a small MSP may well lose a fifth of ten."""

SHARP_DROP_USERS, SHARP_DROP_MAPPINGS, SHARP_DROP_PERCENT = 3, 3, 10
"""`source-dropped` also looks at how many mappings lost a third of their users, and at least three of them, at once:
from three mappings and a tenth of all on, that is a source which answers for some clients badly (FAULTS I18)."""


def source_empty(given: RuleInput) -> Iterator[Violation]:
    """INFIMA lists no client at all, or fewer than half of those whose count some mapping needs, or counts nobody's.

    One client whose users cannot be read holds its own mapping. When that is so of every one, it is INFIMA that does
    not answer, and a night that could do nothing must not pass for one that had nothing to do (FAULTS I8).
    """
    facts = given.plan.facts
    if facts.clients_wanted and facts.clients_found * 2 < facts.clients_wanted:
        yield Violation(
            rule=Rule.SOURCE_EMPTY,
            name="",
            message=f"INFIMA lists {facts.clients_found} of the {facts.clients_wanted} mapped clients",
            remedy=(
                "check that INFIMA_API_KEY is a partner-level key of the right partner and that INFIMA is up; "
                f"if it is right, run: {allow_command('', Rule.SOURCE_EMPTY)}"
            ),
            measured=facts.clients_found,
            limit=(facts.clients_wanted + 1) // 2,
        )
    yield from _gives_no_count(given)


def _gives_no_count(given: RuleInput) -> Iterator[Violation]:
    """No mapping's users could be read, or nobody is counted anywhere where several clients had users."""
    counting = [change for change in given.plan.changes if change.mapping.counts_users]
    unreadable = [d for change in counting for d in change.doubts if d.rule is Rule.CLIENT_UNREADABLE]
    if unreadable and all(change.quantity.counted is None for change in counting):
        yield Violation(
            rule=Rule.SOURCE_EMPTY,
            name="",
            message=f"INFIMA gives no complete count for any mapping; the first: {unreadable[0].message}",
            remedy="INFIMA does not answer as it should: look into it with `reconciler doctor`, then run again",
            measured=0,
            limit=1,
        )
    emptied = [c for c in counting if c.quantity.counted == 0 and c.live_quantity and not c.mapping.quantity.allow_zero]
    if len(emptied) > 1 and not any(change.quantity.counted for change in counting):
        yield Violation(
            rule=Rule.SOURCE_EMPTY,
            name="",
            message=f"INFIMA counts nobody at all, where {len(emptied)} mappings had users",
            remedy=(
                "several clients do not become empty in one night: look into INFIMA. If it is right, run: "
                f"{allow_command('', Rule.SOURCE_EMPTY)}"
            ),
            measured=0,
            limit=1,
        )


def source_dropped(given: RuleInput) -> Iterator[Violation]:
    """The sum of counts falls too far below what the live quantities came from.

    Counts are compared with counts, not with quantities: a mapping whose rule changed in the reviewed file (more
    included users, a lower maximum) moves its quantity without INFIMA having lost anybody. The earlier count is the
    one that the state remembers, else what the live quantity implies. After a loss of the state nothing is compared,
    and the plan says so: a quantity with a minimum, a maximum or included users is no count.

    Small clients may each lose a third below their own guard. Several at once speak of the source too; those that a
    rule of their own holds already are left to it.
    """
    if given.plan.facts.counts_lost:
        return
    rows = tuple(_compared(given))
    expected, counted = sum(earlier for earlier, _, _ in rows), sum(now for _, now, _ in rows)
    fall, sharp = expected - counted, sum(sharply for _, _, sharply in rows)
    percent = given.limits.max_total_decrease_percent
    if fall > TOTAL_DECREASE_USERS and fall * 100 > percent * expected:
        share = -(-fall * 100 // expected)  # rounded up: what is over the limit must not look like the limit
        yield Violation(
            rule=Rule.SOURCE_DROPPED,
            name="",
            message=(
                f"INFIMA counts {counted} active users where {expected} were expected, new mappings left "
                f"out: {share} % fewer"
            ),
            remedy=(
                "this looks like a source that answers badly; look into INFIMA. If it is right, run: "
                f"{allow_command('', Rule.SOURCE_DROPPED)}"
            ),
            measured=share,
            limit=percent,
        )
    elif sharp >= SHARP_DROP_MAPPINGS and sharp * 100 > SHARP_DROP_PERCENT * len(rows):
        yield Violation(
            rule=Rule.SOURCE_DROPPED,
            name="",
            message=(
                f"{sharp} of {len(rows)} mappings lost a third of their users or more at once, each below its guard"
            ),
            remedy=(
                "people do not leave several clients in one night: look into INFIMA. If it is right, run: "
                f"{allow_command('', Rule.SOURCE_DROPPED)}"
            ),
            measured=sharp * 100 // len(rows),
            limit=SHARP_DROP_PERCENT,
        )


def _compared(given: RuleInput) -> Iterator[tuple[int, int, bool]]:
    """Of each mapping that has an earlier count: that one, tonight's, and whether it fell sharply."""
    for change in given.plan.changes:
        now, before = change.quantity.counted, change.before
        if not change.mapping.counts_users or now is None or before is None or before.count is None:
            continue
        remembered = change.counted_before
        if remembered is None and before.count == 0:
            continue  # a live 0, or what is deleted or inactive, says nothing of an earlier count
        earlier = implied_count(change.mapping.quantity, before.count, now) if remembered is None else remembered
        fell = earlier - now
        yield earlier, now, change.key not in given.stopped and fell >= SHARP_DROP_USERS and fell * 3 >= earlier
