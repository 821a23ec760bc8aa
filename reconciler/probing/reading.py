"""What reading shows: the token, lists, the request limit. Of foreign rows only their number is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from reconciler.errors import DecisionRefused
from reconciler.http.decoding import whole_number
from reconciler.model import SUBSCRIPTION_TYPE
from reconciler.probing.exchanges import Exchange, Untold
from reconciler.probing.report import NO, YES, Question, yes_if
from reconciler.probing.session import NOTHING_MADE, ProbeSession, page_query
from reconciler.probing.shapes import Row, lifetime_form, member_name
from reconciler.providers.halo_token import READ_LICENCES
from reconciler.providers.halopsa import PAGE_ROWS

INVOICES = "/api/RecurringInvoice"
INVOICE_ROWS = 20
ENOUGH = 2
"""Rows of the customer that a question about order or pages needs."""


def sign_in(session: ProbeSession) -> None:
    """The token's lifetime and scopes, from the answer that the first read needed."""
    token = session.halo.token
    form = lifetime_form(token.lifetime, stated=token.states_lifetime)
    if form == "true" and isinstance(token.lifetime, int):
        session.tell(Question.TOKEN_LIFETIME, YES, f"{token.lifetime} s", value={"seconds": token.lifetime})
    else:
        session.tell(Question.TOKEN_LIFETIME, NO, f"it is: {form}", value=form)
    granted = token.scopes
    if granted is None:
        session.tell(Question.TOKEN_SCOPES, NO, "it names none", value="unnamed")
    else:
        missing = () if "all" in granted else tuple(sorted(set(token.asked) - granted))
        told = f"not granted: {', '.join(missing)}" if missing else "all of them"
        session.tell(Question.TOKEN_SCOPES, yes_if(not missing), told, value=missing)
    if granted is not None and {READ_LICENCES, "all"} & granted and READ_LICENCES not in token.asked:
        session.cannot(Question.EDIT_READS, "the token was granted more than was asked for")
    else:
        session.tell(Question.EDIT_READS, YES, "the listing was given")


def find_envelope(session: ProbeSession) -> list[Row]:
    """The first listing: which member holds the rows, and what reading takes. Returns the customer's rows."""
    exchange = session.get(query=page_query(*session.ours_only))
    if exchange.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        refused = exchange
        if session.halo.token.ask_to_read_licences():
            exchange = session.get(query=page_query(*session.ours_only))
        if not exchange.ok:
            raise Untold(f"Subscriptions cannot be listed: {refused.told}")
        session.tell(Question.EDIT_READS, NO, f"refused with {refused.status}", value=refused.status, by=refused)
    if not exchange.ok:
        raise Untold(f"Subscriptions cannot be listed: {exchange.told}")
    session.rows_in = _member_with_rows(exchange.body, session.rows_in)
    right = isinstance(exchange.body, dict) and session.rows_in == "licences"
    shown = member_name(session.rows_in)
    session.tell(Question.ENVELOPE, yes_if(right), f"it is in: {shown}", value=shown, by=exchange)
    rows = session.rows_of(exchange)
    _refuse_more_than_a_page(session, rows)
    session.earlier = [row for row in rows if session.halo.is_own(row)]
    return rows


def _refuse_more_than_a_page(session: ProbeSession, rows: Sequence[Row]) -> None:
    """Every look of a probe is at one page: what stands on another would be taken for missing."""
    beyond = session.get(query=page_query(*session.ours_only, number=2))
    if beyond.ok and set(_ids(session.rows_of(beyond))) - set(_ids(rows)):
        raise DecisionRefused(
            f"Customer {session.customer} has more than the {len(rows)} Subscriptions and licences that a page holds.",
            hint="Take another customer. What a cut-off probe left at this one can be set to 0 or deleted by hand.",
        )


def _member_with_rows(body: Any, usual: str) -> str:
    if isinstance(body, list) or (isinstance(body, dict) and isinstance(body.get(usual), list)):
        return usual
    lists = [name for name, value in body.items() if isinstance(value, list)] if isinstance(body, dict) else []
    if len(lists) != 1:
        raise Untold("a listing's answer has no list in it, or several")
    return str(lists[0])


