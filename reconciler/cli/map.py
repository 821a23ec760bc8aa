"""`reconciler map`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from reconciler.cli.customers import search_customers
from reconciler.cli.mapsuggest import suggest_all
from reconciler.cli.options import CommonOptions, common_options, output_option
from reconciler.cli.output import safe, say, tell
from reconciler.cli.suggest import closest
from reconciler.cli.wiring import Wiring, wire
from reconciler.errors import UsageError
from reconciler.model import (
    ClientRef,
    CustomerRef,
    HaloCustomer,
    InfimaClient,
    MappingKey,
    Mappings,
    Subscription,
)
from reconciler.planning.rules import adopt_command

if TYPE_CHECKING:
    from reconciler.cli.mapdialog import Ignore, Pick
    from reconciler.providers.connect import Systems


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
    wiring = wire(options)
    with wiring.stopper.listen():
        mappings = wiring.load()
        with wiring.connect(mappings.settings) as systems:
            desk = _Desk.open(wiring, mappings, systems)
            if suggest:
                return suggest_all(desk.unmapped(), desk.customers, output)
            if client is not None:
                return _map_one(desk, client, asked)
            return _talk(desk)


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


@dataclass(slots=True, kw_only=True)
class _Desk:
    """Both systems as read once, and the file as it is by now."""

    wiring: Wiring
    mappings: Mappings
    clients: tuple[InfimaClient, ...]
    customers: tuple[HaloCustomer, ...]
    listing: tuple[Subscription, ...]
    search: Callable[[str], tuple[HaloCustomer, ...]]

    @classmethod
    def open(cls, wiring: Wiring, mappings: Mappings, systems: Systems) -> _Desk:
        return cls(
            wiring=wiring,
            mappings=mappings,
            clients=systems.source.clients(),
            customers=systems.target.customers(),
            listing=systems.target.subscriptions(),
            search=lambda words: search_customers(systems.target, words, inactive=True),
        )

    def unmapped(self) -> list[InfimaClient]:
        known = {ref.id for m in self.mappings.mappings for ref in m.infima_clients}
        known |= {one.client.id for one in self.mappings.ignored}
        return [client for client in self.clients if client.id not in known]

    def owners(self, customer: HaloCustomer) -> tuple[str, ...]:
        return tuple(m.key for m in self.mappings.mappings if m.halo_customer.id == customer.id)

    def namesake(self, customer: HaloCustomer) -> Subscription | None:
        """A live Subscription of the customer that a new mapping would be held for (same-name), if it is nobody's.

        One that carries one of our default keys is left out: it is found again by that marker, or is another client's.
        """
        from reconciler.planning.identity import DEFAULT_KEY, index_subscriptions, same_name  # noqa: PLC0415

        index = index_subscriptions(self.listing, self.mappings.mappings, self.wiring.store().read())
        wanted = self._template()
        free = [
            s
            for s in index.by_customer.get(customer.id, ())
            if s.is_subscription and s.live and s.id not in index.claims and same_name(s.name, wanted)
            if not DEFAULT_KEY.fullmatch(s.marker or "")
        ]
        return free[0] if free else None

    def _template(self) -> str:
        """The name that a new Subscription gets by the file's defaults."""
        from reconciler.config import read_text  # noqa: PLC0415
        from reconciler.config.building import DEFAULT_SUBSCRIPTION_NAME  # noqa: PLC0415
        from reconciler.config.source import read_bytes  # noqa: PLC0415

        if self.mappings.mappings:
            return self.mappings.mappings[0].subscription_name
        path = self.wiring.options.mappings
        node: object = read_text(read_bytes(path), file=str(path))[2]
        for step in ("defaults", "subscription", "name"):
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, str) else DEFAULT_SUBSCRIPTION_NAME

    def write(self, edit: Callable[[str], str]) -> None:
        """Change the file as it is now: spliced, checked as a whole, replaced in one step."""
        from reconciler.config import parse_mappings  # noqa: PLC0415
        from reconciler.config.edit import write_atomically  # noqa: PLC0415
        from reconciler.config.source import decode, read_bytes  # noqa: PLC0415

        path = self.wiring.options.mappings
        old = read_bytes(path)
        new = edit(decode(old, file=str(path))).encode("utf-8")
        self.mappings = parse_mappings(new, file=str(path), today=self.wiring.clock.now().date())
        write_atomically(path, old, new)


# ---------------------------------------------------------------------------------------------------------------------
# Without questions
# ---------------------------------------------------------------------------------------------------------------------


