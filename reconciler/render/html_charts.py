"""Drawings for the HTML report: numbers and paths only, never foreign text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from reconciler.history.months import Month, month_of
from reconciler.history.timeline import Point

SPARK_WIDTH = 104
SPARK_HEIGHT = 22
STEPS = 4
FEW_MONTHS = 4
"""So many months are all named, also where there is little room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Text at a place of a drawing."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at a moment; `text` says it in words."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A merge or a failed night, before it has a place in the drawing."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Users over time as one stepped line. `top`, `bottom`, `left`, `right` bound the drawing's inside."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    path: Markup
    grid: tuple[Label, ...]
    months: tuple[Label, ...]
    failed: tuple[Mark, ...]
    merges: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """One mapping's quantity over time; `end_x` and `end_y` place the newest."""

    path: Markup
    end_x: float
    end_y: float
    text: str


def draw_chart(
    totals: Sequence[tuple[datetime, int]],
    failed: Iterable[Event],
    merges: Iterable[Event],
    *,
    start: datetime,
    end: datetime,
    width: int,
    height: int,
) -> Chart | None:
    """The chart, None where there are not two totals to join. The scale does not begin at zero; its grid says so."""
    if len(totals) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    left, right, top, bottom = 46, width - 12, 12, height - 40
    start = max(start, totals[0][0])
    low, high, step = _scale([users for _, users in totals])

    def x(moment: datetime) -> float:
        return round(left + (right - left) * ((moment - start) / (end - start)), 1)

    def y(users: float) -> float:
        return round(bottom - (bottom - top) * (users - low) / (high - low), 1)

    def level(moment: datetime) -> int:
        known = [users for at, users in totals if at <= moment]
        return known[-1] if known else totals[0][1]

    inside = [event for event in failed if start <= event.at <= end]
    return Chart(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        path=_steps([(x(at), y(users)) for at, users in totals], right),
        grid=tuple(Label(x=left - 6, y=y(value), text=str(value)) for value in range(low, high + 1, step)),
        months=_labels(start, end, x, bottom + 16, wide=width > 500),  # noqa: PLR2004 - room for each month
        failed=tuple(Mark(x=x(event.at), y=y(level(event.at)), text=event.text) for event in inside),
        merges=tuple(
            Mark(x=x(event.at), y=bottom + 28, text=event.text) for event in merges if start <= event.at <= end
        ),
    )


def draw_sparkline(points: Sequence[Point], *, start: datetime, end: datetime) -> Sparkline | None:
    """A mapping's line, None where no quantity is known, or no time has passed."""
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
) -> tuple[Label, ...]:
    """Each month's first day, on a narrow drawing every third; days where the span has not two months to name."""
    month, months = month_of(start), []
    while month.start < end:
        if month.start >= start:
            months.append(month)
        month = month_of(month.end)
    shown = [one for one in months if wide or len(months) <= FEW_MONTHS or one.number % 3 == 1]
    if len(shown) > 1:
        return tuple(Label(x=x(one.start), y=y, text=_name(one)) for one in shown)
    most = 6 if wide else 3
    first = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = max((end - first).days + 1, 0)
    every = max(-(-days // most), 1)
    dates = [first + timedelta(days=number) for number in range(0, days, every)]
    if not dates:  # within one day: when it begins, with room for the words beside the axis
        return (Label(x=x(start) + 40, y=y, text=f"{start.day} {start:%b} {start:%H:%M}"),)
    return tuple(Label(x=x(day), y=y, text=f"{day.day} {day:%b}") for day in dates)


def _name(month: Month) -> str:
    return f"{month.start:%b} {month.year}" if month.number == 1 else f"{month.start:%b}"
