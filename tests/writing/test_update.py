"""Setting counts: batches, what follows a failed one, people's edits, and the look afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from reconciler.errors import ApiError
from reconciler.model import Subscription
from reconciler.state.base import IntentResult
from reconciler.writing.update import HALO_STAMPS, changed_besides_count
from tests.builders import build_mapping, build_plan, build_subscription
from tests.fakes import (
    UNREACHABLE,
    FakeTarget,
    Scene,
    accepted,
    fail,
    interrupted,
    late,
    message_of,
    outcomes,
    raises,
    refused,
    silent,
    unclear,
)

RAW = {"name": "Training", "price": 2.5, "count": 10}


def rows(number: int) -> list[Subscription]:
    """That many Subscriptions of ten users, ids from 1."""
    return [build_subscription(n, count=10) for n in range(1, number + 1)]


def scene(number: int, **settings: object) -> Scene:
    return Scene(*rows(number), **settings)


def ids_sent(target: FakeTarget) -> list[list[int]]:
    return [[row["id"] for row in batch] for batch in target.sent]


# --- batches ---------------------------------------------------------------------------------------------------------


def test_counts_go_out_in_one_batch_and_are_read_back_once() -> None:
    stage = scene(3)
    applied = stage.apply(raises(1, 2, 3))
    assert outcomes(applied) == {"k1": "applied", "k2": "applied", "k3": "applied"}
    assert stage.target.sent == [[{"id": n, "count": 15} for n in (1, 2, 3)]]
    assert (stage.target.listings, applied.created, applied.error) == (1, 0, None)


@pytest.mark.parametrize(("number", "batches"), [(1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2])])
def test_batches_hold_as_many_as_the_settings_say(number: int, batches: list[int]) -> None:
    stage = scene(number, batch=2)
    stage.apply(raises(*range(1, number + 1)))
    assert [len(batch) for batch in stage.target.sent] == batches
    assert stage.target.budgets == [1] * len(batches)


def test_each_batch_is_one_intent_with_its_outcome() -> None:
    stage = scene(3, batch=2)
    stage.apply(raises(1, 2, 3))
    assert [(i.number, i.kind, [(e.key, e.subscription_id, e.before, e.after) for e in i.entries])
            for i in stage.state.intents] == [
        (1, "set-counts", [("k1", 1, 10, 15), ("k2", 2, 10, 15)]),
        (2, "set-counts", [("k3", 3, 10, 15)]),
    ]  # fmt: skip
    assert stage.state.results == {1: (IntentResult.OK, ""), 2: (IntentResult.OK, "")}


def test_nothing_to_write_reads_and_writes_nothing() -> None:
    stage = scene(1)
    applied = stage.apply(raises(1, to=10))
    assert (outcomes(applied), stage.target.sent, stage.target.listings) == ({"k1": "unchanged"}, [], 0)


def test_a_batch_of_which_nothing_is_as_planned_does_not_hinder_the_next() -> None:
    stage = scene(2, batch=1)
    stage.target.before_listing[1] = lambda: stage.target.edit(1, count=77)
    assert outcomes(stage.apply(raises(1, 2), confirmed=True)) == {"k1": "stale", "k2": "applied"}


def test_the_read_back_waits_as_long_as_one_of_several_lags() -> None:
    stage = scene(2, batch=1)
    stage.target.answers = [silent]
    stage.target.before_listing[3] = lambda: stage.target.edit(1, count=15)
    assert outcomes(stage.apply(raises(1, 2))) == {"k1": "applied", "k2": "applied"}


# --- a batch that was refused or is unclear --------------------------------------------------------------------------


def test_after_a_refused_batch_each_goes_alone() -> None:
    stage = scene(3)
    stage.target.answers = [refused(message="row 2 is bad"), accepted, refused(422, message="bad"), accepted]
    applied = stage.apply(raises(1, 2, 3))
    assert ids_sent(stage.target) == [[1, 2, 3], [1], [2], [3]]
    assert outcomes(applied) == {"k1": "applied", "k2": "failed", "k3": "applied"}
    assert message_of(applied, "k2") == "HaloPSA refused the quantity 15: bad"
    assert applied.outcomes["k2"].subscription_id == 2  # type: ignore[index]
    assert stage.target.listings == 2


def test_a_lone_row_that_was_refused_is_not_sent_again_as_it_was() -> None:
    stage = scene(1)
    stage.target.answers = [refused(message="must be above 20")]
    applied = stage.apply(raises(1))
    assert (ids_sent(stage.target), outcomes(applied)) == ([[1]], {"k1": "failed"})
    assert stage.state.results[1] == (IntentResult.REFUSED, "must be above 20")


def test_after_an_unclear_batch_only_what_is_not_there_goes_again() -> None:
    stage = scene(3)
    stage.target.answers = [unclear(effect=True, first=2)]
    applied = stage.apply(raises(1, 2, 3))
    assert ids_sent(stage.target) == [[1, 2, 3], [3]]
    assert set(outcomes(applied).values()) == {"applied"}
    assert stage.state.results[1] == (IntentResult.UNKNOWN, "lost")


def test_an_unclear_batch_that_took_effect_is_not_sent_again() -> None:
    stage = scene(2)
    stage.target.answers = [unclear(effect=True)]
    assert set(outcomes(stage.apply(raises(1, 2))).values()) == {"applied"}
    assert ids_sent(stage.target) == [[1, 2]]


def test_a_lone_unclear_row_goes_once_more() -> None:
    stage = scene(1)
    stage.target.answers = [unclear()]
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert ids_sent(stage.target) == [[1], [1]]


def test_what_stays_unclear_is_unknown() -> None:
    stage = scene(1)
    stage.target.answers = [unclear(), unclear()]
    applied = stage.apply(raises(1))
    assert outcomes(applied) == {"k1": "unknown"}
    assert message_of(applied, "k1") == (
        "the quantity 15 was sent and HaloPSA does not show it: lost; it may still arrive, the next run sets it right"
    )
    assert len(stage.target.sent) == 2


def test_an_effect_that_comes_late_is_seen() -> None:
    stage = scene(1)
    stage.target.answers = [late(20), unclear()]
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}


def test_an_unclear_write_then_refused_is_failed() -> None:
    stage = scene(1)
    stage.target.answers = [unclear(), refused(message="no more")]
    assert message_of(stage.apply(raises(1)), "k1") == "HaloPSA refused the quantity 15: no more"


def test_after_an_unclear_batch_a_row_that_a_person_changed_is_unknown() -> None:
    """It was sent: it is not for us to say that nothing was written."""
    stage = scene(2)
    stage.target.answers = [unclear()]
    stage.target.before_listing[1] = lambda: stage.target.edit(2, count=77)
    applied = stage.apply(raises(1, 2))
    assert (ids_sent(stage.target), outcomes(applied)) == ([[1, 2], [1]], {"k1": "applied", "k2": "unknown"})
    assert stage.counts()[2] == 77


def test_after_a_refused_batch_a_row_that_a_person_changed_is_stale() -> None:
    stage = scene(2)
    stage.target.answers = [refused()]
    stage.target.before_listing[1] = lambda: stage.target.edit(2, count=77)
    applied = stage.apply(raises(1, 2))
    assert (ids_sent(stage.target), outcomes(applied)) == ([[1, 2], [1]], {"k1": "applied", "k2": "stale"})
    assert message_of(applied, "k2") == (
        "changed since the plan: count 10 -> 77; 15 was sent before, the next run decides anew"
    )


def test_writing_one_by_one_lists_again_when_it_takes_long() -> None:
    """A person's edit wins, however slow Halo is."""
    stage = scene(3)

    def slow(target: FakeTarget, batch: list[dict[str, object]]) -> object:
        target.clock.sleep(61)
        return accepted(target, batch)

    stage.target.answers = [refused(), slow]  # type: ignore[list-item]
    stage.target.before_listing[2] = lambda: stage.target.edit(3, count=77)
    applied = stage.apply(raises(1, 2, 3))
    assert outcomes(applied) == {"k1": "applied", "k2": "applied", "k3": "stale"}
    assert stage.counts()[3] == 77


