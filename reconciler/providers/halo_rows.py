"""HaloPSA's rows: what is read from them, what is sent to change them, and what the answer means. Pure.

Halo documents none of the members that speak of a price beyond their types. They are read with care, because an amount
that is wrong is worse than none (halopsa.md 3.5; the readings are ours):

* `price` is taken for what one unit costs in one billing cycle, `billing_cycle` for the length of that cycle. A row
  that names no cycle is taken for a monthly one: should it be longer, the estimate is too high, and a limit holds too
  early rather than too late. A cycle in words that are not known here gives no price.
* 0 is what HaloPSA stores where nobody entered a price, and null or absent members say nothing: all of them mean "not
  known", never "free".
* `monthly_price` may be meant for one unit or for the whole row, so that alone it says nothing. Beside `price` it is a
  second witness: where it agrees with neither reading, there is no price.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from http import HTTPStatus
from typing import Any

from reconciler.errors import RequestForbidden
from reconciler.http.decoding import Undecodable, WireNumber, clean, decode_json, error_words, text_of, whole_number
from reconciler.http.transport import Reply
from reconciler.model import (
    MAX_COUNT,
    SUBSCRIPTION_TYPE,
    HaloCustomer,
    HaloCustomerId,
    Json,
    MarkerField,
    Subscription,
    SubscriptionId,
)
from reconciler.providers.base import Accepted, CountWrite, NewSubscription, Refused, Unclear, WriteAnswer, WriteRequest
from reconciler.providers.listing import Row, row_id

FINEST = Decimal("0.0001")
"""Unit prices are kept to four decimals, as in mappings.yaml."""

_TOO_MUCH = Decimal(10_000_000)
_CENT = Decimal("0.01")
_EXPONENTS = range(-4, 1)
_CURRENCY = re.compile("[A-Z]{3}")
_FIRST_YEAR = 1902

_MONTHS = {
    "": 1, "monthly": 1, "month": 1, "1 month": 1, "p1m": 1,
    "quarterly": 3, "quarter": 3, "3 months": 3, "p3m": 3,
    "half-yearly": 6, "semi-annual": 6, "semi-annually": 6, "6 months": 6, "p6m": 6,
    "annual": 12, "annually": 12, "yearly": 12, "year": 12, "1 year": 12, "12 months": 12, "p1y": 12, "p12m": 12,
}  # fmt: skip


def subscription_of(row: Row, marker_field: MarkerField) -> Subscription:
    """A `SoftwareLicence` row in our words.

    Halo leaves null members out of rows, so most may be absent. The `type` of a plain licence is 0, which is not null,
    so it is there. A row without a type is taken for a Subscription: that can only hold a create (same name, same
    marker); the other reading could permit a second one.
    """
    kind, active = whole_number(row.get("type")), row.get("is_active")
    customer = whole_number(row.get("client_id"), least=1)
    marker = "" if marker_field is MarkerField.NONE else text_of(row.get(marker_field.value)).strip()
    count = whole_number(row.get("count"))
    return Subscription(
        id=SubscriptionId(row_id(row, system="HaloPSA", name="list of Subscriptions")),
        customer_id=None if customer is None else HaloCustomerId(customer),
        name=text_of(row.get("name")),
        count=count,
        type=SUBSCRIPTION_TYPE if kind is None else kind,
        is_active=active is None or active is True or active == 1,
        deleted=_is_set(row.get("deleted")),
        marker=marker or None,
        unit_price=monthly_unit_price(row, count),
        last_day=None if row.get("autorenew") is True else _last_day(row.get("end_date")),
        raw=row,
    )


def customer_of(row: Row) -> HaloCustomer:
    """A `Client` row in our words. Its currency is known where the row names it by its three letters (ISO 4217)."""
    stated = row.get("clientcurrency")
    named = isinstance(stated, str) and _CURRENCY.fullmatch(stated) is not None
    return HaloCustomer(
        id=HaloCustomerId(row_id(row, system="HaloPSA", name="list of customers")),
        name=text_of(row.get("name")),
        inactive=_is_set(row.get("inactive")),
        currency=str(stated) if named else None,
    )


def _is_set(flag: Json) -> bool:
    """False for false, 0 and an absent flag; whatever else it is counts as set."""
    return not (flag is None or flag is False or flag == 0)


def _last_day(end: Json) -> date | None:
    """The day of `end_date`; any year before 1902 means "no date" (fact sheet, section 6)."""
    try:
        day = date.fromisoformat(text_of(end)[:10])
    except ValueError:
        return None
    return day if day.year >= _FIRST_YEAR else None


def monthly_unit_price(row: Mapping[str, Json], count: int | None) -> Decimal | None:
    """What one user costs a month, to four decimals; None where the row does not say it for certain."""
    price, witness = _amount(row.get("price")), _amount(row.get("monthly_price"))
    months = months_of(row.get("billing_cycle"))
    if price is None or months is None:
        return None
    unit = price / months
    users = {1} if witness == price else {1, count or 1}  # the same number twice speaks of no number of users
    if witness is not None and not any(abs(witness - unit * each) < _CENT for each in users):
        return None
    rounded = unit.quantize(FINEST, rounding=ROUND_HALF_UP)
    as_written = unit == rounded and unit.as_tuple().exponent in _EXPONENTS
    return unit if as_written else rounded or None


def months_of(cycle: Json) -> int | None:
    """How many months a billing cycle has, 1 where none is named; None for words that are not known here."""
    return _MONTHS.get(cycle.strip().casefold()) if isinstance(cycle, str) else 1 if cycle is None else None


def _amount(value: Json) -> Decimal | None:
    """A JSON number as it was written, where it can be a price; None for anything else."""
    if not isinstance(value, WireNumber) and type(value) is not int:
        return None
    number = Decimal(value.digits if isinstance(value, WireNumber) else value)
    return number if 0 < number < _TOO_MUCH else None


# ---- what is sent, and what the answer means ------------------------------------------------------------------------

REFUSALS = frozenset({400, 403, 404, 409, 415, 422})
"""Statuses that say a definite no without effect (DESIGN 7); every other failure leaves the outcome unknown."""

MAY_GO_ALONG = frozenset({"client_id", "name", "type"})
"""Members that an update may hold besides id and count, unchanged, where HaloPSA demands them (FAULTS W18)."""


def create_body(new: NewSubscription, marker: MarkerField) -> WriteRequest:
    """The array of one that creates a Subscription: count 0, the mapping's key in the marker field."""
    if type(new.customer_id) is not int or not 0 < new.customer_id <= MAX_COUNT or not new.name.strip() or not new.key:
        raise RequestForbidden("A create needs a customer id above 0, a name and a key. Nothing was sent.")
    row: dict[str, Json] = {"type": SUBSCRIPTION_TYPE, "client_id": int(new.customer_id), "name": new.name}
    if marker is not MarkerField.NONE:
        row[marker.value] = str(new.key)
    row["count"] = 0
    return _request([row])


