"""The create protocol: recorded before it is sent, sent once, found, bound, and only then counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.events import Noticed, PhaseAdvanced, PhaseFinished, PhaseStarted, Waiting
from reconciler.model import MappingKey, MarkerField, RequestBudget, RunId, SubscriptionId
from reconciler.providers.base import Accepted
from reconciler.state.recorded import Attempt, BindingOrigin
from tests.builders import TEMPLATE, build_change, build_mapping, build_plan, build_subscription
from tests.clock import START
from tests.core import build_attempt, build_binding, build_recorded
from tests.fakes import (
    Answer,
    FakeTarget,
    Rows,
    Scene,
    accepted,
    accepted_without_id,
    creates,
    late,
    message_of,
    outcomes,
    posts,
    refused,
    slow,
    unclear,
)

# --- the good way ----------------------------------------------------------------------------------------------------


def test_a_create_is_posted_at_nobody_bound_and_then_counted() -> None:
    stage = Scene()
    applied = stage.apply(creates("a"))
    assert stage.target.sent == [
        [{"client_id": 21, "name": TEMPLATE, "key": "a", "count": 0}],
        [{"id": 9101, "count": 7}],
    ]
    assert (outcomes(applied), applied.created, applied.error) == ({"a": "applied"}, 1, None)
    assert stage.counts() == {9101: 7}
    assert applied.outcomes[MappingKey("a")].subscription_id == 9101


def test_each_step_is_durable_before_the_next() -> None:
    stage = Scene()
    stage.apply(creates("a"))
    assert [name for name, _ in stage.state.log] == [
        "record_ground", "record_attempts", "intend", "conclude", "record_bindings", "intend", "conclude",
        "record_bindings",
    ]  # fmt: skip
    first, second = stage.state.intents
    assert (first.number, first.kind, second.number, second.kind) == (1, "create", 2, "set-counts")
    [entry] = first.entries
    assert (entry.key, entry.subscription_id, entry.before, entry.after) == ("a", None, None, 0)


def test_the_attempt_says_what_is_sent_and_by_whom() -> None:
    stage = Scene()
    stage.apply(creates("a"))
    [[attempt]] = stage.state.steps("record_attempts")
    assert attempt == Attempt(
        key=MappingKey("a"), generation=1, run=RunId("run-1"), nonce="nonce-1",
        customer_id=build_mapping(customer=21).halo_customer.id, subscription_name=TEMPLATE, recorded_at=START,
    )  # fmt: skip


def test_the_binding_awaits_its_first_count_until_that_is_read_back() -> None:
    stage = Scene()
    stage.apply(creates("a"))
    [created], [confirmed] = stage.state.steps("record_bindings")
    assert (created.subscription_id, created.customer_id, created.origin) == (9101, 21, BindingOrigin.CREATED)
    assert (created.awaiting_first_count, created.last_counted, created.bound_at) == (True, None, START)
    assert (confirmed.awaiting_first_count, confirmed.last_counted) == (False, 7)
    assert stage.state.recorded.attempts == {}


def test_a_client_without_users_is_created_and_left_at_nobody() -> None:
    stage = Scene()
    applied = stage.apply(creates("a", to=0))
    assert (posts(stage.target), len(stage.target.sent), outcomes(applied)) == (["a"], 1, {"a": "applied"})
    assert stage.state.recorded.bindings[MappingKey("a")].awaiting_first_count is False


def test_a_halo_that_does_not_take_zero_at_create_is_set_right() -> None:
    stage = Scene()
    stage.target.creates_at = 1
    stage.apply(creates("a"))
    [_, [entry]] = [i.entries for i in stage.state.intents]
    assert (entry.before, entry.after, stage.counts()) == (1, 7, {9101: 7})


def test_a_new_subscription_without_a_whole_number_gets_no_count() -> None:
    stage = Scene()
    stage.target.before_listing[2] = lambda: stage.target.edit(9101, count=None)
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == "HaloPSA gives no whole number as its count"
    assert applied.outcomes[MappingKey("a")].subscription_id == 9101
    assert len(stage.target.sent) == 1


def test_how_long_the_budget_makes_it_last_is_told_beforehand() -> None:
    stage = Scene(halo_budget=RequestBudget(requests=5, seconds=300))
    stage.apply(creates(*"abcdef"))
    [begun] = [e for e in stage.events if isinstance(e, PhaseStarted) and e.phase == "Creating Subscriptions"]
    assert begun.at_least == 300  # six posts, their counts, two listings, one at the end: ten requests


def test_progress_is_told() -> None:
    stage = Scene()
    stage.apply(creates("a", "b"))
    phase = "Creating Subscriptions"
    told = [e for e in stage.events if isinstance(e, PhaseStarted | PhaseAdvanced | PhaseFinished) and e.phase == phase]
    assert told == [
        PhaseStarted(phase=phase, total=2),
        PhaseAdvanced(phase=phase, done=1, total=2),
        PhaseAdvanced(phase=phase, done=2, total=2),
        PhaseFinished(phase=phase),
    ]


# --- groups ----------------------------------------------------------------------------------------------------------


def test_a_group_takes_each_step_together() -> None:
    stage = Scene()
    applied = stage.apply(creates("a", "b", "c"))
    assert [len(rows) for rows in stage.target.sent] == [1, 1, 1, 3]
    assert stage.state.calls["record_attempts"] == 1
    assert (stage.target.listings, applied.created) == (3, 3)


@pytest.mark.parametrize(
    ("settings", "groups"),
    [({"batch": 2}, [2, 1]), ({"batch": 3}, [3]), ({"batch": 50}, [3])],
)
def test_a_group_is_as_large_as_a_batch(settings: dict[str, int], groups: list[int]) -> None:
    stage = Scene(**settings)
    stage.apply(creates("a", "b", "c"))
    assert [len(attempts) for attempts in stage.state.steps("record_attempts")] == groups


@pytest.mark.parametrize(("requests", "groups"), [(4, [1, 1, 1]), (5, [1, 1, 1]), (6, [2, 1]), (7, [3])])
def test_a_group_fits_the_request_budget(requests: int, groups: list[int]) -> None:
    stage = Scene(halo_budget=RequestBudget(requests=requests))
    stage.apply(creates("a", "b", "c"))
    assert [len(attempts) for attempts in stage.state.steps("record_attempts")] == groups
    assert stage.target.budgets[0] == groups[0] + 4


# --- candidates that appear ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [{}, {"deleted": True}])
def test_a_marker_that_has_appeared_stops_the_create(dead: dict[str, bool]) -> None:
    stage = Scene()
    row = build_subscription(9009, 21, marker="a", **dead)  # type: ignore[arg-type]
    stage.target.before_listing[1] = lambda: stage.target.rows.update({row.id: row})
    applied = stage.apply(creates("a", "b"), confirmed=True)
    assert (posts(stage.target), outcomes(applied)) == (["b"], {"a": "stale", "b": "applied"})
    assert message_of(applied, "a") == "Subscription 9009 with the marker a has appeared; the next run adopts it"
    assert applied.outcomes[MappingKey("a")].subscription_id == 9009


def test_a_namesake_that_a_person_made_meanwhile_stops_the_create() -> None:
    stage = Scene()
    row = build_subscription(9009, 21)
    stage.target.before_listing[1] = lambda: stage.target.rows.update({row.id: row})
    applied = stage.apply(creates("a", "b"), confirmed=True)
    assert (posts(stage.target), outcomes(applied)) == (["b"], {"a": "stale", "b": "applied"})
    assert message_of(applied, "a") == (
        "Subscription 9009 of the same name has appeared since the plan; nothing is created"
    )
    assert applied.outcomes[MappingKey("a")].subscription_id == 9009


@pytest.mark.parametrize(
    "row",
    [
        build_subscription(9009, 21, name="Microsoft 365"),
        build_subscription(9009, 22),
        build_subscription(9009, 21, deleted=True),
    ],
)
def test_what_else_appears_stops_nothing(row: object) -> None:
    stage = Scene()
    stage.target.before_listing[1] = lambda: stage.target.rows.update({SubscriptionId(9009): row})  # type: ignore[dict-item]
    assert outcomes(stage.apply(creates("a"), confirmed=True)) == {"a": "applied"}


def test_a_namesake_that_the_plan_knew_stops_nothing() -> None:
    """It was allowed, or it is another mapping's."""
    stage = Scene(build_subscription(9009, 21))
    assert outcomes(stage.apply(creates("a"), confirmed=True)) == {"a": "applied"}


