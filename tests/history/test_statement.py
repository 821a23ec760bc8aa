"""The month's statement for finance."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal

import pytest

from reconciler.history.statement import Billed, Statement, StatementRow, make_statement
from reconciler.history.timeline import Month, draw_timeline
from reconciler.model import HaloCustomerId, MappingKey
from reconciler.state.history import PastRun, Snapshot
from tests.history.conftest import Command
from tests.history.months import KEY, full, line, moment, past, sleep_until
from tests.stage import Stage

OCTOBER = Month(year=2026, number=10)
LATER = moment(12, 24)


def statement(runs: list[PastRun], *snapshots: Snapshot, day: int = 1, now: datetime = LATER) -> Statement:
    return make_statement(draw_timeline(runs, snapshots), {}, OCTOBER, invoice_day=day, now=now)


def only_row(runs: list[PastRun], *snapshots: Snapshot, day: int = 1, now: datetime = LATER) -> StatementRow:
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


def test_what_a_run_writes_at_midnight_belongs_to_the_next_day() -> None:
    row = only_row([past(moment(9, 9), line(8, 10)), past(moment(10, 2, hour=0), line(10, 30))])
    assert row.invoiced == 10


def test_in_a_shorter_month_the_last_day_is_meant() -> None:
    runs = [past(moment(2, 3), line(8, 10))]
    made = make_statement(draw_timeline(runs, []), {}, Month(year=2026, number=2), invoice_day=31, now=moment(12, 1))
    assert made.invoice_at == moment(3, 1, hour=0)


def test_a_month_that_is_not_over_ends_now() -> None:
    made = statement(CHANGED, now=moment(10, 12), day=31)
    assert (made.until, made.rows[0].last, made.rows[0].invoiced) == (moment(10, 12), 30, 30)


def test_the_average_of_a_month_under_way_is_over_its_days_so_far() -> None:
    # ten whole days of 10, and the two that have begun
    assert only_row(CHANGED, now=moment(10, 12)).average == Decimal("13.33")


def test_a_subscription_that_began_in_the_month_has_no_quantity_at_the_first() -> None:
    made = statement([past(moment(10, 11), line(None, 30, action="create"))])
    assert (made.rows[0].invoiced, made.rows[0].first, made.unknown, made.invoiced) == (None, 30, 1, 0)


def test_a_mapping_that_left_before_the_month_is_not_on_it() -> None:
    left = full(moment(9, 30), infima_102=7)
    assert [row.key for row in statement(CHANGED[:1], left).rows] == ["infima-102"]


def test_the_difference_is_what_is_billed_beyond_the_count() -> None:
    assert only_row([past(moment(9, 9), line(8, 10, counted=7))]).difference == 3


def test_rows_are_sorted_by_customer() -> None:
    whom = {
        KEY: Billed(customer="Zephyr", customer_id=HaloCustomerId(1)),
        MappingKey("infima-102"): Billed(customer="acme", customer_id=HaloCustomerId(2)),
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
    sleep_until(autumn, moment(11, 23))
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
    assert "2026-10: 80 users billed by 6 Subscriptions as of 2026-10-02T00:00+00:00." in answer.err


def test_without_mappings_yaml_the_keys_are_still_there(autumn: Stage, command: Command) -> None:
    (autumn.folder / "mappings.yaml").unlink()
    answer = command("statement", "--month", "2026-10", "-o", "csv")
    assert answer.code == 0
    assert '"infima-101"' in answer.out
    assert "without names" in answer.err


@pytest.mark.parametrize("words", [("--month", "2026-12"), ("--month", "soon"), ("--invoice-day", "32")])
def test_what_cannot_be_meant_is_a_usage_error(autumn: Stage, command: Command, words: tuple[str, str]) -> None:
    assert command("statement", *words).code == 64


def test_a_month_without_records_says_so(autumn: Stage, command: Command) -> None:
    answer = command("statement", "--month", "2026-07")
    assert (answer.code, answer.out) == (0, "")
    assert "Nothing is recorded for 2026-07" in answer.err
