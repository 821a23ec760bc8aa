"""What `reconciler map` knows and writes: both systems as read once, and mappings.yaml as it is by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reconciler.answers.sameness import Sameness
from reconciler.cli.customers import search_customers
from reconciler.cli.files import FileEdit
from reconciler.cli.output import safe, say, tell
from reconciler.config import edit
from reconciler.config.splice import quote
from reconciler.errors import ConfigError
from reconciler.model import HaloCustomer, InfimaClient, Mapping, MappingKey, Subscription
from reconciler.planning.index import Index, index_subscriptions
from reconciler.planning.observation import RunContext
from reconciler.planning.twins import candidates, twin_doubts, unowned
from reconciler.state.recorded import Recorded

Pair = tuple[InfimaClient, HaloCustomer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """This customer; the Subscription to adopt, where one is; a key of its own, where it is to have one."""

    customer: HaloCustomer
    adopt: Subscription | None = None
    key: MappingKey | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Together with the clients of this mapping, on its Subscription."""

    mapping: Mapping


@dataclass(frozen=True, slots=True)
class Ignore:
    """The client is not billed, on purpose."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the customer has that no mapping owns, as `plan` would see it with the new mapping in the file.

    `meant` are those for which `plan` would hold the create: of the same name, live or not, or live and resembling.
    """

    live: tuple[Subscription, ...] = ()
    meant: tuple[Subscription, ...] = ()


