"""Whole processes, measured by the kernel: wall time, CPU time of all threads, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of one process. Seconds, seconds, MiB."""

    wall: float
    cpu: float
    memory: float
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians of several runs, the largest memory, and the requests of one run per endpoint."""

    wall: float
    cpu: float
    memory: float
    requests: Mapping[str, int]


def kept_environment() -> dict[str, str]:
    """What a measured process gets of this one's environment, and where it finds the program."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return kept | {"PYTHONPATH": str(HERE.parent)}


def pages(rows: int, size: int) -> int:
    """How many requests a listing takes."""
    return max(1, -(-rows // size))


def careful_requests(number: int, mode: str, *, changed: int = 0, invoices: int = 0) -> dict[str, int]:
    """What DESIGN 12 permits for that many clients; what has changed is posted fifty at a time and listed once more.

    A list that fits into one page has a count that proves nothing: once a run, one page more is asked for.
    `invoices` are the pages of recurring invoices that a run which applies looks at (DESIGN 14).
    """
    listing = pages(number, 1_000)
    unproven = 1 if listing == 1 else 0
    wanted = {"halo.token": 1, "infima.partner": 1, "infima.clients": pages(number, 50)}
    wanted["halo.customers"] = listing + unproven
    wanted["halo.licences"] = listing * (2 if changed else 1) + unproven
    if changed:
        wanted["halo.write"] = pages(changed, 50)
    if invoices:
        wanted["halo.invoices"] = invoices
    if mode == "active_users":
        wanted["infima.users"] = number
    return wanted


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Sample:
    """Run a process to its end and ask the kernel what it took."""
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - this repository's own scripts
        command, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Sample(
        wall=time.perf_counter() - begun,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        code=process.returncode,
    )


def figures(samples: Sequence[Sample], requests: Mapping[str, int]) -> Figures:
    """Medians, because a shared machine makes some runs slow and none fast. Raises SystemExit for a run that failed."""
    if any(sample.code for sample in samples):
        raise SystemExit(f"a measured process failed: exit codes {[sample.code for sample in samples]}")
    return Figures(
        wall=median(s.wall for s in samples),
        cpu=median(s.cpu for s in samples),
        memory=max(s.memory for s in samples),
        requests=requests,
    )


class Simulator:
    """The simulator in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.environment: dict[str, str] = self._line()

    def _line(self) -> dict[str, str]:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        line: dict[str, str] = json.loads(self._process.stdout.readline())
        return line

    def requests(self) -> dict[str, int]:
        """The requests since the last call; the world is as at the beginning again."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return {name: int(count) for name, count in self._line().items()}


@contextmanager
def simulator(clients: int, latency: int, story: str) -> Iterator[Simulator]:
    """Start one; it ends with the context."""
    command = [sys.executable, str(HERE / "serve.py"), str(clients), str(latency), story]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept_environment()
    ) as process:
        try:
            yield Simulator(process)
        finally:
            process.terminate()
