"""What may be said of an answer: its shape without values, and one word for how something in it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.http.decoding import WireNumber, whole_number
from reconciler.model import Json
from reconciler.providers.halo_rows import months_of

Row = dict[str, Json]

MOST_MEMBERS = 200
LIMIT_WORDS = ("ratelimit", "rate-limit", "retry-after", "quota", "throttl")
"""What a header's name holds where it speaks of the request limit."""

LONGEST_LIFE = 10_000_000
"""Seconds: a token that is said to live for longer than four months is not believed."""

_NAME = re.compile(r"(\[[0-9]+\]\.)?[A-Za-z_$][A-Za-z0-9_]{0,60}")

_PUBLISHED = """
    _create_recurring_invoice_line _details_id _importchildren _importthirdpartyid _importtype _importtypeid
    _is_ui_import _isimport _isupdateimport _match_additional_id _match_integration_button_caption
    _match_integration_button_icon _match_integration_button_url _match_integration_id _match_integration_name
    _match_thirdparty_id _removed _warning add_configuration_items allow_licence_update assigned_at_deletion
    autorenew azure_connection azure_connection_id billing_cycle client_id client_name configuration_items
    consumedcount count deleted device_child_id device_count distributor end_date external_link_id id
    import_details_id ingram_micro_details_id is_active item_id key licence_client_name licence_match
    licence_roles licences_available licences_in_use licences_in_use_user licences_in_use_user_for_billing
    linked_item manufacturer monthly_cost monthly_price name name_extra new_external_link new_software notes
    offerid parent_id price product_sku purchase_price requested_quantity requested_quantity_date
    rhipe_subscription_id rhipe_tenant_id site_id site_name snow_client_id snowid sqlimport_id start_date status
    supplier_id supplier_name table tenant_id tenant_name term_duration third_party_client_name
    third_party_product third_party_productid third_party_productname thirdparty_client_id type use vendor
    vendor_product_sku
"""

PUBLISHED = frozenset(_PUBLISHED.split())
"""The members of a Subscription's row in HaloPSA's published text of 2026 (halopsa.md 3.5)."""


# -- shapes -----------------------------------------------------------------------------------------------------------


def shape_of(value: Any, ours: frozenset[str] = frozenset()) -> Any:
    """The types of a JSON value, members by name one level deep; a text that we sent ourselves is told as such."""
    match value:
        case dict():
            return {member_name(name): _type_of(item, ours) for name, item in sorted(value.items())[:MOST_MEMBERS]}
        case list():
            return [shape_of(item, ours) for item in value[:3]]
        case _:
            return _type_of(value, ours)


def listing_shape(body: Any, rows_in: str, own: list[Row], ours: frozenset[str]) -> Any:
    """A list's shape: its envelope, and of its rows only those that are our own."""
    if isinstance(body, list):
        return shape_of(own, ours)
    return {**shape_of(body, ours), member_name(rows_in): [shape_of(row, ours) for row in own[:1]]}


def member_name(name: str) -> str:
    """A member's name as it is where it can only be a name; an odd one might hold something else."""
    return name if _NAME.fullmatch(name) else "(another name)"


def _type_of(value: Any, ours: frozenset[str]) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case WireNumber():
            return "number with a point" if value.is_integer() else "number with a fraction"
        case int() | float():
            return "whole number"
        case str():
            return "the text that was sent" if value in ours else "text" if value else "empty text"
        case _:
            return "list" if isinstance(value, list) else "object"


def limit_headers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the headers that speak of limits and waiting."""
    return tuple(sorted(name for name in map(str.lower, headers) if any(word in name for word in LIMIT_WORDS)))


# -- a row ------------------------------------------------------------------------------------------------------------


def quantity(row: Row) -> int | None:
    """The quantity that a row means, however it is written; None where none can be made out."""
    match row.get("count"):
        case bool() | None:
            return None
        case int() | float() as number:
            return int(number)
        case str() as text if text.isdecimal():
            return int(text)
        case _:
            return None


def count_form(row: Row) -> str:
    """How a row gives its count: int, float, half, null, string, absent or other."""
    match row.get("count"):
        case None:
            return "null" if "count" in row else "absent"
        case WireNumber() as number:
            return "float" if number.is_integer() else "half"
        case int() as number if not isinstance(number, bool):
            return "int"
        case str():
            return "string"
        case _:
            return "other"


def price_form(row: Row) -> str:
    """How a row gives its price, in the words of the simulator's switch."""
    price, monthly = row.get("price"), row.get("monthly_price")
    if price is None:
        return "null" if "price" in row else "absent"
    if isinstance(price, str):
        return "text"
    if monthly is None:
        return "price_only"
    if months_of(row.get("billing_cycle")) not in {1, None}:
        return "yearly"
    return "given" if price == monthly else "contradicting"


# -- an answer --------------------------------------------------------------------------------------------------------


def answer_form(body: Any, sent: tuple[int, ...] = (), *, readable: bool = True) -> str:
    """How a write is answered: empty, without_id or other; for a create object or array.

    Two updates, whose ids are `sent`, may also be answered with an array of both, or with the first or last alone.
    """
    if readable and not body:
        return "empty"
    rows = body if isinstance(body, list) else [body]
    if not all(isinstance(row, dict) and row for row in rows):
        return "other"
    ids = tuple(whole_number(row.get("id"), least=1) for row in rows)
    if None in ids:
        return "without_id"
    if isinstance(body, list):
        return "array" if not sent or ids == sent else "other"
    return {sent[0]: "first", sent[-1]: "last"}.get(ids[0] or 0, "other") if sent else "object"


def refusal_form(body: Any, *, readable: bool = True) -> str:
    """Which of the shapes of an error this is (halopsa.md, section 6)."""
    match body:
        case str():
            return "string"
        case {"Message": str() as words}:
            return "database" if "database error" in words.casefold() else "exception"
        case dict() as members if members:
            return "parsing" if any(name.startswith("[") for name in members) else "binding"
        case None if readable:
            return "empty"
        case _:
            return "other"


def lifetime_form(lifetime: Json, *, stated: bool) -> str:
    """How the token's answer gives its lifetime: true, absent, zero, text, float, huge, negative or other."""
    match lifetime:
        case None if not stated:
            return "absent"
        case str():
            return "text"
        case WireNumber():
            return "float"
        case int() as seconds if not isinstance(seconds, bool):
            return (
                "zero" if not seconds else "negative" if seconds < 0 else "huge" if seconds > LONGEST_LIFE else "true"
            )
        case _:
            return "other"
