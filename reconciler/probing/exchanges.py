"""A probe's requests: counted, journaled before they leave, and kept as shapes without a foreign value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from reconciler.clock import Clock
from reconciler.errors import ApiError, ConnectFailed, Interrupted, ReconcilerError, StateError
from reconciler.events import Observer, PhaseAdvanced
from reconciler.http.decoding import Undecodable, decode_json
from reconciler.http.transport import Reply
from reconciler.model import HaloCustomerId, MappingKey
from reconciler.probing.report import Shape
from reconciler.probing.shapes import Row, limit_headers, listing_shape, shape_of
from reconciler.providers.base import WriteRequest
from reconciler.providers.halo_raw import MARKER_FIELDS, PROBE_NAME, RawHalo
from reconciler.providers.halo_rows import REFUSALS
from reconciler.state.base import Intent, IntentEntry, IntentResult, RunState

MOST_REQUESTS = 60
"""A probe sends no more, the token's requests among them."""

KEPT_FOR_THE_END = 11
"""So many of them are kept for bringing everything to 0."""

MOST_CREATES = 5
READ_TRIES = 3
WRITE_TRIES = 3
LONGEST_WAIT = 60.0

PATH = "/api/SoftwareLicence"
PHASE = "Asking HaloPSA"
KEY = MappingKey("probe")
"""Under this key the journal has a probe's requests; it is no mapping's."""

LONGEST_LIMIT = 3_600
"""Seconds: a Retry-After beyond an hour is none that anybody means."""

Query = Sequence[tuple[str, str]]


class Untold(Exception):
    """A question cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it. `body` stays in memory; `readable` is false where it is no JSON."""

    shape: Shape
    body: Any = field(default=None, repr=False)
    readable: bool = True

    @property
    def status(self) -> int | None:
        """None where no complete answer came."""
        return self.shape.status

    @property
    def ok(self) -> bool:
        """True for any 2xx."""
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def refused(self) -> bool:
        """True for a definite no."""
        return self.status in REFUSALS

    @property
    def told(self) -> str:
        """In words, for a sentence."""
        return "no answer came" if self.status is None else f"HaloPSA answered {self.status}"


