"""How answers are put together: JSON bodies, errors in the shapes that Halo was seen to send, pages of lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
    return unreadable(member, f"The value '{value}' is not valid.")


def unreadable(place: str, complaint: str) -> httpx.Response:
    """400: a member of the body has the wrong type."""
    return reply(400, {place: [complaint]})


def exception(message: str, status: int = 400) -> httpx.Response:
    """400: a .NET exception as JSON, internals included."""
    members = {
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
    }
    return reply(status, members)


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
        return {"true": True, "1": True, "false": False, "0": False}.get(self._values.get(name, "").lower(), default)

    def whole(self, name: str, default: int) -> int:
        """The value as a whole number above zero; what cannot be one is the default."""
        text = self._values.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 10 and int(text) > 0 else default  # noqa: PLR2004


def paged(
    world: World, query: Query, key: str, rows: Sequence[Row], draw: Callable[[Row], Row] = lambda row: row
) -> httpx.Response:
    """The page of the list that the query asks for, as Halo wraps it; each unknown about it is a switch."""
    switches, total = world.switches, len(rows)
    if query.flag("pageinate", default=False):
        number, size = query.whole("page_no", 1), query.whole("page_size", switches.default_rows)
    else:
        number, size = 1, query.whole("count", switches.default_rows)
    if switches.page_ceiling is not None:
        size = min(size, switches.page_ceiling)
    start = 0 if switches.paging_ignored else (number - 1) * size
    page = rows[start : start + size]
    counts = {"present": total, "rows": len(page), "zero": 0, "stale": max(total - 1, 0), "wrong": total + 7}
    said = counts.get(switches.record_count)
    head = {"page_no": number, "page_size": size} | ({} if said is None else {"record_count": said})
    return reply(200, head | {key: [draw(row) for row in page]})
