"""What the report knows beside a plan, and what it draws of it over time: charts, freshness, the audit trail.

Drawings hold numbers, paths and words of ours, never foreign text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from reconciler.answers.attached import InvoicesKnown
from reconciler.answers.words import plural
from reconciler.history.account import RunEnding, ending_of, is_whole
from reconciler.history.months import Month, month_of
from reconciler.history.timeline import Timeline
from reconciler.model import MappingKey, UnitPrice
from reconciler.plan_document.layout import NeedJson
from reconciler.planning.changes import Outcome
from reconciler.state.history import PastChange, PastRun

OVERDUE = timedelta(hours=36)
AUDIT_LINES = 600
"""Lines of the audit trail that are shown: what keeps the file small. `reconciler history` has all."""

SPARK_WIDTH, SPARK_HEIGHT = 104, 22
STEPS = 4
FEW_MONTHS = 4
"""So many months are all named, also where there is little room."""

_ON_RECORD = {Outcome.APPLIED, Outcome.FAILED, Outcome.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a person calls a key's customer and clients."""

    customer: str = ""
    clients: tuple[str, ...] = ()
    subscription_id: int | None = None
    price: UnitPrice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is known beside the plan: the records, names, and the span that is drawn.

    `needs` is the list as far as the state remembers it, and `invoices` says what is known of recurring invoices: a
    sentence, and whether every Subscription was seen on a live one. `looked` is true where that is of this moment.
    """

    now: datetime
    month: Month
    runs: Sequence[PastRun] = ()
    timeline: Timeline = field(default_factory=lambda: Timeline(points={}))
    names: Mapping[MappingKey, Name] = field(default_factory=dict)
    by_key: Mapping[MappingKey, Sequence[PastChange]] = field(default_factory=dict)
    needs: Sequence[NeedJson] = ()
    invoices: InvoicesKnown = field(default_factory=InvoicesKnown)
    looked: bool = False

    @property
    def until(self) -> datetime:
        """The end of the span: of the month, or now while it is not over."""
        return min(self.month.end, self.now)

    @property
    def since(self) -> datetime:
        """The beginning of the span: the same month a year before."""
        return self.month.back(12).start

    @property
    def drawn_from(self) -> datetime:
        """Where a mapping's line begins: with the first record, so that a young history fills its drawing."""
        first = min((line[0].at for line in self.timeline.points.values()), default=self.since)
        return max(first, self.since)


# --- freshness, runs, audit trail ------------------------------------------------------------------------------------


def moment_in_words(moment: datetime, around: Background) -> str:
    """A moment with its age, e.g. "on 22 November 2026 at 05:17 UTC, 2 hours before this page was made"."""
    when = moment.astimezone(UTC)
    return f"on {when.day} {when:%B %Y} at {when:%H:%M} UTC, {age(around.now - moment)} before this page was made"


