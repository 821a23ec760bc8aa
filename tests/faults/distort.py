"""Answers that say 200 and are not what they seem: each distortion takes a good body and gives a bad one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from reconciler.simulator.answers import JSON_TYPE, encode
from reconciler.simulator.records import Endpoint, Row
from tests.faults.kinds import LIST_FAULTS, Fault, FaultKind

HTML = b"<!DOCTYPE html><html><head><title>Back soon</title></head><body><h1>We are updating</h1></body></html>"
HUGE = 12_000_000
DIGITS = 5_000
DEPTH = 100_000


def distorted_bytes(kind: FaultKind, body: bytes) -> tuple[bytes, str]:
    """The body as it is sent in place of a good one, and its content type."""
    types = {FaultKind.HTML: "text/html; charset=utf-8", FaultKind.WRONG_CONTENT_TYPE: "text/plain"}
    return _distorted(kind, body), types.get(kind, JSON_TYPE)


def _distorted(kind: FaultKind, body: bytes) -> bytes:
    plain: dict[FaultKind, bytes] = {
        FaultKind.HTML: HTML,
        FaultKind.EMPTY_BODY: b"",
        FaultKind.BOM: b"\xef\xbb\xbf" + body,
        FaultKind.WRONG_CONTENT_TYPE: body,
        FaultKind.TRUNCATED_JSON: body[: len(body) // 2],
    }
    if kind in plain:
        return plain[kind]
    if kind is FaultKind.DUPLICATE_KEYS:
        return _with_first_key_twice(body)
    if kind is FaultKind.BARE_LIST:
        return encode(_rows(json.loads(body)))
    return _with_extra(body, EXTRAS[kind]())


EXTRAS: dict[FaultKind, Callable[[], bytes]] = {
    FaultKind.BAD_UTF8: lambda: b'"\xff\xfe"',
    FaultKind.NAN: lambda: b"NaN",
    FaultKind.INFINITY: lambda: b"-Infinity",
    FaultKind.OVERFLOW: lambda: b"1e400",
    FaultKind.HUGE_BODY: lambda: b'"' + b"x" * HUGE + b'"',
    FaultKind.HUGE_INTEGER: lambda: b"9" * DIGITS,
    FaultKind.DEEP_NESTING: lambda: b"[" * DEPTH + b"]" * DEPTH,
}


def _with_extra(body: bytes, value: bytes) -> bytes:
    """The document with one more member, or one more element."""
    body = body.strip() or b"{}"
    comma = b"" if body in {b"{}", b"[]"} else b","
    if body.endswith(b"}"):
        return body[:-1] + comma + b'"extra":' + value + b"}"
    if body.endswith(b"]"):
        return body[:-1] + comma + value + b"]"
    return value


def _with_first_key_twice(body: bytes) -> bytes:
    start = body.find(b"{")
    end = body.find(b":", start)
    if start < 0 or end < 0:
        return b'{"id":1,"id":2}'
    return body[: start + 1] + body[start + 1 : end] + b":null," + body[start + 1 :]


# ---- lists and values -----------------------------------------------------------------------------------------------

COUNT_MEMBER = {Endpoint.CLIENTS: "user_count", Endpoint.LICENCES: "count"}
COUNT_VALUES: dict[FaultKind, Any] = {
    FaultKind.COUNT_STRING: "12",
    FaultKind.COUNT_FLOAT: 12.0,
    FaultKind.COUNT_FRACTION: 12.5,
    FaultKind.COUNT_BOOL: True,
    FaultKind.COUNT_NEGATIVE: -1,
    FaultKind.COUNT_HUGE: 2**31,
    FaultKind.COUNT_NULL: None,
    FaultKind.COUNT_DIGITS: "\u0661\u0662",
}


def distorted_page(fault: Fault, endpoint: Endpoint, page: Row) -> Row:
    """The page with its list, its total or a value in it spoilt."""
    if fault.kind in LIST_FAULTS:
        return _spoilt_list(fault, endpoint, page)
    rows = _rows(page)
    if fault.kind in {FaultKind.COUNTS_ZERO, FaultKind.COUNTS_LOW}:
        _lower(rows, endpoint, to_zero=fault.kind is FaultKind.COUNTS_ZERO)
    elif rows:
        _spoil(fault.kind, endpoint, rows[min(fault.row, len(rows) - 1)])
    return page


def _spoilt_list(fault: Fault, endpoint: Endpoint, page: Row) -> Row:
    rows = _rows(page)
    match fault.kind:
        case FaultKind.SHORT_PAGE:
            del rows[-1:]
        case FaultKind.ROW_MISSING:
            gone = rows[fault.row : fault.row + 1]
            del rows[fault.row : fault.row + 1]
            _recount(page, -len(gone))
        case FaultKind.EMPTY_LIST:
            rows.clear()
            _recount(page, None)
        case FaultKind.DUPLICATE_EQUAL:
            rows[-1:] = rows[:1] if len(rows) > 1 else rows * 2
        case FaultKind.DUPLICATE_DIFFERENT:
            rows += [_altered(row, endpoint) for row in rows[:1]]
        case FaultKind.TOTAL_WRONG:
            _recount(page, 3)
        case _:
            return {name: value for name, value in page.items() if name not in {"total", "record_count"}}
    return page


def _rows(page: Row) -> list[Row]:
    return next((value for value in page.values() if isinstance(value, list)), [])


def _recount(page: Row, by: int | None) -> None:
    for name in ("total", "record_count"):
        if name in page:
            page[name] = 0 if by is None else page[name] + by


def _spoil(kind: FaultKind, endpoint: Endpoint, row: Row) -> None:
    match kind:
        case FaultKind.ID_MISSING:
            row.pop("id", None)
        case FaultKind.ID_STRING:
            row["id"] = str(row["id"])
        case FaultKind.NAME_NULL:
            row["client_name" if endpoint is Endpoint.CLIENTS else "name"] = None
        case FaultKind.COUNT_MISSING:
            row.pop(COUNT_MEMBER[endpoint], None)
        case _:
            row[COUNT_MEMBER[endpoint]] = COUNT_VALUES[kind]


def _altered(row: Row, endpoint: Endpoint) -> Row:
    member = COUNT_MEMBER.get(endpoint, "status" if endpoint is Endpoint.USERS else "name")
    value = row.get(member)
    return row | {member: value + 1 if isinstance(value, int) else "another"}


def _lower(rows: list[Row], endpoint: Endpoint, *, to_zero: bool) -> None:
    """A partial outage upstream: the answer is well formed, and its numbers are too small."""
    for place, row in enumerate(rows):
        if endpoint is Endpoint.CLIENTS:
            row["user_count"] = 0 if to_zero else row.get("user_count", 0) // 2
        elif to_zero or place % 2:
            row["status"] = "inactive"


# ---- the token's answer ---------------------------------------------------------------------------------------------


def distorted_token(kind: FaultKind, answer: Row) -> Row:
    """The token endpoint's answer with its expiry or its token spoilt."""
    match kind:
        case FaultKind.TOKEN_NO_EXPIRY:
            answer.pop("expires_in", None)
        case FaultKind.TOKEN_EXPIRY_ZERO:
            answer["expires_in"] = 0
        case FaultKind.TOKEN_EXPIRY_HUGE:
            answer["expires_in"] = 10**12
        case FaultKind.TOKEN_EXPIRY_TEXT:
            answer["expires_in"] = "soon"
        case FaultKind.TOKEN_NOT_TEXT:
            answer["access_token"] = {"value": answer["access_token"]}
        case _:
            answer.pop("access_token", None)
    return answer
