"""What the commands about the past share: the records, and mappings.yaml for names where it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from reconciler.cli.options import CommonOptions
from reconciler.cli.output import did_you_mean, safe, tell
from reconciler.cli.wiring import load, open_store
from reconciler.errors import ReconcilerError, UsageError
from reconciler.history.months import Month, month_of, parse_month, start_of
from reconciler.model import Mappings
from reconciler.state.history import MonthRecord, PastRun
from reconciler.state.recorded import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRecords:
    """Runs and snapshots, oldest first; `mappings` is None where mappings.yaml cannot be used."""

    runs: tuple[PastRun, ...]
    snapshots: tuple[MonthRecord, ...]
    recorded: Recorded
    mappings: Mappings | None


def load_past(options: CommonOptions) -> PastRecords:
    """Read the state, and mappings.yaml for the names. Only the state has to be readable."""
    store = open_store(options)
    history = store.history
    mappings = None
    try:
        mappings = load(options)
    except ReconcilerError as error:
        tell(safe(f"{error.message}, so customers are shown without names where only that file knows them."))
    return PastRecords(runs=history.runs(), snapshots=history.snapshots(), recorded=store.read(), mappings=mappings)


def load_usable(options: CommonOptions) -> Mappings | None:
    """mappings.yaml, or None where it has problems: names and a time zone are all that is wanted of it."""
    try:
        return load(options)
    except ReconcilerError:
        return None


def zone_of(mappings: Mappings | None) -> tzinfo:
    """The time zone in which days and months are meant; UTC where mappings.yaml cannot be used."""
    return mappings.settings.timezone if mappings is not None else UTC


def past_month(text: str | None, zone: tzinfo, now: datetime) -> Month:
    """The month that --month names, by default the current one. Raises `UsageError` for one that has not begun."""
    wanted = parse_month(text, zone) if text else month_of(now, zone)
    if wanted.start > now:
        raise UsageError(f"{wanted} has not begun.", hint="Name a month of the past, or the current one.")
    return wanted


def parse_date(text: str, option: str, zone: tzinfo = UTC) -> datetime:
    """The first moment of the day that `text` names, in that zone. Raises `UsageError`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: that is no day.", hint="Write year-month-day: 2026-11-01.") from None
    return start_of(day, zone)


def parse_last_day(text: str, today: date, hint: str) -> date:
    """The day that --until names: today or later. Raises `UsageError`."""
    day = parse_date(text, "--until").date()
    if day < today:
        raise UsageError(f"--until {text}: that day is over.", hint=hint)
    return day


def find_run(runs: Sequence[PastRun], name: str) -> PastRun:
    """The run with that id, or the one whose id begins so. Raises `UsageError` for none and for several."""
    found = [run for run in runs if run.info.id == name] or [run for run in runs if run.info.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        hint = did_you_mean(name, [str(run.info.id) for run in runs], "`reconciler history` lists the runs.")
        raise UsageError(f"The history has no run {name!r}.", hint=hint)
    raise UsageError(
        f"{len(found)} runs have an id that begins with {name!r}.", hint="Write more of it: `reconciler history`."
    )
