"""Performing a plan: what a saved plan takes away, the second look at zero, bindings, and an outcome for everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.errors import ApiError, Interrupted, RequestForbidden, StateError
from reconciler.events import PhaseFinished, PhaseStarted, WriteSettled
from reconciler.model import HaloCustomerId, MappingKey, QuantityRule, SubscriptionId
from reconciler.planning.changes import Action, Change, Outcome, Plan, PlannedRow, Violation
from reconciler.planning.rules import Doubt, Rule
from reconciler.state.recorded import BindingOrigin
from tests.builders import (
    TENANT,
    build_change,
    build_hold,
    build_mapping,
    build_plan,
    build_subscription,
)
from tests.core import build_attempt, build_binding, build_recorded
from tests.fakes import (
    UNREACHABLE,
    FakeTarget,
    Rows,
    Scene,
    accepted,
    creates,
    fail,
    message_of,
    outcomes,
    posts,
    unclear,
)

A, B = MappingKey("a"), MappingKey("b")


def update(key: str = "a", subscription: int = 1, before: int = 10, after: int = 15, **more: object) -> Change:
    rule = more.pop("rule", None)
    mapping = build_mapping(key=key, rule=rule)  # type: ignore[arg-type]
    change = build_change(mapping, subscription=subscription, before=before, after=after, action=Action.UPDATE)
    return replace(change, **more)  # type: ignore[arg-type]


def scene(*numbers: int, recorded: object = None) -> Scene:
    rows = [build_subscription(n, count=10) for n in numbers or (1, 2)]
    return Scene(*rows, recorded=recorded)  # type: ignore[arg-type]


def refused(*changes: Change) -> Plan:
    violation = Violation(rule=Rule.SOURCE_EMPTY, name="", message="INFIMA lists nobody", remedy="look")
    return build_plan(*changes, violations=(violation,))


# --- an outcome for every change -------------------------------------------------------------------------------------


def test_every_change_has_an_outcome_and_the_observer_hears_of_each() -> None:
    stage = scene(1, 2, 3, 4)
    held = update("c", 3, hold=build_hold())
    same = build_change(build_mapping(key="d"), subscription=4, before=10, after=10)
    applied = stage.apply(build_plan(update(), update("b", 2), held, same))
    assert outcomes(applied) == {"a": "applied", "b": "applied", "c": "held", "d": "unchanged"}
    told = {e.key: e.outcome for e in stage.events if isinstance(e, WriteSettled)}
    assert told == outcomes(applied)
    assert applied.count(Outcome.APPLIED) == 2


def test_a_held_change_says_why_and_is_not_written() -> None:
    stage = scene(1)
    applied = stage.apply(build_plan(update(hold=build_hold(message="the count fell to 0"))))
    settled = applied.outcomes[A]
    assert (settled.outcome, settled.message, settled.subscription_id) == ("held", "the count fell to 0", 1)
    assert stage.target.sent == []


def test_an_unchanged_one_names_its_subscription() -> None:
    change = build_change(build_mapping(key="a"), subscription=4, before=10, after=10)
    retired = build_change(build_mapping(key="b", retired=True), subscription=None, after=None, action=Action.NO_OP)
    applied = scene(4).apply(build_plan(change, retired))
    assert outcomes(applied) == {"a": "unchanged", "b": "unchanged"}
    assert [applied.outcomes[key].subscription_id for key in (A, B)] == [4, None]


def test_a_refused_plan_writes_and_records_nothing() -> None:
    stage = scene(1)
    applied = stage.apply(refused(update(), update("b", 2, hold=build_hold()), *creates("c").changes))
    assert (stage.target.sent, stage.target.listings, stage.state.log) == ([], 0, [])
    assert outcomes(applied) == {"a": "held", "b": "held", "c": "held"}
    assert message_of(applied, "a") == "the run is refused: INFIMA lists nobody"
    assert message_of(applied, "b") == "the count fell to 0"


def test_a_refused_plan_leaves_the_unchanged_unchanged() -> None:
    same = build_change(build_mapping(key="a"), subscription=4, before=7, after=7)
    assert outcomes(scene(1).apply(refused(same))) == {"a": "unchanged"}


def test_updates_go_before_creates() -> None:
    stage = scene(1)
    applied = stage.apply(build_plan(update("z"), *creates("a").changes))
    assert [sorted(rows[0]) for rows in stage.target.sent] == [
        ["count", "id"], ["client_id", "count", "key", "name"], ["count", "id"],
    ]  # fmt: skip
    assert applied.created == 1


def test_created_counts_only_what_was_verified() -> None:
    stage = scene(1)
    stage.target.answers = [unclear()]
    assert stage.apply(creates("a")).created == 0


def test_the_phases_are_told() -> None:
    stage = scene(1)
    stage.apply(build_plan(update()))
    told = [(type(e).__name__, e.phase) for e in stage.events if isinstance(e, PhaseStarted | PhaseFinished)]
    assert told == [
        ("PhaseStarted", "Setting quantities"), ("PhaseFinished", "Setting quantities"),
        ("PhaseStarted", "Verifying"), ("PhaseFinished", "Verifying"),
    ]  # fmt: skip


def test_nothing_to_do_tells_nothing() -> None:
    stage = scene(1)
    stage.apply(build_plan(build_change(build_mapping(key="a"), subscription=1, before=10, after=10)))
    assert not [e for e in stage.events if isinstance(e, PhaseStarted)]


def test_what_needed_no_write_and_moved_meanwhile_is_stale() -> None:
    stage = scene(1, 2)
    same = build_change(build_mapping(key="b"), subscription=2, before=10, after=10)
    stage.target.before_listing[1] = lambda: stage.target.edit(2, count=77)
    applied = stage.apply(build_plan(update(), same))
    assert outcomes(applied) == {"a": "applied", "b": "stale"}
    assert message_of(applied, "b") == "changed during the run: count 10 -> 77; the next run decides anew"


# --- a saved plan takes writes away ----------------------------------------------------------------------------------


def row(**instead: object) -> PlannedRow:
    members: dict[str, object] = {
        "key": A, "action": Action.UPDATE, "subscription_id": SubscriptionId(1), "before": 10, "after": 15,
        "customer_id": HaloCustomerId(12),
    }  # fmt: skip
    return PlannedRow(**(members | instead))  # type: ignore[arg-type]


def test_what_stands_in_both_is_performed() -> None:
    stage = scene(1)
    assert outcomes(stage.apply(build_plan(update()), agreed={A: row()})) == {"a": "applied"}


@pytest.mark.parametrize(
    ("agreed", "words"),
    [
        ({}, "the saved plan has no such row"),
        ({A: row(hold=Rule.ZERO)}, "the saved plan holds it"),
        ({A: row(after=14)}, "new quantity 14 -> 15"),
        ({A: row(before=9)}, "live quantity 9 -> 10"),
        ({A: row(subscription_id=SubscriptionId(2))}, "subscription 2 -> 1"),
        ({A: row(customer_id=HaloCustomerId(13))}, "customer 13 -> 12"),
        ({A: row(action=Action.CREATE, subscription_id=None, before=None)}, "action create -> update"),
    ],
)
def test_what_moved_since_is_stale_and_said(agreed: dict[MappingKey, PlannedRow], words: str) -> None:
    stage = scene(1)
    applied = stage.apply(build_plan(update()), agreed=agreed)
    settled = applied.outcomes[A]
    assert (settled.outcome, settled.subscription_id, stage.target.sent) == ("stale", 1, [])
    assert settled.message.startswith("not what the saved plan shows: ")
    assert words in settled.message


def test_a_saved_create_is_performed() -> None:
    agreed = {A: row(action=Action.CREATE, subscription_id=None, before=None, after=7, customer_id=HaloCustomerId(21))}
    assert outcomes(scene(1).apply(creates("a"), agreed=agreed)) == {"a": "applied"}


def test_a_create_that_was_saved_as_an_update_is_stale() -> None:
    applied = scene(1).apply(creates("a"), agreed={A: row()})
    assert outcomes(applied) == {"a": "stale"}


def test_a_saved_plan_adds_no_write() -> None:
    """A row that needs nothing any more, or is held today, is not written because a file says so."""
    stage = scene(1, 2)
    same = build_change(build_mapping(key="a"), subscription=1, before=10, after=10)
    held = update("b", 2, hold=build_hold())
    applied = stage.apply(build_plan(same, held), agreed={A: row(), B: row(subscription_id=SubscriptionId(2))})
    assert (outcomes(applied), stage.target.sent) == ({"a": "unchanged", "b": "held"}, [])


def test_an_empty_saved_plan_allows_nothing() -> None:
    stage = scene(1)
    assert outcomes(stage.apply(build_plan(update()), agreed={})) == {"a": "stale"}


# --- after a person confirmed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("confirmed", "listings"), [(False, 1), (True, 2)])
def test_after_a_confirmation_subscriptions_are_listed_again(*, confirmed: bool, listings: int) -> None:
    stage = scene(1)
    stage.apply(build_plan(update()), confirmed=confirmed)
    assert stage.target.listings == listings


def test_with_nothing_to_write_a_confirmation_lists_nothing() -> None:
    stage = scene(1)
    stage.apply(build_plan(update(hold=build_hold())), confirmed=True)
    assert stage.target.listings == 0


# --- the second look at zero -----------------------------------------------------------------------------------------


def to_zero(key: str = "a", subscription: int = 1, counted: int = 0, **rule: int) -> Change:
    change = update(key, subscription, after=0, rule=QuantityRule(allow_zero=True, **rule))  # type: ignore[arg-type]
    return replace(change, quantity=replace(change.quantity, counted=counted))


def test_a_zero_that_a_second_read_confirms_is_written() -> None:
    stage = scene(1)
    stage.second_counts = {"a": 0}
    assert outcomes(stage.apply(build_plan(to_zero()))) == {"a": "applied"}
    assert stage.counts() == {1: 0}


@pytest.mark.parametrize(
    ("second", "words"), [({"a": 9}, "gave 9"), ({"a": None}, "could not be read"), ({}, "could not be read")]
)
def test_a_zero_that_a_second_read_does_not_confirm_is_held(second: dict[str, int | None], words: str) -> None:
    stage = scene(1, 2)
    stage.second_counts = second
    applied = stage.apply(build_plan(to_zero(), update("b", 2)))
    assert (outcomes(applied), stage.counts()) == ({"a": "held", "b": "applied"}, {1: 10, 2: 15})
    assert message_of(applied, "a") == (
        f"INFIMA counted 0 active users, and a second read {words}; nothing was written. "
        "Look into INFIMA, then run again"
    )
    assert applied.outcomes[A].subscription_id == 1


@pytest.mark.parametrize(("second", "outcome"), [(4, "applied"), (0, "held"), (9, "held")])
def test_a_quantity_of_zero_through_included_users_is_looked_at_twice(second: int, outcome: str) -> None:
    stage = scene(1)
    stage.second_counts = {"a": second}
    applied = stage.apply(build_plan(to_zero(counted=4, included=5)))
    assert outcomes(applied) == {"a": outcome}
    assert outcome == "applied" or "INFIMA counted 4 active users" in message_of(applied, "a")


def test_a_count_of_zero_at_a_minimum_is_looked_at_twice() -> None:
    stage = scene(1)
    change = update(after=3, rule=QuantityRule(allow_zero=True, minimum=3))
    change = replace(change, quantity=replace(change.quantity, counted=0))
    stage.second_counts = {"a": 8}
    assert outcomes(stage.apply(build_plan(change))) == {"a": "held"}


def test_only_falls_to_nobody_are_read_again() -> None:
    stage = scene(1, 2, 3, 4)
    retired = build_change(build_mapping(key="c", retired=True), subscription=3, before=10, after=0, counted=0)
    fixed = build_change(build_mapping(key="d", rule=QuantityRule(fixed=0)), subscription=4, before=10, after=0)
    stage.second_counts = {"a": 0}
    applied = stage.apply(build_plan(to_zero(), update("b", 2), retired, fixed, *creates("e", to=0).changes))
    assert stage.recounted == ["a"]
    assert set(outcomes(applied).values()) == {"applied"}


def test_without_a_fall_nothing_is_read_again() -> None:
    stage = scene(1)
    stage.apply(build_plan(update()))
    assert stage.recounted == []


# --- bindings --------------------------------------------------------------------------------------------------------


def test_what_file_or_marker_found_is_bound() -> None:
    stage = scene(1, 2)
    named = update("b", 2, origin=BindingOrigin.FILE)
    stage.apply(build_plan(update(origin=BindingOrigin.MARKER, awaiting_first_count=True), named))
    found = stage.state.steps("record_bindings")[0]
    assert [(b.key, b.subscription_id, b.customer_id, b.origin) for b in found] == [
        ("a", 1, 12, BindingOrigin.MARKER), ("b", 2, 12, BindingOrigin.FILE),
    ]  # fmt: skip
    assert [b.awaiting_first_count for b in found] == [True, False]
    assert {b.bound_at for b in found} == {stage.clock.now()}


def test_what_is_in_step_is_bound_with_its_count() -> None:
    stage = scene(1)
    stage.apply(build_plan(build_change(build_mapping(key="a"), subscription=1, before=10, after=10)))
    bound = stage.state.recorded.bindings[A]
    assert (bound.subscription_id, bound.origin, bound.last_counted) == (1, BindingOrigin.MARKER, 10)


def test_what_is_bound_already_is_not_bound_again() -> None:
    stage = scene(
        1, recorded=build_recorded(replace(build_binding(1, "a", last_counted=15), last_quantity=15), tenant=TENANT)
    )
    stage.apply(build_plan(update()))
    assert stage.state.steps("record_bindings") == []


def test_a_confirmed_count_is_remembered() -> None:
    stage = scene(1, recorded=build_recorded(build_binding(1, "a", awaiting=True, last_counted=4)))
    stage.apply(build_plan(update()))
    bound = stage.state.recorded.bindings[A]
    assert (bound.last_counted, bound.awaiting_first_count) == (15, False)


@pytest.mark.parametrize("rule", [QuantityRule(fixed=15), QuantityRule()])
def test_a_number_from_the_file_is_no_count(rule: QuantityRule) -> None:
    stage = scene(1, recorded=build_recorded(build_binding(1, "a", last_counted=4)))
    change = update(rule=rule)
    retired = replace(change.mapping, retired=rule.fixed is None)
    stage.apply(build_plan(replace(change, mapping=retired)))
    assert stage.state.recorded.bindings[A].last_counted == 4


def test_what_was_not_confirmed_is_not_remembered() -> None:
    stage = scene(1, recorded=build_recorded(build_binding(1, "a", awaiting=True, last_counted=4)))
    stage.target.answers = [unclear(), unclear()]
    stage.apply(build_plan(update()))
    bound = stage.state.recorded.bindings[A]
    assert (bound.last_counted, bound.awaiting_first_count) == (4, True)


@pytest.mark.parametrize(
    "rule", [Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.SUBSCRIPTION_GONE, Rule.MOVED, Rule.SAME_NAME]
)
def test_a_doubtful_identity_is_not_bound(rule: Rule) -> None:
    stage = scene(1)
    doubt = Doubt(rule=rule, message="m", remedy="r")
    stage.apply(build_plan(update(doubts=(doubt,), hold=build_hold(rule))))
    assert stage.state.recorded.bindings == {}


def test_a_doubtful_number_does_not_hinder_the_binding() -> None:
    stage = scene(1)
    doubt = Doubt(rule=Rule.CLIENT_UNREADABLE, message="m", remedy="r")
    stage.apply(build_plan(update(doubts=(doubt,), hold=build_hold(Rule.CLIENT_UNREADABLE))))
    assert stage.state.recorded.bindings[A].last_counted is None


def test_binding_what_an_attempt_made_closes_the_attempt() -> None:
    stage = scene(1, recorded=build_recorded(attempts=[build_attempt("a")]))
    stage.apply(build_plan(update(awaiting_first_count=True)))
    assert stage.state.recorded.attempts == {}
    assert list(stage.state.recorded.bindings) == ["a"]


def test_a_subscription_without_customer_is_not_bound() -> None:
    change = update()
    assert change.before is not None
    stage = scene(1)
    stage.apply(build_plan(replace(change, before=replace(change.before, customer_id=None), hold=build_hold())))
    assert stage.state.recorded.bindings == {}


def test_the_tenant_is_recorded_before_the_first_write() -> None:
    stage = scene(1)
    stage.apply(build_plan(update()))
    assert [name for name, _ in stage.state.log][:3] == ["record_ground", "record_bindings", "intend"]
    assert stage.state.recorded.tenant == TENANT


# --- what goes wrong around the writes -------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [("record_ground", 1), ("record_bindings", 1)])
def test_a_state_that_takes_no_record_before_the_first_request_is_an_error(call: tuple[str, int]) -> None:
    stage = scene(1)
    stage.state.failing = {call}
    with pytest.raises(StateError, match=f"the disk is full at {call[0]}"):
        stage.apply(build_plan(update()))
    assert stage.target.sent == []


def test_an_intent_that_cannot_be_written_stops_the_run_before_the_request() -> None:
    stage = scene(1)
    stage.state.failing = {("intend", 1)}
    applied = stage.apply(build_plan(update()))
    assert (stage.target.sent, outcomes(applied)) == ([], {"a": "failed"})
    assert message_of(applied, "a") == "not attempted: the disk is full at intend"
    assert applied.outcomes[A].subscription_id == 1
    assert isinstance(applied.error, StateError)


def test_an_outcome_that_cannot_be_journaled_stops_what_follows() -> None:
    stage = Scene(*(build_subscription(n, count=10) for n in (1, 2)), batch=1)
    stage.state.failing = {("conclude", 1)}
    applied = stage.apply(build_plan(update(), update("b", 2)))
    assert outcomes(applied) == {"a": "applied", "b": "failed"}
    assert message_of(applied, "b") == ("not attempted: the disk is full at conclude")
    assert len(stage.target.sent) == 1


def test_a_confirmed_count_that_cannot_be_recorded_is_an_error_after_the_fact() -> None:
    stage = scene(1)
    stage.state.failing = {("record_bindings", 2)}
    applied = stage.apply(build_plan(update()))
    assert (outcomes(applied), stage.counts()[1]) == ({"a": "applied"}, 15)
    assert isinstance(applied.error, StateError)


def test_of_two_errors_the_first_is_told() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = fail(UNREACHABLE)
    stage.target.before_listing[2] = fail(ApiError("again"))
    stage.target.answers = [unclear()]
    assert stage.apply(build_plan(update())).error is UNREACHABLE


def test_a_listing_after_the_confirmation_that_fails_writes_nothing() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = fail(UNREACHABLE)
    applied = stage.apply(build_plan(update(), *creates("b").changes), confirmed=True)
    assert (stage.target.sent, outcomes(applied), applied.error) == ([], {"a": "failed", "b": "failed"}, UNREACHABLE)
    assert message_of(applied, "b") == "not attempted: HaloPSA is not there"


def test_an_interrupted_second_look_writes_nothing() -> None:
    stage = scene(1)
    stage.before_recount = fail(Interrupted("stop"))
    applied = stage.apply(build_plan(to_zero()))
    assert (stage.target.sent, message_of(applied, "a")) == ([], "not attempted: stop")
    assert isinstance(applied.error, Interrupted)


def test_a_forbidden_request_is_told_and_what_went_before_is_verified() -> None:
    """A bug elsewhere must not take away what is known of the writes before it."""

    def forbidden(_target: FakeTarget, _rows: Rows) -> object:
        raise RequestForbidden("not on the list")

    stage = Scene(*(build_subscription(n, count=10) for n in (1, 2)), batch=1)
    stage.target.answers = [accepted, forbidden]  # type: ignore[list-item]
    applied = stage.apply(build_plan(update(), update("b", 2)))
    assert outcomes(applied) == {"a": "applied", "b": "failed"}
    assert isinstance(applied.error, RequestForbidden)


def test_a_create_that_was_not_reached_is_not_attempted() -> None:
    stage = scene(1)
    stage.target.answers = [unclear()]
    stage.target.before_listing[1] = fail(UNREACHABLE)
    applied = stage.apply(build_plan(update("z"), *creates("a").changes))
    assert (posts(stage.target), outcomes(applied)) == ([], {"z": "unknown", "a": "failed"})


def test_two_updates_of_one_key_never_happen() -> None:
    """A stale row of a saved plan and a held zero are out of the way before the first batch."""
    stage = scene(1, 2)
    stage.second_counts = {"b": 5}
    agreed = {B: row(subscription_id=SubscriptionId(2), after=0)}
    applied = stage.apply(build_plan(update(), to_zero("b", 2)), agreed=agreed)
    assert (outcomes(applied), stage.target.sent) == ({"a": "stale", "b": "held"}, [])
