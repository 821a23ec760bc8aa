"""What a run that was cut off is taken to have done: by its journal and what HaloPSA shows, and not one word more."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import MappingKey, RunId, Subscription
from reconciler.state.base import CutOffRun, HistoryChange, RunVerdict
from reconciler.writing.verdict import recovered
from tests.builders import NOW, build_subscription
from tests.core import build_attempt, build_binding, build_info, build_line, build_recorded

KEY = MappingKey("infima-101")
NO_ROWS: tuple[Subscription, ...] = ()


def planned(action: str = "update", *, subscription: int | None = 9001, before: int | None = 10) -> HistoryChange:
    more = {"action": action, "rule": "active users", "outcome": "unknown"}
    return build_line(before, None, subscription=subscription, counted=15, wanted=15, **more)


CREATE = planned("create", subscription=None, before=None)


def look(
    change: HistoryChange, rows: tuple[Subscription, ...], recorded: Any = None, *, sent: bool = True, **cut: Any
) -> RunVerdict:
    off = CutOffRun(
        info=build_info("night-1"),
        journal="night-1.jsonl",
        changes=(change,),
        sent=frozenset([KEY] if sent else []),
        last_at=NOW,
        **cut,
    )
    return recovered(off, rows, recorded or build_recorded(), by=RunId("night-2"))


def told(verdict: RunVerdict) -> tuple[str, int | None, bool]:
    [line] = verdict.changes
    return line.outcome, line.after, line.sent


@pytest.mark.parametrize("sent", [True, False])
def test_a_quantity_that_shows_what_was_wanted_was_written(*, sent: bool) -> None:
    verdict = look(planned(), (build_subscription(9001, count=15),), sent=sent)
    assert told(verdict) == ("applied", 15, True)
    assert (verdict.users_before, verdict.users_after, verdict.whole) == (10, 15, False)


def test_any_other_quantity_leaves_open_what_the_run_did() -> None:
    verdict = look(planned(), (build_subscription(9001, count=10),))
    assert told(verdict) == ("unknown", None, True)
    assert told(look(planned(), (build_subscription(9001, count=0),))) == ("unknown", None, True)
    assert verdict.changes[0].message == "15 was wanted; the run after it found 10"
    assert verdict.sentence.endswith("Run night-2 looked afterwards: 1 unknown.")


def test_a_subscription_that_is_listed_no_more_tells_nothing() -> None:
    verdict = look(planned(), NO_ROWS)
    assert told(verdict) == ("unknown", None, True)
    assert "lists Subscription 9001 no more" in verdict.changes[0].message


def test_only_a_whole_journal_without_a_request_proves_that_nothing_was_sent() -> None:
    verdict = look(planned(), (build_subscription(9001, count=15),), sent=False, complete=True)
    assert told(verdict) == ("failed", 10, False)
    assert verdict.changes[0].message == "not attempted"


def test_a_create_is_found_by_its_binding() -> None:
    verdict = look(CREATE, (build_subscription(9007, count=15, marker=None),), build_recorded(build_binding(9007)))
    assert told(verdict) == ("applied", 15, True)
    assert verdict.changes[0].subscription_id == 9007


def test_a_create_is_found_by_its_marker_where_only_one_carries_it() -> None:
    one = build_subscription(9007, count=0, marker=KEY)
    verdict = look(CREATE, (one,))
    assert told(verdict) == ("failed", 0, True)
    assert "was created, and its quantity was not set" in verdict.changes[0].message
    others = look(CREATE, (one, build_subscription(9008, count=15, marker="infima-102")))
    assert others.changes[0].subscription_id == 9007
    both = look(CREATE, (one, build_subscription(9008, count=15, marker=KEY)))
    assert told(both) == ("unknown", None, True)


def test_a_create_that_may_have_left_is_unknown_until_it_shows() -> None:
    assert told(look(CREATE, NO_ROWS)) == ("unknown", None, True)
    attempted = look(CREATE, NO_ROWS, build_recorded(attempts=[build_attempt()]), sent=False)
    assert told(attempted)[0] == "unknown"
    assert "a create may have been sent" in attempted.changes[0].message


def test_a_create_without_request_and_attempt_was_not_attempted() -> None:
    assert told(look(CREATE, NO_ROWS, sent=False)) == ("failed", None, False)


def test_the_sentence_begins_with_what_the_run_said_of_itself() -> None:
    said = look(planned(), (build_subscription(9001, count=15),), verdict="1 updated.")
    assert said.sentence == "1 updated, and its record was lost. Run night-2 looked afterwards: 1 written."
    off = CutOffRun(
        info=build_info("night-1"),
        journal="night-1.jsonl",
        changes=(),
        sent=frozenset(),
        last_at=NOW,
    )
    assert "no record of what it was about to write" in recovered(off, (), build_recorded(), by=RunId("x")).sentence
