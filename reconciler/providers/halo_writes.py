"""What is sent to HaloPSA to change it, and what its answer means. Pure: bytes in, values out."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from reconciler.errors import RequestForbidden
from reconciler.http.decoding import Undecodable, clean, decode_json, error_words, whole_number
from reconciler.http.routes import Reply
from reconciler.model import MAX_COUNT, SUBSCRIPTION_TYPE, Json, MarkerField, SubscriptionId
from reconciler.providers.base import Accepted, CountWrite, NewSubscription, Refused, Unclear, WriteAnswer, WriteRequest

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