def counts_body(
    writes: Sequence[CountWrite], known: Mapping[int, Mapping[str, Json]], along: Sequence[str] = ()
) -> WriteRequest:
    """The array that sets counts by id, and nothing else, of rows which a listing of this run returned.

    `known` holds these rows as the last read showed them; the members in `along` are taken from there.
    """
    ids = [write.subscription_id for write in writes]
    if not ids or len(set(ids)) != len(ids):
        raise RequestForbidden("A write of counts names no Subscription, or one twice. Nothing was sent.")
    rows: list[dict[str, Json]] = []
    for write in writes:
        if type(write.count) is not int or not 0 <= write.count <= MAX_COUNT:
            raise RequestForbidden(f"Subscription {write.subscription_id}: the count is not a whole number from 0.")
        _check_known(write.subscription_id, known)
        shown = _shown(known[write.subscription_id], along)
        rows.append({"id": int(write.subscription_id), "count": write.count, **shown})
    return _request(rows)


def _shown(row: Mapping[str, Json], members: Iterable[str]) -> dict[str, Json]:
    """These members as the row has them; whole numbers are written as such, and what it has not is left out."""
    found = {name: row[name] for name in members if row.get(name) is not None}
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in found.items()
    }


def sent_rows(request: WriteRequest, known: Mapping[int, Mapping[str, Json]]) -> list[dict[str, Any]]:
    """The rows of a prepared write, looked at once more before they leave: the last guard before money moves."""
    rows = json.loads(request.body)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RequestForbidden("A write must be an array of objects. Nothing was sent.")
    creates = [row for row in rows if "id" not in row]
    if creates and (len(rows) != 1 or rows[0].get("count") != 0):
        raise RequestForbidden("A create must be alone in its array and have the count 0. Nothing was sent.")
    for row in rows:
        if "id" in row:
            _check_known(row["id"], known)
            _check_only_count_changes(row, known[row["id"]])
    return rows


