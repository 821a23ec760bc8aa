"""An exchange without its values: what may stand in a file that a person hands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.http.decoding import WireNumber

MOST_MEMBERS = 200
LIMIT_WORDS = ("ratelimit", "rate-limit", "retry-after", "quota", "throttl")
"""What a header's name holds where it speaks of the request limit."""


def shape_of(value: Any, ours: frozenset[str] = frozenset()) -> Any:
    """The types of a JSON value, members by name one level deep; a text that we sent ourselves is told as such."""
    match value:
        case dict():
            return {member_name(name): _type_of(item, ours) for name, item in sorted(value.items())[:MOST_MEMBERS]}
        case list():
            return [shape_of(item, ours) for item in value[:3]]
        case _:
            return _type_of(value, ours)


def member_name(name: str) -> str:
    """A member's name as it is where it can only be a name; an odd one might hold something else."""
    return name if _NAME.fullmatch(name) else "(another name)"


_NAME = re.compile(r"(\[[0-9]+\]\.)?[A-Za-z_$][A-Za-z0-9_]{0,60}")


def _type_of(value: Any, ours: frozenset[str]) -> str:
    match value:
        case None:
            kind = "null"
        case bool():
            kind = "true or false"
        case WireNumber():
            kind = "number with a point" if value.is_integer() else "number with a fraction"
        case int() | float():
            kind = "whole number"
        case str():
            kind = "the text that was sent" if value in ours else "text" if value else "empty text"
        case list():
            kind = "list"
        case _:
            kind = "object"
    return kind


def limit_headers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the headers that speak of limits and waiting."""
    return tuple(sorted(name for name in map(str.lower, headers) if any(word in name for word in LIMIT_WORDS)))


def envelope_shape(body: Any, rows: str | None, own: list[dict[str, Any]], ours: frozenset[str]) -> Any:
    """A list's shape: its envelope, and of its rows only those that are our own."""
    if not isinstance(body, dict):
        return shape_of(own, ours) if isinstance(body, list) else _type_of(body, ours)
    shown = {member_name(name): _type_of(item, ours) for name, item in sorted(body.items())}
    if rows is not None:
        shown[member_name(rows)] = [shape_of(row, ours) for row in own[:1]]  # type: ignore[assignment]
    return shown
