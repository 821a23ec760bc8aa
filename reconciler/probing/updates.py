"""What an update is taken as: what it must hold, what it changes, what a batch and an unknown id come to."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from reconciler.model import SUBSCRIPTION_TYPE
from reconciler.probing.exchanges import Exchange, Untold
from reconciler.probing.making import tell_late, watch
from reconciler.probing.report import FRAME, NO, YES, Question, yes_if
from reconciler.probing.session import Late, ProbeSession
from reconciler.probing.shapes import Row, answer_form, member_name, quantity, refusal_form
from reconciler.providers.halo_raw import NO_NUMBER, UNKNOWN_ID
from reconciler.writing.update import HALO_STAMPS, UPDATE_FORMS

FIXED = "no quantity could be changed, because 0 is refused"
STRANGER = 9
"""The number in the name of the row that is written under an id that does not exist."""
_PAIR = 2


def update_one(session: ProbeSession) -> None:
    """Change the quantity in the least form that is taken, and hold everything else of the row against what it was."""
    number = session.first()
    before = _shown(session, number)
    exchange = first_form(session, number, 1)
    if before is not None and quantity(before) == 1:  # no 0 was taken at the create: so far nothing has changed
        exchange = session.update((number, 0))
        session.changed_to = 0
    if exchange.refused:
        _tell_unchangeable(session, before, session.read(number)[1], exchange)
        return
    wanted = session.changed_to or 0
    _, after = session.read(number)
    if not exchange.body and not _shows(after, wanted):  # an empty answer may be one to a write that never came about
        exchange = session.update((number, wanted))
        _, after = session.read(number)
    session.late_reads = session.late_reads or not _shows(after, wanted)
    late = _watch_count(session, number, wanted)
    session.change_late = late
    if not late.never:
        session.lag = max(session.lag, float(late.seconds))
        session.late_listings = max(session.late_listings, late.listings)
    told = "a create and an update were read right after"
    session.tell(Question.READ_AT_ONCE, yes_if(not session.late_reads), told, by=exchange)
    if session.late_reads or after is None:
        session.settle()
        _, after = session.read(number)
    if not _shows(after, wanted):  # a read from before the update would say that nothing else has changed
        session.cannot(Question.UPDATE_FRAME, "no single read showed the new quantity", by=exchange)
    _tell_frame(session, before, after, exchange)


def _tell_unchangeable(session: ProbeSession, before: Row | None, after: Row | None, refusal: Exchange) -> None:
    """Neither a create nor an update takes a 0: no change was seen, but for what the update to the same 1 has done."""
    session.changed_to = None
    session.tell(Question.UPDATE_TO_ZERO, NO, f"refused with {refusal.status}", by=refusal)
    if before and after and changed_members(before, after):
        _tell_frame(session, before, after, refusal)
    raise Untold(FIXED)


def first_form(session: ProbeSession, number: int, count: int) -> Exchange:
    """Send one update, with more members each time it is refused, and remember the form that is taken."""
    refusal: Exchange | None = None
    for form in UPDATE_FORMS:
        exchange = session.post_absolute([{"id": number, "count": count, **session.shown(number, form)}])
        if exchange.ok:
            session.along = form
            told = f"taken with {', '.join(form)} besides" if form else "taken"
            session.tell(Question.UPDATE_ALONE, yes_if(not form), told, value=form, by=exchange)
            _tell_refusal(session, refusal)
            return exchange
        if not exchange.refused:
            raise Untold(f"an update got no clear answer, however often it was sent: {exchange.told}")
        refusal = refusal or exchange
        if exchange.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            break
    _tell_refusal(session, refusal)
    status = refusal.status if refusal else None
    session.tell(Question.UPDATE_ALONE, NO, f"refused in every form ({status})", value="refused", by=refusal)
    raise Untold(f"HaloPSA refused an update in every form ({status})")


def _tell_refusal(session: ProbeSession, refusal: Exchange | None) -> None:
    if refusal is None:
        session.cannot(Question.UPDATE_REFUSAL, "no update was refused for want of a member")
        return
    form = refusal_form(refusal.body, readable=refusal.readable)
    if form == "other":
        session.cannot(Question.UPDATE_REFUSAL, "the refusal's body was something that is not JSON", by=refusal)
        return
    told = f"status {refusal.status}, the body is: {form}"
    session.tell(Question.UPDATE_REFUSAL, yes_if(form != "empty"), told, value=f"{refusal.status} {form}", by=refusal)


def _tell_frame(session: ProbeSession, before: Row | None, after: Row | None, by: Exchange) -> None:
    if before is None or after is None:
        session.cannot(Question.UPDATE_FRAME, "no single read showed the Subscription before and after it", by=by)
        return
    changed = changed_members(before, after)
    told = f"changed besides: {', '.join(changed)}" if changed else f"nothing else changed{_of_empty(before)}"
    session.tell(Question.UPDATE_FRAME, yes_if(not changed), told, value=changed, by=by)


def _of_empty(before: Row) -> str:
    """A member that was empty can have been emptied again: that has to be said."""
    empty = sorted(name for name in FRAME if not before.get(name) and before.get(name) is not False)
    return f"; of {', '.join(empty)} it tells nothing, for they were empty before" if empty else ""


def changed_members(before: Row, after: Row) -> tuple[str, ...]:
    """The members that differ, besides the count and what HaloPSA itself stamps; null and left out are the same."""
    names = {name for name in (*before, *after) if name not in HALO_STAMPS and not name.startswith("_")}
    return tuple(sorted({member_name(name) for name in names if before.get(name) != after.get(name)}))


def repeat_and_zero(session: ProbeSession) -> None:
    """The same update once more, then back to 0."""
    number = session.first()
    again = session.update((number, 1 if session.changed_to is None else session.changed_to))
    if again.ok or again.refused:
        session.tell(Question.UPDATE_REPEATED, yes_if(again.ok), again.told, by=again)
    else:
        session.cannot(Question.UPDATE_REPEATED, again.told, by=again)
    if session.changed_to is None:
        raise Untold(FIXED)
    late = session.change_late
    if session.changed_to == 0:  # the second change is the way up, so that there is one back to 0
        session.update((number, 1))
        session.rest(float(late.seconds))
    zero = session.update((number, 0))
    if zero.refused:
        session.tell(Question.UPDATE_TO_ZERO, NO, f"refused with {zero.status}", by=zero)
        tell_late(session, Question.CHANGE_LISTED, late, None)
        return
    second = None if late.never else _watch_count(session, number, 0, first=float(late.seconds))
    tell_late(session, Question.CHANGE_LISTED, late, second)
    _, row = session.read(number)
    if (row is not None and quantity(row) == 0) or (second is not None and not second.never):
        session.tell(Question.UPDATE_TO_ZERO, YES, "taken, and shown as 0", by=zero)
    else:
        session.cannot(Question.UPDATE_TO_ZERO, "taken, and 0 was not shown", by=zero)


def update_several(session: ProbeSession) -> None:
    """Two updates in one request: what its answer has of them."""
    pair = _pair(session)
    exchange = session.update(*((number, 1) for number in pair))
    if not exchange.ok:
        raise Untold(f"two updates in one request: {exchange.told}")
    form = answer_form(exchange.body, pair, readable=exchange.readable)
    if form == "other":
        raise Untold("the answer to two updates was something that is not JSON, or had other rows")
    told = {"array": "all of them, in an array"}.get(form, f"the answer was: {form}")
    session.tell(Question.ANSWER_OF_SEVERAL, yes_if(form == "array"), told, value=form, by=exchange)


def unknown_id(session: ProbeSession) -> None:
    """An id that does not exist: read, and only where that is answered with 404, written as a whole row of ours."""
    session.first()
    looked = session.by_id(UNKNOWN_ID)
    missing = looked.status == HTTPStatus.NOT_FOUND
    session.tell(Question.UNKNOWN_ID_READ, yes_if(missing), looked.told, value=looked.status, by=looked)
    if not missing:
        raise Untold("its read was not answered with 404, so it was not written to")
    exchange = session.create(_stranger(session))
    if not exchange.ok and not exchange.refused:
        raise Untold(exchange.told)
    if exchange.refused:
        value = "not_found" if exchange.status == HTTPStatus.NOT_FOUND else "bad_request"
        session.tell(Question.UNKNOWN_ID_WRITTEN, YES, f"refused with {exchange.status}", value=value, by=exchange)
        return
    if session.first_late.never:
        raise Untold(f"{exchange.told}, and no listing shows what was made")
    late, _, _ = watch(session, lambda rows: _appeared(session, rows, session.name(STRANGER)), first=session.lag)
    if late.never:
        session.tell(Question.UNKNOWN_ID_WRITTEN, YES, "taken without an error, and nothing came of it", by=exchange)
    else:
        session.tell(Question.UNKNOWN_ID_WRITTEN, NO, "a new row was made", value="create", by=exchange)


def _appeared(session: ProbeSession, rows: Sequence[Row], name: str) -> bool:
    session.take(rows)
    return any(row.get("name") == name for row in session.own(rows))


def _stranger(session: ProbeSession) -> Row:
    """A whole row of ours under an id that does not exist, so that nothing nameless can come of it."""
    whose: Row = {"client_id": int(session.customer), "name": session.name(STRANGER)}
    return {"id": UNKNOWN_ID, "type": SUBSCRIPTION_TYPE, **whose, "count": 0}


def bad_row(session: ProbeSession) -> None:
    """Two good rows with a bad one between them: which of the good ones are written."""
    first, last = _pair(session)
    if session.changed_to is None:
        raise Untold(FIXED)
    refuses = session.value(Question.UNKNOWN_ID_WRITTEN) in {"not_found", "bad_request"}
    bad = _stranger(session) if refuses else _spoilt(session)
    before = {number: _count(session, number) for number in (first, last)}
    if any(before[number] != session.written.get(number) for number in before):
        raise Untold("single reads did not show the last update yet")
    wanted = {number: 0 if before[number] else 1 for number in before}
    rows = [session.good_row(first, wanted[first]), bad, session.good_row(last, wanted[last])]
    exchange = session.post_absolute(rows)
    if not exchange.refused:
        raise Untold(f"the batch was not refused: {exchange.told}")
    session.settle()
    done = _count(session, first) == wanted[first], _count(session, last) == wanted[last]
    if done not in _OF_A_BATCH:
        raise Untold("only the row behind the bad one was written")
    value, told = _OF_A_BATCH[done]
    session.tell(Question.BAD_ROW, yes_if(value == "apply_good"), told, value=value, by=exchange)


_OF_A_BATCH = {
    (True, True): ("apply_good", "both were written"),
    (True, False): ("apply_until_bad", "the one before the bad row was written, the one behind it was not"),
    (False, False): ("reject_all", "none of them was written"),
}
"""By which of the good rows was written, before and behind the bad one."""


def _spoilt(session: ProbeSession) -> Row:
    """A row of ours whose quantity no HaloPSA can take, where an unknown id is not refused."""
    if len(session.made) <= _PAIR:
        raise Untold("there was no third Subscription to spoil")
    return {**session.good_row(session.made[_PAIR], 0), "count": NO_NUMBER}


def _pair(session: ProbeSession) -> tuple[int, int]:
    if len(session.made) < _PAIR:
        raise Untold("there were no two Subscriptions to ask with")
    if session.along is None:
        raise Untold("no form of an update was found that is taken")
    return session.made[0], session.made[1]


def _count(session: ProbeSession, number: int) -> int:
    """The quantity that a single read shows. Raises `Untold` where it shows none."""
    row = _shown(session, number)
    if row is None or (count := quantity(row)) is None:
        raise Untold("no single read showed the quantity")
    return count


def _shown(session: ProbeSession, number: int) -> Row | None:
    """One Subscription as it is once everything has arrived."""
    if session.late_reads:
        session.settle()
    return session.read(number)[1]


def _shows(row: Row | None, count: int) -> bool:
    """True where the row has that quantity, or has one that nobody can make out."""
    return row is not None and quantity(row) in {count, None}


def _watch_count(session: ProbeSession, number: int, count: int, *, first: float = 0.0) -> Late:
    def shown(rows: Sequence[Row]) -> bool:
        return any(row.get("id") == number and quantity(row) == count for row in rows)

    return watch(session, shown, first=first)[0]
