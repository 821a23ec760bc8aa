"""Append-only JSON lines whose records name the hash of the record before: the journal of a run and the history.

Cut at any byte, such a file reads to a prefix of its records; a changed byte anywhere is noticed, because a record is
accepted only in the one spelling that was hashed. Records hold keys, ids, counts and sentences of ours: no secrets.

The end of this module is what a later run reads from the journals of earlier ones.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.clock import Clock
from reconciler.errors import StateError
from reconciler.model import Json, MappingKey, RunId
from reconciler.state.base import CutOffRun, HistoryChange, Intent, IntentResult, RunInfo
from reconciler.state.document import ChainHead
from reconciler.state.files import AppendOnlyFile, StateFiles
from reconciler.state.recorded import OpenRun
from reconciler.state.spelling import convert, format_time, plain, read_tree, to_line

GENESIS = "0" * 64
"""What the first record of all names as the hash before it."""

JOURNAL_FOLDER = "journal"
_SAFE_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TORN = "the last line has no end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line. `seq` counts from 1 within a chain; `prev` is the hash of the record before it."""

    seq: int
    time: datetime
    kind: str
    run: RunId
    facts: Mapping[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReading:
    """The valid prefix of a file. `torn` is a last line without its end (a crash); `problem` a sentence about damage.

    Records behind a problem are not given: nothing vouches for them.
    """

    records: tuple[Record, ...]
    torn: bytes = b""
    problem: str = ""

    @property
    def unknown_intents(self) -> tuple[int, ...]:
        """Numbers of the mutating requests whose outcome was never written down, or as unknown (J2)."""
        outcomes = [record.facts for record in self.records if record.kind == "outcome"]
        settled = {facts["number"] for facts in outcomes if facts["result"] != IntentResult.UNKNOWN}
        intents = [record.facts["number"] for record in self.records if record.kind == "intent"]
        return tuple(number for number in intents if number not in settled)


def make_record(
    *, seq: int, time: datetime, kind: str, run: RunId, facts: Mapping[str, Json], prev: str
) -> tuple[Record, bytes]:
    """A record with its hash, and its line. Raises `StateError` for facts that are no JSON."""
    try:
        body = to_line({"seq": seq, "time": time, "kind": kind, "run": run, "facts": facts, "prev": prev})
    except (ValueError, TypeError, OverflowError) as exc:
        raise StateError(f"A journal record of kind {kind} cannot be written as JSON: {exc}.") from exc
    digest = hashlib.sha256(body.encode("ascii")).hexdigest()
    record = Record(seq=seq, time=time, kind=kind, run=run, facts=facts, prev=prev, hash=digest)
    # The hash stands last, outside the hashed text, so that a line is checked without parsing it twice.
    return record, f'{body[:-1]}, "hash": "{digest}"}}\n'.encode("ascii")


def read_line(line: bytes) -> Record:
    """The record in a line (its newline included). Raises `ValueError` for any other spelling."""
    try:
        record = convert(read_tree(line), Record)
        _, spelling = make_record(
            seq=record.seq, time=record.time, kind=record.kind, run=record.run, facts=record.facts, prev=record.prev
        )
    except (ValueError, RecursionError, StateError) as exc:
        raise ValueError("not a journal record") from exc
    if spelling != line:
        raise ValueError("not a journal record")
    return record


def read_lines(content: bytes) -> tuple[tuple[tuple[int, Record | None], ...], bytes]:
    """Every whole line as (line number, its record or None where damaged), and what stands behind the last one."""
    lines = content.split(b"\n")
    torn = lines.pop()
    return tuple((number, _record_or_none(line + b"\n")) for number, line in enumerate(lines, start=1)), torn


def read_records(content: bytes) -> JournalReading:
    """The valid prefix of one run's journal, with what follows it reported."""
    records: list[Record] = []
    lines, torn = read_lines(content)
    for number, record in lines:
        if record is None:
            return JournalReading(records=tuple(records), problem=f"line {number} is damaged or was edited")
        if record.seq != len(records) + 1 or (records and record.prev != records[-1].hash):
            return JournalReading(records=tuple(records), problem=f"lines are missing before line {number}")
        records.append(record)
    return JournalReading(records=tuple(records), torn=torn)


def journal_name(info: RunInfo) -> str:
    """The name of a run's journal below the state's root; names sort by time. Raises `StateError` for an unfit id."""
    if not _SAFE_RUN_ID.fullmatch(info.id):
        raise StateError(f"The run id {info.id!r} cannot be a file name.", hint="Use letters, digits, dot, dash only.")
    start = format_time(info.started_at.replace(microsecond=0)).replace("-", "").replace(":", "")
    return f"{JOURNAL_FOLDER}/{start}-{info.id}.jsonl"


class Journal:
    """The journal of a run that is under way. A durable record is on disk when `append` returns, and all before it.

    It is safe to call from several threads.
    """

    def __init__(self, file: AppendOnlyFile, *, name: str, run: RunId, clock: Clock, prev: str) -> None:
        self.name = name
        self._file = file
        self._run = run
        self._clock = clock
        self._prev = prev
        self._seq = 0
        self._content = bytearray()
        self._lock = threading.Lock()

    @property
    def content(self) -> bytes:
        """Everything written so far, for a backend that sends the journal elsewhere."""
        with self._lock:
            return bytes(self._content)

    @property
    def head(self) -> ChainHead:
        """The newest record. Only meaningful after the first one."""
        with self._lock:
            return ChainHead(file=self.name, seq=self._seq, hash=self._prev)

    def append(self, kind: str, facts: Mapping[str, Json], *, durable: bool = True) -> None:
        """Write one record. Raises `StateError`; then nothing may be sent on the strength of it."""
        with self._lock:
            record, line = make_record(
                seq=self._seq + 1, time=self._clock.now(), kind=kind, run=self._run, facts=facts, prev=self._prev
            )
            self._file.append(line, durable=durable)
            self._content += line
            self._seq, self._prev = record.seq, record.hash

    def close(self) -> None:
        self._file.close()


def intent_facts(intent: Intent) -> dict[str, Json]:
    """An intent as a journal record keeps it."""
    facts: dict[str, Json] = plain(intent)
    return {"request" if name == "kind" else name: value for name, value in facts.items()}


def _record_or_none(line: bytes) -> Record | None:
    try:
        return read_line(line)
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------------------------------
# What the journals of earlier runs tell
# ---------------------------------------------------------------------------------------------------------------------


def previous_journals(head: ChainHead | None, files: StateFiles) -> tuple[str, list[dict[str, Json]]]:
    """The hash that this run follows, and what is to be said of the runs before: damage, and unknown outcomes (J2).

    Journals older than the head's were looked at when their followers started.
    """
    recent = [name for name in files.names(JOURNAL_FOLDER) if head is None or name > head.file]
    names = recent[-1:] if head is None else sorted([head.file, *recent])
    prev, findings = head.hash if head else GENESIS, []
    for name in names:
        reading = read_records(files.read(name) or b"")
        facts: dict[str, Json] = {}
        if head is None or name == head.file:
            if head is None or head.hash in {record.hash for record in reading.records}:
                prev = reading.records[-1].hash if reading.records else prev
            else:
                facts["lost"] = f"record {head.seq}"
        if reading.problem or reading.torn:
            facts["damage"] = reading.problem or _TORN
        if reading.unknown_intents:
            facts["unknown_intents"] = list(reading.unknown_intents)
        if facts:
            findings.append({"file": name, **facts})
    return prev, findings


def damage_in_words(findings: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    """Damage as a warning. The next run follows other records, so it is told once; a torn end is a crash, no damage."""
    told = []
    for row in findings:
        lost, damage = row.get("lost"), row.get("damage")
        if lost or damage not in {None, _TORN}:
            what = f"{lost} is lost" if lost else damage
            told.append(
                f"the journal of an earlier run is not what was written: {row['file']}, {what}; no quantity hangs on "
                "it. See what is lost with: reconciler history --verify"
            )
    return tuple(told)


def read_cut_off(one: OpenRun, files: StateFiles, *, complete: bool) -> CutOffRun:
    """What the journal of a run tells that began to write and could not record how it ended.

    One that is lost or damaged from its first line on tells nothing. `complete` says that it is the file which the run
    wrote on this machine: every request is in it before it leaves.
    """
    records = read_records(files.read(one.journal) or b"").records
    told: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        told[record.kind].append(record.facts)
    unknown = {"command": "apply", "started_at": format_time(one.since)}
    writing = [change for facts in told["writing"] for change in facts["changes"]]
    unsent = {facts["number"] for facts in told["outcome"] if facts["result"] == IntentResult.NOT_SENT}
    sent = [facts["entries"] for facts in told["intent"] if facts["number"] not in unsent]
    return CutOffRun(
        info=convert({**unknown, **next(iter(told["run-started"]), {}), "id": one.run}, RunInfo),
        journal=one.journal,
        changes=tuple(convert(change, HistoryChange) for change in writing),
        sent=frozenset(MappingKey(entry["key"]) for entries in sent for entry in entries),
        last_at=records[-1].time if records else one.since,
        complete=complete and bool(writing),
        verdict=next((str(facts["sentence"]) for facts in told["verdict"]), ""),
    )
