"""The month's statement for finance."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reconciler.history.months import Month
from reconciler.history.statement import (
    DayKnown,
    Owner,
    Statement,
    StatementRow,
    make_statement,
    owners_of,
    unmade_mappings,
)
from reconciler.history.timeline import draw_timeline
from reconciler.model import HaloCustomerId, MappingKey, Standing, SubscriptionId
from reconciler.state.history import MonthRecord, PastRun
from reconciler.state.recorded import Attached, InvoiceLook, Recorded
from tests.builders import build_mapping, build_mappings
from tests.history.conftest import Command
from tests.history.months import KEY, full, line, moment, past, shown, sighting, sleep_until
from tests.stage import Stage

OCTOBER = Month(year=2026, number=10)
LATER = moment(12, 24)


def statement(runs: list[PastRun], *snapshots: MonthRecord, day: int = 1, now: datetime = LATER) -> Statement:
    """October's, of runs that go on: the last one looked shortly before `now`."""
    last = past(now - timedelta(hours=2), run="last")
    return make_statement(draw_timeline([*runs, last], snapshots), {}, OCTOBER, invoice_day=day, now=now)


def only_row(runs: list[PastRun], *snapshots: MonthRecord, day: int = 1, now: datetime = LATER) -> StatementRow:
    [row] = statement(runs, *snapshots, day=day, now=now).rows
    return row


CHANGED = [past(moment(9, 9), line(8, 10)), past(moment(10, 11), line(10, 30)), past(moment(10, 21), line(30, 20))]


def test_first_last_and_peak_of_the_month() -> None:
    row = only_row(CHANGED)
    assert (row.first, row.last, row.peak) == (10, 20, 30)


def test_the_average_is_over_what_stood_at_the_end_of_each_day() -> None:
    # 10 days of 10, 10 days of 30, 11 days of 20
    assert only_row(CHANGED).average == Decimal("20.00")


def test_the_invoice_day_counts_to_its_end() -> None:
    assert [only_row(CHANGED, day=day).invoiced for day in (1, 10, 11, 31)] == [10, 10, 30, 20]


MIDNIGHT = moment(10, 2, hour=0)


def test_what_a_run_writes_at_midnight_belongs_to_the_next_day() -> None:
    at_midnight = past(MIDNIGHT, sightings=(sighting(MIDNIGHT), sighting(MIDNIGHT, shown(30))))
    assert only_row([past(moment(9, 9), line(8, 10)), at_midnight]).invoiced == 10


def test_what_changed_while_a_run_went_over_midnight_is_not_known() -> None:
    row = only_row([past(moment(9, 9), line(8, 10)), past(MIDNIGHT, line(10, 30))])
    assert (row.invoiced, row.told) == (None, DayKnown.NOT_KNOWN)
    assert row.why == "it was 10 when seen 2026-10-01 23:59 and 30 when seen 2026-10-02 00:00"


def test_in_a_shorter_month_the_last_day_is_meant() -> None:
    runs = [past(moment(2, 3), line(8, 10))]
    made = make_statement(draw_timeline(runs, []), {}, Month(year=2026, number=2), invoice_day=31, now=moment(12, 1))
    assert made.invoice_at == moment(3, 1, hour=0)


def test_a_month_that_is_not_over_ends_now() -> None:
    made = statement(CHANGED[:2], now=moment(10, 12), day=31)
    assert not made.over
    assert (made.until, made.rows[0].last, made.rows[0].invoiced) == (moment(10, 12), 30, 30)


def test_the_average_of_a_month_under_way_is_over_its_days_so_far() -> None:
    # ten whole days of 10, and the two that have begun
    assert only_row(CHANGED[:2], now=moment(10, 12)).average == Decimal("13.33")


def test_a_subscription_that_began_in_the_month_has_no_quantity_at_the_first() -> None:
    made = statement([past(moment(9, 1)), past(moment(10, 11), line(None, 30, action="create"))])
    assert (made.rows[0].invoiced, made.rows[0].first, made.rows[0].told) == (None, 30, DayKnown.NONE)
    assert (made.unknown, made.unmade, made.invoiced) == (0, 1, 0)


def test_before_the_first_look_no_number_is_given_nor_a_sum() -> None:
    made = statement([past(moment(10, 11), line(12, 30))])
    assert (made.rows[0].invoiced, made.rows[0].told) == (None, DayKnown.NOT_KNOWN)
    assert (made.unknown, made.unmade, made.invoiced) == (1, 0, None)
    assert made.rows[0].why == "the first recorded look at HaloPSA was 2026-10-11 04:59"


def test_a_mapping_that_left_before_the_month_is_not_on_it() -> None:
    left = full(moment(9, 30), infima_102=7)
    runs = [past(moment(9, 9), line(8, 10), old=True), past(moment(12, 23), old=True)]
    made = make_statement(draw_timeline(runs, [left]), {}, OCTOBER, invoice_day=1, now=LATER)
    assert [row.key for row in made.rows] == ["infima-102"]


