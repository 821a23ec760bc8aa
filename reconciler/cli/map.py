"""`reconciler map`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from reconciler.answers.matching import likely, propose
from reconciler.cli.mapdialog import HELP, Dialog, Ignore, MapSession, Pick, Quit
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import closest, safe, say, show_json, tell
from reconciler.cli.wiring import load, run_context
from reconciler.config.edit import NewMapping, add_ignore, add_mapping, clean_name
from reconciler.errors import UsageError
from reconciler.model import ClientRef, CustomerRef, HaloCustomer, InfimaClient, MappingKey, Subscription
from reconciler.names import same_name
from reconciler.planning.rules import adopt_command


@click.command("map")
@click.argument("client", required=False)
@click.option("--customer", type=click.IntRange(min=1, max=2**31 - 1), metavar="ID", help="The HaloPSA customer.")
@click.option(
    "--subscription", type=click.IntRange(min=1, max=2**31 - 1), metavar="ID", help="Adopt this Subscription."
)
@click.option("--key", metavar="KEY", help="The mapping's key.  [default: infima-CLIENT]")
@click.option("--ignore", "ignore_reason", metavar="REASON", help="Never bill this client, and why.")
@click.option("--suggest", is_flag=True, help="Print proposals for all unmapped clients; write nothing.")
@output_option("text", "json", "yaml")
@common_options
@click.pass_obj
def map_clients(
    options: CommonOptions,
    *,
    client: str | None,
    customer: int | None,
    subscription: int | None,
    key: str | None,
    ignore_reason: str | None,
    suggest: bool,
    output: str,
) -> int:
    """Map INFIMA clients to HaloPSA customers, and write mappings.yaml without disturbing a byte of the rest.

    On a terminal it goes through the unmapped clients: it proposes, you pick, search, ignore, skip or quit, and every
    answer is written at once. It never decides by itself. With CLIENT (id or name) and --customer or --ignore it asks
    nothing.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler map
      reconciler map 113 --customer 33
      reconciler map "Northwind Sandbox" --ignore "a tenant to try things in"
      reconciler map --suggest -o yaml
    """
    asked = _Asked(client=client, customer=customer, subscription=subscription, key=key, ignore=ignore_reason)
    _check(asked, suggest=suggest, output=output)
    mappings = load(options)
    with run_context(options, mappings) as context:
        session = MapSession.open(options.mappings, context)
        if suggest:
            return _suggest_all(session.unmapped(), session.customers, output)
        if client is not None:
            return _map_one(session, client, asked)
        return _talk(session)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    client: str | None
    customer: int | None
    subscription: int | None
    key: str | None
    ignore: str | None


def _check(asked: _Asked, *, suggest: bool, output: str) -> None:
    """Refuse what does not go together before anything is read."""
    given = asked.customer is not None or asked.ignore is not None
    if output != "text" and not suggest:
        raise UsageError(f"-o {output} goes with --suggest.", hint="For example: reconciler map --suggest -o yaml")
    if suggest and (asked.client is not None or given):
        raise UsageError("--suggest is for all unmapped clients.", hint="Leave CLIENT and the other options out.")
    if asked.client is None and (given or asked.subscription is not None or asked.key is not None):
        raise UsageError(
            "Name the INFIMA client: its id or its name.", hint="For example: reconciler map 113 --customer 33"
        )
    if asked.customer is not None and asked.ignore is not None:
        raise UsageError("--customer and --ignore contradict each other.", hint="Keep one of the two.")
    if asked.ignore is not None and not asked.ignore.strip():
        raise UsageError("--ignore needs a reason.", hint='For example: --ignore "our own staff"')
    if asked.client is not None and not given:
        raise UsageError(
            f"What is to become of {asked.client}?",
            hint="Add --customer ID or --ignore REASON; without CLIENT it asks.",
        )
    if asked.client is None and not suggest and not sys.stdin.isatty():
        raise UsageError(
            "map asks questions, and there is no terminal to ask on.",
            hint="Use: reconciler map CLIENT --customer ID, or: reconciler map --suggest -o yaml",
        )


# ---------------------------------------------------------------------------------------------------------------------
# Proposals for all
# ---------------------------------------------------------------------------------------------------------------------


def _suggest_all(clients: Sequence[InfimaClient], customers: Sequence[HaloCustomer], output: str) -> int:
    """Print the likeliest customers of every client; nothing is asked and nothing is written."""
    found = [(client, propose(client.name, customers, limit=3)) for client in clients]
    if output == "json":
        show_json(
            {
                "suggestions": [
                    {
                        "infima_client": {"id": client.id, "name": client.name, "user_count": client.user_count},
                        "likely": likely(proposals),
                        "halo_customers": [
                            {"id": p.customer.id, "name": p.customer.name, "score": p.score} for p in proposals
                        ],
                    }
                    for client, proposals in found
                ]
            }
        )
        return 0
    tell(f"{len(found)} unmapped INFIMA clients. Proposals only: check each before it goes into mappings.yaml.")
    for client, proposals in found:
        if output == "yaml":
            first = proposals[0].customer if proposals else None
            ref = '{id: 0, name: "?"}  # nobody has a name like that' if first is None else _flow(first.id, first.name)
            others = "; ".join(f"{p.customer.id} {p.customer.name} {p.score}" for p in proposals)
            say(safe(f"  # {others}") if others else "  #")
            say(safe(f"  - infima_client: {_flow(client.id, client.name)}"))
            say(safe(f"    halo_customer: {ref}"))
        else:
            say(safe(f"{client.name} ({client.id})"))
            for p in proposals:
                say(safe(f"  {p.customer.name} ({p.customer.id})  {p.score} of 100"))
    return 0


def _flow(number: int, name: str) -> str:
    return f"{{id: {number}, name: {json.dumps(name, ensure_ascii=False)}}}"


# ---------------------------------------------------------------------------------------------------------------------
# Without questions
# ---------------------------------------------------------------------------------------------------------------------


def _map_one(session: MapSession, named: str, asked: _Asked) -> int:
    client = _find_client(session, named)
    if asked.ignore is not None:
        _write_ignore(session, client, Ignore(reason=asked.ignore.strip()))
        return 0
    customer = next((c for c in session.customers if c.id == asked.customer), None)
    if customer is None:
        raise UsageError(
            f"HaloPSA has no customer {asked.customer}.",
            hint="Created just now? Give HaloPSA a minute to index it. Search with: reconciler customers WORDS",
        )
    if customer.inactive:
        raise UsageError(
            f"Customer {customer.id} ({customer.name}) is inactive in HaloPSA.", hint="Activate it there first."
        )
    adopt = _adoptable(session, customer, asked.subscription)
    if adopt is None and (found := session.namesake(customer)) is not None:
        tell(
            safe(
                f"Note: {customer.name} has Subscription {found.id} {found.name!r} already: plan holds the mapping. "
                f"To take that one: {adopt_command(MappingKey(asked.key or f'infima-{client.id}'), found.id)}"
            )
        )
    _write_mapping(session, client, Pick(customer=customer, adopt=adopt), key=asked.key)
    return 0


def _find_client(session: MapSession, named: str) -> InfimaClient:
    """The unmapped client of that id or name. Raises `UsageError`."""
    hits = [c for c in session.clients if str(c.id) == named] or [
        c for c in session.clients if same_name(c.name, named)
    ]
    if len(hits) > 1:
        ids = ", ".join(str(c.id) for c in hits)
        raise UsageError(f"{len(hits)} INFIMA clients are named {named!r}: {ids}.", hint="Give the id.")
    if not hits:
        near = closest(named, [c.name for c in session.clients])
        hint = f"Did you mean {near}?" if near else "`reconciler clients` lists them with their ids."
        raise UsageError(f"INFIMA lists no client {named!r}.", hint=hint)
    client = hits[0]
    if client not in session.unmapped():
        raise UsageError(
            f"{client.name} ({client.id}) is in mappings.yaml already.",
            hint="`reconciler clients` shows where; edit the file to change it.",
        )
    return client


def _adoptable(session: MapSession, customer: HaloCustomer, number: int | None) -> Subscription | None:
    """The Subscription that --subscription names. Raises `UsageError` where it cannot be this customer's own."""
    if number is None:
        return None
    found = next((s for s in session.listing if s.id == number), None)
    why = ""
    if found is None:
        why = "HaloPSA does not know it"
    elif not found.is_subscription:
        why = "it is a plain licence"
    elif not found.live:
        why = "it is deleted or inactive"
    elif found.customer_id != customer.id:
        why = f"it belongs to customer {found.customer_id}"
    if why:
        raise UsageError(f"--subscription {number}: {why}.", hint="See the customer's Subscriptions in HaloPSA.")
    return found


