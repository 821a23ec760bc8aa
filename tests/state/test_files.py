"""Private files: modes, strangers, and a disk that fails at any call."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.directory import DirectoryState
from reconciler.state.files import PrivateDirectory
from reconciler.state.journal import journal_name
from tests.state.samples import StillClock, attempt, binding, intent, read_journal, run_info, verdict


@pytest.fixture(params=[0o000, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def test_modes_do_not_depend_on_the_umask(umask: int, store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info()) as run:
        run.finish(verdict())

    root = tmp_path / "state"
    modes = {path.relative_to(root).as_posix(): stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*")}
    assert stat.S_IMODE(root.lstat().st_mode) == 0o700
    assert {name for name, mode in modes.items() if mode == 0o700} == {"journal", "history"}
    assert set(modes.values()) == {0o700, 0o600}


def test_open_directory_is_closed_to_others(store: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    with store.open_run(run_info()):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_system_without_posix_calls_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither fchmod nor directories that can be opened, nor owners by number."""
    for name in ("fchmod", "O_DIRECTORY", "geteuid"):
        monkeypatch.delattr(os, name)
    directory = PrivateDirectory(tmp_path / "state")

    directory.replace("state.json", b"whole")
    file = directory.create("journal/a.jsonl")
    file.append(b"line")
    file.close()

    assert (directory.read("state.json"), directory.read("journal/a.jsonl")) == (b"whole", b"line")


def test_symlinked_directory_is_refused(store: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "real")

    with pytest.raises(StateError, match="is a symbolic link"):
        store.read()
    with pytest.raises(StateError, match="is a symbolic link"):
        store.open_run(run_info()).__enter__()
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("name", ["state.json", "run.lock", "change.lock", "run.holder"])
def test_symlinked_file_is_refused_and_its_target_untouched(store: DirectoryState, tmp_path: Path, name: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / name).symlink_to(tmp_path / "victim")

    with pytest.raises(StateError):
        store.open_run(run_info()).__enter__()
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("folder", ["journal", "history"])
def test_symlinked_folder_is_refused(store: DirectoryState, tmp_path: Path, folder: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / folder).symlink_to(tmp_path / "real")

    with pytest.raises(StateError, match="is a symbolic link"), store.open_run(run_info()) as run:
        run.finish(verdict())
    assert list((tmp_path / "real").iterdir()) == []