def test_a_connection_that_was_never_made_is_journaled_as_not_sent() -> None:
    stage = scene(1)
    stage.target.answers = [refused(None, message="no route")]
    assert outcomes(stage.apply(raises(1))) == {"k1": "failed"}
    assert stage.state.results[1] == (IntentResult.NOT_SENT, "no route")


# --- the breaker -----------------------------------------------------------------------------------------------------


def test_three_unclear_answers_in_a_row_end_the_writing() -> None:
    stage = scene(4, batch=1)
    stage.target.answers = [unclear(), unclear(), unclear()]
    applied = stage.apply(raises(1, 2, 3, 4))
    assert len(stage.target.sent) == 3
    assert outcomes(applied) == {"k1": "unknown", "k2": "unknown", "k3": "failed", "k4": "failed"}
    assert message_of(applied, "k4") == ("not attempted: too many writes without a clear answer; the last one: lost")


def test_a_clear_answer_between_starts_the_row_anew() -> None:
    stage = scene(3, batch=1)
    stage.target.answers = [unclear(), unclear(), accepted, unclear(), accepted]
    applied = stage.apply(raises(1, 2, 3))
    assert outcomes(applied) == {"k1": "unknown", "k2": "applied", "k3": "applied"}


def test_a_refusal_between_starts_the_row_anew() -> None:
    stage = scene(4, batch=1)
    stage.target.answers = [unclear(), unclear(), refused(), unclear(), unclear(), accepted]
    applied = stage.apply(raises(1, 2, 3, 4))
    assert outcomes(applied) == {"k1": "unknown", "k2": "failed", "k3": "unknown", "k4": "applied"}