def test_two_mappings_of_one_customer_do_not_stop_each_other() -> None:
    stage = Scene(batch=1)
    changes = [build_change(build_mapping(key=key, customer=21), subscription=None, after=7) for key in "ab"]
    applied = stage.apply(build_plan(*changes))
    assert outcomes(applied) == {"a": "applied", "b": "applied"}
    assert stage.counts() == {9101: 7, 9102: 7}


def test_an_unsettled_create_for_the_same_customer_stops_nothing_of_another_key() -> None:
    """Its marker shows whose it is, as soon as it shows."""
    stage = Scene(batch=1, marker_wait_seconds=1)
    stage.target.answers = [late(1.5)]
    stage.target.lag = -1  # it shows in the very listing before which it takes effect
    changes = [build_change(build_mapping(key=key, customer=21), subscription=None, after=7) for key in "ab"]
    stage.target.before_listing[4] = lambda: stage.clock.sleep(1)
    applied = stage.apply(build_plan(*changes))
    assert (outcomes(applied), stage.counts()) == ({"a": "unknown", "b": "applied"}, {9101: 0, 9102: 7})


def test_a_given_up_marker_is_no_candidate() -> None:
    stage = Scene(build_subscription(9009, 21, marker="a"), recorded=build_recorded(given_up={"a": (9009,)}))
    assert outcomes(stage.apply(creates("a"), confirmed=True)) == {"a": "applied"}


