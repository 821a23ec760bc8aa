"""INFIMA: where counts come from. Facts about its API are in the fact sheet, sections 2 to 5."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Any

from reconciler.errors import (
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    NotAuthorised,
    RateLimited,
    Rejected,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.events import Observer, PhaseAdvanced, PhaseFinished, PhaseStarted
from reconciler.http.decoding import text_of, whole_number
from reconciler.http.transport import Call, Query, Route, Transport
from reconciler.http.waiting import Deadline
from reconciler.model import InfimaClient, InfimaClientId, Json, UnreadableUsers, UserCount
from reconciler.providers.credentials import InfimaCredentials
from reconciler.providers.listing import ListPage, PagedList, ReadPool, Row, page_from, row_id

SYSTEM = "INFIMA"
PAGE_ROWS = 50
"""The largest page that INFIMA documents."""

OUTAGE = 10
"""After so many clients in a row that the server could not serve, the source counts as down."""

_PHASE = "Counting active users"
_OUTAGES = (ConnectFailed, ResponseLost, DeadlineExceeded, RateLimited, ServerFailed)


def infima_routes(credentials: InfimaCredentials) -> tuple[Route, ...]:
    """Everything that may ever be asked of INFIMA: three reads."""
    paths = (r"/v1/partner", r"/v1/clients", r"/v1/clients/[0-9]{1,10}/users")
    return tuple(Route(method="GET", origin=credentials.url.origin, path=re.compile(path)) for path in paths)


def infima_hint(_call: Call, status: int) -> str:
    """The next step for a failed call."""
    match status:
        case 401 | 403:
            return (
                "Check INFIMA_API_KEY: it must be a partner-level key that is still active (INFIMA > Settings > "
                "Integrations > API Keys)."
            )
        case 404:
            return "Check INFIMA_URL, or that the client still exists in INFIMA."
        case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return "Check INFIMA_URL: it must be the address that answers by itself."
        case _:
            return ""


class InfimaSource:
    """Implements `CountSource`, which says what its methods promise."""

    def __init__(
        self,
        *,
        credentials: InfimaCredentials,
        transport: Transport,
        pool: ReadPool,
        deadline: Deadline,
        observer: Observer,
    ) -> None:
        self._origin = credentials.url.origin
        self._key = credentials.api_key
        self._transport = transport
        self._pool = pool
        self._deadline = deadline
        self._observer = observer
        self._asks_status = True

    @property
    def clock_ahead(self) -> timedelta | None:
        """How far this machine's clock is ahead of INFIMA's; None where its answers carry no date."""
        return self._transport.clock_ahead

    def partner(self) -> str:
        answer = self._read("/v1/partner")
        name = text_of(answer.get("partner_name")) if isinstance(answer, dict) else ""
        if not name.strip():
            raise UnreadableAnswer("INFIMA's partner record has no name.", system=SYSTEM, request="GET /v1/partner")
        return name

    def clients(self) -> tuple[InfimaClient, ...]:
        name = "list of clients"
        identify = partial(row_id, system=SYSTEM, name=name)
        rows = self._list(name, partial(self._read, "/v1/clients"), identify, parallel=self._pool.map)
        return tuple(sorted((_client(row, identify(row)) for row in rows), key=lambda client: client.id))

    def user_counts(self, client_ids: Sequence[InfimaClientId]) -> tuple[UserCount | UnreadableUsers, ...]:
        if not client_ids:
            return ()
        tally = _Tally(observer=self._observer, total=len(client_ids))
        self._observer(PhaseStarted(phase=_PHASE, total=len(client_ids)))
        counts = tuple(self._pool.map(lambda client_id: self._counted(client_id, tally), client_ids))
        readable = sum(isinstance(count, UserCount) for count in counts)
        self._observer(PhaseFinished(phase=_PHASE, detail=f"{readable} of {len(counts)} clients"))
        return counts

    def _counted(self, client_id: InfimaClientId, tally: _Tally) -> UserCount | UnreadableUsers:
        try:
            count = self._count_users(client_id)
        except NotAuthorised:
            raise
        except _OUTAGES as exc:
            self._deadline.check()
            if tally.advance(outage=True) >= OUTAGE:
                raise
            return UnreadableUsers(client_id=client_id, reason=exc.message)
        except ApiError as exc:
            tally.advance(outage=False)
            return UnreadableUsers(client_id=client_id, reason=exc.message)
        tally.advance(outage=False)
        return count

    def _count_users(self, client_id: InfimaClientId) -> UserCount | UnreadableUsers:
        """Walk all users of one client and count the active ones; a list without any status cannot be counted."""
        name = f"list of users of client {client_id}"
        rows = self._list(name, partial(self._read_users, client_id), partial(_user_id, name=name), twice=True)
        statuses = [row.get("status") for row in rows]
        without = sum(not isinstance(status, str) or not status.strip() for status in statuses)
        if rows and without == len(rows):
            return UnreadableUsers(
                client_id=client_id, reason=f"None of the {len(rows)} users of INFIMA client {client_id} has a status."
            )
        active = sum(isinstance(status, str) and status.strip().lower() == "active" for status in statuses)
        return UserCount(client_id=client_id, active=active, listed=len(rows), without_status=without)

    def _list(
        self, name: str, read: Callable[[Query], Json], identify: Callable[[Row], Hashable], **how: Any
    ) -> list[Row]:
        def fetch(start: int, size: int) -> ListPage:
            answer = read((("limit", str(size)), ("offset", str(start))))
            return page_from(answer, rows="items", total="total", system=SYSTEM, name=name)

        return PagedList(
            system=SYSTEM, name=name, fetch=fetch, identify=identify, ask=PAGE_ROWS, total_is_sure=True, **how
        ).read()

    def _read_users(self, client_id: InfimaClientId, paging: Query) -> Json:
        """Ask for users of every status; where INFIMA refuses the parameter, ask without it from then on.

        The parameter is known from published code only, not from the reference (fact sheet, section 2).
        """
        path = f"/v1/clients/{client_id:d}/users"
        if self._asks_status:
            try:
                return self._read(path, (*paging, ("status", "all")))
            except Rejected as exc:
                if exc.status != HTTPStatus.BAD_REQUEST:
                    raise
        answer = self._read(path, paging)
        self._asks_status = False  # only now: a 400 for another reason must not switch it off for all
        return answer

    def _read(self, path: str, query: Query = ()) -> Json:
        headers = {"X-API-Key": self._key.reveal()}
        return self._transport.read(Call(method="GET", origin=self._origin, path=path, query=query, headers=headers))


class _Tally:
    """Counts clients read, and failures in a row. Safe to use from several threads."""

    def __init__(self, *, observer: Observer, total: int) -> None:
        self._observer = observer
        self._total = total
        self._lock = Lock()
        self._done = 0
        self._outages = 0

    def advance(self, *, outage: bool) -> int:
        """One client is done; returns how many in a row the server could not serve."""
        with self._lock:
            self._done += 1
            self._outages = self._outages + 1 if outage else 0
            self._observer(PhaseAdvanced(phase=_PHASE, done=self._done, total=self._total))
            return self._outages


def _client(row: Row, number: int) -> InfimaClient:
    return InfimaClient(
        id=InfimaClientId(number),
        name=text_of(row.get("client_name")),
        user_count=whole_number(row.get("user_count")),
        inactive_user_count=whole_number(row.get("inactive_user_count")),
    )


def _user_id(row: Row, name: str) -> Hashable:
    """A user's id: a number or a text, which of them is not known (fact sheet, section 3)."""
    identity = row.get("id")
    if isinstance(identity, bool) or not isinstance(identity, int | str) or identity == "":
        raise UnreadableAnswer(f"INFIMA's {name}: a row has no usable id.", system=SYSTEM)
    return identity
