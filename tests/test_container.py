"""The Containerfile: it lints, its build step works here, and what it runs writes nothing but the state."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from tests.cli.bench import served, six_clients
from tests.stage import remember_markers, small_mappings

ROOT = Path(__file__).parents[1]
CONTAINERFILE = ROOT / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def words_of(name: str) -> list[str]:
    return [words for instruction, words in instructions() if instruction == name]


@pytest.mark.skipif(shutil.which("hadolint", path=Path(sys.executable).parent) is None, reason="no hadolint here")
def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, str(CONTAINERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_ordinary_user_on_a_slim_base_with_one_volume_and_no_health_check() -> None:
    assert {words.split()[0] for words in words_of("FROM")} == {"docker.io/library/python:3.13-slim-trixie"}
    assert words_of("USER") == ["10001:10001"]
    assert words_of("VOLUME") == ["/state"]
    assert words_of("HEALTHCHECK") == ["NONE"]
    assert words_of("ENTRYPOINT") == ['["reconciler"]']
    assert "RECONCILER_STATE=directory:/state" in words_of("ENV")[0]
    assert words_of("RUN")[-1].endswith("install --directory --owner=10001 --group=10001 --mode=0700 /state")


def test_the_build_is_given_the_wheel_and_the_lock_and_no_more() -> None:
    assert words_of("COPY") == [
        "requirements/run.txt dist/halo_infima_reconciler-*.whl ./",
        "--from=build /opt/reconciler /opt/reconciler",
    ]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored == ["*", "!requirements/run.txt", "!dist/*.whl"]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="builds from a git checkout, as releases are")
def test_the_build_step_installs_the_program(tmp_path: Path) -> None:
    """As it stands, but for two things: another folder than /opt, and no dependencies, for they are on an index."""
    environment = os.environ | {"VENV": sys.prefix}
    subprocess.run([str(ROOT / ".ci" / "dist"), str(tmp_path / "build")], env=environment, check=True, timeout=100)
    (tmp_path / "build" / "run.txt").write_text("# none\n", encoding="utf-8")
    (step,) = (words for words in words_of("RUN") if "pip" in words)
    place = tmp_path / "opt" / "reconciler"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-ec", step.replace("/opt/reconciler", str(place))],
        cwd=tmp_path / "build", capture_output=True, text=True, timeout=100, check=False,
        env={"PATH": path, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    told = subprocess.run(
        [str(place / "bin" / "reconciler"), "--version"],
        env={"PYTHONPATH": libraries}, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == f"reconciler {__version__}\n"
    assert (place / "share" / "man" / "man1" / "reconciler-plan.1").is_file()


WATCHED = """
import atexit, json, os, sys
written = set()
def watch(event, found):
    if event == "open":
        path, mode, flags = found
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and isinstance(path, str):
            written.add(os.path.abspath(path))
    elif event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}:
        written.update(os.path.abspath(path) for path in found if isinstance(path, str))
atexit.register(lambda: print(json.dumps(sorted(written)), file=open(os.environ["WRITTEN"], "w")))
sys.addaudithook(watch)
from reconciler.cli import entry
entry()
"""


@pytest.mark.parametrize(
    ("command", "writes"),
    [
        ("plan", False),
        ("apply --auto-approve", True),
        ("status", False),
        ("history", False),
        ("explain infima-101", False),
        ("check-invoices", True),
        ("statement", False),
    ],
)
def test_nothing_is_written_but_the_state(
    command: str, *, writes: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the root may be read-only."""
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    world = six_clients()
    world.users_join(101, 2)
    remember_markers(world, state)
    (config / "mappings.yaml").write_text(small_mappings(c104=""), encoding="utf-8")
    with served(world, config, capsys, monkeypatch):
        done = subprocess.run(
            [sys.executable, "-B", "-c", WATCHED, *command.split()],
            env=os.environ | {"RECONCILER_STATE": f"directory:{state}", "WRITTEN": str(tmp_path / "written")},
            cwd=config, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode in {0, 3}, done.stderr
    written = json.loads((tmp_path / "written").read_text(encoding="utf-8"))
    assert bool(written) is writes, written
    assert [path for path in written if not path.startswith((str(state), "/dev/"))] == []
