"""How values are spelled as JSON in the files of the state, and read back: msgspec, and the rules it does not have.

A member that holds its default is left out. So a member that is added to a frozen dataclass, with a default, changes
no file until it says something, and files from before it are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_line(value: object) -> str:
    """JSON on one line, members sorted, ASCII only.

    Raises `ValueError` or `TypeError` for what JSON cannot say: NaN and infinities, times without a zone.
    """
    return plain_line(plain(value))


def plain_line(members: object) -> str:
    """As `to_line`, of what is plain already."""
    return json.dumps(members, sort_keys=True).replace("\x7f", "\\u007f")  # `json` takes DEL for a printable one


def plain(value: object) -> Any:  # noqa: PLR0911 - a table of spellings
    """The value in dicts, lists, texts and numbers; of a dataclass, the members that do not hold their default."""
    match value:
        case None | str() | int():
            return value
        case Mapping():
            return {plain(str(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case frozenset():
            return sorted(plain(item) for item in value)
        case datetime():
            return format_time(value)
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case float() if not math.isfinite(value):
            raise ValueError(f"JSON has no {value}")
        case _ if is_dataclass(value):
            kind: type = type(value)
            stated = ((name, getattr(value, name), default) for name, default in _members(kind))
            return {name: plain(item) for name, item, default in stated if default is MISSING or item != default}
    return value


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
        return json.loads(content)  # msgspec has no half characters; a name that another program cut may end in one


def require_whole_numbers(tree: object, *, least: Mapping[str, int] | None = None, member: str = "") -> None:
    """Raise `ValueError` for a number with a fraction or below 0; `least` has the members that may go lower."""
    if isinstance(tree, dict):
        for name, item in tree.items():
            require_whole_numbers(item, least=least, member=name)
    elif isinstance(tree, list):
        for item in tree:
            require_whole_numbers(item, least=least, member=member)
    elif isinstance(tree, float) or (type(tree) is int and tree < (least or {}).get(member, 0)):
        raise ValueError(f"{member} holds {tree}, where a whole number of 0 or more belongs")


def format_time(moment: datetime) -> str:
    """A time as the state's files spell it: UTC, ISO 8601, with a Z. Raises `ValueError` without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@cache
def _members(kind: type) -> tuple[tuple[str, object], ...]:
    """The names of a dataclass's members, each with its default, or `MISSING`."""
    return tuple(
        (each.name, each.default_factory() if each.default_factory is not MISSING else each.default)
        for each in fields(kind)
    )
