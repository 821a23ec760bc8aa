"""The one retry policy: what is tried again, after how long, and when that ends.

Only what may be repeated is given to it: reads, and acts of `forge` that look before they write. tenacity runs the
loop; its sleep is the run's own wait, so that a stop, the deadline and a virtual clock hold for it too.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import TypeVar, cast

from tenacity import Future, RetryCallState, Retrying, retry_if_exception_type

from reconciler.errors import (
    AnswerTooLarge,
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    RateLimited,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)
from reconciler.http.deadline import Deadline

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds: no Retry-After and no back-off makes one wait of a read longer than this."""

READ_SECONDS = 300.0
"""Seconds: after this much time a read is not sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
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
        case AnswerTooLarge() | DeadlineExceeded(system=""):
            return _FINAL  # a list asks for less; the run's time is over, not this request's
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
            retry=retry_if_exception_type(ApiError),
            wait=self._pause,
            stop=lambda state: self._is_over(state, give_up),
            before_sleep=tell,
            sleep=lambda seconds: self.deadline.wait(seconds, told),
            reraise=True,
        )(act)

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
    if header is None:
        return None
    header = header.strip()
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
