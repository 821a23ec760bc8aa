"""When a read is sent again, and after how long.

stamina is the model for "no default for what is retried, bounded twice", but it sleeps on the machine's own clock and
so cannot be driven by the injected one; the loop is in `transport` and this is its arithmetic.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from reconciler.errors import (
    ApiError,
    ConnectFailed,
    DeadlineExceeded,
    RateLimited,
    ResponseLost,
    ServerFailed,
    UnreadableAnswer,
)

LONGEST_WAIT = 60.0
"""Seconds: no Retry-After and no back-off makes one wait longer than this."""

READ_SECONDS = 300.0
"""Seconds: after this much time a read is not sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Full jitter: the n-th wait is up to `base * 2^(n-1)` seconds, never above 60. `tries` includes the first."""

    tries: int
    base: float

    def pause(self, attempt: int, rng: Random) -> float | None:
        """Seconds to wait after the given attempt (from 1), or None when it was the last."""
        if attempt >= self.tries:
            return None
        return rng.uniform(0.0, min(LONGEST_WAIT, self.base * 2 ** (attempt - 1)))


_PASSING = Backoff(tries=5, base=0.5)
# Halo's window is five minutes and nobody has seen it send Retry-After (halopsa.md 7): more patience is needed there.
_THROTTLED = Backoff(tries=8, base=5.0)
_ODD = Backoff(tries=3, base=0.5)


def pause_before_retry(error: ApiError, attempt: int, retry_after: float | None, rng: Random) -> float | None:
    """Seconds to wait before a read is sent again after this failure, or None when it should not be."""
    match error:
        case RateLimited():
            pause = _THROTTLED.pause(attempt, rng)
        case ConnectFailed() if _untrusted(error):
            return None
        case ServerFailed() | ConnectFailed() | ResponseLost() | DeadlineExceeded():
            pause = _PASSING.pause(attempt, rng)
        case UnreadableAnswer():
            pause = _ODD.pause(attempt, rng)
        case _:
            return None
    if pause is None or retry_after is None:
        return pause
    return min(LONGEST_WAIT, retry_after + pause / 10)  # a little jitter on top: never earlier than asked


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
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None
