"""The state in a directory of this machine: the default backend.

A lock is held for the whole of a run and ends with its process. It keeps runs apart, but safety does
not depend on it, because every change of state.json reads, decides and writes under a second, short lock.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import filelock

from reconciler.clock import Clock
from reconciler.errors import StateError, StateLocked
from reconciler.model import Json
from reconciler.state.base import RunInfo, RunState
from reconciler.state.document import STATE_FILE, StateDocument, decode, encode, refuse_moved, refuse_other_use
from reconciler.state.files import PrivateDirectory, StateFiles, os_errors_as_state_errors
from reconciler.state.history import HISTORY_FOLDER, History
from reconciler.state.journal import JOURNAL_FOLDER, Journal
from reconciler.state.recorded import Offers, Recorded
from reconciler.state.recording import Edit, Step, change_offers, record_run, recorded_in
from reconciler.state.spelling import format_time

RUN_LOCK = "run.lock"
HOLDER_FILE = "run.holder"
CHANGE_LOCK = "change.lock"
PROBE_FILE = "doctor.probe"
_OURS = frozenset({STATE_FILE, JOURNAL_FOLDER, HISTORY_FOLDER, RUN_LOCK, HOLDER_FILE, CHANGE_LOCK, PROBE_FILE})
CHANGE_LOCK_SECONDS = 30.0
"""How long a change waits for another process's change, which takes milliseconds unless the disk hangs."""

T = TypeVar("T")


class DirectoryState:
    """`StateStore` in a directory. `durable=False` says that the directory dies with the job that runs."""

    def __init__(self, path: Path, *, clock: Clock, durable: bool = True) -> None:
        self._path = path
        self._directory = PrivateDirectory(path.absolute())
        self._clock = clock
        self._durable = durable

    @property
    def location(self) -> str:
        return f"directory {self._path}"

    @property
    def spec(self) -> str:
        """How --state names it."""
        return f"directory:{self._path.absolute()}"

    @property
    def history(self) -> History:
        """What was recorded over time; reads the disk at each question."""
        refuse_moved(self.look(), self.location)
        return History(self._directory)

    def read(self) -> Recorded:
        return recorded_in(self.look(), self._directory, durable=self._durable, location=self.location)

    def look(self) -> StateDocument:
        """What state.json says, even where it only says that the state was moved."""
        return _read_document(self._directory)

    @contextmanager
    def hold(self, info: RunInfo) -> Iterator[HeldDirectory]:
        """Lock the place for a move."""
        self._prepare()
        with run_lock(self._directory, info, location=self.location):
            yield HeldDirectory(self._directory)

    def prove_writable(self) -> None:
        self._prepare()
        self._directory.replace(PROBE_FILE, b"reconciler doctor tried whether this directory can be written\n")
        self._directory.remove(PROBE_FILE)

    def record_offers(self, change: Callable[[Offers], Offers], *, message: str) -> None:
        self._prepare()
        change_offers(_DirectoryKeeper(self._directory), change, message=message, location=self.location)

    @contextmanager
    def open_run(self, info: RunInfo) -> Iterator[RunState]:
        self._prepare()
        with run_lock(self._directory, info, location=self.location):
            keeper = _DirectoryKeeper(self._directory)
            with record_run(keeper, info, clock=self._clock, durable=self._durable, location=self.location) as run:
                yield run

    def _prepare(self) -> None:
        """Make the directory, private and ours. One that is used for something else keeps its mode."""
        if self._directory.read(STATE_FILE) is None:
            _refuse_other_use(self._directory)
        self._directory.prepare()


class HeldDirectory:
    """A directory during a move: what state.json says there, all files, and a way to write more."""

    def __init__(self, directory: PrivateDirectory) -> None:
        self.document = _read_document(directory)
        self._directory = directory

    def files(self) -> StateFiles:
        return self._directory

    def put(self, files: Mapping[str, bytes], *, message: str) -> None:  # noqa: ARG002 - a directory keeps no messages
        for name in sorted(files, key=lambda name: name == STATE_FILE):
            self._directory.replace(name, files[name])


