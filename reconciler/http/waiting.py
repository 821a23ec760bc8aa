"""Every wait of a run: until its deadline, for the request budget, and before a read is tried again.

The one retry policy is here. Only what may be repeated is given to it: reads, and acts of `forge` that look before they
write. tenacity runs the loop; its sleep is the run's own wait, so that a stop, the deadline and a virtual clock hold
for it too.
"""

from __future__ import annotations

import re
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from threading import Condition, Lock
from threading import Event as Flag
from typing import NamedTuple, TypeVar, cast

from tenacity import Future, RetryCallState, Retrying, retry_if_exception_type

from reconciler.clock import Clock
from reconciler.errors import (
    AnswerTooLarge,
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    Interrupted,
    RateLimited,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.events import Observer, Waiting
from reconciler.model import RequestBudget

_SLICE_SECONDS = 1.0
_MORE_TIME = "Raise settings.run_timeout_minutes in mappings.yaml, or run with --only for a part."


class Deadline:
    """The run's total time: every wait goes through it, ends with it, and ends early when the run is stopped.

    `ends_at` is a moment of `clock.monotonic()`. Safe to use from several threads.
    """

    def __init__(self, *, clock: Clock, observer: Observer, ends_at: float) -> None:
        self.clock = clock
        self.ends_at = ends_at
        self._observer = observer
        self._stopped = Flag()

    @property
    def remaining(self) -> float:
        """Seconds that are left, not below 0."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    @property
    def stopped(self) -> bool:
        """True once `stop` was called: reads in flight give up, nothing new starts."""
        return self._stopped.is_set()

    def restart(self, seconds: float) -> None:
        """Let the run's time begin now: a person took time to answer."""
        self.ends_at = self.clock.monotonic() + seconds

    def stop(self) -> None:
        """Make every wait and every read in flight end soon."""
        self._stopped.set()

    def check(self) -> None:
        """Raise `Interrupted` after a stop and `DeadlineExceeded` once the run's time is over."""
        if self.stopped:
            raise Interrupted("The run was stopped.")
        if self.remaining <= 0:
            raise DeadlineExceeded("The run's total time is over.", hint=_MORE_TIME)

    def wait(self, seconds: float, reason: str) -> None:
        """Sleep and say why. Raises `DeadlineExceeded` at once when the run would be over before the end of it."""
        if seconds >= self.remaining:
            message = f"{reason.rstrip('.')}: that takes {seconds:.0f} s, longer than the run's total time permits."
            raise DeadlineExceeded(message, hint=_MORE_TIME)
        self._observer(Waiting(seconds=seconds, reason=reason))
        end = self.clock.monotonic() + seconds
        # In slices, so that a thread which waits minutes for the rate budget does not outlive Ctrl-C.
        while (left := end - self.clock.monotonic()) > 0:
            self.check()
            self.clock.sleep(min(left, _SLICE_SECONDS))


# ---- the request budget ----------------------------------------------------------------------------------------------

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
        budget = self._budget
        reason = f"Waiting for the HaloPSA request budget ({budget.requests} per {budget.seconds} s)."
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
                    self._deadline.wait(wait, reason)

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


# ---- trying again ----------------------------------------------------------------------------------------------------

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds: no Retry-After and no back-off makes one wait of a read longer than this."""

READ_SECONDS = 300.0
"""Seconds: after this much time a read is not sent again."""


class Backoff(NamedTuple):
    """Full jitter: the n-th wait is up to `base * 2^(n-1)` seconds, never above 60. `tries` includes the first."""

    tries: int
    base: float

    def pause(self, attempt: int, rng: Random) -> float:
        """Seconds to wait after the given attempt (from 1)."""
        return rng.uniform(0.0, min(LONGEST_WAIT, self.base * 2 ** (attempt - 1)))


_PASSING = Backoff(tries=5, base=0.5)
# Halo's window is five minutes and nobody has seen it send Retry-After (halopsa.md 7): longer waits are needed there.
_THROTTLED = Backoff(tries=8, base=5.0)
_ODD = Backoff(tries=3, base=0.5)
_FINAL = Backoff(tries=1, base=0.0)


def backoff_for(error: ApiError) -> Backoff:
    """How an act is tried again after this failure; one try where asking again will not change it."""
    match error:
        case RateLimited():
            return _THROTTLED
        case ConnectFailed() if _untrusted(error):
            return _FINAL
        case AnswerTooLarge() | DeadlineExceeded(system=""):  # a list asks for less; the run is over, not the request
            return _FINAL
        case ServerFailed() | ConnectFailed() | ResponseLost() | DeadlineExceeded():
            return _PASSING
        case UnreadableAnswer():
            return _ODD
        case _:
            return _FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Tries an act again while that can help: for at most `seconds`, and never beyond the run's end.

    A Retry-After is honoured up to `longest` seconds, and cut to that where it asks for more.
    """

    deadline: Deadline
    rng: Random
    seconds: float = READ_SECONDS
    longest: float = LONGEST_WAIT

    def run(self, act: Callable[[], T], *, reason: str = "") -> T:
        """Do it and return what it returns, or raise its last error.

        `reason` is what people are told while it waits; by default the error's own message.
        """
        give_up = self.deadline.clock.monotonic() + self.seconds
        told = reason

        def tell(state: RetryCallState) -> None:
            nonlocal told
            told = reason or f"{_error_of(state).message} Trying again."

        return Retrying(
            retry=retry_if_exception_type(ApiError), reraise=True, wait=self._pause,
            stop=lambda state: self._is_over(state, give_up),
            before_sleep=tell, sleep=lambda seconds: self.deadline.wait(seconds, told),
        )(act)  # fmt: skip

    def _pause(self, state: RetryCallState) -> float:
        error = _error_of(state)
        pause = backoff_for(error).pause(state.attempt_number, self.rng)
        if error.retry_after is None:
            return pause
        return min(self.longest, error.retry_after + pause / 10)  # a little jitter on top: never earlier than asked

    def _is_over(self, state: RetryCallState, give_up: float) -> bool:
        self.deadline.check()
        tries = backoff_for(_error_of(state)).tries
        left = min(self.deadline.remaining, give_up - self.deadline.clock.monotonic())
        return state.attempt_number >= tries or state.upcoming_sleep >= left


def _error_of(state: RetryCallState) -> ApiError:
    """The error of the try that just ended; tenacity asks about no other."""
    return cast("ApiError", cast("Future", state.outcome).exception())


def _untrusted(error: BaseException) -> bool:
    """True when a certificate was refused: asking again will not change it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or date; None where it is absent, absurd or in the past."""
    header = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,20}", header):
        return float(header) or None
    moment = moment_of(header)
    seconds = 0.0 if moment is None else (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def moment_of(date: str) -> datetime | None:
    """Read a date as HTTP writes it; None for anything that is none, however odd (a zone of 99 hours, a year 0)."""
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
