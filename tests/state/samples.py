"""Values that the tests of the state share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.model import Attempt, Binding, BindingOrigin, HaloCustomerId, MappingKey, RunId, SubscriptionId
from reconciler.state.base import HistoryChange, Intent, IntentEntry, RunInfo, RunVerdict
from reconciler.state.journal import JournalReading, read_records

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
    return RunInfo(id=RunId(name), command="apply", started_at=started_at, actor="alice", version="0.1.0")


def attempt(key: str, nonce: str = "n1", *, run: str = "r1") -> Attempt:
    return Attempt(
        key=MappingKey(key),
        generation=1,
        run=RunId(run),
        nonce=nonce,
        customer_id=HaloCustomerId(12),
        subscription_name="INFIMA Security Awareness Training",
        recorded_at=START,
    )


def binding(key: str, subscription: int, *, last_counted: int | None = None) -> Binding:
    return Binding(
        key=MappingKey(key),
        subscription_id=SubscriptionId(subscription),
        customer_id=HaloCustomerId(12),
        origin=BindingOrigin.CREATED,
        bound_at=START,
        awaiting_first_count=last_counted is None,
        last_counted=last_counted,
    )


def intent(number: int, key: str = "acme") -> Intent:
    entry = IntentEntry(key=MappingKey(key), subscription_id=SubscriptionId(9001), before=12, after=15)
    return Intent(number=number, kind="set-counts", entries=(entry,), body_sha256="ab" * 32)


def change(key: str, before: int = 12, after: int = 15) -> HistoryChange:
    return HistoryChange(
        key=MappingKey(key),
        subscription_id=SubscriptionId(9001),
        action="update",
        before=before,
        after=after,
        counted=after,
        rule="active_users",
        outcome="applied",
    )


def verdict(
    run: str = "r1",
    *,
    finished_at: datetime = START,
    exit_code: int = 0,
    changes: tuple[HistoryChange, ...] = (),
    snapshot: dict[str, int] | None = None,
) -> RunVerdict:
    quantities = {"acme": 15, "borealis": 7} if snapshot is None else snapshot
    return RunVerdict(
        run=RunId(run),
        finished_at=finished_at,
        exit_code=exit_code,
        sentence=f"Run {run} is over.",
        users_before=19,
        users_after=22,
        changes=changes,
        snapshot={MappingKey(key): count for key, count in quantities.items()},
    )


def read_journal(path: Path) -> JournalReading:
    """One run's journal."""
    return read_records(path.read_bytes())
