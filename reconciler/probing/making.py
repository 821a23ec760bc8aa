"""Making a probe's Subscriptions, and what a create, its answer and the first looks at it show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from reconciler.http.decoding import whole_number
from reconciler.model import SUBSCRIPTION_TYPE
from reconciler.probing.exchanges import Exchange, Untold
from reconciler.probing.report import MARKERS, NO, YES, Question, yes_if
from reconciler.probing.session import Late, ProbeSession
from reconciler.probing.shapes import PUBLISHED, Row, answer_form, count_form, member_name, price_form, quantity


def watch(
    session: ProbeSession, shown: Callable[[Sequence[Row]], bool], *, first: float = 0.0
) -> tuple[Late, Exchange, list[Row]]:
    """List until it shows, or the wait is over; returns the last listing. `first` is waited before the first look.

    The second look waits as long as HaloPSA was late before: a probe has few requests.
    """
    begun, missed, pause = session.clock.monotonic(), 0, session.lag / 2
    session.rest(first)
    while True:
        exchange, rows = session.listing()
        passed = session.clock.monotonic() - begun
        if shown(rows):
            late = Late(seconds=round(passed + 0.4) if missed or first else 0, listings=missed)
            return late, exchange, rows
        missed += 1
        if passed >= session.wait and missed > session.late_listings:  # so many did not show it before, and one did
            return Late(seconds=round(passed), listings=missed, never=True), exchange, rows
        pause = max(1.0, min(pause * 2, session.wait - passed))
        session.rest(pause)


def make_first(session: ProbeSession) -> None:
    """Create one Subscription with the quantity 0, or with 1 where 0 is refused, and look at it."""
    exchange, number = _create(session, count=0)
    at_zero = exchange
    if exchange.refused:
        exchange, number = _create(session, count=1)
        if number is not None:
            why = f"refused with {at_zero.status}, and with 1 it was taken"
            session.tell(Question.CREATE_AT_ZERO, NO, why, value="refused", by=at_zero)
    if number is None and exchange.refused:
        raise Untold(f"HaloPSA refused to create a Subscription (status {exchange.status})")
    _tell_answer(session, exchange)
    single = None if number is None else _read_first(session, number)
    late, by_list, rows = watch(session, lambda rows: _all_there(session, rows, 1))
    session.first_late = late
    if not late.never:
        session.lag, session.late_listings = float(late.seconds), late.listings
    elif single is None:
        raise Untold(f"no listing showed the new Subscription within {session.wait:.0f} s")
    else:
        session.take([single])
    _look_at_it(session, exchange, by_list, rows)


def _create(session: ProbeSession, *, count: int, name: str = "") -> tuple[Exchange, int | None]:
    """One create and the id that its answer names, which counts only once a read has shown the row as ours."""
    row: Row = {"type": SUBSCRIPTION_TYPE, "client_id": int(session.customer), "name": name or session.name(0)}
    exchange = session.create({**row, **session.markers(), "count": count})
    rows = exchange.body if isinstance(exchange.body, list) else [exchange.body]
    named = rows[0].get("id") if exchange.ok and len(rows) == 1 and isinstance(rows[0], dict) else None
    number = whole_number(named, least=1)
    if number is not None:
        session.named.append(number)
    return exchange, number


def _read_first(session: ProbeSession, number: int) -> Row | None:
    """The single read right after the create; where the id alone is refused, with the customer's."""
    exchange, row = session.read(number)
    if exchange.status in {400, 422}:
        session.needs_customer = True
        again, row = session.read(number)
        if again.ok or again.status == HTTPStatus.NOT_FOUND:
            session.tell(Question.READ_BY_ID, NO, f"refused with {exchange.status}, taken with client_id", by=exchange)
        else:
            session.needs_customer = False
            session.cannot(Question.READ_BY_ID, f"with client_id as well {again.told}", by=again)
    elif exchange.ok or exchange.status == HTTPStatus.NOT_FOUND:
        session.tell(Question.READ_BY_ID, YES, exchange.told, by=exchange)
    session.late_reads = row is None
    return row


def make_others(session: ProbeSession) -> None:
    """Two more: one of the same name, one of another, so that order, pages and batches can be asked about."""
    session.first()
    count = int(session.value(Question.CREATE_AT_ZERO) == "refused")
    late = session.first_late
    twin, _ = _create(session, count=count)
    if twin.refused:
        session.tell(Question.EQUAL_NAMES, NO, f"the second was refused with {twin.status}", by=twin)
    elif not twin.ok:
        session.cannot(Question.EQUAL_NAMES, twin.told, by=twin)
    places = (1, 2) if twin.refused else (1,)
    others = [_create(session, count=count, name=session.name(place))[0] for place in places]
    wanted = len(session.made) + sum(not made.refused for made in (twin, *others))
    second, _, _ = watch(session, lambda rows: _all_there(session, rows, wanted), first=float(late.seconds))
    tell_late(session, Question.CREATE_LISTED, late, second)
    for number in session.named if second.never else ():
        _, row = session.read(number)
        session.take([row] if row else [])
    if sum(session.halo.shown(number).get("name") == session.name(0) for number in session.made) > 1:
        session.tell(Question.EQUAL_NAMES, YES, "both were seen", by=twin)
    session.cannot(Question.EQUAL_NAMES, f"{twin.told}, and no second one was seen", by=twin)