@dataclass(slots=True, kw_only=True)
class Exchanges:
    """Sends a probe's requests.

    `most` of them may leave, `stop` asks whether somebody wants it to end; `ending` is the part that brings all to 0: a
    stop does not end that. `rows_in` is the member that holds a listing's rows, `made` the ids of the probe's
    Subscriptions in the order of their creates. `trouble` is why the last read got no answer, `unrecorded` why the
    state took no more records, `throttled` the first answer at the request limit, with the form of its Retry-After:
    none, seconds, date or absurd.
    """

    halo: RawHalo
    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    customer: HaloCustomerId
    word: str
    state: RunState | None = None
    most: int = MOST_REQUESTS - KEPT_FOR_THE_END
    rows_in: str = "licences"
    made: list[int] = field(default_factory=list)
    writes: int = 0
    answers: int = 0
    limit_headers: set[str] = field(default_factory=set)
    throttled: tuple[Exchange, str] | None = None
    ending: bool = False
    trouble: ApiError | None = None
    unrecorded: StateError | None = None

    def get(self, path: str = PATH, query: Query = ()) -> Exchange:
        """Read, again where that can help. Raises `Untold` without an answer."""
        for tried in range(1, READ_TRIES + 1):
            self._make_room()
            reply = self._ask(path, query)
            exchange = self._exchange(f"GET {_nameless(path)}", reply, query=query)
            if reply is not None and not _may_pass(exchange):
                return exchange
            if tried < READ_TRIES:
                self.rest(self._seconds(reply, tried))
        raise Untold("a read got no usable answer, however often it was sent")

    def _ask(self, path: str, query: Query) -> Reply | None:
        """One read; a 401 renews the token once. None where no answer came."""
        try:
            reply = self.halo.get(path, query)
            if reply.status == HTTPStatus.UNAUTHORIZED and self.halo.has_room(MOST_REQUESTS):
                self.halo.token.reject(self.halo.token.bearer())
                reply = self.halo.get(path, query)
        except Interrupted as stopped:
            raise Untold("somebody asked to stop") from stopped
        except ApiError as error:
            self.trouble = error
            return None
        self._note_limit(reply)
        return reply

    def post(self, rows: Sequence[Row]) -> Exchange:
        """Write once, journaled before it leaves. Raises `Untold` where it did not leave."""
        self._make_room()
        request = WriteRequest(body=json.dumps(rows, separators=(",", ":")).encode())
        self.writes = number = self.writes + 1
        entries = tuple(IntentEntry(key=KEY, subscription_id=None, before=None, after=_count_of(row)) for row in rows)
        self._intend(Intent(number=number, kind="probe", entries=entries, body_sha256=request.sha256))
        try:
            reply = self.halo.post(request.body)
        except (ConnectFailed, Interrupted) as exc:
            self._conclude(number, IntentResult.NOT_SENT, exc.message)
            raise Untold("a write did not leave this machine") from exc
        except ApiError as exc:
            self._conclude(number, IntentResult.UNKNOWN, exc.message)
            return self._exchange(f"POST {PATH}", None, rows=rows)
        exchange = self._exchange(f"POST {PATH}", reply, rows=rows)
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

    def post_absolute(self, rows: Sequence[Row]) -> Exchange:
        """Write rows by id, again while no clear answer comes; the last answer is returned."""
        exchange = self.post(rows)
        for _ in range(WRITE_TRIES - 1):
            if exchange.refused or (exchange.ok and exchange.readable):
                break
            exchange = self.post(rows)
        return exchange

    def _make_room(self) -> None:
        if self.stop() and not self.ending:
            raise Untold("somebody asked to stop")
        if not self.halo.has_room(self.most):
            raise Untold(f"the {MOST_REQUESTS} requests that a probe may send were used up")
        self.observe(PhaseAdvanced(phase=PHASE, done=self.halo.sent, total=MOST_REQUESTS))

    def rest(self, seconds: float) -> None:
        """Wait. Raises `Untold` where there is no time left, or somebody asked to stop."""
        try:
            if seconds > 0:
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
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS and self.throttled is None:
            self.throttled = self._exchange(f"GET {PATH}", reply), self._form_of_wait(reply)

    def _form_of_wait(self, reply: Reply) -> str:
        """How an answer says how long to wait: none, seconds, date or absurd."""
        header, seconds = reply.headers.get("retry-after"), self.halo.asks_to_wait(reply)
        if header is None:
            return "none"
        if seconds is None or seconds > LONGEST_LIMIT:
            return "absurd"
        return "seconds" if header.strip().isdecimal() else "date"

    def _exchange(
        self, request: str, reply: Reply | None, *, query: Query = (), rows: Sequence[Row] | None = None
    ) -> Exchange:
        """What came of a request. Of a listing's rows only our own are looked at."""
        body: Any = None
        readable = True
        if reply is not None:
            try:
                body = decode_json(reply.body)
            except Undecodable:
                readable = not reply.body.strip()
        ours = frozenset({*map(str, self.markers().values()), *map(self.name, range(10))})
        listed = body.get(self.rows_in) if isinstance(body, dict) else body
        if not readable:
            answer: Any = "something that is not JSON"
        elif isinstance(listed, list) and all(isinstance(row, dict) for row in listed):
            answer = listing_shape(body, self.rows_in, [row for row in listed if self.halo.is_own(row)], ours)
        else:
            answer = shape_of(body, ours)
        numbers = {str(number) for number in (*self.made, self.customer)}
        shape = Shape(
            request=request,
            query=tuple(f"{name}={'{id}' if value in numbers else value}" for name, value in query),
            sent=None if rows is None else [_numberless(row) for row in rows],
            status=None if reply is None else reply.status,
            answer=answer,
            headers=() if reply is None else limit_headers(reply.headers),
        )
        return Exchange(shape=shape, body=body, readable=readable)

    def name(self, number: int) -> str:
        """What the probe calls its Subscriptions; all but the last have one name."""
        return f"{PROBE_NAME} ({self.word}{'' if number == 0 else f'-{number}'})"

    def markers(self) -> Row:
        """What goes into each field that could carry a key."""
        return {name: f"{self.word}-{name}" for name in MARKER_FIELDS}


def _may_pass(exchange: Exchange) -> bool:
    """True for an answer to a read that may be another one soon: a server in trouble, a body that is no JSON."""
    if exchange.ok:
        return exchange.body is None
    status = exchange.status or 0
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {408, 429}


def _count_of(row: Row) -> int:
    count = row.get("count")
    return count if type(count) is int else 0


def _numberless(row: Row) -> Row:
    """A row that was sent, first its ids, without their values."""
    words: Row = {"id": "{id}", "client_id": "{customer}"}
    return {
        **{name: word for name, word in words.items() if name in row},
        **{n: v for n, v in row.items() if n not in words},
    }


def _nameless(path: str) -> str:
    head, _, last = path.rpartition("/")
    return f"{head}/{{id}}" if last.removeprefix("-").isdecimal() else path
