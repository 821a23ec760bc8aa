"""Planted bugs: functions of the shipped code, replaced in this process by ones with a thought missing, and put back.

The campaign has to find every one of them; an oracle that no bug ever wakes proves nothing. A bug names what it
replaces as Python does, so what a function is made of may change freely, and one that is gone fails the import.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Spoilt = Callable[..., Any]
"""Called with the original function and then with the original's own arguments."""


class Planter:
    """Replaces functions, methods and properties, and takes every replacement out again."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def instead(self, original: Any) -> Callable[[Spoilt], Spoilt]:
        """Put the decorated function in the place of `original`, wherever the program holds it."""

        def put(spoilt: Spoilt) -> Spoilt:
            inner = original.fget if isinstance(original, property) else original

            @functools.wraps(inner)
            def replacement(*args: Any, **kwargs: Any) -> Any:
                return spoilt(inner, *args, **kwargs)

            owner: Any = importlib.import_module(inner.__module__)
            *classes, name = inner.__qualname__.split(".")
            for each in classes:
                owner = getattr(owner, each)
            new = property(replacement) if isinstance(original, property) else replacement
            self._set(owner, name, new)
            if not classes:  # others that imported it by name hold it too, and so do tables of rules
                for module in [m for n, m in sys.modules.items() if n.startswith("reconciler.") and m is not owner]:
                    self._replace_in(module, original, new)
            return spoilt

        return put

    def _replace_in(self, module: Any, original: object, new: object) -> None:
        for name, value in list(vars(module).items()):
            if value is original:
                self._set(module, name, new)
            elif isinstance(value, tuple) and any(row is original for row in value):
                self._set(module, name, tuple(new if row is original else row for row in value))

    def _set(self, owner: Any, name: str, value: object) -> None:
        self._undo.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    def take_out(self) -> None:
        """Put back what was there before."""
        while self._undo:
            owner, name, value = self._undo.pop()
            setattr(owner, name, value)


@dataclass(frozen=True, slots=True)
class Bug:
    """A name, and what puts the bug in place."""

    name: str
    plant: Callable[[Planter], object]


ALL: list[Bug] = []


def bug(name: str) -> Callable[[Callable[[Planter], object]], Callable[[Planter], object]]:
    """Enter a bug into the table."""

    def enter(plant: Callable[[Planter], object]) -> Callable[[Planter], object]:
        ALL.append(Bug(name, plant))
        return plant

    return enter


def spoils(name: str, original: Any) -> Callable[[Spoilt], Spoilt]:
    """Enter a bug that puts the decorated function in the place of one, wherever the program holds it."""

    def enter(spoilt: Spoilt) -> Spoilt:
        bug(name)(lambda plant: plant.instead(original)(spoilt))
        return spoilt

    return enter


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Put the bug in place for as long as the context lasts."""
    planter = Planter()
    try:
        bug.plant(planter)
        yield
    finally:
        planter.take_out()