def _write_mapping(session: MapSession, client: InfimaClient, pick: Pick, *, key: str | None = None) -> None:
    entry = NewMapping(
        clients=(_reference(client),),
        customer=CustomerRef(
            id=pick.customer.id, name=clean_name(pick.customer.name) or f"customer {pick.customer.id}"
        ),
        key=None if key is None else MappingKey(key),
        subscription_id=None if pick.adopt is None else pick.adopt.id,
    )
    session.write(lambda text: add_mapping(text, entry, file=str(session.file)))
    adopted = f", adopting Subscription {pick.adopt.id}" if pick.adopt else ""
    say(safe(f"Mapped {client.name} ({client.id}) -> {pick.customer.name} ({pick.customer.id}){adopted}."))


def _reference(client: InfimaClient) -> ClientRef:
    """The client as the file names it. A name that is nothing to see would not be valid there."""
    return ClientRef(id=client.id, name=clean_name(client.name) or f"client {client.id}")


def _write_ignore(session: MapSession, client: InfimaClient, ignore: Ignore) -> None:
    ref = _reference(client)
    session.write(lambda text: add_ignore(text, ref, ignore.reason, file=str(session.file)))
    say(safe(f"Ignored {client.name} ({client.id}): {ignore.reason}."))


# ---------------------------------------------------------------------------------------------------------------------
# With questions
# ---------------------------------------------------------------------------------------------------------------------


def _talk(session: MapSession) -> int:
    todo = session.unmapped()
    if not todo:
        tell("Every INFIMA client is mapped or ignored. Next: reconciler plan")
        return 0
    tell(HELP)
    for number, client in enumerate(todo, start=1):
        users = "" if client.user_count is None else f", {client.user_count} users on INFIMA's list"
        heading = f"[{number} of {len(todo)}] INFIMA client {client.name} ({client.id}){users}"
        answer = Dialog(client=client, session=session, heading=heading).ask()
        match answer:
            case Pick():
                _write_mapping(session, client, answer)
            case Ignore():
                _write_ignore(session, client, answer)
            case Quit():
                break
    left = len(session.unmapped())
    tell(f"{left} unmapped." if left else "Every INFIMA client is mapped or ignored.")
    tell("Next: reconciler plan")
    return 0
