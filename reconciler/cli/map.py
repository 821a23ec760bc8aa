"""`reconciler map`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import click

from reconciler.answers.matching import likely, rank
from reconciler.cli.mapdialog import Dialog, confirmed, joining, pairing, subscription_line, talk
from reconciler.cli.mapsession import Choices, Ignore, Join, MapSession, Pick
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import did_you_mean, safe, say, show_json, tell
from reconciler.cli.wiring import load, run_context
from reconciler.errors import UsageError
from reconciler.model import HaloCustomer, InfimaClient, Mapping, MappingKey, Subscription
from reconciler.names import alike, same_name


def _subscription(value: str) -> int | Literal["new"]:
    """The id of a Subscription to adopt, or `new` for none of those that exist."""
    if value == "new":
        return "new"
    if not value.isdecimal() or not 0 < int(value) < 2**31:
        raise click.BadParameter(f"{value!r} is neither the id of a Subscription nor 'new'.")
    return int(value)


@click.command("map")
@click.argument("client", required=False)
@click.option("--customer", type=click.IntRange(min=1, max=2**31 - 1), metavar="ID", help="The HaloPSA customer.")
@click.option(
    "--subscription", type=_subscription, metavar="ID|new", help="Adopt this Subscription, or none of those that exist."
)
@click.option(
    "--key", metavar="KEY",
    help="The mapping's key; one that bills the customer already: together on its Subscription.  "
    "[default: infima-CLIENT]",
)  # fmt: skip
@click.option("--ignore", metavar="REASON", help="Never bill this client, and why.")
@click.option("--yes", is_flag=True, help="Do not ask about names that have nothing in common.")
@click.option("--suggest", is_flag=True, help="Print proposals for all unmapped clients; write nothing.")
@output_option("text", "json", "yaml")
@common_options
@click.pass_obj
def map_clients(options: CommonOptions, /, *, suggest: bool, output: str, **given: Any) -> int:
    """Map INFIMA clients to HaloPSA customers, and write mappings.yaml without disturbing a byte of the rest.

    On a terminal it shows the sure matches first, and then goes through the other unmapped clients: it proposes, you
    pick, search, ignore, skip, go back or quit, and every answer is written at once. It never decides by itself.

    With CLIENT (id or name) it asks about that one, and with --customer or --ignore only what is open: names that
    have nothing in common, a customer that is mapped already, Subscriptions that may be this client's. Without a
    terminal it then writes nothing and names the options that answer it.

    \b
    Environment: HALO_URL, HALO_CLIENT_ID, HALO_CLIENT_SECRET, HALO_TENANT (optional), HALO_AUTH_URL (optional),
    INFIMA_API_KEY, INFIMA_URL (optional); each secret also as ..._FILE.

    \b
    Examples:
      reconciler map
      reconciler map 113
      reconciler map 113 --customer 33
      reconciler map 113 --customer 33 --subscription 9041
      reconciler map "Northwind Sandbox" --ignore "a tenant to try things in"
      reconciler map --suggest -o yaml
    """
    asked = _Asked(**given)
    _check(asked, suggest=suggest, output=output)
    mappings = load(options)
    with run_context(options, mappings) as context:
        session = MapSession(options.mappings, context)
        if suggest:
            return _suggest_all(session.unmapped(), session.customers, output)
        if asked.client is None:
            return talk(session)
        client = _find_client(session, asked.client)
        if asked.customer is None and asked.ignore is None:
            return talk(session, only=client)
        return _map_one(session, client, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options say of one client."""

    client: str | None
    customer: int | None
    subscription: int | Literal["new"] | None
    key: str | None
    ignore: str | None
    yes: bool

    @property
    def command(self) -> str:
        """The command as it was given, to paste with what is missing."""
        words = ["reconciler", "map", self.client or "CLIENT", "--customer", str(self.customer)]
        for name, value in (("--subscription", self.subscription), ("--key", self.key)):
            words += [] if value is None else [name, str(value)]
        return shlex.join([*words, *(["--yes"] if self.yes else [])])


