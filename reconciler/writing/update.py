"""Setting counts of existing Subscriptions: absolute values, in batches, judged by listings (DESIGN 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.errors import NotFound, StateError
from reconciler.events import Noticed
from reconciler.model import Subscription
from reconciler.planning.changes import Outcome
from reconciler.providers.base import CountWrite, Refused, Unclear, WriteAnswer
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
        message = (
            f"the quantity {target.after} was sent and HaloPSA does not show it: "
            f"{bare(session.unclear[target.key].message)}; it may still arrive, the next run sets it right"
        )
        session.settle(target.key, Outcome.UNKNOWN, message, at=number)
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


# -- One POST of counts: whether it may go, again after a 429, with more members where HaloPSA wants them -------------


UPDATE_FORMS: tuple[tuple[str, ...], ...] = ((), ("client_id",), ("client_id", "name", "type"))
"""What goes along with id and count: nothing, or what some of Halo's resources demand of every update (FAULTS W18)."""

MAY_BE_INCOMPLETE = frozenset({400, 422})
"""Refusals whose cause may be a missing member. Nobody knows their words: the next form is tried whatever they say."""

SHOWN_SECONDS = 5.0
"""What goes along is what a listing of the last few seconds shows: a person may be renaming or moving the Subscription,
and what was read before that would undo it. HaloPSA offers nothing that closes the last moment (FAULTS H24)."""


def send(session: WriteSession, batch: Sequence[CountTarget], along: tuple[str, ...]) -> WriteAnswer:
    """Send counts, and remember what went out. A request that never left raises, and leaves no trace here."""
    writes = [CountWrite(subscription_id=t.subscription_id, count=t.after) for t in batch]
    request = session.target.prepare_counts(writes, along=along)
    answer = session.write("set-counts", tuple(t.entry for t in batch), request)
    for target in batch:
        session.written[target.key] = target
        session.frames.setdefault(target.subscription_id, session.listing[target.subscription_id])
        if isinstance(answer, Unclear):
            session.unclear[target.key] = answer
            if warning := answer.warned.get(target.subscription_id):
                session.warnings[target.key] = warning
        else:
            session.unclear.pop(target.key, None)
    return answer


def send_patiently(
    session: WriteSession, batch: Sequence[CountTarget], along: tuple[str, ...]
) -> tuple[Sequence[CountTarget], WriteAnswer | None]:
    """Send counts; after a 429 wait as long as HaloPSA asks, list again, and send what is not there yet (FAULTS W12).

    Returns the rows of the last request and its answer; no rows where the listing left nothing to send.
    """
    answer: WriteAnswer | None = None
    rows = _as_just_read(session, batch, along)
    while rows:
        answer = send(session, rows, along)
        if not isinstance(answer, Unclear) or not answer.throttled or not session.wait_out(answer):
            break
        session.freshen(anew=True)
        rows = [t for t in rows if live_count(session, t) != t.after and still_as_planned(session, t)]
    return rows, answer


def send_alone(session: WriteSession, target: CountTarget, refused: Refused | None = None) -> None:
    """Send one row; where it is refused as it is, again with what the listing shows of it besides.

    `refused` is the answer that it got in the usual form already. What an answer leaves open, `verify` decides.
    """
    refusals = [("", refused)] if refused else []
    for along in _forms(session, target, refused):
        if refusals and not _may_go_again(session, target):
            break
        rows, answer = send_patiently(session, [target], along)
        if not rows:
            return
        if not isinstance(answer, Refused):
            if refusals and answer is not None and not (isinstance(answer, Unclear) and answer.server_failed):
                _remember(session, along)
            return
        refusals.append((", ".join(along), answer))
        if answer.status not in MAY_BE_INCOMPLETE:
            break
    if refusals and target.key not in session.outcomes:
        settle_refused(session, target, refusals[-1][1], told=_all_words(refusals))


def _forms(session: WriteSession, target: CountTarget, refused: Refused | None) -> Iterator[tuple[str, ...]]:
    """The forms of an update to try, the usual one first, and none that would send the same again."""
    usual = session.state.recorded.halo.update_members
    if refused is None:
        yield usual
    elif refused.status not in MAY_BE_INCOMPLETE:
        return
    tried = {_present(session, target, usual)}
    for form in UPDATE_FORMS:
        if (members := _present(session, target, form)) not in tried:
            tried.add(members)
            yield form


def _present(session: WriteSession, target: CountTarget, form: tuple[str, ...]) -> frozenset[str]:
    """What of a form the listing shows of this row."""
    live = session.listing.get(target.subscription_id)
    return frozenset(member for member in form if live is not None and live.raw.get(member) is not None)