def test_absence_is_never_believed_of_the_plans_listing_alone() -> None:
    stage = Scene()
    row = build_subscription(9009, 21, marker="a")
    stage.target.before_listing[1] = lambda: stage.target.rows.update({row.id: row})
    applied = stage.apply(creates("a"))
    assert (posts(stage.target), outcomes(applied)) == ([], {"a": "stale"})


# --- not granted -----------------------------------------------------------------------------------------------------


def test_a_key_that_another_run_took_is_held() -> None:
    stage = Scene()
    other = build_attempt("a", nonce="theirs")
    stage.state.before[("record_attempts", 1)] = lambda: stage.state.document.attempts.update({other.key: other})  # type: ignore[attr-defined]
    applied = stage.apply(creates("a", "b"))
    assert (posts(stage.target), outcomes(applied)) == (["b"], {"a": "held", "b": "applied"})
    assert "another run is creating it right now" in message_of(applied, "a")
    assert stage.state.recorded.attempts == {"a": other}


def test_a_key_that_was_bound_meanwhile_is_held() -> None:
    stage = Scene()
    bound = build_binding(9500, "a", customer=21)
    stage.state.before[("record_attempts", 1)] = lambda: stage.state.record_bindings([bound])
    assert (outcomes(stage.apply(creates("a"))), posts(stage.target)) == ({"a": "held"}, [])


# --- a settled attempt -----------------------------------------------------------------------------------------------

OLD = build_attempt("a", age=timedelta(hours=21), generation=3, now=START)


def test_a_settled_attempt_is_replaced_after_a_second_look_a_minute_later() -> None:
    stage = Scene(recorded=build_recorded(attempts=[OLD]))
    applied = stage.apply(creates("a", attempt=OLD))
    assert outcomes(applied) == {"a": "applied"}
    assert stage.target.listed_at[0] == 60
    [[attempt]] = stage.state.steps("record_attempts")
    assert (attempt.generation, attempt.nonce) == (4, "nonce-1")
    assert [e.seconds for e in stage.events if isinstance(e, Waiting)] == [60.0]


def test_the_minute_counts_from_the_end_of_the_first_listing() -> None:
    stage = Scene(recorded=build_recorded(attempts=[OLD]))
    stage.apply(creates("a", attempt=OLD), age=45)
    assert stage.target.listed_at[0] >= 105


def test_a_second_look_that_finds_it_creates_nothing() -> None:
    stage = Scene(recorded=build_recorded(attempts=[OLD]))
    row = build_subscription(9009, 21, 0, marker="a")
    stage.target.before_listing[1] = lambda: stage.target.rows.update({row.id: row})
    applied = stage.apply(creates("a", attempt=OLD))
    assert (posts(stage.target), outcomes(applied)) == ([], {"a": "stale"})


def test_a_second_look_that_finds_it_without_marker_creates_nothing() -> None:
    stage = Scene(recorded=build_recorded(attempts=[OLD]))
    row = build_subscription(9009, 21, 0)
    stage.target.before_listing[1] = lambda: stage.target.rows.update({row.id: row})
    applied = stage.apply(creates("a", attempt=OLD))
    assert (posts(stage.target), outcomes(applied)) == ([], {"a": "stale"})


def test_an_attempt_that_another_run_replaced_meanwhile_is_left_alone() -> None:
    stage = Scene(recorded=build_recorded(attempts=[build_attempt("a", nonce="newer")]))
    assert (outcomes(stage.apply(creates("a", attempt=OLD))), posts(stage.target)) == ({"a": "held"}, [])