def pages_and_order(session: ProbeSession) -> None:
    """Small pages of the customer's own rows: other rows on page two, what record_count counts, which order holds."""
    if len(session.made) < ENOUGH:
        raise Untold(NOTHING_MADE)
    small, one = session.listing(size=1)
    following, two = session.listing(number=2, size=1)
    wide, rows = session.listing()
    if len(rows) < ENOUGH or not _ids(one):
        raise Untold("the listing does not show two Subscriptions of this customer")
    if set(session.made) - set(_ids(rows)):
        raise Untold("one page of the listing does not show all that the probe made")
    _tell_order(session, rows, wide)
    repeats = _ids(one) == _ids(two)
    if session.value(Question.ORDER) == "changing":
        session.cannot(Question.PAGING, "the order changes from request to request", by=following)
    else:
        told = "it repeats the first" if repeats else "it holds others" if _ids(two) else "it is empty"
        holds_others, value = yes_if(_ids(two) and not repeats), "repeats" if repeats else told
        session.tell(Question.PAGING, holds_others, told, value=value, by=following)
    _tell_record_count(session, small, len(one), wide, len(rows))


def _tell_record_count(session: ProbeSession, small: Exchange, few: int, wide: Exchange, whole: int) -> None:
    """Two pages of one list, of one row and of all: what counts both of them the same is the list."""
    bodies = [exchange.body if isinstance(exchange.body, dict) else {} for exchange in (small, wide)]
    said = [body.get("record_count") for body in bodies]
    counts = [whole_number(number) for number in said]
    if said == [None, None]:
        value, told = "absent", "there is none"
    elif counts == [0, 0]:
        value, told = "zero", "it is 0"
    elif counts == [whole, whole]:
        value, told = "present", "it was the same on a page of one row and on a page of all"
    elif counts == [few, whole]:
        value, told = "rows", "it is the number of rows of the page"
    elif counts == [whole - 1, whole - 1]:
        value, told = "stale", "it is one less than there are"
    elif session.late_listings:
        session.cannot(Question.RECORD_COUNT, "it did not fit the rows, and listings are late", by=small)
        return
    else:
        value, told = "wrong", "it is another number than there are rows"
    session.tell(Question.RECORD_COUNT, yes_if(value == "present"), told, value=value, by=small)


def _tell_order(session: ProbeSession, ascending: Sequence[Row], by: Exchange) -> None:
    """The same question twice, then the other way round."""
    _, again = session.listing()
    down = session.get(query=page_query(*session.ours_only, descending=True))
    ids, turned = _ids(ascending), _ids(session.rows_of(down))
    if ids != _ids(again):
        session.tell(Question.ORDER, NO, "it changes from request to request", value="changing", by=by)
    elif ids == sorted(ids) and turned == ids[::-1]:
        session.tell(Question.ORDER, YES, "up and down", value="asked", by=down)
    else:
        session.tell(Question.ORDER, NO, "it is always the same, an order of its own", value="by_name", by=down)


def filters(session: ProbeSession) -> None:
    """A filter for plain licences must leave our Subscriptions out."""
    session.first()
    if session.first_late.never:
        raise Untold("no listing shows our Subscriptions anyway")
    exchange, rows = session.listing(("licence_type", "0"))
    own = session.own(rows)
    kept = any(row.get("type") == SUBSCRIPTION_TYPE for row in own)
    if not own or kept:
        told = "they came all the same" if kept else "they were left out"
        session.tell(Question.TYPE_FILTER, yes_if(not kept), told, by=exchange)
    else:
        session.cannot(Question.TYPE_FILTER, "our rows are not shown as Subscriptions", by=exchange)


def whole_lists(session: ProbeSession) -> None:
    """The first pages of everything: how long a page is, whether inactive and deleted rows are among it."""
    every = _everything(session, "true")
    rows = session.rows_of(every)
    _tell_deleted(session, every, rows)
    more = _tell_page_rows(session, every, rows)
    _tell_unpaged(session, len(rows), more=more)
    _tell_inactive(session, rows, every)


def _everything(session: ProbeSession, inactive: str | None, page: int = 1) -> Exchange:
    asked = (("includeinactive", inactive),) if inactive is not None else ()
    return session.get(query=page_query(*asked, number=page))


def _tell_page_rows(session: ProbeSession, every: Exchange, rows: Sequence[Row]) -> bool:
    """True where there are more rows than the first page holds."""
    following = _everything(session, "true", page=2)
    more = bool(set(_ids(session.rows_of(following))) - set(_ids(rows)))
    if len(rows) >= PAGE_ROWS:
        session.tell(Question.PAGE_ROWS, YES, f"{PAGE_ROWS} came", value=PAGE_ROWS, by=every)
    elif more:
        session.tell(Question.PAGE_ROWS, NO, f"{len(rows)} came, and there are more", value=len(rows), by=every)
    else:
        session.cannot(Question.PAGE_ROWS, "no second page showed that there are more rows than came", by=every)
    return more


