"""What `apply` does with a plan that could not be: nothing that it was not told plainly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.apply import Applied, Listing, apply
from reconciler.changes import Action, Change
from reconciler.model import MappingKey
from reconciler.writes import Outcome, Settled
from tests.builders import build_change, build_hold, build_mapping, build_plan, build_subscription
from tests.core import build_binding, build_recorded
from tests.fakes import Scene, message_of, outcomes


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
    listing = Listing(subscriptions=tuple(stage.target.rows.values()), listed_at=0.0)
    assert outcomes(apply(build_plan(change()), stage._tools(), listing)) == {"a": "applied"}
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