def _check_only_count_changes(row: Mapping[str, Json], shown: Mapping[str, Json]) -> None:
    besides = {name: value for name, value in row.items() if name not in {"id", "count"}}
    if "count" not in row or not set(besides) <= MAY_GO_ALONG:
        raise RequestForbidden("An update may hold an id and a count, nothing else. Nothing was sent.")
    if besides != _shown(shown, besides):
        raise RequestForbidden(
            f"An update of Subscription {row['id']} would change more than its count. Nothing was sent."
        )


def _check_known(subscription_id: object, known: Container[int]) -> None:
    if type(subscription_id) is not int or subscription_id <= 0 or subscription_id not in known:
        raise RequestForbidden(
            f"Subscription {subscription_id} was in no listing of this run: HaloPSA might create it. Nothing was sent."
        )


def _request(rows: list[dict[str, Json]]) -> WriteRequest:
    return WriteRequest(body=json.dumps(rows, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode())


def judge(
    reply: Reply, sent: Sequence[dict[str, Any]], hide: Callable[[str], str], retry_after: float | None = None
) -> WriteAnswer:
    """Say what an answer to a write means. In doubt it is `Unclear`: then a listing decides, never this answer.

    `hide` takes secrets out of whatever the server says; `retry_after` is how long it asks to wait.
    """
    words = hide(error_words(reply.body))
    if reply.status in REFUSALS:
        return Refused(status=reply.status, message=_why_refused(reply.status, words))
    if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        message = words or f"HaloPSA answered {reply.status}"
        return Unclear(status=reply.status, message=message, retry_after=retry_after)
    rows, doubt = _returned(reply)
    warned = _warnings(rows, hide)
    doubt = doubt or "; ".join(f"warns: {text}" for text in warned.values()) or _contradiction(rows, sent)
    if doubt:
        return Unclear(status=reply.status, message=f"HaloPSA answered {reply.status}, but {doubt}", warned=warned)
    created = None if "id" in sent[0] else whole_number(rows[0].get("id"), least=1)
    return Accepted(subscription_id=None if created is None else SubscriptionId(created))


def _returned(reply: Reply) -> tuple[list[dict[str, Json]], str]:
    """The objects in a 2xx answer, single or in an array (both occur), or what is wrong with it."""
    try:
        answer = decode_json(reply.body)
    except Undecodable as exc:
        return [], f"with {exc}."
    rows = answer if isinstance(answer, list) else [answer]
    objects = [row for row in rows if isinstance(row, dict) and row]
    return objects, "" if objects and len(objects) == len(rows) else "without the object that was written."


def _warnings(rows: Sequence[dict[str, Json]], hide: Callable[[str], str]) -> dict[SubscriptionId, str]:
    """What HaloPSA warns of, by the id of the row it says it about; 0 where the row has none."""
    return {
        SubscriptionId(whole_number(row.get("id"), least=1) or 0): clean(
            hide(warning if isinstance(warning, str) else json.dumps(warning))
        )
        for row in rows
        if (warning := row.get("_warning"))
    }


def _why_refused(status: int, words: str) -> str:
    """HaloPSA's own words; a 403 comes without any (halopsa.md 2.5), so it is told what is most likely missing."""
    if status == HTTPStatus.FORBIDDEN and not words:
        return (
            "HaloPSA answered 403: the right to write is missing. The application needs the permission "
            "edit:softwarelicensing, its Agent's role Software Licensing: Read and Modify"
        )
    return words or f"HaloPSA answered {status} without a reason"


def _contradiction(rows: Sequence[dict[str, Json]], sent: Sequence[dict[str, Any]]) -> str:
    """What in the returned objects is not what was sent; empty when nothing is."""
    if len(rows) > len(sent):
        return f"with {len(rows)} objects for the {len(sent)} that were sent."
    wanted = {row.get("id"): row for row in sent}
    for row in rows:
        number = whole_number(row.get("id"), least=1) if "id" in row else None
        if "id" in row and number is None:
            return "with an object whose id is not a number."
        if "id" in sent[0]:
            if number is None:
                continue  # whose row it is does not show; the listing that follows shows all of them (FAULTS W19)
            asked = wanted.get(number)
            if asked is None:
                return "with a Subscription that was not written to."
        else:
            asked = sent[0]
        for member in ("client_id", "count"):
            if member in asked and member in row and whole_number(row[member]) != asked[member]:
                return f"with another {member} than was sent."
    return ""