def test_one_settled_attempt_among_several_creates_is_enough_to_wait() -> None:
    stage = Scene(recorded=build_recorded(attempts=[OLD]))
    old, new = creates("a", "b").changes
    applied = stage.apply(build_plan(replace(old, settled_attempt=OLD), new))
    assert (outcomes(applied), stage.target.listed_at[0]) == ({"a": "applied", "b": "applied"}, 60)


def test_without_a_settled_attempt_nobody_waits() -> None:
    stage = Scene()
    stage.apply(creates("a"))
    assert stage.clock.monotonic() == 0


# --- time runs on ----------------------------------------------------------------------------------------------------


def test_an_attempt_older_than_a_minute_is_not_sent_but_recorded_anew() -> None:
    stage = Scene()
    stage.target.answers = [slow(61)]
    applied = stage.apply(creates("a", "b"))
    assert outcomes(applied) == {"a": "applied", "b": "applied"}
    assert posts(stage.target) == ["a", "b"]
    assert stage.state.steps("settle_attempts") == [{"b": "nonce-2"}]
    assert [[a.nonce for a in attempts] for attempts in stage.state.steps("record_attempts")] == [
        ["nonce-1", "nonce-2"], ["nonce-3"],
    ]  # fmt: skip


def test_all_that_time_left_unsent_is_recorded_anew() -> None:
    stage = Scene()
    stage.target.answers = [slow(61)]
    applied = stage.apply(creates("a", "b", "c"))
    assert (set(outcomes(applied).values()), posts(stage.target)) == ({"applied"}, ["a", "b", "c"])
    assert stage.state.steps("settle_attempts") == [{"b": "nonce-2", "c": "nonce-3"}]


def test_an_attempt_of_exactly_a_minute_is_sent() -> None:
    stage = Scene()
    stage.target.answers = [slow(60)]
    stage.apply(creates("a", "b"))
    assert stage.state.calls["record_attempts"] == 1


# --- looking for the marker ------------------------------------------------------------------------------------------


def test_a_marker_that_shows_late_is_waited_for() -> None:
    stage = Scene()
    stage.target.lag = 3
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}
    assert stage.target.listed_at[1:5] == [0, 1, 3, 7]


def test_the_wait_is_over_after_the_time_of_the_settings() -> None:
    stage = Scene(marker_wait_seconds=60)
    stage.target.lag = 99
    applied = stage.apply(creates("a"))
    assert stage.target.listed_at[1:] == [0, 1, 3, 7, 15, 30, 45, 60]
    assert outcomes(applied) == {"a": "unknown"}
    assert message_of(applied, "a") == (
        "a create was sent and no Subscription with the marker a shows yet: HaloPSA said yes; it is not sent again. "
        "The next run adopts it if it has appeared"
    )
    assert [a.nonce for a in stage.state.recorded.attempts.values()] == ["nonce-1"]


def test_a_lost_answer_is_found_by_its_marker() -> None:
    stage = Scene()
    stage.target.answers = [unclear(effect=True)]
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}
    assert posts(stage.target) == ["a"]


def test_an_effect_that_comes_late_is_found() -> None:
    stage = Scene()
    stage.target.answers = [late(40)]
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}
    assert stage.counts() == {9101: 7}


def test_an_unclear_create_without_a_trace_stays_open_and_is_never_repeated() -> None:
    stage = Scene()
    stage.target.answers = [unclear(status=500)]
    applied = stage.apply(creates("a"))
    assert (posts(stage.target), outcomes(applied)) == (["a"], {"a": "unknown"})
    assert ": lost; it is not sent again" in message_of(applied, "a")
    assert list(stage.state.recorded.attempts) == ["a"]


@pytest.mark.parametrize("status", [None, 400, 409, 422])
def test_a_refused_create_closes_its_attempt_at_once(status: int | None) -> None:
    stage = Scene()
    stage.target.answers = [refused(status, message="the name is too long")]
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == "HaloPSA refused the create: the name is too long"
    assert (stage.state.recorded.attempts, stage.state.steps("settle_attempts")) == ({}, [{"a": "nonce-1"}])
    assert stage.clock.monotonic() == 0


def test_a_refused_create_that_took_effect_all_the_same_is_bound() -> None:
    stage = Scene()

    def lying(target: FakeTarget, rows: Rows) -> object:
        target.take(rows)
        return refused()(target, rows)

    stage.target.answers = [lying]  # type: ignore[list-item]
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}
    assert list(stage.state.recorded.bindings) == ["a"]