class MapSession:
    """Both systems as read once, and the file as it is after the last answer."""

    def __init__(self, file: Path, context: RunContext) -> None:
        source, self._target = context.systems.source, context.systems.target
        self._file, self._name = file, str(file)
        self._context = context
        self.mappings = context.mappings
        self.clients = source.clients()
        self.customers = self._target.customers()
        self.listing = self._target.subscriptions()

    @cached_property
    def recorded(self) -> Recorded:
        """What the state remembers, read when it is first asked for."""
        return self._context.store.read()

    @property
    def index(self) -> Index:
        """The Subscriptions as the mappings of the file have them: by id, by the state or by marker."""
        return index_subscriptions(self.listing, self.mappings.mappings, self.recorded)

    def search(self, words: str) -> tuple[HaloCustomer, ...]:
        """HaloPSA's customers by words of the name, inactive ones too."""
        return search_customers(self._target, words, inactive=True)

    def unmapped(self) -> list[InfimaClient]:
        """INFIMA clients that the file neither maps nor ignores."""
        known = {ref.id for m in self.mappings.mappings for ref in m.infima_clients}
        known |= {one.client.id for one in self.mappings.ignored}
        return [client for client in self.clients if client.id not in known]

    def owners(self, customer: HaloCustomer) -> tuple[Mapping, ...]:
        """The mappings that bill this customer, retired ones left out."""
        return tuple(m for m in self.mappings.mappings if m.halo_customer.id == customer.id and not m.retired)

    def taker(self, client: InfimaClient) -> Mapping | None:
        """The mapping that has the key which this client's own would get by default."""
        return next((m for m in self.mappings.mappings if m.key == f"infima-{client.id}"), None)

    def choices(self, client: InfimaClient, pick: Pick) -> Choices:
        """The Subscriptions that may be adopted instead of making one. Raises `ConfigError` for a key that cannot be.

        None where a Subscription carries this mapping's own marker, or the state has it bound: that one it gets.
        """
        entry = _entry(client, pick)
        made = self._made(lambda text: edit.add_mappings(text, [entry], file=self._name)).mappings.mappings
        mapping = next(m for m in made if any(ref.id == client.id for ref in m.infima_clients))
        index = index_subscriptions(self.listing, made, self.recorded)
        own = index.by_customer.get(pick.customer.id, ())
        if any(row.live and mapping.key in index.owners(row.id) for row in own):
            return Choices()
        return Choices(
            live=tuple(row for row in unowned(mapping, index) if row.live),
            meant=candidates(mapping, index, self.recorded),
        )

    def sure(self) -> list[Pair]:
        """Unmapped clients with the one customer of their name, where nothing else is to be asked (`Sameness`).

        The customer is in no mapping yet and has no Subscription, not even one that another mapping claims.
        """
        index, sameness = self.index, Sameness(self.clients, self.customers)
        used = {m.halo_customer.id for m in self.mappings.mappings}
        found = ((client, sameness.counterpart(client)) for client in self.unmapped())
        return [
            (client, customer)
            for client, one in found
            if one.sure and (customer := one.customer) is not None and customer.id not in used
            if not any(
                row.is_subscription and row.marker != f"infima-{client.id}"
                for row in index.by_customer.get(customer.id, ())
            )
        ]

    # ---- writing ----------------------------------------------------------------------------------------------------

    def write(self, client: InfimaClient, answer: Pick | Join | Ignore) -> FileEdit | None:
        """Write the answer and say what was written. None where it could not be, and the edit was printed instead."""
        match answer:
            case Ignore():
                ref, reason = edit.client_ref(client), answer.reason
                made = self._write(lambda text: edit.add_ignore(text, ref, reason, file=self._name))
                say(safe(f"Ignored {client.name} ({client.id}): {reason}."))
                return made
            case Join():
                return self._write_join(client, answer.mapping)
            case Pick():
                entry = _entry(client, answer)
                made = self._write(lambda text: edit.add_mappings(text, [entry], file=self._name))
                adopted = f", adopting Subscription {answer.adopt.id}" if answer.adopt else ""
                where = f"{answer.customer.name} ({answer.customer.id}){adopted}"
                say(safe(f"Mapped {client.name} ({client.id}) -> {where}."))
                self._tell_doubts([client])
                return made

    def write_pairs(self, pairs: Sequence[Pair]) -> FileEdit:
        """Write a mapping for each pair, all in one edit."""
        entries = [_entry(client, Pick(customer=customer)) for client, customer in pairs]
        made = self._write(lambda text: edit.add_mappings(text, entries, file=self._name))
        say(f"Mapped {len(pairs)} clients to the customers of their names.")
        self._tell_doubts([client for client, _ in pairs])
        return made

    def _write_join(self, client: InfimaClient, mapping: Mapping) -> FileEdit | None:
        ref = edit.client_ref(client)
        try:
            made = self._write(lambda text: edit.join_client(text, mapping.key, ref, file=self._name))
        except ConfigError as error:
            tell(safe(f"{error} Nothing was written. Write this in the mapping at {mapping.place}, for its client:"))
            say(safe(f"    key: {mapping.key}"))
            say("    infima_clients:")
            for one in (*mapping.infima_clients, ref):
                say(safe(f"      - {{id: {one.id}, name: {quote(one.name)}}}"))
            return None
        customer, names = mapping.halo_customer, ", ".join(f"{one.name} ({one.id})" for one in mapping.infima_clients)
        mapped = f"Mapped {client.name} ({client.id}) -> {customer.name} ({customer.id})"
        say(safe(f"{mapped}, together with {names}: {joint_quantity(mapping)}."))
        return made

    def _tell_doubts(self, clients: Sequence[InfimaClient]) -> None:
        """Say why `plan` will hold the creates of these clients' new mappings; nothing of adopted Subscriptions."""
        index = self.index
        bound = {key for owners in index.claims.values() for key in owners}
        by_client = {ref.id: m for m in self.mappings.mappings for ref in m.infima_clients}
        for client in clients:
            mapping = by_client[client.id]
            for doubt in twin_doubts(mapping, index, self.recorded) if mapping.key not in bound else ():
                held = f"plan will hold {client.name} ({doubt.rule}): {doubt.message}"
                tell(safe(f"  Note: {held}. Next: {doubt.remedy}"))

    def take_back(self, made: FileEdit) -> None:
        """Put back what the file held before this edit, byte for byte, if it still holds what was written then."""
        before = self._made(lambda _: made.old.decode("utf-8"))
        undone = FileEdit(path=made.path, old=made.new, new=made.old, mappings=before.mappings)
        undone.write()
        self.mappings = undone.mappings

    def _write(self, change: Callable[[str], str]) -> FileEdit:
        """Change the file as it is now: spliced, checked as a whole, replaced in one step."""
        made = self._made(change)
        made.write()
        self.mappings = made.mappings
        return made

    def _made(self, change: Callable[[str], str]) -> FileEdit:
        return FileEdit.make(self._file, change, now=self._context.clock.now())


def joint_quantity(mapping: Mapping) -> str:
    """What a combined mapping puts on its Subscription."""
    fixed = mapping.quantity.fixed
    return f"the quantity of {mapping.key} is " + ("their sum" if fixed is None else f"a fixed {fixed}, whoever joins")


def _entry(client: InfimaClient, pick: Pick) -> edit.NewMapping:
    return edit.NewMapping(
        clients=(edit.client_ref(client),),
        customer=edit.customer_ref(pick.customer),
        key=pick.key,
        subscription_id=None if pick.adopt is None else pick.adopt.id,
    )
