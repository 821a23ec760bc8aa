"""The disk as a run meets it: every system call of the state's files can be the last one, fail, or be lost afterwards.

The shipped `reconciler.state.files` does the work, on real files; only its `os` is exchanged. Beside the files stands
an account of what a power loss would leave: bytes behind the last fsync, and renames and new names in a directory that
was not synced, are not durable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from random import Random
from typing import Any

from reconciler.state import files


class PowerCut(BaseException):
    """The process is gone. No `except Exception` may see it."""


Point = Callable[[str], None]
"""Called at each point where a run can end; may raise `PowerCut` or `OSError`."""

HERE: ContextVar[Point | None] = ContextVar("point", default=None)
"""The run that is under way in this thread."""


def pass_point(kind: str) -> None:
    """Let the run under way, if there is one, end here."""
    point = HERE.get()
    if point is not None:
        point(kind)


class Disk:
    """Stands in for the module `os` inside `reconciler.state.files`."""

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._durable: dict[str, int] = {}  # bytes of a file that an fsync covers
        self._renames: dict[str, bytes | None] = {}  # what a name stood for before a rename that is not durable yet
        self._names: set[str] = set()  # new files whose directory was not synced yet

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    # ---- the calls that matter --------------------------------------------------------------------------------------

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        creating = bool(flags & os.O_CREAT)
        if creating:
            pass_point("create")
        fd = os.open(path, flags, mode)
        self._paths[fd] = str(path)
        if creating:
            self._durable[str(path)] = 0
            self._names.add(str(path))
        return fd

    def write(self, fd: int, content: Any) -> int:
        half = bytes(content)[: len(content) // 2]
        try:
            pass_point("write")
        except PowerCut:
            if HALF_WRITES.get():
                os.write(fd, half)
            raise
        except OSError:
            os.write(fd, half)  # a full disk takes what still fits
            raise
        return os.write(fd, content)

    def fsync(self, fd: int) -> None:
        pass_point("fsync")
        path = self._paths.get(fd)
        if path is None or not os.path.exists(path):  # noqa: PTH110
            return
        if os.path.isdir(path):  # noqa: PTH112
            for name in [n for n in self._renames if os.path.dirname(n) == path]:  # noqa: PTH120
                del self._renames[name]
            self._names = {n for n in self._names if os.path.dirname(n) != path}  # noqa: PTH120
        else:
            self._durable[path] = os.fstat(fd).st_size

    def close(self, fd: int) -> None:
        self._paths.pop(fd, None)
        os.close(fd)

    def replace(self, source: Any, target: Any) -> None:
        pass_point("rename")
        old = self.durable(Path(target))
        os.replace(source, target)  # noqa: PTH105
        self._renames.setdefault(str(target), old)
        self._durable[str(target)] = self._durable.pop(str(source), 0)
        self._names.discard(str(source))

    def unlink(self, path: Any) -> None:
        pass_point("unlink")
        os.unlink(path)  # noqa: PTH108

    def mkdir(self, path: Any, mode: int = 0o777) -> None:
        pass_point("mkdir")
        os.mkdir(path, mode)  # noqa: PTH102

    def ftruncate(self, fd: int, length: int) -> None:
        pass_point("truncate")
        os.ftruncate(fd, length)

    # ---- what a power loss leaves -----------------------------------------------------------------------------------

    def durable(self, path: Path) -> bytes | None:
        """What would be in the file after a power loss in the worst case."""
        name = str(path)
        if name in self._renames:
            return self._renames[name]
        if name in self._names:
            return None
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        return content[: self._durable.get(name, len(content))]

    def lose_power(self, rng: Random) -> None:
        """Lose some of what was not durable: a part of the bytes behind the last fsync, a rename, a new name."""
        for name, length in self._durable.items():
            path = Path(name)
            if name not in self._renames and path.exists() and (extra := path.stat().st_size - length) > 0:
                os.truncate(name, length + rng.randint(0, extra))
        for name, old in self._renames.items():
            if rng.random() < 0.5:
                if old is None:
                    Path(name).unlink(missing_ok=True)
                else:
                    Path(name).write_bytes(old)
                    Path(name).chmod(0o600)
        for name in self._names:
            if rng.random() < 0.5:
                Path(name).unlink(missing_ok=True)
        self.settle()

    def settle(self) -> None:
        """Take what is there now for durable."""
        self._durable.clear()
        self._renames.clear()
        self._names.clear()


HALF_WRITES: ContextVar[bool] = ContextVar("half_writes", default=False)
"""Whether a run that ends in a write leaves half of it behind."""


@contextmanager
def mounted(disk: Disk) -> Iterator[Disk]:
    """Put the disk under the state's files."""
    before = files.os
    files.os = disk  # type: ignore[assignment]
    try:
        yield disk
    finally:
        files.os = before
