"""Building blocks of answers: JSON bodies, and error bodies in the shapes that Halo was seen to send."""

from __future__ import annotations

import json
from typing import Any

import httpx

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