def _may_go_again(session: WriteSession, target: CountTarget) -> bool:
    """True when a listing since the last request for this row shows it as the plan did: nobody is overwritten."""
    if not session.may_write():
        return False
    session.freshen(anew=not session.checked(target.key))
    return still_as_planned(session, target)


def _as_just_read(session: WriteSession, batch: Sequence[CountTarget], along: tuple[str, ...]) -> Sequence[CountTarget]:
    """The rows whose members that go along were just read, and that are still as planned."""
    if "name" in along:
        session.freshen(len(batch) + 1)
        there = [target for target in batch if still_as_planned(session, target) and _still_exists(session, target)]
        session.freshen()  # reads that had to wait for their turn have aged the listing
        return [target for target in there if still_as_planned(session, target)]
    if along and session.clock.monotonic() - session.listed_at > SHOWN_SECONDS:
        session.freshen(anew=True)
        return [target for target in batch if still_as_planned(session, target)]
    return batch


def _still_exists(session: WriteSession, target: CountTarget) -> bool:
    """Read one row by itself. Where it is gone, HaloPSA might take an update that holds its name for a create.

    Raises `ApiError` when it cannot be read.
    """
    try:
        live = session.target.subscription(target.subscription_id)
    except NotFound:
        difference = "HaloPSA does not know it any more"
    else:
        difference = what_moved(_as_planned(target), _as_listed(live))
    if difference:
        _settle_stale(session, target, difference)
    return not difference


def _remember(session: WriteSession, along: tuple[str, ...]) -> None:
    """From now on every update has this form, in later runs as well."""
    wanted = f"id, count, {', '.join(along)}" if along else "id and count alone"
    session.observe(Noticed(message=f"HaloPSA takes an update that holds {wanted}; this is remembered"))
    try:
        session.state.record_facts(replace(session.state.recorded.halo, update_members=along))
    except StateError as error:
        session.halted = session.halted or error.message
        session.unrecorded = session.unrecorded or error


def _all_words(refusals: Sequence[tuple[str, Refused]]) -> str:
    """HaloPSA's words; where they differ from form to form, each with what went along."""
    said = [answer.message for _, answer in refusals]
    if len(set(said)) == 1:
        return said[0]
    return "; ".join(f"with {along}: {answer.message}" if along else answer.message for along, answer in refusals)


def settle_refused(session: WriteSession, target: CountTarget, answer: Refused, *, told: str = "") -> None:
    """Settle a row that HaloPSA did not take."""
    why = " for want of a right" if answer.lacks_right else f": {told or answer.message}"  # a right: said once a run
    message = f"HaloPSA refused the quantity {target.after}{why}"
    session.settle(target.key, Outcome.FAILED, message, at=target.subscription_id)


# -- What the last listing shows --------------------------------------------------------------------------------------


def live_count(session: WriteSession, target: CountTarget) -> int | None:
    """The quantity that the last listing shows; None where it has no such row or no number."""
    live = session.listing.get(target.subscription_id)
    return live.count if live else None


def still_as_planned(session: WriteSession, target: CountTarget) -> bool:
    """True when the last listing shows the row as the plan did; a row that moved is settled as stale."""
    difference = moved(session, target)
    if not difference:
        return True
    _settle_stale(session, target, difference)
    return False


def _settle_stale(session: WriteSession, target: CountTarget, difference: str) -> None:
    written = f"{target.after} was sent before" if target.key in session.sent else "nothing was written"
    message = f"changed since the plan: {difference}; {written}, the next run decides anew"
    session.settle(target.key, Outcome.STALE, message, at=target.subscription_id)


def moved(session: WriteSession, target: CountTarget) -> str:
    """What the last listing shows otherwise than the plan did, in words; empty when nothing."""
    twins = [n for n in session.appeared.get(target.key, ()) if n != target.subscription_id]
    if twins:
        return f"Subscription {twins[0]} with the same marker has appeared"
    live = session.listing.get(target.subscription_id)
    if live is None:
        return "HaloPSA does not list it any more"
    if live.last_day is not None and live.last_day < session.clock.now().date() and not target.change.mapping.retired:
        return f"somebody ended it on {live.last_day.isoformat()}"
    return what_moved(_as_planned(target), _as_listed(live))


def _as_planned(target: CountTarget) -> dict[str, object]:
    mapping = target.change.mapping
    return {"count": target.before, "customer_id": mapping.halo_customer.id, "active": True}


def _as_listed(live: Subscription) -> dict[str, object]:
    return {"count": live.count, "customer_id": live.customer_id, "active": live.live}
