"""`make compare`: the program beside what people might use in its place, on the same simulator.

Every round runs all of them one after the other against one server process, each from the same world and its own
state before the run, so that a busy machine slows all. Before the rounds each runs once unmeasured: that run is looked
at for its memory and, after an apply, for the quantities that it leaves behind.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import simulator
from benchmarks.rivals import octodns as dns
from benchmarks.rivals import terraform as terra
from benchmarks.rivals.course import Course, Left, Row
from benchmarks.rivals.kinds import Missing, Rival, ground
from benchmarks.rivals.scripts import program, scripts
from benchmarks.rivals.targets import amount, targets

JOBS = {"plan": "plan, nothing changed", "apply": "apply, 10 % changed"}
STORIES = {"plan": "unchanged", "apply": "changed"}
LATENCIES = (0, 50)
CLIENTS = 1_000
"""The size that the targets speak of."""
MEASURES = ("wall", "cpu", "requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    rounds: int
    clients: int
    only: Sequence[str]
    jobs: Sequence[str]
    latencies: Sequence[int]
    cache: Path
    lock: Path | None
    json: Path | None


# ---------------------------------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------------------------------


def gather(options: Options) -> tuple[list[Rival], list[Missing]]:
    """Make everybody ready; the program always takes part."""
    options.cache.mkdir(parents=True, exist_ok=True)
    everybody: list[Rival | Missing] = [program("client_record"), program("active_users")]
    everybody += terra.terraform(options.cache)
    everybody += [dns.octodns(options.cache), *scripts()]
    rivals = [each for each in everybody if isinstance(each, Rival)]
    wanted = set(options.only) or {each.name for each in rivals if not each.optional}
    modes = {each.mode for each in rivals if each.name in wanted}
    wanted |= {each.name for each in rivals[:2] if each.mode in modes}
    missing = [each for each in everybody if isinstance(each, Missing)]
    unknown = sorted(wanted - {each.name for each in rivals})
    missing += [Missing(label=name, reason="nobody of that name can be had here") for name in unknown]
    return [each for each in rivals if each.name in wanted], missing


def measure(job: str, latency: int, rivals: Sequence[Rival], options: Options) -> tuple[list[Row], list[Missing]]:
    """Run all of them in turn, round by round; who cannot do the job is left out."""
    laid = ground(job, options.clients)
    courses: list[Course] = []
    missing: list[Missing] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(simulator(options.clients, latency, STORIES[job]))
        for rival in rivals:
            course = Course(rival, laid, folder / rival.name, server)
            try:
                with _alone(options.lock):
                    course.prove()
            except Left as left:
                missing.append(Missing(label=f"{rival.label}: {JOBS[job]}, {latency} ms", reason=str(left)))
            else:
                courses.append(course)
        for _ in range(options.rounds):
            with _alone(options.lock):
                for course in courses:
                    if not course.tired:
                        course.once()
    return [course.row(latency) for course in courses], missing


@contextmanager
def _alone(lock: Path | None) -> Iterator[None]:
    """Hold a lock file, as flock(1) does, where one is given."""
    if lock is None:
        yield
        return
    with lock.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---------------------------------------------------------------------------------------------------------------------
# Telling
# ---------------------------------------------------------------------------------------------------------------------


def ratios(row: Row, rows: Sequence[Row]) -> dict[str, float]:
    """How many times the program's figures a rival's are; the program counts in the same way and does the same job."""
    mine = {"client_record": "program", "active_users": "program-users"}[row.rival.mode]
    for each in rows:
        if (each.rival.name, each.job, each.latency) == (mine, row.job, row.latency):
            return {what: amount(row.figures, what) / amount(each.figures, what) for what in MEASURES}
    return {}


def table(job: str, latency: int, rows: Sequence[Row]) -> str:
    """One job at one latency."""
    lines = [
        f"{JOBS[job]}, {latency} ms a request:",
        "",
        "| what | requests | times | wall | times | CPU | times | memory | rounds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(row, rows) for row in rows if (row.job, row.latency) == (job, latency)),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row, rows: Sequence[Row]) -> str:
    found, times = row.figures, ratios(row, rows)
    asked, wall, cpu = (f"{times[what]:.1f}" if times else "-" for what in ("requests", "wall", "cpu"))
    if row.rival.offline:
        asked = wall = "-"
    return (
        f"| {row.rival.label} | {sum(found.requests.values()):,} | {asked} | {found.wall:.2f} s | {wall} "
        f"| {found.cpu:.2f} s | {cpu} | {found.memory:.0f} MiB | {len(row.samples)} |"
    )


def document(rows: Sequence[Row], missing: Sequence[Missing], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured, as plain JSON values."""
    return {
        "machine": dict(machine),
        "rows": [
            {
                "job": row.job,
                "latency_ms": row.latency,
                "name": row.rival.name,
                "label": row.rival.label,
                "rounds": len(row.samples),
                "wall_s": round(row.figures.wall, 4),
                "walls_s": [round(each.wall, 3) for each in row.samples],
                "cpu_s": round(row.figures.cpu, 4),
                "memory_mib": round(row.figures.memory, 1),
                "requests": dict(row.figures.requests),
                "times_the_program": {what: round(value, 2) for what, value in ratios(row, rows).items()},
            }
            for row in rows
        ],
        "targets": [{**asdict(each), "met": each.met} for each in targets(rows)]
        if machine["subscriptions"] == CLIENTS
        else [],
        "missing": [asdict(each) for each in missing],
    }


def _machine(options: Options) -> dict[str, Any]:
    return {
        "subscriptions": options.clients,
        "rounds": options.rounds,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "terraform": terra.version(),
        "octodns": dns.WANTED.partition("==")[2],
        "load_before": round(os.getloadavg()[0], 2),
    }


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--rounds", type=int, default=5, help="measured runs of each row")
    parser.add_argument(
        "--clients", type=int, default=CLIENTS, help="how many Subscriptions; the targets speak of 1,000"
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this rival beside the program")
    parser.add_argument("--job", action="append", choices=list(JOBS), help="only this job")
    parser.add_argument("--latency", action="append", type=int, choices=LATENCIES, help="only this many ms a request")
    parser.add_argument("--cache", type=Path, default=home / "reconciler-rivals", help="where rivals are built")
    parser.add_argument("--lock", type=Path, help="hold this file's lock in each round, for a machine that is shared")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args()
    return Options(
        rounds=given.rounds,
        clients=given.clients,
        only=given.only,
        jobs=given.job or list(JOBS),
        latencies=given.latency or list(LATENCIES),
        cache=given.cache.absolute(),
        lock=given.lock,
        json=given.json,
    )


def main() -> None:
    """Measure and tell."""
    options = _options()
    machine = _machine(options)
    rivals, missing = gather(options)
    rows: list[Row] = []
    print(", ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)  # noqa: T201
    for latency in options.latencies:
        for job in options.jobs:
            taking_part = [each for each in rivals if latency == 0 or not each.offline]
            found, left = measure(job, latency, taking_part, options)
            rows += found
            missing += left
            print(table(job, latency, rows), flush=True)  # noqa: T201
    told = [each.told() for each in targets(rows)] if options.clients == CLIENTS else []
    told += [f"- left out: {each.label}: {each.reason}" for each in missing]
    print("\n".join(told))  # noqa: T201
    if options.json:
        text = json.dumps(document(rows, missing, machine), indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