def _map_one(desk: _Desk, named: str, asked: _Asked) -> int:
    from reconciler.cli.mapdialog import Ignore, Pick  # noqa: PLC0415

    client = _find_client(desk, named)
    if asked.ignore is not None:
        _write_ignore(desk, client, Ignore(reason=asked.ignore.strip()))
        return 0
    customer = next((c for c in desk.customers if c.id == asked.customer), None)
    if customer is None:
        raise UsageError(
            f"HaloPSA has no customer {asked.customer}.",
            hint="Created just now? Give HaloPSA a minute to index it. Search with: reconciler customers WORDS",
        )
    if customer.inactive:
        raise UsageError(
            f"Customer {customer.id} ({customer.name}) is inactive in HaloPSA.", hint="Activate it there first."
        )
    adopt = _adoptable(desk, customer, asked.subscription)
    if adopt is None and (found := desk.namesake(customer)) is not None:
        tell(
            safe(
                f"Note: {customer.name} has Subscription {found.id} {found.name!r} already: plan holds the mapping. "
                f"To take that one: {adopt_command(MappingKey(asked.key or f'infima-{client.id}'), found.id)}"
            )
        )
    _write_mapping(desk, client, Pick(customer=customer, adopt=adopt), key=asked.key)
    return 0


def _find_client(desk: _Desk, named: str) -> InfimaClient:
    """The unmapped client of that id or name. Raises `UsageError`."""
    from reconciler.planning.identity import same_name  # noqa: PLC0415

    hits = [c for c in desk.clients if str(c.id) == named] or [c for c in desk.clients if same_name(c.name, named)]
    if len(hits) > 1:
        ids = ", ".join(str(c.id) for c in hits)
        raise UsageError(f"{len(hits)} INFIMA clients are named {named!r}: {ids}.", hint="Give the id.")
    if not hits:
        near = closest(named, [c.name for c in desk.clients])
        hint = f"Did you mean {near}?" if near else "`reconciler clients` lists them with their ids."
        raise UsageError(f"INFIMA lists no client {named!r}.", hint=hint)
    client = hits[0]
    if client not in desk.unmapped():
        raise UsageError(
            f"{client.name} ({client.id}) is in mappings.yaml already.",
            hint="`reconciler clients` shows where; edit the file to change it.",
        )
    return client


def _adoptable(desk: _Desk, customer: HaloCustomer, number: int | None) -> Subscription | None:
    """The Subscription that --subscription names. Raises `UsageError` where it cannot be this customer's own."""
    if number is None:
        return None
    found = next((s for s in desk.listing if s.id == number), None)
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


def _write_mapping(desk: _Desk, client: InfimaClient, pick: Pick, *, key: str | None = None) -> None:
    from reconciler.config.edit import NewMapping, add_mapping, clean_name  # noqa: PLC0415

    entry = NewMapping(
        clients=(_reference(client),),
        customer=CustomerRef(
            id=pick.customer.id, name=clean_name(pick.customer.name) or f"customer {pick.customer.id}"
        ),
        key=None if key is None else MappingKey(key),
        subscription_id=None if pick.adopt is None else pick.adopt.id,
    )
    desk.write(lambda text: add_mapping(text, entry, file=str(desk.wiring.options.mappings)))
    adopted = f", adopting Subscription {pick.adopt.id}" if pick.adopt else ""
    say(safe(f"Mapped {client.name} ({client.id}) -> {pick.customer.name} ({pick.customer.id}){adopted}."))


def _reference(client: InfimaClient) -> ClientRef:
    """The client as the file names it. A name that is nothing to see would not be valid there."""
    from reconciler.config.edit import clean_name  # noqa: PLC0415

    return ClientRef(id=client.id, name=clean_name(client.name) or f"client {client.id}")


def _write_ignore(desk: _Desk, client: InfimaClient, ignore: Ignore) -> None:
    from reconciler.config.edit import add_ignore  # noqa: PLC0415

    ref = _reference(client)
    desk.write(lambda text: add_ignore(text, ref, ignore.reason, file=str(desk.wiring.options.mappings)))
    say(safe(f"Ignored {client.name} ({client.id}): {ignore.reason}."))


# ---------------------------------------------------------------------------------------------------------------------
# With questions
# ---------------------------------------------------------------------------------------------------------------------


def _talk(desk: _Desk) -> int:
    from reconciler.cli.mapdialog import HELP, Dialog, Halo, Ignore, Pick, Quit  # noqa: PLC0415

    todo = desk.unmapped()
    if not todo:
        tell("Every INFIMA client is mapped or ignored. Next: reconciler plan")
        return 0
    tell(HELP)
    halo = Halo(customers=desk.customers, search=desk.search, namesake=desk.namesake, owners=desk.owners)
    for number, client in enumerate(todo, start=1):
        users = "" if client.user_count is None else f", {client.user_count} users on INFIMA's list"
        heading = f"[{number} of {len(todo)}] INFIMA client {client.name} ({client.id}){users}"
        answer = Dialog(client=client, halo=halo, heading=heading).ask()
        match answer:
            case Pick():
                _write_mapping(desk, client, answer)
            case Ignore():
                _write_ignore(desk, client, answer)
            case Quit():
                break
    left = len(desk.unmapped())
    tell(f"{left} unmapped." if left else "Every INFIMA client is mapped or ignored.")
    tell("Next: reconciler plan")
    return 0
