"""A clock that only tests move, and the parts that a forge needs."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from reconciler.http.connections import kept_connections
from reconciler.http.waiting import Deadline
from reconciler.simulator.clock import VirtualClock
from tests.forge.fake_github import FakeGitHub, served_github
from tests.quiet import ignore_events


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
