"""Lets one request meet its faults: events before it, its effect or not, and what the client gets to see of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import httpx

from reconciler.simulator.answers import empty, encode, raw, reply
from reconciler.simulator.halopsa import too_many
from reconciler.simulator.licences import write_licences
from reconciler.simulator.records import Actor, RequestRecord, System
from reconciler.simulator.world import World
from tests.clock import VirtualClock
from tests.faults import distort
from tests.faults.events import happen
from tests.faults.kinds import (
    DISTORTIONS,
    EVENTS,
    LIST_FAULTS,
    NO_ANSWER,
    STATUSES,
    TOKEN_ANSWERS,
    VALUES,
    WIRE,
    WRITE_FAULTS,
    Exchange,
    Fault,
    FaultKind,
)

Answer = Callable[[World, httpx.Request], httpx.Response]
OK = 200
CATCHES = frozenset({FaultKind.OTHER_FIELD, FaultKind.WARNING, FaultKind.WRONG_ECHO})
REDIRECT_TARGET = "https://elsewhere.example.com/"
RETRY_AFTER: dict[FaultKind, str] = {
    FaultKind.RATE_LIMITED_SECONDS: "5",
    FaultKind.RATE_LIMITED_ZERO: "0",
    FaultKind.RATE_LIMITED_NEGATIVE: "-1",
    FaultKind.RATE_LIMITED_HUGE: "1000000000",
    FaultKind.RATE_LIMITED_WORD: "soon",
}


@contextmanager
def rehearsal(world: World) -> Iterator[None]:
    """Changes to licences made inside are answered as if they were made, and are not."""
    with world.lock:
        kept = world.licences, world.mutations, world.past, world._last_licence_id
        world.licences, world.mutations = dict(world.licences), list(world.mutations)
        world.past = {number: list(rows) for number, rows in world.past.items()}
        try:
            yield
        finally:
            world.licences, world.mutations, world.past, world._last_licence_id = kept


class Injection:
    """One request on its way through the faults it meets."""

    def __init__(self, world: World, record: RequestRecord, request: httpx.Request, answer: Answer) -> None:
        self._world = world
        self._record = record
        self._request = request
        self._answer = answer

    def run(self, faults: tuple[Fault, ...]) -> Exchange:
        """Let events happen, then let the first of the other faults have its way with the answer."""
        for fault in faults:
            if fault.kind in EVENTS:
                happen(self._world, fault, self._record)
        spoiling = next((fault for fault in faults if fault.kind not in EVENTS), None)
        if spoiling is None:
            return Exchange(response=self._plain())
        return self._spoil(spoiling)

    def _spoil(self, fault: Fault) -> Exchange:
        kind = fault.kind
        if kind in WRITE_FAULTS:
            return self._write(fault)
        if kind is FaultKind.STALE_LISTING:
            return Exchange(response=self._stale(fault))
        if kind in NO_ANSWER or kind in STATUSES:
            if fault.after:
                self._plain()
            response = None if kind in NO_ANSWER else self._status(kind)
            return Exchange(response=response, kind=kind if kind in NO_ANSWER else None, seconds=fault.seconds)
        response = self._plain() if fault.after else self._rehearsed()
        if kind in WIRE:
            return Exchange(response=response, kind=kind, seconds=fault.seconds)
        if response.status_code >= httpx.codes.BAD_REQUEST:
            return Exchange(response=response)
        return self._spoil_body(fault, response)

    def _plain(self) -> httpx.Response:
        return self._answer(self._world, self._request)

    def _rehearsed(self) -> httpx.Response:
        """The answer without the effect; for a read the two are the same."""
        with rehearsal(self._world):
            return self._plain()

    def _status(self, kind: FaultKind) -> httpx.Response:
        if kind is FaultKind.REDIRECT:
            return httpx.Response(302, headers={"Location": REDIRECT_TARGET, "Content-Length": "0"})
        if kind is FaultKind.MAINTENANCE_PAGE:
            return raw(503, distort.HTML, "text/html; charset=utf-8")
        status = int(kind.value[:3])
        if status == httpx.codes.TOO_MANY_REQUESTS:
            moment = self._world.clock.now() + timedelta(seconds=5)
            after = RETRY_AFTER | {FaultKind.RATE_LIMITED_DATE: format_datetime(moment, usegmt=True)}
            return too_many(self._world, after.get(kind))
        if self._record.system is System.INFIMA:
            return reply(status, {"message": "Forbidden" if status == httpx.codes.FORBIDDEN else "No"})
        return empty(status)

    def _stale(self, fault: Fault) -> httpx.Response:
        before = self._world.switches
        self._world.switches = replace(before, lag_seconds=fault.seconds)
        try:
            return self._plain()
        finally:
            self._world.switches = before

    # ---- bodies -----------------------------------------------------------------------------------------------------

    def _spoil_body(self, fault: Fault, response: httpx.Response) -> Exchange:
        body = response.content
        if fault.kind is FaultKind.GZIP:
            return self._compressed(response.status_code, body)
        if fault.kind is FaultKind.OLD_CACHE:
            old = self._world.clock.now() - timedelta(days=1)
            response.headers.update({"Age": "86400", "Date": format_datetime(old, usegmt=True)})
            return Exchange(response=response)
        if fault.kind in DISTORTIONS:
            spoilt, content_type = distort.distorted_bytes(fault.kind, body)
            return Exchange(response=raw(response.status_code, spoilt, content_type))
        document = json.loads(body)
        if fault.kind in TOKEN_ANSWERS:
            return Exchange(response=reply(OK, distort.distorted_token(fault.kind, document)))
        if fault.kind in LIST_FAULTS | VALUES:
            if fault.kind is FaultKind.REPEATED_PAGE:
                return Exchange(response=self._first_page())
            document = distort.distorted_page(fault, self._record.endpoint, document)
        return Exchange(response=raw(OK, encode(document)))

    def _first_page(self) -> httpx.Response:
        params = self._request.url.params
        for name, first in (("offset", "0"), ("page_no", "1")):
            if name in params:
                params = params.set(name, first)
        url = self._request.url.copy_with(params=params)
        return self._answer(self._world, httpx.Request("GET", url, headers=self._request.headers))

    def _compressed(self, status: int, body: bytes) -> Exchange:
        packed = gzip.compress(body)
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", "Content-Length": str(len(packed))}
        return Exchange(response=httpx.Response(status, headers=headers, stream=Bytes(packed)), body=packed)

    # ---- writes -----------------------------------------------------------------------------------------------------

    def _write(self, fault: Fault) -> Exchange:
        if fault.kind in CATCHES:
            return Exchange(response=self._applied_with_a_catch(fault.kind))
        rehearsed = self._rehearsed()
        if rehearsed.status_code >= httpx.codes.BAD_REQUEST:
            return Exchange(response=rehearsed)
        match fault.kind:
            case FaultKind.PARTIAL_BATCH | FaultKind.PARTIAL_BATCH_SILENT:
                self._apply_half()
            case FaultKind.SILENT_NO_OP:
                pass
            case _:
                self._world.clock.call_later(fault.seconds, self._apply)
        if fault.kind is FaultKind.LATE_EFFECT_LOST:
            return Exchange(response=None, kind=FaultKind.READ_TIMEOUT, seconds=fault.seconds / 2)
        failed = fault.kind in {FaultKind.LATE_EFFECT, FaultKind.PARTIAL_BATCH}
        return Exchange(response=empty(500) if failed else rehearsed)

    def _apply(self) -> None:
        """Let the write take effect; that it was let in was decided when it came."""
        with self._world.lock, self._world.acting_for(self._record.number):
            write_licences(self._world, self._request)

    def _apply_half(self) -> None:
        elements = json.loads(self._request.content)
        half = encode(elements[: len(elements) // 2])
        headers = {"Content-Type": self._request.headers["Content-Type"]}
        write_licences(self._world, httpx.Request("POST", self._request.url, headers=headers, content=half))

    def _applied_with_a_catch(self, kind: FaultKind) -> httpx.Response:
        response = self._plain()
        if response.status_code >= httpx.codes.BAD_REQUEST or not response.content:
            return response
        document = json.loads(response.content)
        rows = document if isinstance(document, list) else [document]
        for row in rows:
            if kind is FaultKind.OTHER_FIELD:
                row.update(
                    self._world.change_licence(row["id"], {"price": row.get("price", 0) + 1.23}, actor=Actor.HALO)
                )
            elif kind is FaultKind.WARNING:
                row["_warning"] = "The quantity was set, but the distributor was not told."
            else:
                row.update(id=row["id"] + 1, count=1)
        return reply(response.status_code, document)


class Bytes(httpx.SyncByteStream):
    """A body that is not read, and so not decoded, before the client reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body


