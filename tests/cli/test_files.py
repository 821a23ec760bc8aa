"""Every kind of thing that a path may name: it is replaced where it is a regular file, and never otherwise."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli import files
from reconciler.cli.files import edit_file, write_file
from reconciler.errors import ConfigError, PlanFileError
from tests.cli.bench import Bench

TEXT = "A plan with an \u00e9.\n"
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(os.name != "posix", reason="kinds of files that this system does not have")


def written(path: Path) -> str:
    write_file(path, TEXT, what="plan")
    return path.read_text(encoding="utf-8")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- regular files and nothing --------------------------------------------------------------------------------------


def test_what_is_missing_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    assert written(tmp_path / "plan.json") == TEXT
    assert names(tmp_path) == ["plan.json"]
    if os.name == "posix":
        assert mode(tmp_path / "plan.json") == 0o600


@posix
def test_what_names_nobody_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "summary.md", TEXT, what="summary", private=False)
    finally:
        os.umask(before)
    assert mode(tmp_path / "summary.md") == 0o640


def test_a_regular_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("an old plan, much longer than the new one" * 9)
    assert written(path) == TEXT
    assert names(tmp_path) == ["plan.json"]


@pytest.mark.parametrize("leftover", [".plan.json.{}", ".plan.json.tmp", ".plan.json.{}.tmp"])
def test_a_leftover_temporary_file_blocks_nothing(tmp_path: Path, leftover: str) -> None:
    (tmp_path / leftover.format(os.getpid())).write_text("of a killed process with our number")
    assert written(tmp_path / "plan.json") == TEXT


@posix
def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    assert written(tmp_path / ("p" * 250 + ".json")) == TEXT


@posix
@pytest.mark.parametrize("standing", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, *, standing: bool) -> None:
    target, link = tmp_path / "real.json", tmp_path / "plan.json"
    link.symlink_to(target.name)
    if standing:
        target.write_text("old")
    assert written(link) == TEXT
    assert link.is_symlink()
    assert not target.is_symlink()


# ---- what is written through ----------------------------------------------------------------------------------------


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """A null device of our own: the machine's is not put at risk by a test that fails."""
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.write_text("it takes this")
    except (OSError, AttributeError):
        pytest.skip("no device can be made here")
    return device


def test_a_device_stays_a_device(null: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(null)
    for path in (null, link):
        write_file(path, TEXT, what="plan")
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert link.is_symlink()
    assert names(tmp_path) == ["link", "null"]


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "--out", "null"],
        ["plan", "--save-snapshot", "null"],
        ["report", "--out", "null"],
        ["simulate", "--for", "0.1", "--env-file", "null"],
    ],
)
def test_every_command_leaves_a_device_alone(bench: Bench, null: Path, words: list[str]) -> None:
    assert bench.run(*words).code == 0
    assert stat.S_ISCHR(null.lstat().st_mode)


@posix
def test_a_named_pipe_is_written_into_once_somebody_reads(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Timer(0.2, lambda: heard.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_file(pipe, TEXT * 20_000, what="plan")
    reader.join()
    assert heard == [TEXT * 20_000]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


@posix
def test_a_named_pipe_that_nobody_reads_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "READER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlanFileError, match="nobody reads from this pipe") as caught:
        write_file(tmp_path / "pipe", TEXT, what="plan")
    assert "reader" in caught.value.hint


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `write FILE` writes the text to FILE and then says "told" on stdout."""
    code = (
        "import sys; from pathlib import Path; from reconciler.cli.files import write_file; "
        f"print('before'); write_file(Path(sys.argv[1]), {TEXT!r}, what='plan'); print('told')"
    )
    head = f'write() {{ {sys.executable} -c "{code}" "$@"; }}; '
    return subprocess.run(
        ["/bin/bash", "-c", head + line],
        cwd=folder, env={"PYTHONPATH": str(Path(files.__file__).parents[2]), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=True,
    )  # fmt: skip


@posix
@pytest.mark.parametrize(
    "line",
    [
        "write /dev/stdout | cat",
        "write /dev/fd/1 | cat",
        "write /dev/stdout > all.txt; cat all.txt",
        "write all.txt > all.txt; cat all.txt",
        "ln -s /dev/stdout link; write link > all.txt; cat all.txt; test -L link",
    ],
)
def test_our_own_stdout_gets_everything_in_its_order(tmp_path: Path, line: str) -> None:
    assert shell(line, tmp_path).stdout == f"before\n{TEXT}told\n"


@posix
def test_process_substitution(tmp_path: Path) -> None:
    assert shell("write >(cat > other.txt); sleep 0.3; cat other.txt", tmp_path).stdout == f"before\ntold\n{TEXT}"


# ---- what is refused ------------------------------------------------------------------------------------------------


@posix
def test_a_socket_is_refused_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("socket")
        with pytest.raises(PlanFileError, match="it is a socket"):
            write_file(Path("socket"), TEXT, what="plan")
        assert stat.S_ISSOCK(Path("socket").stat().st_mode)


def test_a_disk_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    try:
        os.mknod(disk, stat.S_IFBLK | 0o600, os.makedev(7, 250))
    except (OSError, AttributeError):
        pytest.skip("no device can be made here")
    with pytest.raises(PlanFileError, match="a block device"):
        write_file(disk, TEXT, what="plan")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanFileError, match="cannot be written"):
        write_file(tmp_path, TEXT, what="plan")
    assert names(tmp_path) == []


@pytest.mark.parametrize("words", [["plan", "--out"], ["plan", "--save-snapshot"], ["report", "--out"]])
@pytest.mark.parametrize(("where", "told"), [("missing/plan.json", "there is no folder"), (".", "is a directory")])
def test_a_place_that_cannot_be_is_told_before_anything_is_read(
    bench: Bench, words: list[str], where: str, told: str
) -> None:
    answer = bench.run(*words, where)
    assert answer.code == 64
    assert told in answer.err
    assert not bench.world.requests


def test_a_demo_never_writes_over_a_mappings_file(bench: Bench) -> None:
    before = bench.file.read_bytes()
    answer = bench.run("demo", "--keep", ".")
    assert (answer.code, bench.file.read_bytes()) == (1, before)
    assert "Name a new folder" in answer.err


# ---- what cannot be replaced, but written ---------------------------------------------------------------------------


def busy(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Renames fail as they do on a file that is mounted by itself, or in a folder that takes no new file."""

    def refuse(*_paths: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS, errno.EXDEV])
@pytest.mark.parametrize("old", ["short", "much longer than the new text " * 9])
def test_a_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, old: str
) -> None:
    busy(monkeypatch, number)
    path = tmp_path / "plan.json"
    path.write_text(old)
    inode = path.stat().st_ino
    assert written(path) == TEXT
    assert path.stat().st_ino == inode
    edit_file(path, TEXT.encode(), b"version: 1\n")
    assert path.read_bytes() == b"version: 1\n"
    assert names(tmp_path) == ["plan.json"]


