"""How a run ended: exit codes, the sentence, the history's lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from reconciler.errors import Interrupted, ReconcilerError, ServerFailed, StateError
from reconciler.model import (
    Approval,
    HaloCustomerId,
    MappingKey,
    Place,
    PriceSource,
    RunId,
    Subscription,
    SubscriptionId,
    UnitPrice,
)
from reconciler.planning.changes import Action, Change, Outcome, Plan, Settled, SubscriptionState, Violation
from reconciler.planning.rules import Rule
from reconciler.state.base import CutOffRun, HistoryChange, RunInfo, RunVerdict
from reconciler.writing.session import Applied
from reconciler.writing.verdict import (
    cancelled,
    decision_verdict,
    exit_code,
    failed,
    lifted_in_words,
    planned_lines,
    recovered,
    sentence,
    verdict_of,
)
from tests.builders import NOW, build_change, build_hold, build_mapping, build_plan, build_subscription
from tests.core import build_attempt, build_binding, build_info, build_line, build_recorded

RUN = RunId("run-1")
EMPTY = build_plan()
REFUSED = build_plan(
    violations=(
        Violation(rule=Rule.SOURCE_EMPTY, name="", message="m", remedy="r"),
        Violation(rule=Rule.MANY_CREATES, name="", message="m", remedy="r"),
    )
)


def applied(*outcomes: Outcome, error: ReconcilerError | None = None) -> Applied:
    sent = {Outcome.APPLIED, Outcome.FAILED, Outcome.UNKNOWN}
    settled = {
        MappingKey(f"k{n}"): Settled(outcome=outcome, sent=outcome in sent) for n, outcome in enumerate(outcomes)
    }
    return Applied(outcomes=settled, error=error)


def verdict(*pairs: tuple[Change, Settled], complete: bool = True) -> RunVerdict:
    plan = build_plan(*(change for change, _ in pairs), complete=complete)
    done = Applied(outcomes={change.key: settled for change, settled in pairs})
    return verdict_of(RUN, plan, done, stopped=False, finished_at=NOW)


def change(key: str = "a", before: int | None = 10, after: int | None = 15, **more: object) -> Change:
    made = build_change(build_mapping(key=key), before=before, after=after, **more)  # type: ignore[arg-type]
    return replace(made, counted_before=made.quantity.counted)


# --- exit codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "done", "stopped", "code"),
    [
        (EMPTY, applied(), False, 0),
        (EMPTY, applied(Outcome.APPLIED, Outcome.UNCHANGED), False, 0),
        (EMPTY, applied(Outcome.APPLIED), True, 0),
        (EMPTY, applied(Outcome.APPLIED, Outcome.HELD), False, 3),
        (EMPTY, applied(Outcome.STALE), False, 3),
        (EMPTY, applied(Outcome.HELD), True, 3),
        (REFUSED, applied(Outcome.UNCHANGED), False, 3),
        (REFUSED, applied(), False, 3),
        (EMPTY, applied(Outcome.FAILED, Outcome.HELD), False, 4),
        (EMPTY, applied(Outcome.UNKNOWN), False, 4),
        (EMPTY, applied(error=ServerFailed("no")), False, 4),
        (EMPTY, applied(error=StateError("no")), False, 1),
        (EMPTY, applied(Outcome.APPLIED, error=StateError("no")), False, 4),
        (EMPTY, applied(Outcome.FAILED), True, 130),
        (EMPTY, applied(Outcome.UNKNOWN), True, 130),
        (EMPTY, applied(error=ServerFailed("no")), True, 130),
        (EMPTY, applied(error=Interrupted("stop")), False, 130),
    ],
)
def test_exit_code(plan: Plan, done: Applied, *, stopped: bool, code: int) -> None:
    assert exit_code(plan, done, stopped=stopped) == code


# --- the sentence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (applied(), "Apply complete! 0 created, 0 updated, 0 unchanged."),
        (
            applied(Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED, Outcome.UNCHANGED),
            "Apply complete! 0 created, 3 updated, 1 unchanged.",
        ),
        (
            applied(Outcome.APPLIED, Outcome.HELD, Outcome.STALE, Outcome.STALE),
            "Apply finished, but not all was written: 2 stale, 1 held; 1 updated.",
        ),
        (
            applied(Outcome.FAILED, Outcome.UNKNOWN, Outcome.HELD),
            "Apply incomplete: 1 failed, 1 unknown, 1 held.",
        ),
        (applied(error=StateError("no")), "Apply incomplete. Nothing was sent to HaloPSA."),
    ],
)
def test_sentence(done: Applied, words: str) -> None:
    plan = build_plan(*(change(key) for key in done.outcomes))
    assert sentence(plan, done) == words


def test_a_refused_run_says_by_what() -> None:
    assert sentence(REFUSED, applied(Outcome.HELD)) == (
        "Apply refused by source-empty, many-creates. Nothing was written."
    )


@pytest.mark.parametrize("written", [Outcome.APPLIED, Outcome.UNKNOWN])
def test_of_a_run_that_wrote_it_is_never_said_that_nothing_was_written(written: Outcome) -> None:
    plan = replace(REFUSED, changes=(change("k0"), change("k1")))
    assert "Nothing was written" not in sentence(plan, applied(written, Outcome.HELD))


@pytest.mark.parametrize(
    ("plan", "whole"),
    [
        (EMPTY, True),
        (REFUSED, False),
        (replace(EMPTY, complete=False), False),
        (replace(REFUSED, complete=False), False),
    ],
)
def test_a_run_is_whole_when_nothing_was_left_out_and_nothing_refused(plan: Plan, *, whole: bool) -> None:
    assert verdict_of(RUN, plan, applied(), stopped=False, finished_at=NOW).whole is whole


# --- the verdict -----------------------------------------------------------------------------------------------------


def test_the_verdict_names_run_time_code_and_sentence() -> None:
    plan, done = build_plan(change()), applied(Outcome.FAILED)
    made = verdict_of(RUN, plan, done, stopped=True, finished_at=NOW)
    assert (made.run, made.finished_at, made.exit_code) == (RUN, NOW, 130)
    assert made.sentence == sentence(plan, done)
    assert not made.good


def test_a_line_of_the_history() -> None:
    settled = Settled(outcome=Outcome.STALE, message="it moved", subscription_id=SubscriptionId(9001))
    [line] = verdict((change(), settled)).changes
    assert line == HistoryChange(
        key=MappingKey("a"), subscription_id=SubscriptionId(9001), action="update", before=10, after=10, counted=15,
        rule="active_users", outcome="stale", message="it moved", wanted=15,
    )  # fmt: skip


def test_a_create_had_nothing_before() -> None:
    settled = Settled(outcome=Outcome.APPLIED, subscription_id=SubscriptionId(9101))
    [line] = verdict((change(subscription=None, after=7), settled)).changes
    assert (line.action, line.before, line.after, line.subscription_id) == ("create", None, 7, 9101)


def test_what_is_unchanged_makes_no_line() -> None:
    made = verdict((change(before=7, after=7), Settled(outcome=Outcome.UNCHANGED)))
    assert (made.changes, made.snapshot) == ((), {"a": 7})


@pytest.mark.parametrize(
    ("outcome", "after"),
    [(Outcome.APPLIED, 15), (Outcome.HELD, 10), (Outcome.STALE, 10), (Outcome.FAILED, 10), (Outcome.UNKNOWN, 10)],
)
def test_only_what_was_read_back_counts_as_billed(outcome: Outcome, after: int) -> None:
    made = verdict((change(), Settled(outcome=outcome)), (change("b", 4, 4), Settled(outcome=Outcome.UNCHANGED)))
    assert (made.users_before, made.users_after, made.snapshot) == (14, after + 4, {"a": after, "b": 4})


@pytest.mark.parametrize("outcome", [Outcome.HELD, Outcome.UNKNOWN, Outcome.FAILED])
def test_a_create_that_is_not_verified_bills_nobody_yet(outcome: Outcome) -> None:
    made = verdict((change(subscription=None, after=7), Settled(outcome=outcome)))
    assert (made.users_before, made.users_after, made.snapshot) == (0, 0, {})


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.STALE, Outcome.UNKNOWN])
def test_what_a_run_saw_last_is_what_is_billed(outcome: Outcome) -> None:
    """E.g. a right quantity beside a price that moved: the run failed there, and yet HaloPSA bills fifteen."""
    row = change()
    made = verdict((row, Settled(outcome=outcome, subscription_id=SubscriptionId(1), live_count=15)))
    assert (made.users_before, made.users_after) == (10, 15)
    assert made.snapshot == {row.key: 15}


def test_an_unknown_live_count_is_not_in_the_snapshot() -> None:
    made = verdict((change(before=None, after=None, action=Action.NO_OP), Settled(outcome=Outcome.HELD)))
    assert made.snapshot == {}


def test_a_run_that_nobody_confirmed() -> None:
    made = cancelled(RUN, build_plan(change()), finished_at=NOW)
    assert (made.exit_code, made.sentence) == (1, "Apply cancelled: it was not confirmed.")
    assert (made.users_before, made.users_after, made.changes) == (10, 10, ())


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ServerFailed("INFIMA answered 500"), 1, "Failed before the first write: INFIMA answered 500"),
        (Interrupted("the run was asked to stop"), 130, "Failed before the first write: the run was asked to stop"),
        (KeyboardInterrupt(), 130, "Failed before the first write: interrupted"),
    ],
)
def test_a_run_that_failed(error: BaseException, code: int, words: str) -> None:
    made = failed(RUN, error, when="Failed before the first write", finished_at=NOW)
    assert made == RunVerdict(
        run=RUN, finished_at=NOW, exit_code=code, sentence=words, users_before=0, users_after=0, changes=(), snapshot={}
    )


def test_a_count_that_moved_without_moving_the_quantity_makes_a_line() -> None:
    """Below a minimum, within the included users: a look back at how INFIMA counted needs it."""
    moved = replace(change(before=7, after=7), counted_before=5)
    [line] = verdict((moved, Settled(outcome=Outcome.UNCHANGED))).changes
    assert (line.counted, line.outcome) == (7, "unchanged")


@pytest.mark.parametrize(
    "still",
    [
        replace(change(before=7, after=7), counted_before=5, mapping=build_mapping(key="a", retired=True)),
        replace(change(before=7, after=7), quantity=replace(change().quantity, counted=None), counted_before=5),
    ],
)
def test_what_was_not_counted_has_not_moved(still: Change) -> None:
    assert verdict((still, Settled(outcome=Outcome.UNCHANGED))).changes == ()


def test_a_run_of_some_mappings_gives_no_snapshot_of_all() -> None:
    made = verdict((change(), Settled(outcome=Outcome.APPLIED)), complete=False)
    assert (made.snapshot, made.users_after) == ({}, 15)


@pytest.mark.parametrize(
    ("special", "good"),
    [
        ({"exit_code": 0}, True),
        ({"exit_code": 3}, True),
        ({"exit_code": 4}, False),
        ({"exit_code": 0, "whole": False}, False),
        ({"exit_code": 0, "decision": True}, False),
    ],
)
def test_a_good_night_is_a_whole_run_that_came_to_its_end(special: dict[str, Any], *, good: bool) -> None:
    verdict = failed(RunId("r"), Interrupted("x"), when="w", finished_at=NOW)
    assert replace(verdict, **special).good is good


# --- prices and holds that the history keeps -------------------------------------------------------------------------


def price(source: PriceSource) -> UnitPrice:
    return UnitPrice(amount=Decimal("2.75"), currency="EUR", source=source)


@pytest.mark.parametrize(("complete", "keys"), [(True, ["halo"]), (False, [])])
def test_only_halos_prices_are_kept_and_only_of_a_whole_run(*, complete: bool, keys: list[str]) -> None:
    rows = [
        replace(change("halo"), price=price(PriceSource.HALO)),
        replace(change("file"), price=price(PriceSource.FILE)),
        change("none"),
    ]
    made = verdict(*((row, Settled(outcome=Outcome.APPLIED)) for row in rows), complete=complete)
    assert dict(made.prices) == {MappingKey(key): price(PriceSource.HALO) for key in keys}


def test_a_line_names_the_rule_that_withheld_it() -> None:
    held = replace(change("a"), hold=build_hold(Rule.ZERO))
    plan = build_plan(held, change("b"), change("c"), violations=REFUSED.violations)
    ended = {"a": Outcome.HELD, "b": Outcome.HELD, "c": Outcome.FAILED}
    done = Applied(outcomes={MappingKey(key): Settled(outcome=outcome) for key, outcome in ended.items()})
    made = verdict_of(RUN, plan, done, stopped=False, finished_at=NOW)
    assert {line.key: line.held_by for line in made.changes} == {"a": "zero", "b": "source-empty", "c": ""}


def test_a_second_read_that_withholds_a_change_is_no_rule() -> None:
    [line] = verdict((change("a"), Settled(outcome=Outcome.HELD))).changes
    assert line.held_by == ""


# --- what a person lifted, and what a person decided -----------------------------------------------------------------


def test_each_line_says_what_was_lifted_for_it_and_the_run_what_was_lifted_for_all() -> None:
    approval = Approval(
        rule="decrease", key=MappingKey("a"), until=date(2026, 12, 15), reason="closed two branches",
        place=Place(file="mappings.yaml", line=1, column=1),
    )  # fmt: skip
    said = {"message": "m", "remedy": "r"}
    by_option = Violation(rule=Rule.ZERO, name="a", allowed="left", **said)
    reviewed = Violation(rule=Rule.DECREASE, name="a", allowed="closed two branches", approval=approval, **said)
    known = replace(reviewed, approval=replace(approval, approved_by="Ada Example"))
    stopping = Violation(rule=Rule.INCREASE, name="a", **said)
    whole = Violation(rule=Rule.MANY_CREATES, name="", allowed="first run", **said)
    of_another = Violation(rule=Rule.ZERO, name="b", allowed="other", **said)
    plan = build_plan(change("a"), violations=(by_option, reviewed, known, stopping, whole, of_another))
    done = Applied(outcomes={MappingKey("a"): Settled(outcome=Outcome.APPLIED, sent=True, live_count=15)})
    verdict = verdict_of(RUN, plan, done, stopped=False, finished_at=NOW)
    assert lifted_in_words(verdict.changes[0].lifted) == (
        "zero lifted with --allow: left; decrease lifted with an approval in mappings.yaml: closed two "
        "branches; decrease lifted with an approval in mappings.yaml (Ada Example): closed two branches"
    )
    assert lifted_in_words(verdict.lifted) == "many-creates lifted with --allow: first run"


def test_what_a_run_is_about_to_write_stands_there_before_anything_is_known_of_it() -> None:
    plan = build_plan(change("a", 10, 15), change("b", None, 5, subscription=None))
    old, new = planned_lines(plan, plan.changes)
    assert (old.subscription_id, old.before, old.wanted, old.after, old.outcome) == (9001, 10, 15, None, "unknown")
    assert (new.subscription_id, new.before, new.wanted, new.after, new.outcome) == (None, None, 5, None, "unknown")


def test_a_decision_by_hand_is_on_record_and_counts_nobody() -> None:
    info = RunInfo(id=RUN, command="adopt", started_at=NOW)
    told = decision_verdict(
        info, MappingKey("a"), "adopt", "ticket 4711", at=SubscriptionId(9041), quantity=37, finished_at=NOW
    )
    [line] = told.changes
    assert (line.subscription_id, line.before, line.after, line.message) == (9041, 37, 37, "ticket 4711")
    assert (told.exit_code, told.users_before, told.users_after, told.decision) == (0, 0, 0, True)
    assert (told.run, told.finished_at, told.sentence) == (RUN, NOW, "adopt: adopt a by hand: ticket 4711")


def test_users_afterwards_are_those_seen_and_those_whose_mapping_is_in_doubt() -> None:
    state = SubscriptionState(id=SubscriptionId(9002), customer_id=HaloCustomerId(12), name="n", count=7)
    doubtful = replace(change("b", None, None, subscription=None, hold=build_hold()), candidates=(state,))
    told = verdict(
        (change("a", 10, 15), Settled(outcome=Outcome.UNKNOWN, sent=True, subscription_id=SubscriptionId(9001))),
        (doubtful, Settled(outcome=Outcome.HELD)),
    )
    assert told.users_after == 10 + 7


# -- A run that was cut off: what its journal and HaloPSA show, and not one word more ---------------------------------


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
