"""Real processes: two that race for the same creates, and one that is killed at every system call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.model import MappingKey
from reconciler.state.directory import DirectoryState
from reconciler.state.journal import journal_name
from tests.state.gitworld import clone
from tests.state.samples import StillClock, attempt, read_journal, run_info, verdict

ROOT = Path(__file__).parents[2]

RACER = """
import json, os, sys
from pathlib import Path
from reconciler.clock import SystemClock
from reconciler.errors import StateError
from reconciler.state.directory import DirectoryState
from reconciler.state.git import GitState
from tests.state.samples import attempt, run_info, verdict
from tests.state.unlocked import no_run_lock

kind, place, name, rounds = sys.argv[1:]
clock = SystemClock()
store = (
    DirectoryState(Path(place), clock=clock)
    if kind == "directory"
    else GitState(Path(place), clock=clock, environ=os.environ)
)
granted = []
with no_run_lock(), store.open_run(run_info(name)) as run:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(rounds)):
        granted += run.record_attempts([attempt(f"k{number:02}", name, run=name)])
    run.finish(verdict(name, snapshot={}))
print(json.dumps(granted))
"""


def race(kind: str, places: list[Path], rounds: int, environ: dict[str, str] | None = None) -> list[set[str]]:
    """Let one process for each place try to be granted the same keys; return what each was granted."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, kind, str(place), f"r{number}", str(rounds)],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, place in enumerate(places)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outputs = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(racers)
    return [set(json.loads(output)) for output in outputs]


def test_directory_grants_each_create_to_exactly_one_of_two_processes(tmp_path: Path) -> None:
    one, two = race("directory", [tmp_path / "s"] * 2, 40)

    assert not one & two
    assert one | two == {f"k{number:02}" for number in range(40)}
    store = DirectoryState(tmp_path / "s", clock=StillClock())
    assert {key for key, row in store.read().attempts.items() if row.nonce == "r0"} == one
    assert store.history.verify() == ()


@pytest.mark.parametrize("clones", ["two clones", "one clone"])
def test_git_remote_grants_each_create_to_exactly_one_of_two_processes(
    tmp_path: Path, remote: Path, git_environ: dict[str, str], clones: str
) -> None:
    places = [clone(remote, tmp_path / "c0", git_environ)] * 2
    if clones == "two clones":
        places[1] = clone(remote, tmp_path / "c1", git_environ)

    one, two = race("git", places, 6, git_environ)

    assert not one & two
    assert one | two == {f"k{number:02}" for number in range(6)}


KILLED = """
import json, os, signal, sys
from pathlib import Path
from reconciler.state.directory import DirectoryState
from reconciler.state.files import PrivateDirectory
import filelock
from tests.state.samples import START, StillClock, attempt, binding, intent, run_info, verdict

root = Path(sys.argv[1])

def work(place, point, half):
    left = [point]
    def fatal(name, real):
        def call(*arguments, **named):
            left[0] -= name == "write" or not half
            if left[0] < 0:
                if half:
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)
        return call
    promises = os.open(place.with_suffix(".promises"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    write = os.write
    for name in ("write", "fsync", "replace", "mkdir", "unlink"):
        setattr(os, name, fatal(name, getattr(os, name)))
    with DirectoryState(place, clock=StillClock()).open_run(run_info("r1")) as run:
        run.record_attempts([attempt("acme", "n1")])
        write(promises, b"attempt\\n")
        run.intend(intent(1))
        write(promises, b"intent\\n")
        run.record_bindings([binding("acme", 9001)])
        write(promises, b"binding\\n")
        run.finish(verdict("r1"))
        write(promises, b"finish\\n")

for half in (False, True):
    point = 0
    while True:
        place = root / f"{'half' if half else 'before'}-{point:03}"
        child = os.fork()
        if child == 0:
            try:
                work(place, point, half)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        point += 1
    print(point)
"""


def test_kill_at_every_system_call_keeps_every_promise(tmp_path: Path) -> None:
    """SIGKILL before each write, fsync, rename, mkdir and unlink, and in the middle of each write."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    points = [int(line) for line in done.stdout.split()]
    assert len(points) == 2
    assert points[0] > 30
    assert points[1] > 10
    for promises in sorted(tmp_path.glob("*.promises")):
        _check_survivor(promises.with_suffix(""), promises.read_text().split())


def _check_survivor(place: Path, promised: list[str]) -> None:
    store = DirectoryState(place, clock=StillClock())
    recorded = store.read()
    acme = MappingKey("acme")
    if "binding" in promised:
        assert recorded.bindings[acme].subscription_id == 9001
    elif "attempt" in promised:
        assert acme in recorded.bindings or recorded.attempts[acme].nonce == "n1"
    if "intent" in promised:
        assert read_journal(place / journal_name(run_info("r1"))).unknown_intents == (1,)
    if "finish" in promised:
        assert [run.info.id for run in store.history.runs()] == ["r1"]

    with store.open_run(run_info("r2")) as run:
        expected = frozenset() if acme in recorded.attempts or acme in recorded.bindings else {"acme"}
        assert run.record_attempts([attempt("acme", "n2")]) == expected
        run.finish(verdict("r2"))
    assert [finding for finding in store.history.verify() if not finding.crash] == []
    assert not list(place.rglob("*.tmp"))
