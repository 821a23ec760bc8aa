"""Bytes from outside become values here, strictly: what is not plainly right is refused, never coerced."""

from __future__ import annotations

import json
import unicodedata
from codecs import BOM_UTF8
from typing import Any, NoReturn

from reconciler.model import MAX_COUNT, Json

MAX_DEPTH = 64
MAX_NAME = 1_000
MAX_WORDS = 300


class Undecodable(ValueError):
    """A body that is not strict JSON; the message is a sentence fragment that quotes nothing from it."""


def decode_json(body: bytes) -> Json:
    """Decode strict JSON: UTF-8 (a BOM is dropped), no duplicate keys, no NaN or infinity, at most 64 levels deep.

    Raises `Undecodable`.
    """
    body = body.removeprefix(BOM_UTF8)
    if not body.strip():
        raise Undecodable("an empty body")
    if body.lstrip().startswith(b"<"):
        raise Undecodable("a web page instead of JSON")
    try:
        value: Json = json.loads(
            body.decode("utf-8"), object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_no_constant
        )
        _check_depth(value)
    except Undecodable:
        raise
    except RecursionError:
        raise Undecodable("JSON that is nested too deep") from None
    except UnicodeDecodeError:
        raise Undecodable("text that is not UTF-8") from None
    except ValueError:
        # JSONDecodeError and int()'s refusal of thousands of digits; their messages may quote the body.
        raise Undecodable("something that is not JSON") from None
    return value


class WireNumber(float):
    """A JSON number with a fraction or an exponent. `digits` is how it was written, for amounts that must be exact."""

    __slots__ = ("digits",)
    digits: str


def _finite(digits: str) -> float:
    number = WireNumber(digits)
    if number - number != 0:
        raise Undecodable("a number that is out of range")
    number.digits = digits
    return number


def _no_constant(_name: str) -> NoReturn:
    raise Undecodable("NaN or Infinity")


def _check_depth(value: Json) -> None:
    """Refuse what is nested too deep for what comes after."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise Undecodable("JSON that is nested too deep")


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Undecodable("JSON with a key written twice")
    return members


def whole_number(value: object, *, least: int = 0) -> int | None:
    """Return a JSON integer, or a float without fraction, within `least` and 2^31-1; None for anything else.

    Strings, booleans and fractions are never coerced (FAULTS I23, H26). Halo may send 5.0 for 5 (halopsa.md 3.5).
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and least <= value <= MAX_COUNT:
        return value
    return None


def text_of(value: object) -> str:
    """Return a string as it came, cut at 1,000 characters; anything else becomes empty.

    Names are witnesses and never identify, so one that is missing must not cost the whole list. Control characters
    stay: each drawing escapes them for its own sink.
    """
    return value[:MAX_NAME] if isinstance(value, str) else ""


def clean(text: str, limit: int = MAX_WORDS) -> str:
    """Make foreign text fit for one line of a message: no control or format characters, cut at `limit`."""
    shown = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text[: limit * 4])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def error_words(body: bytes) -> str:
    """Return the server's own words from an error body, on one line; empty where there are none to show.

    Knows the five shapes of halopsa.md section 6 and the members that OAuth and gateways use. Stack traces and web
    pages are never shown.
    """
    return clean("; ".join(_words(_decoded(body))))


def oauth_error(body: bytes) -> str:
    """The name of an OAuth error, such as "invalid_scope"; empty where the body has none."""
    value = _decoded(body)
    return clean(text_of(value.get("error")), 100) if isinstance(value, dict) else ""


def _decoded(body: bytes) -> Json:
    try:
        return decode_json(body)
    except Undecodable:
        return None


def _words(value: Json) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [words for item in value[:3] for words in _words(item)]
        case dict():
            return _words_of_object(value)
        case _:
            return []


def _words_of_object(value: dict[str, Json]) -> list[str]:
    for member in ("error_description", "Message", "message", "errorMessage", "error", "_warning"):
        words = value.get(member)
        if isinstance(words, str) and words.strip():
            return [words]
    if "StackTraceString" in value:
        return []
    # Model binding and body parsing: {"[0].count": ["what is wrong", ...]}
    return [
        f"{field}: {words}"
        for field, problems in value.items()
        if isinstance(problems, list)
        for words in problems
        if isinstance(words, str)
    ]
