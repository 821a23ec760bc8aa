"""`SoftwareLicence`: listing, reading one, writing an array, and the delete that a quantity sync never sends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

from reconciler.simulator.answers import Query, empty, encode, exception, not_valid, paged, raw, reply, unreadable
from reconciler.simulator.records import Actor, Row
from reconciler.simulator.world import World

BODY_TYPES = re.compile(r"application/json|text/json|application/[\w.-]+\+json", re.IGNORECASE)
TEXT_MEMBERS = frozenset(
    {"name", "snowid", "third_party_productid", "third_party_productname", "notes", "product_sku", "status"}
    | {"vendor_product_sku", "manufacturer", "vendor", "distributor", "billing_cycle", "term_duration", "offerid"}
    | {"thirdparty_client_id", "start_date", "end_date", "name_extra", "third_party_product"}
)
NUMBER_MEMBERS = frozenset(
    {"count", "type", "client_id", "site_id", "price", "purchase_price", "monthly_price", "monthly_cost", "item_id"}
    | {"supplier_id", "parent_id", "external_link_id", "requested_quantity", "consumedcount"}
)
FLAG_MEMBERS = frozenset({"is_active", "autorenew", "deleted"})
WRITABLE = TEXT_MEMBERS | NUMBER_MEMBERS | FLAG_MEMBERS
RESET: Row = {"type": 0, "price": 0.0, "purchase_price": 0.0, "notes": "", "billing_cycle": "", "snowid": None}
"""What an update that is not a merge does to the members it leaves out."""


class RowRefused(Exception):
    """One element of a written array is refused, with the answer that says so."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


# ---- reading --------------------------------------------------------------------------------------------------------


def list_licences(world: World, query: Query) -> httpx.Response:
    """One page of the listing that the query asks for."""
    if not query.flag("pageinate", default=False) or query.whole("page_no", 1) == 1:
        world.listings += 1
    rows = _ordered(world, query, [row for row in _visible(world) if _wanted(world, query, row)])
    return paged(world, query, world.switches.envelope_key, rows, lambda row: _drawn(world, row))


