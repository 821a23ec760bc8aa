"""A clock that only tests move, and the parts that a forge needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.forge.github import GitHub
from reconciler.forge.github_api import read_place
from reconciler.http.connections import kept_connections
from reconciler.http.waiting import Deadline
from tests.clock import VirtualClock
from tests.forge.fake_github import FakeGitHub, served_github
from tests.quiet import ignore_events
from tests.state.gitworld import isolated_git


@contextmanager
def connected(fake: FakeGitHub, tools: dict[str, Any], token: str) -> Iterator[GitHub]:
    """The shipped client of it, with that token."""
    place = read_place({"GITHUB_API_URL": fake.url, "GITHUB_REPOSITORY": "acme/billing", "GITHUB_TOKEN": token})
    github = GitHub(place, **tools)
    try:
        yield github
    finally:
        github.close()


def short(text: str) -> Callable[[int], str]:
    """A text that can be had in any length."""
    return lambda limit: text[:limit]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def tools(clock: VirtualClock) -> dict[str, Any]:
    """Real HTTP on loopback, waits on the virtual clock."""
    deadline = Deadline(clock=clock, observer=ignore_events, ends_at=clock.monotonic() + 300)
    return {"deadline": deadline, "factory": kept_connections(1), "rng": Random(1)}  # noqa: S311 - has to repeat


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with served_github(FakeGitHub()) as fake:
        fake.tokens["ghs_everything"] = {"issues": "write", "pull-requests": "write"}
        yield fake


@pytest.fixture
def github(fake: FakeGitHub, tools: dict[str, Any]) -> Iterator[GitHub]:
    with connected(fake, tools, "ghs_everything") as github:
        yield github


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return isolated_git(tmp_path)
