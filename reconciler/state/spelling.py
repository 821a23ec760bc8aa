"""How values are spelled as JSON in the files of the state, and read back: msgspec, and the rules it does not have.

A member that holds its default is left out. So a member that is added to a frozen dataclass, with a default, changes
no file until it says something, and files from before it are read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_TIMES = 256
"""How many spellings of times are cached: one night binds a thousand Subscriptions at one moment."""


def to_line(value: object) -> str:
    """JSON on one line, members sorted, ASCII only.

    Raises `ValueError` or `TypeError` for what JSON cannot say: NaN and infinities, times without a zone.
    """
    return plain_line(plain(value))


def plain_line(members: object) -> str:
    """As `to_line`, of what is plain already."""
    try:
        spelled = msgspec.json.format(msgspec.json.encode(members, order="sorted"), indent=0)
    except UnicodeEncodeError:  # msgspec has no half characters; a name that another program cut may end in one
        return json.dumps(members, sort_keys=True)
    return _NOT_ASCII.sub(_escape, spelled.decode())


def plain(value: object) -> Any:
    """The value in dicts, lists, texts and numbers; of a dataclass, the members that do not hold their default."""
    spelled: Any = value
    match value:
        case None | str() | int():
            return value
        case Mapping():
            spelled = {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            spelled = [plain(item) for item in value]
        case datetime():
            spelled = format_time(value)
        case Decimal():
            spelled = f"{value:f}"
        case float() if not math.isfinite(value):
            raise ValueError(f"JSON has no {value}")
        case _ if is_dataclass(value):
            kind: type = type(value)
            stated = ((name, getattr(value, name), default) for name, default in _members(kind))
            spelled = {name: plain(item) for name, item, default in stated if default is MISSING or item != default}
    return spelled


def convert(value: object, kind: type[T]) -> T:
    """The `kind` that plain values say, strictly. Raises `ValueError`, which names the member that is wrong.

    Members that `kind` does not have are passed over: whoever must not miss one compares the spelling.
    """
    return msgspec.convert(value, type=kind, str_keys=True)


def read_tree(content: bytes) -> Any:
    """The plain values in JSON. Raises `ValueError` for anything that is not JSON."""
    try:
        return msgspec.json.decode(content)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    except msgspec.DecodeError:
        if b"\\ud" not in content:
            raise
        return json.loads(content)  # half a character, see `to_line`


def require_whole_numbers(tree: object, *, least: Mapping[str, int] | None = None, member: str = "") -> None:
    """Raise `ValueError` for a number with a fraction or below 0; `least` has the members that may go lower."""
    match tree:
        case bool():
            return
        case int() | float():
            if isinstance(tree, float) or tree < (least or {}).get(member, 0):
                raise ValueError(f"{member} holds {tree}, where a whole number of 0 or more belongs")
        case dict():
            for name, item in tree.items():
                require_whole_numbers(item, least=least, member=name)
        case list():
            for item in tree:
                require_whole_numbers(item, least=least, member=member)


def format_time(moment: datetime) -> str:
    """A time as the state's files spell it: UTC, ISO 8601, with a Z. Raises `ValueError` without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return _spelled(moment.astimezone(UTC))


@lru_cache(maxsize=_TIMES)
def _spelled(moment: datetime) -> str:
    """Only in UTC: elsewhere two moments of the hour that a clock shows twice are equal."""
    return moment.isoformat().replace("+00:00", "Z")


_NOT_ASCII = re.compile(r"[^ -~]")


def _escape(character: re.Match[str]) -> str:
    units = character[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


@cache
def _members(kind: type) -> tuple[tuple[str, object], ...]:
    """The names of a dataclass's members, each with its default, or `MISSING`."""
    return tuple(
        (each.name, each.default_factory() if each.default_factory is not MISSING else each.default)
        for each in fields(kind)
    )
