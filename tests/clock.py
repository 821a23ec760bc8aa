"""A clock that only moves when it is told to, or when somebody sleeps on it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock

START = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
"""Where a virtual clock starts unless told otherwise: the fifth hour of an ordinary night."""


class VirtualClock:
    """A `reconciler.clock.Clock` whose sleep returns at once and moves time forward.

    Actions scheduled with `call_later` run, in order of their time, in the thread whose sleep passes that time. It is
    safe to share between threads: two threads that sleep add up, as if they slept one after the other.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = Lock()
        self._numbers = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> datetime:
        """Current virtual time, aware, UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move time forward and run what became due; zero or less does nothing."""
        if seconds <= 0:
            return
        with self._lock:
            target = self._elapsed + seconds
        self._advance_to(target)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run the action once that many virtual seconds have passed."""
        with self._lock:
            heapq.heappush(self._due, (self._elapsed + seconds, next(self._numbers), action))

    def set(self, moment: datetime) -> None:
        """Jump to a moment, back as well, as a machine's wrong clock does; monotonic time never goes back."""
        ahead = (moment - self.now()).total_seconds()
        if ahead > 0:
            self.sleep(ahead)
        else:
            self._start += timedelta(seconds=ahead)

    def _advance_to(self, target: float) -> None:
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > target:
                    self._elapsed = max(self._elapsed, target)
                    return
                moment, _, action = heapq.heappop(self._due)
                self._elapsed = max(self._elapsed, moment)
            # Outside the lock: the action may look at this clock, schedule more, or wait for another lock.
            action()
