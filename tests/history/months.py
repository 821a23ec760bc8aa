"""Months of nights on the virtual clock, and past runs made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model import MappingKey, RunId, Shown, Sighting, Standing, SubscriptionId
from reconciler.simulator.world import World
from reconciler.state.base import HistoryChange
from reconciler.state.history import MonthRecord, PastRun
from tests.clock import VirtualClock
from tests.core import build_info, build_line, build_verdict
from tests.stage import Stage

KEY = MappingKey("infima-101")


def moment(month: int, day: int, hour: int = 5, year: int = 2026) -> datetime:
    """A moment of 2026, in the fifth hour unless told otherwise."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def subscription_of(key: str) -> SubscriptionId:
    """9001 for infima-101, and so on."""
    return SubscriptionId(9000 + int(key.removeprefix("infima-")) - 100)


def shown(
    quantity: int | None,
    *,
    key: str = KEY,
    standing: Standing = Standing.LIVE,
    managed: bool = True,
    subscription: int | None = None,
) -> Shown:
    """One Subscription in a listing."""
    return Shown(
        subscription_id=SubscriptionId(subscription or subscription_of(key)),
        key=MappingKey(key),
        quantity=quantity,
        standing=standing,
        managed=managed,
    )


def sighting(at: datetime, *rows: Shown) -> Sighting:
    """What a listing showed that the ones before did not."""
    return Sighting(at=at, rows=rows)


def _sightings(at: datetime, changes: tuple[HistoryChange, ...]) -> tuple[Sighting, ...]:
    """What a run that came to its end saw when it began and when it ended, by its changes."""
    left = {"applied": "after", "unchanged": "after", "held": "before"}
    first = [shown(c.before, key=c.key) for c in changes if c.before is not None and c.outcome != "stale"]
    last = [shown(getattr(c, left[c.outcome]), key=c.key) for c in changes if c.outcome in left]
    return (
        sighting(at - timedelta(minutes=1), *first),
        sighting(at, *(row for row in last if row.quantity is not None)),
    )


def line(before: int | None = 12, after: int | None = 15, *, key: str = KEY, **more: Any) -> HistoryChange:
    """One mapping's line in a run."""
    return build_line(before, after, key=key, subscription=subscription_of(key), **more)


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
    sightings: tuple[Sighting, ...] | None = (),
    old: bool = False,
    after_gap: bool = False,
) -> PastRun:
    """A run that took a minute and ended at `at`; of a version that recorded no listings where `old`."""
    name = run or f"r-{at:%m%d}"
    info = build_info(
        name, at - timedelta(minutes=1), command=command, actor="nightly", commit=commit, mappings_sha256=sha256,
        version="0.1.0",
    )  # fmt: skip
    if old:
        sightings = None
    elif not sightings:
        sightings = () if exit_code == 1 or decision else _sightings(at, changes)
    verdict = build_verdict(
        name, at, *changes, exit_code=exit_code, users=users, decision=decision, sightings=sightings
    )
    return PastRun(info=info, verdict=verdict, after_gap=after_gap)


def full(at: datetime, **quantities: int) -> MonthRecord:
    """A month's full record; `infima_101=12` stands for infima-101."""
    return MonthRecord(
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
