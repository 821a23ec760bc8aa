"""The session that the writing phase stands on: one journaled request at a time, and words for what moved."""

from __future__ import annotations

import pytest

from reconciler.errors import Interrupted, StateError
from reconciler.events import Event, WriteSettled
from reconciler.model import MappingKey, RunId, Subscription
from reconciler.planning.changes import Outcome
from reconciler.providers.base import Accepted, Refused, Unclear, WriteAnswer, WriteRequest
from reconciler.state.base import IntentEntry, IntentResult
from reconciler.writing.session import WriteSession, what_moved
from tests.builders import build_context, build_subscription
from tests.clock import VirtualClock
from tests.fakes import FakeState, FakeTarget, fail, interrupted

ENTRY = IntentEntry(key=MappingKey("a"), subscription_id=None, before=None, after=0)
REQUEST = WriteRequest(body=b'[{"id": 1, "count": 3}]')


class World:
    """A session and what it stands on."""

    def __init__(self, *rows: Subscription) -> None:
        self.clock = VirtualClock()
        self.target = FakeTarget(self.clock, *rows)
        self.state = FakeState()
        self.events: list[Event] = []
        self.stopped = False
        context = build_context(
            target=self.target, clock=self.clock, observe=self.events.append, stop=lambda: self.stopped
        )
        self.session = WriteSession.open(context, self.state, RunId("run-1"), (), 0.0)

    def write(self, answer: WriteAnswer | None = None) -> WriteAnswer:
        if answer is not None:
            self.target.answers = [lambda _target, _rows: answer]
        return self.session.write("set-counts", (ENTRY,), REQUEST)


UNCLEAR = Unclear(status=500, message="lost")


# --- one journaled request -------------------------------------------------------------------------------------------


def test_the_intent_is_durable_before_the_request_and_its_outcome_after() -> None:
    world = World(build_subscription(1))
    world.target.answers = [lambda _target, _rows: Accepted() if world.state.intents else UNCLEAR]
    assert world.write() == Accepted()
    [intent] = world.state.intents
    assert (intent.number, intent.kind, intent.entries) == (1, "set-counts", (ENTRY,))
    assert intent.body_sha256 == REQUEST.sha256
    assert world.state.results == {1: (IntentResult.OK, "")}


def test_intents_are_numbered_from_one() -> None:
    world = World(build_subscription(1))
    for _ in range(3):
        world.write()
    assert [i.number for i in world.state.intents] == [1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Accepted(), (IntentResult.OK, "")),
        (Refused(status=400, message="bad"), (IntentResult.REFUSED, "bad")),
        (Refused(status=None, message="no route"), (IntentResult.NOT_SENT, "no route")),
        (UNCLEAR, (IntentResult.UNKNOWN, "lost")),
    ],
)
def test_the_journal_says_what_became_of_it(answer: WriteAnswer, result: tuple[IntentResult, str]) -> None:
    world = World()
    assert world.write(answer) is answer
    assert world.state.results == {1: result}


def test_without_a_durable_intent_nothing_is_sent() -> None:
    world = World(build_subscription(1))
    world.state.failing = {("intend", 1)}
    with pytest.raises(StateError):
        world.write()
    assert world.target.sent == []


def test_an_outcome_that_cannot_be_journaled_halts_and_hands_on_the_answer() -> None:
    world = World()
    world.state.failing = {("conclude", 1)}
    assert world.write(Accepted()) == Accepted()
    assert world.session.halted == "the disk is full at conclude"
    assert not world.session.may_write()


def test_the_first_reason_to_halt_is_the_one_that_is_told() -> None:
    world = World()
    world.state.failing = {("conclude", 1)}
    world.write(Refused(status=403, message="no right"))
    assert world.session.halted == "HaloPSA refused a write for want of a right: no right"


def test_an_interrupted_request_was_not_sent() -> None:
    world = World(build_subscription(1))
    world.target.answers = [interrupted]
    with pytest.raises(Interrupted):
        world.write()
    assert world.state.results == {1: (IntentResult.NOT_SENT, "stop")}


# --- when to stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "halted"),
    [
        ([UNCLEAR] * 2, False),
        ([UNCLEAR] * 3, True),
        ([UNCLEAR, UNCLEAR, Accepted(), UNCLEAR, UNCLEAR], False),
        ([UNCLEAR, UNCLEAR, Refused(status=400, message="bad"), UNCLEAR, UNCLEAR], False),
        ([UNCLEAR, UNCLEAR, Accepted(), UNCLEAR, UNCLEAR, Accepted(), UNCLEAR], True),
        ([Refused(status=400, message="bad")] * 9, False),
        ([Refused(status=403, message="no")], True),
    ],
)
def test_the_breaker(answers: list[WriteAnswer], *, halted: bool) -> None:
    world = World()
    for answer in answers:
        assert world.session.may_write()
        world.write(answer)
    assert world.session.may_write() is not halted