def test_fifo_in_the_place_of_a_file_is_refused_without_waiting(store: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.mkfifo(tmp_path / "state" / "state.json")

    with pytest.raises(StateError, match="not a regular file"):
        store.read()


def test_directory_in_the_place_of_a_file_is_refused(store: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "state" / "state.json").mkdir(parents=True)

    with pytest.raises(StateError):
        store.read()


def test_file_in_the_place_of_the_directory_is_refused(store: DirectoryState, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(StateError, match="not a directory"):
        store.open_run(run_info()).__enter__()


def test_other_users_files_are_refused(store: DirectoryState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.open_run(run_info()):
        pass
    monkeypatch.setattr(os, "geteuid", lambda: 4242)

    with pytest.raises(StateError, match="belongs to another user"):
        store.read()


def test_monstrous_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.state.files.MAX_FILE_BYTES", 10)
    (tmp_path / "big").write_bytes(b"x" * 11)

    with pytest.raises(StateError, match="larger"):
        PrivateDirectory(tmp_path).read("big")


class FailingDisk:
    """Lets `calls` system calls pass and fails the next one, and all after it, with `code`."""

    NAMES = ("write", "fsync", "replace", "mkdir", "fchmod")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.seen = 0
        self.code = errno.ENOSPC
        self.short = False
        for name in self.NAMES:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real):  # type: ignore[no-untyped-def]
        def call(*args, **kwargs):  # type: ignore[no-untyped-def]
            self.seen += 1
            if self.left is None:
                return real(*args, **kwargs)
            if self.left == 0:
                if name == "write" and self.short:
                    real(args[0], bytes(args[1])[:7])  # a disk that fills up in the middle of a record
                raise OSError(self.code, os.strerror(self.code))
            self.left -= 1
            return real(*args, **kwargs)

        return call


STEPS = {
    "attempts": lambda run: run.record_attempts([attempt("acme", "new")]),
    "bindings": lambda run: run.record_bindings([binding("borealis", 9002)]),
    "intend": lambda run: run.intend(intent(1)),
    "finish": lambda run: run.finish(verdict("r2")),
}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FailingDisk:
    return FailingDisk(monkeypatch)


@pytest.mark.parametrize(("code", "how"), [(errno.ENOSPC, "half written"), (errno.EIO, "not written")])
@pytest.mark.parametrize("step", ["attempts", "bindings", "intend", "finish"])
def test_failing_disk_leaves_old_or_new_state_and_raises(
    tmp_path: Path, disk: FailingDisk, step: str, code: int, how: str
) -> None:
    """At every system call of a step: `StateError` with the errno's words, and the state as before or as after."""
    reached = 0
    while True:
        root = tmp_path / f"s{reached}"
        store = DirectoryState(root, clock=StillClock())
        with store.open_run(run_info("r1")) as run:
            run.record_bindings([binding("acme0", 9001)])
            run.finish(verdict("r1"))
        failed = None
        with store.open_run(run_info("r2")) as run:
            before = store.read()
            disk.code, disk.short, disk.left = code, how == "half written", reached
            try:
                STEPS[step](run)
            except StateError as exc:
                failed = exc
            disk.left = None
            after = store.read()
            run.finished = True
        if failed is None:
            assert reached >= 2, "the step made no system call that could fail"
            break
        assert os.strerror(code) in failed.message
        _assert_old_or_new(step, before, after)
        reading = read_journal(root / journal_name(run_info("r2")))
        assert (reading.problem, reading.torn) == ("", b"")
        lost = [finding for finding in store.history.verify() if not finding.crash]
        assert lost == []
        reached += 1


def _assert_old_or_new(step: str, before, after) -> None:  # type: ignore[no-untyped-def]
    if step == "attempts":
        assert dict(after.attempts) in ({}, {"acme": attempt("acme", "new")})
        assert after.bindings == before.bindings
    elif step == "bindings":
        assert set(after.bindings) in ({"acme0"}, {"acme0", "borealis"})
    else:
        assert (after.bindings, after.attempts) == (before.bindings, before.attempts)


def test_failing_disk_at_the_start_of_a_run_stops_it(tmp_path: Path, disk: FailingDisk) -> None:
    reached = 0
    while True:
        store = DirectoryState(tmp_path / f"s{reached}", clock=StillClock())
        disk.left = reached
        entered = False
        try:
            with store.open_run(run_info()) as run:
                disk.left = None
                entered = True
                run.finished = True
        except StateError as exc:
            assert "No space left" in exc.message  # noqa: PT017 - the loop needs to know which calls fail
        disk.left = None
        if entered:
            break
        reached += 1
    assert reached > 10


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system calls that decide what survives a power cut, in order, with what they were done to."""
    seen: list[str] = []

    def watched(name: str, real):  # type: ignore[no-untyped-def]
        def call(*args, **kwargs):  # type: ignore[no-untyped-def]
            target = Path(f"/proc/self/fd/{args[0]}").readlink() if isinstance(args[0], int) else Path(args[-1])
            seen.append(f"{name} {'temporary' if target.suffix == '.tmp' else target.name}")
            return real(*args, **kwargs)

        return call

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks up open files in /proc")
def test_intent_is_on_disk_before_the_call_returns(store: DirectoryState, calls: list[str]) -> None:
    with store.open_run(run_info()) as run:
        run.intend(intent(1))
        calls.clear()
        run.intend(intent(2))
        assert calls == ["write 20261122T051703Z-r1.jsonl", "fsync 20261122T051703Z-r1.jsonl"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks up open files in /proc")
def test_state_is_on_disk_before_it_takes_the_old_ones_place_and_the_name_after(
    store: DirectoryState, calls: list[str]
) -> None:
    with store.open_run(run_info()) as run:
        calls.clear()
        run.record_attempts([attempt("acme")])
        assert calls[2:] == ["write temporary", "fsync temporary", "replace state.json", "fsync state"]


def test_a_file_system_that_syncs_no_folders_will_do(store: DirectoryState, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        run.finish(verdict())
    assert set(store.read().bindings) == {"acme"}


def test_nothing_is_appended_behind_a_failed_write(store: DirectoryState, disk: FailingDisk) -> None:
    with store.open_run(run_info()) as run:
        run.note("first", {})
        run.record_bindings([binding("acme", 9001)])
        disk.left = 0
        with pytest.raises(StateError, match="No space left"):
            run.intend(intent(1))
        disk.left = None
        with pytest.raises(StateError, match="earlier write"):
            run.intend(intent(2))
        run.finished = True
