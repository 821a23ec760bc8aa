"""The session that a probe asks on: its requests, counted and journaled, its own Subscriptions, its findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from reconciler.clock import Clock
from reconciler.errors import ApiError, ConnectFailed, Interrupted, ReconcilerError, StateError
from reconciler.events import Observer, PhaseAdvanced
from reconciler.http.decoding import Undecodable, decode_json, text_of
from reconciler.http.routes import Reply
from reconciler.model import HaloCustomerId, MappingKey
from reconciler.probing.questions import ASKED, Question
from reconciler.probing.report import Answer, ProbeFinding, Shape, Value, yes_if
from reconciler.probing.rows import Row
from reconciler.probing.shapes import envelope_shape, limit_headers, shape_of
from reconciler.providers.base import WriteRequest
from reconciler.providers.halo_raw import MARKER_FIELDS, PROBE_NAME, RawHalo
from reconciler.state.base import Intent, IntentEntry, IntentResult, RunState

MOST_REQUESTS = 60
"""A probe sends no more, the token's requests among them."""

KEPT_FOR_THE_END = 16
"""So many of them are kept for bringing everything to 0."""

MOST_CREATES = 5
READ_TRIES = 3
WRITE_TRIES = 3
LONGEST_WAIT = 60.0

PATH = "/api/SoftwareLicence"
PHASE = "Asking HaloPSA"
KEY = MappingKey("probe")
"""Under this key the journal has a probe's requests; it is no mapping's."""

_REFUSALS = frozenset({400, 403, 404, 409, 415, 422})


class Untold(Exception):
    """A question cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it. `status` is None where no complete answer came; `body` stays in memory."""

    shape: Shape
    status: int | None
    body: Any = field(default=None, repr=False)
    readable: bool = True

    @property
    def ok(self) -> bool:
        """True for any 2xx."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def refused(self) -> bool:
        """True for a definite no."""
        return self.status in _REFUSALS

    @property
    def told(self) -> str:
        """In words, for a sentence."""
        return "no answer came" if self.status is None else f"HaloPSA answered {self.status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How long a listing did not show what was written: seconds, and listings that did not. `never` within the wait."""

    seconds: int
    listings: int
    never: bool = False


