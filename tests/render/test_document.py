"""What all drawings share: order of rows, reasons and verdicts in words."""

from __future__ import annotations

import pytest

from reconciler.answers.words import plural, sentence
from reconciler.plan_document import plan_document, with_outcomes
from reconciler.planning.changes import Action, ActionReason, Outcome, Settled
from reconciler.planning.outcomes import users
from reconciler.planning.rules import Rule
from reconciler.render.document import Kind, signed, view
from reconciler.render.words import attach, outcome_verdict, verdict
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.render import stories


def test_held_rows_come_first_then_creates_then_updates() -> None:
    kinds = [row.kind for row in view(stories.document(stories.night_plan())).rows]
    assert kinds == sorted(kinds)
    assert set(kinds) == set(Kind)


def test_rows_of_a_kind_are_sorted_by_key() -> None:
    rows = view(stories.document(stories.night_plan())).of_kind(Kind.UPDATE)
    assert [row.key for row in rows] == ["corvid", "infima-102"]


@pytest.mark.parametrize("reason", ActionReason)
def test_every_reason_has_words(reason: ActionReason) -> None:
    (row,) = view(stories.document(build_plan(build_change(reason=reason)))).rows
    assert " " in row.reason
    assert reason.value not in row.reason


def test_reason_shows_the_arithmetic_where_a_rule_changed_the_number() -> None:
    change = build_change(after=10, counted=7, rule="active_users, at least 10")
    (row,) = view(stories.document(build_plan(change))).rows
    assert row.reason == "count changed: 7 users counted; rule: active_users, at least 10"


def test_drift_is_told_as_such() -> None:
    (row,) = view(stories.document(build_plan(build_change(caused_by="drift")))).rows
    assert row.reason.startswith("changed in HaloPSA since the last run")


def test_hold_without_a_violation_is_told_all_the_same() -> None:
    (row,) = view(stories.document(build_plan(build_change(hold=build_hold())))).rows
    assert [problem.rule for problem in row.problems] == ["zero"]


def test_lifted_violation_holds_nothing() -> None:
    shown = view(stories.document(stories.lifted_plan()))
    assert [problem.allowed for problem in shown.lifted] == ["all left"]
    assert all(row.problems == () for row in shown.rows)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (build_plan(), "No changes. HaloPSA matches mappings.yaml and INFIMA's counts."),
        (
            stories.night_plan(),
            "Plan: 1 to create, 2 to update, 2 held, 3 unchanged. Users: 226 -> 241.",
        ),
        (stories.refused_plan(), "Refused: a safety rule stops this run, and nothing is written."),
    ],
    ids=["empty", "night", "refused"],
)
def test_verdict_of_a_plan(plan: stories.Plan, words: str) -> None:
    assert verdict(view(stories.document(plan)))[0] == words


def test_verdict_of_a_refused_apply() -> None:
    document = stories.applied(stories.refused_plan(), exit_code=3)
    assert outcome_verdict(view(document)) == "Apply refused by source-dropped. Nothing was written."


def test_refusal_does_not_hide_a_write() -> None:
    done = Settled(outcome=Outcome.APPLIED)
    document = stories.applied(stories.refused_plan(), exit_code=3, corvid=done)
    assert "1 updated" in outcome_verdict(view(document))


def test_rows_that_apply_does_not_mention_are_not_called_done() -> None:
    changes = (build_change(), build_change(build_mapping(2), before=1, after=1))
    document = plan_document(build_plan(*changes), version="0.1.0")
    document["resource_changes"][1]["outcome"] = "unchanged"
    assert [row.outcome for row in view(document).rows] == [None, Outcome.UNCHANGED]


def test_a_held_row_bills_what_it_shows_on_both_sides() -> None:
    change = build_change(before=12, after=15, hold=build_hold(Rule.SUBSCRIPTION_GONE))
    assert users(view(stories.applied(build_plan(change), exit_code=3)).endings) == (12, 12, 0)


def test_before_of_a_create_is_zero_and_of_an_unknown_count_is_not() -> None:
    rows = (
        build_change(subscription=None),
        build_change(build_mapping(2), before=None, after=None, action=Action.NO_OP),
    )
    shown = view(stories.document(build_plan(*rows))).rows
    assert [(row.before_in_words, row.after_in_words) for row in shown] == [("0", "15"), ("?", "?")]


@pytest.mark.parametrize(("number", "text"), [(3, "+3"), (-3, "-3"), (0, "0"), (None, "?")])
def test_signed(number: int | None, text: str) -> None:
    assert signed(number) == text


def test_sentence_gets_one_full_stop() -> None:
    assert [sentence(text) for text in ("a", "a.", " a? ", "")] == ["a.", "a.", "a?", ""]


def test_next_step_after_creates_counts_them() -> None:
    assert attach(1).startswith("attach it to a recurring invoice.")
    assert attach(2).startswith("attach each of them to a recurring invoice.")


def test_plural() -> None:
    assert (plural(1, "user"), plural(2, "user")) == ("1 user", "2 users")


def test_a_failed_row_bills_what_was_seen_last() -> None:
    """A right quantity beside a price that moved: not called good, and yet it is what HaloPSA bills."""
    seen = Settled(outcome=Outcome.FAILED, message="the quantity is right, but ...", live_count=15)
    change = build_change(before=12, after=15)
    plan = build_plan(change)
    document = with_outcomes(plan_document(plan, version="0.1.0"), plan, {change.key: seen})
    assert document["resource_changes"][0]["outcome_count"] == 15
    assert users(view(document).endings) == (12, 15, 0)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(1, 17, "17 times as many"), (2, 6, "3 times as many"), (1, 3, ""), (4, 11, ""), (0, 9, ""), (9, 3, "")],
)
def test_a_rise_that_is_large_in_proportion_is_told(before: int, after: int, word: str) -> None:
    (row,) = view(stories.document(build_plan(build_change(before=before, after=after, counted=after)))).rows
    assert row.reason.partition("; ")[2] == word
