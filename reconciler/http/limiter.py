"""A sliding-window limiter: never more than the budgeted requests in any window, and no idle time below it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from reconciler.http.deadline import Deadline
from reconciler.model import RequestBudget

_GUARD_SECONDS = 0.01


class RateLimiter:
    """Admits requests so that a server never counts more than `budget.requests` in any `budget.seconds` seconds.

    A request holds its slot from before it is sent until `seconds` after its answer came: whatever the time on the
    way, the server cannot have counted it later than that. Safe to use from several threads.
    """

    def __init__(self, budget: RequestBudget, deadline: Deadline) -> None:
        self._budget = budget
        self._deadline = deadline
        self._turn = Lock()  # held while waiting, so that one thread sleeps and the others queue behind it
        self._changed = Condition()
        self._in_flight = 0
        self._finished: deque[float] = deque()
        self.admitted = 0  # so many requests have left in all

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one request's slot; waits until there is one. Raises `DeadlineExceeded` when that is too far off."""
        self._await(wanted=1, taken=1)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._finished.append(self._deadline.clock.monotonic())
                self._changed.notify_all()

    def await_room(self, requests: int) -> None:
        """Wait until that many requests (at most the whole budget) may go out without waiting."""
        self._await(wanted=min(requests, self._budget.requests), taken=0)

    def _await(self, *, wanted: int, taken: int) -> None:
        with self._turn:
            while True:
                with self._changed:
                    wait = self._seconds_until_free(wanted)
                    if wait is None:
                        self._changed.wait(timeout=_GUARD_SECONDS)
                    elif wait <= 0:
                        self._in_flight += taken
                        self.admitted += taken
                        return
                if wait is None:
                    self._deadline.check()
                else:
                    self._wait(wait)

    def _seconds_until_free(self, wanted: int) -> float | None:
        """Seconds until `wanted` slots are free; None while only answers that are still on their way can free them."""
        window = self._budget.seconds + _GUARD_SECONDS
        now = self._deadline.clock.monotonic()
        while self._finished and self._finished[0] + window <= now:
            self._finished.popleft()
        missing = self._in_flight + len(self._finished) + wanted - self._budget.requests
        if missing <= 0:
            return 0.0
        if missing > len(self._finished):
            return None
        return self._finished[missing - 1] + window - now

    def _wait(self, seconds: float) -> None:
        budget = self._budget
        reason = f"Waiting for the HaloPSA request budget ({budget.requests} per {budget.seconds} s)."
        self._deadline.wait(seconds, reason)
