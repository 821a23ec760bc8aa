"""Real processes against the simulator over real HTTP: killed, interrupted, on a failing disk, several at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reconciler.clock import SystemClock
from reconciler.simulator.records import Actor, Endpoint
from reconciler.simulator.server import Server
from reconciler.simulator.world import World
from tests.stage import remember_markers
from tests.torture.contracts import TEMPLATE, Contract, add_mapped, mappings_text
from tests.torture.evidence import read_records
from tests.torture.sweep import Result, workplace

HOOK = Path(__file__).parent / "hook"
ROOT = Path(__file__).parents[2]
SETTLED_HOURS = 21
SLOWEST_EXIT = 5.0
"""Seconds within which a run that was asked to stop has to be out (FAULTS PF2)."""


def world_of_three() -> tuple[World, tuple[Contract, ...]]:
    """An update, an adoption and a create, and a row of somebody else's."""
    world = World(clock=SystemClock())
    contracts = add_mapped(world, ((15, 9001, 12), (14, 9002, 13), (8, None, None)), adopted=9002)
    world.add_licence(11, "Microsoft 365 Business", 70, licence_id=9050, snowid="ms-subscription")
    return world, contracts


@dataclass(slots=True)
class Ended:
    """A process that is over. `code` is negative for a signal."""

    code: int
    output: str
    seconds: float
    points: list[str] = field(default_factory=list)


class Workshop:
    """A server, a directory with mappings.yaml, and runs of the real command in it."""

    def __init__(self) -> None:
        self.world, self.contracts = world_of_three()
        self.folder = workplace()
        self.server: Server = Server(self.world)
        remember_markers(self.world, self.folder / ".reconciler")
        (self.folder / "mappings.yaml").write_text(mappings_text(self.contracts), encoding="utf-8")
        self.violations: list[str] = []

    def close(self) -> None:
        """Stop the server and remove everything."""
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, **hook: str) -> subprocess.Popen[str]:
        """Start one `reconciler apply --auto-approve`."""
        path = os.pathsep.join((str(HOOK), str(ROOT)))
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = (
            keep | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | hook | dict(self.server.environment())
        )
        command = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "-o", "json"]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, **hook: str) -> Ended:
        """Run one to its end."""
        began = time.monotonic()
        process = self.start(**hook)
        output, _ = process.communicate(timeout=120)
        return Ended(process.returncode, output, time.monotonic() - began)

    def points(self) -> list[str]:
        """The system calls of one whole run, by kind, in order."""
        log = self.folder / "points"
        self.run(TORTURE_LOG=str(log))
        return log.read_text(encoding="ascii").split("\n")

    def await_first_request(self, process: subprocess.Popen[str]) -> None:
        """Wait until the process is loaded and at work, or over."""
        while not self.world.requests and process.poll() is None:
            time.sleep(0.002)

    def working_seconds(self) -> float:
        """How long a whole run takes from its first request to its end."""
        process = self.start()
        self.await_first_request(process)
        began = time.monotonic()
        process.communicate(timeout=120)
        return time.monotonic() - began

    # ---- judging ----------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Clean runs must bring everything right: one now, and where a create is open, one after the settle time."""
        first = self.run()
        if first.code not in {0, 3}:
            self.violations.append(f"the clean run ended with {first.code}: {first.output[-300:]}")
        if self.unconverged():
            after = self.run(TORTURE_HOURS=str(SETTLED_HOURS))
            self.violations += [f"after the settle time ({after.code}): {what}" for what in self.unconverged()]
        before = self.writes()
        quiet = self.run(TORTURE_HOURS=str(2 * SETTLED_HOURS))
        if quiet.code != 0 or self.writes() != before:
            self.violations.append(f"the quiet run ended with {quiet.code}, {self.writes() - before} writes")

    def writes(self) -> int:
        return sum(r.endpoint is Endpoint.WRITE for r in self.world.requests)

    def unconverged(self) -> list[str]:
        """Mappings that do not have exactly one row, at the right count."""
        wrong = []
        for c in self.contracts:
            wanted = c.quantity(sum(self.world.infima_clients[n].active for n in c.clients))
            rows = [r for r in self.world.licences.values() if r["client_id"] == c.customer and r["name"] == TEMPLATE]
            if [r["count"] for r in rows if not r.get("deleted")] != [wanted]:
                wrong.append(f"{c.key} stands at {[(r['id'], r['count']) for r in rows]}, {wanted} is right")
        return wrong

    def judge(self) -> list[str]:
        """What the world's log and the files say: no wrong value, no second row, nothing unowned, no torn record."""
        wrong = list(self.violations)
        right = {c.quantity(sum(self.world.infima_clients[n].active for n in c.clients)) for c in self.contracts}
        for m in self.world.mutations:
            if m.actor is not Actor.API:
                continue
            count = m.changes.get("count", (None, None))[1]
            if m.action == "create":
                wrong += [] if count == 0 else [f"row {m.object_id} was created with {count}"]
            elif set(m.changes) != {"count"} or count not in right or m.object_id == 9050:
                wrong.append(f"row {m.object_id}: {m.changes}")
        for c in self.contracts:
            rows = [r for r in self.world.licences.values() if r.get("snowid") == c.key and not r.get("deleted")]
            if len(rows) > 1:
                wrong.append(f"{c.key} has the rows {[r['id'] for r in rows]}")
        wrong += [f"{r.method} {r.path}" for r in self.world.requests if r.method not in {"GET", "POST"}]
        return wrong + self._files()

    def _files(self) -> list[str]:
        wrong, bodies = [], 0
        for path in (self.folder / ".reconciler").rglob("*"):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode != (0o700 if path.is_dir() else 0o600):
                wrong.append(f"{path.name} has the mode {mode:o}")
            if path.parent.name == "journal":
                content = path.read_bytes()
                records = read_records(content)
                bodies += sum(r["kind"] == "intent" for r in records)
                if len(records) != content.count(b"\n"):
                    wrong.append(f"{path.name}: {len(records)} of {content.count(chr(10).encode())} lines hold")
        if bodies < self.writes():
            wrong.append(f"{self.writes()} writes came in, {bodies} are journaled")
        state = self.folder / ".reconciler" / "state.json"
        if state.exists():
            json.loads(state.read_text(encoding="ascii"))
        return wrong


