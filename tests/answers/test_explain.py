"""The story of one number: the answer first, the next step last, nothing made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler import errors
from reconciler.answers.explain import Story, Topic, TopicKind, answer, chapters, find_topic, next_step, topics
from reconciler.answers.needs import NeedInput, find_needs
from reconciler.model import CountRule, HaloCustomerId, Limits, QuantityRule, SubscriptionId
from reconciler.planning.changes import Change, SubscriptionState, Violation
from reconciler.planning.rules import Rule
from reconciler.state.history import PastChange
from reconciler.state.recorded import Attached, InvoiceLook, Recorded
from tests.builders import NOW, build_change, build_hold, build_mapping, build_plan, build_subscription
from tests.core import build_line
from tests.history.months import past


def story(change: Change, *violations: Violation, **other: Any) -> Story:
    """The story of one mapping; `look` and the others as they are remembered."""
    seen = other.get("look")
    recorded = Recorded(looks={change.key: seen} if seen else {})
    plan = build_plan(change, violations=violations)
    plan = replace(plan, needs=find_needs(NeedInput(plan=plan, recorded=recorded, now=NOW)))
    return Story(change=change, plan=plan, limits=Limits(), now=NOW, **other)


def seen(verdict: Attached, *, everywhere: bool = True, word: str = "") -> InvoiceLook:
    """A look at Subscription 9001, made today."""
    return InvoiceLook(
        subscription_id=SubscriptionId(9001),
        looked_at=NOW,
        verdict=verdict,
        invoices=() if verdict is Attached.NO else (-240,),
        everywhere=everywhere,
        word=word,
    )


def test_an_update_says_both_numbers_and_the_command() -> None:
    one = story(build_change(before=12, after=15), look=seen(Attached.YES))
    assert answer(one) == "HaloPSA bills 12. The next apply sets 15."
    assert next_step(one) == "reconciler apply --only infima-101"


@pytest.mark.parametrize(
    ("look", "said", "step"),
    [
        (seen(Attached.YES), "Nothing to change: HaloPSA bills 12, and the rule gives 12.", "Nothing to do."),
        (None, "HaloPSA has 12 (whether it is on a recurring invoice is not checked), and", "Nothing that is known."),
        (seen(Attached.NO), "12, and it bills nothing: it is on no live recurring invoice, and", "In HaloPSA open"),
        (
            seen(Attached.DISABLED),
            "The quantity is right: the quantity in HaloPSA is 12, and it bills",
            "In HaloPSA switch",
        ),
        (seen(Attached.NO, everywhere=False), "on no live recurring invoice of its customer, and", "In HaloPSA open"),
        (seen(Attached.PERHAPS), "12 (perhaps billed", "Nothing to do."),
        (seen(Attached.PERHAPS, word="a contract"), "as a person said: a contract", "Nothing to do."),
    ],
)
def test_in_step_says_bills_only_of_what_was_seen_on_a_live_invoice(
    look: InvoiceLook | None, said: str, step: str
) -> None:
    one = story(build_change(before=12, after=12), look=look)
    assert said in answer(one)
    assert ("HaloPSA bills" in answer(one)) is (look is not None and look.verdict is Attached.YES)
    assert next_step(one).startswith(step)


def test_a_create_says_the_quantity_it_will_have() -> None:
    assert "creates one with quantity 15" in answer(story(build_change(subscription=None, before=None, after=15)))


def test_an_open_attempt_waits_for_no_person() -> None:
    one = story(build_change(subscription=None, before=None, after=15, hold=build_hold(Rule.ATTEMPT_OPEN)))
    assert answer(one) == (
        "Held by attempt-open: there is no Subscription that is surely its own, and none is created until its create "
        "is settled."
    )


def test_a_hold_says_what_stays_and_its_remedy() -> None:
    one = story(build_change(hold=build_hold()), look=seen(Attached.YES))
    assert answer(one) == "Held by zero: HaloPSA bills 12 until somebody decides."
    assert next_step(one) == "Ask the client."
    assert chapters(one)["Held"] == ("More about the rule: reconciler explain zero",)


def candidate(number: int, count: int) -> SubscriptionState:
    return SubscriptionState(id=SubscriptionId(number), count=count, customer_id=HaloCustomerId(12), name="Training")


@pytest.mark.parametrize(
    ("rule", "ones", "said"),
    [
        (Rule.SAME_NAME, [(9010, 25)], "Subscription 9010 (25) stays as it is in HaloPSA until somebody decides."),
        (
            Rule.DUPLICATE_MARKER,
            [(9001, 9), (9002, 9)],
            "Subscriptions 9001 (9) and 9002 (9), 18 together, stay as they are in HaloPSA until somebody decides.",
        ),
        (Rule.IDENTITY_CONFLICT, [(9001, 12), (9002, 40)], "9001 (12) and 9002 (40), 52 together, stay"),
    ],
)
def test_what_may_be_its_own_goes_on_and_is_never_called_nothing(
    rule: Rule, ones: list[tuple[int, int]], said: str
) -> None:
    change = build_change(subscription=None, before=None, after=15, hold=build_hold(rule))
    one = story(replace(change, candidates=tuple(candidate(*each) for each in ones)))
    assert said in answer(one)
    assert "nothing is billed" not in answer(one)


def test_in_a_refused_run_no_apply_is_promised() -> None:
    refusal = Violation(rule=Rule.SOURCE_DROPPED, name="", message="half of them", remedy="look into INFIMA")
    one = story(build_change(before=12, after=18), refusal)
    assert "18 is due, but the whole run is refused (source-dropped): nothing is written" in answer(one)
    assert next_step(one) == "look into INFIMA."
    assert "The whole run: source-dropped: half of them." in chapters(one)["Refused"]


def test_a_contract_that_ends_tomorrow_is_not_nothing_to_do() -> None:
    rule = QuantityRule(fixed=40, reason="contract 2026", until=(NOW + timedelta(days=1)).date())
    one = story(build_change(build_mapping(rule=rule), before=40, after=40), look=seen(Attached.YES))
    assert 'quantity: {fixed: 40, reason: "contract 2026", until: 2027-11-23}' in next_step(one)
    assert "ends tomorrow" in chapters(one)["Waits for a person"][0]


def test_a_quantity_that_a_person_changed_is_told_as_that() -> None:
    change = replace(build_change(before=20, after=12, counted=12), edited_from=12, edited_since=NOW, counted_before=12)
    assert "It was changed in HaloPSA to 20 since the run of 22 Nov; INFIMA still counts 12." in answer(story(change))


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
    assert said in chapters(story(change))["Rule"]


def test_a_number_from_the_file_asks_nobody() -> None:
    change = build_change(build_mapping(rule=QuantityRule(fixed=40, reason="contract")))
    assert chapters(story(change))["Counted in INFIMA"] == ("Not asked: the quantity is fixed in mappings.yaml.",)


def test_client_record_is_named_as_such() -> None:
    change = build_change(build_mapping(rule=QuantityRule(count=CountRule.CLIENT_RECORD)))
    assert "which this mapping trusts" in chapters(story(change))["Counted in INFIMA"][0]


def test_a_renamed_subscription_is_said_to_be_fine() -> None:
    one = story(build_change(), subscription=build_subscription(name="Training for Acme"))
    assert any("ids decide" in line for line in chapters(one)["Subscription in HaloPSA"])


def test_an_unread_invoice_is_not_said_to_be_missing() -> None:
    one = story(build_change(before=12, after=12), unread="Not checked: no right")
    assert chapters(one)["Recurring invoice"] == ("Not checked: no right",)
    assert "not checked" in answer(one)


def test_the_last_ten_changes_newest_first() -> None:
    lines = [build_line(day, day + 1, message="because") for day in range(12)]
    runs = [past(NOW + timedelta(days=day), line, run=f"run-{day}") for day, line in enumerate(lines)]
    by_ann = [replace(run, info=replace(run.info, actor="ann")) for run in runs]
    history = tuple(PastChange(run=run, change=run.verdict.changes[0]) for run in by_ann)
    told = chapters(story(build_change(), history=history))["Last changes"]
    assert len(told) == 10
    assert told[0] == ("2026-12-03 05:17 UTC  update 11 -> 12  applied  (active_users; run run-11 by ann): because")


def test_chapters_without_lines_are_left_out() -> None:
    assert "Held" not in chapters(story(build_change()))
    assert "Last changes" not in chapters(story(build_change()))


# ---- topics: everything that a message may name can be looked up offline -------------------------------------------


def error_codes() -> set[str]:
    found = {errors.ReconcilerError}
    while more := {sub for kind in found for sub in kind.__subclasses__()} - found:
        found |= more
    return {kind.code for kind in found if kind.__module__ == "reconciler.errors"}


def test_every_rule_and_every_error_code_has_a_topic() -> None:
    assert {t.name for t in topics() if t.kind is TopicKind.RULE} == {str(rule) for rule in Rule}
    assert {t.name for t in topics() if t.kind is TopicKind.ERROR} == error_codes()


def test_no_two_topics_share_a_name() -> None:
    names = [topic.name for topic in topics()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_each_tells_meaning_reason_and_step_in_sentences(topic: Topic) -> None:
    assert all(text.endswith((".", "?", "FILE", "`")) and len(text) > 15 for text in (topic.means, topic.why, topic.do))


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule.liftable])
def test_a_rule_that_can_be_lifted_says_how(rule: Rule) -> None:
    topic = find_topic(rule)
    assert topic is not None
    assert f"--allow {rule}" in topic.do


@pytest.mark.parametrize("spelling", ["same-name", "SAME-NAME", "same name", "same_name"])
def test_spelling_is_forgiven(spelling: str) -> None:
    found = find_topic(spelling)
    assert found is not None
    assert found.name == "same-name"


def test_unknown_names_find_nothing() -> None:
    assert find_topic("no-such-thing") is None
