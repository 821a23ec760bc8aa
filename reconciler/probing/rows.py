"""What one row of HaloPSA's says, however it is written."""

from __future__ import annotations

from reconciler.http.decoding import WireNumber
from reconciler.model import Json
from reconciler.providers.halo_rows import months_of

Row = dict[str, Json]


def count_form(row: Row) -> str:
    """How a row gives its count: int, float, half, null, string, absent or other."""
    form = "other"
    match row.get("count"):
        case None:
            form = "null" if "count" in row else "absent"
        case bool():
            pass
        case WireNumber() as number:
            form = "float" if number.is_integer() else "half"
        case int():
            form = "int"
        case str():
            form = "string"
        case _:
            pass
    return form


def price_form(row: Row) -> str:
    """How a row gives its price, in the words of the simulator's switch."""
    price, monthly = row.get("price"), row.get("monthly_price")
    if "price" not in row:
        return "absent"
    if price is None:
        return "null"
    if isinstance(price, str):
        return "text"
    if monthly is None:
        return "price_only"
    if months_of(row.get("billing_cycle")) not in {1, None}:
        return "yearly"
    return "given" if price == monthly else "contradicting"


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
