"""Requests and answers as inert data, and the list of what may be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One thing that may be asked: method, origin ("https://host[:port]") and a pattern for the whole path."""

    method: str
    origin: str
    path: re.Pattern[str]

    def permits(self, method: str, origin: str, path: str) -> bool:
        """True when exactly this is asked."""
        return method == self.method and origin == self.origin and self.path.fullmatch(path) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as data. `query`, `headers` and `body` may hold secrets: none is ever part of a message."""

    method: str
    origin: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer. `headers` ignores case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
