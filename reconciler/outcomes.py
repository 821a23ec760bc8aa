"""What became of each change of a plan."""

from __future__ import annotations

from enum import StrEnum

from reconciler.model import SubscriptionId
from reconciler.values import dataclass


class Outcome(StrEnum):
    """What became of one change; the words of DESIGN 9."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    HELD = "held"
    STALE = "stale"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of one change, with a sentence where it is not plainly good, and the object it ended on.

    `live_count` is the quantity that the last listing shows on that object, where there is one.
    """

    outcome: Outcome
    message: str = ""
    subscription_id: SubscriptionId | None = None
    live_count: int | None = None
