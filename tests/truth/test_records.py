"""The state fails at every push of a run on a real git remote; processes are killed as CI kills them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.clock import SystemClock
from reconciler.simulator.records import Endpoint
from reconciler.simulator.world import World
from reconciler.state.directory import DirectoryState
from tests.clock import VirtualClock
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.faults.server import serve
from tests.stage import TEMPLATE
from tests.state.gitworld import bare_remote, clone, install_hook, isolated_git
from tests.truth.scene import Answer, Scene, staged

ROOT = Path(__file__).parents[2]
GIT = ("--state", "git:reconciler-state")
APPLY = (*GIT, "apply", "--auto-approve", "-o", "json")


def furnish(folder: Path, world: World) -> None:
    """One update from 13 to 21 on an adopted Subscription, and one create."""
    for client, users in ((101, 21), (102, 7)):
        world.add_client(client, f"Client {client}", active=users)
        world.add_customer(client - 90, f"Client {client}")
    world.add_licence(11, TEMPLATE, 13, licence_id=9001)
    (folder / "mappings.yaml").write_text(
        "version: 1\nmappings:\n"
        '  - infima_client: {id: 101, name: "Client 101"}\n    halo_customer: {id: 11, name: "Client 101"}\n'
        "    subscription_id: 9001\n"
        '  - infima_client: {id: 102, name: "Client 102"}\n    halo_customer: {id: 12, name: "Client 102"}\n'
    )


class Remote:
    """A bare repository, clones of it, and the command line in one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = isolated_git(folder)
        self.bare = bare_remote(folder, self.environ)
        self.world = World(clock=VirtualClock())
        self.scene: Scene

    def clone(self, name: str) -> Path:
        """Another machine's clone."""
        return clone(self.bare, self.folder / name, self.environ)

    def refuse_from(self, number: int) -> None:
        """A ruleset on the state branch: a dry run passes, and so do the pushes before that number."""
        counter = self.folder / "pushes"
        script = f"n=$(cat {counter} 2>/dev/null || echo 0); n=$((n+1)); echo $n > {counter}; [ $n -lt {number} ] || "
        install_hook(self.bare, "pre-receive", script + "{ echo 'GH013: ruleset: no bots here' >&2; exit 1; }")

    def accept(self) -> None:
        """Somebody mends the ruleset."""
        (self.bare / "hooks" / "pre-receive").unlink(missing_ok=True)

    def run(self, place: Path, *arguments: str) -> Answer:
        """One command in a clone, as a process of its own."""
        with staged(Scene(self.world, place, Random(1))) as scene:  # noqa: S311
            os.environ.update({name: value for name, value in self.environ.items() if name.startswith("GIT_")})
            return scene.cli(*arguments)

    def lines_of(self, place: Path, key: str) -> list[dict[str, Any]]:
        """What the history says of a mapping, newest first."""
        told = self.run(place, *GIT, "history", key, "-o", "json")
        return json.loads(told.out)["changes"]  # type: ignore[no-any-return]

    def posts(self) -> int:
        """Requests that wrote."""
        return sum(record.endpoint is Endpoint.WRITE for record in self.world.requests)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = Remote(tmp_path)
    furnish(made.clone("work"), made.world)
    return made


@pytest.mark.timeout(120)
def test_a_ruleset_that_lets_only_dry_runs_pass_is_met_before_the_first_request(remote: Remote) -> None:
    remote.refuse_from(1)
    answer = remote.run(remote.folder / "work", *APPLY)
    assert (answer.code, remote.posts()) == (1, 0)
    document = json.loads(answer.out)
    assert document["errored"]
    assert document["error"]["code"] == "state"
    assert answer.err.count("GH013") <= 1
    doctor = remote.run(remote.folder / "work", *GIT, "doctor")
    assert doctor.code == 1
    assert "GH013" in doctor.out.replace("\n", " ")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [2, 3, 4, 5])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same machine", "throw-away runner"])