def age(span: timedelta) -> str:
    """A span in its largest unit; days only from two on."""
    minutes = int(span.total_seconds() // 60)
    for least, size, noun in ((60 * 48, 60 * 24, "day"), (60, 60, "hour"), (1, 1, "minute")):
        if minutes >= least:
            return plural(minutes // size, noun)
    return "less than a minute"


def overdue(around: Background) -> Iterator[str]:
    """A warning where no run has come to its end for too long; a run with held changes counts as one that has."""
    ended = {RunEnding.GOOD, RunEnding.HELD}
    good = [run.verdict.finished_at for run in around.runs if ending_of(run.verdict) in ended]
    if around.runs and not (good and around.now - max(good) <= OVERDUE):
        last = f"The last run that came to its end was {moment_in_words(max(good), around)}" if good else ""
        yield f"{last or 'No run came to its end'}: look whether the nightly run still runs."


def audit_trail(around: Background) -> tuple[list[tuple[PastRun, tuple[PastChange, ...]]], int]:
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
            made.append((run, lines[:room]))
        left_out += len(lines[room:])
        room -= len(lines[:room])
    return made, left_out


# --- charts ----------------------------------------------------------------------------------------------------------

Event = tuple[datetime, str]
"""When a night failed or mappings.yaml changed, and that in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Words at a place of a drawing."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Users over time as one stepped line; `left`, `right` and `bottom` bound the drawing's inside."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    path: Markup
    grid: tuple[Mark, ...]
    months: tuple[Mark, ...]
    failed: tuple[Mark, ...]
    merges: tuple[Mark, ...]


def over_time(around: Background) -> tuple[list[Chart], list[tuple[str, int]]]:
    """The chart in a wide and a narrow drawing, and the same as figures: each month's last sum."""
    runs = [run for run in around.runs if around.since <= run.verdict.finished_at <= around.until]
    totals = [
        (run.verdict.finished_at, run.verdict.users_after) for run in runs if is_whole(run) and run.verdict.users_after
    ]
    if len(totals) < 2:  # noqa: PLR2004 - a line has two ends
        charts = []
    else:
        failed = [
            (run.verdict.finished_at, f"{run.verdict.finished_at:%d %b %Y}: {ending}")
            for run in runs
            if (ending := ending_of(run.verdict)) in {RunEnding.FAILED, RunEnding.INCOMPLETE, RunEnding.INTERRUPTED}
        ]
        merges, sizes = list(_merges(runs)), ((900, 240), (300, 220))
        charts = [_draw_chart(totals, failed, merges, around, width=width, height=height) for width, height in sizes]
    monthly: dict[Month, int] = {month_of(at): users for at, users in totals}
    return charts, [(f"{month.start:%B %Y}", users) for month, users in monthly.items()]


def _merges(runs: Iterable[PastRun]) -> Iterator[Event]:
    """The first run with each new mappings.yaml."""
    before = ""
    for run in runs:
        now, at = run.info.mappings_sha256, run.verdict.finished_at
        if before and now and now != before:
            commit = f" ({run.info.short_commit})" if run.info.commit else ""
            yield at, f"{at:%d %b %Y}: mappings.yaml changed{commit}"
        before = now or before


def _draw_chart(
    totals: Sequence[tuple[datetime, int]],
    failed: Sequence[Event],
    merges: Sequence[Event],
    around: Background,
    *,
    width: int,
    height: int,
) -> Chart:
    """The chart of two totals or more. The scale does not begin at zero; its grid says so."""
    left, right, top, bottom = 46, width - 12, 12, height - 40
    start, end = max(around.since, totals[0][0]), around.until
    low, high, step = _scale([users for _, users in totals])

    def x(moment: datetime) -> float:
        return round(left + (right - left) * ((moment - start) / (end - start)), 1)

    def y(users: float) -> float:
        return round(bottom - (bottom - top) * (users - low) / (high - low), 1)

    def level(moment: datetime) -> int:
        return next((users for at, users in reversed(totals) if at <= moment), totals[0][1])

    return Chart(
        width=width,
        height=height,
        left=left,
        right=right,
        bottom=bottom,
        path=_steps([(x(at), y(users)) for at, users in totals], right),
        grid=tuple(Mark(x=left - 6, y=y(value), text=str(value)) for value in range(low, high + 1, step)),
        months=_labels(start, end, x, bottom + 16, wide=width > 500),  # noqa: PLR2004 - room for each month
        failed=tuple(Mark(x=x(at), y=y(level(at)), text=text) for at, text in failed if start <= at <= end),
        merges=tuple(Mark(x=x(at), y=bottom + 28, text=text) for at, text in merges if start <= at <= end),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """One mapping's quantity over time; `end_x` and `end_y` place the newest."""

    path: Markup
    end_x: float
    end_y: float
    text: str


def draw_sparkline(key: MappingKey, around: Background) -> Sparkline | None:
    """A mapping's line, None where no quantity is known, or no time has passed."""
    start, end = around.drawn_from, around.until
    points = around.timeline.between(key, start, end)
    known = [(point.at, point.quantity) for point in points if point.quantity is not None]
    if not known or end <= start:
        return None
    quantities = [quantity for _, quantity in known]
    low, high = min(quantities), max(quantities)
    span = max(high - low, 1)

    def place(at: datetime, quantity: int) -> tuple[float, float]:
        across = (SPARK_WIDTH - 6) * ((at - start) / (end - start)) + 2
        down = SPARK_HEIGHT / 2 if high == low else SPARK_HEIGHT - 3 - (SPARK_HEIGHT - 6) * (quantity - low) / span
        return round(across, 1), round(down, 1)

    places = [place(at, quantity) for at, quantity in known]
    words = f"{quantities[0]}" if high == low else f"{quantities[0]} to {quantities[-1]}, lowest {low}, highest {high}"
    right = float(SPARK_WIDTH - 4)
    return Sparkline(path=_steps(places, right), end_x=right, end_y=places[-1][1], text=words)


def _steps(places: Sequence[tuple[float, float]], right: float) -> Markup:
    """A stepped SVG path through these places, with the last level drawn on to `right`."""
    (x, y), parts = places[0], [f"M{places[0][0]:g} {places[0][1]:g}"]
    for next_x, next_y in places[1:]:
        if next_y != y:
            parts.append(f"H{next_x:g}V{next_y:g}")
            x, y = next_x, next_y
    if right > x:
        parts.append(f"H{right:g}")
    return Markup("".join(parts))  # noqa: S704 - letters of ours and numbers


def _scale(values: Sequence[int]) -> tuple[int, int, int]:
    """The lowest and highest line of the grid and the step between: round numbers, a few of them."""
    low, high = min(values), max(values)
    rough = max((high - low) / STEPS, 1)
    magnitude = 1
    while magnitude * 10 <= rough:
        magnitude *= 10
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)
    bottom = max(low // step - 1, 0) * step if low == high else low // step * step
    top = -(-high // step) * step
    return bottom, top if top > bottom else bottom + step, step


def _labels(
    start: datetime, end: datetime, x: Callable[[datetime], float], y: float, *, wide: bool
) -> tuple[Mark, ...]:
    """Each month's first day, on a narrow drawing every third; days where the span has not two months to name."""
    month, months = month_of(start), []
    while month.start < end:
        if month.start >= start:
            months.append(month)
        month = month_of(month.end)
    shown = [one for one in months if wide or len(months) <= FEW_MONTHS or one.number % 3 == 1]
    if len(shown) > 1:
        names = ((one.start, f"{one.start:%b} {one.year}" if one.number == 1 else f"{one.start:%b}") for one in shown)
        return tuple(Mark(x=x(at), y=y, text=name) for at, name in names)
    first = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = max((end - first).days + 1, 0)
    every = max(-(-days // (6 if wide else 3)), 1)
    dates = [first + timedelta(days=number) for number in range(0, days, every)]
    if not dates:  # within one day: when it begins, with room for the words beside the axis
        return (Mark(x=x(start) + 40, y=y, text=f"{start.day} {start:%b} {start:%H:%M}"),)
    return tuple(Mark(x=x(day), y=y, text=f"{day.day} {day:%b}") for day in dates)