def test_the_breaker_says_the_last_answer() -> None:
    world = World()
    for _ in range(3):
        world.write(UNCLEAR)
    assert world.session.halted == "too many writes without a clear answer; the last one: lost"


def test_a_wish_to_stop_halts_for_good() -> None:
    world = World()
    world.stopped = True
    assert not world.session.may_write()
    world.stopped = False
    assert (world.session.may_write(), world.session.halted) == (
        False,
        "the run was interrupted, and no further write was started",
    )


@pytest.mark.parametrize(("stopped", "goes_on"), [(False, True), (True, False)])
def test_a_pause_says_whether_to_go_on(*, stopped: bool, goes_on: bool) -> None:
    world = World()
    world.stopped = stopped
    assert world.session.pause(5) is goes_on
    assert world.clock.monotonic() == 5


def test_an_interrupted_pause_says_no() -> None:
    world = World()
    world.clock.call_later(1, fail(Interrupted("stop")))
    assert not world.session.pause(5)


# --- listings --------------------------------------------------------------------------------------------------------


def test_a_listing_is_dated_from_its_beginning() -> None:
    world = World(build_subscription(1), build_subscription(2))
    world.clock.sleep(10)
    world.target.before_listing[1] = lambda: world.clock.sleep(40)
    world.session.relist()
    assert (list(world.session.listing), world.session.listed_at, world.clock.monotonic()) == ([1, 2], 10, 50)


@pytest.mark.parametrize(("age", "listings"), [(0, 0), (60, 0), (60.1, 1)])
def test_freshen(age: float, listings: int) -> None:
    world = World()
    world.clock.sleep(age)
    world.session.freshen()
    assert world.target.listings == listings


# --- outcomes and words ----------------------------------------------------------------------------------------------


def test_an_outcome_is_kept_and_told() -> None:
    world = World()
    world.session.settle(MappingKey("a"), Outcome.STALE, "it moved", at=build_subscription(7).id)
    settled = world.session.outcomes[MappingKey("a")]
    assert (settled.outcome, settled.message, settled.subscription_id) == (Outcome.STALE, "it moved", 7)
    assert world.events == [WriteSettled(key=MappingKey("a"), outcome="stale", message="it moved")]


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"count": 1}, {"count": 1}, ""),
        ({"count": 1}, {"count": 1.0}, ""),
        ({"count": 12}, {"count": 14}, "count 12 -> 14"),
        ({"b": 1, "a": 1}, {"b": 2, "a": 3}, "a 1 -> 3, b 1 -> 2"),
        ({"a": None}, {"a": 3}, "a None -> 3"),
        ({"a": 3}, {}, "a removed"),
        ({}, {"a": 3}, "a added: 3"),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, "a.b.1.c 2 -> 3"),
        ({"it's": 1}, {"it's": 2}, "it's 1 -> 2"),
        ({"a": [1]}, {"a": []}, "a.0 changed"),
        ({"a": {1}}, {"a": {1, 2}}, "a.2 changed"),
        ({"a": {1, 2}}, {"a": {1}}, "a.2 changed"),
    ],
)
def test_what_moved_in_words(before: dict[str, object], now: dict[str, object], words: str) -> None:
    assert what_moved(before, now) == words


# --- a fresh look, and room for the write that rests on it -----------------------------------------------------------


@pytest.mark.parametrize(("waits", "listings"), [((0, 0, 0), 0), ((0, 100, 0, 0), 1), ((100, 0, 0, 0, 0), 1)])
def test_a_wait_for_the_budget_is_followed_by_a_look(waits: tuple[int, ...], listings: int) -> None:
    world = World(build_subscription(1))
    left = list(waits)
    world.target.await_budget = lambda _requests: world.clock.sleep(left.pop(0))  # type: ignore[method-assign]
    world.session.listed_at = world.clock.monotonic()
    if waits[1]:
        world.clock.sleep(61)
    world.session.freshen()
    assert world.target.listings == listings
    assert world.clock.monotonic() - world.session.listed_at <= 60


def test_a_listing_that_took_the_last_of_the_budget_goes_again_with_more_room() -> None:
    """The wait after a listing has aged it: what is written next must not rest on it."""
    world = World(build_subscription(1))
    waits = {3: 300.0}

    def await_budget(requests: int) -> None:
        world.target.budgets.append(requests)
        world.clock.sleep(waits.pop(len(world.target.budgets), 0.0))

    world.target.await_budget = await_budget  # type: ignore[method-assign]
    world.session.freshen(anew=True)
    assert (world.target.listings, world.target.budgets) == (2, [1, 1, 1, 4, 1])