def test_a_push_that_is_refused_later_changes_no_outcome_and_the_next_run_completes_the_history(
    remote: Remote, number: int, *, elsewhere: bool
) -> None:
    remote.refuse_from(number)
    work = remote.folder / "work"
    answer = remote.run(work, *APPLY)
    document = json.loads(answer.out)
    rows = {row["name"]: row for row in document["resource_changes"]}
    assert remote.posts() > 0
    assert answer.code == 4
    assert "GH013" in document["run"]["record_missing"]
    assert answer.out.count("GH013") <= 2  # the cause, once for what halted and once for the record
    assert rows["infima-101"]["sent"]
    assert rows["infima-101"]["outcome_count"] == remote.world.licences[9001]["count"] == 21
    assert "The record of this run, which the state did not take" in answer.err
    (work / "result.json").write_text(answer.out)
    assert remote.run(work, "ci", "verdict", "--result", "result.json").code == 1
    summary = remote.run(work, "ci", "summary", "--as", "night", "--result", "result.json").out
    assert "The record of this run could not be stored" in summary.splitlines()[2]
    assert "not carried out" not in summary
    assert "right already" not in summary

    remote.accept()
    place = remote.clone("other") if elsewhere else work
    if elsewhere:
        (place / "mappings.yaml").write_text((work / "mappings.yaml").read_text())
    before = remote.run(place, *GIT, "history")
    assert "how far it came is not known" in before.err
    remote.world.clock.sleep(100_000)
    assert remote.run(place, *APPLY).code in {0, 3}
    wrote = [line for line in remote.lines_of(place, "infima-101") if line.get("run") == document["run"]["id"]]
    assert [(line["before"], line["after"], line["outcome"]) for line in wrote] == [(13, 21, "applied")]
    assert "13 -> 21" in remote.run(place, *GIT, "explain", "infima-101").out.replace("  ", " ")
    assert "not ended" not in remote.run(place, *GIT, "history").err


# ---- as CI cancels --------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_run_that_ci_cancels_during_a_request_is_completed_by_the_next_one(tmp_path: Path, nth: int) -> None:
    """SIGINT, a while, SIGTERM, a while, SIGKILL, while HaloPSA answers nothing though it took the write."""
    world = World(clock=SystemClock())
    furnish(tmp_path, world)
    hangs = Fault(kind=FaultKind.SLOW_BODY, at=Endpoint.WRITE, nth=nth, after=True, seconds=600)
    with serve(world, faults=Faults([hangs])) as server:
        environment = dict(server.environment()) | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "-o", "json"]

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

        process = start()
        until = time.monotonic() + 60
        while sum(r.endpoint is Endpoint.WRITE for r in world.requests) < nth and time.monotonic() < until:
            time.sleep(0.02)
        for number, seconds in ((signal.SIGINT, 1.5), (signal.SIGTERM, 0.5), (signal.SIGKILL, 0.0)):
            process.send_signal(number)
            time.sleep(seconds)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (-signal.SIGKILL, "")
        server.faults.replace(Faults())
        (tmp_path / "result.json").write_text(out)
        again = [sys.executable, "-m", "reconciler"]

        def said(*arguments: str) -> str:
            done = subprocess.run(
                [*again, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            return " ".join((done.stdout + done.stderr).split())  # a terminal wraps where it likes

        assert "How far the nightly run came is not known" in said(
            "ci", "summary", "--as", "night", "--result", "result.json"
        )
        shown = " ".join(said("plan").split())
        assert "how far it came is not known" in shown, shown
        next_run = start()
        out, err = next_run.communicate(timeout=60)
        assert json.loads(out)["run"]["exit_code"] in {0, 3, 4}
        assert "taken into the history" in err
    recorded = DirectoryState(tmp_path / ".reconciler", clock=SystemClock()).history.runs()
    cut = [run for run in recorded if run.verdict.recovered_by]
    [line] = [line for line in cut[0].verdict.changes if line.key == "infima-101"]
    assert (line.before, line.after, line.outcome, line.sent) == (13, 21, "applied", True)
