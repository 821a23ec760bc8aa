"""What each mapping billed at any moment of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.errors import UsageError
from reconciler.history.account import RunEnding, ending_of
from reconciler.history.months import Month, month_of, parse_month
from reconciler.history.timeline import Known, Why, draw_timeline
from reconciler.model import Standing
from reconciler.state.history import MonthRecord, PastRun
from tests.history.months import KEY, full, line, moment, past, shown, sighting, subscription_of

SEPTEMBER = full(moment(9, 3), infima_101=12, infima_102=7)


def quantities(*runs: PastRun, fulls: tuple[MonthRecord, ...] = ()) -> list[int | None]:
    """The points of the one mapping."""
    return [point.quantity for point in draw_timeline(runs, fulls).points[KEY]]


def stood(moment: datetime, *runs: PastRun, fulls: tuple[MonthRecord, ...] = ()) -> int | Why:
    """What stood at a moment, or why it is not known."""
    timeline = draw_timeline(runs, fulls)
    state = timeline.stood(subscription_of(KEY) if subscription_of(KEY) in timeline.lines else KEY, moment)
    return state.quantity if isinstance(state, Known) else state.why


BOTH = pytest.mark.parametrize("old", [False, True], ids=["listings", "old records"])


@BOTH
def test_before_the_first_record_nothing_is_known(*, old: bool) -> None:
    run = past(moment(9, 3), line(12, 15), old=old)
    assert draw_timeline([run], []).at(KEY, moment(9, 2)) is None
    assert stood(moment(9, 2), run) is Why.NO_LOOK_YET


@BOTH
def test_a_written_quantity_stands_until_the_next_one(*, old: bool) -> None:
    runs = past(moment(9, 3), line(12, 15), old=old), past(moment(9, 9), line(15, 14), old=old)
    assert [stood(moment(9, day), *runs) for day in (4, 8)] == [15, 15]
    assert stood(moment(9, 10), *runs) is Why.NOT_SINCE
    assert stood(moment(9, 10), *runs, past(moment(9, 11), old=old)) == 14


@BOTH
def test_a_held_change_leaves_the_quantity_and_tells_the_count(*, old: bool) -> None:
    run = past(moment(9, 3), line(12, 0, outcome="held", counted=0), exit_code=3, old=old)
    point = draw_timeline([run], []).at(KEY, moment(9, 4))
    assert point is not None
    assert (point.quantity, point.counted) == (12, 0)


@BOTH
def test_what_a_stale_row_says_of_before_was_not_live(*, old: bool) -> None:
    run = past(moment(9, 3), line(12, 15, outcome="stale"), exit_code=3, old=old)
    point = draw_timeline([run], []).at(KEY, moment(9, 4))
    assert point is not None
    assert (point.quantity, point.counted) == (None, 15)


@BOTH
def test_an_edit_by_a_person_shows_in_the_next_run(*, old: bool) -> None:
    runs = past(moment(9, 3), line(12, 15), old=old), past(moment(9, 9), line(40, 15), old=old)
    assert quantities(*runs) == [12, 15, 40, 15]
    assert stood(moment(9, 6), *runs) is Why.BETWEEN


@BOTH
def test_a_failed_write_that_shows_later_counts_from_the_listing_that_shows_it(*, old: bool) -> None:
    runs = (
        past(moment(9, 3), line(12, 12, outcome="unchanged"), old=old),
        past(moment(9, 4), line(12, 15, outcome="failed"), exit_code=4, old=old),
        past(moment(9, 5), line(15, 15, outcome="unchanged"), old=old),
        past(moment(9, 6), old=old),
    )
    found = [stood(moment(9, day, hour=12), *runs) for day in (3, 4, 5)]
    assert found[0] == 12
    assert found[1] in {Why.BETWEEN, Why.UNREADABLE}
    assert found[2] == 15


def test_a_change_that_is_on_its_way_when_the_day_ends_is_not_known() -> None:
    runs = past(moment(9, 3), line(12, 15)), past(moment(9, 4))
    assert stood(moment(9, 3) - timedelta(seconds=30), *runs) is Why.BETWEEN


@BOTH
def test_a_create_begins_the_line(*, old: bool) -> None:
    [point] = draw_timeline([past(moment(9, 3), line(None, 15, action="create"), old=old)], []).points[KEY]
    assert (point.at, point.quantity) == (moment(9, 3), 15)


def test_before_it_was_made_there_was_none() -> None:
    runs = past(moment(9, 2)), past(moment(9, 3), line(None, 15, action="create")), past(moment(9, 4))
    assert stood(moment(9, 2), *runs) is Why.NOT_OURS_YET
    assert stood(moment(9, 3, hour=6), *runs) == 15


def test_a_deleted_one_is_at_nothing_from_the_listing_that_shows_it() -> None:
    gone = sighting(moment(9, 5), shown(0, standing=Standing.DELETED))
    runs = past(moment(9, 3), line(12, 15)), past(moment(9, 5), sightings=(gone,)), past(moment(9, 6))
    assert stood(moment(9, 4), *runs) is Why.BETWEEN
    assert stood(moment(9, 5, hour=6), *runs) == 0


def test_a_renamed_key_goes_on_as_the_same_subscription() -> None:
    other = shown(15, key="infima-102", subscription=9001)
    runs = past(moment(9, 3), line(12, 15)), past(moment(9, 5), sightings=(sighting(moment(9, 5), other),))
    timeline = draw_timeline(runs, [])
    assert list(timeline.lines) == [9001]
    assert stood(moment(9, 4), *runs) == 15
    assert [point.quantity for point in timeline.points[KEY]] == [12, 15, None]
    assert [point.quantity for point in timeline.points[other.key]] == [15]


def test_a_clock_that_is_behind_does_not_put_a_run_before_its_predecessor() -> None:
    """The second run was made after the first, on a machine that was nine hours behind."""
    runs = past(moment(9, 3, hour=8), line(8, 12)), past(moment(9, 2, hour=23), line(12, 16)), past(moment(9, 4))
    assert quantities(*runs) == [8, 16]
    assert stood(moment(9, 3, hour=12), *runs) == 16
    assert stood(moment(9, 3, hour=0), *runs) != 12


def test_records_that_are_lost_leave_the_time_behind_them_open_until_the_next_full_record() -> None:
    runs = past(moment(9, 3), line(12, 15)), past(moment(9, 5)), past(moment(9, 7), after_gap=True), past(moment(9, 9))
    assert [stood(moment(9, day, hour=6), *runs) for day in (4, 6, 8)] == [15, Why.LOST, Why.LOST]
    whole = replace(full(moment(9, 8)), rows=(shown(15),))
    assert stood(moment(9, 8, hour=6), *runs, fulls=(whole,)) == 15


def test_a_snapshot_tells_what_no_run_changed() -> None:
    assert stood(moment(9, 3), past(moment(9, 3), old=True), past(moment(9, 4), old=True), fulls=(SEPTEMBER,)) == 12


def test_a_key_that_a_later_snapshot_does_not_list_is_no_longer_known() -> None:
    october = full(moment(10, 1), infima_102=7)
    runs = past(moment(9, 3), old=True), past(moment(10, 1), old=True), past(moment(10, 2), old=True)
    assert stood(moment(10, 1, hour=6), *runs, fulls=(SEPTEMBER, october)) is Why.LET_GO


def test_the_snapshot_of_a_run_stands_behind_its_changes() -> None:
    run = past(moment(9, 3), line(12, 15), run="r", old=True)
    assert quantities(run, fulls=(full(moment(9, 3), infima_101=15),)) == [12, 15]


def test_decisions_of_people_say_nothing_of_quantities() -> None:
    assert draw_timeline([past(moment(9, 3), line(12, 15), decision=True)], []).points == {}


def test_old_records_and_listings_make_one_line() -> None:
    runs = past(moment(9, 3), line(12, 15), old=True), past(moment(9, 9), line(15, 14)), past(moment(9, 11))
    assert list(draw_timeline(runs, []).lines) == [9001]
    assert [stood(moment(9, day), *runs) for day in (4, 10)] == [15, 14]


def test_between_begins_with_what_stood_at_the_start() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15)), past(moment(10, 9), line(15, 14))], [])
    month = Month(year=2026, number=10)
    found = timeline.between(KEY, month.start, month.end)
    assert [(point.at, point.quantity) for point in found] == [(month.start, 15), (moment(10, 9), 14)]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, RunEnding.GOOD),
        (1, RunEnding.FAILED),
        (3, RunEnding.HELD),
        (4, RunEnding.INCOMPLETE),
        (130, RunEnding.INTERRUPTED),
    ],
)
def test_each_exit_code_has_its_word(code: int, word: RunEnding) -> None:
    assert ending_of(past(moment(9, 3), exit_code=code).verdict) is word


def test_a_decision_is_no_good_run() -> None:
    assert ending_of(past(moment(9, 3), decision=True).verdict) is RunEnding.DECISION


def test_a_month_knows_its_days_and_its_neighbours() -> None:
    february = parse_month("2028-02")
    assert (len(february.days), str(february.back(2)), str(month_of(february.end))) == (29, "2027-12", "2028-03")


@pytest.mark.parametrize("text", ["2026", "2026-13", "november", "2026-11-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no month"):
        parse_month(text)
