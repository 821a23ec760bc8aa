"""`reconciler undo RUN`: what goes back, what is left out, and that it all goes through plan and apply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.history.undo import LeftOut, SetBack, Undo, undo_run
from reconciler.model import QuantityRule
from reconciler.planning.changes import Plan
from tests.builders import build_change, build_mapping, build_plan
from tests.cli.bench import Bench, served, six_clients
from tests.history.months import line, moment, past
from tests.stage import remember_markers, small_mappings

RUN = past(moment(9, 9), line(12, 15))


def live_plan(
    count: int = 15, *, subscription: int = 9001, rule: QuantityRule | None = None, retired: bool = False
) -> Plan:
    mapping = build_mapping(rule=rule, retired=retired)
    return build_plan(build_change(mapping, before=count, after=count, subscription=subscription))


def why(undo: Undo) -> str:
    assert undo.set_back == ()
    [left] = undo.left_out
    return left.why


def test_what_stands_as_it_was_written_goes_back() -> None:
    undo = undo_run(RUN, live_plan())
    assert [(row.written, row.before) for row in undo.set_back] == [(15, 12)]
    assert undo.left_out == ()


def test_what_somebody_changed_since_is_named_and_left_out() -> None:
    assert why(undo_run(RUN, live_plan(17))) == "changed since: that run wrote 15, HaloPSA has 17 now"


def test_a_created_subscription_is_not_deleted() -> None:
    run = past(moment(9, 9), line(None, 15, action="create"))
    assert "nothing is ever deleted" in why(undo_run(run, live_plan()))


def test_the_first_count_of_a_new_subscription_is_not_set_back_to_nobody() -> None:
    """A run before made it at 0 and was cut off; this run set its first count."""
    assert "retired: true" in why(undo_run(past(moment(9, 9), line(0, 15)), live_plan()))


def test_a_quantity_that_stands_though_its_check_failed_goes_back() -> None:
    stands = replace(line(12, 15, outcome="failed"), wanted=15, sent=True)
    [row] = undo_run(past(moment(9, 9), stands, exit_code=4), live_plan()).set_back
    assert (row.written, row.before) == (15, 12)


def test_a_mapping_that_is_gone_is_left_out() -> None:
    assert "no mapping" in why(undo_run(RUN, build_plan()))


def test_another_subscription_is_left_out() -> None:
    assert "no longer uses Subscription 9001" in why(undo_run(RUN, live_plan(subscription=9002)))


def test_a_retired_mapping_is_left_out() -> None:
    assert "retired" in why(undo_run(RUN, live_plan(retired=True)))


def test_a_quantity_that_is_fixed_already_is_left_out() -> None:
    assert "fixed" in why(undo_run(RUN, live_plan(rule=QuantityRule(fixed=15, reason="contract"))))


@pytest.mark.parametrize("rule", [QuantityRule(minimum=13), QuantityRule(maximum=11)])
def test_a_quantity_that_the_rule_forbids_is_left_out(rule: QuantityRule) -> None:
    assert "outside" in why(undo_run(RUN, live_plan(rule=rule)))


def test_a_write_whose_outcome_is_unknown_is_left_out() -> None:
    run = past(moment(9, 9), line(12, 15, outcome="unknown"), exit_code=4)
    assert "unknown" in why(undo_run(run, live_plan()))


@pytest.mark.parametrize("outcome", ["held", "stale", "failed", "unchanged"])
def test_what_was_not_written_is_not_spoken_of(outcome: str) -> None:
    undo = undo_run(past(moment(9, 9), line(12, 15, outcome=outcome)), live_plan())
    assert (undo.set_back, undo.left_out) == ((), ())


def test_each_row_stands_on_one_side_only() -> None:
    run = past(moment(9, 9), line(12, 15), line(3, 4, key="infima-102"))
    undo = undo_run(run, live_plan())
    assert [type(row) for row in (*undo.set_back, *undo.left_out)] == [SetBack, LeftOut]


# ---- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A night in which two clients grew, applied."""
    (tmp_path / "mappings.yaml").write_text(small_mappings(c104="    subscription_id: 9010"), encoding="utf-8")
    world = six_clients()
    remember_markers(world, tmp_path / ".reconciler")
    with served(world, tmp_path, capsys, monkeypatch) as made:
        made.run("apply", "--auto-approve")
        made.world.users_join(101, 3)
        made.world.users_join(102, 2)
        made.run("apply", "--auto-approve")
        yield made


