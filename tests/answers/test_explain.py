"""The story of one number: the answer first, the next step last, nothing made up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.answers.explain import PastLine, Story, answer, chapters, next_step
from reconciler.answers.invoices import Attached, Attachment
from reconciler.model import CountRule, Limits, QuantityRule
from reconciler.planning.changes import Change
from reconciler.planning.rules import Rule
from reconciler.state.base import HistoryChange
from tests.builders import NOW, build_change, build_hold, build_mapping, build_subscription


def story(change: Change, **other: object) -> Story:
    return Story(change=change, violations=(), limits=Limits(), now=NOW, **other)  # type: ignore[arg-type]


def told(one: Story) -> dict[str, tuple[str, ...]]:
    return {chapter.title: chapter.lines for chapter in chapters(one)}


def test_an_update_says_both_numbers_and_the_command() -> None:
    one = story(build_change(before=12, after=15))
    assert answer(one) == "HaloPSA bills 12; the next apply sets 15."
    assert next_step(one) == "reconciler apply --only infima-101"


def test_in_step_has_nothing_to_do() -> None:
    one = story(build_change(before=12, after=12))
    assert answer(one).startswith("In step: HaloPSA bills 12")
    assert next_step(one).startswith("Nothing.")


def test_a_create_says_the_quantity_it_will_have() -> None:
    assert "creates one with quantity 15" in answer(story(build_change(subscription=None, before=None, after=15)))


def test_an_open_attempt_waits_for_no_person() -> None:
    one = story(build_change(subscription=None, before=None, after=15, hold=build_hold(Rule.ATTEMPT_OPEN)))
    assert answer(one) == "Held by attempt-open: nothing is billed until its create is settled."


def test_a_hold_says_what_goes_on_being_billed_and_its_remedy() -> None:
    one = story(build_change(hold=build_hold()))
    assert answer(one) == "Held by zero: HaloPSA keeps billing 12 until somebody decides."
    assert next_step(one) == "Ask the client."
    assert told(one)["Held"] == ("More about the rule: reconciler explain zero",)


@pytest.mark.parametrize(
    ("rule", "counted", "result", "said"),
    [
        (QuantityRule(included=5), 12, 7, "12 counted - 5 included = 7"),
        (QuantityRule(minimum=10), 6, 10, "raised to the minimum of 10"),
        (QuantityRule(maximum=10), 16, 10, "cut to the maximum of 10"),
        (QuantityRule(included=5, minimum=10), 12, 10, "raised to the minimum of 10"),
    ],
)
def test_the_arithmetic_is_shown(rule: QuantityRule, counted: int, result: int, said: str) -> None:
    change = build_change(build_mapping(rule=rule), after=result, counted=counted)
    assert said in told(story(change))["Rule"]


def test_a_number_from_the_file_asks_nobody() -> None:
    change = build_change(build_mapping(rule=QuantityRule(fixed=40, reason="contract")))
    assert told(story(change))["Counted in INFIMA"] == ("Not asked: the quantity is fixed in mappings.yaml.",)


def test_client_record_is_named_as_such() -> None:
    change = build_change(build_mapping(rule=QuantityRule(count=CountRule.CLIENT_RECORD)))
    assert "which this mapping trusts" in told(story(change))["Counted in INFIMA"][0]


def test_a_renamed_subscription_is_said_to_be_fine() -> None:
    one = story(build_change(), subscription=build_subscription(name="Training for Acme"))
    assert any("ids decide" in line for line in told(one)["Subscription in HaloPSA"])


def test_not_attached_is_the_next_step_when_the_number_is_right() -> None:
    one = story(build_change(before=12, after=12), attachment=Attachment(verdict=Attached.NO))
    assert "recurring invoice" in next_step(one)
    assert told(one)["Recurring invoice"][0] == "on no recurring invoice: it bills nothing"


def test_an_unread_invoice_is_not_said_to_be_missing() -> None:
    one = story(build_change(before=12, after=12), unread="Not checked: no right")
    assert told(one)["Recurring invoice"] == ("Not checked: no right",)


def test_the_last_ten_changes_newest_first() -> None:
    history = tuple(
        PastLine(
            at=NOW + timedelta(days=day),
            run=f"run-{day}",
            actor="ann",
            change=HistoryChange(
                key=build_mapping().key, subscription_id=None, action="update", before=day, after=day + 1,
                counted=day + 1, rule="active_users", outcome="applied", message="because",
            ),
        )
        for day in range(12)
    )  # fmt: skip
    lines = told(story(build_change(), history=history))["Last changes"]
    assert len(lines) == 10
    assert lines[0] == ("2026-12-03 05:17 UTC  update 11 -> 12  applied  (active_users; run run-11 by ann): because")


def test_chapters_without_lines_are_left_out() -> None:
    assert "Held" not in told(story(build_change()))
    assert "Last changes" not in told(story(build_change()))
