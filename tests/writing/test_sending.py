"""Updates that want more than id and count, and request limits in the middle of the writing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import DeadlineExceeded
from reconciler.events import Noticed
from reconciler.model import Subscription
from reconciler.providers.base import Accepted, Refused, Unclear, WriteAnswer
from reconciler.state.recorded import HaloFacts, Recorded
from reconciler.writing.session import THROTTLED_IN_A_ROW
from tests.builders import build_subscription
from tests.fakes import (
    Answer,
    FakeTarget,
    Rows,
    Scene,
    accepted,
    fail,
    message_of,
    outcomes,
    raises,
    refused,
    silent,
    unclear,
)

CLIENT, ALL = ("client_id",), ("client_id", "name", "type")


def row(number: int, **raw: Any) -> Subscription:
    made = build_subscription(number, 12, 10, name="Training")
    return replace(made, raw={"client_id": 12, "name": "Training", "type": 1, "count": 10, **raw})


def scene(number: int, *, facts: HaloFacts | None = None, **settings: object) -> Scene:
    recorded = Recorded(halo=facts) if facts else None
    return Scene(*(row(n) for n in range(1, number + 1)), recorded=recorded, **settings)


def wanting(*members: str, status: int = 400, message: str = "Client must be specified") -> Answer:
    """A server that takes an update only with these members, and with the values that the row has."""

    def answer(target: FakeTarget, rows: Rows) -> WriteAnswer:
        for sent in rows:
            shown = target.rows[sent["id"]].raw
            if any(member not in sent for member in members):
                return Refused(status=status, message=message)
            assert all(sent[member] == shown[member] for member in sent if member not in {"id", "count"})
        target.take(rows)
        return Accepted()

    return answer


def forms(target: FakeTarget) -> list[tuple[list[int], tuple[str, ...]]]:
    """For each request its ids, and what went along."""
    return [([r["id"] for r in batch], tuple(m for m in batch[0] if m not in {"id", "count"})) for batch in target.sent]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("members", [CLIENT, ALL])
def test_a_lone_row_that_is_refused_goes_again_with_what_the_listing_shows(
    members: tuple[str, ...], status: int
) -> None:
    stage = scene(1)
    stage.target.answers = [wanting(*members, status=status)] * 9
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    tried = [(), CLIENT, ALL][: 2 if members == CLIENT else 3]
    assert forms(stage.target) == [([1], form) for form in tried]
    assert stage.state.recorded.halo.update_members == members
    assert any("this is remembered" in e.message for e in stage.events if isinstance(e, Noticed))


def test_what_one_row_taught_the_others_and_the_next_batches_use() -> None:
    stage = scene(5, batch=3)
    stage.target.answers = [wanting("client_id")] * 9
    assert set(outcomes(stage.apply(raises(1, 2, 3, 4, 5))).values()) == {"applied"}
    assert forms(stage.target) == [
        ([1, 2, 3], ()), ([1], ()), ([1], CLIENT), ([2], CLIENT), ([3], CLIENT), ([4, 5], CLIENT),
    ]  # fmt: skip


def test_what_an_earlier_run_has_found_out_is_used_at_once() -> None:
    stage = scene(3, facts=HaloFacts(update_members=ALL))
    stage.target.answers = [wanting(*ALL)] * 9
    assert set(outcomes(stage.apply(raises(1, 2, 3))).values()) == {"applied"}
    assert forms(stage.target) == [([1, 2, 3], ALL)]
    assert not stage.state.steps("record_facts")


def test_what_is_remembered_and_true_no_more_is_found_out_anew() -> None:
    """An instance that takes less than it once did: what it wants now is remembered instead."""

    def only_bare(target: FakeTarget, rows: Rows) -> WriteAnswer:
        return (
            refused(message="client_id is read-only")(target, rows)
            if "client_id" in rows[0]
            else accepted(target, rows)
        )

    stage = scene(1, facts=HaloFacts(update_members=CLIENT))
    stage.target.answers = [only_bare] * 9
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert stage.state.recorded.halo.update_members == ()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_row_at_any_place_costs_the_others_nothing(place: int) -> None:
    def no_fifteen_there(target: FakeTarget, rows: Rows) -> WriteAnswer:
        if any(r["id"] == place + 1 for r in rows):
            return Refused(status=400, message="not this one")
        return accepted(target, rows)

    stage = scene(3)
    stage.target.answers = [no_fifteen_there] * 9
    applied = stage.apply(raises(1, 2, 3))
    assert outcomes(applied) == {f"k{n}": "failed" if n == place + 1 else "applied" for n in (1, 2, 3)}
    assert message_of(applied, f"k{place + 1}") == "HaloPSA refused the quantity 15: not this one"
    assert stage.state.recorded.halo == HaloFacts()


def test_a_form_that_would_add_nothing_is_not_tried() -> None:
    stage = Scene(replace(row(1), raw={"count": 10, "client_id": 12}))
    stage.target.answers = [refused()] * 9
    assert outcomes(stage.apply(raises(1))) == {"k1": "failed"}
    assert forms(stage.target) == [([1], ()), ([1], CLIENT)]


def test_words_that_differ_are_told_with_what_went_along() -> None:
    stage = scene(1)
    stage.target.answers = [refused(message="A"), refused(message="B"), refused(422, message="C")]
    assert message_of(stage.apply(raises(1)), "k1") == (
        "HaloPSA refused the quantity 15: A; with client_id: B; with client_id, name, type: C"
    )


@pytest.mark.parametrize("status", [404, 409, 415])
def test_a_refusal_that_no_missing_member_explains_is_the_last_word(status: int) -> None:
    stage = scene(1)
    stage.target.answers = [refused(status, message="no")]
    assert (outcomes(stage.apply(raises(1))), len(stage.target.sent)) == ({"k1": "failed"}, 1)


def test_a_right_that_is_missing_ends_the_trying() -> None:
    stage = scene(2)
    stage.target.answers = [refused(), refused(), refused(403)]
    assert outcomes(stage.apply(raises(1, 2))) == {"k1": "failed", "k2": "failed"}
    assert len(stage.target.sent) == 3


def test_an_unclear_answer_to_the_larger_form_is_left_to_the_listing() -> None:
    stage = scene(1)
    stage.target.answers = [refused(), unclear(effect=True, status=200)]
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert stage.state.recorded.halo.update_members == CLIENT, "an odd answer with the effect speaks for the form"


def test_a_server_error_teaches_nothing() -> None:
    stage = scene(1)
    stage.target.answers = [refused(), unclear(effect=True, status=500)]
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert stage.state.recorded.halo == HaloFacts()


def test_a_row_that_somebody_changed_meanwhile_is_not_sent_again() -> None:
    stage = scene(1)
    stage.target.answers = [refused()]
    stage.target.before_listing[1] = lambda: stage.target.edit(1, count=77)
    assert (outcomes(stage.apply(raises(1))), len(stage.target.sent)) == ({"k1": "stale"}, 1)


def test_a_stop_between_two_forms_ends_the_trying() -> None:
    stage = scene(1)
    stage.stopping = lambda: len(stage.target.sent) == 2

    def stopped(target: FakeTarget, rows: Rows) -> WriteAnswer:
        return Refused(status=400, message="incomplete")

    stage.target.answers = [refused(message="incomplete"), stopped]
    assert outcomes(stage.apply(raises(1))) == {"k1": "failed"}
    assert len(stage.target.sent) == 2


def test_a_name_goes_along_only_as_it_was_just_read() -> None:
    """Somebody renames it after the listing of the plan: the old name must not be written back."""
    stage = scene(1, facts=HaloFacts(update_members=ALL))
    stage.clock.call_later(10, lambda: stage.target.edit(1, raw={"name": "Renamed"}))
    stage.apply(raises(1), age=30)
    assert stage.target.sent == [[{"id": 1, "count": 15, "client_id": 12, "name": "Renamed", "type": 1}]]


def test_nothing_goes_out_where_that_last_look_shows_another_count() -> None:
    stage = scene(1, facts=HaloFacts(update_members=ALL))
    stage.clock.call_later(10, lambda: stage.target.edit(1, count=77))
    assert (outcomes(stage.apply(raises(1), age=30)), stage.target.sent) == ({"k1": "stale"}, [])


def test_a_name_is_not_sent_for_a_row_that_is_gone() -> None:
    """HaloPSA might take it for a create, with the quantity in it."""
    stage = scene(2, facts=HaloFacts(update_members=ALL))
    stage.clock.call_later(10, lambda: stage.target.rows.pop(1) and None)
    applied = stage.apply(raises(1, 2), age=30)
    assert outcomes(applied) == {"k1": "stale", "k2": "applied"}
    assert "HaloPSA does not know it any more; nothing was written" in message_of(applied, "k1")
    assert forms(stage.target) == [([2], ALL)]


def test_a_customer_goes_along_only_as_it_was_just_listed() -> None:
    stage = scene(1, facts=HaloFacts(update_members=CLIENT))
    stage.clock.call_later(10, lambda: stage.target.edit(1, count=77))
    assert (outcomes(stage.apply(raises(1), age=30)), stage.target.sent) == ({"k1": "stale"}, [])


def test_where_it_cannot_be_remembered_the_writing_stops_and_says_so() -> None:
    stage = scene(2, batch=1)
    stage.state.failing = {("record_facts", 1)}
    stage.target.answers = [wanting("client_id")] * 9
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "applied", "k2": "failed"}
    assert "the disk is full at record_facts" in str(applied.error)


# --- 429 -------------------------------------------------------------------------------------------------------------


def throttled(after: float | None = None, *, effect: bool = False) -> Answer:
    def answer(target: FakeTarget, rows: Rows) -> WriteAnswer:
        if effect:
            target.take(rows)
        return Unclear(status=429, message="Rate Limit Reached", retry_after=after)

    return answer


@pytest.mark.parametrize("effect", [False, True])
def test_a_429_is_waited_for_as_long_as_it_asks_and_then_what_is_missing_goes_again(*, effect: bool) -> None:
    stage = scene(3)
    stage.target.answers = [throttled(42, effect=effect)]
    assert set(outcomes(stage.apply(raises(1, 2, 3))).values()) == {"applied"}
    assert stage.target.waits == [42]
    assert [len(batch) for batch in stage.target.sent] == ([3] if effect else [3, 3])


def test_without_retry_after_it_waits_longer_each_time() -> None:
    stage = scene(1)
    stage.target.answers = [throttled()] * 5
    assert outcomes(stage.apply(raises(1))) == {"k1": "applied"}
    assert stage.target.waits == [5, 10, 20, 40, 60]


def test_an_absurd_wait_is_cut() -> None:
    stage = scene(1)
    stage.target.answers = [throttled(1e9)]
    stage.apply(raises(1))
    assert stage.target.waits == [60]


def test_a_limit_that_never_frees_up_ends_the_writing() -> None:
    stage = scene(2, batch=1)
    stage.target.answers = [throttled(1)] * 99
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "unknown", "k2": "failed"}
    assert len(stage.target.sent) == THROTTLED_IN_A_ROW
    assert applied.halted == "HaloPSA answered 8 writes in a row with 429: Rate Limit Reached"


def test_a_run_without_the_time_to_wait_says_so() -> None:
    stage = scene(2, batch=1)
    stage.target.answers = [throttled(30)]
    stage.target.before_wait = fail(DeadlineExceeded("longer than the run's total time permits"))
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "unknown", "k2": "failed"}
    assert applied.halted == "longer than the run's total time permits"


def test_a_stop_while_it_waits_sends_nothing_more() -> None:
    stage = scene(1)
    stage.target.answers = [throttled(30)]
    stage.stopping = lambda: bool(stage.target.waits)
    assert (outcomes(stage.apply(raises(1))), len(stage.target.sent)) == ({"k1": "unknown"}, 1)


def test_a_person_who_edits_while_it_waits_wins() -> None:
    stage = scene(2)
    stage.target.answers = [throttled(30)]
    stage.target.before_wait = lambda: stage.target.edit(2, count=77)
    applied = stage.apply(raises(1, 2))
    assert outcomes(applied) == {"k1": "applied", "k2": "stale"}
    assert "15 was sent before" in message_of(applied, "k2")


def test_a_lone_row_after_a_refused_batch_waits_as_well() -> None:
    stage = scene(2)
    stage.target.answers = [refused(), throttled(7), accepted, throttled(9)]
    assert set(outcomes(stage.apply(raises(1, 2))).values()) == {"applied"}
    assert stage.target.waits == [7, 9]


def test_other_failures_still_end_the_writing_after_three() -> None:
    stage = scene(9, batch=1)
    stage.target.answers = [throttled(1), silent, *[unclear()] * 9]
    assert "too many writes without a clear answer" in stage.apply(raises(*range(1, 10))).halted