@dataclass(slots=True, kw_only=True)
class ProbeSession:
    """What the questions share. Mutable on purpose: it is the one place where a probe's progress lives.

    `earlier` are rows that probes before it left, `made` the ids of this probe's Subscriptions in the order of their
    creates, `named` the ids that answers gave, `lost` the names whose create may have made one that was never seen.
    `along` are the members that an update wants, None while that is not known; `lag` is how many seconds a listing
    was late, `late_listings` how many listings were, and `late_reads` says that single reads are late as well.
    `ending` is the part that brings all to 0.
    """

    halo: RawHalo
    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    customer: HaloCustomerId
    word: str
    state: RunState | None = None
    wait: float = 60.0
    most: int = MOST_REQUESTS - KEPT_FOR_THE_END
    findings: dict[Question, ProbeFinding] = field(default_factory=dict)
    made: list[int] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    creates: int = 0
    writes: int = 0
    rows_in: str = "licences"
    needs_customer: bool = False
    along: tuple[str, ...] | None = None
    earlier: list[Row] = field(default_factory=list)
    first_late: Late = Late(seconds=0, listings=0)
    change_late: Late = Late(seconds=0, listings=0)
    lag: float = 0.0
    late_listings: int = 0
    late_reads: bool = False
    limit_headers: set[str] = field(default_factory=set)
    answers: int = 0
    ending: bool = False
    trouble: ApiError | None = None
    unrecorded: StateError | None = None

    # -- requests -----------------------------------------------------------------------------------------------------

    def get(self, path: str = PATH, query: Sequence[tuple[str, str]] = ()) -> Exchange:
        """Read, again where that can help. Raises `Untold` without an answer."""
        for tried in range(1, READ_TRIES + 1):
            self._make_room()
            reply = self._ask(path, query)
            exchange = self._exchange("GET", path, query, None, reply)
            if reply is not None and not _may_pass(exchange):
                return exchange
            if tried < READ_TRIES:
                self.rest(self._seconds(reply, tried))
        raise Untold("a read got no usable answer, however often it was sent")

    def _ask(self, path: str, query: Sequence[tuple[str, str]]) -> Reply | None:
        """One read; a 401 renews the token once. None where no answer came."""
        try:
            reply = self.halo.get(path, query)
            if reply.status == HTTPStatus.UNAUTHORIZED and self.halo.has_room(MOST_REQUESTS):
                self.halo.token.reject(self.halo.token.bearer())
                reply = self.halo.get(path, query)
        except ApiError as error:
            self.trouble = error
            return None
        self._note_limit(reply)
        return reply

    def post(self, rows: Sequence[Row]) -> Exchange:
        """Write once, journaled before it leaves. Raises `Untold` where it did not leave."""
        self._make_room()
        request = WriteRequest(body=json.dumps(rows, separators=(",", ":")).encode())
        self.writes += 1
        number = self.writes
        entries = tuple(IntentEntry(key=KEY, subscription_id=None, before=None, after=_count_of(row)) for row in rows)
        self._intend(Intent(number=number, kind="probe", entries=entries, body_sha256=request.sha256))
        try:
            reply = self.halo.post(request.body)
        except (ConnectFailed, Interrupted) as exc:
            self._conclude(number, IntentResult.NOT_SENT, exc.message)
            raise Untold("a write did not leave this machine") from exc
        except ApiError as exc:
            self._conclude(number, IntentResult.UNKNOWN, exc.message)
            return self._exchange("POST", PATH, (), rows, None)
        exchange = self._exchange("POST", PATH, (), rows, reply)
        result = IntentResult.OK if exchange.ok else IntentResult.REFUSED if exchange.refused else IntentResult.UNKNOWN
        self._conclude(number, result, f"HaloPSA answered {reply.status}")
        self._note_limit(reply)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self.halo.token.reject(self.halo.token.bearer())
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            self.rest(self._seconds(reply, 1))
        return exchange

    def _intend(self, intent: Intent) -> None:
        """Without a record there is no request: then the probe cannot go on writing."""
        if self.state is None:
            raise Untold("nothing is written before a person has agreed")
        try:
            self.state.intend(intent)
        except StateError as error:
            self.unrecorded = self.unrecorded or error
            raise Untold(f"the state took no more records: {error.message}") from error

    def _conclude(self, number: int, result: IntentResult, message: str) -> None:
        try:
            if self.state is not None:
                self.state.conclude(number, result, message)
        except StateError as error:
            self.unrecorded = self.unrecorded or error

    def update(self, *wanted: tuple[int, int]) -> Exchange:
        """Set quantities by id in the form that this HaloPSA takes, again where the answer leaves it open.

        The values are absolute, so that a repeat does no harm.
        """
        return self.post_absolute([self.good_row(number, count) for number, count in wanted])

    def post_absolute(self, rows: Sequence[Row]) -> Exchange:
        """Write rows by id, again while no clear answer comes; the last answer is returned."""
        exchange = self.post(rows)
        for _ in range(WRITE_TRIES - 1):
            if exchange.refused or (exchange.ok and exchange.readable):
                break
            exchange = self.post(rows)
        return exchange

    def good_row(self, number: int, count: int) -> Row:
        """One update in the form that is taken."""
        return {"id": number, "count": count, **self.shown(number, self.along or ())}

    def shown(self, number: int, members: Sequence[str]) -> Row:
        """These members of a Subscription of ours as it was last shown."""
        row = self.halo.shown(number)
        return {name: row[name] for name in members if row.get(name) is not None}

    # -- looking ------------------------------------------------------------------------------------------------------

    def listing(self, *more: tuple[str, str]) -> tuple[Exchange, list[Row]]:
        """One page of this customer's rows, those of the probe learned. Raises `Untold` where it is no list."""
        exchange = self.get(query=(*PAGED, ("page_size", "1000"), *BY_ID, *self.ours_only, *more))
        return exchange, self.rows_of(exchange)

    def listing_down(self) -> tuple[Exchange, list[Row]]:
        """The same with the highest id first."""
        exchange = self.get(query=(*PAGED, ("page_size", "1000"), *DOWN, *self.ours_only))
        return exchange, self.rows_of(exchange)

    @property
    def ours_only(self) -> tuple[tuple[str, str], ...]:
        """The query that keeps to this customer, inactive rows included."""
        return ("client_id", str(self.customer)), ("includeinactive", "true")

    def rows_of(self, exchange: Exchange) -> list[Row]:
        """The rows of a listing, in the order given; the probe's own are learned. Raises `Untold` for anything else."""
        if not exchange.ok:
            raise Untold(f"a listing was refused: {exchange.told}")
        rows = exchange.body.get(self.rows_in) if isinstance(exchange.body, dict) else exchange.body
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Untold("a listing held no list of rows")
        for row in rows:
            self.halo.learn(row)
        return rows

    def read(self, number: int) -> tuple[Exchange, Row | None]:
        """One Subscription of ours by itself; None where HaloPSA does not show it."""
        query = (("client_id", str(self.customer)),) if self.needs_customer else ()
        exchange = self.get(f"{PATH}/{number}", query)
        row = exchange.body if exchange.ok and isinstance(exchange.body, dict) else None
        if row is not None and self.halo.learn(row) != number:
            raise Untold("a single read showed another row than was asked for")
        return exchange, row

    def settle(self) -> None:
        """Let what was written arrive, as long as it took before."""
        self.rest(self.lag)
        for _ in range(self.late_listings if self.late_reads else 0):
            self.listing()

    def take(self, rows: Sequence[Row]) -> list[int]:
        """Count this probe's Subscriptions among the rows as made; returns those that were not seen before."""
        new = []
        for row in self.own(rows):
            number = self.halo.learn(row)
            if number is None or number in self.made:
                continue
            new.append(number)
            self.made.append(number)
            if row["name"] in self.lost:
                self.lost.remove(str(row["name"]))
        return new

    def own(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the rows that this probe made, by its word."""
        return [row for row in rows if self.halo.is_own(row) and self.word in text_of(row.get("name"))]

    # -- findings -----------------------------------------------------------------------------------------------------

    def tell(
        self, question: Question, answer: Answer, detail: str, *, value: Value = None, by: Exchange | None = None
    ) -> None:
        """Write an answer down; the first one stands."""
        shape = by.shape if by else None
        finding = ProbeFinding(
            question=question, asks=ASKED[question], answer=answer, detail=detail, value=value, exchange=shape
        )
        self.findings.setdefault(question, finding)

    def cannot(self, question: Question, why: str, *, by: Exchange | None = None) -> None:
        """Write down that a question could not be answered."""
        self.tell(question, Answer.UNTOLD, why, by=by)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        if self.stop() and not self.ending:
            raise Untold("somebody asked to stop")
        if not self.halo.has_room(self.most):
            raise Untold(f"the {MOST_REQUESTS} requests that a probe may send were used up")
        self.observe(PhaseAdvanced(phase=PHASE, done=self.halo.sent, total=MOST_REQUESTS))

    def rest(self, seconds: float) -> None:
        """Wait. Raises `Untold` where there is no time left, or somebody asked to stop."""
        if seconds <= 0:
            return
        try:
            self.halo.wait(seconds, "Giving HaloPSA time.")
        except Interrupted:
            if not self.ending:
                raise Untold("somebody asked to stop") from None
        except ReconcilerError as exc:
            raise Untold("the run's time was over") from exc

    def _seconds(self, reply: Reply | None, tried: int) -> float:
        asked = self.halo.asks_to_wait(reply) if reply is not None else None
        usual = 15.0 if reply is not None and reply.status == HTTPStatus.TOO_MANY_REQUESTS else 2.0
        return min(LONGEST_WAIT, asked or usual * tried)

    def _note_limit(self, reply: Reply) -> None:
        self.answers += 1
        self.limit_headers.update(limit_headers(reply.headers))
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._tell_of_limit(reply)

    def _tell_of_limit(self, reply: Reply) -> None:
        exchange = self._exchange("GET", PATH, (), None, reply)
        header, seconds = reply.headers.get("retry-after"), self.halo.asks_to_wait(reply)
        kind = "none"
        if header is not None:
            kind = "seconds" if header.strip().isdecimal() else "date"
            kind = kind if seconds is not None and seconds <= LONGEST_LIMIT else "absurd"
        sensible = kind in {"seconds", "date"}
        self.tell(Question.LIMIT_RETRY_AFTER, yes_if(sensible), f"Retry-After: {kind}", value=kind, by=exchange)
        form = "string" if isinstance(exchange.body, str) else "object" if exchange.body else "empty"
        self.tell(Question.LIMIT_BODY, yes_if(form != "empty"), f"the body was: {form}", value=form, by=exchange)

    def _exchange(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        rows: Sequence[Row] | None,
        reply: Reply | None,
    ) -> Exchange:
        body: Any = None
        readable = True
        if reply is not None:
            try:
                body = decode_json(reply.body)
            except Undecodable:
                readable = not reply.body.strip()
        ours = frozenset({*map(str, self.markers().values()), *map(self.name, range(10))})
        numbers = {str(number) for number in (*self.made, self.customer)}
        shape = Shape(
            request=f"{method} {_nameless(path)}",
            query=tuple(f"{name}={'{id}' if value in numbers else value}" for name, value in query),
            sent=None if rows is None else [self._sent(row) for row in rows],
            status=None if reply is None else reply.status,
            answer=self._answer(body, ours) if readable else "something that is not JSON",
            headers=() if reply is None else limit_headers(reply.headers),
        )
        return Exchange(shape=shape, status=shape.status, body=body, readable=readable)

    def _answer(self, body: Any, ours: frozenset[str]) -> Any:
        """The shape of an answer; of a listing's rows only our own are looked at."""
        rows = body.get(self.rows_in) if isinstance(body, dict) else body
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            own = [row for row in rows if self.halo.is_own(row)]
            return envelope_shape(body, self.rows_in if isinstance(body, dict) else None, own, ours)
        return shape_of(body, ours)

    def _sent(self, row: Row) -> Row:
        shown = {name: value for name, value in row.items() if name not in {"id", "client_id"}}
        numbers: Row = {"id": "{id}"} if "id" in row else {}
        return {**numbers, **({"client_id": "{customer}"} if "client_id" in row else {}), **shown}

    def name(self, number: int) -> str:
        """What the probe calls its Subscriptions; all but the last have one name."""
        return f"{PROBE_NAME} ({self.word}{'' if number == 0 else f'-{number}'})"

    def markers(self) -> Row:
        """What goes into each field that could carry a key."""
        return {name: f"{self.word}-{name}" for name in MARKER_FIELDS}


PAGED = (("pageinate", "true"), ("page_no", "1"))
BY_ID = (("order", "id"), ("orderdesc", "false"))
DOWN = (("order", "id"), ("orderdesc", "true"))
LONGEST_LIMIT = 3_600
"""Seconds: a Retry-After beyond an hour is none that anybody means."""


def _may_pass(exchange: Exchange) -> bool:
    """True for an answer to a read that may be another one soon: a server in trouble, a body that is no JSON."""
    if exchange.ok:
        return exchange.body is None
    status = exchange.status or 0
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {408, 429}


def _count_of(row: Row) -> int:
    count = row.get("count")
    return count if type(count) is int else 0


def _nameless(path: str) -> str:
    head, _, last = path.rpartition("/")
    return f"{head}/{{id}}" if last.isdecimal() else path