class Dribble(httpx.SyncByteStream):
    """A body that comes in pieces, each of which takes virtual time."""

    def __init__(self, clock: VirtualClock, body: bytes, seconds: float) -> None:
        self._clock = clock
        self._body = body
        self._seconds = seconds

    def __iter__(self) -> Iterator[bytes]:
        pieces = max(min(len(self._body), 100), 1)
        size = len(self._body) // pieces + 1
        for start in range(0, len(self._body), size):
            self._clock.sleep(self._seconds / pieces)
            yield self._body[start : start + size]


def as_httpx(world: World, request: httpx.Request, exchange: Exchange) -> httpx.Response:
    """What httpx would make of the exchange: its answer, or the exception that the broken wire leads to."""
    kind, response = exchange.kind, exchange.response
    match kind:
        case None if response is not None:
            return response
        case FaultKind.CONNECT_ERROR:
            raise httpx.ConnectError("[simulated] connection refused", request=request)
        case FaultKind.RESET:
            raise httpx.ReadError("[simulated] connection reset by peer", request=request)
        case FaultKind.READ_TIMEOUT:
            _pass_time(world, exchange.seconds)
            raise httpx.ReadTimeout("[simulated] timed out", request=request)
        case FaultKind.SLOW_BODY | FaultKind.ENDLESS_BODY | FaultKind.LENGTH_TOO_SHORT if response is not None:
            return _odd_body(world, response, exchange)
        case _:
            raise httpx.RemoteProtocolError(f"[simulated] {kind}", request=request)


def _pass_time(world: World, seconds: float) -> None:
    if isinstance(world.clock, VirtualClock):
        world.clock.sleep(seconds)


def _odd_body(world: World, response: httpx.Response, exchange: Exchange) -> httpx.Response:
    body = response.content
    headers = {"Content-Type": response.headers.get("Content-Type", "")}
    if exchange.kind is FaultKind.LENGTH_TOO_SHORT:
        return httpx.Response(response.status_code, headers=headers, content=body[:-5])
    if exchange.kind is FaultKind.ENDLESS_BODY:
        return httpx.Response(response.status_code, headers=headers, stream=Bytes(b" " * distort.HUGE))
    clock = world.clock if isinstance(world.clock, VirtualClock) else VirtualClock()
    return httpx.Response(response.status_code, headers=headers, stream=Dribble(clock, body, exchange.seconds))
