"""A person's word about one key: recorded whole, in one step, on both backends, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import StateConflict
from reconciler.model import MappingKey, SubscriptionId
from reconciler.state.base import RunState
from reconciler.state.directory import DirectoryState
from reconciler.state.document import StateDocument, decide
from reconciler.state.git import GitState
from reconciler.state.recorded import Binding
from tests.state.samples import StillClock, attempt, binding, run_info, verdict

ACME, OLD = MappingKey("acme"), MappingKey("old")
FIVE, NINE = SubscriptionId(5), SubscriptionId(9)


def document(**bindings: int) -> StateDocument:
    return StateDocument(bindings={MappingKey(key): binding(key, number) for key, number in bindings.items()})


def ids(made: StateDocument) -> Mapping[str, int]:
    return {key: row.subscription_id for key, row in made.bindings.items()}


def test_binding_anew_gives_up_the_old_one_and_closes_the_attempt() -> None:
    before = replace(document(acme=5), attempts={ACME: attempt("acme")})
    made = decide(before, ACME, bind=binding("acme", 9), give_up=(FIVE,), take_from=(), abandon=None)
    assert (ids(made), made.given_up, made.attempts) == ({"acme": 9}, {ACME: (5,)}, {})


def test_taking_from_an_old_key_ends_exactly_that_binding() -> None:
    made = decide(
        document(old=9, other=7),
        ACME,
        bind=binding("acme", 9),
        give_up=(),
        take_from=(OLD, MappingKey("other")),
        abandon=None,
    )
    assert ids(made) == {"acme": 9, "other": 7}


def test_what_another_key_has_is_not_taken() -> None:
    with pytest.raises(StateConflict, match="bound to old"):
        decide(document(old=9), ACME, bind=binding("acme", 9), give_up=(), take_from=(), abandon=None)


def test_taking_back_what_was_given_up() -> None:
    before = StateDocument(given_up={ACME: (FIVE, NINE)})
    made = decide(before, ACME, bind=binding("acme", 9), give_up=(), take_from=(), abandon=None)
    assert made.given_up == {ACME: (5,)}


def test_giving_up_without_a_new_one() -> None:
    made = decide(document(acme=5, other=7), ACME, bind=None, give_up=(FIVE, NINE), take_from=(), abandon=None)
    assert (ids(made), made.given_up) == ({"other": 7}, {ACME: (5, 9)})


def test_abandoning_leaves_everything_else() -> None:
    before = replace(document(other=7), attempts={ACME: attempt("acme"), OLD: attempt("old", "n2")})
    made = decide(before, ACME, bind=None, give_up=(), take_from=(), abandon="n1")
    assert (ids(made), set(made.attempts)) == ({"other": 7}, {OLD})


@pytest.mark.parametrize("nonce", ["n2", None])
def test_abandoning_another_attempt_than_was_seen_is_a_conflict(nonce: str | None) -> None:
    before = StateDocument(attempts={ACME: attempt("acme", nonce)} if nonce else {})
    with pytest.raises(StateConflict, match="not the one that was looked at"):
        decide(before, ACME, bind=None, give_up=(), take_from=(), abandon="n1")


def test_a_decision_is_durable_and_no_good_run(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        _decided(run)
    assert (_bound(store.read().bindings), store.read().last_good_run) == ({"acme": 9}, None)


def test_a_decision_is_one_commit_more_on_the_branch(
    work: Path, clock: StillClock, git_environ: dict[str, str]
) -> None:
    store = GitState(work, clock=clock, environ=git_environ)
    with store.open_run(run_info()) as run:
        _decided(run)
    again = GitState(work, clock=clock, environ=git_environ).read()
    assert (_bound(again.bindings), again.last_good_run) == ({"acme": 9}, None)


def _decided(run: RunState) -> None:
    run.record_bindings([binding("acme", 5)])
    run.record_decision(ACME, bind=binding("acme", 9), give_up=(FIVE,))
    run.finish(replace(verdict(), decision=True))


def _bound(bindings: Mapping[MappingKey, Binding]) -> dict[str, int]:
    return {key: row.subscription_id for key, row in bindings.items()}
