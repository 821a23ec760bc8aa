"""The terminal drawing: goldens for a reader, properties for an attacker."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings

from reconciler.plan_document import plan_document
from reconciler.plan_document.layout import PlanJson
from reconciler.planning.changes import Action, Outcome, Plan, Settled
from reconciler.planning.rules import Rule
from reconciler.render.pen import Pen
from reconciler.render.terminal import render_outcome, render_plan
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.render import stories
from tests.render.golden import assert_golden
from tests.render.hostile import plans, thousand_names

PLANS = {
    "night": stories.night_plan(),
    "refused": stories.refused_plan(),
    "lifted": stories.lifted_plan(),
    "against": stories.against_plan(),
    "quiet": build_plan(*stories.quiet_changes()),
}

STALE = Settled(outcome=Outcome.STALE, message="live quantity 12 -> 13: somebody changed it")
FAILED = Settled(outcome=Outcome.FAILED, message="HaloPSA refused it: 400 count must be a number")
UNKNOWN = Settled(outcome=Outcome.UNKNOWN, message="no answer came; the next run looks first")

OUTCOMES: dict[str, PlanJson] = {
    "held": stories.applied(stories.night_plan(), exit_code=3),
    "incomplete": stories.applied(
        stories.night_plan(), exit_code=4, infima_102=STALE, corvid=FAILED, infima_111=UNKNOWN
    ),
    "refused": stories.applied(stories.refused_plan(), exit_code=3),
    "complete": stories.applied(build_plan(*stories.quiet_changes(), build_change(build_mapping(111))), exit_code=0),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"terminal-{name}.txt", render_plan(stories.document(PLANS[name])))


@pytest.mark.parametrize("name", ["night", "against"])
def test_verbose_plan_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"terminal-{name}-verbose.txt", render_plan(stories.document(PLANS[name]), Pen(verbose=True)))


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"terminal-outcome-{name}.txt", render_outcome(OUTCOMES[name]))


@pytest.mark.parametrize("name", ["night", "refused", "lifted"])
def test_what_an_apply_that_asks_nobody_tells_first_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"terminal-before-{name}.txt", render_plan(stories.document(PLANS[name]), before_apply=True))


@pytest.mark.parametrize("name", ["held", "incomplete", "refused"])
def test_what_it_tells_afterwards_reads_as_the_golden_file(name: str) -> None:
    assert_golden(f"terminal-outcome-{name}-once.txt", render_outcome(OUTCOMES[name], planned=False))


@pytest.mark.parametrize("name", OUTCOMES)
@pytest.mark.parametrize("width", [60, 100, 200])
def test_an_apply_that_asks_nobody_draws_each_row_once(name: str, width: int) -> None:
    document = OUTCOMES[name]
    pen = Pen(width=width)
    text = render_plan(document, pen, before_apply=True) + render_outcome(document, pen, planned=False)
    drawn = [row["name"] for row in document["resource_changes"] if row.get("outcome") != "unchanged"]
    figures = re.findall(r"(\S+) +(?:#\d+|new) +[\d?]+ -> +[\d?]+ ", text)
    assert sorted(figures) == sorted(drawn)


def test_an_outcome_that_the_plan_did_not_foresee_is_told_though_the_plan_was_not_drawn() -> None:
    held = Settled(outcome=Outcome.HELD, message="a second read gave 3")
    document = stories.applied(build_plan(build_change()), exit_code=3, infima_101=held)
    text = render_outcome(document, planned=False)
    assert "! held" in text
    assert "A second read gave 3." in text or "a second read gave 3." in text


def test_many_rows_that_were_not_attempted_are_all_named_where_the_plan_did_not_name_them() -> None:
    changes = [build_change(build_mapping(n, n, name=f"C{n}"), subscription=n) for n in range(1, 31)]
    lost = {f"infima_{n}": Settled(outcome=Outcome.FAILED, message="not attempted") for n in range(1, 31)}
    text = render_outcome(stories.applied(build_plan(*changes), exit_code=4, **lost), planned=False)
    assert all(f"infima-{n} " in text for n in range(1, 31))


@pytest.mark.parametrize("width", [60, 80, 100, 115, 160])
def test_no_line_is_wider_than_the_terminal_but_for_what_is_there_to_be_copied(width: int) -> None:
    for document in (stories.document(PLANS["night"]), OUTCOMES["incomplete"], OUTCOMES["held"]):
        text = render_plan(document, Pen(width=width)) + render_outcome(document, Pen(width=width), planned=False)
        assert [line for line in text.splitlines() if len(line) > width and "reconciler apply" not in line] == []


def test_narrow_colour_reads_as_the_golden_file() -> None:
    pen = Pen(colour=True, width=60)
    assert_golden("terminal-night-colour.txt", render_plan(stories.document(PLANS["night"]), pen))


def test_colour_repeats_what_the_words_say() -> None:
    document = stories.document(PLANS["refused"])
    assert re.sub(r"\x1b\[\d+m", "", render_plan(document, Pen(colour=True))) == render_plan(document)


def test_no_changes_is_said_in_terraforms_words() -> None:
    text = render_plan(stories.document(PLANS["quiet"]))
    assert text.endswith("\nNo changes. HaloPSA matches mappings.yaml and INFIMA's counts.\n")


def test_no_changes_is_not_said_of_a_plan_that_holds_something() -> None:
    text = render_plan(stories.document(build_plan(build_change(before=12, after=12, hold=build_hold()))))
    assert "No changes" not in text
    assert "Plan: 0 to create, 0 to update, 1 held, 0 unchanged. Users: 12 -> 12." in text


def test_selection_is_not_said_to_be_everything() -> None:
    text = render_plan(stories.document(build_plan(*stories.quiet_changes(), complete=False)))
    assert "No changes among the 3 mappings selected." in text


def test_unchanged_rows_show_only_when_asked_for() -> None:
    document = stories.document(PLANS["night"])
    assert "infima-105" not in render_plan(document)
    assert "infima-105" in render_plan(document, Pen(verbose=True))


def test_every_problem_of_a_held_row_is_shown() -> None:
    holds = [build_hold(Rule.ZERO, "to nobody"), build_hold(Rule.CUSTOMER_INACTIVE, "is inactive")]
    violations = tuple(stories.build_violation(hold, "infima-101") for hold in holds)
    text = render_plan(stories.document(build_plan(build_change(after=0, hold=holds[0]), violations=violations)))
    assert "zero: to nobody." in text
    assert "customer-inactive: is inactive." in text


def test_rule_that_cannot_be_lifted_offers_no_way_through() -> None:
    hold = build_hold(Rule.CLIENT_MISSING, "client 101 is not listed")
    text = render_plan(stories.document(build_plan(build_change(before=12, after=12, hold=hold))))
    assert "--allow" not in text


@pytest.mark.parametrize("name", ["held", "refused"])
def test_what_the_plan_has_told_in_full_is_a_line_after_apply(name: str) -> None:
    text = render_outcome(OUTCOMES[name])
    assert "To do:" not in text
    assert [line for line in text.splitlines() if "infima-108" in line and "customer-inactive" not in line] == []


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize(
    "command",
    [
        "reconciler apply --allow customer-inactive:infima-108 --allow zero:infima-108 --reason '...'",
        "reconciler resolve infima-108 --adopt 9051 --reason '...' --yes",
    ],
)
def test_what_is_there_to_be_copied_stays_on_one_line(command: str, width: int) -> None:
    remedy = f"look into HaloPSA, and when it is right all the same, for this one night, run: {command}; else wait"
    hold = build_hold(Rule.CUSTOMER_INACTIVE, "is inactive", remedy)
    text = render_plan(stories.document(build_plan(build_change(before=12, after=12, hold=hold))), Pen(width=width))
    assert any(command in line for line in text.splitlines())


def test_a_held_row_names_its_rule_after_apply() -> None:
    assert "not written: customer-inactive" in render_outcome(OUTCOMES["held"])


def test_complete_is_said_when_everything_was_written() -> None:
    assert "Apply complete! 0 created, 1 updated, 3 unchanged. Users:" in render_outcome(OUTCOMES["complete"])


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN])
def test_complete_is_not_said_otherwise(outcome: Outcome) -> None:
    document = stories.applied(build_plan(build_change()), exit_code=4, infima_101=Settled(outcome=outcome))
    text = render_outcome(document)
    assert "complete!" not in text
    assert f"1 {outcome}" in text


def test_users_that_were_not_written_are_not_counted() -> None:
    text = render_outcome(
        stories.applied(build_plan(build_change(before=12, after=15)), exit_code=4, infima_101=FAILED)
    )
    assert "Users: 12 -> 12." in text


def test_new_subscription_is_named_with_its_next_step() -> None:
    text = render_outcome(OUTCOMES["held"])
    assert "attach it to a recurring invoice" in text
    assert "Subscription #9100 INFIMA Security Awareness Training for customer Nova Optics GmbH (51)" in text


def assert_harmless(text: str) -> None:
    for line in text.split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
        assert not {c for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}}


@given(plan=plans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_name_escapes(plan: Plan) -> None:
    document = plan_document(plan, version="0.1.0")
    assert_harmless(render_plan(document, Pen(verbose=True)))
    assert_harmless(render_outcome(document, Pen(verbose=True)))


def test_a_thousand_names_take_a_line_each() -> None:
    changes = [
        build_change(build_mapping(number, number, name=name, subscription_name=name), subscription=number)
        for number, name in enumerate(thousand_names(), start=1)
    ]
    text = render_plan(stories.document(build_plan(*changes)))
    assert_harmless(text)
    assert sum(line.startswith("  ~ update  ") for line in text.split("\n")) == 1000


@given(plan=plans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_old_console_can_show_everything(plan: Plan) -> None:
    render_plan(plan_document(plan, version="0.1.0"), Pen(verbose=True, encoding="cp1252")).encode("cp1252")


def test_own_words_are_ascii() -> None:
    for plan in PLANS.values():
        assert render_plan(stories.document(plan), Pen(verbose=True)).isascii()


def test_columns_align_with_wide_names() -> None:
    changes = [
        build_change(build_mapping(1, 12, name="東京クリニック"), subscription=9001),
        build_change(build_mapping(2, 12, name="Acme"), subscription=9001),
    ]
    rows = [line for line in render_plan(stories.document(build_plan(*changes))).split("\n") if "#9001" in line]
    before = [row.split("#9001")[0] for row in rows]
    assert len({len(text) + sum(unicodedata.east_asian_width(c) == "W" for c in text) for text in before}) == 1


def test_long_lists_are_folded() -> None:
    clients = tuple(stories.InfimaClient(id=stories.InfimaClientId(n), name="x", user_count=1) for n in range(1, 31))
    document = stories.document(build_plan(unmapped=clients))
    assert "and 10 more; all are listed with -v" in render_plan(document)
    assert "more" not in render_plan(document, Pen(verbose=True))


def test_ten_thousand_rows_are_drawn_in_a_blink() -> None:
    changes = [
        build_change(build_mapping(n, n, name=f"Customer {n}"), subscription=n, action=Action.UPDATE)
        for n in range(1, 10_001)
    ]
    document = stories.document(build_plan(*changes))
    started = time.process_time()
    render_plan(document)
    assert time.process_time() - started < 3.4  # what a rich table takes; plain lines need a tenth of it


@pytest.mark.parametrize("width", [40, 60, 80, 100, 114])
def test_a_row_takes_two_lines_on_a_narrow_terminal_and_no_id_is_cut(width: int) -> None:
    text = render_plan(stories.document(PLANS["night"]), Pen(width=width))
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("  ~ update  "))
    assert " -> " in lines[at]
    assert re.match(r" {6}\S+ +#\d+ +\d+ -> +\d+ ", lines[at + 1])
    for whole in ("infima-107", "#9007", "(customer 37)", "infima-111"):
        assert whole in text


def test_a_row_is_one_line_where_there_is_room() -> None:
    text = render_plan(stories.document(PLANS["night"]), Pen(width=130))
    row = r"  ~ update  Borealis Freight -> Borealis Freight Ltd \(customer 19\) +infima-102  #9012 +12 -> +10 "
    assert re.search(row, text)
