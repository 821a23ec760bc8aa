"""Loaded by a process under test before anything else: lets it end, or its disk fail, at one chosen system call.

TORTURE_AT counts calls of write, fsync, rename, send and receive from 1; TORTURE_DO says what happens there: `kill`,
`half` (half of a write, then kill), `interrupt`, `terminate`, or the number of an errno for the disk. TORTURE_LOG names
a file that gets one line for each call. TORTURE_HOURS puts the wall clock ahead and makes waits pass at once.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

AT, DO, LOG = (
    int(os.environ.get("TORTURE_AT", "0")),
    os.environ.get("TORTURE_DO", "kill"),
    os.environ.get("TORTURE_LOG"),
)
DISK = frozenset({"write", "fsync", "rename"})
_real_write = os.write
_passed: list[str] = []


def _point(kind: str, halve: Callable[[], object] | None = None) -> None:
    if DO.isdigit() and kind not in DISK:
        return
    _passed.append(kind)
    if len(_passed) != AT:
        return
    match DO:
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        case errno if errno.isdigit():
            raise OSError(int(errno), os.strerror(int(errno)))
        case _:
            if DO == "half" and halve is not None:
                halve()
            os.kill(os.getpid(), signal.SIGKILL)


def _wrap(owner: Any, name: str, kind: str, place: int) -> None:
    real = getattr(owner, name)

    def call(*args: Any, **options: Any) -> Any:
        half = None
        if kind in {"write", "send"}:
            content = bytes(args[place])
            half = lambda: real(*args[:place], content[: len(content) // 2])  # noqa: E731
        _point(kind, half)
        return real(*args, **options)

    setattr(owner, name, call)


if AT or LOG:
    _wrap(os, "write", "write", 1)
    _wrap(os, "fsync", "fsync", 0)
    _wrap(os, "replace", "rename", 0)
    for method in ("send", "sendall"):
        _wrap(socket.socket, method, "send", 1)
    for method in ("recv", "recv_into"):
        _wrap(socket.socket, method, "receive", 0)

if LOG:
    atexit.register(lambda: Path(str(LOG)).write_text("\n".join(_passed), encoding="ascii"))

if HOURS := os.environ.get("TORTURE_HOURS"):
    import time
    from datetime import timedelta

    from reconciler.clock import SystemClock

    ahead = timedelta(hours=float(HOURS))
    slept = [0.0]
    SystemClock.now = lambda clock, _now=SystemClock.now: _now(clock) + ahead + timedelta(seconds=slept[0])  # type: ignore[method-assign,misc]
    SystemClock.monotonic = lambda _: time.monotonic() + slept[0]  # type: ignore[method-assign]

    def _pass(_self: SystemClock, seconds: float) -> None:
        slept[0] += max(seconds, 0.0)

    SystemClock.sleep = _pass  # type: ignore[method-assign]
