"""The create protocol when it is stopped, refused, or cannot record: nothing is repeated, nothing forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.model import Limits, MappingKey
from reconciler.planning.changes import Facts
from reconciler.providers.base import Unclear
from reconciler.safety.check import check
from reconciler.state.recorded import Attempt, Recorded
from tests.builders import build_plan, build_subscription
from tests.core import build_attempt
from tests.fakes import (
    UNREACHABLE,
    Answer,
    Scene,
    accepted,
    accepted_without_id,
    creates,
    fail,
    interrupted,
    message_of,
    outcomes,
    posts,
    refused,
    silent,
    unclear,
)

# --- stopping and failing --------------------------------------------------------------------------------------------


def test_a_stop_before_the_first_group_sends_nothing() -> None:
    stage = Scene()
    stage.stopping = lambda: True
    applied = stage.apply(creates("a"))
    assert (stage.target.sent, stage.state.recorded.attempts) == ([], {})
    assert message_of(applied, "a") == "not attempted: the run was interrupted, and no further write was started"


def test_a_stop_within_a_group_follows_up_what_was_sent_and_frees_the_rest() -> None:
    stage = Scene()
    stage.stopping = lambda: bool(stage.target.sent)
    applied = stage.apply(creates("a", "b"))
    assert posts(stage.target) == ["a"]
    assert message_of(applied, "b") == "not attempted: the run was interrupted, and no further write was started"
    assert stage.state.recorded.attempts == {}
    assert list(stage.state.recorded.bindings) == ["a"]
    assert "its Subscription was created, and its quantity was not set" in message_of(applied, "a")
    settled = applied.outcomes[MappingKey("a")]
    assert (settled.sent, settled.checked, settled.live_count, settled.subscription_id) == (True, True, 0, 9101)
    assert stage.counts() == {9101: 0}
    assert stage.state.recorded.bindings[MappingKey("a")].awaiting_first_count


def test_a_stop_while_the_marker_is_waited_for_ends_the_wait() -> None:
    stage = Scene()
    stage.target.lag = 9
    stage.stopping = lambda: stage.target.listings > 2
    applied = stage.apply(creates("a"))
    assert (stage.target.listings, outcomes(applied)) == (3, {"a": "unknown"})


def test_a_create_that_never_left_frees_its_attempt() -> None:
    stage = Scene()
    stage.target.answers = [interrupted]
    stage.stopping = lambda: stage.state.calls["intend"] > 0
    applied = stage.apply(creates("a", "b"))
    assert (outcomes(applied), stage.state.recorded.attempts) == ({"a": "failed", "b": "failed"}, {})
    assert stage.state.calls["intend"] == 1


def test_a_missing_right_ends_the_creating() -> None:
    stage = Scene(batch=2)
    stage.target.answers = [refused(403, message="no right")]
    applied = stage.apply(creates("a", "b", "c"))
    assert posts(stage.target) == ["a"]
    assert message_of(applied, "a") == "HaloPSA refused the create: no right"
    assert {message_of(applied, key) for key in "bc"} == {
        "not attempted: HaloPSA refused a write for want of a right: no right"
    }
    assert stage.state.recorded.attempts == {}


def test_three_unclear_creates_in_a_row_end_the_creating() -> None:
    stage = Scene()
    stage.target.answers = [unclear(), unclear(), unclear()]
    applied = stage.apply(creates("a", "b", "c", "d"))
    assert posts(stage.target) == ["a", "b", "c"]
    assert outcomes(applied) == {"a": "unknown", "b": "unknown", "c": "unknown", "d": "failed"}
    assert sorted(stage.state.recorded.attempts) == ["a", "b", "c"]


def test_an_attempt_that_cannot_be_recorded_is_not_sent() -> None:
    stage = Scene()
    stage.state.failing = {("record_attempts", 1)}
    applied = stage.apply(creates("a"))
    assert (stage.target.sent, outcomes(applied)) == ([], {"a": "failed"})
    assert message_of(applied, "a") == "not attempted: the disk is full at record_attempts"


def test_an_intent_that_cannot_be_recorded_is_not_sent() -> None:
    stage = Scene()
    stage.state.failing = {("intend", 1)}
    applied = stage.apply(creates("a"))
    assert (stage.target.sent, outcomes(applied)) == ([], {"a": "failed"})
    assert message_of(applied, "a") == "not attempted: the disk is full at intend"
    assert not applied.outcomes[MappingKey("a")].sent


def test_a_binding_that_cannot_be_recorded_leaves_the_count_alone() -> None:
    stage = Scene()
    stage.state.failing = {("record_bindings", 1)}
    applied = stage.apply(creates("a"))
    assert (stage.counts(), outcomes(applied), applied.created) == ({9101: 0}, {"a": "failed"}, 1)
    assert "its Subscription was created" in message_of(applied, "a")
    assert list(stage.state.recorded.attempts) == ["a"]


def test_a_listing_that_cannot_be_read_leaves_the_creates_to_the_last_look() -> None:
    stage = Scene(batch=1)
    stage.target.before_listing[2] = fail(UNREACHABLE)
    applied = stage.apply(creates("a", "b"))
    assert (posts(stage.target), outcomes(applied)) == (["a"], {"a": "failed", "b": "failed"})
    assert "its Subscription was created" in message_of(applied, "a")  # the last look shows it
    assert applied.error is UNREACHABLE


def test_the_first_count_is_verified_like_any_other() -> None:
    stage = Scene()
    stage.target.answers = [accepted, silent]
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == "7 was written and accepted, HaloPSA shows 0"
    assert (applied.created, stage.state.recorded.bindings[MappingKey("a")].awaiting_first_count) == (1, True)


def test_a_person_who_counts_first_wins() -> None:
    stage = Scene()
    stage.target.answers = [accepted, refused()]
    stage.target.before_listing[3] = lambda: stage.target.edit(9101, count=55)
    applied = stage.apply(creates("a"))
    assert (outcomes(applied), stage.counts()) == ({"a": "stale"}, {9101: 55})


def test_a_held_create_is_not_sent() -> None:
    stage = Scene()
    plan = check(build_plan(*creates("a").changes, facts=Facts(durable=False)), Limits())
    assert (outcomes(stage.apply(plan)), stage.target.sent) == ({"a": "held"}, [])


def throttled(after: float | None = None) -> Answer:
    """HaloPSA's request limit; whether it comes before any effect is not known."""
    return lambda _target, _rows: Unclear(status=429, message="Rate Limit Reached", retry_after=after)


