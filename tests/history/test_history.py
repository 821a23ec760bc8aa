"""`reconciler history`: runs, one mapping's changes, and whether the records are whole."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.history.conftest import Command
from tests.history.months import moment, sleep_until
from tests.stage import Stage


def test_runs_are_listed_newest_first(autumn: Stage, command: Command) -> None:
    lines = command("history").out.splitlines()
    assert [text[:10] for text in lines[1:]] == [
        "2026-11-21",
        "2026-11-01",
        "2026-10-15",
        "2026-10-02",
        "2026-09-20",
        "2026-09-03",
    ]


def test_a_held_run_says_so(autumn: Stage, command: Command) -> None:
    runs = json.loads(command("history", "-o", "json").out)["runs"]
    assert [run["ended"] for run in runs] == ["held", "held", "good", "good", "good", "good"]


def test_the_sums_of_users_follow_each_other(autumn: Stage, command: Command) -> None:
    runs = json.loads(command("history", "-o", "json").out)["runs"]
    assert [run["users_after"] for run in runs[1:]] == [run["users_before"] for run in runs[:-1]]


def test_one_mapping_shows_its_changes(autumn: Stage, command: Command) -> None:
    changes = json.loads(command("history", "infima-101", "-o", "json").out)["changes"]
    assert [(one["before"], one["after"], one["outcome"]) for one in changes[:2]] == [
        (15, 12, "applied"),
        (10, 15, "applied"),
    ]


def test_why_a_change_was_held_is_told(autumn: Stage, command: Command) -> None:
    out = command("history", "infima-103").out
    assert "held" in out
    assert "INFIMA counts nobody; the quantity in HaloPSA is 12" in out


def test_a_count_that_moves_no_quantity_is_recorded_once(stage: Stage, command: Command) -> None:
    stage.text = stage.text.replace('"Acme Dental"}\n  - ', '"Acme Dental"}\n    quantity: {minimum: 30}\n  - ', 1)
    stage.apply()
    sleep_until(stage, moment(9, 4))
    stage.world.users_join(101, 2)
    stage.apply()
    sleep_until(stage, moment(9, 5))
    stage.apply()
    changes = json.loads(command("history", "infima-101", "-o", "json").out)["changes"]
    assert [(one["outcome"], one["after"], one["counted"]) for one in changes] == [
        ("unchanged", 30, 12),
        ("applied", 30, 10),
    ]


def test_since_leaves_the_older_ones_out(autumn: Stage, command: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(command("history", "--since", "2026-10-15", "-o", "csv").out)))
    assert [row["Ended"] for row in rows] == ["held", "held", "good"]


def test_text_shows_thirty_lines_and_says_how_many_more(stage: Stage, command: Command) -> None:
    for day in range(3, 30):
        sleep_until(stage, moment(9, day))
        stage.apply()
    for day in range(1, 6):
        sleep_until(stage, moment(10, day))
        stage.apply()
    answer = command("history")
    assert len(answer.out.splitlines()) == 31
    assert "2 older lines are not shown: add --all." in answer.err
    assert len(command("history", "--all").out.splitlines()) == 33


def test_an_empty_history_says_so(stage: Stage, command: Command) -> None:
    answer = command("history")
    assert (answer.code, answer.out) == (0, "No run is recorded.\n")


def test_an_unknown_key_is_answered_with_the_nearest(autumn: Stage, command: Command) -> None:
    answer = command("history", "infima-11")
    assert answer.code == 64
    assert "Did you mean infima-1" in answer.err


def test_whole_records_are_said_to_be_whole(autumn: Stage, command: Command) -> None:
    answer = command("history", "--verify")
    assert (answer.code, answer.out) == (0, "The records of 6 runs are whole: no line was edited, cut or lost.\n")


@pytest.mark.parametrize("harm", ["edit", "lose"])
def test_an_edited_or_lost_line_is_found(autumn: Stage, command: Command, harm: str) -> None:
    file = autumn.folder / ".reconciler" / "history" / "2026-10.jsonl"
    lines = file.read_text(encoding="ascii").splitlines(keepends=True)
    lines = [lines[0].replace('"exit_code": 0', '"exit_code": 3'), *lines[1:]] if harm == "edit" else lines[1:]
    file.write_text("".join(lines), encoding="ascii")
    answer = command("history", "--verify")
    assert answer.code == 1
    assert "2026-10.jsonl" in answer.out
    assert json.loads(command("history", "--verify", "-o", "json").out)["sound"] is False


def test_the_torn_end_that_a_crash_leaves_is_no_loss(autumn: Stage, command: Command) -> None:
    [*_, newest] = sorted((autumn.folder / ".reconciler" / "journal").iterdir())
    with newest.open("a", encoding="ascii") as file:
        file.write('{"seq": ')
    answer = command("history", "--verify")
    assert answer.code == 0
    assert "broke off" in answer.out


def test_verify_takes_no_key(autumn: Stage, command: Command) -> None:
    assert command("history", "infima-101", "--verify").code == 64


def test_a_partial_run_makes_no_full_record_of_the_month(stage: Stage) -> None:
    from reconciler.model import MappingKey  # noqa: PLC0415
    from reconciler.planning.observation import PlanOptions  # noqa: PLC0415

    stage.apply(PlanOptions(only=(MappingKey("infima-101"),)))
    assert stage.store().history.snapshots() == ()  # type: ignore[attr-defined] # DirectoryState has it
    sleep_until(stage, moment(9, 4))
    stage.apply()
    [snapshot] = stage.store().history.snapshots()  # type: ignore[attr-defined]
    assert len(snapshot.quantities) == 6


def test_days_and_times_are_those_of_the_time_zone_of_the_file(autumn: Stage, command: Command) -> None:
    """A run of 05:17 UTC belongs to the day before in Los Angeles, and is told with that clock."""
    last = autumn_runs(command)[0]["finished_at"]
    at_last = datetime.fromisoformat(str(last))
    there = at_last.astimezone(ZoneInfo("America/Los_Angeles"))
    autumn.text = f"{autumn.text}\nsettings:\n  timezone: America/Los_Angeles\n"
    (autumn.folder / "mappings.yaml").write_text(autumn.text, encoding="utf-8")
    text = command("history").out
    assert "Finished (America/Los_Angeles)" in text
    assert f"{there:%Y-%m-%d %H:%M}" in text
    assert there.date() < at_last.date()
    assert f"{there:%Y-%m-%d %H:%M}" not in command("history", "--since", at_last.date().isoformat()).out
    assert f"{there:%Y-%m-%d %H:%M}" in command("history", "--since", there.date().isoformat()).out


def autumn_runs(command: Command) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(command("history", "-o", "json").out)["runs"]
    return found


def test_whose_a_line_is_stands_beside_it_with_both_names(autumn: Stage, command: Command) -> None:
    assert command("history", "infima-101").out.startswith("infima-101: Acme Dental -> Acme Dental\n")
    run = str(autumn_runs(command)[-1]["run"])
    rows = list(csv.DictReader(io.StringIO(command("history", run, "-o", "csv").out)))
    assert {row["Mapping"]: row["Whose"] for row in rows}["infima-102"] == "Borealis Freight -> Borealis Freight"