def read_licence(world: World, query: Query, text: str) -> httpx.Response:
    """One row by its id; 404 without a body when there is none."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        return not_valid("id", text)
    if world.switches.single_read_needs_client and query.text("client_id") is None:
        return not_valid("client_id", "")
    licence_id = int(text)
    row = _seen(world, licence_id) if world.switches.lag_on_single_read else world.licences.get(licence_id)
    if row is None or row.get("deleted"):
        return empty(404)
    return raw(200, encode(_drawn(world, row, listed=False)))


def _visible(world: World) -> list[Row]:
    rows, lags = world.licences, world.switches.lag_seconds or world.switches.lag_reads
    seen = (_seen(world, licence_id) if lags else rows[licence_id] for licence_id in sorted(rows))
    return [row for row in seen if row is not None]


def _seen(world: World, licence_id: int) -> Row | None:
    """The row as a listing shows it now: what is too young is not shown yet."""
    switches, now = world.switches, world.clock.now()
    row = world.licences.get(licence_id)
    for past in reversed(world.past.get(licence_id, [])):
        young = (now - past.time).total_seconds() < switches.lag_seconds or (
            switches.lag_reads > 0 and world.listings - past.listing <= switches.lag_reads
        )
        concerned = switches.lag_of == "both" or (switches.lag_of == "creates") == (past.before is None)
        if young and concerned:
            row = past.before
    return row


def _wanted(world: World, query: Query, row: Row) -> bool:
    switches = world.switches
    if row.get("deleted") and not switches.deleted_listed:
        return False
    inactive_too = switches.includeinactive_default
    if switches.includeinactive_honoured:
        inactive_too = query.flag("includeinactive", default=inactive_too)
    if not inactive_too and row.get("is_active") is False:
        return False
    kind = query.text("licence_type") if switches.licence_type_honoured else None
    if kind not in {None, str(row.get("type"))} or query.text("client_id") not in {None, str(row.get("client_id"))}:
        return False
    words = (query.text("search") or "").casefold()
    return not words or switches.search == "ignored" or words in str(row.get("name", "")).casefold()


def _ordered(world: World, query: Query, rows: list[Row]) -> list[Row]:
    if world.switches.order == "by_name":
        return sorted(rows, key=lambda row: str(row.get("name", "")))
    if world.switches.order == "changing":
        turn = len(world.requests) % max(len(rows), 1)
        return rows[turn:] + rows[:turn]
    member = query.text("order") or "id"
    if member != "id":
        rows = sorted(rows, key=lambda row: str(row.get(member, "")))
    return rows[::-1] if query.flag("orderdesc", default=False) else rows


_COUNTS: dict[str, Callable[[float], object]] = {
    "float": float,
    "half": lambda count: count + 0.5,
    "null": lambda _count: None,
    "string": str,
}
_PRICES: dict[str, Callable[[float], Row]] = {
    "yearly": lambda price: {"price": round(price * 12, 2), "billing_cycle": "Annual"},
    "contradicting": lambda price: {"monthly_price": price + 1},
    "zero": lambda _price: {"price": 0.0, "monthly_price": 0.0},
    "null": lambda _price: {"price": None, "monthly_price": None},
    "text": lambda price: {"price": str(price)},
}
_UNSAID_PRICES = {"price_only": {"monthly_price"}, "absent": {"price", "monthly_price"}}


def _drawn(world: World, row: Row, *, listed: bool = True) -> Row:
    """The row as it goes over the wire under the switches."""
    switches, shown = world.switches, dict(row)
    if switches.count_shape in _COUNTS:
        shown["count"] = _COUNTS[switches.count_shape](row["count"])
    if switches.prices in _PRICES:
        shown |= _PRICES[switches.prices](row.get("price") or 0.0)
    left_out = {"count"} if switches.count_shape == "absent" else set()
    left_out |= _UNSAID_PRICES.get(switches.prices, set())
    if switches.marker == "unlisted" and listed:
        left_out |= set(switches.marker_fields)
    shown = {name: value for name, value in shown.items() if name not in left_out}
    if switches.unknown_members:
        shown |= {"lcustom_region": "EMEA", "zz_added_in_a_later_version": {"nested": [1, 2]}}
    return shown


# ---- writing --------------------------------------------------------------------------------------------------------


def write_licences(world: World, request: httpx.Request) -> httpx.Response:
    """Create or update one row for each element of the array; an element with an id is a merge update."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if not BODY_TYPES.fullmatch(kind):
        return empty(415)
    try:
        elements = json.loads(request.content)
    except ValueError:
        return unreadable("", "The body is not JSON.")
    if not isinstance(elements, list):
        return unreadable("", "An array was expected.")
    judged = [_judge(world, number, element) for number, element in enumerate(elements)]
    refusal = next((each.response for each in judged if isinstance(each, RowRefused)), None)
    if refusal and world.switches.bad_element == "reject_all":
        return refusal
    written: list[Row] = []
    for each in judged:
        if not isinstance(each, RowRefused):
            written.append(_store(world, each))
        elif world.switches.bad_element == "apply_until_bad":
            break
    return refusal or _written(world, [_drawn(world, row) for row in written])


