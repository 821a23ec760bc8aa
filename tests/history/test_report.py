"""`reconciler report`, and `-o html` of plan and show."""

from __future__ import annotations

import re
import stat

from reconciler.plan_document import dump_document, plan_document, with_outcomes
from tests.history.conftest import Command
from tests.history.months import moment as moment_of
from tests.history.months import sleep_until
from tests.render.htmlpage import parse
from tests.stage import Stage


def test_it_writes_one_private_file_and_says_where(autumn: Stage, command: Command) -> None:
    answer = command("report", "--out", "page.html")
    file = autumn.folder / "page.html"
    assert (answer.code, answer.out) == (0, "")
    assert "Saved the report to page.html" in answer.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_from_history_alone_it_tells_who_needs_a_call_and_why(autumn: Stage, command: Command) -> None:
    command("report")
    html = (autumn.folder / "report.html").read_text(encoding="utf-8")
    assert "The last run was fine. 6 things need a person." in html
    assert "INFIMA counts nobody; the quantity in HaloPSA is 12." in html
    assert "Corvid Labs" in html


def test_from_history_alone_each_hold_has_its_rule_and_next_step(autumn: Stage, command: Command) -> None:
    command("report")
    html = (autumn.folder / "report.html").read_text(encoding="utf-8")
    assert "Zero: INFIMA counts nobody; the quantity in HaloPSA is 12." in html
    words = re.sub(r"</?(?:code|span|b)>", "", html)  # commands and YAML are set as code
    assert "Next step: Ask the client; if it is right, write quantity: {allow_zero: true}" in words
    assert "reconciler apply --allow zero:infima-103 --allow decrease:infima-103 --reason &#39;...&#39;" in words


def test_from_history_alone_a_refusal_is_one_need_not_one_for_each_change(autumn: Stage, command: Command) -> None:
    sleep_until(autumn, moment_of(11, 22))
    autumn.text = autumn.text.replace(
        "version: 1", "version: 1\nlimits: {max_total_decrease_percent: 0, max_decrease: {users: 10, percent: 30}}"
    )
    for client in (101, 102, 104, 105):
        autumn.world.users_leave(client, 6)
    assert autumn.apply().verdict.exit_code == 3
    command("report")
    html = (autumn.folder / "report.html").read_text(encoding="utf-8")
    assert html.count("The whole run") == 1
    assert "The last run was refused by a safety rule." in html
    assert "look into INFIMA" in html


def test_about_an_outcome_it_tells_that_runs_numbers(autumn: Stage, command: Command) -> None:
    sleep_until(autumn, moment_of(11, 22))
    autumn.world.users_join(105, 4)
    finished = autumn.apply()
    outcome = with_outcomes(
        plan_document(finished.plan, version="0"), finished.plan, finished.applied.outcomes, finished.verdict
    )
    (autumn.folder / "outcome.json").write_text(dump_document(outcome), encoding="utf-8")
    assert command("report", "--plan", "outcome.json").code == 0
    html = (autumn.folder / "report.html").read_text(encoding="utf-8")
    assert f"Run {finished.verdict.run} ended" in html
    assert f"{finished.verdict.users_before} → {finished.verdict.users_after}" in parse(html).text_of("dd")


def test_an_earlier_month_tells_of_that_month(autumn: Stage, command: Command) -> None:
    command("report", "--month", "2026-10")
    html = (autumn.folder / "report.html").read_text(encoding="utf-8")
    assert "Audit trail of 2026-10" in html
    assert "on 15 October 2026" in html
    assert "2026-11-0" not in html.split("Audit trail")[1]


def test_show_draws_a_saved_plan_as_html(stage: Stage, command: Command) -> None:
    saved = dump_document(plan_document(stage.plan(), version="0"))
    (stage.folder / "plan.json").write_text(saved, encoding="utf-8")
    answer = command("show", "plan.json", "-o", "html")
    assert answer.code == 0
    assert answer.out.startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_an_error(autumn: Stage, command: Command) -> None:
    answer = command("report", "--out", "nowhere/page.html")
    assert answer.code == 64
    assert "cannot be written: there is no folder" in answer.err


def test_a_month_that_has_not_begun_is_refused(autumn: Stage, command: Command) -> None:
    assert command("report", "--month", "2027-01").code == 64
