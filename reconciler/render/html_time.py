"""The report's parts about time: freshness, users over months, movements, the audit trail, and pages from history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.history.account import RunEnding, ending_of, is_whole
from reconciler.history.months import Month, month_of
from reconciler.model import MappingKey
from reconciler.planning.changes import Outcome
from reconciler.render.html_charts import Chart, Event, draw_chart
from reconciler.render.html_page import AuditRun, Background, Movement, PageRow
from reconciler.state.history import PastChange, PastRun

OVERDUE = timedelta(hours=36)
TOP = 5
AUDIT_LINES = 600
"""Lines of the audit trail that are shown: what keeps the file small. `reconciler history` has all."""

_ON_RECORD = {Outcome.APPLIED, Outcome.FAILED, Outcome.UNKNOWN}


def moment_in_words(moment: datetime, now: datetime) -> str:
    """A moment with its age, e.g. "on 22 November 2026 at 05:17 UTC, 2 hours before this page was made"."""
    when = moment.astimezone(UTC)
    return f"on {when.day} {when:%B %Y} at {when:%H:%M} UTC, {age(now - moment)} before this page was made"


def age(span: timedelta) -> str:
    """A span in its largest unit."""
    minutes = max(int(span.total_seconds() // 60), 0)
    for size, noun in ((60 * 48, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            number = minutes // (60 * 24 if noun == "day" else size)
            return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
    return "less than a minute"


def overdue(runs: Sequence[PastRun], now: datetime) -> tuple[str, ...]:
    """A warning where no run has come to its end for too long; a run with held changes counts as one that has."""
    if not runs:
        return ()
    good = [run.verdict.finished_at for run in runs if ending_of(run.verdict) in {RunEnding.GOOD, RunEnding.HELD}]
    if good and now - max(good) <= OVERDUE:
        return ()
    last = (
        f"The last run that came to its end was {moment_in_words(max(good), now)}" if good else "No run came to its end"
    )
    return (f"{last}: look whether the nightly run still runs.",)


def over_time(around: Background) -> tuple[tuple[Chart, ...], tuple[tuple[str, int], ...]]:
    """The chart in a wide and a narrow drawing, and the same as figures: each month's last sum."""
    runs = [run for run in around.runs if around.since <= run.verdict.finished_at <= around.until]
    totals = [
        (run.verdict.finished_at, run.verdict.users_after) for run in runs if is_whole(run) and run.verdict.users_after
    ]
    bad = {RunEnding.FAILED, RunEnding.INCOMPLETE, RunEnding.INTERRUPTED}
    failed = [
        Event(at=run.verdict.finished_at, text=f"{run.verdict.finished_at:%d %b %Y}: {ending_of(run.verdict)}")
        for run in runs
        if ending_of(run.verdict) in bad
    ]
    charts = (
        draw_chart(totals, failed, merges(runs), start=around.since, end=around.until, width=width, height=height)
        for width, height in ((900, 240), (300, 220))
    )
    monthly: dict[Month, int] = {month_of(at): users for at, users in totals}
    return (
        tuple(chart for chart in charts if chart is not None),
        tuple((f"{month.start:%B %Y}", users) for month, users in monthly.items()),
    )


def merges(runs: Iterable[PastRun]) -> tuple[Event, ...]:
    """The first run with each new mappings.yaml."""
    found, before = [], ""
    for run in runs:
        now = run.info.mappings_sha256
        if before and now and now != before:
            commit = f" ({run.info.short_commit})" if run.info.commit else ""
            found.append(
                Event(
                    at=run.verdict.finished_at,
                    text=f"{run.verdict.finished_at:%d %b %Y}: mappings.yaml changed{commit}",
                )
            )
        before = now or before
    return tuple(found)


def movements(around: Background, rows: Sequence[PageRow]) -> tuple[str, tuple[Movement, ...], tuple[Movement, ...]]:
    """The largest movements up and down, of the month or, without a history, of the plan; the first value says."""
    if around.timeline.points:
        of = f"in {around.month.start:%B %Y}"
        moved = list(_month_moves(around, {row.key: row for row in rows}))
    else:
        of = "in this plan"
        moved = [
            (row.customer, row.key, row.before or 0, row.after, row.number)
            for row in rows
            if row.after is not None and row.delta and row.status.word != "held"
        ]
    largest = max((abs(last - first) for _, _, first, last, _ in moved), default=1) or 1
    made = [
        Movement(
            customer=who, key=key, first=first, last=last, share=max(100 * abs(last - first) // largest, 1), row=row
        )
        for who, key, first, last, row in moved
        if first != last
    ]
    up = sorted((one for one in made if one.delta > 0), key=lambda one: (-one.delta, one.key))
    down = sorted((one for one in made if one.delta < 0), key=lambda one: (one.delta, one.key))
    return of, tuple(up[:TOP]), tuple(down[:TOP])


def _month_moves(
    around: Background, rows: dict[MappingKey, PageRow]
) -> Iterator[tuple[str, MappingKey, int, int, int | None]]:
    for key in around.timeline.points:
        points = around.timeline.between(key, around.month.start, around.until)
        known = [point.quantity for point in points if point.quantity is not None]
        if known:
            row, name = rows.get(key), around.names.get(key)
            who = row.customer if row else name.customer if name else ""
            first = known[0] if points[0].at == around.month.start else _created_at_zero(key, around, known[0])
            yield who, key, first, known[-1], row.number if row else None


def _created_at_zero(key: MappingKey, around: Background, first: int) -> int:
    """A Subscription that was created in the month began with nobody; one first seen in it began as it was seen."""
    first_line = next(iter(around.by_key.get(key, ())), None)
    return 0 if first_line is not None and first_line.change.action == "create" else first


def audit_trail(around: Background) -> tuple[tuple[AuditRun, ...], int]:
    """The month's writes and decisions, newest first, and how many lines are left out."""
    made, room, left_out = [], AUDIT_LINES, 0
    for run in reversed(around.runs):
        if not around.month.start <= run.verdict.finished_at < around.month.end:
            continue
        lines = tuple(
            PastChange(run=run, change=change)
            for change in run.verdict.changes
            if run.verdict.decision or change.outcome in _ON_RECORD
        )
        if lines[:room]:
            made.append(AuditRun(run=run, lines=lines[:room]))
        left_out += len(lines[room:])
        room -= len(lines[:room])
    return tuple(made), left_out
