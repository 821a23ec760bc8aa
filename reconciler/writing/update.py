"""Setting counts of existing Subscriptions: absolute values, in batches, judged by listings (DESIGN 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from reconciler.model import Subscription
from reconciler.planning.changes import Outcome
from reconciler.providers.base import Refused, Unclear
from reconciler.writing.sending import (
    live_count,
    moved,
    send_alone,
    send_patiently,
    settle_refused,
    still_as_planned,
)
from reconciler.writing.session import CountTarget, WriteSession, bare, what_moved


def set_counts(session: WriteSession, targets: Sequence[CountTarget]) -> None:
    """Send every count in batches; what was sent and is not settled when this returns awaits `verify`.

    A person's edit wins: a row whose live count is not what the plan shows is stale and not written. A batch that was
    refused or whose answer is unclear is followed by a listing, and what is not there yet goes again one by one.
    """
    size = session.settings.batch
    for start in range(0, len(targets), size):
        batch = targets[start : start + size]
        if not session.may_write():
            return
        session.freshen(anew=session.state.overtaken())
        ready = [t for t in batch if still_as_planned(session, t)]
        if not ready or not session.may_write():
            continue
        rows, answer = send_patiently(session, ready, session.state.recorded.halo.update_members)
        match answer:
            case Refused(lacks_right=True):
                for target in rows:
                    settle_refused(session, target, answer)
            case Refused() | Unclear() if rows:
                _one_by_one(session, rows, answer)


def _one_by_one(session: WriteSession, batch: Sequence[CountTarget], answer: Refused | Unclear) -> None:
    """After a batch that failed as a whole: list, then send again what is not there yet, each alone.

    A lone row that was plainly refused is not sent again as it was: the answer would be the same. What an unclear
    answer leaves open when this returns, `verify` decides.
    """
    session.relist()
    alone = len(batch) == 1
    for target in batch:
        session.freshen()
        if live_count(session, target) == target.after:
            continue
        match answer:
            case Refused() if not session.may_write():
                settle_refused(session, target, answer)
            case Refused() if still_as_planned(session, target):
                send_alone(session, target, answer if alone else None)
            case Unclear() if session.may_write() and not moved(session, target):
                send_alone(session, target)


def settle_moved(session: WriteSession, targets: Iterable[CountTarget]) -> None:
    """Settle as stale the rows that needed no write and that the last listing shows otherwise than the plan did.

    Without this a run could say that all is well about a row which it has itself seen changed (FAULTS P5).
    """
    for target in targets:
        if difference := moved(session, target):
            message = f"changed during the run: {difference}; the next run decides anew"
            session.settle(target.key, Outcome.STALE, message, at=target.subscription_id)


def _unknown(session: WriteSession, target: CountTarget, answer: Unclear) -> None:
    message = (
        f"the quantity {target.after} was sent and HaloPSA does not show it: {bare(answer.message)}; it may still "
        "arrive, the next run sets it right"
    )
    session.settle(target.key, Outcome.UNKNOWN, message, at=target.subscription_id)


def verify(session: WriteSession) -> None:
    """Read one complete listing and hold every sent count against it, and every other field against what it was.

    A listing that lags behind is read again for up to half a minute, or as long as a probe has seen it late. Raises
    `ApiError` when no listing is available.
    """
    waiting = {key: t for key, t in session.written.items() if key not in session.outcomes}
    for pause in (*_read_back_pauses(session.late_seconds), 0.0):
        session.relist()
        late = any(live_count(session, t) == t.before != t.after for t in waiting.values())
        if not late or not session.pause(pause):
            break
    for target in waiting.values():
        _judge(session, target)


def _read_back_pauses(late: float) -> tuple[float, ...]:
    """Half a minute in growing steps; further ones where listings are known to be later than that."""
    further = max(0, math.ceil((late - sum(_READ_BACK_PAUSES)) / _READ_BACK_PAUSES[-1]))
    return (*_READ_BACK_PAUSES, *(_READ_BACK_PAUSES[-1:] * further))


_READ_BACK_PAUSES = (2.0, 4.0, 8.0, 16.0)


def _judge(session: WriteSession, target: CountTarget) -> None:
    number, live = target.subscription_id, session.listing.get(target.subscription_id)
    if live is None:
        session.settle(target.key, Outcome.FAILED, "HaloPSA does not list it after the write", at=number)
    elif live.count != target.after and target.key in session.unclear:
        _unknown(session, target, session.unclear[target.key])
    elif live.count != target.after:
        message = f"{target.after} was written and accepted, HaloPSA shows {live.count}"
        if live.count != target.before:
            message += ": somebody else changed it during the run"
        session.settle(target.key, Outcome.FAILED, message, at=number)
    elif touched := changed_besides_count(session.frames[number], live):
        message = (
            f"the quantity is right, but more than the quantity changed during the run: {touched}; if nobody did that "
            "by hand, set it back in HaloPSA"
        )
        session.settle(target.key, Outcome.FAILED, message, at=number)
    elif warning := session.warnings.get(target.key):
        session.settle(target.key, Outcome.FAILED, f"the quantity is right, but HaloPSA warns: {warning}", at=number)
    else:
        session.settle(target.key, Outcome.APPLIED, at=number)


HALO_STAMPS = frozenset(
    {
        "count",
        "consumedcount",
        "last_update",
        "last_modified",
        "lastmodified",
        "datelastmodified",
        "dateupdated",
        "updated_at",
        "licences_available",
        "licences_in_use",
        "licences_in_use_user",
        "licences_in_use_user_for_billing",
    }
)
"""Fields that may differ after a write of `count`: the count, what Halo derives from it, and Halo's own time stamps."""


def changed_besides_count(before: Subscription, now: Subscription) -> str:
    """Name every field, other than the count and Halo's own stamps, that differs between two reads of one object.

    Members that start with an underscore are plumbing of single answers, not of the object (halopsa.md 3.5).
    """
    return what_moved(_frame(before), _frame(now))


def _frame(subscription: Subscription) -> dict[str, object]:
    return {
        name: value
        for name, value in subscription.raw.items()
        if name not in HALO_STAMPS and not name.startswith("_") and value is not None
    }