def one(at: int, do: str, *, delay: float = 0) -> Result:
    """One run that ends at a point (or, with `delay`, so many seconds after its first request), then clean ones."""
    shop = Workshop()
    try:
        if delay:
            process = shop.start()
            shop.await_first_request(process)
            try:
                process.communicate(timeout=delay)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            ended = Ended(process.returncode, "", delay)
        else:
            ended = shop.run(TORTURE_AT=str(at), TORTURE_DO=do)
        words = {f"ended with {ended.code}"} | ({"write"} if shop.writes() else set())
        if do in {"interrupt", "terminate"}:
            shop.violations += _stopped_well(ended)
        if do.isdigit() and ended.code == 0 and "warning" not in ended.output.lower():
            words.add("a failing disk that did no harm")
        shop.heal()
        return Result(what=f"{do} at {at or delay}", violations=shop.judge(), reached=words)
    finally:
        shop.close()


def _stopped_well(ended: Ended) -> list[str]:
    wrong = []
    if ended.code not in {130, 0}:
        wrong.append(f"a stopped run ended with {ended.code}: {ended.output[-400:]}")
    if ended.seconds > SLOWEST_EXIT + 3:  # the whole run's time, start of the interpreter included
        wrong.append(f"a stopped run was out after {ended.seconds:.1f} s")
    return wrong


def together(number: int) -> Result:
    """Several real runs on one directory at the same moment, then clean ones."""
    shop = Workshop()
    try:
        processes = [shop.start() for _ in range(number)]
        codes = [p.wait(timeout=120) for p in processes if p.communicate(timeout=120)]
        if not any(code == 0 for code in codes):
            shop.violations.append(f"none of {number} runs ended well: {codes}")
        shop.heal()
        return Result(what=f"{number} at once", violations=shop.judge(), reached={f"codes {sorted(codes)}"})
    finally:
        shop.close()


def random_delays(number: int, seed: int, longest: float) -> list[float]:
    """Moments at which to kill, in seconds after a run's first request."""
    rng = Random(seed)  # noqa: S311 - has to repeat
    return [round(rng.uniform(0.001, longest), 3) for _ in range(number)]
