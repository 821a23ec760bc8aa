"""Every single fault at every request of a six-mapping run, and sampled pairs of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reconciler.simulator.records import Endpoint, RequestRecord
from tests.faults.kinds import EVENTS, STATUSES, Fault, FaultKind, Faults, enumerate_single_faults
from tests.torture.contracts import six_mappings
from tests.torture.convergence import heal
from tests.torture.oracles import judge
from tests.torture.theatre import Theatre, deterministic

MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory where there is one: an fsync costs nothing there

EDITS_OF_MARKERS = frozenset({FaultKind.PERSON_EDITS_MARKER})
UNPARTED = frozenset({FaultKind.UNAUTHORIZED, FaultKind.KEY_REVOKED})
"""Faults of one client's users that stop the whole run on purpose."""

LASTING = tuple(
    Fault(kind=kind, at=at, times=200)
    for at in ("POST /api/SoftwareLicence", "GET /api/SoftwareLicence", "POST /auth/token")
    for kind in (FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.FORBIDDEN)
)
"""What does not end within the run (FAULTS I4, H4, W11, W17)."""


@dataclass(slots=True, kw_only=True)
class Result:
    """One schedule: what it was, what was wrong, what it reached."""

    what: str
    violations: list[str]
    reached: set[str] = field(default_factory=set)


def workplace() -> Path:
    """A fresh directory for one schedule."""
    return Path(tempfile.mkdtemp(prefix="torture-", dir=MEMORY if MEMORY.is_dir() else None))


def recorded_run() -> list[RequestRecord]:
    """The requests of one run without faults."""
    folder = workplace()
    theatre = Theatre(six_mappings(), folder)
    with deterministic(theatre):
        theatre.apply()
    shutil.rmtree(folder)
    return list(theatre.world.requests)


def single_faults() -> tuple[Fault, ...]:
    """Outages that last, and every fault at every request of a run that creates, updates, adopts and leaves alone."""
    return (*LASTING, *enumerate_single_faults(recorded_run()))


def sampled_pairs(number: int, seed: int) -> list[tuple[Fault, Fault]]:
    """That many pairs of different single faults."""
    faults, choose = single_faults(), Random(seed)  # noqa: S311 - has to repeat
    return [(a, b) for a, b in (choose.sample(faults, 2) for _ in range(number))]


def play(faults: Sequence[Fault]) -> Result:
    """One run under these faults, then clean ones; every oracle, convergence, and P4 for a fault of one client."""
    folder = workplace()
    theatre = Theatre(six_mappings(), folder)
    theatre.evidence.trusted_marker = not any(f.kind in EDITS_OF_MARKERS for f in faults)
    theatre.evidence.refusals_without_effect = not any(f.kind in STATUSES and f.after for f in faults)
    theatre.faults = Faults(faults)
    try:
        with deterministic(theatre):
            theatre.apply()
            strayed = _isolated(theatre, faults)
            violations = [*strayed, *heal(theatre)]
            violations += judge(theatre.evidence)
            seen = reached(theatre)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(what=" + ".join(map(str, faults)), violations=violations, reached=seen)


def _isolated(theatre: Theatre, faults: Sequence[Fault]) -> list[str]:
    """P4: a fault of one client's users leaves every other mapping as a run without faults would."""
    if len(faults) != 1 or "/users" not in faults[0].at or faults[0].kind in UNPARTED | EVENTS:
        return []
    if theatre.evidence.plan_note(theatre.evidence.runs[-1]).get("refused_by"):
        return []  # a rule about the whole source may stop the whole run
    client = int(faults[0].at.split("/")[3])
    wrong = []
    for c in theatre.scene.contracts:
        if client in c.clients:
            continue
        counts = [theatre.world.licences[i]["count"] for i in theatre.evidence.own(c)]
        wanted = c.quantity(sum(theatre.world.infima_clients[n].active for n in c.clients))
        if counts != [wanted]:
            wrong.append(f"p4_isolation: {c.key} stands at {counts}, {wanted} is right")
    return wrong


def reached(theatre: Theatre) -> set[str]:
    """What a schedule got to: a write, a crash inside the create window, an unknown outcome."""
    evidence = theatre.evidence
    found = set()
    writes = list(evidence.writes())
    if writes:
        found.add("write")
    if any(w.creates for w in writes):
        found.add("create")
    if any("unknown" in run.outcomes.values() for run in evidence.runs) or any(
        w.record.status is None or w.record.status >= 500 or w.record.status in {401, 408, 429} for w in writes
    ):
        found.add("unknown outcome")
    if theatre.faults.fired or any(r.fault for r in evidence.requests):
        found.add("fault")
    if any(run.crashed for run in evidence.runs):
        found.add("crash")
    for run in evidence.runs:
        kinds = [r["kind"] for r in evidence.records(run)]
        if run.crashed and "attempts" in kinds and "verdict" not in kinds:
            creates = any(w.creates and w.run == run.number for w in writes)
            bound = "bindings" in kinds[kinds.index("attempts") :]
            if not bound:
                found.add("crash in the create window")
                if creates:
                    found.add("crash between create and binding")
    if any(r.endpoint is Endpoint.WRITE and r.fault for r in evidence.requests):
        found.add("fault at a write")
    return found