def newest(bench: Bench) -> str:
    run: str = json.loads(bench.run("history", "-o", "json").out)["runs"][0]["run"]
    return run


def counts(bench: Bench) -> tuple[float, float]:
    return bench.world.licences[9001]["count"], bench.world.licences[9002]["count"]


def test_without_write_nothing_is_touched(bench: Bench) -> None:
    before, writes = bench.file.read_bytes(), bench.writes()
    answer = bench.run("undo", newest(bench))
    assert (answer.code, bench.file.read_bytes(), bench.writes()) == (0, before, writes)
    assert "+    quantity: {fixed: 10, reason: " in answer.out
    assert ", until: " in answer.out, "an old number does not stand for ever"
    assert "Plan: 0 to create, 2 to update" in answer.out


def test_its_saved_plan_goes_through_apply_and_nothing_more(bench: Bench) -> None:
    assert bench.run("undo", newest(bench), "--write", "--out", "undo.json").code == 0
    bench.world.users_join(105, 1)
    assert counts(bench) == (13, 13)
    bench.run("apply", "undo.json", "--auto-approve")
    assert counts(bench) == (10, 11)
    assert bench.world.licences[9010]["count"] == 13


def test_the_undo_outlasts_the_next_night(bench: Bench) -> None:
    bench.run("undo", newest(bench), "--write")
    for _ in range(2):
        assert bench.run("apply", "--auto-approve").code == 0
        assert counts(bench) == (10, 11)


def test_a_saved_plan_without_its_edit_is_refused(bench: Bench) -> None:
    bench.run("undo", newest(bench), "--out", "undo.json")
    answer = bench.run("apply", "undo.json", "--auto-approve")
    assert answer.code == 1
    assert "another mappings.yaml" in answer.err
    assert counts(bench) == (13, 13)


def test_a_person_s_edit_since_is_left_alone(bench: Bench) -> None:
    bench.world.person_sets_count(9001, 77)
    answer = bench.run("undo", newest(bench), "--write", "--out", "undo.json")
    assert "left out  infima-101  Acme Dental: changed since: that run wrote 13, HaloPSA has 77 now" in answer.out
    bench.run("apply", "undo.json", "--auto-approve")
    assert counts(bench) == (77, 11)


def test_a_person_s_edit_between_undo_and_apply_wins(bench: Bench) -> None:
    bench.run("undo", newest(bench), "--write", "--out", "undo.json")
    bench.world.person_sets_count(9001, 77)
    answer = bench.run("apply", "undo.json", "--auto-approve")
    assert answer.code == 3
    assert counts(bench) == (77, 11)


def test_only_one_mapping_and_until_a_day(bench: Bench) -> None:
    answer = bench.run("undo", newest(bench), "--only", "infima-102", "--until", "2999-12-31", "--write")
    assert answer.code == 0
    text = bench.file.read_text(encoding="utf-8")
    assert text.count("fixed") == 1
    assert 'until: "2999-12-31"' in text


def test_the_document_names_both_sides(bench: Bench) -> None:
    bench.world.person_sets_count(9001, 77)
    document = json.loads(bench.run("undo", newest(bench), "-o", "json").out)
    assert [row["key"] for row in document["set_back"]] == ["infima-102"]
    assert [row["key"] for row in document["left_out"]] == ["infima-101"]


def test_a_run_that_only_created_has_nothing_to_set_back(bench: Bench) -> None:
    first = json.loads(bench.run("history", "-o", "json").out)["runs"][-1]["run"]
    answer = bench.run("undo", first)
    assert answer.code == 0
    assert "Nothing of it can be set back." in answer.out


@pytest.mark.parametrize("words", [("nosuchrun",), ("x", "--until", "2001-01-01"), ("x", "--only", "nobody")])
def test_what_cannot_be_meant_is_a_usage_error(bench: Bench, words: tuple[str, ...]) -> None:
    run = newest(bench) if words[0] == "x" else words[0]
    assert bench.run("undo", run, *words[1:]).code == 64


def test_a_rule_with_a_comment_inside_is_not_rewritten(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    customer = 'halo_customer: {id: 11, name: "Acme Dental"}'
    commented = text.replace(
        customer,
        f"{customer}\n    quantity:\n      minimum: 1  # agreed by phone\n      included: 0",
    )
    bench.file.write_text(commented, encoding="utf-8")
    answer = bench.run("undo", newest(bench), "--write")
    assert answer.code == 1
    assert "comment" in answer.text
    assert bench.file.read_text(encoding="utf-8") == commented
