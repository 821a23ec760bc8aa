"""Planted bugs: the shipped code with one thought missing, put in place in this process and taken out again.

Each bug is a list of edits, "in this function this text becomes that". The campaign has to find every one of them;
an oracle that no bug ever wakes proves nothing.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.torture.planted import BUGS

__all__ = ["BUGS", "Bug", "planted"]


@dataclass(frozen=True, slots=True)
class Bug:
    """A name and its edits: (module:qualified name, old text, new text)."""

    name: str
    edits: tuple[tuple[str, str, str], ...]


ALL = tuple(Bug(name, edits) for name, edits in BUGS.items())


class OutOfDate(AssertionError):
    """The code that a bug would spoil has changed: the bug must be planted anew."""


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Put the bug in place for as long as the context lasts."""
    undo: list[tuple[Any, str, Any]] = []
    by_place: dict[str, list[tuple[str, str]]] = {}
    for place, old, new in bug.edits:
        by_place.setdefault(place, []).append((old, new))
    try:
        for place, edits in by_place.items():
            undo += _spoil(place, edits)
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def _spoil(place: str, edits: list[tuple[str, str]]) -> list[tuple[Any, str, Any]]:
    module_name, _, qualified = place.partition(":")
    module: Any = importlib.import_module(f"reconciler.{module_name}")
    owner: Any = module
    *classes, name = qualified.split(".")
    for each in classes:
        owner = getattr(owner, each)
    original = inspect.getattr_static(owner, name)
    source = textwrap.dedent(inspect.getsource(original.fget if isinstance(original, property) else original))
    for old, new in edits:
        if old not in source:
            raise OutOfDate(f"{place} does not hold {old!r} any more")
        source = source.replace(old, new)
    scope: dict[str, Any] = {}
    # `from __future__ import annotations` of the module does not reach code that is compiled apart.
    exec(  # noqa: S102 - text of ours, in place of text of ours
        compile("from __future__ import annotations\n" + source, f"<planted in {place}>", "exec"),
        module.__dict__,
        scope,
    )
    spoilt = scope[name]
    undo = [(owner, name, original)]
    setattr(owner, name, spoilt)
    if owner is module:  # others that imported it by name hold it too
        for other in [m for n, m in sys.modules.items() if n.startswith("reconciler.") and m is not module]:
            if getattr(other, name, None) is original:
                undo.append((other, name, original))
                setattr(other, name, spoilt)
        for table, rows in list(vars(module).items()):  # and so do tables of rules
            if isinstance(rows, tuple) and any(row is original for row in rows):
                undo.append((module, table, rows))
                setattr(module, table, tuple(spoilt if row is original else row for row in rows))
    return undo
