"""Answers that are neither yes nor no: HaloPSA warns, contradicts itself, or a copy of a marker appears meanwhile."""

from __future__ import annotations

import pytest

from reconciler.model import Subscription, SubscriptionId
from reconciler.planning.changes import Plan
from reconciler.providers.base import Accepted, Unclear
from reconciler.state.base import IntentResult
from tests.builders import build_change, build_mapping, build_plan, build_subscription
from tests.fakes import Answer, FakeTarget, Rows, Scene, creates, message_of, outcomes, posts, refused, silent, unclear


def raises(*numbers: int) -> Plan:
    """Ten users become fifteen on each of these; keys are k1, k2, ..."""
    return build_plan(*(build_change(build_mapping(key=f"k{n}"), subscription=n, before=10, after=15) for n in numbers))


def scene(number: int, **settings: object) -> Scene:
    return Scene(*(build_subscription(n, count=10) for n in range(1, number + 1)), **settings)


def warning(words: dict[int, str] | None = None, *, effect: bool = True) -> Answer:
    """A 200 that warns of single rows, by their ids."""

    def answer(target: FakeTarget, rows: Rows) -> Unclear:
        if effect:
            target.take(rows)
        warned = {SubscriptionId(number): text for number, text in (words or {}).items()}
        return Unclear(status=200, message="HaloPSA answered 200, but warns", warned=warned)

    return answer


# --- warnings --------------------------------------------------------------------------------------------------------


def test_a_row_that_halo_warns_of_is_not_called_good() -> None:
    stage = scene(2)
    stage.target.answers = [warning({1: "over the contract"})]
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "failed", "k2": "applied"}
    assert message_of(applied, "k1") == "the quantity is right, but HaloPSA warns: over the contract"
    assert applied.outcomes["k1"].subscription_id == 1  # type: ignore[index]
    assert applied.outcomes["k1"].live_count == 15  # type: ignore[index]
    assert stage.counts() == {1: 15, 2: 15}
    assert len(stage.target.sent) == 1


def test_a_warning_stays_when_the_row_goes_again() -> None:
    stage = scene(1)
    stage.target.answers = [warning({1: "over the contract"}, effect=False)]
    assert outcomes(stage.apply(raises(1))) == {"k1": "failed"}
    assert stage.counts() == {1: 15}


def test_a_create_that_halo_warns_of_is_not_called_good() -> None:
    stage = Scene()
    stage.target.answers = [warning({9101: "no price", 0: "no tax"})]
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == "the quantity is right, but HaloPSA warns: no price; no tax"
    assert stage.counts() == {9101: 7}


def test_a_create_whose_answer_is_unclear_without_a_warning_is_good_once_it_shows() -> None:
    stage = Scene()
    stage.target.answers = [warning()]
    assert outcomes(stage.apply(creates("a"))) == {"a": "applied"}


def test_odd_yeses_are_no_sign_of_a_server_in_trouble() -> None:
    stage = scene(7, batch=1)
    stage.target.answers = [warning()] * 7
    applied = stage.apply(raises(*range(1, 8)))
    assert set(outcomes(applied).values()) == {"applied"}
    assert set(stage.state.results.values()) == {(IntentResult.UNKNOWN, "HaloPSA answered 200, but warns")}


def test_an_odd_yes_between_does_not_start_the_row_of_failures_anew() -> None:
    stage = scene(3, batch=1)
    stage.target.answers = [unclear(), unclear(effect=True), warning(), unclear()]
    applied = stage.apply(raises(1, 2, 3))
    assert len(stage.target.sent) == 4
    assert outcomes(applied) == {"k1": "applied", "k2": "applied", "k3": "unknown"}


# --- two rows with one marker ----------------------------------------------------------------------------------------


def appearing(stage: Scene, row: Subscription, *, before: int = 1) -> None:
    """Somebody makes a row right before that listing."""
    stage.target.before_listing[before] = lambda: stage.target.rows.update({row.id: row})


def test_a_second_row_with_the_marker_stops_the_write() -> None:
    stage = scene(2)
    appearing(stage, build_subscription(77, marker="k1"))
    applied = stage.apply(raises(1, 2), confirmed=True)
    assert outcomes(applied) == {"k1": "stale", "k2": "applied"}
    assert message_of(applied, "k1") == (
        "changed since the plan: Subscription 77 with the same marker has appeared; nothing was written, the next run "
        "decides anew"
    )
    assert stage.counts()[1] == 10


@pytest.mark.parametrize(
    "row",
    [
        build_subscription(77, marker="k1", deleted=True),
        build_subscription(77, marker="k1", is_active=False),
        build_subscription(77, marker="other"),
        build_subscription(77),
    ],
)
def test_a_row_that_could_not_be_meant_stops_nothing(row: Subscription) -> None:
    stage = scene(1)
    appearing(stage, row)
    assert outcomes(stage.apply(raises(1), confirmed=True)) == {"k1": "applied"}


def test_a_second_row_that_is_seen_at_the_end_makes_an_unchanged_one_stale() -> None:
    stage = scene(2)
    unchanged = build_change(build_mapping(key="k2"), subscription=2, before=10, after=10)
    appearing(stage, build_subscription(77, marker="k2"))
    applied = stage.apply(build_plan(*raises(1).changes, unchanged))
    assert outcomes(applied) == {"k1": "applied", "k2": "stale"}
    assert message_of(applied, "k2") == (
        "changed during the run: Subscription 77 with the same marker has appeared; the next run decides anew"
    )
    assert applied.outcomes["k2"].subscription_id == 2  # type: ignore[index]


def naming(number: int) -> Answer:
    """A yes that names this id."""

    def answer(target: FakeTarget, rows: Rows) -> Accepted:
        target.take(rows)
        return Accepted(subscription_id=SubscriptionId(number))

    return answer


def test_a_marker_that_somebody_moved_during_the_create_binds_nothing() -> None:
    stage = Scene(build_subscription(9050, 21, 30, name="Something else"))
    stage.target.answers = [naming(9101)]

    def move() -> None:
        stage.target.edit(9050, marker="a")
        stage.target.edit(9101, marker=None)

    stage.target.before_listing[2] = move
    applied = stage.apply(creates("a"))
    assert message_of(applied, "a") == (
        "HaloPSA says it created 9101, and the marker a stands on 9050: did somebody copy it? None of them is touched "
        "in this run"
    )
    assert (outcomes(applied), applied.outcomes["a"].subscription_id) == ({"a": "failed"}, 9101)  # type: ignore[index]
    assert stage.counts() == {9050: 30, 9101: 0}
    assert stage.state.recorded.bindings == {}
    assert list(stage.state.recorded.attempts) == ["a"]
    assert posts(stage.target) == ["a"]


# --- the look afterwards ---------------------------------------------------------------------------------------------


def test_a_count_that_somebody_else_set_meanwhile_is_told_apart_from_one_that_did_not_take() -> None:
    stage = scene(1)
    stage.target.answers = [silent]
    stage.target.before_listing[1] = lambda: stage.target.edit(1, count=44)
    applied = stage.apply(raises(1))
    assert message_of(applied, "k1") == (
        "15 was written and accepted, HaloPSA shows 44: somebody else changed it during the run"
    )


def test_an_unclear_row_that_is_refused_the_second_time_is_not_looked_for() -> None:
    stage = scene(2)
    stage.target.answers = [unclear(), refused(message="no")]
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "failed", "k2": "applied"}
