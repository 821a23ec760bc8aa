"""The story of a run on fakes: what is read, what is asked, what is recorded, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.answers.needs import OVERDUE_AFTER
from reconciler.errors import ApiError, NotAuthorised, PlanFileError, ReconcilerError, ServerFailed, StateError
from reconciler.events import Event, Noticed, PhaseFinished, PhaseStarted
from reconciler.model import (
    ChangeLimit,
    CountRule,
    HaloCustomer,
    InfimaClient,
    InfimaClientId,
    Limits,
    Mapping,
    MappingKey,
    Mappings,
    QuantityRule,
    RunId,
    Subscription,
    UnreadableUsers,
    UserCount,
)
from reconciler.moments import CLOCK_TOLERANCE
from reconciler.planning.changes import Plan
from reconciler.planning.observation import PlanOptions, RunContext, clients_to_count, observe
from reconciler.planning.rules import Allowance, Rule
from reconciler.run import ApplyRun, Finished, make_plan, run_apply
from reconciler.state.base import CutOffRun, RunInfo
from reconciler.state.recorded import NeedKind
from tests.builders import NOW, build_context, build_mapping, build_mappings, build_observation, build_subscription
from tests.clock import VirtualClock
from tests.core import build_binding, build_client, build_count, build_customer, build_recorded, unreadable
from tests.fakes import FakeState, FakeTarget, fail

RECORD = QuantityRule(count=CountRule.CLIENT_RECORD)
ZERO = QuantityRule(allow_zero=True)
Users = UserCount | UnreadableUsers


class FakeSource:
    """`CountRule` over two mappings of ids; `before_counts` and `failing` interfere."""

    def __init__(self, *clients: InfimaClient) -> None:
        self.listed = clients
        self.users: dict[int, Users] = {c.id: build_count(c.id, 15) for c in clients}
        self.asked: list[tuple[int, ...]] = []
        self.before_counts: dict[int, Callable[[], None]] = {}
        self.failing: dict[str, ReconcilerError] = {}

    def partner(self) -> str:
        self._maybe_fail("partner")
        return "Acme MSP"

    def clients(self) -> tuple[InfimaClient, ...]:
        self._maybe_fail("clients")
        return self.listed

    def user_counts(self, client_ids: Sequence[InfimaClientId]) -> tuple[Users, ...]:
        self.asked.append(tuple(client_ids))
        self.before_counts.get(len(self.asked), lambda: None)()
        return tuple(self.users[number] for number in client_ids)

    def _maybe_fail(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]


class Halo(FakeTarget):
    """The fake target with customers."""

    listed_customers: tuple[HaloCustomer, ...] = (build_customer(),)

    def customers(self) -> tuple[HaloCustomer, ...]:
        return self.listed_customers


class Night:
    """One apply on fakes: Acme Dental has fifteen active users, HaloPSA bills ten."""

    def __init__(self, *mappings: Mapping, rows: Sequence[Subscription] | None = None, **recorded: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.source = FakeSource(build_client())
        self.target = Halo(self.clock, *(rows if rows is not None else [build_subscription(1, count=10)]))
        self.state = FakeState(build_recorded(build_binding(1), **recorded) if rows is None else build_recorded())
        self.mappings: Mappings = build_mappings(*(mappings or (build_mapping(),)))
        self.events: list[Event] = []
        self.shown: list[Plan] = []
        self.stopping: Callable[[], bool] = bool
        self.order: list[str] = []
        self.opened: list[RunInfo] = []

    @property
    def context(self) -> RunContext:
        return build_context(
            self.source, self.target, mappings=self.mappings, store=self, clock=self.clock, observe=self.events.append,
            stop=self.stopping, nonce=lambda: "nonce", writing=self.writing,
        )  # fmt: skip

    @property
    def location(self) -> str:
        return "memory"

    def read(self) -> Any:
        return self.state.recorded

    @contextmanager
    def open_run(self, info: RunInfo) -> Iterator[FakeState]:
        self.opened.append(info)
        yield self.state

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.order.append(f"begin after {len(self.target.sent)}")
        yield
        self.order.append(f"end after {len(self.target.sent)}, {self.target.listings} listings")

    def apply(self, options: PlanOptions | None = None, **more: Any) -> Finished:
        members: dict[str, Any] = {"show": self.shown.append} | more
        info = RunInfo(id=RunId("run-1"), command="apply", started_at=NOW)
        return run_apply(ApplyRun(context=self.context, info=info, options=options or PlanOptions(), **members))


def outcome(finished: Finished, key: str = "infima-101") -> tuple[str, str]:
    settled = finished.applied.outcomes[MappingKey(key)]
    return str(settled.outcome), settled.message


# --- observing -------------------------------------------------------------------------------------------------------


def test_an_observation_holds_everything_and_when_it_began() -> None:
    night = Night()
    night.source.before_counts[1] = lambda: night.clock.sleep(300)
    seen = observe(night.context, night.state.recorded)
    assert seen == build_observation(
        clients=night.source.listed, counts=(build_count(101, 15),), customers=night.target.listed_customers,
        subscriptions=(build_subscription(1, count=10),), taken_at=NOW,
    )  # fmt: skip
    assert seen.listed_at == NOW + timedelta(minutes=5)  # counting users came before


def test_each_read_is_told_with_what_it_gave() -> None:
    night = Night()
    observe(night.context, night.state.recorded)
    started = {e.phase for e in night.events if isinstance(e, PhaseStarted)}
    finished = {e.phase: e.detail for e in night.events if isinstance(e, PhaseFinished)}
    assert finished == {
        "Connecting to INFIMA": "Acme MSP", "Reading INFIMA clients": "1 clients",
        "Reading HaloPSA Subscriptions": "1 rows", "Reading HaloPSA customers": "1 customers",
    }  # fmt: skip
    assert started == set(finished)


@pytest.mark.parametrize(
    ("mapping", "asked"),
    [
        (build_mapping(more_clients=[(104, "D"), (102, "B"), (999, "unlisted")]), (101, 102, 104)),
        (build_mapping(rule=RECORD), ()),
        (build_mapping(rule=QuantityRule(fixed=4)), ()),
        (build_mapping(retired=True), ()),
    ],
)
def test_only_listed_clients_whose_users_count_are_counted(mapping: Mapping, asked: tuple[int, ...]) -> None:
    listed = [build_client(number) for number in (104, 103, 102, 101)]
    assert clients_to_count(build_mappings(mapping), listed) == asked


def test_with_nothing_to_count_nothing_is_asked() -> None:
    night = Night(build_mapping(retired=True))
    assert observe(night.context, night.state.recorded).user_counts == ()
    assert night.source.asked == []


def test_a_read_that_fails_fails_the_observation() -> None:
    night = Night()
    night.source.failing["clients"] = ServerFailed("INFIMA answered 500")
    with pytest.raises(ServerFailed):
        observe(night.context, night.state.recorded)


def test_of_several_failures_the_one_about_rights_is_told() -> None:
    night = Night()
    night.source.failing = {"partner": ServerFailed("500"), "clients": NotAuthorised("401")}
    night.target.before_listing[1] = fail(ServerFailed("502"))
    with pytest.raises(NotAuthorised):
        observe(night.context, night.state.recorded)


# --- the plan --------------------------------------------------------------------------------------------------------


def plan_now(wishes: PlanOptions | None = None, **recorded: Any) -> Plan:
    night = Night(**recorded)
    seen = observe(night.context, night.state.recorded)
    return make_plan(night.mappings, seen, night.state.recorded, wishes or PlanOptions())


@pytest.mark.parametrize(
    ("age", "told"), [(None, False), (OVERDUE_AFTER, False), (OVERDUE_AFTER + timedelta(seconds=1), True)]
)
def test_a_night_without_a_good_run_is_told(age: timedelta | None, *, told: bool) -> None:
    plan = plan_now(last_good_run=None if age is None else NOW - age)
    words = (
        "the last run that came to its end was 36 hours ago (2026-11-20 17:17 UTC): "
        "look whether the nightly run still runs"
    )
    assert plan.warnings == ((words,) if told else ())


def test_the_heartbeats_warning_stands_first() -> None:
    night = Night(last_good_run=NOW - timedelta(days=3))
    night.target.listed_customers = (build_customer(name="Renamed"),)
    warnings = night.apply().plan.warnings
    assert warnings[0].startswith("the last run that came to its end was 72 hours ago")
    assert len(warnings) == 2


def test_wishes_select_and_allow() -> None:
    allowance = Allowance(rule=Rule.ZERO, reason="r")
    plan = plan_now(PlanOptions(exclude=(MappingKey("infima-101"),), allowances=(allowance,)))
    assert (plan.changes, plan.complete, plan.allowances) == ((), False, (allowance,))


def test_a_rule_sees_the_whole_though_a_part_is_asked_for() -> None:
    night = Night(build_mapping(), build_mapping(102, 13), build_mapping(103, 14))
    finished = night.apply(PlanOptions(only=(MappingKey("infima-101"),)))
    assert [v.rule for v in finished.plan.refusals] == [Rule.SOURCE_EMPTY]
    assert (night.target.sent, outcome(finished)[0]) == ([], "held")


# --- apply -----------------------------------------------------------------------------------------------------------


def test_a_whole_run() -> None:
    night = Night()
    finished = night.apply()
    assert outcome(finished) == ("applied", "")
    assert (night.target.sent, finished.confirmed) == ([[{"id": 1, "count": 15}]], True)
    assert night.shown == [finished.plan]
    assert [v.exit_code for v in night.state.verdicts] == [0]
    assert night.state.verdicts == [finished.verdict]
    assert night.order == ["begin after 0", "end after 1, 2 listings"]
    assert [info.id for info in night.opened] == ["run-1"]


def test_the_second_run_writes_nothing() -> None:
    night = Night()
    night.apply()
    assert outcome(night.apply()) == ("unchanged", "")
    assert len(night.target.sent) == 1


def test_the_plan_is_noted_once_it_is_shown() -> None:
    night = Night()
    night.apply(
        PlanOptions(allowances=(Allowance(rule=Rule.DECREASE, reason="ticket", key="infima-101"),)),
        show=lambda _plan: night.order.append(f"shown after {night.state.calls['note']}"),
    )
    assert night.order[0] == "shown after 0"
    [(kind, facts)] = night.state.steps("note")
    assert (kind, facts) == (
        "plan",
        {
            "create": 0, "update": 1, "no_op": 0, "held": 0, "users_before": 10, "users_after": 15,
            "refused_by": [], "holds": {},
            "allowances": [{"rule": "decrease", "key": "infima-101", "reason": "ticket"}],
        },
    )  # fmt: skip


def test_the_note_names_holds_and_refusals() -> None:
    night = Night(build_mapping(), build_mapping(102, 13), build_mapping(103, 14))
    night.apply()
    [(_, facts)] = night.state.steps("note")
    assert facts["refused_by"] == ["source-empty"]
    assert facts["holds"] == {"infima-102": "client-missing", "infima-103": "client-missing"}
    assert facts["held"] == 2


# --- asking a person -------------------------------------------------------------------------------------------------


def test_a_yes_goes_on_with_a_fresh_listing() -> None:
    night = Night()
    finished = night.apply(confirm=lambda _plan: True)
    assert (outcome(finished)[0], night.target.listings) == ("applied", 3)


def test_anything_else_ends_the_run() -> None:
    night = Night()
    finished = night.apply(confirm=lambda _plan: False)
    assert (finished.confirmed, finished.applied.outcomes, night.target.sent) == (False, {}, [])
    assert (finished.verdict.exit_code, finished.verdict.sentence) == (1, "Apply cancelled: it was not confirmed.")
    assert (night.state.verdicts, night.order) == ([finished.verdict], [])


def test_nobody_is_asked_where_nothing_would_be_written() -> None:
    night = Night(rows=[build_subscription(1, count=15, marker="infima-101")])
    finished = night.apply(confirm=lambda _plan: pytest.fail("asked"))
    assert (finished.confirmed, outcome(finished)[0]) == (True, "unchanged")


def test_the_person_sees_what_would_be_written() -> None:
    night, asked = Night(), []
    night.apply(confirm=lambda plan: bool(asked.append(plan)))
    assert asked == night.shown


# --- the age of what was read ----------------------------------------------------------------------------------------


def test_an_edit_while_users_are_counted_for_minutes_is_not_overwritten() -> None:
    night = Night()

    def meanwhile() -> None:
        night.clock.sleep(120)
        night.target.edit(1, count=99)

    night.source.before_counts[1] = meanwhile
    assert outcome(night.apply())[0] == "held"  # the listing comes after the counting: the plan has seen the 99
    assert night.target.rows[build_subscription(1).id].count == 99


# --- the second look at zero -----------------------------------------------------------------------------------------


def zero_night(*later: Users | None, mapping: Mapping | None = None) -> Night:
    """INFIMA counts nobody; the second time it gives `later`, or fails."""
    night = Night(mapping or build_mapping(rule=ZERO))
    night.source.users = dict.fromkeys(night.source.users, build_count(101, 0))

    def second() -> None:
        [answer] = later
        if answer is None:
            raise ServerFailed("INFIMA answered 500")
        night.source.users = {**night.source.users, answer.client_id: answer}

    night.source.before_counts[2] = second
    return night


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (build_count(101, 0), None),
        (build_count(101, 8), "gave 8"),
        (unreadable(), "could not be read"),
        (None, "could not be read"),
    ],
)
def test_zero_is_read_twice(later: Users | None, words: str | None) -> None:
    night = zero_night(later)
    finished = night.apply()
    expected = (
        "held",
        (
            f"INFIMA counted 0 active users, and a second read {words}; nothing was written. "
            "Look into INFIMA, then run again"
        ),
    )
    assert outcome(finished) == (expected if words else ("applied", ""))
    assert night.source.asked == [(101,), (101,)]


def test_a_second_read_that_fails_is_told() -> None:
    night = zero_night(None)
    night.apply()
    assert "the second read of INFIMA failed: INFIMA answered 500" in [
        e.message for e in night.events if isinstance(e, Noticed)
    ]


def test_a_client_that_vanished_before_the_second_read_is_no_zero() -> None:
    night = zero_night(build_count(101, 0))
    night.apply(check_fresh=lambda _plan: setattr(night.source, "listed", ()))
    assert (night.target.sent, night.source.asked) == ([], [(101,), ()])


@pytest.mark.parametrize(("second", "result"), [(0, "applied"), (3, "held"), (None, "held")])
def test_zero_by_record_is_read_twice_from_the_record(second: int | None, result: str) -> None:
    night = Night(build_mapping(rule=replace(RECORD, allow_zero=True)))
    night.source.listed = (build_client(user_count=0),)

    def fresh(_plan: Plan) -> None:
        night.source.listed = (build_client(user_count=second),)

    assert outcome(night.apply(check_fresh=fresh))[0] == result
    assert all(asked == () for asked in night.source.asked)


def test_zero_of_several_clients_is_added_up_again() -> None:
    night = zero_night(build_count(102, 5), mapping=build_mapping(more_clients=[(102, "Acme Labs")], rule=ZERO))
    night.source.listed = (build_client(), build_client(102, "Acme Labs"))
    night.source.users = {101: build_count(101, 0), 102: build_count(102, 0)}
    assert outcome(night.apply()) == (
        "held", ("INFIMA counted 0 active users, and a second read gave 5; nothing was written. "
        "Look into INFIMA, then run again"),
    )  # fmt: skip


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_read_that_fails_is_recorded_and_told() -> None:
    night = Night()
    night.source.failing["clients"] = ServerFailed("INFIMA answered 500")
    with pytest.raises(ServerFailed):
        night.apply()
    [verdict] = night.state.verdicts
    assert (verdict.exit_code, verdict.sentence) == (1, "Failed before the first write: INFIMA answered 500")
    assert (night.target.sent, night.order) == ([], [])


def test_a_saved_plan_that_does_not_fit_is_recorded_and_told() -> None:
    night = Night()

    def misfit(_plan: Plan) -> None:
        raise PlanFileError("made from another mappings.yaml")

    with pytest.raises(PlanFileError):
        night.apply(check_fresh=misfit)
    assert (night.target.sent, night.shown, len(night.state.verdicts)) == ([], [], 1)


def test_a_break_while_a_person_is_asked_is_recorded() -> None:
    night = Night()

    def leave(_plan: Plan) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.apply(confirm=leave)
    [verdict] = night.state.verdicts
    assert (verdict.exit_code, verdict.sentence) == (130, "Failed before the first write: interrupted")


def test_a_break_in_the_middle_of_the_writing_does_not_say_that_nothing_was_written() -> None:
    night = Night()

    def torn(_event: Event) -> None:
        if night.target.sent:
            raise KeyboardInterrupt

    night.events = type("Torn", (list,), {"append": lambda _self, event: torn(event)})()
    with pytest.raises(KeyboardInterrupt):
        night.apply()
    [verdict] = night.state.verdicts
    assert verdict.sentence == "Ended without its outcomes, the journal has its requests: interrupted"


def test_a_failure_that_cannot_be_recorded_hides_nothing() -> None:
    night = Night()
    night.source.failing["clients"] = ServerFailed("INFIMA answered 500")
    night.state.failing = {("finish", 1)}
    with pytest.raises(ServerFailed):
        night.apply()
    assert [e.message for e in night.events if isinstance(e, Noticed)] == [
        "the failure could not be recorded: the disk is full at finish"
    ]


def test_a_verdict_that_cannot_be_recorded_is_an_incomplete_run() -> None:
    night = Night()
    night.state.failing = {("finish", 1)}
    finished = night.apply()
    assert (outcome(finished)[0], finished.verdict.exit_code) == ("applied", 4)
    assert isinstance(finished.applied.error, StateError)


def test_an_earlier_error_and_a_higher_code_stay() -> None:
    night = Night()
    night.state.failing = {("finish", 1), ("intend", 1)}
    night.stopping = lambda: night.state.calls["intend"] > 0
    finished = night.apply()
    assert finished.verdict.exit_code == 130
    assert finished.applied.error is not None
    assert finished.applied.error.message == "the disk is full at intend"


def test_an_api_error_amid_the_writing_is_a_verdict_and_not_raised() -> None:
    night = Night()
    night.target.before_listing[2] = fail(ApiError("HaloPSA is not there"))
    finished = night.apply()
    assert (outcome(finished)[0], finished.verdict.exit_code) == ("unknown", 4)
    assert night.state.verdicts == [finished.verdict]


# --- while a person thinks -------------------------------------------------------------------------------------------


def noticed(night: Night) -> str:
    return "\n".join(event.message for event in night.events if isinstance(event, Noticed))


def test_a_plan_that_grew_old_while_a_person_thought_is_made_again_and_only_what_stands_in_both_is_written() -> None:
    night = Night()

    def think(plan: Plan) -> bool:
        night.clock.sleep(300)
        night.source.users[101] = build_count(101, 16)
        return bool(plan.writes)

    finished = night.apply(confirm=think)
    assert any(
        "the plan is 5 minutes old: it is made again" in e.message for e in night.events if isinstance(e, Noticed)
    )
    assert (outcome(finished)[0], night.target.sent) == ("stale", [])


def test_a_plan_that_another_run_overtook_is_made_again() -> None:
    night = Night()

    def meanwhile(plan: Plan) -> bool:
        night.state.record_bindings([build_binding(2, "infima-102")])
        return bool(plan.writes)

    finished = night.apply(confirm=meanwhile)
    assert "made before another run ended" in noticed(night)
    assert (outcome(finished)[0], night.target.sent) == ("applied", [[{"id": 1, "count": 15}]])


def test_with_a_saved_plan_a_person_agrees_only_to_what_it_has_too() -> None:
    night = Night()

    def think(plan: Plan) -> bool:
        night.clock.sleep(300)
        return bool(plan.writes)

    finished = night.apply(confirm=think, agreed={})
    assert night.target.sent == []
    assert outcome(finished)[0] == "stale"


def test_a_cancelled_run_that_cannot_be_recorded_is_cancelled_all_the_same() -> None:
    night = Night()
    night.state.failing = {("finish", 1)}
    finished = night.apply(confirm=lambda _plan: False)
    assert finished.verdict.exit_code == 1
    assert "not in the history: the disk is full" in noticed(night)


# --- what an earlier run left behind ---------------------------------------------------------------------------------


def test_a_run_that_was_cut_off_is_taken_into_the_history_before_the_next_one_writes() -> None:
    night = Night()
    cut = CutOffRun(
        info=RunInfo(id=RunId("run-0"), command="apply", started_at=NOW),
        journal="run-0.jsonl", changes=(), sent=frozenset(), last_at=NOW,
    )  # fmt: skip
    night.state.cut_off = (cut,)
    night.apply()
    [(taken, verdict)] = night.state.steps("record_cut_off")
    assert (taken, verdict.recovered_by) == (cut, "run-1")
    assert "taken into the history: run run-0. Cut off while it wrote." in noticed(night)


def test_a_record_that_fails_after_everything_came_right_waits_for_a_person_all_the_same() -> None:
    night = Night()
    night.state.failing = {("record_bindings", 1)}
    finished = night.apply()
    assert outcome(finished)[0] == "applied"
    assert [need.kind for need in finished.needs if need.kind is not NeedKind.NOT_INVOICED] == [NeedKind.FAILED]


# --- what the run leaves for the next one ----------------------------------------------------------------------------


def falling(night: Night, *, nights: int = 2, **limits: Any) -> Night:
    """HaloPSA has ten, INFIMA counts eight: a fall is written once so many nights have counted it."""
    night.mappings = replace(night.mappings, limits=Limits(decrease_nights=nights, **limits))
    night.source.users[101] = build_count(101, 8)
    return night


def test_a_fall_is_remembered_until_the_night_that_writes_it() -> None:
    night = falling(Night())
    assert outcome(night.apply())[0] == "held"
    assert {key: [n.counted for n in nights] for key, nights in night.read().falls.items()} == {"infima-101": [8]}
    assert night.target.sent == []
    night.clock.sleep(86_400)
    assert outcome(night.apply())[0] == "applied"
    assert (night.target.sent, night.read().falls) == ([[{"id": 1, "count": 8}]], {})


def test_a_fall_that_is_held_by_another_rule_goes_on_being_remembered() -> None:
    night = falling(Night(), max_decrease=ChangeLimit(users=1, percent=1))
    night.apply()
    night.clock.sleep(86_400)
    assert outcome(night.apply())[0] == "held"
    assert [n.counted for n in night.read().falls[MappingKey("infima-101")]] == [8, 8]


def test_a_refused_run_counts_no_night_of_a_fall() -> None:
    night = falling(Night(), nights=3)
    night.apply()
    before = night.read().falls
    assert before
    night.clock.sleep(86_400)
    night.source.listed = ()
    assert night.apply().plan.refused
    assert night.read().falls == before


@pytest.mark.parametrize(("seconds", "asked"), [(60, 1), (60.5, 2)])
def test_a_plan_that_a_person_saw_is_made_again_after_a_minute(seconds: float, asked: int) -> None:
    night = Night()

    def think(_plan: Plan) -> bool:
        night.clock.sleep(seconds)
        return True

    night.apply(confirm=think)
    assert len(night.source.asked) == asked


@pytest.mark.parametrize(
    ("ahead", "off"),
    [(None, 0), (CLOCK_TOLERANCE, 0), (timedelta(hours=1), -3600), (timedelta(hours=-1), 3600)],
)
def test_what_a_listing_showed_is_dated_by_halos_clock_where_ours_is_off(ahead: timedelta | None, off: int) -> None:
    night = Night()
    job = ApplyRun(
        context=replace(night.context, systems=replace(night.context.systems, clock_ahead=lambda: ahead)),
        info=RunInfo(id=RunId("run-1"), command="apply", started_at=NOW),
        options=PlanOptions(),
        show=night.shown.append,
    )
    first, last = run_apply(job).verdict.sightings
    assert (first.at - NOW).total_seconds() == off
    assert [row.quantity for sighting in (first, last) for row in sighting.rows] == [10, 15]


def test_a_run_that_came_right_is_the_last_good_one_for_its_own_needs() -> None:
    night = Night(last_good_run=NOW - OVERDUE_AFTER - timedelta(days=1))
    finished = night.apply()
    assert finished.verdict.good
    assert NeedKind.OVERDUE not in {need.kind for need in finished.needs}


def test_a_failed_read_leaves_its_cause_among_the_needs() -> None:
    night = Night()
    night.source.failing["clients"] = ServerFailed("INFIMA answered 500", hint="Ask INFIMA.")
    with pytest.raises(ServerFailed) as caught:
        night.apply()
    assert night.read().outlook.needs == caught.value.needs
    [failure] = [need for need in caught.value.needs if need.kind is NeedKind.FAILED]
    assert "INFIMA answered 500" in failure.what