def delete_licence(world: World, text: str) -> httpx.Response:
    """Delete a row, which in Halo sets its soft flag."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        return not_valid("id", text)
    row = world.licences.get(int(text))
    if row is None or row.get("deleted"):
        return empty(404)
    world.change_licence(int(text), {"deleted": True}, actor=Actor.API)
    return reply(200, _drawn(world, row))


def _written(world: World, rows: list[Row]) -> httpx.Response:
    status, shape = world.switches.post_status, world.switches.post_shape
    if shape == "empty":
        return empty(status)
    if shape == "without_id":
        rows = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    if shape == "array" or (shape in {"auto", "without_id"} and len(rows) != 1):
        return reply(status, rows)
    return reply(status, rows[0 if shape == "first" else -1] if rows else {})


def _judge(world: World, number: int, element: Any) -> Row | RowRefused:
    try:
        return _readable(world, number, element)
    except RowRefused as refusal:
        return refusal


def _readable(world: World, number: int, element: Any) -> Row:
    if not isinstance(element, dict):
        raise RowRefused(unreadable(f"[{number}]", "An object was expected."))
    fields: Row = {}
    for name, value in element.items():
        if name in NUMBER_MEMBERS or name == "id":
            fields[name] = None if value is None else _number(f"[{number}].{name}", value)
        elif name in WRITABLE:
            fields[name] = _typed(f"[{number}].{name}", name, value)
    _check_identity(world, fields)
    _check_complete(world, number, fields)
    if "count" in fields:
        fields["count"] = _quantity(world, fields["count"], creating=fields.get("id") is None)
    return fields


def _typed(place: str, name: str, value: Any) -> Any:
    wanted = bool if name in FLAG_MEMBERS else str
    if value is not None and not isinstance(value, wanted):
        raise RowRefused(unreadable(place, f"Could not convert to {wanted.__name__}."))
    return value


def _number(place: str, value: Any) -> float:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,10}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**31 - 1:
        raise RowRefused(unreadable(place, "Could not convert to a number."))
    return int(value) if float(value).is_integer() else value


def _check_identity(world: World, fields: Row) -> None:
    """Find out whether the element creates or updates; `fields` has an id afterwards only when a row is updated."""
    licence_id = fields.get("id")
    row = world.licences.get(licence_id) if isinstance(licence_id, int) else None
    if licence_id and (row is None or row.get("deleted")):
        match world.switches.unknown_id:
            case "revive" if row is not None:
                fields["deleted"] = False
            case "create":
                fields["id"] = None
            case "bad_request":
                raise RowRefused(exception("The record was not found."))
            case _:
                raise RowRefused(empty(404))
    if not fields.get("id"):
        fields.pop("id", None)
        _check_create(world, fields)


def _check_create(world: World, fields: Row) -> None:
    if not fields.get("name"):
        said = "A database error occurred (515) - The column 'LDesc' of table 'Licence' does not take NULL."
        raise RowRefused(exception(said))
    if fields.get("client_id") not in world.customers:
        raise RowRefused(exception("The customer was not found."))
    if world.switches.equal_creates == "refuse":
        for row in world.licences.values():
            if row["name"] == fields["name"] and row.get("client_id") == fields["client_id"]:
                raise RowRefused(exception("Name must be unique"))


REQUIRED = {"nothing": (), "client": ("client_id",), "client_name_type": ("client_id", "name", "type")}
"""What an update must hold besides its id, by the switch `update_requires`."""

_SPOKEN = {"client_id": ("Client", "Larea"), "name": ("Name", "LDesc"), "type": ("Type", "LType")}
"""How a member is called in a message, and its column in Halo's database."""


def _check_complete(world: World, number: int, fields: Row) -> None:
    """Refuse an update that leaves out what this server wants, in one of the shapes that Halo has for a 400."""
    missing = [name for name in REQUIRED[world.switches.update_requires] if fields.get(name) is None]
    if "id" in fields and missing:
        raise RowRefused(_refused(world, number, missing[0]))


def _refused(world: World, number: int, name: str) -> httpx.Response:
    status, shape, (spoken, column) = world.switches.refusal_status, world.switches.refusal_shape, _SPOKEN[name]
    said = f"{spoken} must be specified"
    bodies: dict[str, Any] = {
        "string": said,
        "binding": {name: [f"The {name} field is required."]},
        "parsing": {f"[{number}].{name}": [f"Required property '{name}' not found in JSON."]},
    }
    if shape == "empty":
        return empty(status)
    if shape in bodies:
        return reply(status, bodies[shape])
    if shape == "database":
        said = f"A database error occurred (515) - Cannot insert the value NULL into column '{column}'."
    return exception(said, status)


def _quantity(world: World, count: float | None, *, creating: bool) -> float:
    switches = world.switches
    if count is None:
        raise RowRefused(unreadable("[0].count", "Could not convert null to a number."))
    if count == 0 and (switches.count_zero == "refuse" or (switches.count_zero == "refuse_at_create" and creating)):
        raise RowRefused(exception("The quantity must be above zero."))
    if count < 0 and switches.count_negative == "refuse":
        raise RowRefused(exception("The quantity must not be negative."))
    if float(count).is_integer() or switches.count_fraction == "round":
        return round(count)
    if switches.count_fraction == "refuse":
        raise RowRefused(unreadable("[0].count", "Could not convert to an integer."))
    return count


def _store(world: World, fields: Row) -> Row:
    switches = world.switches
    creating = "id" not in fields
    if creating and switches.marker in {"dropped", "overwritten"}:
        left = "import-0001" if switches.marker == "overwritten" else None
        fields |= {name: left for name in switches.marker_fields if name in fields}
    if creating:
        return world.create_licence(fields, actor=Actor.API)
    licence_id = int(fields.pop("id"))
    if switches.update_mode == "reset":
        fields = RESET | fields
    return world.change_licence(licence_id, fields, actor=Actor.API)
