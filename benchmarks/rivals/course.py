"""One rival on one row: run once to see that it does the job, then measured as often as it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from benchmarks.measuring import Figures, Sample, Simulator, figures, kept_environment, run
from benchmarks.rivals.kinds import Ground, Rival
from benchmarks.rivals.octodns import applied
from benchmarks.rivals.trees import look

SLOW_SECONDS, SLOW_ROUNDS = 20, 3
"""A run that takes longer than that is measured that often, whatever --rounds says."""


class Left(Exception):
    """A rival is left out; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one rival came to in one job at one latency."""

    job: str
    latency: int
    rival: Rival
    figures: Figures
    samples: tuple[Sample, ...]


class Course:
    """A rival with its folder, its environment and its samples."""

    def __init__(self, rival: Rival, ground: Ground, folder: Path, server: Simulator) -> None:
        self.rival = rival
        self._ground, self._folder, self._server = ground, folder, server
        self._environment = {**kept_environment(), **server.environment, **rival.environment}
        self._command = rival.command(ground.job)
        self._samples: list[Sample] = []
        self._requests: Mapping[str, int] = {}
        self._memory = 0.0

    def prove(self) -> None:
        """Run once, unmeasured; raises `Left` when the run fails or an apply leaves wrong quantities."""
        self._folder.mkdir()
        self.rival.prepare(self._folder, self._ground)
        self.rival.reset(self._folder)
        looked = look(self._command, folder=self._folder, environment=self._environment)
        if looked.code:
            raise Left(f"exit code {looked.code}: {looked.complaint}")
        if self._ground.job == "apply" and not self._right():
            raise Left("the quantities are not right afterwards")
        self._server.requests()
        self._memory = looked.memory

    def once(self) -> None:
        """Take one sample from a fresh start. Raises SystemExit when it asks for other things than it should."""
        self.rival.reset(self._folder)
        self._samples.append(run(self._command, folder=self._folder, environment=self._environment))
        self._requests = self._server.requests()
        wanted = self.rival.requests(self._ground)
        if dict(self._requests) != dict(wanted):
            raise SystemExit(f"{self.rival.label}: requests {dict(self._requests)}, expected {dict(wanted)}")

    @property
    def tired(self) -> bool:
        """Whether more rounds would only take time."""
        return len(self._samples) >= SLOW_ROUNDS and self._samples[-1].wall > SLOW_SECONDS

    def row(self, latency: int) -> Row:
        """Sum the samples up; the memory is that of the unmeasured run."""
        found = figures(self._samples, self._requests)
        mine = Figures(wall=found.wall, cpu=found.cpu, memory=self._memory, requests=found.requests)
        return Row(job=self._ground.job, latency=latency, rival=self.rival, figures=mine, samples=tuple(self._samples))

    def _right(self) -> bool:
        if self.rival.offline:
            return applied(self._folder)
        return quantities(self._server.environment) == {each.licence: each.due for each in self._ground.subscriptions}


def quantities(environment: Mapping[str, str]) -> dict[int, int]:
    """Ask HaloPSA for every Subscription's quantity."""
    form = {
        "grant_type": "client_credentials",
        "client_id": environment["HALO_CLIENT_ID"],
        "client_secret": environment["HALO_CLIENT_SECRET"],
        "scope": "edit:softwarelicensing",
    }
    granted = _ask(environment["HALO_URL"] + "/auth/token", {}, urlencode(form).encode())
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    found: dict[int, int] = {}
    page, total = 1, 1
    while len(found) < total:
        address = f"{environment['HALO_URL']}/api/SoftwareLicence?pageinate=true&page_size=1000&page_no={page}"
        answer = _ask(address, headers)
        found |= {row["id"]: row["count"] for row in answer["licences"]}
        page, total = page + 1, answer["record_count"]
    return found


def _ask(address: str, headers: Mapping[str, str], form: bytes | None = None) -> Any:
    request = Request(address, data=form, headers=dict(headers))  # noqa: S310 - the simulator's
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)
