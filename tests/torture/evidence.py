"""What a schedule leaves behind for the oracles: the world's own logs, the bytes on the wire, the files of the state.

Nothing here imports the program: a run is known by its number, a request by its number in the world's log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from reconciler.simulator.records import Actor, Endpoint, Mutation, RequestRecord, Row
from reconciler.simulator.world import World
from tests.torture.contracts import Contract

DEFINITE = frozenset({400, 403, 404, 409, 415, 422})
"""Statuses that say a definite no (DESIGN 7)."""


@dataclass(slots=True, kw_only=True)
class RunReport:
    """One run as its starter saw it. `exit_code` is None for a run that crashed; `agreed` are a saved plan's rows."""

    number: int
    run_id: str
    first_request: int
    exit_code: int | None = None
    crashed: bool = False
    error: str = ""
    outcomes: Mapping[str, str] = field(default_factory=dict)
    last_request: int = 0
    listed: frozenset[int] = frozenset()
    agreed: Mapping[str, tuple[int | None, int | None, int | None]] | None = None
    started: float = 0
    ended: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The durable files of the state at the moment when a mutating request left."""

    state: bytes | None
    journals: bytes


@dataclass(slots=True, kw_only=True)
class Evidence:
    """One schedule. Times are seconds of the world's clock.

    `trusted_marker` is false where Halo drops the marker or a person edits one (assumption A3), `merges` where an
    update touches the other fields, too.
    `forgotten` are the numbers of requests after which the state was lost or set back (assumption A4),
    `without_journal` runs whose journal went with it, `damaged` journals that somebody changed; `foreign`
    where a run had the key of another partner.
    """

    world: World
    contracts: tuple[Contract, ...]
    folder: Path
    start_rows: Mapping[int, Row]
    marker: str = "snowid"
    settle_seconds: float = 20 * 3600
    settle_kept: bool = True
    refusals_without_effect: bool = True
    trusted_marker: bool = True
    locked: bool = True
    merges: bool = True
    budget: int = 240
    forgotten: list[int] = field(default_factory=list)
    without_journal: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    foreign: bool = False
    owner: dict[int, int] = field(default_factory=dict)
    origins: dict[int, str] = field(default_factory=dict)
    answers: dict[int, bytes] = field(default_factory=dict)
    seals: dict[int, Seal] = field(default_factory=dict)
    runs: list[RunReport] = field(default_factory=list)
    memo: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def remembered(self, question: tuple[object, ...], answer: Callable[[], Any]) -> Any:
        """The answer to a question that was asked before, while nothing has happened since."""
        moment = (len(self.requests), len(self.mutations), len(self.runs))
        if self.memo.get(("moment",)) != moment:
            self.memo.clear()
            self.memo["moment",] = moment
        if question not in self.memo:
            self.memo[question] = answer()
        return self.memo[question]

    @property
    def nameless(self) -> bool:
        """Whether the state was lost where Halo keeps no marker either: then nobody can tell whose a row is."""
        return bool(self.forgotten) and not (self.trusted_marker and self.merges)

    @property
    def requests(self) -> list[RequestRecord]:
        return self.world.requests

    @property
    def mutations(self) -> list[Mutation]:
        return self.world.mutations

    def writes(self) -> Iterator[Write]:
        """Every element of every mutating request that came in, in order."""
        return iter(self.remembered(("writes",), lambda: list(self._writes())))

    def _writes(self) -> Iterator[Write]:
        for record in self.requests:
            if not record.mutating:
                continue
            elements = _json(record.body.encode())
            for element in elements if isinstance(elements, list) else []:
                if isinstance(element, dict):
                    yield Write(record=record, run=self.owner.get(record.number, -1), element=element)

    def api_mutations(self) -> Iterator[Mutation]:
        """What requests changed in Halo's licence rows."""
        return (m for m in self.mutations if m.kind == "licence" and m.actor is Actor.API)

    def contract(self, key: str) -> Contract | None:
        return next((c for c in self.contracts if c.key == key), None)

    def own(self, contract: Contract) -> set[int]:
        """Ids that belong to the mapping: pinned, marked from the start, or created by a request for it."""
        return set(self.remembered(("own", contract.key), lambda: self._own(contract)))

    def _own(self, contract: Contract) -> set[int]:
        ids = {contract.pinned} if contract.pinned is not None else set()
        ids |= {number for number, row in self.start_rows.items() if row.get(self.marker) == contract.key}
        ids |= {  # a person may put our marker on a row; one such row is found by it, two are touched by nobody
            m.object_id
            for m in self.mutations
            if m.kind == "licence" and m.actor is Actor.PERSON and m.changes.get(self.marker, (0, 0))[1] == contract.key
        }
        return {i for i in ids if i is not None} | self.created(contract)

    def copies(self) -> set[int]:
        """Rows that people made; where Halo shows no markers, nobody can tell that one of them carries ours."""
        made = {m.object_id for m in self.mutations if m.actor is Actor.PERSON and m.action == "create"}
        return set() if self.trusted_marker else made

    def created(self, contract: Contract) -> set[int]:
        """Ids that requests created for the mapping."""
        return {m.object_id for m in self.api_mutations() if m.action == "create" and self.creates_for(m, contract)}

    def creates_for(self, mutation: Mutation, contract: Contract) -> bool:
        """Whether a created row came from a create for this mapping: by the marker that was sent, else by customer."""
        if mutation.request is None:
            return False
        rows = _json(self.requests[mutation.request - 1].body.encode())
        row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        marker = row.get(self.marker)
        return bool(marker == contract.key if marker is not None else row.get("client_id") == contract.customer)

    def owner_of(self, number: int) -> Contract | None:
        """The mapping that a Subscription belongs to."""
        return next((c for c in self.contracts if number in self.own(c)), None)

    # ---- complete reads, put together again from the bytes on the wire ----------------------------------------------

    def lists(self, run: int, path: str, rows: str, total: str, until: int | None = None) -> list[CompleteList]:
        """Every complete reading of a list by a run, before request `until`."""
        found = self.remembered(("lists", run, path), lambda: self._lists(run, path, rows, total))
        return [one for one in found if until is None or one.ended < until]

    def _lists(self, run: int, path: str, rows: str, total: str) -> list[CompleteList]:
        found: list[CompleteList] = []
        walk: _Walk | None = None
        counts_list = total == "total"  # HaloPSA's may be the rows of the page, until an empty page still tells it
        for record in self.requests:
            number = record.number
            if self.owner.get(number) != run or record.path != path or record.method != "GET":
                continue
            page = _page(self.answers.get(number), rows, total)
            if page is None:
                continue
            query = dict(record.query)
            if query.get("offset", "0") == "0" and query.get("page_no", "1") == "1":
                proves = page[1] is not None and (counts_list or page[1] > len(page[0]))
                walk = _Walk(total=page[1] if proves else None, began=number, began_at=record.time.timestamp())
            place = int(query.get("offset", query.get("page_no", "0")))
            if walk is not None and walk.take(place, *page):
                found.append(CompleteList(walk.began, number, walk.began_at, tuple(walk.rows.values())))
                counts_list = counts_list or (not page[0] and page[1] == len(walk.rows) > 0)
        return found

    def read_alone(self, run: int, number: int, until: int) -> Row | None:
        """A row as the run's newest read of it by itself showed it, before request `until`."""
        path = f"/api/SoftwareLicence/{number}"
        reads = [r for r in self.requests if r.method == "GET" and r.path == path and r.number < until]
        mine = [r.number for r in reads if self.owner.get(r.number) == run and r.number in self.answers]
        newest = _json(self.answers[mine[-1]]) if mine else None
        return newest if isinstance(newest, dict) else None

    def partner_of(self, run: int) -> str | None:
        """Whose INFIMA a run read."""
        mine = [r.number for r in self.requests if r.path == "/v1/partner" and self.owner.get(r.number) == run]
        found = [_json(self.answers[number]) for number in mine if number in self.answers]
        return next((str(row.get("partner_name")) for row in reversed(found) if isinstance(row, dict)), None)

    def clients_listed(self, run: int, until: int | None = None) -> list[CompleteList]:
        return self.lists(run, "/v1/clients", "items", "total", until)

    def listings(self, run: int, until: int | None = None) -> list[CompleteList]:
        """Complete listings of Subscriptions."""
        key = self.world.switches.envelope_key
        return self.lists(run, "/api/SoftwareLicence", key, "record_count", until)

    def counted(self, run: int, client: int, *, by_record: bool, until: int | None = None) -> set[int]:
        """The counts that complete reads of one client gave to a run."""
        listed = [row for one in self.clients_listed(run, until) for row in one.rows if row.get("id") == client]
        if not listed:
            return set()
        if by_record:
            return {n for row in listed if (n := whole(row.get("user_count"))) is not None}
        users = self.lists(run, f"/v1/clients/{client}/users", "items", "total", until)
        return {sum(str(row.get("status")).strip().lower() == "active" for row in one.rows) for one in users}

    def quantities(self, run: int, contract: Contract, until: int | None = None) -> set[int]:
        """Every quantity that this run's complete reads permit; empty where it is undefined."""
        if not contract.counts:
            return {contract.quantity(None) or 0}
        sums = {0}
        for client in contract.clients:
            counts = self.counted(run, client, by_record=contract.by_record, until=until)
            sums = {a + b for a in sums for b in counts}
        return {q for total in sums if (q := contract.quantity(total)) is not None}

    # ---- the files of the state -------------------------------------------------------------------------------------

    def journals(self) -> dict[str, bytes]:
        """Every journal file by name."""
        folder = self.folder / "journal"
        return {p.name: p.read_bytes() for p in sorted(folder.glob("*.jsonl"))} if folder.exists() else {}

    def records(self, run: RunReport) -> list[Row]:
        """The records of one run's journal that are whole."""
        for name, content in self.journals().items():
            if name.endswith(f"-{run.run_id}.jsonl"):
                return read_records(content)
        return []

    def plan_note(self, run: RunReport) -> Row:
        """What a run's journal says of its plan: holds by key, and the rules that refused it."""
        return next((dict(r["facts"]) for r in self.records(run) if r["kind"] == "note:plan"), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One element of a mutating request."""

    record: RequestRecord
    run: int
    element: Row

    @property
    def creates(self) -> bool:
        return not self.element.get("id")


@dataclass(frozen=True, slots=True)
class CompleteList:
    """A list that was read as a whole: numbers of its first and last request, when it began, its rows."""

    began: int
    ended: int
    began_at: float
    rows: tuple[Row, ...]

    def row(self, number: int) -> Row | None:
        return next((row for row in self.rows if row.get("id") == number), None)

    def count(self, number: int) -> int | None:
        row = self.row(number)
        return None if row is None else whole(row.get("count"))


@dataclass(slots=True, kw_only=True)
class _Walk:
    """A list on its way. `total` is None where none proves anything: then an empty page ends it."""

    total: int | None
    began: int
    began_at: float
    pages: dict[int, list[Row]] = field(default_factory=dict)
    spoilt: bool = False

    @property
    def rows(self) -> dict[Any, Row]:
        return {row["id"]: row for page in self.pages.values() for row in page}

    def take(self, place: int, rows: list[Row], total: int | None) -> bool:
        """Add a page, or the same one asked for again; true when the list is complete with it."""
        self.spoilt = self.spoilt or (self.total is not None and total not in {None, self.total})
        self.pages[place] = rows
        size = sum(map(len, self.pages.values()))
        if self.spoilt or len(self.rows) != size:
            return False
        return not rows if self.total is None else size == self.total


def whole(value: object) -> int | None:
    """A count as Halo may write it: a whole JSON number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**31 else None


def read_records(content: bytes) -> list[Row]:
    """Whole lines of a journal whose hash and predecessor are right; own reading of the chain."""
    found: list[Row] = []
    for line in content.split(b"\n")[:-1]:
        head, mark, tail = line.rpartition(b', "hash": "')
        row = _json(line)
        digest = sha256(head + b"}").hexdigest().encode()
        if not mark or not isinstance(row, dict) or tail != digest + b'"}':
            break
        if found and row["prev"] != found[-1]["hash"]:
            break
        found.append(row)
    return found


def _page(body: bytes | None, rows: str, total: str) -> tuple[list[Row], int | None] | None:
    document = None if body is None else _json(body)
    if not isinstance(document, dict) or not isinstance(document.get(rows), list):
        return None
    items = document[rows]
    said = document.get(total)
    if not all(isinstance(row, dict) and row.get("id") is not None for row in items):
        return None
    if said is not None and whole(said) is None:
        return None
    return items, None if said is None else whole(said)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(word: str) -> None:
    raise ValueError(word)


READ_ENDPOINTS = frozenset(
    {Endpoint.PARTNER, Endpoint.CLIENTS, Endpoint.USERS, Endpoint.LICENCES, Endpoint.CUSTOMERS}
    | {Endpoint.LICENCE, Endpoint.CUSTOMER, Endpoint.INVOICES, Endpoint.INVOICE}
)
