"""A run that is looked at while it goes: memory of a process and all its children, and what it says when it fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_SECONDS = 0.01
PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The largest memory that was seen, in MiB, and how the run ended."""

    memory: float
    code: int
    complaint: str


def look(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Looked:
    """Run a process to its end and look at its tree's memory every ten milliseconds; 0 where there is no /proc.

    The kernel's own `ru_maxrss` does not do here: it knows the largest process of a tree, not the sum, and counts the
    memory of the parent that a process was forked from.
    """
    largest = 0
    with (folder / "said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(  # noqa: S603 - fixed words
            command, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, stderr=said
        )
        while process.poll() is None:
            together = sum(_kibibytes(each, "VmRSS:") for each in _tree(process.pid))
            largest = max(largest, together, _kibibytes(process.pid, "VmHWM:"))
            time.sleep(EVERY_SECONDS)
        said.seek(0)
        lines = [line for line in said.read().splitlines() if line.strip(" │╷╵")]
    return Looked(memory=largest / 1024, code=process.returncode, complaint=lines[-1] if lines else "")


def _tree(root: int) -> list[int]:
    found = [root]
    for each in found:
        for children in (PROC / str(each) / "task").glob("*/children"):
            found += [int(word) for word in _text(children).split()]
    return found


def _kibibytes(process: int, name: str) -> int:
    for line in _text(PROC / str(process) / "status").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:  # the process has ended
        return ""
