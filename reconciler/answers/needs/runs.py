"""Needs about the whole run: failed, cut off, without a record, overdue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from reconciler.answers.needs.given import NeedInput, run_need
from reconciler.model import Need, NeedKind

OVERDUE_AFTER = timedelta(hours=36)
"""From this age on, the last good run is old enough that somebody has to look."""


def failed_run(what: str, step: str, given: NeedInput) -> Need:
    """A run that ended before it could do its work."""
    return run_need(NeedKind.FAILED, "run", what, step or "find out why: reconciler doctor", given)


def record_missing(what: str, given: NeedInput) -> Need:
    """What was written to HaloPSA and could not be recorded."""
    told = f"what the run did could not be recorded: {what}"
    step = "mend the state (see: reconciler doctor), then: reconciler apply"
    return run_need(NeedKind.RECORD_MISSING, "run", told, step, given)


def cut_off(given: NeedInput) -> Iterator[Need]:
    """Runs that began to write and whose end is not known; an apply that comes to its end takes them up."""
    for run in given.recorded.open_runs:
        what = (
            f"run {run.run} of {given.spell(run.since)} began to write and has not ended: it is under way or was "
            "cut off, and how far it came is not known"
        )
        step = "wait until it has ended; if it was cut off: reconciler apply"
        yield replace(run_need(NeedKind.UNKNOWN, f"run-{run.run}", what, step, given), since=run.since)


def overdue(given: NeedInput) -> Iterator[Need]:
    """The last good run is too long ago."""
    last = given.recorded.last_good_run
    if last is None or given.now - last <= OVERDUE_AFTER:
        return
    hours = int((given.now - last) / timedelta(hours=1))
    what = f"the last run that came to its end was {hours} hours ago ({given.spell(last)})"
    step = "look whether the nightly run still runs; by hand: reconciler apply"
    yield replace(run_need(NeedKind.OVERDUE, "run", what, step, given), since=last)
