"""What can go wrong between a client and the two APIs: the kinds, where each applies, and scripts of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Any

import httpx

from reconciler.simulator.records import Endpoint, RequestRecord, Row


class FaultKind(StrEnum):
    """Each kind of fault that the simulator can produce; FAULTS.md 2.1 to 2.3."""

    # A status in place of the answer
    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    REQUEST_TIMEOUT = "408"
    CONFLICT = "409"
    UNPROCESSABLE = "422"
    RATE_LIMITED = "429"
    RATE_LIMITED_SECONDS = "429-retry-after-5"
    RATE_LIMITED_ZERO = "429-retry-after-0"
    RATE_LIMITED_NEGATIVE = "429-retry-after-negative"
    RATE_LIMITED_HUGE = "429-retry-after-1e9"
    RATE_LIMITED_DATE = "429-retry-after-date"
    RATE_LIMITED_WORD = "429-retry-after-soon"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    MAINTENANCE_PAGE = "503-html"
    REDIRECT = "302"

    # No answer
    CONNECT_ERROR = "connect-error"
    RESET = "reset"
    DISCONNECT = "disconnect"
    READ_TIMEOUT = "read-timeout"

    # Broken on the wire
    SLOW_BODY = "slow-body"
    TRUNCATED_BODY = "truncated-body"
    LENGTH_TOO_LONG = "length-too-long"
    LENGTH_TOO_SHORT = "length-too-short"
    BAD_CHUNKING = "bad-chunking"
    EOF_IN_HEADER = "eof-in-header"
    MANY_HEADERS = "many-headers"
    ENDLESS_BODY = "endless-body"

    # A status of 200 around something else
    HTML = "html"
    EMPTY_BODY = "empty-body"
    BOM = "bom"
    BAD_UTF8 = "bad-utf8"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    TRUNCATED_JSON = "truncated-json"
    DUPLICATE_KEYS = "duplicate-keys"
    NAN = "nan"
    INFINITY = "infinity"
    OVERFLOW = "1e400"
    HUGE_BODY = "huge-body"
    HUGE_INTEGER = "huge-integer"
    DEEP_NESTING = "deep-nesting"
    GZIP = "gzip"
    OLD_CACHE = "old-cache"
    BARE_LIST = "bare-list"

    # A list that is not what it says
    SHORT_PAGE = "short-page"
    REPEATED_PAGE = "repeated-page"
    DUPLICATE_EQUAL = "duplicate-equal"
    DUPLICATE_DIFFERENT = "duplicate-different"
    TOTAL_WRONG = "total-wrong"
    TOTAL_MISSING = "total-missing"
    EMPTY_LIST = "empty-list"
    ROW_MISSING = "row-missing"
    STALE_LISTING = "stale-listing"

    # Values that are not what they should be
    COUNT_STRING = "count-string"
    COUNT_FLOAT = "count-float"
    COUNT_FRACTION = "count-fraction"
    COUNT_BOOL = "count-bool"
    COUNT_NEGATIVE = "count-negative"
    COUNT_HUGE = "count-huge"
    COUNT_NULL = "count-null"
    COUNT_DIGITS = "count-arabic-digits"
    COUNT_MISSING = "count-missing"
    COUNTS_ZERO = "counts-zero"
    COUNTS_LOW = "counts-low"
    ID_MISSING = "id-missing"
    ID_STRING = "id-string"
    NAME_NULL = "name-null"

    # Writes
    LATE_EFFECT = "late-effect"
    LATE_EFFECT_LOST = "late-effect-lost"
    LATE_EFFECT_ACCEPTED = "late-effect-accepted"
    PARTIAL_BATCH = "partial-batch"
    PARTIAL_BATCH_SILENT = "partial-batch-silent"
    SILENT_NO_OP = "silent-no-op"
    OTHER_FIELD = "other-field"
    WARNING = "warning"
    WRONG_ECHO = "wrong-echo"

    # Token and key
    TOKEN_EXPIRED = "token-expired"
    TOKEN_NO_EXPIRY = "token-no-expiry"
    TOKEN_EXPIRY_ZERO = "token-expiry-zero"
    TOKEN_EXPIRY_HUGE = "token-expiry-huge"
    TOKEN_EXPIRY_TEXT = "token-expiry-text"
    TOKEN_NOT_TEXT = "token-not-text"
    TOKEN_MISSING = "token-missing"
    KEY_REVOKED = "key-revoked"

    # People and the world, just before a request
    LIST_CHANGES = "list-changes"
    PERSON_SETS_COUNT = "person-sets-count"
    PERSON_RENAMES = "person-renames"
    PERSON_DEACTIVATES = "person-deactivates"
    PERSON_DELETES = "person-deletes"
    PERSON_MOVES = "person-moves"
    PERSON_EDITS_MARKER = "person-edits-marker"


INFIMA_LISTS = frozenset({Endpoint.CLIENTS, Endpoint.USERS})
HALO_LISTS = frozenset({Endpoint.LICENCES, Endpoint.CUSTOMERS, Endpoint.INVOICES})
LISTS = INFIMA_LISTS | HALO_LISTS
SINGLES = frozenset({Endpoint.LICENCE, Endpoint.CUSTOMER, Endpoint.INVOICE, Endpoint.CHANGES})
READS = frozenset({Endpoint.PARTNER}) | LISTS | SINGLES
EVERYWHERE = READS | {Endpoint.TOKEN, Endpoint.WRITE}
COUNTED = frozenset({Endpoint.CLIENTS, Endpoint.LICENCES})
WRITES = frozenset({Endpoint.WRITE})
TOKENS = frozenset({Endpoint.TOKEN})
HALO_CALLS = HALO_LISTS | SINGLES | WRITES


def _between(first: FaultKind, last: FaultKind) -> frozenset[FaultKind]:
    """The kinds from one to another, in the order in which they are written above."""
    kinds = list(FaultKind)
    return frozenset(kinds[kinds.index(first) : kinds.index(last) + 1])


STATUSES = _between(FaultKind.BAD_REQUEST, FaultKind.REDIRECT)
NO_ANSWER = _between(FaultKind.CONNECT_ERROR, FaultKind.READ_TIMEOUT)
WIRE = _between(FaultKind.SLOW_BODY, FaultKind.ENDLESS_BODY)
DISTORTIONS = _between(FaultKind.HTML, FaultKind.BARE_LIST)
LIST_FAULTS = _between(FaultKind.SHORT_PAGE, FaultKind.STALE_LISTING)
VALUES = _between(FaultKind.COUNT_STRING, FaultKind.NAME_NULL)
WRITE_FAULTS = _between(FaultKind.LATE_EFFECT, FaultKind.WRONG_ECHO)
TOKEN_ANSWERS = _between(FaultKind.TOKEN_NO_EXPIRY, FaultKind.TOKEN_MISSING)
EVENTS = _between(FaultKind.LIST_CHANGES, FaultKind.PERSON_EDITS_MARKER) | {
    FaultKind.TOKEN_EXPIRED,
    FaultKind.KEY_REVOKED,
}

_SPECIAL: dict[FaultKind, frozenset[Endpoint]] = {
    FaultKind.BARE_LIST: LISTS,
    FaultKind.TOKEN_EXPIRED: HALO_CALLS,
    FaultKind.KEY_REVOKED: INFIMA_LISTS | {Endpoint.PARTNER},
    FaultKind.LIST_CHANGES: LISTS - {Endpoint.INVOICES},
    FaultKind.COUNTS_ZERO: INFIMA_LISTS,
    FaultKind.COUNTS_LOW: INFIMA_LISTS,
    FaultKind.ID_MISSING: LISTS,
    FaultKind.ID_STRING: LISTS - {Endpoint.USERS},
    FaultKind.NAME_NULL: COUNTED | {Endpoint.CUSTOMERS},
    FaultKind.STALE_LISTING: frozenset({Endpoint.LICENCES}),
}


def endpoints_of(kind: FaultKind) -> frozenset[Endpoint]:
    """The endpoints at which a kind makes sense."""
    if kind in _SPECIAL:
        return _SPECIAL[kind]
    groups = (
        (LIST_FAULTS, LISTS),
        (VALUES, COUNTED),
        (WRITE_FAULTS, WRITES),
        (TOKEN_ANSWERS, TOKENS),
    )
    return next((endpoints for kinds, endpoints in groups if kind in kinds), EVERYWHERE)


def moments_of(kind: FaultKind, endpoint: Endpoint) -> tuple[bool, ...]:
    """For a write, both before and after its effect where both can be; else only before."""
    both = endpoint is Endpoint.WRITE and kind in (STATUSES | NO_ANSWER | WIRE | DISTORTIONS)
    return (False, True) if both and kind is not FaultKind.CONNECT_ERROR else (False,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: of the requests that match `at`, the `nth` and, with `times`, those that follow.

    `at` is a shell pattern over an endpoint (`halo.*`) or over method and path (`GET /v1/clients/7/users`). `after`
    lets a write take effect before it goes wrong. `seconds` is how long a timeout, a slow body or a late effect
    takes, `row` the place of the spoilt row in a list, `target` the licence row that a person edits.
    """

    kind: FaultKind
    at: str = "*"
    nth: int = 1
    times: int = 1
    after: bool = False
    seconds: float = 90
    row: int = 0
    target: int | None = None

    def __str__(self) -> str:
        moment = " after the effect" if self.after else ""
        return f"{self.kind}{moment} at {self.at} #{self.nth}"

    def matches(self, endpoint: Endpoint, method: str, path: str) -> bool:
        """Whether the request is one of those that this fault counts."""
        return fnmatchcase(endpoint.value, self.at) or fnmatchcase(f"{method} {path}", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What became of a request: an answer, or none; `kind` asks the wire to misbehave."""

    response: httpx.Response | None
    kind: FaultKind | None = None
    seconds: float = 0
    body: bytes | None = None  # the bytes to send where the response would decode them


class Faults:
    """A script of faults, each counting the requests that match it. Used while holding the world's lock."""

    def __init__(self, script: Iterable[Fault] = ()) -> None:
        self.script: tuple[Fault, ...] = tuple(script)
        self.fired: list[tuple[int, Fault]] = []  # request number and fault
        self._seen: Counter[int] = Counter()

    def take(self, record: RequestRecord) -> tuple[Fault, ...]:
        """The faults that this request meets, in the order of the script; they are noted as fired."""
        met: list[Fault] = []
        for place, fault in enumerate(self.script):
            if fault.matches(record.endpoint, record.method, record.path):
                self._seen[place] += 1
                if fault.nth <= self._seen[place] < fault.nth + fault.times:
                    met.append(fault)
        self.fired += [(record.number, fault) for fault in met]
        return tuple(met)

    def replace(self, other: Faults) -> None:
        """Take over another script and count from the beginning."""
        self.script = other.script
        self._seen.clear()

    @classmethod
    def from_json(cls, document: Sequence[Row]) -> Faults:
        """A script from plain JSON values; raises `TypeError` or `ValueError` on an unknown member or kind."""
        names = {each.name for each in fields(Fault)}
        script: list[Fault] = []
        for row in document:
            if unknown := sorted(set(row) - names):
                raise TypeError(f"no such member of a fault: {', '.join(unknown)}")
            values: dict[str, Any] = dict(row) | {"kind": FaultKind(row["kind"])}
            script.append(Fault(**values))
        return cls(script)

    def to_json(self) -> list[Row]:
        """The script as plain JSON values."""
        return [asdict(fault) for fault in self.script]


def kinds_at(endpoint: Endpoint) -> tuple[FaultKind, ...]:
    """The kinds that make sense at an endpoint, in a fixed order."""
    return tuple(kind for kind in FaultKind if endpoint in endpoints_of(kind))


def enumerate_single_faults(
    requests: Iterable[RequestRecord], kinds: Iterable[FaultKind] = tuple(FaultKind)
) -> tuple[Fault, ...]:
    """Every fault at every request of a recorded run, before and after the effect where both can be.

    A fault is aimed at the n-th request of one method and path, so that it hits the same request when concurrent
    reads change places.
    """
    wanted = frozenset(kinds)
    seen: Counter[str] = Counter()
    found: list[Fault] = []
    for record in requests:
        at = f"{record.method} {record.path}"
        seen[at] += 1
        found += [
            Fault(kind=kind, at=at, nth=seen[at], after=after)
            for kind in kinds_at(record.endpoint)
            if kind in wanted
            for after in moments_of(kind, record.endpoint)
        ]
    return tuple(found)


def random_faults(seed: int, *, number: int = 3, horizon: int = 6, kinds: Sequence[FaultKind] = ()) -> Faults:
    """A script of that many faults, each at one of the first `horizon` requests to an endpoint; the same for a seed."""
    choose = Random(seed)  # noqa: S311 - has to repeat, not to be secret
    script: list[Fault] = []
    for _ in range(number):
        kind = choose.choice(kinds or tuple(FaultKind))
        endpoint = choose.choice(sorted(endpoints_of(kind)))
        after = choose.choice(moments_of(kind, endpoint))
        seconds = choose.choice((5.0, 90.0, 600.0))
        nth = choose.randint(1, horizon)
        row = choose.randint(0, 3)
        script.append(Fault(kind=kind, at=endpoint, nth=nth, after=after, seconds=seconds, row=row))
    return Faults(script)
