"""What the core tells whoever listens. The core never prints and never logs: terminal progress, CI lines and tests
are observers of these events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.model import MappingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A phase of the run began, e.g. "Reading INFIMA clients". `total` is the number of steps, where it is known.

    `at_least` is the time in seconds that the request budget alone needs for them.
    """

    phase: str
    total: int | None = None
    at_least: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseAdvanced:
    """`done` steps of the phase are behind us; `total` may have become known or may have grown."""

    phase: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished:
    """The phase is over; `detail` sums it up in a few words, e.g. "412 clients"."""

    phase: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The program waits on purpose (rate budget, Retry-After, settling); `reason` is a sentence."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something a person should read, but which stops nothing. A sentence with its next step."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSettled:
    """The outcome of one change became known. `outcome` is one of the words of DESIGN 9."""

    key: MappingKey
    outcome: str
    message: str = ""


Event = PhaseStarted | PhaseAdvanced | PhaseFinished | Waiting | Noticed | WriteSettled


class Observer(Protocol):
    """Anything that wants to hear of events. It must not raise and must be safe to call from several threads."""

    def __call__(self, event: Event) -> None: ...
