"""The safety rules at their boundaries, what they say, and how each is lifted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import ChangeLimit, Limits, Mapping, QuantityRule, Tenant
from reconciler.planning.changes import Action, Change, Facts, Plan, Violation
from reconciler.planning.quantity import Quantity
from reconciler.planning.rules import Allowance, Doubt, Level, Rule
from reconciler.safety.check import MAPPING_RULES, RUN_RULES, check
from tests.builders import NOW, TENANT, build_change, build_mapping, build_plan

WIDE = Limits(max_decrease=ChangeLimit(users=10, percent=30), max_increase=ChangeLimit(users=50, percent=100))
"""Limits whose boundaries these tests know; the defaults have tests of their own."""

SOURCE_TRUSTED = replace(WIDE, max_total_decrease_percent=100)
DOUBT_RULES = [
    Rule.CLIENT_MISSING, Rule.CLIENT_UNREADABLE, Rule.CUSTOMER_INACTIVE, Rule.NAME_MISMATCH, Rule.SUBSCRIPTION_GONE,
    Rule.MOVED, Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.SAME_NAME, Rule.ATTEMPT_OPEN,
]  # fmt: skip


def update(before: int, after: int, *, counted: int | None = None, key: str = "a", **rule: object) -> Change:
    mapping = build_mapping(key=key, rule=QuantityRule(**rule))  # type: ignore[arg-type]
    return build_change(mapping, before=before, after=after, counted=counted, action=Action.UPDATE)


def doubtful(rule: Rule, key: str = "a") -> Change:
    doubt = Doubt(rule=rule, message=f"what {rule} says", remedy=f"what helps {rule}", measured=2, limit=1)
    return replace(update(12, 13, key=key), doubts=(doubt,))


def judge(*changes: Change, allow: tuple[Allowance, ...] = (), limits: Limits | None = None, **more: object) -> Plan:
    return check(build_plan(*changes, **more), limits or WIDE, allow)


def broken(*changes: Change, **more: object) -> list[Rule]:
    return [v.rule for v in judge(*changes, **more).violations]  # type: ignore[arg-type]


def only_violation(*changes: Change, **more: object) -> Violation:
    [violation] = judge(*changes, **more).violations  # type: ignore[arg-type]
    return violation


def allowance(rule: Rule, key: str | None = None) -> tuple[Allowance, ...]:
    return (Allowance(rule=rule, reason="ticket 4711", key=key),)


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [(3, 52, True), (13, 3, True), (20, 8, True), (10, 5, False), (30, 22, True), (10, 30, False), (40, 61, True)],
)
def test_default_limits_fit_small_clients(before: int, after: int, *, held: bool) -> None:
    assert bool(judge(update(before, after), limits=Limits(max_total_decrease_percent=100)).held) is held


# --- zero ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (update(1, 0), True),
        (update(10, 0), True),
        (update(2, 1), False),
        (update(10, 0, allow_zero=True), False),
        (update(19, 10, counted=0, minimum=10), True),
        (update(19, 10, counted=0, minimum=10, allow_zero=True), False),
        (update(19, 10, counted=1, minimum=10), False),
        (update(10, 0, counted=5, included=5), True),
        (update(11, 1, counted=6, included=5), False),
        (update(0, 10, counted=0, minimum=10), False),
        (update(10, 0, fixed=0), False),
        (replace(update(10, 0), mapping=build_mapping(retired=True)), False),
    ],
)
def test_zero(change: Change, *, found: bool) -> None:
    assert broken(change) == ([Rule.ZERO] if found else [])


def test_zero_says_what_was_seen_and_what_helps() -> None:
    violation = only_violation(update(10, 0, counted=4, included=5))
    assert (violation.name, violation.measured, violation.limit, violation.level) == ("a", 0, 1, Level.MAPPING)
    assert (
        violation.message
        == "INFIMA counts 4 active users, which comes to 0 (active_users); the quantity in HaloPSA is 10"
    )
    assert "quantity: {allow_zero: true}" in violation.remedy
    assert "retired: true" in violation.remedy
    assert "--allow zero:a --reason '...'" in violation.remedy


# --- decrease and increase -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (30, 20, False),  # 10 users are not more than 10
        (30, 19, True),  # 11 users, 36 %
        (40, 28, False),  # exactly 30 %
        (40, 27, True),  # 32.5 %
        (100, 70, False),  # exactly 30 %
        (100, 69, True),
        (36, 25, True),  # 11 users, 30.6 %
        (37, 26, False),  # 11 users, 29.7 %
        (11, 1, False),  # 90 %, but 10 users
        (12, 1, True),
        (12, 13, False),
    ],
)
def test_decrease(before: int, after: int, *, found: bool) -> None:
    assert broken(update(before, after), limits=SOURCE_TRUSTED) == ([Rule.DECREASE] if found else [])


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (10, 60, False),  # 50 users are not more than 50
        (10, 61, True),
        (60, 120, False),  # exactly 100 %
        (60, 121, True),
        (51, 102, False),
        (50, 101, True),
        (0, 50, False),
        (0, 51, True),
        (10, 9, False),
    ],
)
def test_increase(before: int, after: int, *, found: bool) -> None:
    assert broken(update(before, after)) == ([Rule.INCREASE] if found else [])


def test_both_limits_are_those_of_the_file() -> None:
    limits = Limits(max_decrease=ChangeLimit(users=0, percent=0), max_increase=ChangeLimit(users=1, percent=10))
    assert broken(update(10, 9), limits=limits) == [Rule.DECREASE]
    assert broken(update(10, 12), limits=limits) == [Rule.INCREASE]
    assert broken(update(10, 11), limits=limits) == []


def test_a_large_fall_to_nobody_is_a_decrease_as_well() -> None:
    """Lifting `zero` for a run lifts no second rule; only the reviewed file lets a client fall to nobody."""
    assert broken(update(10, 0)) == [Rule.ZERO]
    assert broken(update(11, 0)) == [Rule.ZERO, Rule.DECREASE]
    emptied, other = update(20, 0, allow_zero=True), replace(update(20, 1), mapping=build_mapping(key="b"))
    assert broken(emptied, other, limits=SOURCE_TRUSTED) == [Rule.DECREASE]
    assert broken(update(200, 10, counted=0, minimum=10), limits=SOURCE_TRUSTED) == [Rule.ZERO, Rule.DECREASE]
    lifted = judge(update(20, 0), allow=allowance(Rule.ZERO)).changes[0]
    assert lifted.hold is not None
    assert lifted.hold.rule is Rule.DECREASE
    assert broken(update(20, 0, allow_zero=True)) == []
    assert broken(update(200, 10, counted=0, minimum=10, allow_zero=True), limits=SOURCE_TRUSTED) == []


def test_a_fall_to_nearly_nobody_is_a_decrease_even_where_zero_is_allowed() -> None:
    assert broken(update(20, 1, allow_zero=True)) == [Rule.DECREASE]


@pytest.mark.parametrize("change", [update(20, 1, fixed=1), update(1, 99, fixed=99)])
def test_numbers_of_the_file_have_no_limit(change: Change) -> None:
    assert broken(change) == []


@pytest.mark.parametrize(("before", "found"), [(0, False), (1, True)])
def test_the_first_count_of_what_was_created_at_nobody_is_no_rise(before: int, *, found: bool) -> None:
    change = replace(update(before, 400), awaiting_first_count=True)
    assert broken(change) == ([Rule.INCREASE] if found else [])


def test_decrease_says_what_was_measured() -> None:
    violation = only_violation(update(40, 27))
    assert (violation.name, violation.measured, violation.limit) == ("a", 13, 10)
    assert violation.message == "40 -> 27 is 13 users down (32 %); the limit is more than 10 users and more than 30 %"
    assert "--allow decrease:a --reason '...'" in violation.remedy
    assert "limits.max_decrease" in violation.remedy


def test_increase_says_what_was_measured() -> None:
    violation = only_violation(update(60, 121))
    assert (violation.name, violation.measured, violation.limit) == ("a", 61, 50)
    assert violation.message == "60 -> 121 is 61 users up (101 %); the limit is more than 50 users and more than 100 %"
    assert "--allow increase:a --reason '...'" in violation.remedy
    assert "limits.max_increase" in violation.remedy


def test_an_increase_from_nobody_has_no_percentage() -> None:
    assert "61 users up (from nothing)" in only_violation(update(0, 61)).message


def test_what_is_no_update_breaks_no_limit() -> None:
    create = build_change(subscription=None, after=500)
    unknown = build_change(before=None, after=500, action=Action.UPDATE)
    uncounted = replace(update(500, 499), quantity=Quantity(counted=None, rule="active_users", result=None))
    assert broken(create, unknown, uncounted) == []


# --- doubts become holds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", DOUBT_RULES)
def test_a_doubt_holds_its_mapping(rule: Rule) -> None:
    plan = judge(doubtful(rule), update(12, 13, key="b"))
    [violation] = plan.violations
    assert (violation.rule, violation.name, violation.level) == (rule, "a", Level.MAPPING)
    assert (violation.message, violation.remedy) == (f"what {rule} says", f"what helps {rule}")
    assert (violation.measured, violation.limit, violation.allowed) == (2, 1, None)
    first, second = plan.changes
    assert first.hold is not None
    assert (first.hold.rule, first.hold.message, first.hold.remedy) == (rule, violation.message, violation.remedy)
    assert (second.hold, [c.key for c in plan.writes]) == (None, ["b"])


@pytest.mark.parametrize("rule", [rule for rule in DOUBT_RULES if rule.liftable])
def test_a_person_may_lift_it(rule: Rule) -> None:
    plan = judge(doubtful(rule), doubtful(rule, "b"), allow=allowance(rule, "a"))
    assert [v.allowed for v in plan.violations] == ["ticket 4711", None]
    assert [c.key for c in plan.writes] == ["a"]
    assert plan.allowances == allowance(rule, "a")


@pytest.mark.parametrize("rule", [rule for rule in DOUBT_RULES if not rule.liftable])
def test_nobody_can_lift_what_leaves_no_number_or_no_one_object(rule: Rule) -> None:
    plan = judge(doubtful(rule), allow=(*allowance(rule, "a"), *allowance(rule)))
    assert (plan.writes, plan.violations[0].allowed) == ((), None)


def test_the_first_violation_that_stands_holds() -> None:
    change = replace(doubtful(Rule.NAME_MISMATCH), after=update(40, 20).after, before=update(40, 20).before)
    change = replace(change, quantity=update(40, 20).quantity)
    assert [str(v.rule) for v in judge(change).violations] == ["name-mismatch", "decrease"]
    holding = judge(change).changes[0].hold
    lifted = judge(change, allow=allowance(Rule.NAME_MISMATCH, "a")).changes[0].hold
    both = (*allowance(Rule.NAME_MISMATCH, "a"), *allowance(Rule.DECREASE, "a"))
    assert holding is not None
    assert lifted is not None
    assert (holding.rule, lifted.rule) == (Rule.NAME_MISMATCH, Rule.DECREASE)
    assert judge(change, allow=both).changes[0].hold is None


def test_an_allowance_lifts_one_rule_only() -> None:
    plan = judge(update(40, 28, key="a"), update(40, 27, key="c"), update(5, 0, key="b"), allow=allowance(Rule.ZERO))
    assert [c.key for c in plan.held] == ["c"]


def test_an_earlier_hold_is_judged_anew() -> None:
    held = judge(update(10, 0)).changes[0]
    assert judge(held, allow=allowance(Rule.ZERO)).changes[0].hold is None


# --- state-not-durable -----------------------------------------------------------------------------------------------


def test_a_create_needs_a_state_that_survives() -> None:
    create = build_change(build_mapping(key="new"), subscription=None)
    violation = only_violation(create, update(12, 13), facts=Facts(durable=False))
    assert (violation.rule, violation.name) == (Rule.STATE_NOT_DURABLE, "new")
    assert "a lost answer could then lead to a second Subscription" in violation.message
    assert "--state git:reconciler-state" in violation.remedy
    assert "RECONCILER_STATE" in violation.remedy
    assert broken(create, facts=Facts(durable=True)) == []


# --- source-empty ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found", "refused", "limit"),
    [(0, 0, False, 0), (1, 0, True, 1), (1, 1, False, 1), (4, 1, True, 2), (4, 2, False, 2), (5, 2, True, 3),
     (5, 3, False, 3), (40, 0, True, 20)],
)  # fmt: skip
def test_source_empty(wanted: int, found: int, *, refused: bool, limit: int) -> None:
    plan = judge(update(12, 13), facts=Facts(clients_wanted=wanted, clients_found=found))
    assert plan.refused is refused
    for violation in plan.violations:
        assert (violation.rule, violation.name, violation.measured, violation.limit) == (
            Rule.SOURCE_EMPTY, "", found, limit,
        )  # fmt: skip
        assert violation.message == f"INFIMA lists {found} of the {wanted} mapped clients"
        assert "INFIMA_API_KEY" in violation.remedy
        assert "--allow source-empty --reason '...'" in violation.remedy


# --- source-dropped --------------------------------------------------------------------------------------------------


def many(number: int, before: int, after: int, **more: object) -> list[Change]:
    return [replace(update(before, after, key=f"k{n:03}"), **more) for n in range(number)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        (many(10, 10, 8), False),  # 20 users, exactly 20 %
        ([*many(9, 10, 8), update(10, 7)], True),  # 21 users of 100
        ([*many(9, 11, 9), update(6, 3)], False),  # 21 users of 105 are exactly 20 %
        ([*many(9, 11, 9), update(5, 2)], True),  # 21 users of 104
        (many(2, 20, 10), False),  # half of all, but 20 users
        (many(10, 10, 12), False),
    ],
)
def test_source_dropped(changes: list[Change], *, refused: bool) -> None:
    assert judge(*changes).refused is refused


def test_source_dropped_says_what_was_expected() -> None:
    violation = judge(*many(10, 10, 7)).violations[0]
    assert (violation.rule, violation.name, violation.measured, violation.limit) == (Rule.SOURCE_DROPPED, "", 30, 20)
    assert (
        violation.message == "INFIMA counts 70 active users where 100 were expected, new mappings left out: 30 % fewer"
    )
    assert "--allow source-dropped --reason '...'" in violation.remedy


def test_a_live_zero_makes_up_for_nobody_who_was_lost() -> None:
    """A row that bills nobody yet, or no more, says nothing of an earlier count: its users are no gain."""
    silent = [replace(c, mapping=build_mapping(key=f"n{n}")) for n, c in enumerate(many(2, 0, 15))]
    assert judge(*many(10, 10, 7), *silent).refused


def test_its_percentage_is_that_of_the_file() -> None:
    assert judge(*many(10, 10, 7), limits=Limits(max_total_decrease_percent=30)).refused is False


def test_the_remembered_count_is_what_is_expected() -> None:
    """A new rule in the file moves quantities without INFIMA having lost anybody."""
    shrunk = [replace(c, counted_before=40) for c in many(10, 40, 20)]
    stable = [replace(c, quantity=Quantity(counted=40, rule="", result=20)) for c in shrunk]
    assert judge(*shrunk).refused
    assert not judge(*stable).refused


def test_a_count_that_a_person_raised_in_halo_is_no_drop() -> None:
    assert not judge(*many(10, 40, 20, counted_before=20)).refused


def test_a_remembered_zero_is_a_count() -> None:
    assert not judge(*many(10, 40, 20, counted_before=0)).refused


def test_without_memory_the_live_quantity_tells() -> None:
    included = [update(10, 2, counted=7, key=f"k{n}", included=5) for n in range(10)]
    assert [str(v.rule) for v in judge(*included).refusals] == ["source-dropped"]
    minimum = [update(30, 10, counted=n, key=f"k{n}", minimum=10) for n in range(1, 9)]
    assert judge(*minimum).refused
    rule = QuantityRule(minimum=30)
    at_minimum = [build_change(build_mapping(key=f"k{n}", rule=rule), before=30, after=30, counted=1) for n in range(9)]
    assert not judge(*at_minimum).refused


def uncounted(change: Change) -> Change:
    return replace(change, quantity=Quantity(counted=None, rule="", result=None), action=Action.NO_OP)


@pytest.mark.parametrize(
    "absent",
    [
        [uncounted(c) for c in many(10, 40, 0)],
        [update(40, 1, counted=1, key=f"k{n}", fixed=1) for n in range(10)],
        [replace(c, mapping=build_mapping(key=c.key, retired=True)) for c in many(10, 40, 0)],
        [replace(c, before=None) for c in many(10, 40, 1)],
        [build_change(build_mapping(key=f"k{n}"), before=None, after=1, action=Action.UPDATE) for n in range(10)],
    ],
)
def test_what_was_not_counted_is_on_neither_side(absent: list[Change]) -> None:
    assert Rule.SOURCE_DROPPED not in broken(*absent)
    assert judge(*absent, *(replace(c, mapping=build_mapping(key=f"z{c.key}")) for c in many(10, 10, 7))).refused


def test_held_changes_speak_of_the_source_too() -> None:
    """A client that dropped to nobody is held, and still a sign that INFIMA answers badly."""
    plan = judge(*many(10, 10, 0), update(9, 9, key="z"))
    assert [str(v.rule) for v in plan.refusals] == ["source-dropped"]
    assert len(plan.held) == 10


def unread(key: str) -> Change:
    return replace(
        doubtful(Rule.CLIENT_UNREADABLE, key), quantity=Quantity(counted=None, result=None, rule="active_users")
    )


def test_a_source_that_gives_no_count_at_all_is_refused_and_no_night_like_others() -> None:
    plan = judge(unread("a"), unread("b"))
    assert [(str(v.rule), v.measured) for v in plan.refusals] == [("source-empty", 0)]
    assert "reconciler doctor" in plan.refusals[0].remedy
    assert judge(unread("a"), update(1, 1, key="b")).refusals == ()


def test_nobody_anywhere_is_an_answer_of_the_source_and_not_of_its_clients() -> None:
    assert [str(v.rule) for v in judge(update(3, 0), update(2, 0, key="b")).refusals] == ["source-empty"]
    assert judge(update(3, 0)).refusals == ()
    assert judge(update(3, 0), update(2, 0, key="b"), update(1, 1, key="c")).refusals == ()
    assert judge(update(3, 0, allow_zero=True), update(2, 0, key="b")).refusals == ()


# --- many-creates ----------------------------------------------------------------------------------------------------


def creates(number: int) -> list[Change]:
    return [build_change(build_mapping(key=f"n{n:02}"), subscription=None) for n in range(number)]


@pytest.mark.parametrize(("number", "refused"), [(0, False), (19, False), (20, False), (21, True)])
def test_many_creates(number: int, *, refused: bool) -> None:
    plan = judge(*creates(number), update(12, 13))
    assert plan.refused is refused
    for violation in plan.violations:
        assert (violation.rule, violation.name, violation.measured, violation.limit) == (
            Rule.MANY_CREATES, "", number, 20,
        )  # fmt: skip
        assert violation.message == "21 Subscriptions would be created, the limit is 20"
        assert "--allow many-creates --reason '...'" in violation.remedy
        assert "limits.max_creates" in violation.remedy


def test_a_held_create_does_not_count() -> None:
    held = [replace(c, doubts=doubtful(Rule.SAME_NAME).doubts) for c in creates(5)]
    free = [build_change(build_mapping(key=f"f{n:02}"), subscription=None) for n in range(20)]
    assert not judge(*held, *free).refused
    assert judge(*held, *free, allow=allowance(Rule.SAME_NAME, "n00")).refused


# --- wrong-tenant ----------------------------------------------------------------------------------------------------

OTHERS = [
    Tenant(halo_url="https://other.example", infima_partner=TENANT.infima_partner),
    Tenant(halo_url=TENANT.halo_url, infima_partner="Other MSP"),
]


@pytest.mark.parametrize("known", OTHERS)
def test_the_state_of_another_tenant(known: Tenant) -> None:
    violation = only_violation(facts=Facts(recorded_tenant=known))
    assert (violation.rule, violation.name) == (Rule.WRONG_TENANT, "")
    assert f"the state belongs to {known.halo_url} and INFIMA partner {known.infima_partner!r}" in violation.message
    assert f"this run reads {TENANT.halo_url} and {TENANT.infima_partner!r}" in violation.message
    assert "--allow wrong-tenant --reason '...'" in violation.remedy


@pytest.mark.parametrize("known", [None, TENANT])
def test_the_right_tenant(known: Tenant | None) -> None:
    assert broken(facts=Facts(recorded_tenant=known)) == []


@pytest.mark.parametrize(
    ("bindings", "found", "refused"), [(0, 0, False), (2, 0, False), (3, 0, True), (3, 1, False), (40, 0, True)]
)
def test_all_recorded_ids_vanished_at_once(bindings: int, found: int, *, refused: bool) -> None:
    plan = judge(facts=Facts(bindings=bindings, bindings_found=found))
    assert plan.refused is refused
    for violation in plan.violations:
        assert (violation.rule, violation.measured, violation.limit) == (Rule.WRONG_TENANT, 0, bindings)
        assert f"none of the {bindings} recorded Subscriptions" in violation.message
        assert "--allow wrong-tenant" in violation.remedy


def test_another_tenant_is_said_once() -> None:
    assert broken(facts=Facts(recorded_tenant=OTHERS[0], bindings=9)) == [Rule.WRONG_TENANT]


# --- halo-unfit ------------------------------------------------------------------------------------------------------


def test_a_halo_that_a_probe_found_unfit_is_written_by_nobody() -> None:
    facts = Facts(unfit=("an update of the quantity changes notes besides",), probed_at=NOW)
    plan = check(build_plan(update(1, 2), facts=facts), WIDE, allowance(Rule.HALO_UNFIT))
    assert (plan.refused, plan.writes) == (True, ())
    (violation,) = plan.refusals
    assert violation.rule is Rule.HALO_UNFIT
    assert "changes notes besides" in violation.message
    assert "reconciler probe --customer ID" in violation.remedy
    assert "--allow" not in violation.remedy


def test_a_halo_without_a_complaint_is_written() -> None:
    assert broken(facts=Facts(probed_at=NOW)) == []


# --- the whole -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "plan"),
    [
        (Rule.SOURCE_EMPTY, build_plan(update(1, 2), facts=Facts(clients_wanted=4))),
        (Rule.SOURCE_DROPPED, build_plan(*many(30, 10, 7))),
        (Rule.MANY_CREATES, build_plan(*creates(21))),
        (Rule.WRONG_TENANT, build_plan(update(1, 2), facts=Facts(bindings=3))),
    ],
)
def test_a_run_rule_is_lifted_by_name_and_never_by_key(rule: Rule, plan: Plan) -> None:
    assert check(plan, WIDE).writes == ()
    assert check(plan, WIDE, allowance(rule, "a")).refused
    lifted = check(plan, WIDE, allowance(rule))
    assert lifted.writes
    assert [v.allowed for v in lifted.violations] == ["ticket 4711"]


def test_all_violations_are_shown_together_run_level_first() -> None:
    plan = judge(
        update(40, 20, key="a"),
        update(9, 0, key="b"),
        update(9, 99, key="c"),
        doubtful(Rule.MOVED, "d"),
        *creates(21),
        facts=Facts(clients_wanted=9, durable=False, bindings=3),
        allow=allowance(Rule.STATE_NOT_DURABLE),
    )
    assert [str(v.rule) for v in plan.violations if v.rule is not Rule.STATE_NOT_DURABLE] == [
        "source-empty", "many-creates", "wrong-tenant", "moved", "zero", "decrease", "increase",
    ]  # fmt: skip
    assert [c.key for c in plan.held] == ["a", "b", "c", "d"]


def test_a_plan_in_order_stays_as_it_is() -> None:
    plan = build_plan(update(12, 13), build_change(build_mapping(key="b"), subscription=None))
    assert check(plan, WIDE) == plan


def test_every_rule_function_is_in_use() -> None:
    assert [rule.__name__ for rule in (*MAPPING_RULES, *RUN_RULES)] == [
        "doubtful", "to_zero", "decreases", "increases", "amount_decreases", "amount_increases", "non_durable_state",
        "source_empty", "source_dropped", "many_creates", "wrong_tenant", "halo_unfit", "amounts_drop", "amounts_rise",
    ]  # fmt: skip


def test_of_two_allowances_the_first_gives_the_reason() -> None:
    reasons = (Allowance(rule=Rule.ZERO, reason="one", key="a"), Allowance(rule=Rule.ZERO, reason="two"))
    assert only_violation(update(9, 0), allow=reasons).allowed == "one"


def test_the_mapping_keeps_all_else() -> None:
    mapping: Mapping = build_mapping(key="a")
    change = build_change(mapping, before=9, after=0, action=Action.UPDATE)
    assert replace(judge(change).changes[0], hold=None) == change


def test_a_count_of_nobody_is_said_in_words() -> None:
    assert only_violation(update(10, 0)).message.startswith("INFIMA counts nobody")
    assert only_violation(update(10, 0, counted=1, included=5)).message.startswith(
        "INFIMA counts 1 active users, which"
    )


def test_two_rules_on_one_change_get_one_whole_command_for_both() -> None:
    plan = judge(update(20, 0))
    command = "reconciler apply --allow zero:a --allow decrease:a --reason '...'"
    assert [command in v.remedy for v in plan.violations] == [True, True]
    assert plan.changes[0].hold is not None
    assert command in plan.changes[0].hold.remedy


def test_the_command_keeps_what_was_lifted_already() -> None:
    plan = judge(update(20, 0), allow=allowance(Rule.ZERO, "a"))
    hold = plan.changes[0].hold
    assert hold is not None
    assert "reconciler apply --allow zero:a --allow decrease:a --reason '...'" in hold.remedy


def test_rules_of_other_mappings_do_not_get_into_the_command() -> None:
    other = replace(update(20, 0), mapping=build_mapping(key="b"))
    plan = judge(update(20, 0), other, limits=SOURCE_TRUSTED)
    assert all("zero:a --allow" not in v.remedy for v in plan.violations if v.name == "b")
    assert sum("--allow zero:b --allow decrease:b" in v.remedy for v in plan.violations) == 2