def test_what_left_the_file_and_still_has_users_keeps_its_line_and_one_at_nothing_does_not() -> None:
    left = sighting(moment(9, 20), shown(10, managed=False))
    runs = [past(moment(9, 9), line(8, 10)), past(moment(9, 20), sightings=(left,))]
    row = only_row(runs)
    assert (row.invoiced, row.managed, row.notes) == (10, False, ("no mapping in mappings.yaml has it any more",))
    gone = sighting(moment(9, 21), shown(0, managed=False, standing=Standing.DELETED))
    assert statement([*runs, past(moment(9, 21), sightings=(gone,))]).rows == ()


def test_a_deleted_one_is_at_nothing_from_the_day_that_shows_it() -> None:
    gone = past(moment(10, 11), sightings=(sighting(moment(10, 11), shown(0, standing=Standing.DELETED)),))
    runs = [CHANGED[0], past(moment(10, 10)), gone]
    assert [only_row(runs, day=day).invoiced for day in (9, 10, 11, 31)] == [10, None, 0, 0]
    row = only_row(runs, day=31)
    assert (row.last, row.standing) == (0, Standing.DELETED)
    assert row.notes == ("deleted in HaloPSA, first seen so 2026-10-11 05:00",)
    assert (row.days_known, row.days) == (30, 31)


def test_a_key_that_was_renamed_and_adopted_has_one_line() -> None:
    renamed = shown(10, key="infima-102", subscription=9001)
    runs = [CHANGED[0], past(moment(10, 5)), past(moment(10, 11), sightings=(sighting(moment(10, 11), renamed),))]
    row = only_row(runs, day=31)
    assert (row.key, row.invoiced, row.average) == ("infima-102", 10, Decimal("10.00"))
    assert row.notes == ("under the key infima-101 when seen 2026-10-05 05:00",)
    assert statement(runs, day=31).invoiced == 10


def test_after_the_last_look_a_past_day_is_not_known() -> None:
    made = make_statement(draw_timeline(CHANGED, ()), {}, OCTOBER, invoice_day=31, now=LATER)
    assert (made.rows[0].invoiced, made.rows[0].last, made.invoiced) == (None, None, None)
    assert made.rows[0].why == "not looked at since 2026-10-21 05:00, when it was 20"


def test_a_day_that_is_not_over_takes_what_was_seen_last_night() -> None:
    now = moment(10, 21, hour=20)
    made = make_statement(draw_timeline(CHANGED, ()), {}, OCTOBER, invoice_day=21, now=now)
    assert (made.rows[0].invoiced, made.rows[0].seen_at, made.over) == (20, moment(10, 21), False)
    later = make_statement(draw_timeline(CHANGED, ()), {}, OCTOBER, invoice_day=24, now=moment(10, 24))
    assert later.rows[0].invoiced is None


def test_days_are_those_of_the_time_zone() -> None:
    """At five in the morning in London it is still the evening before in Los Angeles."""
    west = Month(year=2026, number=10, zone=ZoneInfo("America/Los_Angeles"))
    runs = [*CHANGED, past(LATER)]
    found = [
        make_statement(draw_timeline(runs, ()), {}, month, invoice_day=10, now=LATER).rows[0].invoiced
        for month in (OCTOBER, west)
    ]
    assert found == [10, 30]


def test_a_line_says_whether_it_was_on_an_invoice_when_last_looked_at() -> None:
    look = InvoiceLook(subscription_id=SubscriptionId(9001), looked_at=moment(10, 3), verdict=Attached.NO)
    state = Recorded(looks={KEY: look, MappingKey("infima-102"): look})
    whom = owners_of(build_mappings(build_mapping(), build_mapping(102, 13, name="Other")), state)
    runs = [past(moment(9, 9), line(8, 10), line(3, 4, key="infima-102"))]
    rows = make_statement(draw_timeline(runs, ()), whom, OCTOBER, invoice_day=1, now=LATER).rows
    assert {row.key: row.whom.look for row in rows} == {KEY: look, "infima-102": None}, "the other's is another one"


def test_mappings_without_a_subscription_have_a_line_that_says_why() -> None:
    mappings = build_mappings(build_mapping(), build_mapping(102, 13, name="Held"), build_mapping(103, 14, name="New"))
    refused = replace(line(None, None, key="infima-102", action="create", outcome="held"), held_by="same-name")
    runs = [past(moment(9, 9), line(8, 10), refused, exit_code=3), past(LATER - timedelta(hours=1))]
    timeline = draw_timeline(runs, ())
    assert unmade_mappings(mappings, timeline, runs)["infima-103"] == "no Subscription"  # the last run had this file
    mappings = replace(mappings, sha256="edited since")
    unmade = unmade_mappings(mappings, timeline, runs)
    assert unmade == {"infima-102": "no Subscription: held by same-name", "infima-103": ""}
    made = make_statement(timeline, {}, OCTOBER, invoice_day=1, now=LATER, unmade=unmade)
    assert {row.key: row.told for row in made.rows} == {
        "infima-101": DayKnown.KNOWN,
        "infima-102": DayKnown.NONE,
        "infima-103": DayKnown.NOT_KNOWN,
    }


