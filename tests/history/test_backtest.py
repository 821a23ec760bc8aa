"""`reconciler backtest`: past nights through other rules and limits, by the code that plans tonight."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date

import pytest

from reconciler.history.backtest import Backtest, backtest
from reconciler.model import Approval, ChangeLimit, Limits, Mappings, Place, QuantityRule, SubscriptionId
from reconciler.state.base import APPROVAL, Lifted
from reconciler.state.history import PastRun
from tests.builders import build_mapping, build_mappings
from tests.history.conftest import Command
from tests.history.months import KEY, line, moment, past, sleep_until
from tests.stage import Stage

GROWING = (
    past(moment(9, 1), line(10, 10, outcome="unchanged")),
    past(moment(9, 2), line(10, 12)),
    past(moment(9, 3)),
    past(moment(9, 4), line(12, 90)),
)
ALL = moment(8, 1)

PLACE = Place(file="mappings.yaml", line=9, column=5)


def replayed(runs: tuple[PastRun, ...], mappings: Mappings) -> Backtest:
    return backtest(mappings, runs, since=ALL)


def with_limits(**limits: object) -> Mappings:
    made = build_mappings(build_mapping())
    return Mappings(mappings=made.mappings, limits=Limits(**limits), sha256=made.sha256)  # type: ignore[arg-type]


LOOSE = {"max_increase": ChangeLimit(users=1000, percent=1000)}


def test_the_same_rules_give_what_was_billed() -> None:
    found = replayed(GROWING, with_limits(**LOOSE))
    assert [(night.recorded, night.replayed) for night in found.nights] == [(10, 10), (12, 12), (12, 12), (90, 90)]


def test_a_stricter_limit_holds_what_went_through() -> None:
    found = replayed(GROWING, with_limits())
    assert found.nights[-1].held == ((KEY, "increase"),)
    assert (found.nights[-1].recorded, found.nights[-1].replayed) == (90, 12)
    assert found.outcomes[0].nights_held == 1


def test_other_rules_give_other_quantities() -> None:
    mappings = Mappings(mappings=(build_mapping(rule=QuantityRule(included=5)),), limits=Limits(**LOOSE))  # type: ignore[arg-type]
    assert [night.replayed for night in replayed(GROWING, mappings).nights] == [5, 7, 7, 85]


def test_a_fixed_quantity_needs_no_count() -> None:
    mappings = build_mappings(build_mapping(rule=QuantityRule(fixed=40, reason="contract")))
    assert [night.replayed for night in replayed(GROWING, mappings).nights] == [40, 40, 40, 40]


def test_a_bad_night_is_met_by_the_rules_again_and_its_count_does_not_last() -> None:
    """The count that was withheld is replayed that night; the next night, which says nothing, was in step."""
    runs = (
        past(moment(9, 1), line(30, 30, outcome="unchanged")),
        past(moment(9, 2), replace(line(30, 5, outcome="held"), held_by="decrease"), exit_code=3),
        past(moment(9, 3)),
    )
    wide = ChangeLimit(users=100, percent=100)
    loose = with_limits(max_decrease=wide, max_increase=wide, max_total_decrease_percent=100)
    assert [night.replayed for night in replayed(runs, loose).nights] == [30, 5, 30]
    assert [night.replayed for night in replayed(runs, with_limits()).nights] == [30, 30, 30]


def test_a_night_that_would_be_refused_writes_nothing() -> None:
    runs = (
        past(moment(9, 1), line(100, 100, outcome="unchanged")),
        past(moment(9, 2), line(100, 60)),
    )
    refused = replayed(runs, with_limits(max_decrease=ChangeLimit(users=1000, percent=100)))
    assert refused.nights[1].refused == ("source-dropped",)
    assert refused.nights[1].replayed == 100


def test_people_s_decisions_partial_and_failed_runs_are_no_nights() -> None:
    runs = (
        *GROWING,
        past(moment(9, 5), line(90, 91), decision=True),
        past(moment(9, 6), line(90, 91), command="apply --only infima-101"),
        past(moment(9, 7), exit_code=1),
    )
    assert len(replayed(runs, with_limits(**LOOSE)).nights) == len(GROWING)


def test_a_create_is_replayed_as_one() -> None:
    runs = (past(moment(9, 1), line(None, 7, action="create")), past(moment(9, 2), line(7, 8)))
    found = replayed(runs, with_limits(max_creates=0))
    assert found.nights[0].refused == ("many-creates",)
    assert [night.replayed for night in replayed(runs, with_limits()).nights] == [7, 8]


def test_a_mapping_without_any_record_is_named() -> None:
    mappings = build_mappings(build_mapping(), build_mapping(102, 13, name="Nobody"))
    assert replayed(GROWING, mappings).unrecorded == ("infima-102",)


def test_since_begins_with_what_was_billed_before() -> None:
    made = backtest(with_limits(**LOOSE), GROWING, since=moment(9, 3, hour=0))
    assert [(night.recorded, night.replayed) for night in made.nights] == [(12, 12), (90, 90)]


def test_what_people_and_partial_runs_moved_moves_in_the_replay_too() -> None:
    runs = (
        past(moment(9, 1), line(10, 10, outcome="unchanged")),
        past(moment(9, 2), line(10, 14), command="apply --only infima-101"),
        past(moment(9, 3), line(14, 14, outcome="unchanged", counted=14)),
        past(moment(9, 4), line(17, 14)),
    )
    found = replayed(runs, with_limits())
    assert [(night.recorded, night.replayed, night.written) for night in found.nights] == [
        (10, 10, 0),
        (14, 14, 0),
        (14, 14, 1),
    ]


def test_what_stopped_a_mapping_for_another_cause_stops_it_again() -> None:
    gone = replace(line(12, None, outcome="held", counted=12), held_by="subscription-gone", message="it is deleted")
    missing = replace(line(12, 12, outcome="held"), counted=None, held_by="client-missing")
    runs = (past(moment(9, 1), line(10, 12)), past(moment(9, 2), gone, exit_code=3), past(moment(9, 3), missing))
    found = replayed(runs, with_limits())
    assert [night.held for night in found.nights] == [(), ((KEY, "subscription-gone"),), ((KEY, "client-missing"),)]
    assert [night.replayed for night in found.nights] == [12, 12, 12]


def test_an_adopted_subscription_is_not_invented_to_be_gone() -> None:
    adopted = replace(build_mapping(), subscription_id=SubscriptionId(9001))
    found = replayed(GROWING, Mappings(mappings=(adopted,), limits=Limits(**LOOSE)))  # type: ignore[arg-type]
    assert [night.held for night in found.nights] == [()] * 4


def test_a_rule_that_was_lifted_is_lifted_again() -> None:
    lifted = replace(line(12, 90), lifted=(Lifted(rule="increase", reason="a school joined"),))
    runs = (past(moment(9, 1), line(12, 12, outcome="unchanged")), past(moment(9, 2), lifted))
    assert [(night.held, night.replayed) for night in replayed(runs, with_limits()).nights] == [((), 12), ((), 90)]


def test_what_an_approval_let_through_that_was_deleted_since_is_taken_from_the_record() -> None:
    lifted = replace(line(12, 90), lifted=(Lifted(rule="increase", reason="a school joined", by=APPROVAL),))
    runs = (past(moment(9, 1), line(12, 12, outcome="unchanged")), past(moment(9, 2), lifted))
    assert [(night.held, night.replayed) for night in replayed(runs, with_limits()).nights] == [((), 12), ((), 90)]


def test_an_approval_of_the_file_is_judged_by_what_it_says_now() -> None:
    lifted = replace(line(12, 90), lifted=(Lifted(rule="increase", reason="a school joined", by=APPROVAL),))
    runs = (past(moment(9, 1), line(12, 12, outcome="unchanged")), past(moment(9, 2), lifted))
    terms = {"until": date(2026, 12, 31), "reason": "a school joined", "place": PLACE}
    narrow = Approval(rule="increase", key=KEY, at_least=13, at_most=50, **terms)  # type: ignore[arg-type]
    night = replayed(runs, replace(with_limits(), approvals=(narrow,))).nights[-1]
    assert (night.held, night.replayed) == (((KEY, "increase"),), 12)


def test_a_write_that_failed_fails_again() -> None:
    failed = replace(line(12, 12, outcome="failed", counted=15), wanted=15)
    runs = (past(moment(9, 1), line(12, 12, outcome="unchanged")), past(moment(9, 2), failed, exit_code=4))
    night = replayed(runs, with_limits()).nights[-1]
    assert (night.recorded, night.replayed, night.written) == (12, 12, 0)


def test_a_refusal_that_no_number_decides_is_taken_from_the_record() -> None:
    stopped = replace(line(12, 12, outcome="held", counted=15), wanted=15, held_by="wrong-tenant")
    runs = (past(moment(9, 1), line(12, 12, outcome="unchanged")), past(moment(9, 2), stopped, exit_code=3))
    night = replayed(runs, with_limits()).nights[-1]
    assert (night.refused, night.replayed) == (("wrong-tenant",), 12)


# ---- the command ----------------------------------------------------------------------------------------------------


def test_replaying_the_file_as_it_is_gives_the_history(autumn: Stage, command: Command) -> None:
    nights = json.loads(command("backtest", "--since", "2026-09-01", "-o", "json").out)["nights"]
    history = json.loads(command("history", "-o", "json").out)["runs"]
    assert [night["users_replayed"] for night in nights] == [run["users_after"] for run in reversed(history)]
    assert [night["users_recorded"] for night in nights] == [run["users_after"] for run in reversed(history)]


def test_another_file_beside_it_shows_the_difference(autumn: Stage, command: Command) -> None:
    other = autumn.text.replace('"Corvid Labs"}\n  - ', '"Corvid Labs"}\n    quantity: {allow_zero: true}\n  - ', 1)
    (autumn.folder / "other.yaml").write_text(other, encoding="utf-8")
    answer = command("backtest", "--mappings", "other.yaml", "--since", "2026-09-01")
    assert answer.code == 0
    assert "infima-103" in answer.out
    assert "6 nights replayed: 0 would have been refused, 0 changes of 0 mappings held." in answer.out
    assert "(-24)" in answer.out  # twelve users fewer on two nights


def test_what_was_held_is_held_again(autumn: Stage, command: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(command("backtest", "--since", "2026-09-01", "-o", "csv").out)))
    assert [row["Stopped by"] for row in rows] == ["", "", "", "", "zero", "zero"]


def test_months_of_quiet_nights_replay_in_no_time(stage: Stage, command: Command) -> None:
    for day in range(3, 28):
        sleep_until(stage, moment(9, day))
        stage.apply()
    out = command("backtest", "--since", "2026-09-03").out
    assert "25 nights replayed" in out
    assert "(+0)" in out


def test_nothing_recorded_since_says_so(autumn: Stage, command: Command) -> None:
    answer = command("backtest", "--since", "2026-12-01")
    assert answer.code == 0
    assert "No complete run is recorded since 2026-12-01." in answer.err


@pytest.mark.parametrize("words", [(), ("--since", "yesterday")])
def test_it_needs_a_day(autumn: Stage, command: Command, words: tuple[str, ...]) -> None:
    assert command("backtest", *words).code == 64