def _all_there(session: ProbeSession, rows: Sequence[Row], wanted: int) -> bool:
    session.take(rows)
    return len(session.made) >= wanted


def tell_late(session: ProbeSession, question: Question, first: Late, second: Late | None) -> None:
    """How late a listing was, and whether that ends by time or by listings that are read meanwhile."""
    if first.never:
        told = f"not within {first.seconds} s, in {first.listings} listings"
        session.tell(question, NO, told, value={"seconds": first.seconds, "listings": first.listings, "never": 1})
        return
    if not first.listings:
        session.tell(question, YES, "it was there at once", value={"seconds": 0, "listings": 0})
        return
    by_listings = second is not None and second.listings > 0 and not second.never
    session.by_listings = session.by_listings or by_listings
    told = f"{first.listings} listings did not show it, {first.seconds} s after the write it was there"
    value = {"seconds": first.seconds, "listings": first.listings, "by_listings": int(by_listings)}
    session.tell(question, NO, told, value=value)


# -- what the answer and the row show ---------------------------------------------------------------------------------


def _tell_answer(session: ProbeSession, exchange: Exchange) -> None:
    if not exchange.ok:
        for question in (Question.CREATE_ANSWER, Question.ANSWER_STATUS):
            session.cannot(question, exchange.told, by=exchange)
        return
    right = yes_if(exchange.status == HTTPStatus.OK)
    session.tell(Question.ANSWER_STATUS, right, exchange.told, value=exchange.status, by=exchange)
    form = answer_form(exchange.body, readable=exchange.readable)
    if form == "other":
        session.cannot(Question.CREATE_ANSWER, "the answer was something that is not JSON, or no row", by=exchange)
        return
    told = {"object": "as an object", "array": "in an array of one"}.get(form, f"the answer was: {form}")
    session.tell(Question.CREATE_ANSWER, yes_if(form in {"object", "array"}), told, value=form, by=exchange)


def _look_at_it(session: ProbeSession, created: Exchange, by_list: Exchange, rows: Sequence[Row]) -> None:
    """Hold the first Subscription, listed and read by itself, against what was sent."""
    number = session.first()
    listed = next((row for row in rows if row.get("id") == number), None)
    by_read, single = session.read(number)
    if Question.READ_BY_ID not in session.findings and single is not None:
        session.tell(Question.READ_BY_ID, YES, by_read.told, by=by_read)
    row, by = (listed, by_list) if listed is not None else (single or {}, by_read)
    _tell_markers(session, listed, single, by)
    _tell_number(session, row, by)
    kind = row.get("type")
    if kind is None:
        session.cannot(Question.TYPE_KEPT, "the row has no type", by=by)
    else:
        session.tell(Question.TYPE_KEPT, yes_if(kind == SUBSCRIPTION_TYPE), "the row was compared", by=by)
    if quantity(row) is None:
        session.cannot(Question.CREATE_AT_ZERO, "the row shows no quantity", by=by)
    kept = quantity(row) == 0
    told = "taken, and shown as 0" if kept else "taken, and another quantity was shown"
    session.tell(Question.CREATE_AT_ZERO, yes_if(kept), told, value="kept" if kept else "changed", by=created)


def _tell_markers(session: ProbeSession, listed: Row | None, single: Row | None, by: Exchange) -> None:
    for name, question in MARKERS.items():
        sent = session.markers()[name]
        if listed is None:
            session.cannot(question, "no listing showed the Subscription", by=by)
        elif listed.get(name) == sent:
            session.tell(question, YES, "given back unchanged", value="kept", by=by)
        elif listed.get(name):
            session.tell(question, NO, "another text stands there", value="overwritten", by=by)
        elif single and single.get(name) == sent:
            session.tell(question, NO, "only a single read gives it back", value="unlisted", by=by)
        else:
            session.tell(question, NO, "it is empty or left out", value="dropped", by=by)


def _tell_number(session: ProbeSession, row: Row, by: Exchange) -> None:
    form = count_form(row)
    told = {"int": "as 0", "float": "as 0.0", "absent": "the row has no count"}.get(form, f"it is: {form}")
    session.tell(Question.COUNT_WHOLE, yes_if(form in {"int", "float"}), told, value=form, by=by)
    form = price_form(row)
    session.tell(Question.PRICE_MEMBERS, yes_if(form in {"given", "yearly"}), f"they are: {form}", value=form, by=by)
    more = tuple(sorted({member_name(name) for name in row if name not in PUBLISHED}))
    told = f"besides these there are: {', '.join(more)}" if more else "all of them are"
    session.tell(Question.KNOWN_MEMBERS, yes_if(not more), told, value=more, by=by)
