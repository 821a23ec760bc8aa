"""The program itself, the limits, and the plain script: all of them run by this Python."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.bench import UNLIMITED
from benchmarks.measuring import HERE, careful_requests, pages
from benchmarks.rivals.kinds import Ground, Rival

MODES = {"client_record": "client list", "active_users": "counts users"}


def program(mode: str) -> Rival:
    """Make the program's own row, as bench.py runs it: without state, with the request budget out of the way."""

    def prepare(folder: Path, ground: Ground) -> None:
        (folder / "mappings.yaml").write_text(ground.mappings[mode] + UNLIMITED, encoding="utf-8")

    words = {"plan": ["plan"], "apply": ["apply", "--auto-approve"]}
    return Rival(
        name="program" if mode == "client_record" else "program-users",
        label=f"reconciler, {MODES[mode]}",
        command=lambda job: [sys.executable, "-m", "reconciler", "--state", "directory:state", *words[job]],
        prepare=prepare,
        reset=lambda folder: shutil.rmtree(folder / "state", ignore_errors=True),
        requests=lambda ground: _careful(ground, mode, invoices=int(ground.job == "apply")),
        mode=mode,
    )


def scripts() -> Iterator[Rival]:
    """Make the rivals that are one Python file."""
    for mode, words in MODES.items():
        yield _script(f"sequential{'' if mode == 'client_record' else '-users'}", f"sequential script, {words}", mode)
    yield _script("limit", "the limit: standard library, threads", "client_record")
    yield _script("limit-httpx", "the limit: httpx, threads", "client_record")


def _script(name: str, label: str, mode: str) -> Rival:
    limits = name.startswith("limit")
    file = HERE / "limit.py" if limits else HERE / "rivals" / "sequential.py"
    wire = ["httpx"] if name == "limit-httpx" else []
    return Rival(
        name=name,
        label=label,
        command=lambda job: [sys.executable, str(file), job, mode, *wire],
        prepare=lambda folder, ground: None,  # noqa: ARG005 - needs no file
        reset=lambda folder: None,  # noqa: ARG005 - keeps no state
        requests=lambda ground: _careful(ground, mode) if limits else _careless(ground, mode),
        mode=mode,
    )


def _careful(ground: Ground, mode: str, *, invoices: int = 0) -> Mapping[str, int]:
    """What the program and the limits ask for; only the program looks at recurring invoices."""
    return careful_requests(len(ground.subscriptions), mode, changed=ground.changed, invoices=invoices)


def _careless(ground: Ground, mode: str) -> Mapping[str, int]:
    number = len(ground.subscriptions)
    wanted = {"halo.token": 1, "infima.clients": pages(number, 50), "halo.licences": pages(number, 1_000)}
    if ground.job == "apply":
        wanted["halo.write"] = ground.changed
    if mode == "active_users":
        wanted["infima.users"] = number
    return wanted
