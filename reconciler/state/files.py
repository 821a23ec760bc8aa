"""Files that survive a crash: the only place that touches the disk for the state.

A file is replaced as a whole (`replace_file`, which writes every other file of this program too: temporary file beside
it, fsync, rename, fsync of the directory) or appended to record by record with an fsync each. The state's directories
are 0700 and its files 0600 whatever the umask says; symbolic links, devices and other users' files are refused there.
Every `OSError` of the state leaves here as a `StateError` that names the file and the errno's words.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from reconciler.errors import StateError

MAX_FILE_BYTES = 256 * 2**20
"""No real file of the state is this large: 20,000 mappings make a state.json of about 5 MB."""

_FOR_OWNER_ALONE = 0o700
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_CREATE = os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class StateFiles(Protocol):
    """The files of a state, read-only, by their names relative to its root ("journal/….jsonl")."""

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is no such file."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Names (with the folder) of the `.jsonl` files in a folder, sorted."""


@contextmanager
def os_errors_as_state_errors(action: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StateError`: "Cannot write …/state.json: No space left on device."."""
    try:
        yield
    except OSError as exc:
        words = os.strerror(exc.errno) if exc.errno else str(exc)
        raise StateError(
            f"Cannot {action} {path}: {words}.",
            hint="Make the place writable and free space there, or name another with --state, then run again.",
        ) from exc


class PrivateDirectory:
    """A directory for this user alone. It is made at the first write; reading a missing one finds nothing.

    Raises `StateError` for symbolic links, for anything that is not a regular file, and for other users' files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> bytes | None:
        path = self.path(name)
        if not self._is_there(self.root) or not self._is_there(path.parent):
            return None
        with os_errors_as_state_errors("read", path):
            try:
                fd = os.open(path, _READ | getattr(os, "O_BINARY", 0))
            except FileNotFoundError:
                return None
            with os.fdopen(fd, "rb") as stream:
                _refuse_strange_file(os.fstat(fd), path)
                return stream.read()

    def names(self, folder: str) -> tuple[str, ...]:
        path = self.path(folder)
        if not self._is_there(self.root) or not self._is_there(path):
            return ()
        with os_errors_as_state_errors("list", path):
            return tuple(sorted(f"{folder}/{entry.name}" for entry in path.iterdir() if entry.suffix == ".jsonl"))

    def replace(self, name: str, content: bytes, *, durable: bool = True) -> None:
        """Put `content` in the file's place: a crash at any point leaves the old file or the new one.

        What is not `durable` a power loss may take back; a killed process loses nothing.
        """
        path = self.path(name)
        self._make(path.parent)
        with os_errors_as_state_errors("write", path):
            with suppress(FileNotFoundError):
                _refuse_strange_file(path.lstat(), path)
            replace_file(path, content, durable=durable)

    def create(self, name: str) -> AppendOnlyFile:
        """Start a new append-only file; one that is there already is an error, never continued."""
        path = self.path(name)
        self._make(path.parent)
        with os_errors_as_state_errors("create", path):
            fd = os.open(path, _CREATE | os.O_WRONLY | os.O_APPEND, 0o600)
            try:
                _set_mode(fd, 0o600)
                _fsync_directory(path.parent)
            except BaseException:
                os.close(fd)
                raise
        return AppendOnlyFile(path, fd)

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is fine."""
        path = self.path(name)
        with os_errors_as_state_errors("remove", path), suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - as above

    def others(self, ours: Collection[str]) -> tuple[str, ...]:
        """What lies here beside `ours`. Hidden names and lost+found do not count: every new volume may have them."""
        if not self._is_there(self.root):
            return ()
        with os_errors_as_state_errors("list", self.root):
            names = {entry.name for entry in self.root.iterdir() if not entry.name.startswith(".")}
        return tuple(sorted(names - {*ours, "lost+found"}))

    def sweep(self) -> None:
        """Remove the temporary files that killed processes left. Call it only while no other process can be writing."""
        with os_errors_as_state_errors("tidy", self.root):
            for folder in (self.root, self.root / "history"):
                for leftover in folder.glob(".*.tmp"):
                    with suppress(FileNotFoundError):
                        leftover.unlink()

    def prepare(self) -> None:
        """Make the directory, private and ours."""
        self._make(self.root)

    def _is_there(self, directory: Path) -> bool:
        with os_errors_as_state_errors("read", directory):
            try:
                found = directory.lstat()
            except FileNotFoundError:
                return False
        _refuse_strange_directory(found, directory)
        return True

    def _make(self, directory: Path) -> None:
        with os_errors_as_state_errors("make", directory):
            if directory != self.root:
                self._make(self.root)
            elif not directory.parent.exists():
                directory.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(directory, _FOR_OWNER_ALONE)  # noqa: PTH102 - as above
                _fsync_directory(directory.parent)
            found = directory.lstat()
            _refuse_strange_directory(found, directory)
            if stat.S_IMODE(found.st_mode) != _FOR_OWNER_ALONE:
                directory.chmod(_FOR_OWNER_ALONE)


class AppendOnlyFile:
    """A file that only grows; after one failure it takes no more."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        self._size = 0
        self._broken = False

    def append(self, content: bytes, *, durable: bool = True) -> None:
        """Write `content` as a whole, and return when it is on disk; what is not `durable` is so with the next record.

        After a failure the file is cut back to its last whole record, and every later append raises: what a failed
        fsync left on disk nobody knows, and a record behind it would claim to follow one that may be lost.
        """
        if self._broken:
            raise StateError(f"Cannot write {self.path}: an earlier write to it failed.", hint="Run again.")
        try:
            with os_errors_as_state_errors("write", self.path):
                write_all(self._fd, content)
                if durable:
                    os.fsync(self._fd)
        except BaseException:
            self._broken = True
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(content)

    def close(self) -> None:
        """Close the file; every durable record in it is on disk already."""
        self._broken = True
        with suppress(OSError):
            os.close(self._fd)


def replace_file(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    like: os.stat_result | None = None,
    durable: bool = True,
    last_look: Callable[[], None] = lambda: None,
) -> None:
    """Put `content` in the place of a regular file, or of nothing, in one step. Raises `OSError`; the old file stays.

    The file gets `mode` whatever the umask says, or mode and owner of `like`. `last_look` is called right before the
    step and may raise to prevent it. What a killed process left is in nobody's way: each temporary file has a name of
    its own.
    """
    temporary = path.with_name(f".reconciler-{secrets.token_hex(8)}.tmp")
    try:
        _write_new_file(temporary, content, mode=mode, like=like, durable=durable)
        last_look()
        os.replace(temporary, path)  # noqa: PTH105 - the system call is the point, and tests break it by name
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        raise
    if durable:
        _fsync_directory(path.parent)


def _write_new_file(path: Path, content: bytes, *, mode: int, like: os.stat_result | None, durable: bool) -> None:
    fd = os.open(path, _CREATE | os.O_WRONLY, 0o600)
    try:
        if like is not None and hasattr(os, "fchown"):
            made = os.fstat(fd)
            if (like.st_uid, like.st_gid) != (made.st_uid, made.st_gid):
                os.fchown(fd, like.st_uid, like.st_gid)
        _set_mode(fd, stat.S_IMODE(like.st_mode) if like is not None else mode)
        write_all(fd, content)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, content: bytes) -> None:
    """Write every byte: one `os.write` may take a part of them."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _set_mode(fd: int, mode: int) -> None:
    if hasattr(os, "fchmod"):
        os.fchmod(fd, mode)  # the mode given to open() is cut by the umask


_NO_DIRECTORY_SYNC = {errno.EACCES, errno.EINVAL, errno.ENOTSUP}
"""A folder that we may write to but not read, and file systems that sync no folders: the rename has worked."""


def _fsync_directory(directory: Path) -> None:
    """Make a rename or a new name durable. Windows cannot open directories and needs no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as exc:
        if exc.errno not in _NO_DIRECTORY_SYNC:
            raise


def _refuse_strange_directory(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISDIR(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a directory"
        raise StateError(f"{path} is {kind}.", hint="Name the state's real directory with --state directory:PATH.")
    _refuse_other_owner(found, path)


def _refuse_strange_file(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"{path} is not a regular file.", hint="Move it away and run again.")
    _refuse_other_owner(found, path)
    if found.st_size > MAX_FILE_BYTES:
        raise StateError(f"{path} is larger than any state file can be.", hint="Move it away and run again.")


def _refuse_other_owner(found: os.stat_result, path: Path) -> None:
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise StateError(
            f"{path} belongs to another user (uid {found.st_uid}).",
            hint="Run as its owner, or name a directory of your own with --state directory:PATH.",
        )
