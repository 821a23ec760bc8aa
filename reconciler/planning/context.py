"""What one run has around it, and what the person who started it asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.clock import Clock
from reconciler.events import Observer
from reconciler.model import MappingKey
from reconciler.planning.rules import Allowance


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the person who started the run asked for."""

    only: tuple[MappingKey, ...] = ()
    exclude: tuple[MappingKey, ...] = ()
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """Clock, observer, the wish to stop, and a source of unguessable words."""

    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    nonce: Callable[[], str]
