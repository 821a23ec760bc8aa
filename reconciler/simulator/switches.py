"""What nobody outside the vendors knows about the two APIs, as one value: each unknown is a switch.

The defaults are the plain case. The rows are those of the fact sheets: HaloPSA section 9, INFIMA section 6. What a
probe found out about a HaloPSA becomes switches here, to rehearse against one like it; its report is read as plain
JSON, so that the simulator knows nothing of the program that wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import msgspec

LEAST_SCOPES = ("read:customers", "read:invoices", "edit:softwarelicensing")
"""The scopes that the application of a world may ask for, unless the world says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How both systems behave where their behaviour is unknown. Times in seconds, sizes in rows."""

    # Halo: rate limit (rows 1 and 2). None switches it off.
    rate_limit: int | None = None
    rate_window_seconds: float = 300
    retry_after: Literal["none", "seconds", "date", "absurd"] = "none"
    rate_body: Literal["string", "object", "empty"] = "string"

    # Halo: answers to a POST (3), arrays with one bad element (4)
    post_status: Literal[200, 201] = 200
    # auto: one row as object, several as array; object: the last row only; without_id: auto, and no object has its id
    post_shape: Literal["auto", "object", "first", "array", "without_id", "empty"] = "auto"
    bad_element: Literal["reject_all", "apply_good", "apply_until_bad"] = "reject_all"
    refusal_status: Literal[400, 422] = 400
    refusal_shape: Literal["exception", "database", "binding", "parsing", "string", "empty"] = "exception"

    # Halo: the number itself (5, 6)
    count_shape: Literal["int", "float", "half", "null", "string", "absent"] = "int"
    count_zero: Literal["keep", "refuse_at_create", "refuse"] = "keep"
    count_fraction: Literal["refuse", "round", "keep"] = "refuse"
    count_negative: Literal["refuse", "keep"] = "refuse"

    # Halo: what a row says of its price; other than "given" holds for every row
    prices: Literal["given", "price_only", "yearly", "contradicting", "zero", "null", "absent", "text"] = "given"
    customer_currency: str | None = None  # `clientcurrency` on each customer

    # Halo: what an update must hold besides id and count, the meaning of one (7, 8), and of equal creates (9)
    update_requires: Literal["nothing", "client", "client_name_type"] = "nothing"
    update_mode: Literal["merge", "reset"] = "merge"
    unknown_id: Literal["not_found", "bad_request", "create", "revive"] = "not_found"
    equal_creates: Literal["allow", "refuse"] = "allow"

    # Halo: how long a write stays unseen (10). Both may be set; a row is stale while either holds.
    lag_seconds: float = 0
    lag_reads: int = 0  # that many whole listings after the write do not show it
    lag_of: Literal["creates", "changes", "both"] = "both"
    lag_on_single_read: bool = False

    # Halo: lists (11 to 17, 19)
    envelope_key: str = "licences"
    default_rows: int = 50
    page_ceiling: int | None = 1000
    paging_ignored: bool = False
    # present: the rows of the whole list; rows: those of the page
    record_count: Literal["present", "rows", "zero", "absent", "stale", "wrong"] = "present"
    order: Literal["asked", "by_name", "changing"] = "asked"
    includeinactive_default: bool = False
    includeinactive_honoured: bool = True
    licence_type_honoured: bool = True
    deleted_listed: bool = False
    single_read_needs_client: bool = False
    search: Literal["like", "exact", "ignored"] = "like"
    unknown_members: bool = False  # rows carry members that no published schema has

    # Halo: what happens to fields that could carry a marker (18)
    marker_fields: tuple[str, ...] = ("snowid", "third_party_productid", "notes")
    marker: Literal["kept", "dropped", "unlisted", "overwritten"] = "kept"

    # Halo: recurring invoices (20)
    invoice_lines_in_list: Literal["none", "filled", "bare"] = "none"

    # Halo: rights and token (22 to 24)
    missing_scope_status: Literal[401, 403] = 401
    edit_implies_read: bool = True
    application_scopes: tuple[str, ...] = LEAST_SCOPES
    agent_lacks: tuple[str, ...] = ()  # scopes that the Agent's role does not back: 403 whatever the token says
    token_seconds: float = 3600
    expires_in: Literal["true", "absent", "zero", "text", "float", "huge", "negative"] = "true"
    scope_in_token_answer: bool = True
    scopes_withheld: tuple[str, ...] = ()  # asked for and not granted, as the token answer says
    tenant_required: bool = False

    # INFIMA: counts and statuses (rows 1 to 3)
    user_count: Literal["active", "total", "stale", "absent"] = "active"
    status_filter: Literal["honoured", "ignored", "refused"] = "honoured"
    status_default: Literal["active", "all"] = "active"
    status_spelling: Literal["lower", "capital", "upper"] = "lower"

    # INFIMA: paging, rows 4 and 5
    total: Literal["present", "absent", "wrong", "changing"] = "present"
    limit_over_50: Literal["refuse", "clamp"] = "refuse"

    # INFIMA: key and clients (7 to 9)
    bad_key: Literal[401, 403, 200] = 401  # 200: an empty list
    key_client: int | None = None  # a key made for one client
    other_client: Literal[403, 404, 200] = 403  # 200: an empty list
    archived: Literal["listed", "hidden", "listed_with_zero"] = "hidden"

    def to_json(self) -> dict[str, Any]:
        """The switches as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Switches:
        """Switches from plain JSON values; members left out keep their default, unknown ones raise `TypeError`."""
        names = {each.name for each in fields(cls)}
        if unknown := sorted(set(document) - names):
            raise TypeError(f"no such switch: {', '.join(unknown)}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        return cls(**values)

    def checked(self) -> Switches:
        """The same, where each has a position that it can have. Raises `ValueError` that names what has none."""
        below = [name for name, value in self.to_json().items() if isinstance(value, int | float) and value < 0]
        if below:
            raise ValueError(f"below 0: {', '.join(below)}")
        return msgspec.convert(self.to_json(), Switches)


# ---- as a probe found them -------------------------------------------------------------------------------------------

Found = Mapping[str, Mapping[str, Any]]
"""The findings of a report by their question."""

NEVER_SECONDS = 86_400
"""A listing that did not show a write as long as the probe waited shows it a day later."""


def switches_as_probed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The switches that the report's answers set, by name; what could not be told stays as the world has it."""
    found = {finding["question"]: finding for finding in report["findings"]}
    values: dict[str, Any] = {}
    for read in (_sign_in, _creates, _lag, _updates, _rows, _lists):
        values |= read(found)
    names = {each.name for each in fields(Switches)}
    return {name: value for name, value in values.items() if name in names and value is not None}


def _value(found: Found, question: str) -> Any:
    return found.get(question, {}).get("value")


def _answer(found: Found, question: str) -> bool | None:
    """Yes or no; None where it could not be told."""
    return {"yes": True, "no": False}.get(found.get(question, {}).get("answer", ""))


def _no(found: Found, question: str) -> bool:
    return _answer(found, question) is False


def _sign_in(found: Found) -> dict[str, Any]:
    lifetime, scopes = _value(found, "token-lifetime"), _value(found, "token-scopes")
    values: dict[str, Any] = {}
    if isinstance(lifetime, Mapping):
        values |= {"token_seconds": lifetime["seconds"], "expires_in": "true"}
    elif lifetime in {"absent", "zero", "text", "float", "huge", "negative"}:
        values["expires_in"] = lifetime
    if scopes == "unnamed":
        values["scope_in_token_answer"] = False
    elif isinstance(scopes, list):
        values["scopes_withheld"] = tuple(scopes)
    if _no(found, "edit-reads"):
        values |= {"edit_implies_read": False, "missing_scope_status": _value(found, "edit-reads")}
        values["application_scopes"] = (*LEAST_SCOPES, "read:softwarelicensing")
    return values


def _creates(found: Found) -> dict[str, Any]:
    values: dict[str, Any] = {"post_status": _value(found, "answer-status")}
    if _value(found, "create-at-zero") == "refused":
        values["count_zero"] = "refuse" if _no(found, "update-to-zero") else "refuse_at_create"
    if _no(found, "equal-names"):
        values["equal_creates"] = "refuse"
    one, several = _value(found, "create-answer"), _value(found, "answer-of-several")
    if one in {"array", "without_id", "empty"}:
        values["post_shape"] = one
    elif one == "object":
        values["post_shape"] = {"last": "object", "first": "first", "array": "auto"}.get(several)
    # One fate for the fields that do not keep a marker: that of the first of them.
    fates = {name: _value(found, f"marker-{name}") for name in ("snowid", "third_party_productid", "notes")}
    fate = next((each for each in fates.values() if each in {"dropped", "unlisted", "overwritten"}), None)
    if fate is not None:
        values |= {"marker": fate, "marker_fields": tuple(name for name, each in fates.items() if each == fate)}
    return values


def _lag(found: Found) -> dict[str, Any]:
    lags = {"creates": _value(found, "create-listed"), "changes": _value(found, "change-listed")}
    late = {kind: lag for kind, lag in lags.items() if isinstance(lag, Mapping) and lag["listings"]}
    if not late:
        return {}
    values: dict[str, Any] = {"lag_of": "both" if len(late) > 1 else next(iter(late))}
    if any(lag.get("by_listings") for lag in late.values()):
        values["lag_reads"] = max(lag["listings"] for lag in late.values())
    elif any(lag.get("never") for lag in late.values()):
        values["lag_seconds"] = NEVER_SECONDS
    else:
        values["lag_seconds"] = max(lag["seconds"] for lag in late.values())
    return values | {"lag_on_single_read": _no(found, "read-at-once") or None}


def _updates(found: Found) -> dict[str, Any]:
    members, refusal = _value(found, "update-alone"), _value(found, "update-refusal")
    values: dict[str, Any] = {
        "unknown_id": _value(found, "unknown-id-written"),
        "bad_element": _value(found, "bad-row"),
        "update_mode": "reset" if _value(found, "update-frame") else None,
    }
    if isinstance(members, list):
        values["update_requires"] = {0: "nothing", 1: "client"}.get(len(members), "client_name_type")
    if isinstance(refusal, str):
        status, _, shape = refusal.partition(" ")
        if status in {"400", "422"} and shape in {"exception", "database", "binding", "parsing", "string", "empty"}:
            values |= {"refusal_status": int(status), "refusal_shape": shape}
    return values


def _rows(found: Found) -> dict[str, Any]:
    count, prices = _value(found, "count-whole"), _value(found, "price-members")
    return {
        "single_read_needs_client": _no(found, "read-by-id") or None,
        "count_shape": count if count in {"int", "float", "half", "null", "string", "absent"} else None,
        "prices": prices if prices not in {None, "given", "zero"} else None,
        "unknown_members": _no(found, "known-members") or None,
    }


def _lists(found: Found) -> dict[str, Any]:
    return {
        "envelope_key": _value(found, "envelope"),
        "paging_ignored": True if _value(found, "paging") == "repeats" else None,
        "record_count": _value(found, "record-count"),
        "order": _value(found, "order"),
        "licence_type_honoured": False if _no(found, "type-filter") else None,
        "includeinactive_default": _answer(found, "inactive-unasked"),
        "includeinactive_honoured": _answer(found, "inactive-asked"),
        "deleted_listed": _answer(found, "deleted-listed") or None,
        "page_ceiling": _value(found, "page-rows"),
        "default_rows": _value(found, "unpaged-rows") or None,
        "invoice_lines_in_list": _value(found, "invoice-lines"),
        "retry_after": _value(found, "limit-retry-after"),
        "rate_body": _value(found, "limit-body"),
    }
