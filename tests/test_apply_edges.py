"""What `apply` does with a plan that could not be: nothing that it was not told plainly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.apply import apply
from reconciler.model import MappingKey
from reconciler.planning.changes import Action, Change, Outcome, Settled
from reconciler.writing.session import Applied
from tests.builders import build_change, build_hold, build_mapping, build_plan, build_subscription
from tests.core import build_attempt, build_binding, build_recorded
from tests.fakes import Scene, creates, message_of, outcomes, posts, refused, silent, unclear


def change(key: str = "a", subscription: int | None = 1, **how: object) -> Change:
    return build_change(build_mapping(key=key), subscription=subscription, before=10, **how)  # type: ignore[arg-type]


def without_id(made: Change) -> Change:
    assert made.before is not None
    return replace(made, before=replace(made.before, id=None))


@pytest.mark.parametrize(
    "odd",
    [
        change(subscription=None, action=Action.UPDATE),
        without_id(change(action=Action.UPDATE)),
        build_change(build_mapping(key="a"), subscription=1, before=None, after=15, action=Action.UPDATE),
        change(after=None, action=Action.UPDATE),
    ],
    ids=["no Subscription", "no id", "no live quantity", "no new quantity"],
)
def test_an_update_that_lacks_a_number_is_not_written(odd: Change) -> None:
    stage = Scene(build_subscription(1, count=10), build_subscription(2, count=10))
    applied = stage.apply(build_plan(odd, change("b", 2)))
    assert (outcomes(applied), stage.target.sent) == ({"a": "failed", "b": "applied"}, [[{"id": 2, "count": 15}]])
    assert message_of(applied, "a") == "not attempted: "


def test_a_create_never_writes_to_a_subscription_that_is_there() -> None:
    stage = Scene(build_subscription(1, count=10))
    stage.apply(build_plan(change(action=Action.CREATE)))
    assert (stage.counts(), stage.target.sent) == ({1: 10}, [])


def test_unless_it_is_said_nobody_took_time_to_confirm() -> None:
    stage = Scene(build_subscription(1, count=10))
    session = stage.session(tuple(stage.target.rows.values()), 0.0)
    assert outcomes(apply(build_plan(change()), session, lambda _: {})) == {"a": "applied"}
    assert stage.target.listings == 1  # the one behind the write


def test_a_count_of_outcomes_counts_those_and_no_others() -> None:
    ended = (Outcome.APPLIED, Outcome.APPLIED, Outcome.HELD)
    applied = Applied(outcomes={MappingKey(f"k{n}"): Settled(outcome=outcome) for n, outcome in enumerate(ended)})
    assert [applied.count(outcome) for outcome in Outcome] == [2, 0, 1, 0, 0, 0]
    assert applied.created == 0


@pytest.mark.parametrize("first", [change("a", hold=build_hold()), change("a", 3)], ids=["held", "not bound"])
def test_what_is_not_confirmed_keeps_nothing_behind_it_from_being_remembered(first: Change) -> None:
    stage = Scene(*(build_subscription(n, count=10) for n in (1, 2)), recorded=build_recorded(build_binding(2, "b")))
    stage.apply(build_plan(first, change("b", 2)))
    assert stage.state.recorded.bindings[MappingKey("b")].last_counted == 15


# --- what was never begun says why, whatever else breaks afterwards ---------------------------------------------------

NO_RIGHT = "not attempted: HaloPSA refused a write for want of a right: no right"
STOPPED = "not attempted: the run was interrupted, and no further write was started"


def ending_badly(**settings: object) -> Scene:
    """Rows 1 to 4, all bound; the count of `z`, in step at row 4, cannot be recorded at the end."""
    keys = {1: "k1", 2: "k2", 3: "k3", 4: "z"}
    recorded = build_recorded(*(build_binding(n, key) for n, key in keys.items()))
    stage = Scene(*(build_subscription(n, count=10) for n in keys), recorded=recorded, **settings)
    stage.state.failing = {("record_bindings", 1)}
    return stage


IN_STEP = change("z", 4, after=10)
COUNTS = [change(f"k{n}", n) for n in (1, 2, 3)]


def test_counts_behind_a_missing_right_name_the_right() -> None:
    stage = ending_badly(batch=1)
    stage.target.answers = [refused(403, message="no right")]
    applied = stage.apply(build_plan(*COUNTS, IN_STEP))
    assert applied.error is not None
    assert [message_of(applied, key) for key in ("k2", "k3")] == [NO_RIGHT, NO_RIGHT]


def test_counts_that_a_stop_meets_after_the_second_look_name_the_stop() -> None:
    stage = ending_badly()
    stage.stopping = lambda: stage.target.listings > 0
    applied = stage.apply(build_plan(*COUNTS, IN_STEP), age=61)
    assert applied.error is not None
    assert stage.target.sent == []
    assert {message_of(applied, key) for key in ("k1", "k2", "k3")} == {STOPPED}


@pytest.mark.parametrize("batch", [1, 50], ids=["in later groups", "in the same group"])
def test_creates_behind_a_missing_right_name_the_right(batch: int) -> None:
    stage = ending_badly(batch=batch)
    stage.target.answers = [refused(403, message="no right")]
    applied = stage.apply(build_plan(*creates("a", "b", "c").changes, IN_STEP))
    assert applied.error is not None
    assert posts(stage.target) == ["a"]
    assert [message_of(applied, key) for key in ("b", "c")] == [NO_RIGHT, NO_RIGHT]


# --- looks and answers that contradict each other --------------------------------------------------------------------


@pytest.mark.parametrize("look", [1, 2])
def test_what_any_look_shows_after_an_earlier_create_stops_the_next_one(look: int) -> None:
    """The look after the minute, or the one right before the create: seen once, the marker is there all the same."""
    stage = Scene()
    row = build_subscription(9009, 21, marker="a")
    stage.target.before_listing[look] = lambda: stage.target.rows.update({row.id: row})
    stage.target.before_listing[look + 1] = lambda: stage.target.rows.pop(row.id) and None
    applied = stage.apply(creates("a", attempt=build_attempt("a", age=timedelta(hours=30))))
    assert (posts(stage.target), outcomes(applied)) == ([], {"a": "stale"})


def test_a_clear_yes_after_an_unclear_answer_is_what_counts() -> None:
    stage = Scene(build_subscription(1, count=10))
    stage.target.answers = [unclear(), silent]
    applied = stage.apply(build_plan(change()))
    assert outcomes(applied) == {"a": "failed"}
    assert message_of(applied, "a") == "15 was written and accepted, HaloPSA shows 10"


# --- creates whose records fail --------------------------------------------------------------------------------------

NEW = build_change(build_mapping(key="a"), before=None, after=15, subscription=None)


def test_a_create_whose_id_could_not_be_recorded_and_that_does_not_show_is_unknown() -> None:
    stage = Scene()
    stage.target.lag = 50
    stage.state.failing = {("record_named", 1)}
    settled = stage.apply(build_plan(NEW)).outcomes[MappingKey("a")]
    assert (settled.outcome, settled.sent) == (Outcome.UNKNOWN, True)
    assert settled.message == "a create was sent, and the run could not follow it to its end: the next run looks for it"


def test_a_create_that_could_not_be_bound_is_told_with_the_id_that_carries_its_marker() -> None:
    stage = Scene()
    stage.state.failing = {("record_bindings", 1)}
    settled = stage.apply(build_plan(NEW)).outcomes[MappingKey("a")]
    assert (settled.outcome, settled.subscription_id, settled.sent) == (Outcome.FAILED, 9101, True)
    assert stage.counts() == {9101: 0}


def test_a_quantity_that_was_sent_and_not_confirmed_is_no_persons_edit_the_next_night() -> None:
    bound = replace(build_binding(1, "a"), last_quantity=10)
    stage = Scene(build_subscription(1, count=10), recorded=build_recorded(bound))
    stage.target.answers = [silent]
    applied = stage.apply(build_plan(change("a", 1)))
    assert applied.outcomes[MappingKey("a")].outcome is not Outcome.APPLIED
    assert stage.state.recorded.bindings[MappingKey("a")].last_quantity is None