def test_five_unclear_answers_in_all_end_the_writing() -> None:
    stage = scene(6, batch=1)
    stage.target.answers = [unclear(), unclear(), accepted, unclear(), unclear(), accepted, unclear(effect=True)]
    applied = stage.apply(raises(1, 2, 3, 4, 5, 6))
    assert outcomes(applied) == {
        "k1": "unknown", "k2": "applied", "k3": "unknown", "k4": "applied", "k5": "applied", "k6": "failed",
    }  # fmt: skip
    assert len(stage.target.sent) == 7


def test_the_rest_of_a_refused_batch_is_not_sent_once_the_breaker_is_out() -> None:
    stage = scene(5)
    stage.target.answers = [refused(message="bad"), unclear(), unclear(), unclear()]
    applied = stage.apply(raises(1, 2, 3, 4, 5))
    assert len(stage.target.sent) == 4
    assert outcomes(applied) == {"k1": "unknown", "k2": "unknown", "k3": "unknown", "k4": "failed", "k5": "failed"}
    assert message_of(applied, "k5") == "HaloPSA refused the quantity 15: bad"


def test_a_missing_right_ends_the_writing_at_once() -> None:
    stage = scene(4, batch=2)
    stage.target.answers = [refused(403, message="no permission")]
    applied = stage.apply(raises(1, 2, 3, 4))
    assert len(stage.target.sent) == 1
    assert set(outcomes(applied).values()) == {"failed"}
    assert message_of(applied, "k2") == "HaloPSA refused the quantity 15 for want of a right"  # said once for all
    assert message_of(applied, "k3") == "not attempted: HaloPSA refused a write for want of a right: no permission"
    assert applied.outcomes["k3"].subscription_id == 3  # type: ignore[index]


# --- a person's edit wins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"count": 11}, "count 10 -> 11"),
        ({"count": None}, "count 10 -> None"),
        ({"customer_id": 13}, "customer_id 12 -> 13"),
        ({"is_active": False}, "active True -> False"),
        ({"deleted": True}, "active True -> False"),
    ],
)
def test_a_row_that_moved_is_stale(edit: dict[str, object], words: str) -> None:
    stage = scene(2)
    stage.target.before_listing[1] = lambda: stage.target.edit(1, **edit)
    applied = stage.apply(raises(1, 2), confirmed=True)
    assert outcomes(applied) == {"k1": "stale", "k2": "applied"}
    assert words in message_of(applied, "k1")
    assert ids_sent(stage.target) == [[2]]


@pytest.mark.parametrize(("left", "outcome"), [(-1, "stale"), (0, "applied"), (1, "applied")])
def test_a_row_that_somebody_ended_is_stale_from_the_day_after(left: int, outcome: str) -> None:
    stage = scene(1)
    last_day = stage.clock.now().date() + timedelta(days=left)
    stage.target.before_listing[1] = lambda: stage.target.edit(1, last_day=last_day)
    applied = stage.apply(raises(1), confirmed=True)
    assert outcomes(applied) == {"k1": outcome}
    assert (f"somebody ended it on {last_day.isoformat()}" in message_of(applied, "k1")) is (left < 0)