class _DirectoryKeeper:
    """`Keeper` for one run on a directory."""

    def __init__(self, directory: PrivateDirectory) -> None:
        self.local = self.files = directory
        with self._change_lock():
            directory.sweep()
            self.document = _read_document(directory)
        self._expected = directory.read(STATE_FILE) is not None
        self._written: bytes | None = None  # what `document` was written as

    def started(self, journal: Journal) -> None:
        """Name this run's journal in state.json, so that the next run knows of it even when this one crashes."""

        def step(document: StateDocument, _: StateFiles) -> Edit[None]:
            return Edit(document=replace(document, journal=journal.head), answer=None)

        self.update(step, message="")

    def update(self, step: Step[T], *, message: str) -> T:  # noqa: ARG002 - a directory keeps no messages
        with self._change_lock():
            content = self.local.read(STATE_FILE)
            if content is None and self._expected:
                raise StateError(
                    f"{self.local.path(STATE_FILE)} vanished during the run.",
                    hint="Put it back. What it means to go on without: reconciler explain state-lost.",
                )
            ours = self._written is not None and content == self._written
            edit = step(self.document if ours else _decode(self.local, content), self.files)
            for name, whole in edit.files.items():
                self.local.replace(name, whole)
            written = encode(edit.document)
            self.local.replace(STATE_FILE, written)
        self.document, self._written, self._expected = edit.document, written, True
        return edit.answer

    def overtaken(self) -> bool:
        """The run lock keeps other runs out; where it was left out, state.json tells."""
        moved = self._written is not None and self.local.read(STATE_FILE) != self._written
        if moved:
            self._written = None
        return moved

    @contextmanager
    def _change_lock(self) -> Iterator[None]:
        path = self.local.path(CHANGE_LOCK)
        lock = filelock.FileLock(path, timeout=CHANGE_LOCK_SECONDS, mode=0o600)
        with os_errors_as_state_errors("lock", path):
            try:
                lock.acquire()
            except filelock.Timeout as exc:
                raise StateLocked(
                    f"Another process has been changing {self.local.root} for {CHANGE_LOCK_SECONDS:.0f} seconds.",
                    hint="Its disk may hang. See which reconciler runs, and try again when it is over.",
                ) from exc
        try:
            yield
        finally:
            lock.release()


@contextmanager
def run_lock(directory: PrivateDirectory, info: RunInfo, *, location: str) -> Iterator[None]:
    """Hold the run lock. Raises `StateLocked`, which names the holder; a dead process's leftovers never block."""
    path = directory.path(RUN_LOCK)
    lock = filelock.FileLock(path, timeout=0, mode=0o600)
    with os_errors_as_state_errors("lock", path):
        try:
            lock.acquire()
        except filelock.Timeout as exc:
            raise _locked(directory, location) from exc
    try:
        directory.replace(HOLDER_FILE, _describe_holder(info), durable=False)
        yield
    finally:
        try:
            with suppress(StateError):  # a note that stays says nothing once the lock is free
                directory.remove(HOLDER_FILE)
        finally:
            lock.release()


def _describe_holder(info: RunInfo) -> bytes:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "a user without a name"
    holder: dict[str, Json] = {
        "pid": os.getpid(),
        "host": platform.node(),
        "user": user,
        "command": info.command,
        "run": info.id,
        "since": format_time(info.started_at),
    }
    return (json.dumps(holder) + "\n").encode("ascii")


def _locked(directory: PrivateDirectory, location: str) -> StateLocked:
    """Name the holder. Its note may be missing for a moment, or be damaged: the lock holds all the same."""
    try:
        holder = json.loads(directory.read(HOLDER_FILE) or b"")
        who = f"`{holder['command']}` by {holder['user']} on {holder['host']}, process {holder['pid']}"
        since, way_out = holder["since"], f"end process {holder['pid']} on {holder['host']}"
    except (ValueError, TypeError, KeyError, StateError):
        who, since, way_out = "a process that left no name", "a moment ago", "end its process"
    return StateLocked(
        f"Another run holds {location}: {who}, since {since}.",
        hint=f"Wait until it is over. If it hangs, {way_out}: the lock ends with it, and no file needs deleting.",
    )


def _read_document(directory: PrivateDirectory) -> StateDocument:
    content = directory.read(STATE_FILE)
    if content is None:
        _refuse_other_use(directory)
    return _decode(directory, content)


def _refuse_other_use(directory: PrivateDirectory) -> None:
    refuse_other_use("directory", str(directory.root), directory.others(_OURS))


def _decode(directory: PrivateDirectory, content: bytes | None) -> StateDocument:
    return decode(content, place=str(directory.path(STATE_FILE)))
