"""The words of outcomes follow from what was sent and from what the last listing shows (FAULTS T2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import SubscriptionId
from reconciler.planning.changes import Outcome, Settled
from reconciler.planning.outcomes import Ending, ending_of, users, verdict_sentence
from tests.builders import build_change


def ending(outcome: Outcome | None = Outcome.FAILED, **facts: Any) -> Ending:
    """A sent update from 12 to 15 that HaloPSA still shows at 12, unless `facts` say otherwise."""
    known = {"creates": False, "sent": True, "checked": True, "exists": True, "before": 12, "wanted": 15, "shown": 12}
    return Ending(outcome=outcome, **(known | facts))


def create(outcome: Outcome = Outcome.FAILED, **facts: Any) -> Ending:
    """A create that was sent and that no listing shows."""
    return ending(outcome, **({"creates": True, "exists": False, "before": None, "shown": None} | facts))


@pytest.mark.parametrize(
    ("one", "word", "details", "after"),
    [
        (ending(), "failed", "not written: HaloPSA still shows 12; 15 was wanted", 12),
        (ending(shown=15), "failed", "written: HaloPSA shows 15", 15),
        (ending(shown=14), "failed", "15 was sent; HaloPSA shows 14", 14),
        (ending(shown=None), "failed", "15 was sent; HaloPSA does not list it any more", None),
        (ending(shown=None, checked=False), "failed", "15 was sent; HaloPSA could not be looked at afterwards", None),
        (ending(sent=False), "not attempted", "nothing was sent; 15 was wanted", 12),
        (ending(None, sent=False), "not attempted", "nothing was sent; 15 was wanted", 12),
        (ending(Outcome.UNKNOWN), "unknown", "15 was sent; HaloPSA shows 12", 12),
        (ending(Outcome.UNKNOWN, shown=15), "unknown", "written: HaloPSA shows 15", 15),
        (ending(Outcome.STALE, sent=False, shown=13), "stale", "not written; 15 was wanted", 13),
        (ending(Outcome.STALE, shown=13), "stale", "15 was sent; HaloPSA shows 13", 13),
        (ending(Outcome.HELD, sent=False), "held", "not written", 12),
        (ending(Outcome.APPLIED, shown=15), "updated", "", 15),
        (ending(Outcome.UNCHANGED, sent=False, wanted=12), "unchanged", "", 12),
        (create(), "failed", "a create was sent; HaloPSA shows no new Subscription", 0),
        (create(checked=False), "failed", "a create was sent; HaloPSA could not be looked at afterwards", None),
        (create(Outcome.UNKNOWN), "unknown", "a create was sent; HaloPSA shows no new Subscription", None),
        (create(exists=True, shown=0), "failed", "created with quantity 0; 15 was wanted", 0),
        (create(exists=True, shown=15), "failed", "created with quantity 15", 15),
        (create(exists=True), "failed", "created with a quantity that is not known; 15 was wanted", None),
        (create(Outcome.APPLIED, exists=True, shown=15), "created", "", 15),
        (create(Outcome.STALE, sent=False, exists=True, shown=3), "stale", "not written; 15 was wanted", 3),
    ],
)
def test_words_follow_from_what_was_sent_and_seen(one: Ending, word: str, details: str, after: int | None) -> None:
    assert (one.word, one.details, one.after) == (word, details, after)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE])
@pytest.mark.parametrize("shown", [None, 0, 12, 14, 15])
@pytest.mark.parametrize("checked", [True, False])
def test_not_written_is_said_only_where_the_old_quantity_was_seen(
    outcome: Outcome, shown: int | None, *, checked: bool
) -> None:
    seen = shown if checked else None
    assert ("not written" in ending(outcome, shown=seen, checked=checked).details) <= (seen == 12)


def test_what_is_not_well_comes_first_and_what_was_done_is_not_forgotten() -> None:
    told = [ending(), ending(shown=15), create(exists=True, shown=0), ending(sent=False), ending(Outcome.UNKNOWN)]
    done = [create(Outcome.APPLIED, exists=True, shown=15), ending(Outcome.APPLIED, shown=15)]
    assert verdict_sentence([*done, *told]) == (
        "Apply incomplete: 4 failed (1 of them not attempted), 1 unknown; "
        "2 created (1 of these did not end well), 2 updated (1 of these did not end well)."
    )


def test_nothing_is_counted_as_none_where_an_outcome_is_open() -> None:
    assert "0 created" not in verdict_sentence([create(Outcome.UNKNOWN)])


def test_nothing_was_sent_is_said_only_where_nothing_left() -> None:
    assert verdict_sentence([ending(sent=False)]) == "Apply incomplete: 1 not attempted. Nothing was sent to HaloPSA."
    assert "Nothing" not in verdict_sentence([ending(sent=False), ending()])
    assert "Nothing" not in verdict_sentence([ending(Outcome.APPLIED, sent=False)], refused_by=["source-empty"])
    assert verdict_sentence([ending(None, sent=False)]) == (
        "Apply incomplete: 1 not told of. Nothing was sent to HaloPSA."
    )


def test_users_count_what_is_seen_and_tell_how_many_are_not() -> None:
    assert users([ending(shown=15), ending(shown=None), create(Outcome.UNKNOWN), ending(Outcome.HELD, sent=False)]) == (
        36,
        39,
        2,
    )


@pytest.mark.parametrize(
    ("one", "created", "written"),
    [
        (create(Outcome.APPLIED, exists=True, shown=15), True, False),
        (create(Outcome.APPLIED, exists=True, shown=15, sent=False), True, False),
        (create(exists=True, shown=0), True, False),
        (create(Outcome.STALE, exists=True, sent=False), False, False),
        (create(), False, False),
        (ending(Outcome.APPLIED, shown=15), False, True),
        (ending(shown=15), False, True),
        (ending(shown=15, sent=False), False, False),
        (ending(shown=None, wanted=None), False, False),
        (ending(Outcome.UNCHANGED, shown=12, wanted=12), False, False),
        (ending(), False, False),
    ],
)
def test_what_counts_as_created_and_as_written(one: Ending, *, created: bool, written: bool) -> None:
    assert (one.created, one.written) == (created, written)


@pytest.mark.parametrize("settled", [True, False])
def test_an_ending_is_what_the_change_wanted_and_what_the_run_knows(*, settled: bool) -> None:
    new = build_change(before=None, after=15, subscription=None)
    number = SubscriptionId(9101) if settled else None
    known = Settled(outcome=Outcome.FAILED, subscription_id=number, sent=True, checked=True, live_count=None)
    assert ending_of(new, known) == create(exists=settled)
    old = build_change(before=12, after=15)
    assert ending_of(old, replace(known, subscription_id=SubscriptionId(9001), live_count=12)) == ending()


def test_a_refused_run_that_wrote_nothing_says_so() -> None:
    refused = verdict_sentence([ending(Outcome.HELD, sent=False)], refused_by=("zero", "many-creates"))
    assert refused == "Apply refused by zero, many-creates. Nothing was written."
    assert "Nothing" not in verdict_sentence([ending()], refused_by=("zero",))
