"""The command line on a world in this process: its wire, its clock, its disk and its signals are ours."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import httpx

from reconciler.cli import main as cli_main
from reconciler.cli import reporting, wiring
from reconciler.cli.signals import Stopper
from reconciler.errors import Interrupted
from reconciler.providers.connect import ConnectedSystems, connect
from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.faults.app import FaultyApp, apps_of, environment_of
from tests.faults.inject import as_httpx
from tests.faults.kinds import Fault, Faults
from tests.torture.disk import HERE, Disk, PowerCut, mounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command came to. `killed`: the process was gone before it could say how it ended."""

    code: int
    out: str
    err: str
    killed: bool = False


@dataclass(slots=True, kw_only=True)
class Fate:
    """What befalls one command. Points (requests, answers, system calls of the state's files) count from 1, and only
    behind the first request that writes where `since_write` says so.

    `ending` is `kill`, `stop` (Ctrl-C), or the number of an errno that the disk answers with from there on.
    """

    at: int = 0
    ending: str = ""
    kind: str = ""
    since_write: bool = True
    faults: tuple[Fault, ...] = ()
    passed: int = 0
    wrote: bool = False
    dead: bool = False
    stopper: Stopper | None = None

    def point(self, kind: str) -> None:
        """Pass a point; a process that is gone does nothing any more."""
        if self.dead:
            raise PowerCut
        if not self.at or (self.since_write and not self.wrote) or not kind.startswith(self.kind):
            return
        self.passed += 1
        if self.passed < self.at:
            return
        if self.ending == "kill":
            self.dead = True
            raise PowerCut
        if self.ending == "stop":
            if self.passed == self.at and self.stopper is not None:
                self.stopper._asked(2, None)
        elif kind in _DISK:
            raise OSError(int(self.ending), os.strerror(int(self.ending)))


_DISK = frozenset({"create", "write", "fsync", "rename", "mkdir"})


@dataclass(slots=True)
class Scene:
    """One world, one folder with mappings.yaml and state; each command is a process of its own."""

    world: World
    folder: Path
    rng: Random
    fate: Fate = field(default_factory=Fate)
    skew: timedelta = timedelta()
    faults: Faults = field(default_factory=Faults)

    @property
    def clock(self) -> VirtualClock:
        assert isinstance(self.world.clock, VirtualClock)
        return self.world.clock

    def cli(self, *arguments: str, fate: Fate | None = None) -> Answer:
        """Run one command; `fate` is what befalls it."""
        self.fate = fate or Fate()
        self.faults.replace(Faults(self.fate.faults))
        out, err = io.StringIO(), io.StringIO()
        point = HERE.set(self.fate.point)
        before, sys.stdin = sys.stdin, io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli_main.main(list(arguments))
        except PowerCut:
            return Answer(code=137, out="", err=err.getvalue(), killed=True)
        finally:
            sys.stdin = before
            HERE.reset(point)
        return Answer(code=code, out=out.getvalue(), err=err.getvalue())

    def state_folder(self) -> Path:
        """Where the directory state lies."""
        return self.folder / ".reconciler"


class Wire(httpx.BaseTransport):
    """The network between the program and one system."""

    def __init__(self, scene: Scene, app: FaultyApp) -> None:
        self._scene = scene
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fate, world = self._scene.fate, self._scene.world
        writes = request.method != "GET" and request.url.path.endswith("/SoftwareLicence")
        fate.wrote = fate.wrote or writes
        fate.point("request")
        with world.lock:
            exchange = self._app.exchange(request)
        fate.point("answer")
        response = as_httpx(world, request, exchange)
        response.headers["date"] = format_datetime(world.clock.now(), usegmt=True)
        return response


class ProcessClock:
    """The shared clock as one process sees it: who was asked to stop does not sleep."""

    def __init__(self, clock: VirtualClock, stop: Any, skew: timedelta = timedelta()) -> None:
        self._clock = clock
        self._stop = stop
        self._skew = skew

    def now(self) -> datetime:
        return self._clock.now() + self._skew

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0 and self._stop is not None and self._stop.is_set():
            raise Interrupted("the run was asked to stop")
        self._clock.sleep(seconds)


@contextmanager
def staged(scene: Scene) -> Iterator[Scene]:
    """Put the scene's world, clock, disk and signals under the command line, and stand in its folder."""
    apps = apps_of(scene.world, scene.faults)
    person = {"COLUMNS": "160", "PATH": os.environ.get("PATH", ""), "HOME": str(scene.folder)}

    def connected(credentials: Any, settings: Any, **around: Any) -> ConnectedSystems:
        around |= {"transport_factory": lambda origin: Wire(scene, apps[origin]), "rng": Random(1)}  # noqa: S311
        return connect(credentials, settings, **around)

    real = Stopper.listen

    def listen(stopper: Stopper) -> AbstractContextManager[None]:
        scene.fate.stopper = stopper
        return real(stopper)

    here = Path.cwd()
    with ExitStack() as stack:
        for target, name, new in _exchanged(scene, connected, listen):
            stack.enter_context(patch.object(target, name, new))
        stack.enter_context(patch.dict(os.environ, environment_of(scene.world) | person, clear=True))
        stack.enter_context(mounted(Disk()))
        os.chdir(scene.folder)
        try:
            yield scene
        finally:
            os.chdir(here)


def _exchanged(scene: Scene, connected: Callable[..., Any], listen: Callable[..., Any]) -> list[tuple[Any, str, Any]]:
    return [
        (wiring, "connect", connected),
        (Stopper, "listen", listen),
        (wiring, "SystemClock", lambda stop=None: ProcessClock(scene.clock, stop, scene.skew)),
        (reporting, "SystemClock", lambda stop=None: ProcessClock(scene.clock, stop, scene.skew)),
        (cli_main, "_leave_at_once", lambda code: code),
    ]
