"""`reconciler customers`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.answers.matching import find
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import safe, show_json, show_table, tell
from reconciler.cli.wiring import load, run_context
from reconciler.errors import UsageError
from reconciler.model import HaloCustomer, Json, Subscription
from reconciler.providers.base import SubscriptionTarget
from reconciler.render.grid import Column

NOT_FOUND = (
    "Created just now? Give HaloPSA a minute to index it. Inactive customers are listed with --inactive. "
    "Fewer letters find more."
)


@click.command()
@click.argument("search", nargs=-1, required=True)
@click.option("--inactive", is_flag=True, help="Look among inactive customers too.")
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def customers(options: CommonOptions, *, search: tuple[str, ...], inactive: bool, output: str) -> int:
    """Search HaloPSA's customers live, by words of the name or by id, each with its Subscriptions.

    Subscriptions that are deleted or inactive are told as that; plain licences are left out.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler customers acme dental
      reconciler customers 33
      reconciler customers acme --inactive -o json
    """
    words = " ".join(search).strip()
    if not words:
        raise UsageError("customers needs something to search for.", hint="For example: reconciler customers acme")

    mappings = load(options)
    with run_context(options, mappings) as context:
        found = search_customers(context.systems.target, words, inactive=inactive)
        listing = context.systems.target.subscriptions() if found else ()
    owners: dict[int, list[str]] = {}
    for mapping in mappings.mappings:
        owners.setdefault(mapping.halo_customer.id, []).append(mapping.key)
    if output == "json":
        show_json({"search": words, "customers": [_json(c, owners.get(c.id, []), listing) for c in found]})
        return 0
    if not found:
        tell(safe(f"No customer in HaloPSA matches {words!r}."))
        tell(NOT_FOUND)
        return 0
    _draw(output, found, owners, listing)
    return 0


def _draw(
    output: str, found: Sequence[HaloCustomer], owners: dict[int, list[str]], listing: Sequence[Subscription]
) -> None:
    columns = (
        Column(title="Id", number=True),
        Column(title="HaloPSA customer", name=True),
        Column(title="State"),
        Column(title="Mapping"),
        Column(title="Subscriptions"),
    )
    rows = [
        (
            c.id,
            c.name,
            "inactive" if c.inactive else "active",
            ", ".join(owners.get(c.id, [])),
            "; ".join(map(subscription_in_words, subscriptions_of(c, listing))) or "none",
        )
        for c in found
    ]
    show_table(output, columns, rows)


def _json(customer: HaloCustomer, keys: list[str], listing: Sequence[Subscription]) -> dict[str, Json]:
    return {
        "id": customer.id,
        "name": customer.name,
        "inactive": customer.inactive,
        "mappings": list(keys),
        "subscriptions": [
            {"id": row.id, "name": row.name, "count": row.count, "live": row.live}
            for row in subscriptions_of(customer, listing)
        ],
    }


def subscriptions_of(customer: HaloCustomer, listing: Sequence[Subscription]) -> list[Subscription]:
    """The customer's Subscriptions, live ones first."""
    own = (row for row in listing if row.customer_id == customer.id and row.is_subscription)
    return sorted(own, key=lambda row: (not row.live, row.id))


def subscription_in_words(row: Subscription) -> str:
    """Its id, name, quantity and whether it is over."""
    over = "" if row.live else ", deleted" if row.deleted else ", inactive"
    return f"#{row.id} {row.name}: {'?' if row.count is None else row.count}{over}"


def search_customers(target: SubscriptionTarget, words: str, *, inactive: bool) -> tuple[HaloCustomer, ...]:
    """HaloPSA's own search first; where that finds nothing, our own over the whole list.

    How HaloPSA's search treats several words, ampersands or accents is not known (fact sheet, section 4), and what a
    switched-off search answers is everything: the answer is filtered here as well.
    """
    if not words.isdecimal():
        hits = find(words, target.find_customers(words, include_inactive=inactive))
        if hits:
            return hits
    everyone = [c for c in target.customers() if inactive or not c.inactive]
    by_id = tuple(c for c in everyone if str(c.id) == words)
    return (*by_id, *(c for c in find(words, everyone) if c not in by_id))
