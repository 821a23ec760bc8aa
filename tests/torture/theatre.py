"""Whole runs of the shipped code where everything outside is ours: wire, clock, disk, randomness, the order of threads.

Only these are exchanged. A run can be ended at any request and any system call of its state, and two runs can be
interleaved step by step. With the same seed everything happens again in the same order.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import httpx

from reconciler.config import parse_mappings
from reconciler.errors import Interrupted, ReconcilerError
from reconciler.events import Event
from reconciler.model import MappingKey, Mappings, RunId
from reconciler.planning.changes import Plan, PlannedRow
from reconciler.planning.observation import PlanOptions, RunContext
from reconciler.run import ApplyRun, make_plan, read_live, run_apply
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from tests.faults.app import FaultyApp, connect_to
from tests.faults.inject import as_httpx
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.stage import remember_markers
from tests.torture.contracts import Scene, mappings_text
from tests.torture.disk import HALF_WRITES, HERE, Disk, PowerCut, mounted
from tests.torture.evidence import Evidence, RunReport, Seal

FOLDER = ".reconciler"


@dataclass(slots=True, kw_only=True)
class Fate:
    """What befalls one run. Points are counted from 1; `kind` narrows them ("fsync", "request", ...), and with `since`
    counting begins at the first point of that kind.

    `ending` is `crash`, `stop` (a person presses Ctrl-C), or the name of an errno that the disk answers with.
    """

    at: int = 0
    kind: str = ""
    ending: str = "crash"
    power: bool = False
    half: bool = False
    since: str = ""


@dataclass(slots=True, kw_only=True)
class Control:
    """One run under way."""

    report: RunReport
    fate: Fate
    turn: Callable[[], None]
    passed: int = 0
    dead: bool = False
    stopping: bool = False
    kinds: dict[str, int] = field(default_factory=dict)

    def point(self, kind: str) -> None:
        """Pass a point at which the run can end; a dead run does nothing any more."""
        if self.dead:
            raise PowerCut
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        begun = not self.fate.since or self.fate.since in self.kinds
        if self.fate.at and begun and kind.startswith(self.fate.kind):
            self.passed += 1
            if self.passed == self.fate.at:
                self._end(kind)

    def _end(self, kind: str) -> None:
        match self.fate.ending:
            case "crash":
                self.dead = self.report.crashed = True
                raise PowerCut
            case "stop":
                self.stopping = True
            case errno if kind in _DISK_KINDS:
                raise OSError(int(errno), "the disk says no")
            case _:
                self.passed -= 1  # a request is no system call of the disk: wait for the next point


_DISK_KINDS = frozenset({"create", "write", "fsync", "rename", "unlink", "mkdir", "truncate"})


class Theatre:
    """A scene, its evidence, and runs of the shipped program in it."""

    def __init__(self, scene: Scene, folder: Path, *, seed: int = 0, settle_hours: int = 20) -> None:
        self.scene = scene
        self.world = scene.world
        self.clock = scene.world.clock
        self.home = scene.world.partner
        self.folder = folder / FOLDER
        self.text = mappings_text(scene.contracts, scene.tuning, settle_hours=settle_hours)
        self.rng = Random(seed)  # noqa: S311 - has to repeat
        self.disk = Disk()
        self.faults = Faults()
        self.lasting: tuple[Fault, ...] = ()
        self.reach: dict[str, int] = {}
        self.events: list[Event] = []
        self._words = itertools.count(1)
        remember_markers(scene.world, self.folder, field=scene.tuning.marker)
        self.evidence = Evidence(
            world=scene.world,
            contracts=scene.contracts,
            folder=self.folder,
            start_rows=copy.deepcopy(scene.world.licences),
            marker=scene.tuning.marker,
            budget=scene.tuning.budget,
            settle_seconds=settle_hours * 3600,
        )

    # ---- one run ----------------------------------------------------------------------------------------------------

    def mappings(self) -> Mappings:
        return _parsed(self.text, self.clock.now().date().isoformat())

    def apply(
        self,
        fate: Fate | None = None,
        *,
        saved: Plan | None = None,
        confirm: Callable[[], None] | None = None,
        turn: Callable[[], None] = lambda: None,
    ) -> RunReport:
        """One `apply`, with a saved plan where one is given; `confirm` is what happens until a person says yes."""
        run = RunId(f"run-{next(self._words)}")
        report = RunReport(
            number=len(self.evidence.runs) + 1,
            run_id=run,
            first_request=len(self.world.requests) + 1,
            started=self.clock.now().timestamp(),
            agreed=None if saved is None else _agreed(saved),
        )
        self.evidence.runs.append(report)
        control = Control(report=report, fate=fate or Fate(), turn=turn)
        point = HERE.set(control.point)
        half = HALF_WRITES.set(control.fate.half)
        try:
            self._run(run, control, saved, confirm)
        except PowerCut:
            report.crashed = True
            if control.fate.power:
                self.disk.lose_power(self.rng)
        except ReconcilerError as error:
            report.exit_code, report.error = error.exit_code, f"{type(error).__name__}: {error.message}"
        except Exception as error:  # noqa: BLE001 - whatever it is, an oracle will ask about it
            report.error = f"broke: {error!r}"
        except KeyboardInterrupt:
            report.exit_code, report.error = 130, "KeyboardInterrupt"
        finally:
            HERE.reset(point)
            HALF_WRITES.reset(half)
            report.last_request = len(self.world.requests)
            report.ended = self.clock.now().timestamp()
            for kind, number in control.kinds.items():
                self.reach[kind] = self.reach.get(kind, 0) + number
        return report

    def _run(self, run: RunId, control: Control, saved: Plan | None, confirm: Callable[[], None] | None) -> None:
        with self._context(control) as context:
            sha256, began = context.mappings.sha256, context.clock.now()
            finished = run_apply(
                ApplyRun(
                    context=context,
                    info=RunInfo(id=run, command="apply", started_at=began, mappings_sha256=sha256, version="0"),
                    options=PlanOptions(),
                    show=lambda _: None,
                    confirm=None if confirm is None else lambda _: confirm() is None,
                    agreed=None if saved is None else planned_rows(saved),
                )
            )
        control.report.exit_code = finished.verdict.exit_code
        control.report.outcomes = {str(k): str(s.outcome) for k, s in finished.applied.outcomes.items()}

    def plan(self) -> Plan:
        """What `plan` shows now; its requests belong to no run."""
        report = RunReport(number=0, run_id="plan", first_request=0)
        with self._context(Control(report=report, fate=Fate(), turn=lambda: None)) as context:
            seen = read_live(context)
        return make_plan(context.mappings, seen.observation, seen.recorded, PlanOptions())

    @contextmanager
    def _context(self, control: Control) -> Iterator[RunContext]:
        mappings, clock = self.mappings(), RunClock(self.clock, control)
        store: Any = Paced(DirectoryState(self.folder, clock=clock), control)
        with connect_to(
            self.world, mappings.settings, faults=self.faults, seed=control.report.number, clock=clock,
            observer=self.events.append, wire=lambda origin, app: Wire(self, control, origin, app),
        ) as systems:  # fmt: skip
            yield RunContext(
                mappings=mappings, systems=systems, store=store, clock=clock, observe=self.events.append,
                stop=lambda: control.stopping, nonce=lambda: f"nonce-{next(self._words)}",
            )  # fmt: skip

    # ---- two runs, step by step -------------------------------------------------------------------------------------

    def race(self, fates: list[Fate]) -> None:
        """Let several runs go on at once; who takes the next step is drawn."""
        turns = Turns(len(fates), self.rng)

        def one(me: int, fate: Fate) -> None:
            turns.wait(me)
            try:
                self.apply(fate, turn=lambda: turns.step(me))
            finally:
                turns.leave(me)

        threads = [threading.Thread(target=one, args=(me, fate)) for me, fate in enumerate(fates)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Wire(httpx.BaseTransport):
    """The network between one run and one system: it notes who sent what, and what came back."""

    def __init__(self, theatre: Theatre, control: Control, origin: str, app: FaultyApp) -> None:
        self._theatre = theatre
        self._control = control
        self._origin = origin
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        theatre, control = self._theatre, self._control
        control.turn()
        control.point("request")
        evidence, world = theatre.evidence, theatre.world
        with world.lock:
            number = len(world.requests) + 1
            evidence.owner[number] = control.report.number
            evidence.origins[number] = f"{request.url.scheme}://{request.url.host}"
            if request.method != "GET":
                evidence.seals[number] = _seal(theatre, control)
            exchange = self._app.exchange(request)
            if exchange.kind in _READABLE and exchange.body is None and exchange.response is not None:
                record = world.requests[number - 1]
                if exchange.response.status_code == httpx.codes.OK and record.method == "GET":
                    evidence.answers[number] = exchange.response.content
        control.point("answer")
        control.turn()
        return as_httpx(world, request, exchange)


_READABLE = frozenset({None, FaultKind.SLOW_BODY})


def _seal(theatre: Theatre, control: Control) -> Seal:
    folder = theatre.folder
    journal = next(iter(sorted((folder / "journal").glob(f"*-{control.report.run_id}.jsonl"))), None)
    content = theatre.disk.durable(journal) if journal is not None else None
    return Seal(state=theatre.disk.durable(folder / "state.json"), journals=content or b"")


class RunClock:
    """The shared clock as one run sees it: a stopped run does not sleep."""

    def __init__(self, clock: Any, control: Control) -> None:
        self._clock = clock
        self._control = control

    def now(self) -> datetime:
        return self._clock.now()  # type: ignore[no-any-return]

    def monotonic(self) -> float:
        return self._clock.monotonic()  # type: ignore[no-any-return]

    def sleep(self, seconds: float) -> None:
        if seconds > 0 and self._control.stopping:
            raise Interrupted("the run was asked to stop")
        self._clock.sleep(seconds)


class Paced:
    """A store whose every question is a step at which another run may take over. Never inside a question: it locks."""

    def __init__(self, inner: Any, control: Control) -> None:
        self._inner = inner
        self._control = control

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def paced(*args: Any, **kwargs: Any) -> Any:
            self._control.turn()
            self._control.point(f"state-{name}")
            answer = value(*args, **kwargs)
            return self._opened(answer) if name == "open_run" else answer

        return paced

    @contextmanager
    def _opened(self, opening: AbstractContextManager[Any]) -> Iterator[Any]:
        with opening as state:
            yield Paced(state, self._control)


class Turns:
    """Lets exactly one of several threads go on at a time; who is next is drawn."""

    def __init__(self, number: int, rng: Random) -> None:
        self._rng = rng
        self._here = set(range(number))
        self._next = rng.randrange(number)
        self._changed = threading.Condition()

    def wait(self, me: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._next == me, timeout=60)

    def step(self, me: int) -> None:
        with self._changed:
            self._next = self._rng.choice(sorted(self._here))
            self._changed.notify_all()
        self.wait(me)

    def leave(self, me: int) -> None:
        with self._changed:
            self._here.discard(me)
            if self._here:
                self._next = self._rng.choice(sorted(self._here))
            self._changed.notify_all()


class Inline:
    """A pool without threads: reads that could run side by side run one after the other, so that a seed repeats."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args))
        except BaseException as error:  # noqa: BLE001 - as a pool does
            future.set_exception(error)
        return future

    def shutdown(self, **_options: Any) -> None:
        pass


