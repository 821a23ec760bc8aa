"""A probe under lost answers, limits, lag and crashes: no answer is guessed, no number stays unseen."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.errors import ReconcilerError
from reconciler.probing.probe import Probed
from reconciler.probing.report import Answer, Question
from reconciler.providers import connect as wiring
from reconciler.simulator.records import Endpoint
from reconciler.simulator.world import World
from tests.faults.kinds import Fault, FaultKind, moments_of
from tests.probing.setting import CUSTOMER, OTHER_CUSTOMER, ProbeStage, probe_world, told

ROWS = 12
"""Few foreign rows: a probe costs less, and what it asks of them it may leave open."""

STEP = {FaultKind.RESET: 1, FaultKind.RATE_LIMITED: 4}
"""Kinds for every pull request, at every or every fourth request; `python -m tests.probing.test_faults` takes all."""

ALL_PASSING = (
    FaultKind.UNAUTHORIZED, FaultKind.REQUEST_TIMEOUT, FaultKind.RATE_LIMITED, FaultKind.RATE_LIMITED_SECONDS,
    FaultKind.RATE_LIMITED_HUGE, FaultKind.SERVER_ERROR, FaultKind.BAD_GATEWAY, FaultKind.GATEWAY_TIMEOUT,
    FaultKind.MAINTENANCE_PAGE, FaultKind.CONNECT_ERROR, FaultKind.RESET, FaultKind.READ_TIMEOUT, FaultKind.HTML,
    FaultKind.EMPTY_BODY, FaultKind.TRUNCATED_JSON, FaultKind.GZIP,
)  # fmt: skip
OF_LIMITS = {Question.LIMIT_RETRY_AFTER, Question.LIMIT_BODY, Question.LIMIT_HEADERS}
OF_ANSWERS = {Question.CREATE_ANSWER, Question.ANSWER_OF_SEVERAL, Question.ANSWER_STATUS}


def a_stage(folder: Path, **switches: Any) -> ProbeStage:
    return ProbeStage(folder, world=probe_world(ROWS), **switches)


def foreign(world: World) -> dict[int, Any]:
    """Every row that no probe made."""
    return {number: row for number, row in world.licences.items() if "reconciler probe" not in str(row["name"])}


def holds(stage: ProbeStage, ended: Probed, before: dict[int, Any]) -> None:
    """What must be true of every probe, whatever went wrong: judged by the world, not by what the probe says."""
    assert stage.sent[-1] <= 60
    assert foreign(stage.world) == before, "nothing but a probe's own rows was touched"
    made = {row["id"]: row["count"] for row in stage.made()}
    assert all(count in {0, 1} for count in made.values())
    listed = {one.subscription_id: one.quantity for one in ended.left}
    assert ended.lost or set(made) <= set(listed), "each one is told, or that one may yet appear"
    if ended.clean:
        assert set(made.values()) <= {0}
        assert stage.probes() == 0
    else:
        assert stage.probes() == 1


def finished_by_the_next(stage: ProbeStage) -> None:
    """The next probe at that customer brings to 0 what is not, and names everything."""
    stage.faults.script = ()
    again = stage.probe()
    assert again.clean
    assert {row["count"] for row in stage.made()} == {0}
    assert {row["id"] for row in stage.made()} == {one.subscription_id for one in again.left}
    assert stage.probes() == 0
    assert stage.sent[-1] <= 60


def answers(ended: Probed) -> dict[Question, Answer]:
    return {finding.question: finding.answer for finding in ended.report.findings}


def faults_at_every_request(folder: Path, kinds: tuple[FaultKind, ...]) -> Iterator[tuple[Fault, str]]:
    plain = a_stage(folder / "plain")
    plain.probe()
    seen: dict[str, int] = {}
    for record in plain.halo_requests():
        at = record.endpoint.value
        seen[at] = seen.get(at, 0) + 1
        for kind in kinds:
            for after in moments_of(kind, record.endpoint):
                yield Fault(kind=kind, at=at, nth=seen[at], after=after), f"{record.number}-{kind}-{after}"


def under(folder: Path, fault: Fault, usual: dict[Question, Answer]) -> None:
    """One probe under one fault, and the one behind it."""
    stage = a_stage(folder)
    stage.faults.script = (fault,)
    before = foreign(stage.world)
    try:
        ended = stage.probe()
    except ReconcilerError:
        assert not [each for each in stage.world.requests if each.mutating], "it could not begin, and did not"
        return
    holds(stage, ended, before)
    shape_spoilt = OF_ANSWERS if fault.kind in {FaultKind.EMPTY_BODY, FaultKind.HTML} else set()
    wrong = {
        question: (answer, usual[question])
        for question, answer in answers(ended).items()
        if question not in OF_LIMITS | shape_spoilt and answer not in {usual[question], Answer.UNTOLD}
    }
    assert not wrong, f"an answer was guessed under {fault}: {wrong}"
    finished_by_the_next(stage)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", STEP)
def test_one_fault_at_any_request_is_survived_and_nothing_is_guessed(tmp_path: Path, kind: FaultKind) -> None:
    usual = answers(a_stage(tmp_path / "usual").probe())
    for fault, name in itertools.islice(faults_at_every_request(tmp_path, (kind,)), 0, None, STEP[kind]):
        under(tmp_path / name, fault, usual)


class Killed(BaseException):
    """The process is gone."""


def killed_at(stage: ProbeStage, number: int, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe whose process dies at one of its requests: nothing of it runs on, no record of its end is made."""
    state, kept = stage.folder / ".reconciler", stage.folder / "kept"
    begun = len(stage.halo_requests())
    real: Callable[..., Any] = wiring.connect

    def deadly(*given: Any, transport_factory: Any, **more: Any) -> Any:
        def factory(origin: str) -> httpx.BaseTransport:
            inner = transport_factory(origin)

            def handle(request: httpx.Request) -> httpx.Response:
                due = len(stage.halo_requests()) - begun >= number - 1
                if not due:
                    return inner.handle_request(request)  # type: ignore[no-any-return]
                if not kept.exists():
                    if after:
                        inner.handle_request(request)
                    state.mkdir(parents=True, exist_ok=True)
                    shutil.copytree(state, kept)
                raise Killed

            return httpx.MockTransport(handle)

        return real(*given, transport_factory=factory, **more)

    monkeypatch.setattr("tests.faults.app.connect", deadly)
    with pytest.raises(Killed):
        stage.probe()
    monkeypatch.undo()
    shutil.rmtree(state)
    kept.rename(state)
    (state / "run.lock").unlink(missing_ok=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", [False, True])
def test_a_probe_killed_at_any_request_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    plain = a_stage(tmp_path / "plain")
    plain.probe()
    for number in range(1, plain.sent[-1] + 1):
        stage = a_stage(tmp_path / f"{number}")
        before = foreign(stage.world)
        killed_at(stage, number, after=after, monkeypatch=monkeypatch)
        assert foreign(stage.world) == before
        assert bool(stage.made()) <= bool(stage.probes()), "the attempt is on record before the first write"
        finished_by_the_next(stage)


def test_the_attempt_is_on_record_before_the_first_write(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    seen: list[int] = []

    def note(request: httpx.Request) -> None:
        if request.method == "POST" and "SoftwareLicence" in request.url.path:
            seen.append(stage.probes())

    real = stage.systems

    def watched(mappings: Any) -> Any:
        systems = real(mappings)
        send = systems.raw._transport._send
        systems.raw._transport._send = lambda call, request, *, stoppable: (  # type: ignore[method-assign]
            note(request), send(call, request, stoppable=stoppable)
        )[1]  # fmt: skip
        return systems

    stage.systems = watched  # type: ignore[method-assign]
    assert stage.probe().clean
    assert seen
    assert set(seen) == {1}
    assert stage.probes() == 0


def test_every_write_has_its_record_in_the_journal_first(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    stage.probe()
    journal = next((stage.folder / ".reconciler" / "journal").iterdir()).read_text()
    assert journal.count('"intent"') == len(stage.writes())


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("of", ["creates", "changes", "both"])
@pytest.mark.parametrize(("kind", "late"), [("lag_seconds", 1), ("lag_seconds", 25), ("lag_reads", 2)])
def test_a_listing_that_lags_is_waited_for(tmp_path: Path, kind: str, late: int, of: str, *, single: bool) -> None:
    usual = answers(a_stage(tmp_path / "usual").probe())
    stage = a_stage(tmp_path, **{kind: late, "lag_of": of, "lag_on_single_read": single})
    ended = stage.probe()
    assert ended.clean
    assert {row["count"] for row in stage.made()} == {0}
    changed = {q for q, answer in answers(ended).items() if answer not in {usual[q], Answer.UNTOLD}}
    assert changed <= {Question.CREATE_LISTED, Question.CHANGE_LISTED, Question.READ_AT_ONCE}
    assert stage.facts().lag_seconds >= (late if kind == "lag_seconds" else 0)


def test_a_listing_that_never_shows_anything_forbids_writing(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, lag_seconds=100_000)
    ended = stage.probe()
    assert told(ended, Question.CREATE_LISTED) == "no"
    assert "create-listed" in ended.report.unfit
    assert {row["count"] for row in stage.made()} == {0}
    assert stage.sent[-1] <= 60
    stage.world.switches = type(stage.world.switches)()
    assert stage.probe().report.unfit == {}
    assert stage.facts().probe is not None
    assert stage.facts().probe.unfit == {}


def test_a_longer_wait_finds_what_is_very_late(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, lag_seconds=200)
    assert "create-listed" in stage.probe(wait=60).report.unfit
    ended = stage.probe(wait=300)
    assert ended.report.unfit == {}
    assert stage.facts().lag_seconds >= 200


def test_a_stop_ends_the_questions_and_not_the_cleaning_up(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    ended = stage.probe(stop=lambda: bool(stage.made()) and any(row["count"] for row in stage.made()))
    assert ended.clean
    assert {row["count"] for row in stage.made()} == {0}
    assert told(ended, Question.PAGE_ROWS) == "could not be told"


@pytest.mark.parametrize("wants", ["nothing", "client_name_type"])
def test_what_an_earlier_probe_left_above_0_is_set_to_0_even_where_the_next_is_stopped(
    tmp_path: Path, wants: str
) -> None:
    """The form of an update is not known by then: it is found while cleaning up."""
    stage = a_stage(tmp_path, update_requires=wants)
    left = stage.world.add_licence(CUSTOMER, "reconciler probe, may be deleted (old)", 1)
    other = stage.world.add_licence(CUSTOMER, "reconciler probe, may be deleted (old)", 1)
    ended = stage.probe(stop=lambda: bool(stage.writes()))
    assert ended.clean
    assert (stage.count_of(left), stage.count_of(other)) == (0, 0)
    assert {left, other} <= {one.subscription_id for one in ended.left}


def test_one_row_that_is_refused_does_not_keep_the_others_above_0(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    numbers = [stage.world.add_licence(CUSTOMER, "reconciler probe, may be deleted (old)", 1) for _ in range(3)]
    stage.faults.script = (Fault(kind=FaultKind.BAD_REQUEST, at="halo.write", nth=3),)
    ended = stage.probe(stop=lambda: bool(stage.writes()))
    assert ended.clean
    assert {stage.count_of(number) for number in numbers} == {0}


@pytest.mark.parametrize("after", [5, 20, 40])
def test_a_stop_while_the_request_budget_is_waited_for_is_told(tmp_path: Path, after: int) -> None:
    """The wait for a budget is cut short by the stop as well; what could not be looked at is not called 0."""
    stage = a_stage(tmp_path)
    stage.text = "version: 1\nsettings: {halo_budget: {requests: 30, seconds: 300}}\nmappings: []\n"
    begun = stage.clock.now()
    ended = stage.probe(stop=lambda: len(stage.halo_requests()) >= after)
    made = {row["id"]: row["count"] for row in stage.made()}
    assert all(made[one.subscription_id] == one.quantity for one in ended.left if one.quantity is not None)
    assert stage.clock.now() >= begun
    stage.clock.sleep(600)
    finished_by_the_next(stage)


def test_a_halo_that_takes_no_zero_is_told_and_its_subscriptions_too(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, count_zero="refuse")
    ended = stage.probe()
    assert {one.quantity for one in ended.left} == {1}
    assert not ended.clean
    assert any("takes no new Subscription at the quantity 0" in one for one in ended.report.advice)


def test_a_state_that_takes_no_more_records_ends_the_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.errors import StateError  # noqa: PLC0415
    from reconciler.state.recording import RecordedRun  # noqa: PLC0415

    stage = a_stage(tmp_path)
    real, calls = RecordedRun.intend, iter(range(100))

    def full(self: Any, intent: Any) -> None:
        if next(calls) >= 5:
            raise StateError("the disk is full")
        real(self, intent)

    monkeypatch.setattr(RecordedRun, "intend", full)
    ended = stage.probe()
    assert "the disk is full" in ended.record_missing
    assert len(stage.writes()) == 5
    monkeypatch.undo()
    finished_by_the_next(stage)


def test_a_probe_elsewhere_leaves_the_open_one_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path)
    killed_at(stage, 12, after=True, monkeypatch=monkeypatch)
    assert stage.probes() == 1
    stage.probe(OTHER_CUSTOMER)
    assert [one.customer_id for one in stage.store().read().probes] == [CUSTOMER]
    finished_by_the_next(stage)


def test_nothing_is_deleted_renamed_or_moved_and_no_other_customer_is_touched(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    stage.probe()
    assert {each.endpoint for each in stage.halo_requests() if each.mutating} == {Endpoint.WRITE}
    ours = {row["id"] for row in stage.made()}
    for mutation in stage.world.mutations:
        assert mutation.object_id in ours
        assert mutation.action == "create" or set(mutation.changes) == {"count"}


if __name__ == "__main__":  # every passing kind at every request; prints the figures
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        base = answers(a_stage(Path(place) / "usual").probe())
        done = 0
        wrong = 0
        for each, label in faults_at_every_request(Path(place), ALL_PASSING):
            done += 1
            try:
                under(Path(place) / label, each, base)
            except AssertionError as error:
                wrong += 1
                print(f"{each}: {str(error).splitlines()[0]}")  # noqa: T201
            shutil.rmtree(Path(place) / label, ignore_errors=True)
        print(f"{done} probes under one fault each, {wrong} of them wrong")  # noqa: T201