def test_a_create_that_met_a_429_stays_unknown_and_the_others_go_on_after_the_wait() -> None:
    stage = Scene(marker_wait_seconds=0)
    stage.target.answers = [accepted, throttled(42)]
    applied = stage.apply(creates("a", "b", "c", "d"))
    assert outcomes(applied) == {"a": "applied", "b": "unknown", "c": "applied", "d": "applied"}
    assert posts(stage.target) == ["a", "b", "c", "d"]
    assert stage.target.waits == [42]
    assert set(stage.state.recorded.attempts) == {"b"}, "those that were not sent are free again"


def test_three_creates_in_a_row_that_met_a_429_end_the_creating() -> None:
    stage = Scene(marker_wait_seconds=0)
    stage.target.answers = [throttled(1)] * 9
    applied = stage.apply(creates("a", "b", "c", "d"))
    assert outcomes(applied) == {"a": "unknown", "b": "unknown", "c": "unknown", "d": "failed"}
    assert applied.halted == "3 creates in a row met HaloPSA's request limit"
    assert set(stage.state.recorded.attempts) == {"a", "b", "c"}


# --- an id that an answer named --------------------------------------------------------------------------------------


def hidden(stage: Scene) -> None:
    """Listings never show what is created, whatever the answer says of it."""
    stage.target.lag = 10_000


def settled(named: int | None) -> Attempt:
    return build_attempt("a", run="run-0", customer=21, named=named, age=timedelta())


NAME = "INFIMA Security Awareness Training"


def test_an_id_that_no_listing_shows_is_kept_in_the_attempt() -> None:
    stage = Scene(marker_wait_seconds=0)
    hidden(stage)
    assert outcomes(stage.apply(creates("a"))) == {"a": "unknown"}
    assert stage.state.recorded.attempts[MappingKey("a")].named_id == 9101


def test_it_is_kept_where_no_listing_can_be_read_either() -> None:
    stage = Scene()
    stage.target.before_listing[2] = fail(UNREACHABLE)
    stage.apply(creates("a"))
    assert stage.state.recorded.attempts[MappingKey("a")].named_id == 9101


def test_an_answer_that_names_nothing_keeps_nothing() -> None:
    stage = Scene(marker_wait_seconds=0)
    stage.target.answers = [accepted_without_id]
    hidden(stage)
    stage.apply(creates("a"))
    assert stage.state.recorded.attempts[MappingKey("a")].named_id is None
    assert not stage.state.steps("record_named")


@pytest.mark.parametrize("named", [9101, 9555])
def test_before_an_attempt_is_replaced_the_id_it_was_answered_with_is_read_by_itself(named: int) -> None:
    attempt = settled(named)
    stage = Scene(recorded=Recorded(attempts={attempt.key: attempt}))
    row = build_subscription(9101, 21, 0, name=NAME, marker="a")
    stage.target.rows[row.id] = row
    stage.target._hidden[row.id] = 10_000
    applied = stage.apply(creates("a", attempt=attempt))
    assert stage.target.read_alone == [named]
    if named == 9101:
        assert (outcomes(applied), posts(stage.target)) == ({"a": "held"}, [])
        assert "reconciler resolve a --adopt 9101" in message_of(applied, "a")
    else:
        assert posts(stage.target) == ["a"]


def test_where_it_cannot_be_read_nothing_is_created() -> None:
    attempt = settled(9101)
    stage = Scene(recorded=Recorded(attempts={attempt.key: attempt}))
    stage.target.fails_alone = UNREACHABLE
    applied = stage.apply(creates("a", attempt=attempt))
    assert (outcomes(applied), posts(stage.target)) == ({"a": "held"}, [])
    assert "the next run looks again" in message_of(applied, "a")


def test_an_id_that_is_now_something_else_does_not_stop_the_create() -> None:
    attempt = settled(9101)
    stage = Scene(recorded=Recorded(attempts={attempt.key: attempt}))
    row = build_subscription(9101, 77, 5, name="Backup")
    stage.target.rows[row.id] = row
    assert outcomes(stage.apply(creates("a", attempt=attempt))) == {"a": "applied"}


def test_a_named_one_that_was_made_inactive_stops_the_create_too() -> None:
    """Lists may leave out what is inactive."""
    attempt = settled(9101)
    stage = Scene(recorded=Recorded(attempts={attempt.key: attempt}))
    row = build_subscription(9101, 21, 0, name=NAME, is_active=False)
    stage.target.rows[row.id] = row
    stage.target._hidden[row.id] = 10_000
    applied = stage.apply(creates("a", attempt=attempt))
    assert (outcomes(applied), posts(stage.target)) == ({"a": "held"}, [])
    assert "9101, which the answer to the earlier create named, is inactive" in message_of(applied, "a")
    assert "reconciler resolve a --abandon" in message_of(applied, "a")