def test_a_new_file_in_a_folder_that_takes_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(monkeypatch, errno.EROFS)
    with pytest.raises(PlanFileError, match="Read-only file system"):
        write_file(tmp_path / "plan.json", TEXT, what="plan")
    assert names(tmp_path) == []


MOUNTED = """
mount --bind outer.yaml inner.yaml || exit 99
PYTHON -c "
from pathlib import Path
from reconciler.cli.files import edit_file, write_file
edit_file(Path('inner.yaml'), b'old', b'new')
write_file(Path('inner.yaml'), Path('inner.yaml').read_text() + 'er', what='plan')
"
"""


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="only root mounts")
def test_a_file_that_is_mounted_by_itself(tmp_path: Path) -> None:
    for name in ("outer.yaml", "inner.yaml"):
        (tmp_path / name).write_text("old")
    done = subprocess.run(
        ["unshare", "-m", "/bin/bash", "-c", MOUNTED.replace("PYTHON", sys.executable)],
        cwd=tmp_path, env={"PYTHONPATH": str(Path(files.__file__).parents[2]), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == 99 or "unshare failed" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert (done.returncode, done.stderr) == (0, "")
    assert ((tmp_path / "outer.yaml").read_text(), (tmp_path / "inner.yaml").read_text()) == ("newer", "old")
    assert names(tmp_path) == ["inner.yaml", "outer.yaml"]


READ_ONLY = """
import os
from pathlib import Path
from reconciler.cli.files import edit_file
os.setgid(65534); os.setuid(65534)
edit_file(Path("folder/m.yaml"), b"old", b"new")
try:
    edit_file(Path("folder/not_ours.yaml"), b"old", b"new")
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(not ROOT or sys.platform != "linux", reason="only root can become somebody else")
def test_a_file_of_ours_in_a_folder_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("m.yaml", "not_ours.yaml"):
        (folder / name).write_text("old")
        (folder / name).chmod(0o644)
    os.chown(folder / "m.yaml", 65534, 65534)
    for above in (folder, *folder.parents):
        if above == Path("/tmp"):  # noqa: S108 - where pytest's folders lie
            break
        above.chmod(above.stat().st_mode | 0o055)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY], cwd=tmp_path, env={"PYTHONPATH": str(Path(files.__file__).parents[2])},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert (folder / "m.yaml").read_text() == "new"
    assert (folder / "not_ours.yaml").read_text() == "old"
    assert "Permission denied" in done.stdout


# ---- edits of mappings.yaml -----------------------------------------------------------------------------------------


def test_an_edit_keeps_the_mode_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    edit_file(path, b"old", b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["m.yaml"]
    if os.name == "posix":
        assert mode(path) == 0o640


@pytest.mark.skipif(not ROOT, reason="only root has files of others")
def test_an_edit_keeps_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"old")
    os.chown(path, 12345, 23456)
    edit_file(path, b"old", b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_an_edit_is_refused_when_the_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"somebody's")
    with pytest.raises(ConfigError, match="changed in the meantime"):
        edit_file(path, b"old", b"new")
    assert path.read_bytes() == b"somebody's"


def test_an_edit_follows_a_symbolic_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.yaml", tmp_path / "m.yaml"
    target.write_bytes(b"old")
    link.symlink_to(target)
    edit_file(link, b"old", b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def failing_once(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[..., object]:
    """The first call of this system call finds a full disk."""
    real = getattr(os, name)
    calls: list[int] = []

    def call(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, name, call)
    return call


def test_an_edit_cleans_up_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"old")
    failing_once(monkeypatch, "fsync")
    with pytest.raises(ConfigError, match="No space left") as caught:
        edit_file(path, b"old", b"new")
    assert caught.value.hint == "free space there"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["m.yaml"]


def test_an_edit_in_place_that_fails_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"old and long")
    busy(monkeypatch, errno.EBUSY)
    failing_once(monkeypatch, "ftruncate")
    with pytest.raises(ConfigError, match="No space left"):
        edit_file(path, b"old and long", b"new")
    assert path.read_bytes() == b"old and long"
