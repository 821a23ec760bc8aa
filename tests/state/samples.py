"""Values that the tests of the state share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.model import MappingKey, SubscriptionId
from reconciler.state.base import HistoryChange, Intent, IntentEntry, RunInfo, RunVerdict
from reconciler.state.journal import JournalReading, read_records
from reconciler.state.recorded import Attempt, Binding
from tests.core import build_attempt, build_binding, build_info, build_line, build_verdict

START = datetime(2026, 11, 22, 5, 17, 3, tzinfo=UTC)


class StillClock:
    """A clock that moves only when it is told to, or when somebody sleeps."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=max(seconds, 0))


def run_info(name: str = "r1", *, started_at: datetime = START) -> RunInfo:
    return build_info(name, started_at, actor="alice", version="0.1.0")


def attempt(key: str, nonce: str = "n1", *, run: str = "r1") -> Attempt:
    return build_attempt(key, nonce=nonce, run=run, age=timedelta(), now=START)


def binding(key: str, subscription: int, *, last_counted: int | None = None) -> Binding:
    return build_binding(subscription, key, awaiting=last_counted is None, last_counted=last_counted, at=START)


def intent(number: int, key: str = "acme") -> Intent:
    entry = IntentEntry(key=MappingKey(key), subscription_id=SubscriptionId(9001), before=12, after=15)
    return Intent(number=number, kind="set-counts", entries=(entry,), body_sha256="ab" * 32)


def change(key: str, before: int = 12, after: int = 15) -> HistoryChange:
    return build_line(before, after, key=key, subscription=9001)


def verdict(
    run: str = "r1",
    *,
    finished_at: datetime = START,
    exit_code: int = 0,
    changes: tuple[HistoryChange, ...] = (),
    snapshot: dict[str, int] | None = None,
) -> RunVerdict:
    quantities = {"acme": 15, "borealis": 7} if snapshot is None else snapshot
    return build_verdict(run, finished_at, *changes, exit_code=exit_code, users=(19, 22), snapshot=quantities)


def read_journal(path: Path) -> JournalReading:
    """One run's journal."""
    return read_records(path.read_bytes())
