"""The command line, run in process against a world that is served over real HTTP on 127.0.0.1."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.clock import SystemClock
from reconciler.simulator.server import Server
from reconciler.simulator.world import World
from tests.stage import small_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that a person sees."""
        return self.out + self.err


class Typed(io.StringIO):
    """A keyboard: lines that a person types, on something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Bench:
    """A folder with mappings.yaml, a world behind two URLs, and the commands."""

    def __init__(self, world: World, folder: Path, capsys: pytest.CaptureFixture[str], halo_url: str) -> None:
        self.world = world
        self.halo_url = halo_url
        self.folder = folder
        self._capsys = capsys

    @property
    def file(self) -> Path:
        """The mappings file."""
        return self.folder / "mappings.yaml"

    def run(self, *arguments: str, typed: str | None = None) -> Answer:
        """Run one command as a shell would; `typed` is what a person answers on a terminal."""
        self._capsys.readouterr()
        before, sys.stdin = sys.stdin, Typed(typed) if typed is not None else io.StringIO()
        try:
            code = main(list(arguments))
        finally:
            sys.stdin = before
        captured = self._capsys.readouterr()
        return Answer(code=code, out=captured.out, err=captured.err)

    def records(self) -> list[str]:
        """What lies in the state's directory; before the first run that is what the earlier nights left."""
        return sorted(path.name for path in (self.folder / ".reconciler").iterdir())

    def writes(self) -> int:
        """How many mutating requests the world has seen."""
        return sum(record.mutating for record in self.world.requests)


@contextmanager
def served(
    world: World, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """Serve the world, point the environment at it and stand in the folder."""
    for name in ("CI", "GITHUB_ACTIONS", "FORCE_COLOR", "RECONCILER_MAPPINGS", "RECONCILER_STATE"):
        monkeypatch.delenv(name, raising=False)
    with Server(world) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.chdir(folder)
        yield Bench(world, folder, capsys, server.halo_url)


def six_clients() -> World:
    """The small world on the machine's own clock, and a plain licence."""
    world = small_world(SystemClock(), inactive=True)
    world.add_licence(15, "Tax Suite", 4, licence_id=9060, type=0)
    return world
