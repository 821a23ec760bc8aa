"""What a probe found out about a HaloPSA, as this simulator's switches: to rehearse against one like it.

It reads probe.json as plain JSON, so that the simulator knows nothing of the program that wrote it. What could not be
told stays as the world has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.simulator.switches import Switches

Found = Mapping[str, Mapping[str, Any]]
"""The findings of a report by their question."""

NEVER_SECONDS = 86_400
"""A listing that did not show a write as long as the probe waited shows it a day later."""


def switches_as_probed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The switches that the report's answers set, by name."""
    found = {finding["question"]: finding for finding in report["findings"]}
    values: dict[str, Any] = {}
    for read in _READERS:
        values |= read(found)
    names = Switches().to_json()
    return {name: value for name, value in values.items() if name in names and value is not None}


def _value(found: Found, question: str) -> Any:
    return found.get(question, {}).get("value")


def _no(found: Found, question: str) -> bool:
    return found.get(question, {}).get("answer") == "no"


def _yes(found: Found, question: str) -> bool:
    return found.get(question, {}).get("answer") == "yes"


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
        more = ("read:customers", "read:invoices", "edit:softwarelicensing", "read:softwarelicensing")
        status = _value(found, "edit-reads")
        values |= {"edit_implies_read": False, "missing_scope_status": status, "application_scopes": more}
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
    elif one == "object" and several in {"last", "first", "array"}:
        values["post_shape"] = {"last": "object", "first": "first", "array": "auto"}[several]
    return values | _markers(found)


def _markers(found: Found) -> dict[str, Any]:
    """One fate for the fields that do not keep a marker: that of the first of them."""
    fields = ("snowid", "third_party_productid", "notes")
    fates = {name: _value(found, f"marker-{name}") for name in fields}
    lost = [fate for fate in fates.values() if fate in {"dropped", "unlisted", "overwritten"}]
    if not lost:
        return {}
    return {"marker": lost[0], "marker_fields": tuple(name for name in fields if fates[name] == lost[0])}


def _lag(found: Found) -> dict[str, Any]:
    lags = {
        kind: _value(found, question) for kind, question in (("creates", "create-listed"), ("changes", "change-listed"))
    }
    late = {kind: lag for kind, lag in lags.items() if isinstance(lag, Mapping) and lag["listings"]}
    if not late:
        return {}
    values: dict[str, Any] = {"lag_of": "both" if len(late) > 1 else next(iter(late))}
    if any(lag.get("by_listings") for lag in late.values()):
        values["lag_reads"] = max(lag["listings"] for lag in late.values())
    else:
        never = any(lag.get("never") for lag in late.values())
        values["lag_seconds"] = NEVER_SECONDS if never else max(lag["seconds"] for lag in late.values())
    return values | ({"lag_on_single_read": True} if _no(found, "read-at-once") else {})


def _updates(found: Found) -> dict[str, Any]:
    members, refusal = _value(found, "update-alone"), _value(found, "update-refusal")
    values: dict[str, Any] = {
        "unknown_id": _value(found, "unknown-id-written"),
        "bad_element": _value(found, "bad-row"),
    }
    if isinstance(members, list):
        values["update_requires"] = {0: "nothing", 1: "client"}.get(len(members), "client_name_type")
    if isinstance(refusal, str):
        status, _, shape = refusal.partition(" ")
        if status in {"400", "422"} and shape in {"exception", "database", "binding", "parsing", "string", "empty"}:
            values |= {"refusal_status": int(status), "refusal_shape": shape}
    if _value(found, "update-frame"):
        values["update_mode"] = "reset"
    return values


def _rows(found: Found) -> dict[str, Any]:
    count, prices = _value(found, "count-whole"), _value(found, "price-members")
    return {
        "single_read_needs_client": True if _no(found, "read-by-id") else None,
        "count_shape": count if count in {"int", "float", "half", "null", "string", "absent"} else None,
        "prices": prices if prices not in {None, "given", "zero"} else None,
        "unknown_members": True if _no(found, "known-members") else None,
    }


def _lists(found: Found) -> dict[str, Any]:
    unpaged = _value(found, "unpaged-rows")
    return {
        "envelope_key": _value(found, "envelope"),
        "paging_ignored": True if _value(found, "paging") == "repeats" else None,
        "record_count": _value(found, "record-count"),
        "order": _value(found, "order"),
        "licence_type_honoured": False if _no(found, "type-filter") else None,
        "includeinactive_default": _either(found, "inactive-unasked"),
        "includeinactive_honoured": _either(found, "inactive-asked"),
        "deleted_listed": True if _yes(found, "deleted-listed") else None,
        "page_ceiling": _value(found, "page-rows"),
        "default_rows": unpaged or None,
        "invoice_lines_in_list": _value(found, "invoice-lines"),
        "retry_after": _value(found, "limit-retry-after"),
        "rate_body": _value(found, "limit-body"),
    }


def _either(found: Found, question: str) -> bool | None:
    return True if _yes(found, question) else False if _no(found, question) else None


_READERS: tuple[Callable[[Found], dict[str, Any]], ...] = (_sign_in, _creates, _lag, _updates, _rows, _lists)
