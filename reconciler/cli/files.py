"""The files that commands read and write: saved plans, reports, snapshots, edits of mappings.yaml.

`write_file` and `edit_file` are the one way out. A regular file, or nothing, is replaced whole; a device, a pipe or a
link to one is written through; a file that cannot be replaced, because it is mounted by itself or its folder is
read-only, is written in place. Nothing else is ever put into the place of what stands there.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TextIO

from reconciler.cli.output import tell
from reconciler.config import parse_mappings
from reconciler.config.source import decode, read_bytes, refusal
from reconciler.errors import PlanFileError
from reconciler.model import Mappings
from reconciler.moments import spelled
from reconciler.plan_document.read import MAX_PLAN_BYTES, SavedPlan, read_plan_file
from reconciler.planning.snapshot import MAKE_ANOTHER, Snapshot, read_snapshot
from reconciler.state.files import replace_file, write_all

READER_SECONDS = 10.0
"""How long a named pipe without a reader is waited for."""

_CLOSE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
_IRREPLACEABLE = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}
"""A file that is a mount point, or a folder that takes no new file: the file itself may still be writable."""

_HINTS = {
    errno.ENOENT: "Make its folder first, or name another file.",
    errno.ENOSPC: "Free space there, or name another file.",
    errno.EDQUOT: "Free space there, or name another file.",
    errno.ENXIO: "Start the reader first, or name a regular file.",
    errno.EPIPE: "Its reader has gone: start it again, or name a regular file.",
}


def load_plan_file(path: Path) -> SavedPlan:
    """Read a saved plan. Raises `PlanFileError` for everything that is not exactly one."""
    hint = "Make one with: reconciler plan --out FILE"
    try:
        with path.open("rb") as file:  # a pipe is a file too: reconciler show <(git show main:tonight.plan.json)
            content = file.read(MAX_PLAN_BYTES + 1)
        if len(content) > MAX_PLAN_BYTES:
            raise PlanFileError(f"{path} is too large for a plan.", hint=hint)
        return read_plan_file(content)
    except FileNotFoundError as error:
        raise PlanFileError(f"{path} is not a file.", hint=hint) from error
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error


def load_snapshot(path: Path, *, what: str = "this plan is made") -> Snapshot:
    """Read a snapshot file, and tell `what` is made from it. Raises `PlanFileError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.", hint=MAKE_ANOTHER) from error
    snapshot = read_snapshot(data)
    taken = snapshot.observation.taken_at
    tell(f"Nothing is read from INFIMA or HaloPSA: {what} from a snapshot of {spelled(taken, UTC)}.")
    return snapshot


def write_file(path: Path, text: str, *, what: str, private: bool = True) -> None:
    """Write `what` to `path`, as UTF-8; whole or not at all where the path lets it. Raises `PlanFileError`.

    What is `private` names customers, and a file of it is for its owner's eyes only.
    """
    try:
        _put(path, text.encode("utf-8"), private=private)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = _HINTS.get(error.errno or 0, "Name another file.")
        raise PlanFileError(f"The {what} cannot be written to {path}: {reason}.", hint=hint) from error


def edit_file(path: Path, old: bytes, new: bytes) -> None:
    """Replace mappings.yaml, which must still hold `old`, by `new`; its mode and its owner stay.

    Raises `ConfigError` when somebody changed it in between, or when it cannot be written; it is then as it was.
    """
    target = path.resolve()  # a symbolic link stays one

    def unchanged() -> None:
        if read_bytes(target) != old:
            hint = "nothing was written; run the command again"
            raise refusal(str(target), "the file was changed in the meantime", hint)

    unchanged()
    try:
        _replace(target, new, like=target.stat(), last_look=unchanged, old=old)
    except OSError as error:
        reason, hint = error.strerror or str(error), "make the file and its folder writable for this user"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free space there"
        raise refusal(str(path), f"the file cannot be written: {reason}", hint) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    """An edit of mappings.yaml: what the file holds, what it is to hold, and the mappings that come of it."""

    path: Path
    old: bytes
    new: bytes
    mappings: Mappings

    @classmethod
    def make(cls, path: Path, edit: Callable[[str], str], *, now: datetime) -> FileEdit:
        """The edit, checked as a whole; nothing is written. Raises `ConfigError` for what would not be valid."""
        old = read_bytes(path)
        return cls.of(path, old, edit(decode(old, file=str(path))), now=now)

    @classmethod
    def of(cls, path: Path, old: bytes, text: str, *, now: datetime) -> FileEdit:
        """The same where the file was read before: `write` refuses where it holds something else than `old` by then."""
        new = text.encode("utf-8")
        return cls(path=path, old=old, new=new, mappings=parse_mappings(new, file=str(path), now=now))

    @property
    def changes(self) -> bool:
        """False where the file says it already."""
        return self.old != self.new

    def write(self) -> None:
        """Put it into the file. Raises `ConfigError` when somebody changed the file in between."""
        if self.changes:
            edit_file(self.path, self.old, self.new)

    @property
    def patch(self) -> str:
        """The edit as a patch that `git apply` takes; empty where nothing changes."""
        before, after = (text.decode("utf-8").splitlines(keepends=True) for text in (self.old, self.new))
        name = self.path.as_posix().removeprefix("./")
        name = self.path.name if self.path.is_absolute() or ".." in self.path.parts else name
        lines = unified_diff(before, after, f"a/{name}", f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    @property
    def changed_lines(self) -> list[str]:
        """The edit as a diff's lines with two lines around each change, without the names of files."""
        before, after = (text.decode("utf-8").splitlines() for text in (self.old, self.new))
        return list(unified_diff(before, after, lineterm="", n=2))[2:]


def _put(path: Path, content: bytes, *, private: bool) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:  # a link whose target is missing makes that target
        replace_file(Path(os.path.realpath(path)), content, mode=0o600 if private else 0o666 & ~_umask())
        return
    stream = _own_stream(found)
    if stream is not None:
        stream.flush()
        write_all(stream.fileno(), content)
    elif stat.S_ISREG(found.st_mode):
        _replace(path.resolve(), content, like=None if private else found)
    else:
        _write_through(path, found.st_mode, content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _own_stream(found: os.stat_result) -> TextIO | None:
    """This process's own stdout or stderr, where the path (/dev/stdout, the file behind `>`) is one of them.

    A file that the shell has opened for us must not be replaced: what we print afterwards would go to the old one.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a stream of a test has no descriptor
            if os.path.samestat(found, os.fstat(stream.fileno())):
                return stream
    return None


def _replace(
    target: Path,
    content: bytes,
    *,
    like: os.stat_result | None,
    last_look: Callable[[], None] = lambda: None,
    old: bytes | None = None,
) -> None:
    try:
        replace_file(target, content, like=like, last_look=last_look)
    except OSError as error:
        if error.errno not in _IRREPLACEABLE:
            raise
        last_look()
        _overwrite(target, content, old)


def _overwrite(target: Path, content: bytes, old: bytes | None) -> None:
    """Write in place. What fails half-way is put back, where it is known what stood there."""
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | _CLOSE)
    try:
        try:
            _write_whole(descriptor, content)
        except OSError:
            if old is not None:
                os.lseek(descriptor, 0, os.SEEK_SET)
                _write_whole(descriptor, old)
            raise
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, content: bytes) -> None:
    write_all(descriptor, content)
    os.ftruncate(descriptor, len(content))
    os.fsync(descriptor)


def _write_through(path: Path, mode: int, content: bytes) -> None:
    """Write into a device or a pipe; refuse what takes no text."""
    if stat.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, "it is a socket")
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "it is a block device, a disk perhaps")
    descriptor = _open_pipe(path) if stat.S_ISFIFO(mode) else os.open(path, os.O_WRONLY | _CLOSE)
    try:
        write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _open_pipe(path: Path) -> int:
    """Open a named pipe for writing. One without a reader is waited for, but not for ever."""
    end = time.monotonic() + READER_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | _CLOSE)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= end:
                raise OSError(errno.ENXIO, "nobody reads from this pipe") from error
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor
