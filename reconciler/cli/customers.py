"""`reconciler clients` and `reconciler customers`: who is there, in INFIMA and in HaloPSA."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.answers.matching import find
from reconciler.answers.status import ClientRow, ClientState, client_rows
from reconciler.answers.words import plural
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import Part, safe, show_json, show_rows, tell
from reconciler.cli.wiring import load, run_context
from reconciler.errors import ExitCode, UsageError
from reconciler.model import HaloCustomer, HaloCustomerId, Json, MappingKey, Subscription
from reconciler.providers.base import SubscriptionTarget
from reconciler.render.grid import Column

NOT_FOUND = (
    "Created just now? Give HaloPSA a minute to index it. Inactive customers are listed with --inactive. "
    "Fewer letters find more."
)


@click.command()
@click.option("--unmapped", is_flag=True, help="Only those that are neither mapped nor ignored.")
@output_option("text", "json", "csv", "markdown")
@common_options
@click.pass_obj
def clients(options: CommonOptions, *, unmapped: bool, output: str) -> int:
    """List INFIMA's clients: unmapped, mapped, retired or ignored, with the numbers on INFIMA's own client list.

    The numbers are those of the list; `plan` counts the active users one by one unless the mapping says client_record.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler clients
      reconciler clients --unmapped -o csv
    """
    mappings = load(options)
    with run_context(options, mappings) as context:
        source = context.systems.source
        partner, listed = source.partner(), source.clients()
    everything = client_rows(mappings, listed)
    left = [row for row in everything if row.state is ClientState.UNMAPPED]
    rows = left if unmapped else everything
    if output == "json":
        show_json({"infima_partner": partner, "clients": [_client_json(row) for row in rows]})
        return ExitCode.DONE
    if rows:
        show_rows(output, _CLIENT, rows)
    tell(safe(f"INFIMA partner {partner}: {plural(len(everything), 'client')}, {len(left)} unmapped."))
    if left:
        tell("Map them with: reconciler map")
    return ExitCode.DONE


_CLIENT: tuple[Part[ClientRow], ...] = (
    (Column(title="State"), lambda row: str(row.state)),
    (Column(title="Id", number=True), lambda row: row.client.id),
    (Column(title="INFIMA client", name=True), lambda row: row.client.name),
    (Column(title="Users", number=True), lambda row: row.client.user_count),
    (Column(title="Inactive", number=True), lambda row: row.client.inactive_user_count),
    (Column(title="Mapping, or why ignored", name=True), lambda row: row.key or row.reason),
)


def _client_json(row: ClientRow) -> Json:
    return {
        "id": row.client.id,
        "name": row.client.name,
        "state": str(row.state),
        "mapping": row.key,
        "reason": row.reason or None,
        "user_count": row.client.user_count,
        "inactive_user_count": row.client.inactive_user_count,
    }


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
    keys: dict[HaloCustomerId, list[MappingKey]] = {c.id: [] for c in found}
    for mapping in mappings.mappings:
        if mapping.halo_customer.id in keys:
            keys[mapping.halo_customer.id].append(mapping.key)
    if output == "json":
        show_json({"search": words, "customers": [_customer_json(c, keys[c.id], listing) for c in found]})
        return ExitCode.DONE
    if not found:
        tell(safe(f"No customer in HaloPSA matches {words!r}."))
        tell(NOT_FOUND)
        return ExitCode.DONE
    parts: tuple[Part[HaloCustomer], ...] = (
        (Column(title="Id", number=True), lambda c: c.id),
        (Column(title="HaloPSA customer", name=True), lambda c: c.name),
        (Column(title="State"), lambda c: "inactive" if c.inactive else "active"),
        (Column(title="Mapping"), lambda c: ", ".join(keys[c.id])),
        (Column(title="Subscriptions"), lambda c: _in_words(_subscriptions_of(c, listing))),
    )
    show_rows(output, parts, found)
    return ExitCode.DONE


def _customer_json(customer: HaloCustomer, keys: Sequence[str], listing: Sequence[Subscription]) -> Json:
    return {
        "id": customer.id,
        "name": customer.name,
        "inactive": customer.inactive,
        "mappings": [*keys],
        "subscriptions": [
            {"id": row.id, "name": row.name, "count": row.count, "live": row.live}
            for row in _subscriptions_of(customer, listing)
        ],
    }


def _subscriptions_of(customer: HaloCustomer, listing: Sequence[Subscription]) -> list[Subscription]:
    """The customer's Subscriptions, live ones first."""
    own = (row for row in listing if row.customer_id == customer.id and row.is_subscription)
    return sorted(own, key=lambda row: (not row.live, row.id))


def _in_words(rows: Sequence[Subscription]) -> str:
    return "; ".join(map(subscription_in_words, rows)) or "none"


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