def _check(asked: _Asked, *, suggest: bool, output: str) -> None:
    """Refuse what does not go together before anything is read."""
    given = asked.customer is not None or asked.ignore is not None
    beside = asked.subscription is not None or asked.key is not None or asked.yes
    asks = not (suggest or given or beside) and sys.stdin.isatty()
    refusals = (
        (output != "text" and not suggest, f"-o {output} works only together with --suggest.",
         "For example: reconciler map --suggest -o yaml"),
        (suggest and (asked.client is not None or given), "--suggest is for all unmapped clients.",
         "Leave CLIENT and the other options out."),
        (asked.client is None and (given or beside), "Name the INFIMA client: its id or its name.",
         "For example: reconciler map 113 --customer 33"),
        (asked.customer is not None and asked.ignore is not None, "--customer and --ignore contradict each other.",
         "Keep one of the two."),
        (asked.ignore is not None and beside, "--subscription, --key and --yes go with --customer, not with --ignore.",
         "Leave them out."),
        (asked.ignore is not None and not asked.ignore.strip(), "--ignore needs a reason.",
         'For example: --ignore "our own staff"'),
        (asked.client is not None and not given and not asks, f"What is to become of {asked.client}?",
         "Add --customer ID or --ignore REASON; on a terminal it asks."),
        (asked.client is None and not suggest and not asks, "map asks questions, and there is no terminal to ask on.",
         "Use: reconciler map CLIENT --customer ID, or: reconciler map --suggest -o yaml"),
    )  # fmt: skip
    for refused, message, hint in refusals:
        if refused:
            raise UsageError(message, hint=hint)


# ---- Proposals for all ----------------------------------------------------------------------------------------------


def _suggest_all(clients: Sequence[InfimaClient], customers: Sequence[HaloCustomer], output: str) -> int:
    """Print the likeliest customers of every client; nothing is asked and nothing is written."""
    found = [(client, rank(client.name, customers, limit=3)) for client in clients]
    if output == "json":
        show_json(
            {
                "suggestions": [
                    {
                        "infima_client": {"id": client.id, "name": client.name, "user_count": client.user_count},
                        "likely": likely(matches),
                        "halo_customers": [
                            {"id": p.customer.id, "name": p.customer.name, "score": p.score} for p in matches
                        ],
                    }
                    for client, matches in found
                ]
            }
        )
        return 0
    tell(f"{len(found)} unmapped INFIMA clients. Proposals only: check each before it goes into mappings.yaml.")
    for client, matches in found:
        if output == "yaml":
            first = matches[0].customer if matches else None
            ref = '{id: 0, name: "?"}  # nobody has a name like that' if first is None else _flow(first.id, first.name)
            others = "; ".join(f"{p.customer.id} {p.customer.name} {p.score}" for p in matches)
            say(safe(f"  # {others}") if others else "  #")
            say(safe(f"  - infima_client: {_flow(client.id, client.name)}"))
            say(safe(f"    halo_customer: {ref}"))
        else:
            say(safe(f"{client.name} ({client.id})"))
            for p in matches:
                say(safe(f"  {p.customer.name} ({p.customer.id})  {p.score} of 100"))
    return 0


def _flow(number: int, name: str) -> str:
    return f"{{id: {number}, name: {json.dumps(name, ensure_ascii=False)}}}"


# ---- Without questions ----------------------------------------------------------------------------------------------


def _map_one(session: MapSession, client: InfimaClient, asked: _Asked) -> int:
    if asked.ignore is not None:
        session.write(client, Ignore(asked.ignore.strip()))
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
    answer = _decided(session, client, customer, asked)
    if answer is None:
        tell("Nothing was written.")
    else:
        session.write(client, answer)
    return 0


