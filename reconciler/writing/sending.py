"""One POST of counts: whether it may go out, again after a 429, and with more members where HaloPSA wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.errors import NotFound, StateError
from reconciler.events import Noticed
from reconciler.model import Subscription
from reconciler.planning.changes import Outcome
from reconciler.providers.base import CountWrite, Refused, Unclear, WriteAnswer
from reconciler.writing.session import CountTarget, WriteSession, what_moved

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


# -- what the last listing shows --------------------------------------------------------------------------------------


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
