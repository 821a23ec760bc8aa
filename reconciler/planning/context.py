"""What one run stands on, and what the person who started it asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from reconciler.clock import Clock
from reconciler.events import Observer
from reconciler.model import MappingKey, Mappings
from reconciler.planning.rules import Allowance
from reconciler.providers.base import Systems
from reconciler.state.base import StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the person who started the run asked for."""

    only: tuple[MappingKey, ...] = ()
    exclude: tuple[MappingKey, ...] = ()
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The valid file, both systems, the state, the clock, and whom to tell.

    `stop` asks whether somebody wants the run to end. `writing` surrounds everything from the first possible write to
    the last look at it: meanwhile a stop waits for the write in flight. `nonce` gives words that nobody can guess.
    """

    mappings: Mappings
    systems: Systems
    store: StateStore
    clock: Clock
    observe: Observer
    stop: Callable[[], bool]
    nonce: Callable[[], str]
    writing: Callable[[], AbstractContextManager[None]] = nullcontext