def _tell_unpaged(session: ProbeSession, first_page: int, *, more: bool) -> None:
    plain = session.get(query=(("includeinactive", "true"),))
    came = len(session.rows_of(plain))
    if came < first_page or (more and came == first_page):
        session.tell(Question.UNPAGED_ROWS, NO, f"it is cut after {came}", value=came, by=plain)
    elif more:
        session.tell(Question.UNPAGED_ROWS, YES, "it holds more than a page does", value=0, by=plain)
    else:
        session.cannot(Question.UNPAGED_ROWS, "all came, and there are too few to see where it would end", by=plain)


def _tell_deleted(session: ProbeSession, every: Exchange, rows: Sequence[Row]) -> None:
    if any(row.get("deleted") not in {None, False} for row in rows):
        session.tell(Question.DELETED_LISTED, YES, "there was one", value="listed", by=every)
    else:
        session.cannot(Question.DELETED_LISTED, "none was listed; a probe deletes nothing to find out", by=every)


def _tell_inactive(session: ProbeSession, rows: Sequence[Row], every: Exchange) -> None:
    if not _any_inactive(rows):
        for question in (Question.INACTIVE_ASKED, Question.INACTIVE_UNASKED):
            session.cannot(question, "no inactive Subscription was listed, with includeinactive=true either", by=every)
        return
    unasked, without = _everything(session, None), _everything(session, "false")
    seen, kept = (_any_inactive(session.rows_of(exchange)) for exchange in (unasked, without))
    told = "they are" if seen else "they are left out"
    session.tell(Question.INACTIVE_UNASKED, yes_if(seen), told, by=unasked)
    told = "with false they came all the same" if kept else "with false they are left out"
    session.tell(Question.INACTIVE_ASKED, yes_if(not kept), told, by=without)


def _any_inactive(rows: Sequence[Row]) -> bool:
    return any(row.get("is_active") == 0 for row in rows)  # false is 0, too


def invoice_lines(session: ProbeSession) -> None:
    """One page of recurring invoices: whether a list has their lines."""
    query = page_query(("includelines", "true"), ("includeinactive", "true"), size=INVOICE_ROWS)
    exchange = session.get(INVOICES, query)
    rows = exchange.body.get("invoices") if exchange.ok and isinstance(exchange.body, dict) else None
    if not isinstance(rows, list):
        raise Untold(f"the list of recurring invoices: {exchange.told}")
    shown = [row for row in rows if isinstance(row, dict)]
    if not shown:
        raise Untold("there is no recurring invoice")
    lines = [line for row in shown for line in row.get("lines") or () if isinstance(line, dict)]
    if not lines and not _has_lines(session, shown[0]):
        session.cannot(Question.INVOICE_LINES, "the first recurring invoice has no lines by itself either", by=exchange)
    elif not lines:
        session.tell(Question.INVOICE_LINES, NO, "only an invoice by itself has them", value="none", by=exchange)
    elif any(name.startswith("quantity_") for line in lines for name in line):
        session.tell(Question.INVOICE_LINES, YES, "with their quantities", value="filled", by=exchange)
    else:
        told = "without the members that say whose quantity they take"
        session.tell(Question.INVOICE_LINES, NO, told, value="bare", by=exchange)


def _has_lines(session: ProbeSession, invoice: Row) -> bool:
    """Whether one invoice of the list has lines where it is read by itself."""
    number = whole_number(invoice.get("id"), least=-(2**31))
    if number is None:
        return False
    alone = session.get(f"{INVOICES}/{number}", (("includedetails", "true"),))
    return isinstance(alone.body, dict) and bool(alone.body.get("lines"))


def limits(session: ProbeSession) -> None:
    """Headers of all answers; a limit that was not met is not looked for."""
    names = tuple(sorted(session.limit_headers - {"retry-after"}))
    told = ", ".join(names) if names else f"none of {session.answers} answers had one"
    session.tell(Question.LIMIT_HEADERS, yes_if(names), told, value=names)
    met = session.throttled
    if met is None:
        for question in (Question.LIMIT_RETRY_AFTER, Question.LIMIT_BODY):
            session.cannot(question, "the limit was not met, and a probe does not run into it on purpose")
        return
    exchange, kind = met
    told = f"Retry-After: {kind}"
    session.tell(Question.LIMIT_RETRY_AFTER, yes_if(kind in {"seconds", "date"}), told, value=kind, by=exchange)
    form = "string" if isinstance(exchange.body, str) else "object" if exchange.body else "empty"
    session.tell(Question.LIMIT_BODY, yes_if(exchange.body), f"the body was: {form}", value=form, by=exchange)


def _ids(rows: Sequence[Row]) -> list[int]:
    return [number for row in rows if (number := whole_number(row.get("id"), least=1)) is not None]
