"""How answers are put together: JSON bodies, errors in the shapes that Halo was seen to send, pages of lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from reconciler.simulator.records import Row
from reconciler.simulator.world import World

JSON_TYPE = "application/json; charset=utf-8"


def encode(value: Any) -> bytes:
    """JSON as compact UTF-8 bytes; NaN cannot be written."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def reply(status: int, value: Any) -> httpx.Response:
    """An answer with a JSON body."""
    return raw(status, encode(value))


def raw(status: int, body: bytes, content_type: str = JSON_TYPE) -> httpx.Response:
    """An answer with the bytes given."""
    return httpx.Response(status, headers={"Content-Type": content_type}, content=body)


def empty(status: int) -> httpx.Response:
    """An answer without a body, which is how Halo says 401, 403, 404 and 500."""
    return httpx.Response(status, headers={"Content-Length": "0"})


def not_valid(member: str, value: str) -> httpx.Response:
    """400: the text of a path or query could not be read as what it has to be."""
    return reply(400, {member: [f"The value '{value}' is not valid."]})


def unreadable(place: str, complaint: str) -> httpx.Response:
    """400: a member of the body has the wrong type."""
    return reply(400, {place: [complaint]})


def exception(message: str, status: int = 400) -> httpx.Response:
    """400: a .NET exception as JSON, internals included."""
    return reply(
        status,
        {
            "ClassName": "System.Exception",
            "Message": message,
            "Data": None,
            "InnerException": None,
            "HelpURL": None,
            "StackTraceString": "   at Simulator.Licences.Save(Licence row)",
            "RemoteStackTraceString": None,
            "RemoteStackIndex": 0,
            "ExceptionMethod": None,
            "HResult": -2146233088,
            "Source": "Simulator",
            "WatsonBuckets": None,
        },
    )


def oauth_error(status: int, error: str, description: str) -> httpx.Response:
    """The token endpoint's errors, which are JSON."""
    return reply(status, {"error": error, "error_description": description})


class Query:
    """The query of a request: names in any case, unknown ones ignored."""

    def __init__(self, request: httpx.Request) -> None:
        self._values = {name.lower(): value for name, value in request.url.params.multi_items()}

    def text(self, name: str) -> str | None:
        """The value as it was sent."""
        return self._values.get(name)

    def flag(self, name: str, *, default: bool) -> bool:
        """The value as a boolean; what cannot be one is the default."""
        match self._values.get(name, "").lower():
            case "true" | "1":
                return True
            case "false" | "0":
                return False
            case _:
                return default

    def whole(self, name: str, default: int) -> int:
        """The value as a whole number above zero; what cannot be one is the default."""
        text = self._values.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 10 and int(text) > 0 else default  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPage:
    """One page of a list: its rows, its number from 1, the size in force, and how many rows the list has."""

    rows: Sequence[Row]
    number: int
    size: int
    total: int


def cut(world: World, query: Query, rows: Sequence[Row]) -> ServedPage:
    """The page of the list that the query asks for."""
    switches = world.switches
    if query.flag("pageinate", default=False):
        number = query.whole("page_no", 1)
        size = query.whole("page_size", switches.default_rows)
    else:
        number = 1
        size = query.whole("count", switches.default_rows)
    if switches.page_ceiling is not None:
        size = min(size, switches.page_ceiling)
    start = 0 if switches.paging_ignored else (number - 1) * size
    return ServedPage(rows=rows[start : start + size], number=number, size=size, total=len(rows))


def envelope(world: World, key: str, page: ServedPage, encode_row: Callable[[Row], bytes] = encode) -> httpx.Response:
    """One page as Halo wraps it."""
    match world.switches.record_count:
        case "present":
            count = f',"record_count":{page.total}'
        case "rows":
            count = f',"record_count":{len(page.rows)}'
        case "zero":
            count = ',"record_count":0'
        case "stale":
            count = f',"record_count":{max(page.total - 1, 0)}'
        case "wrong":
            count = f',"record_count":{page.total + 7}'
        case _:
            count = ""
    head = f'{{"page_no":{page.number},"page_size":{page.size}{count},"{key}":['.encode()
    return raw(200, head + b",".join(map(encode_row, page.rows)) + b"]}")


def paged(world: World, query: Query, key: str, rows: Sequence[Row]) -> httpx.Response:
    """One page of plain rows."""
    return envelope(world, key, cut(world, query, rows))
