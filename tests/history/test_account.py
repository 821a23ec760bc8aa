"""What happened to a mapping, line by line: after is what HaloPSA showed, and what no run did is told as seen."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler.history.account import lines_of, users_of
from reconciler.model import Standing
from reconciler.planning.observation import PlanOptions
from reconciler.planning.rules import Allowance, Rule
from reconciler.state.base import HistoryChange
from reconciler.state.history import PastRun
from tests.history.conftest import Command
from tests.history.months import KEY, line, moment, past, shown, sighting, sleep_until
from tests.stage import Stage


def lines(*runs: PastRun) -> list[tuple[str, int | None, int | None, int | None]]:
    changes = [one.change for one in lines_of(runs)]
    return [(one.outcome, one.before, one.after, one.wanted) for one in changes]


def test_an_old_record_s_after_was_what_it_wanted() -> None:
    held = past(moment(9, 3), line(27, 0, outcome="held"), exit_code=3, old=True)
    failed = past(moment(9, 4), line(27, 30, outcome="failed"), exit_code=4, old=True)
    done = past(moment(9, 5), line(27, 30), old=True)
    assert lines(held, failed, done) == [
        ("held", 27, 27, 0),
        ("failed", 27, None, 30),
        ("applied", 27, 30, 30),
    ]


def test_a_new_record_says_both() -> None:
    run = past(moment(9, 3), replace(line(27, 27, outcome="held"), wanted=0), exit_code=3)
    assert [one for one in lines(run) if one[0] != "seen"] == [("held", 27, 27, 0)]


def seen(before: object, *rows: object) -> list[HistoryChange]:
    """The lines of a second run whose listing showed these rows after `before`."""
    first = past(moment(9, 3), sightings=(sighting(moment(9, 3), before),))  # type: ignore[arg-type]
    second = past(moment(9, 4), sightings=(sighting(moment(9, 4), *rows),))  # type: ignore[arg-type]
    return [one.change for one in lines_of([first, second]) if one.run is second]


def test_what_people_did_in_halopsa_has_a_line() -> None:
    [edited] = seen(shown(12), shown(20))
    assert (edited.outcome, edited.before, edited.after) == ("seen", 12, 20)
    assert edited.message == "changed in HaloPSA, and no run of this history confirmed it"
    [gone] = seen(shown(12), shown(0, standing=Standing.DELETED))
    assert (gone.before, gone.after, gone.message) == (12, 0, "deleted in HaloPSA")
    [left] = seen(shown(12), shown(12, managed=False))
    assert left.message == "no mapping has it any more"
    [renamed] = seen(shown(12), shown(12, key="infima-102", subscription=9001))
    assert (renamed.key, renamed.message) == ("infima-102", f"it was under the key {KEY}")


def test_what_a_line_of_the_run_tells_is_not_told_twice() -> None:
    run = past(moment(9, 3), line(12, 15))
    assert [one.change.outcome for one in lines_of([run])] == ["applied"]


def test_users_of_a_run_that_did_not_look_at_all_are_not_told() -> None:
    assert users_of(past(moment(9, 3), line(12, 15))) == (100, 101)
    assert users_of(past(moment(9, 3), exit_code=1, users=(0, 0))) is None
    assert users_of(past(moment(9, 3), line(12, 15), command="apply --only infima-101")) is None
    assert users_of(past(moment(9, 3), decision=True)) is None
    assert users_of(past(moment(9, 3), exit_code=1, users=(0, 0), old=True)) is None


# ---- the command ----------------------------------------------------------------------------------------------------


def test_a_held_row_stays_where_it_stands_night_after_night(autumn: Stage, command: Command) -> None:
    sleep_until(autumn, moment(11, 22))
    autumn.apply()
    changes = json.loads(command("history", "infima-103", "-o", "json").out)["changes"]
    held = [(one["before"], one["after"], one["wanted"]) for one in changes if one["outcome"] == "held"]
    assert held == [(12, 12, 0)] * 3
    whose, columns, *_ = command("history", "infima-103").out.splitlines()
    assert whose == "infima-103: Corvid Labs -> Corvid Labs"
    assert "Wanted" in columns


def test_names_ids_and_subscriptions_find_the_mapping(autumn: Stage, command: Command) -> None:
    expected = command("history", "infima-101").out
    for what in (("Acme", "Dental"), ("acme dental",), ("101",), ("9001",)):
        assert command("history", *what).out == expected


def test_a_run_is_shown_by_its_id_or_the_beginning_of_it(autumn: Stage, command: Command) -> None:
    runs = json.loads(command("history", "-o", "json").out)["runs"]
    newest = runs[0]["run"]
    found = json.loads(command("history", newest, "-o", "json").out)
    assert found["run"] == runs[0]
    assert [one["key"] for one in found["changes"]] == ["infima-103", "infima-104"]
    text = command("history", newest).out
    assert text.startswith(f"Run {newest}: Apply")
    assert "Users: " in text


def test_reason_and_person_of_a_lifted_rule_stand_in_the_history(autumn: Stage, command: Command) -> None:
    sleep_until(autumn, moment(11, 22))
    lifted = (Rule.ZERO, Rule.DECREASE)
    finished = autumn.apply(
        PlanOptions(allowances=tuple(Allowance(rule=rule, reason="they left", key="infima-103") for rule in lifted))
    )
    changes = json.loads(command("history", "infima-103", "-o", "json").out)["changes"]
    assert (changes[0]["outcome"], changes[0]["after"]) == ("applied", 0)
    assert {one["rule"] for one in changes[0]["lifted"]} == {"zero", "decrease"}
    assert changes[0]["lifted"][0] | {"rule": ""} == {"rule": "", "reason": "they left", "by": "--allow"}
    assert "zero lifted with --allow: they left" in changes[0]["message"]
    assert "actor" in changes[0]
    run = json.loads(command("history", finished.verdict.run, "-o", "json").out)
    assert "zero lifted with --allow: they left" in run["changes"][0]["message"]
    command("report", "--out", "page.html")
    assert "zero lifted with --allow: they left" in (autumn.folder / "page.html").read_text(encoding="utf-8")


def test_a_fixed_mapping_that_is_adopted_in_mid_month_is_in_history_and_statement(
    stage: Stage, command: Command
) -> None:
    stage.apply()
    sleep_until(stage, moment(9, 10))
    number = stage.world.add_licence(15, "INFIMA Security Awareness Training", 40)
    stage.world.add_customer(15, "Eastgate Homes")
    fixed = f"    subscription_id: {number}\n    quantity: {{fixed: 40, reason: contract}}\n"
    old = stage.text.split("  - infima_client: {id: 105")
    stage.text = (
        old[0] + "  - key: eastgate\n    infima_client: {id: 105" + old[1].replace("\n  - ", f"\n{fixed}  - ", 1)
    )
    (stage.folder / "mappings.yaml").write_text(stage.text, encoding="utf-8")
    stage.apply()
    sleep_until(stage, moment(9, 12))
    stage.apply()
    rows = json.loads(command("statement", "--month", "2026-09", "--invoice-day", "11", "-o", "json").out)["rows"]
    found = {row["subscription_id"]: (row["key"], row["invoice_day"]) for row in rows}
    assert found[number] == ("eastgate", 40)
    [only] = json.loads(command("history", "eastgate", "-o", "json").out)["changes"]
    assert (only["outcome"], only["after"]) == ("seen", 40)
