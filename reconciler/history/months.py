"""Days and months in the user's time zone; records are kept in UTC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from reconciler.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month in a time zone."""

    year: int
    number: int
    zone: tzinfo = UTC

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return start_of(date(self.year, self.number, 1), self.zone)

    @property
    def end(self) -> datetime:
        """The first moment of the next month."""
        return end_of(self.days[-1], self.zone)

    @property
    def days(self) -> tuple[date, ...]:
        """Its days."""
        return tuple(date(self.year, self.number, day + 1) for day in range(monthrange(self.year, self.number)[1]))

    def back(self, months: int) -> Month:
        """The month that many months earlier."""
        index = self.year * 12 + self.number - 1 - months
        return Month(year=index // 12, number=index % 12 + 1, zone=self.zone)


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day, in UTC: moments of one zone are compared by what its clocks show, not by time."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: tzinfo) -> datetime:
    """The first moment of the next day."""
    return start_of(day + timedelta(days=1), zone)


def month_of(moment: datetime, zone: tzinfo = UTC) -> Month:
    """The month of a moment."""
    day = moment.astimezone(zone)
    return Month(year=day.year, number=day.month, zone=zone)


def parse_month(text: str, zone: tzinfo = UTC) -> Month:
    """The month that `2026-11` names. Raises `UsageError`."""
    try:
        day = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise UsageError(f"{text!r} is no month.", hint="Write year and month, for example 2026-11.") from None
    return Month(year=day.year, number=day.month, zone=zone)
