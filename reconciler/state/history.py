"""What was counted, what was written and why, over the years: a line for each run, everything once a month.

`history/<YYYY-MM>.jsonl` holds the runs that ended in that month (UTC) as one chain over all files. Nothing here needs
a network. What is damaged is left out of answers and named by `verify`.

A line keeps of HaloPSA's listings what the lines before it do not tell already, and once a month everything. So saying
nothing of a Subscription means that it was seen as before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from reconciler.errors import StateError
from reconciler.model import Json, MappingKey, PriceSource, RunId, Shown, Sighting, Standing, SubscriptionId, UnitPrice
from reconciler.state.base import HistoryChange, RunInfo, RunVerdict
from reconciler.state.document import STATE_FILE, ChainHead, decode
from reconciler.state.files import StateFiles
from reconciler.state.journal import (
    GENESIS,
    JOURNAL_FOLDER,
    JournalReading,
    Record,
    make_record,
    read_lines,
    read_records,
)
from reconciler.state.recorded import OpenRun
from reconciler.state.spelling import convert, plain

T = TypeVar("T")

HISTORY_FOLDER = "history"
_Told = dict[SubscriptionId, Shown]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run that ended with a verdict. The verdict's `snapshot` is empty: ask for snapshots apart.

    `after_gap` says that records between it and the run before are damaged or lost.
    """

    info: RunInfo
    verdict: RunVerdict
    after_gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PastChange:
    """One mapping's change in one run."""

    run: PastRun
    change: HistoryChange


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRecord:
    """Every mapping's live quantity, and HaloPSA's unit prices, at the end of a month's first complete run.

    `rows` are all Subscriptions that were ours, None in records of versions that kept mappings alone.
    """

    taken_at: datetime
    run: RunId
    quantities: Mapping[MappingKey, int]
    prices: Mapping[MappingKey, UnitPrice] = field(default_factory=dict)
    rows: tuple[Shown, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong in the records. `crash` marks the torn last line that a crash leaves: no record was lost."""

    file: str
    line: int
    message: str
    crash: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class History:
    """The questions asked of a state's records. Reading raises `StateError` when the disk fails."""

    def __init__(self, files: StateFiles, *, found: tuple[Finding, ...] = ()) -> None:
        """`found` is what the backend itself has found to be wrong."""
        self._files = files
        self._found = found

    def runs(self) -> tuple[PastRun, ...]:
        """All runs with a verdict, oldest first."""
        found, last = [], 0
        for record in self._records():
            if record.kind == "run":
                found.append(replace(_past_run(record), after_gap=record.seq != last + 1))
            last = record.seq
        return tuple(found)

    def changes_of(self, key: MappingKey) -> tuple[PastChange, ...]:
        """Everything that runs did or withheld for one mapping, oldest first."""
        return tuple(
            PastChange(run=run, change=change)
            for run in self.runs()
            for change in run.verdict.changes
            if change.key == key
        )

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Runs that began to write and whose end is not here: under way, or cut off."""
        return decode(self._files.read(STATE_FILE), place=STATE_FILE).open_runs

    def snapshots(self) -> tuple[MonthRecord, ...]:
        """The monthly full records, oldest first."""
        return tuple(_snapshot(record) for record in self._records() if record.kind == "snapshot")

    def unfinished(self) -> dict[str, JournalReading]:
        """The journals of runs that the history does not have, oldest first: cut off, or under way."""
        recorded = {record.run for record in self._records()}
        return {
            name: reading
            for name, reading in _journals(self._files).items()
            if reading.records and reading.records[0].run not in recorded
        }

    def verify(self) -> tuple[Finding, ...]:
        """Every edited, cut or lost record of journal and history; empty when all is there.

        Raises `StateError` when state.json itself cannot be read: it holds the two chains' ends.
        """
        document = decode(self._files.read(STATE_FILE), place=STATE_FILE)
        journals = _verify_journals(self._files, document.journal)
        return (*self._found, *journals, *_verify_history(self._files, document.history))

    def _records(self) -> list[Record]:
        return [record for record, _, _ in _history_lines(self._files)[0]]


def append_history(
    files: StateFiles, head: ChainHead | None, info: RunInfo, verdict: RunVerdict
) -> tuple[str, bytes, ChainHead]:
    """The month's file with this run's line added: its name, its whole content, and the chain's new head.

    What is in the file stays as it is, damage included. The month's full snapshot is added where there is none yet
    and the run read everything. A run that is recorded already is not recorded twice.
    """
    month = verdict.finished_at.astimezone(UTC).strftime("%Y-%m")
    name = f"{HISTORY_FOLDER}/{month}.jsonl"
    content = files.read(name) or b""
    lines, _ = _history_lines(files, only={name, *files.names(HISTORY_FOLDER)[-1:]})
    here = [record for record, file, _ in lines if file == name]
    seq, prev = (lines[-1][0].seq, lines[-1][0].hash) if lines else (0, GENESIS)
    if head is not None and head.seq > seq:
        seq, prev = head.seq, head.hash
    if any(record.kind == "run" and record.run == verdict.run and _same_word(record, verdict) for record in here):
        return name, content, ChainHead(file=name, seq=seq, hash=prev)
    news = None if verdict.sightings is None else _news_in(verdict.sightings, _told_by(_since_full_record(files)))
    additions = [("run", _run_facts(info, replace(verdict, sightings=news)))]
    if verdict.snapshot and not any(record.kind == "snapshot" for record in here):
        additions.append(("snapshot", _snapshot_facts(verdict)))
    if content and not content.endswith(b"\n"):
        content += b"\n"
    for kind, facts in additions:
        record, line = make_record(
            seq=seq + 1, time=verdict.finished_at, kind=kind, run=verdict.run, facts=facts, prev=prev
        )
        content += line
        seq, prev = record.seq, record.hash
    return name, content, ChainHead(file=name, seq=seq, hash=prev)


def _since_full_record(files: StateFiles) -> list[Record]:
    """The newest records, from the last one that tells of every Subscription on."""
    found: list[Record] = []
    for name in reversed(files.names(HISTORY_FOLDER)):
        found = [record for _, record in read_lines(files.read(name) or b"")[0] if record is not None] + found
        if any(record.facts.get("rows") for record in found):
            break
    found.sort(key=lambda record: record.seq)
    full = max((i for i, record in enumerate(found) if record.facts.get("rows")), default=0)
    return found[full:]


def _same_word(record: Record, verdict: RunVerdict) -> bool:
    """False for a run that another one took for cut off, and that comes to its end after all: both are kept."""
    return bool(verdict.recovered_by) or not record.facts.get("recovered_by")


def _told_by(records: Sequence[Record]) -> _Told:
    """What the records, from a full one on, tell of each Subscription; nothing behind a gap: a record is lost there."""
    told: _Told = {}
    seq = None
    for record in records:
        if seq is not None and record.seq != seq + 1:
            told = {}
        seq = record.seq
        if rows := record.facts.get("rows"):
            told = _by_id(convert(rows, tuple[Shown, ...]))
        for sighting in convert(record.facts.get("sightings", ()), tuple[Sighting, ...]):
            told |= _by_id(sighting.rows)
    return told


def _news_in(sightings: Iterable[Sighting], told: _Told) -> tuple[Sighting, ...]:
    """The sightings, each with the rows that differ from what was told before it."""
    found, told = [], dict(told)
    for sighting in sightings:
        rows = [row for row in sighting.rows if told.get(row.subscription_id) != row]
        gone = told.keys() - {row.subscription_id for row in sighting.rows}
        rows += [
            replace(told[number], quantity=None, standing=Standing.LET_GO, managed=False)
            for number in gone
            if told[number].standing is not Standing.LET_GO
        ]
        told |= _by_id(rows)
        found.append(replace(sighting, rows=tuple(sorted(rows, key=lambda row: row.subscription_id))))
    return tuple(found)


def _by_id(rows: Iterable[Shown]) -> _Told:
    return {row.subscription_id: row for row in rows}


def _verify_history(files: StateFiles, head: ChainHead | None) -> tuple[Finding, ...]:
    """What is wrong with the history: damaged lines, and gaps in the one chain that runs through all its files."""
    lines, findings = _history_lines(files)
    seq, prev = 0, GENESIS
    for record, file, number in lines:
        if (record.seq, record.prev) != (seq + 1, prev):
            message = f"record {record.seq} does not follow record {seq}: something between them is lost"
            findings.append(Finding(file=file, line=number, message=message))
        seq, prev = record.seq, record.hash
    if head is not None and head.hash not in {record.hash for record, _, _ in lines}:
        behind = 1 + max((number for _, file, number in lines if file == head.file), default=0)
        message = f"record {head.seq}, the newest one known, is lost"
        findings.append(Finding(file=head.file, line=behind, message=message))
    return tuple(findings)


def _verify_journals(files: StateFiles, head: ChainHead | None) -> tuple[Finding, ...]:
    """What is wrong with the journals: damaged lines, torn ends, and runs whose predecessor is lost."""
    readings = _journals(files)
    known = {GENESIS} | {record.hash for reading in readings.values() for record in reading.records}
    findings = []
    for name, reading in readings.items():
        after = len(reading.records) + 1
        if reading.problem:
            findings.append(Finding(file=name, line=after, message=reading.problem))
        if reading.torn:
            message = "the last line has no end: the run broke off while writing it"
            findings.append(Finding(file=name, line=after, message=message, crash=True))
        if reading.records and reading.records[0].prev not in known:
            findings.append(Finding(file=name, line=1, message="the end of the run before it is lost"))
    if head is not None and head.hash not in known:
        findings.append(Finding(file=head.file, line=head.seq, message="the newest record known is lost"))
    return tuple(findings)


def _journals(files: StateFiles) -> dict[str, JournalReading]:
    return {name: read_records(files.read(name) or b"") for name in files.names(JOURNAL_FOLDER)}


def _history_lines(
    files: StateFiles, *, only: Collection[str] | None = None
) -> tuple[list[tuple[Record, str, int]], list[Finding]]:
    """All readable records (of all files, or `only` those) in the order of the chain, each with its file and line.

    And the lines that cannot be read.
    """
    found: list[tuple[Record, str, int]] = []
    findings: list[Finding] = []
    for name in files.names(HISTORY_FOLDER) if only is None else only:
        lines, torn = read_lines(files.read(name) or b"")
        found += [(record, name, number) for number, record in lines if record is not None]
        damaged = [number for number, record in lines if record is None]
        if torn:
            damaged.append(len(lines) + 1)
        findings += [Finding(file=name, line=line, message="the line is damaged or was edited") for line in damaged]
    return sorted(found, key=lambda line: line[0].seq), findings


def info_facts(info: RunInfo) -> dict[str, Json]:
    """Who ran what, as records keep it; the run's id stands in the record itself."""
    return _without(plain(info), "id")


def verdict_facts(verdict: RunVerdict) -> dict[str, Json]:
    """How a run ended, as records keep it; its changes stand in the history alone."""
    short = replace(verdict, changes=(), snapshot={}, prices={}, sightings=None)
    return _without(plain(short), "run", "finished_at", "snapshot", "changes")


def _run_facts(info: RunInfo, verdict: RunVerdict) -> dict[str, Json]:
    facts = {**info_facts(info), **verdict_facts(verdict), "changes": plain(verdict.changes)}
    return facts if verdict.sightings is None else {**facts, "sightings": plain(verdict.sightings)}


def _snapshot_facts(verdict: RunVerdict) -> dict[str, Json]:
    """The month's full record: of mappings, and of all Subscriptions as the last listing showed them."""
    facts: dict[str, Json] = {
        "quantities": {str(key): count for key, count in verdict.snapshot.items()},
        "prices": {str(key): [f"{p.amount:f}", p.currency] for key, p in verdict.prices.items()},
    }
    return {**facts, "rows": plain(verdict.sightings[-1].rows)} if verdict.sightings else facts


def _without(facts: dict[str, Json], *names: str) -> dict[str, Json]:
    return {name: value for name, value in facts.items() if name not in names}


def _past_run(record: Record) -> PastRun:
    info = _read(record, {"id": record.run}, RunInfo)
    told = {"run": record.run, "finished_at": record.time, "snapshot": {}}
    return PastRun(info=info, verdict=_read(record, told, RunVerdict))


def _snapshot(record: Record) -> MonthRecord:
    stated = record.facts.get("prices", {}).items()
    prices = {key: plain(recorded_price(amount, currency)) for key, (amount, currency) in stated}
    return _read(record, {"taken_at": record.time, "run": record.run, "prices": prices}, MonthRecord)


def _read(record: Record, more: Mapping[str, object], kind: type[T]) -> T:
    """The `kind` that a record's facts say, strictly. The hash vouches for them, so only another version differs."""
    try:
        return convert({**record.facts, **more}, kind)
    except ValueError as exc:
        raise StateError(
            f"The history's record {record.seq} of run {record.run} cannot be read: {exc}.",
            hint="Another version of reconciler wrote it: upgrade to that one.",
        ) from exc


def recorded_price(amount: str, currency: str) -> UnitPrice:
    """HaloPSA's unit price as a record keeps it."""
    return UnitPrice(amount=Decimal(amount), currency=currency, source=PriceSource.HALO)
