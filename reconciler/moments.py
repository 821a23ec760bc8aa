"""Moments as people read them: in the time zone of mappings.yaml, with its name beside them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

CLOCK_TOLERANCE = timedelta(seconds=90)
"""A machine's clock that is off by more is told by `doctor`, and not believed where the history dates what was seen."""


def moment_in(moment: datetime, zone: tzinfo) -> str:
    """A moment as the zone's clocks show it: "2026-11-28 05:00"."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def zone_name(zone: tzinfo) -> str:
    """A time zone as people name it, to stand beside the first time of an output."""
    return "UTC" if zone is UTC else str(zone)


def spelled(moment: datetime, zone: tzinfo | None) -> str:
    """The same in a sentence: "2026-11-28 06:00 Europe/Berlin"; in UTC where no zone is known."""
    zone = zone or UTC
    return f"{moment_in(moment, zone)} {zone_name(zone)}"


def timestamp(moment: datetime) -> str:
    """A moment as the JSON documents have it, to the second in UTC: "2026-11-28T05:00:03Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find_zone(name: str) -> tzinfo | None:
    """The zone of that name in the IANA database; None where it has none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None