def _decided(session: MapSession, client: InfimaClient, customer: HaloCustomer, asked: _Asked) -> Pick | Join | None:
    """What the options say; what they leave open is asked, or refused where there is no terminal."""
    owners = session.owners(customer)
    joined = next((m for m in owners if m.key == asked.key), None)
    if joined is not None and asked.subscription is not None:
        raise UsageError(
            f"--subscription does not go with --key {asked.key}, which has its own.", hint="Keep one of the two."
        )
    terminal = sys.stdin.isatty()
    if not asked.yes and not alike(client.name, customer.name):
        if not terminal:
            raise UsageError(
                f"INFIMA client {client.name} ({client.id}) and HaloPSA customer {customer.name} ({customer.id}) have "
                "names with nothing in common.",
                hint=f"If they belong together: {replace(asked, yes=True).command}",
            )
        if not confirmed(pairing(client, customer) if joined is None else joining(client, joined)):
            return None
    if joined is not None:
        return Join(joined)
    adopt = _adoptable(session, customer, asked.subscription)
    pick = Pick(customer=customer, adopt=adopt, key=None if asked.key is None else MappingKey(asked.key))
    dialog = Dialog(client, session)
    if owners and pick.key is None and adopt is None:
        if not terminal:
            raise _mapped_already(client, owners, asked)
        answer = dialog.decide(pick, sure=True)
    else:
        choices = session.choices(client, pick)
        if asked.subscription is not None or not choices.meant:
            return pick
        if not terminal:
            raise _open_choice(customer, choices, asked)
        answer = dialog.choose(pick, choices)
    return answer if isinstance(answer, Pick | Join) else None


def _mapped_already(client: InfimaClient, owners: Sequence[Mapping], asked: _Asked) -> UsageError:
    keys = ", ".join(m.key for m in owners)
    together = "; or ".join(replace(asked, key=m.key, subscription=None).command for m in owners)
    second = replace(asked, key=f"infima-{client.id}").command
    return UsageError(
        f"{owners[0].halo_customer.name} is billed through {keys} already: together on one Subscription, or a second "
        "one?",
        hint=f"Together: {together}. A second one: {second}",
    )


def _open_choice(customer: HaloCustomer, choices: Choices, asked: _Asked) -> UsageError:
    found = "; ".join(subscription_line(row, choices) for row in choices.meant)
    live = next((row.id for row in choices.meant if row.live), None)
    adopt = "To take it, restore it in HaloPSA first."
    if live is not None:
        adopt = f"Adopt it: {replace(asked, subscription=live).command}."
    return UsageError(
        f"{customer.name} has what may be this client's Subscription already: {found}.",
        hint=f"{adopt} None of them: {replace(asked, subscription='new').command}",
    )


def _find_client(session: MapSession, named: str) -> InfimaClient:
    """The unmapped client of that id or name. Raises `UsageError`."""
    clients = session.clients
    hits = [c for c in clients if str(c.id) == named] or [c for c in clients if same_name(c.name, named)]
    if len(hits) > 1:
        ids = ", ".join(str(c.id) for c in hits)
        raise UsageError(f"{len(hits)} INFIMA clients are named {named!r}: {ids}.", hint="Give the id.")
    if not hits:
        hint = did_you_mean(named, [c.name for c in clients], "`reconciler clients` lists them with their ids.")
        raise UsageError(f"INFIMA lists no client {named!r}.", hint=hint)
    client = hits[0]
    if client not in session.unmapped():
        raise UsageError(
            f"{client.name} ({client.id}) is in mappings.yaml already.",
            hint="`reconciler clients` shows where; edit the file to change it.",
        )
    return client


def _adoptable(session: MapSession, customer: HaloCustomer, number: int | Literal["new"] | None) -> Subscription | None:
    """The Subscription that --subscription names. Raises `UsageError` where it cannot be this customer's own."""
    if number is None or number == "new":
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
    elif owned := sorted(session.index.owners(found.id)):
        why = f"it belongs to the mapping {', '.join(owned)}"
    if why:
        raise UsageError(f"--subscription {number}: {why}.", hint="See the customer's Subscriptions in HaloPSA.")
    return found
