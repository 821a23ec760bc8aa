"""Months of nights on the virtual clock, and past runs made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconciler.model import MappingKey, RunId, SubscriptionId
from reconciler.simulator.clock import VirtualClock
from reconciler.simulator.world import World
from reconciler.state.base import HistoryChange, RunInfo, RunVerdict
from reconciler.state.history import PastRun, Snapshot
from tests.stage import Stage

KEY = MappingKey("infima-101")


def moment(month: int, day: int, hour: int = 5, year: int = 2026) -> datetime:
    """A moment of 2026, in the fifth hour unless told otherwise."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def line(
    before: int | None = 12,
    after: int | None = 15,
    *,
    key: str = KEY,
    outcome: str = "applied",
    counted: int | None = None,
    action: str = "update",
    rule: str = "active_users",
    message: str = "",
) -> HistoryChange:
    """One mapping's line in a run; the count is the new quantity unless told otherwise."""
    return HistoryChange(
        key=MappingKey(key),
        subscription_id=SubscriptionId(9001),
        action=action,
        before=before,
        after=after,
        counted=after if counted is None else counted,
        rule=rule,
        outcome=outcome,
        message=message,
    )


def past(
    at: datetime,
    *changes: HistoryChange,
    run: str | None = None,
    exit_code: int = 0,
    users: tuple[int, int] = (100, 101),
    decision: bool = False,
    command: str = "apply",
    sha256: str = "ab" * 32,
    commit: str = "0123456789abcdef",
) -> PastRun:
    """A run that took a minute and ended at `at`."""
    name = RunId(run or f"r-{at:%m%d}")
    info = RunInfo(
        id=name,
        command=command,
        started_at=at - timedelta(minutes=1),
        actor="nightly",
        commit=commit,
        mappings_sha256=sha256,
        version="0.1.0",
    )
    verdict = RunVerdict(
        run=name,
        finished_at=at,
        exit_code=exit_code,
        sentence=f"Run {name} is over.",
        users_before=users[0],
        users_after=users[1],
        changes=changes,
        snapshot={},
        decision=decision,
    )
    return PastRun(info=info, verdict=verdict)


def full(at: datetime, **quantities: int) -> Snapshot:
    """A month's full record; `infima_101=12` stands for infima-101."""
    return Snapshot(
        taken_at=at,
        run=RunId("r"),
        quantities={MappingKey(key.replace("_", "-")): count for key, count in quantities.items()},
    )


def start_at(world: World, when: datetime) -> None:
    """Move the world's virtual clock, before its first run."""
    assert isinstance(world.clock, VirtualClock)
    world.clock.set(when)


def sleep_until(stage: Stage, when: datetime) -> None:
    """Let time pass on the stage."""
    stage.clock.sleep((when - stage.clock.now()).total_seconds())