def test_one_refused_create_of_a_group_leaves_the_others_alone() -> None:
    stage = Scene()
    stage.target.answers = [accepted, refused(), unclear(effect=True)]
    applied = stage.apply(creates("a", "b", "c"))
    assert outcomes(applied) == {"a": "applied", "b": "failed", "c": "applied"}


def test_two_objects_with_the_marker_are_not_touched() -> None:
    stage = Scene()

    def twice(target: FakeTarget, rows: Rows) -> object:
        target.take(rows)
        return accepted(target, rows)

    stage.target.answers = [twice]  # type: ignore[list-item]
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == "2 Subscriptions carry the marker a: 9101, 9102; none of them is touched"
    assert (outcomes(applied), stage.counts()) == ({"a": "failed"}, {9101: 0, 9102: 0})
    assert list(stage.state.recorded.attempts) == ["a"]
    assert stage.clock.monotonic() == 0


@pytest.mark.parametrize(
    "wrong", [{"customer_id": 22}, {"name": "Other"}, {"type": 0}, {"is_active": False}, {"deleted": True}]
)
def test_a_marked_object_that_is_not_what_was_sent_is_not_counted(wrong: dict[str, object]) -> None:
    stage = Scene()
    stage.target.before_listing[2] = lambda: stage.target.edit(9101, **wrong)
    applied = stage.apply(creates("a"))
    assert (outcomes(applied), stage.counts()) == ({"a": "unknown"}, {9101: 0})
    assert stage.state.recorded.bindings == {}


# --- a marker that Halo does not give back ---------------------------------------------------------------------------


def test_without_the_marker_the_answers_id_is_bound_and_a_person_is_told_once() -> None:
    stage = Scene()
    stage.target.keeps_marker = False
    applied = stage.apply(creates("a", "b"))
    assert outcomes(applied) == {"a": "applied", "b": "applied"}
    assert {k: b.subscription_id for k, b in stage.state.recorded.bindings.items()} == {"a": 9101, "b": 9102}
    [notice] = [e for e in stage.events if isinstance(e, Noticed)]
    assert notice.message.startswith("HaloPSA does not give the marker in 'snowid' back")


def test_where_no_marker_was_asked_for_none_is_missed() -> None:
    stage = Scene(marker_field=MarkerField.NONE)
    stage.target.keeps_marker = False
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}
    assert not [e for e in stage.events if isinstance(e, Noticed)]


@pytest.mark.parametrize("answer", [accepted_without_id, unclear(effect=True)])
def test_without_marker_and_id_nothing_is_bound(answer: Answer) -> None:
    stage = Scene()
    stage.target.keeps_marker = False
    stage.target.answers = [answer]
    assert (outcomes(stage.apply(creates("a"))), stage.counts()) == ({"a": "unknown"}, {9101: 0})
    assert stage.state.recorded.bindings == {}


def naming(number: int) -> Answer:
    def answer(target: FakeTarget, rows: Rows) -> object:
        target.take(rows)
        return Accepted(subscription_id=SubscriptionId(number))

    return answer  # type: ignore[return-value]


def test_an_answer_that_names_an_old_object_is_not_believed() -> None:
    stage = Scene(build_subscription(9050, 21, 0))
    stage.target.keeps_marker = False
    stage.target.answers = [naming(9050)]
    assert (outcomes(stage.apply(creates("a"))), stage.counts()) == ({"a": "unknown"}, {9050: 0, 9101: 0})


def test_an_answer_that_names_nothing_listed_is_not_believed() -> None:
    stage = Scene()
    stage.target.keeps_marker = False
    stage.target.answers = [naming(9999)]
    assert outcomes(stage.apply(creates("a"))) == {"a": "unknown"}


@pytest.mark.parametrize("wrong", [{"marker": "b"}, {"customer_id": 99}, {"name": "Other"}])
def test_an_answers_id_that_is_not_what_was_sent_is_not_believed(wrong: dict[str, object]) -> None:
    stage = Scene()
    stage.target.keeps_marker = False
    stage.target.before_listing[2] = lambda: stage.target.edit(9101, **wrong)
    assert (outcomes(stage.apply(creates("a"))), stage.counts()) == ({"a": "unknown"}, {9101: 0})


def test_a_row_with_users_that_no_answer_names_is_not_what_was_created() -> None:
    """Somebody may have put our marker on a row of their own, while Halo does not list ours yet."""
    stage = Scene()
    stage.target.creates_at = 4
    stage.target.answers = [unclear(effect=True)]
    applied = stage.apply(creates("a"))
    assert outcomes(applied) == {"a": "unknown"}
    assert stage.counts() == {9101: 4}