def test_what_is_retired_is_brought_to_nothing_though_somebody_ended_it() -> None:
    stage = scene(1)
    retired = replace(raises(1, to=0).changes[0], mapping=build_mapping(key="k1", retired=True))
    stage.target.before_listing[1] = lambda: stage.target.edit(1, last_day=date(2020, 1, 1))
    assert outcomes(stage.apply(build_plan(retired), confirmed=True)) == {"k1": "applied"}


def test_a_row_that_vanished_is_stale() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = stage.target.rows.clear
    applied = stage.apply(raises(1), confirmed=True)
    assert "HaloPSA does not list it any more" in message_of(applied, "k1")
    assert stage.target.sent == []


def test_a_renamed_row_has_not_moved() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = lambda: stage.target.edit(1, name="Renamed")
    assert outcomes(stage.apply(raises(1), confirmed=True)) == {"k1": "applied"}


@pytest.mark.parametrize(("age", "listings"), [(0, 1), (60, 1), (60.5, 2)])
def test_a_listing_older_than_a_minute_is_read_again(age: float, listings: int) -> None:
    stage = scene(1)
    assert outcomes(stage.apply(raises(1), age=age)) == {"k1": "applied"}
    assert stage.target.listings == listings


def test_a_listing_is_as_old_as_its_first_page() -> None:
    stage = scene(2, batch=1)
    stage.target.before_listing[1] = lambda: stage.clock.sleep(50)

    def slow(target: FakeTarget, batch: list[dict[str, object]]) -> object:
        target.clock.sleep(20)
        return accepted(target, batch)

    stage.target.answers = [slow]  # type: ignore[list-item]
    stage.apply(raises(1, 2), confirmed=True)
    assert stage.target.listings == 3


# --- stopping --------------------------------------------------------------------------------------------------------


def test_a_stop_between_batches_starts_no_new_write() -> None:
    stage = scene(4, batch=2)
    stage.stopping = lambda: bool(stage.target.sent)
    applied = stage.apply(raises(1, 2, 3, 4))
    assert ids_sent(stage.target) == [[1, 2]]
    assert outcomes(applied) == {"k1": "applied", "k2": "applied", "k3": "failed", "k4": "failed"}
    assert message_of(applied, "k3") == "not attempted: the run was interrupted, and no further write was started"


def test_a_stop_while_waiting_for_the_budget_starts_no_write() -> None:
    stage = scene(1)
    stage.stopping = lambda: bool(stage.target.budgets)
    applied = stage.apply(raises(1))
    assert (stage.target.sent, outcomes(applied)) == ([], {"k1": "failed"})


def test_a_request_that_never_left_is_no_write() -> None:
    stage = scene(2, batch=1)
    stage.target.answers = [accepted, interrupted]
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "applied", "k2": "failed"}
    assert message_of(applied, "k2") == "not attempted: stop"
    assert stage.state.results[2] == (IntentResult.NOT_SENT, "stop")


def test_a_stop_during_one_by_one_leaves_the_unclear_unknown() -> None:
    stage = scene(2)
    stage.target.answers = [unclear(), interrupted]
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "unknown", "k2": "unknown"}


def test_a_stop_before_one_by_one_leaves_the_unclear_unknown() -> None:
    stage = scene(2)
    stage.target.answers = [unclear()]
    stage.stopping = lambda: bool(stage.target.sent)
    applied = stage.apply(raises(1, 2))
    assert (len(stage.target.sent), outcomes(applied)) == (1, {"k1": "unknown", "k2": "unknown"})


# --- verify ----------------------------------------------------------------------------------------------------------


def test_a_write_without_effect_is_failed() -> None:
    stage = scene(1)
    stage.target.answers = [silent]
    applied = stage.apply(raises(1))
    assert message_of(applied, "k1") == "15 was written and accepted, HaloPSA shows 10"
    assert stage.clock.monotonic() == 30


@pytest.mark.parametrize(("listing", "seconds"), [(2, 2), (3, 6), (4, 14), (5, 30)])
def test_a_read_back_that_lags_is_repeated(listing: int, seconds: int) -> None:
    stage = scene(1)
    stage.target.answers = [silent]
    stage.target.before_listing[listing] = lambda: stage.target.edit(1, count=15)
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert (stage.target.listings, stage.clock.monotonic()) == (listing, seconds)