@contextmanager
def deterministic(theatre: Theatre) -> Iterator[Theatre]:
    """Put the theatre's disk and inline pools under the program."""
    with ExitStack() as stack:
        stack.enter_context(mounted(theatre.disk))
        stack.enter_context(patch("reconciler.planning.observation.ThreadPoolExecutor", Inline))
        stack.enter_context(patch("reconciler.providers.listing.ThreadPoolExecutor", Inline))
        yield theatre


def planned_rows(plan: Plan) -> dict[MappingKey, PlannedRow]:
    """What a saved plan permits `apply` to perform."""
    return {
        c.key: PlannedRow(
            key=c.key,
            action=c.action,
            subscription_id=c.after.id,
            before=c.before.count if c.before else None,
            after=c.after.count,
            customer_id=c.after.customer_id,
        )
        for c in plan.writes
    }


def _agreed(plan: Plan) -> Mapping[str, tuple[int | None, int | None, int | None]]:
    return {
        str(c.key): (c.after.id, c.before.count if c.before else None, c.after.count)
        for c in plan.changes
        if c.performs_write and not plan.refused
    }


@lru_cache(maxsize=512)
def _parsed(text: str, today: str) -> Mappings:
    return parse_mappings(text, file="mappings.yaml", now=datetime.fromisoformat(today))
