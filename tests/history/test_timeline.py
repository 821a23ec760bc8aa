"""What each mapping billed at any moment of the past."""

from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from reconciler.history.timeline import Ending, Month, draw_timeline, ending_of, month_of, parse_month
from tests.history.months import KEY, full, line, moment, past


def test_before_the_first_record_nothing_is_known() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15))], [])
    assert timeline.at(KEY, moment(9, 2)) is None


def test_a_written_quantity_stands_until_the_next_one() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15)), past(moment(9, 9), line(15, 14))], [])
    found = [timeline.at(KEY, moment(9, day)) for day in (4, 8, 10)]
    assert [point.quantity for point in found if point] == [15, 15, 14]


def test_a_held_change_leaves_the_quantity_and_tells_the_count() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 0, outcome="held", counted=0), exit_code=3)], [])
    point = timeline.at(KEY, moment(9, 4))
    assert point is not None
    assert (point.quantity, point.counted) == (12, 0)


def test_what_a_stale_row_says_of_before_was_not_live() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15, outcome="stale"), exit_code=3)], [])
    assert timeline.at(KEY, moment(9, 4)) is None


def test_an_edit_by_a_person_shows_in_the_next_run() -> None:
    runs = [past(moment(9, 3), line(12, 15)), past(moment(9, 9), line(40, 15))]
    quantities = [point.quantity for point in draw_timeline(runs, []).points[KEY]]
    assert quantities == [12, 15, 40, 15]


def test_a_create_begins_the_line() -> None:
    [point] = draw_timeline([past(moment(9, 3), line(None, 15, action="create"))], []).points[KEY]
    assert (point.at, point.quantity) == (moment(9, 3), 15)


def test_a_snapshot_tells_what_no_run_changed() -> None:
    timeline = draw_timeline([past(moment(9, 3))], [full(moment(9, 3), infima_101=12)])
    point = timeline.at(KEY, moment(9, 3))
    assert point is not None
    assert point.quantity == 12


def test_a_key_that_a_later_snapshot_does_not_list_is_no_longer_known() -> None:
    timeline = draw_timeline(
        [past(moment(9, 3)), past(moment(10, 1))],
        [full(moment(9, 3), infima_101=12, infima_102=7), full(moment(10, 1), infima_102=7)],
    )
    point = timeline.at(KEY, moment(10, 2))
    assert point is not None
    assert point.quantity is None


def test_the_snapshot_of_a_run_stands_behind_its_changes() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15))], [full(moment(9, 3), infima_101=15)])
    assert [point.quantity for point in timeline.points[KEY]] == [12, 15]


def test_decisions_of_people_say_nothing_of_quantities() -> None:
    assert draw_timeline([past(moment(9, 3), line(12, 15), decision=True)], []).points == {}


def test_runs_may_come_in_any_order() -> None:
    runs = [past(moment(9, day), line(10 + day, 11 + day)) for day in (3, 4, 5)]
    assert draw_timeline(runs, []) == draw_timeline(reversed(runs), [])


def test_between_begins_with_what_stood_at_the_start() -> None:
    timeline = draw_timeline([past(moment(9, 3), line(12, 15)), past(moment(10, 9), line(15, 14))], [])
    month = Month(year=2026, number=10)
    found = timeline.between(KEY, month.start, month.end)
    assert [(point.at, point.quantity) for point in found] == [(month.start, 15), (moment(10, 9), 14)]


@pytest.mark.parametrize(
    ("code", "word"),
    [(0, Ending.GOOD), (1, Ending.FAILED), (3, Ending.HELD), (4, Ending.INCOMPLETE), (130, Ending.INTERRUPTED)],
)
def test_each_exit_code_has_its_word(code: int, word: Ending) -> None:
    assert ending_of(past(moment(9, 3), exit_code=code).verdict) is word


def test_a_decision_is_no_good_run() -> None:
    assert ending_of(past(moment(9, 3), decision=True).verdict) is Ending.DECISION


def test_a_month_knows_its_days_and_its_neighbours() -> None:
    february = parse_month("2028-02")
    assert (len(february.days), str(february.back(2)), str(month_of(february.end))) == (29, "2027-12", "2028-03")


@pytest.mark.parametrize("text", ["2026", "2026-13", "november", "2026-11-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no month"):
        parse_month(text)