def test_the_difference_is_what_is_billed_beyond_the_count() -> None:
    assert only_row([past(moment(9, 9), line(8, 10, counted=7))]).difference == 3


def test_rows_are_sorted_by_customer() -> None:
    whom = {
        KEY: Owner(customer="Zephyr", customer_id=HaloCustomerId(1)),
        MappingKey("infima-102"): Owner(customer="acme", customer_id=HaloCustomerId(2)),
    }
    runs = [past(moment(9, 9), line(8, 10), line(3, 4, key="infima-102"))]
    made = make_statement(draw_timeline(runs, []), whom, OCTOBER, invoice_day=1, now=LATER)
    assert [row.whom.customer for row in made.rows] == ["acme", "Zephyr"]


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_csv_names_customers_and_adds_up(autumn: Stage, command: Command) -> None:
    answer = command("statement", "--month", "2026-10", "--invoice-day", "31", "-o", "csv")
    rows = {row["Mapping"]: row for row in csv.DictReader(io.StringIO(answer.out))}
    assert answer.code == 0
    acme = rows["infima-101"]
    assert (acme["Customer"], acme["First"], acme["Last"], acme["Invoice day"]) == ("Acme Dental", "15", "12", "12")
    assert sum(int(row["Invoice day"]) for row in rows.values()) == 12 + 12 + 12 + 13 + 14 + 15


def test_what_the_statement_says_is_what_halo_bills(autumn: Stage, command: Command) -> None:
    sleep_until(autumn, moment(11, 22))
    autumn.apply()
    document = json.loads(command("statement", "--month", "2026-11", "--invoice-day", "21", "-o", "json").out)
    billed = {row["subscription_id"]: row["invoice_day"] for row in document["rows"]}
    assert billed == {number: int(autumn.count_of(number)) for number in billed}
    assert len(billed) == 6


def test_a_held_fall_shows_as_a_difference(autumn: Stage, command: Command) -> None:
    document = json.loads(command("statement", "--month", "2026-11", "-o", "json").out)
    [row] = [row for row in document["rows"] if row["key"] == "infima-103"]
    assert (row["invoice_day"], row["counted"], row["difference"]) == (12, 0, 12)


def test_markdown_and_text_hold_every_customer(autumn: Stage, command: Command) -> None:
    for output in ("text", "markdown"):
        out = command("statement", "--month", "2026-10", "-o", output).out
        assert all(name in out for name in ("Acme Dental", "Borealis Freight", "Fenwick Law"))


def test_the_sum_is_told(autumn: Stage, command: Command) -> None:
    answer = command("statement", "--month", "2026-10")
    assert answer.err == "2026-10: 80 users on 6 Subscriptions at the end of 2026-10-01 (UTC).\n"


def test_without_mappings_yaml_the_keys_are_still_there(autumn: Stage, command: Command) -> None:
    (autumn.folder / "mappings.yaml").unlink()
    answer = command("statement", "--month", "2026-10", "-o", "csv")
    assert answer.code == 0
    assert '"infima-101"' in answer.out
    assert "without names" in answer.err


@pytest.mark.parametrize("words", [("--month", "2026-12"), ("--month", "soon"), ("--invoice-day", "32")])
def test_what_cannot_be_meant_is_a_usage_error(autumn: Stage, command: Command, words: tuple[str, str]) -> None:
    assert command("statement", *words).code == 64


def test_before_the_first_run_every_mapping_has_a_line_and_no_sum_is_made_up(autumn: Stage, command: Command) -> None:
    answer = command("statement", "--month", "2026-07")
    assert answer.code == 0
    assert "All 6 lines: not known: the first recorded look at HaloPSA was 2026-09-03 05:00." in " ".join(
        answer.err.split()
    )
    assert "2026-07: no quantity is known at the end of 2026-07-01 (UTC)." in answer.err
    assert "6 of the 6 lines" in answer.err
    assert "0 users" not in answer.err


def test_without_any_record_every_mapping_has_its_line(stage: Stage, command: Command) -> None:
    answer = command("statement", "--month", "2026-09")
    assert "All 6 lines: not known: no run has looked at this mapping yet." in " ".join(answer.err.split())


def test_with_a_currency_and_many_customers_it_is_one_table(autumn: Stage, command: Command) -> None:
    priced = autumn.text.replace("version: 1\n", "version: 1\nsettings: {currency: EUR}\n")
    (autumn.folder / "mappings.yaml").write_text(priced, encoding="utf-8")
    for width in ("80", "100", "120", "200"):
        answer = command("statement", "--month", "2026-10", columns=width)
        lines = answer.out.splitlines()
        assert lines[0].startswith("Customer")
        assert len(lines) == 1 + 6
        assert max(map(len, lines)) <= int(width)