def test_somebody_elses_number_after_the_write_is_failed_and_said() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = lambda: stage.target.edit(1, count=77)
    applied = stage.apply(raises(1))
    assert message_of(applied, "k1") == (
        "15 was written and accepted, HaloPSA shows 77: somebody else changed it during the run"
    )
    assert stage.target.listings == 1


def test_a_row_that_vanished_after_the_write_is_failed() -> None:
    stage = scene(1)
    stage.target.before_listing[1] = stage.target.rows.clear
    assert message_of(stage.apply(raises(1)), "k1") == "HaloPSA does not list it after the write"


def test_a_stop_ends_the_waiting_for_a_lagging_listing() -> None:
    stage = scene(1)
    stage.target.answers = [silent]
    stage.stopping = lambda: bool(stage.target.sent)
    stage.apply(raises(1))
    assert stage.target.listings == 1


def test_a_read_back_that_fails_leaves_the_outcome_unknown() -> None:
    stage = scene(2, batch=1)
    stage.target.before_listing[1] = fail(UNREACHABLE)
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "unknown", "k2": "unknown"}
    assert message_of(applied, "k1") == "the quantity 15 was sent and could not be read back"
    told = applied.outcomes["k1"]  # type: ignore[index]
    assert (told.sent, told.checked) == (True, False)
    assert applied.error is UNREACHABLE


def test_a_listing_that_fails_between_stops_what_follows_and_verifies_what_went() -> None:
    stage = scene(2, batch=1)
    stage.target.answers = [unclear()]
    stage.target.before_listing[1] = fail(ApiError("gone for a moment"))
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "unknown", "k2": "failed"}
    assert message_of(applied, "k2") == "not attempted: gone for a moment"
    assert isinstance(applied.error, ApiError)


# --- the frame -------------------------------------------------------------------------------------------------------


def framed(**raw: object) -> Subscription:
    row = build_subscription(1, count=10)
    return type(row)(id=row.id, customer_id=row.customer_id, name=row.name, count=row.count, raw={**RAW, **raw})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price": 3.0}, "price 2.5 -> 3.0"),
        ({"name": "Other"}, "name Training -> Other"),
        ({"price": None}, "price removed"),
        ({"end_date": "2027"}, "end_date added: 2027"),
        ({"price": "2.5"}, "price 2.5 -> 2.5"),
    ],
)
def test_a_field_that_the_write_changed_is_named(change: dict[str, object], words: str) -> None:
    stage = Scene(framed())
    stage.target.before_listing[1] = lambda: stage.target.edit(1, raw=change)
    applied = stage.apply(raises(1))
    assert outcomes(applied) == {"k1": "failed"}
    told = message_of(applied, "k1")
    assert told.startswith("the quantity is right, but")
    assert f": {words}; " in told


@pytest.mark.parametrize(
    "change",
    [*({stamp: "later"} for stamp in sorted(HALO_STAMPS)), {"_warning": "x"}, {"start_date": None}, {"price": 2.5}],
)
def test_what_halo_stamps_itself_is_no_change(change: dict[str, object]) -> None:
    assert changed_besides_count(framed(), framed(**change)) == ""


def test_a_whole_number_as_float_is_no_change() -> None:
    assert changed_besides_count(framed(item_id=7), framed(item_id=7.0)) == ""


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"tags": [1]}, {"tags": [1, 2]}, "tags.1 changed"),
        ({"tags": [1, 2]}, {"tags": [1]}, "tags.1 changed"),
        ({"site": {"id": 1}}, {"site": {"id": 2}}, "site.id 1 -> 2"),
    ],
)
def test_nested_changes_are_changes(before: dict[str, object], now: dict[str, object], words: str) -> None:
    assert changed_besides_count(framed(**before), framed(**now)) == words


def test_the_frame_is_what_was_there_before_the_first_write() -> None:
    """A batch that was refused as a whole may all the same have touched something."""
    stage = Scene(framed(), build_subscription(2, count=10))
    stage.target.answers = [refused()]
    stage.target.before_listing[1] = lambda: stage.target.edit(1, raw={"price": 9.9})
    assert "price 2.5 -> 9.9" in message_of(stage.apply(raises(1, 2)), "k1")
