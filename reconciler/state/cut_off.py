"""What the journal of a run tells that began to write and could not record how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model import MappingKey, OpenRun
from reconciler.state.base import CutOffRun, HistoryChange, IntentResult, RunInfo
from reconciler.state.files import StateFiles
from reconciler.state.journal import Record, read_records
from reconciler.state.spelling import convert, format_time


def read_cut_off(one: OpenRun, files: StateFiles, *, complete: bool) -> CutOffRun:
    """What a run's journal tells; a journal that is lost or damaged from its first line on tells nothing.

    `complete` says that it is the file which the run wrote on this machine: every request is in it before it leaves.
    """
    records = read_records(files.read(one.journal) or b"").records
    started = next((r.facts for r in records if r.kind == "run-started"), {})
    unknown = {"id": one.run, "command": "apply", "started_at": format_time(one.since)}
    writing = [change for r in records if r.kind == "writing" for change in r.facts["changes"]]
    return CutOffRun(
        info=convert({**unknown, **started, "id": one.run}, RunInfo),
        journal=one.journal,
        changes=tuple(convert(change, HistoryChange) for change in writing),
        sent=frozenset(MappingKey(entry["key"]) for r in _sent(records) for entry in r.facts["entries"]),
        last_at=records[-1].time if records else one.since,
        complete=complete and bool(writing),
        verdict=next((str(r.facts["sentence"]) for r in records if r.kind == "verdict"), ""),
    )


def _sent(records: Sequence[Record]) -> list[Record]:
    """The journaled requests of which the journal does not say that they never left."""
    kept = {r.facts["number"] for r in records if r.kind == "outcome" and r.facts["result"] == IntentResult.NOT_SENT}
    return [r for r in records if r.kind == "intent" and r.facts["number"] not in kept]
