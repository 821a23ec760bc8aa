"""What `reconciler map` knows: both systems as read once, and mappings.yaml as it is by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.answers.sameness import Sameness
from reconciler.cli.customers import search_customers
from reconciler.cli.files import FileEdit
from reconciler.config.edit import NewMapping, add_mapping, client_ref, customer_ref
from reconciler.model import (
    HaloCustomer,
    InfimaClient,
    Mapping,
    MappingKey,
    Mappings,
    Recorded,
    Subscription,
)
from reconciler.planning.index import index_subscriptions
from reconciler.planning.observation import RunContext
from reconciler.planning.rules import Doubt
from reconciler.planning.twins import candidates, twin_doubts, unowned

Pair = tuple[InfimaClient, HaloCustomer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """This customer; the Subscription to adopt, where one is; a key of its own, where it is to have one."""

    customer: HaloCustomer
    adopt: Subscription | None = None
    key: MappingKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the customer has that no mapping owns, as `plan` would see it with the new mapping in the file.

    `meant` are those for which `plan` would hold the create: of the same name, live or not, or live and resembling.
    """

    live: tuple[Subscription, ...] = ()
    meant: tuple[Subscription, ...] = ()


@dataclass(slots=True, kw_only=True)
class MapSession:
    """Both systems as read once, and the file as it is after the last answer."""

    file: Path
    context: RunContext
    mappings: Mappings
    clients: tuple[InfimaClient, ...]
    customers: tuple[HaloCustomer, ...]
    listing: tuple[Subscription, ...]
    search: Callable[[str], tuple[HaloCustomer, ...]]
    _recorded: Recorded | None = None

    @classmethod
    def open(cls, file: Path, context: RunContext) -> MapSession:
        """Read both systems once."""
        systems = context.systems
        return cls(
            file=file,
            context=context,
            mappings=context.mappings,
            clients=systems.source.clients(),
            customers=systems.target.customers(),
            listing=systems.target.subscriptions(),
            search=lambda words: search_customers(systems.target, words, inactive=True),
        )

    @property
    def recorded(self) -> Recorded:
        """What the state remembers, read when it is first asked for."""
        if self._recorded is None:
            self._recorded = self.context.store.read()
        return self._recorded

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

    def keys_of(self, row: Subscription) -> list[MappingKey]:
        """The mappings of the file that have this Subscription: by id, by the state or by marker."""
        return sorted(index_subscriptions(self.listing, self.mappings.mappings, self.recorded).owners(row.id))

    def choices(self, client: InfimaClient, pick: Pick) -> Choices:
        """The Subscriptions that may be adopted instead of making one. Raises `ConfigError` for a key that cannot be.

        None where a Subscription carries this mapping's own marker, or the state has it bound: that one it gets.
        """
        entry = new_mapping(client, pick)
        made = self._made(lambda text: add_mapping(text, entry, file=str(self.file)))
        mapping = next(m for m in made.mappings.mappings if any(ref.id == client.id for ref in m.infima_clients))
        index = index_subscriptions(self.listing, made.mappings.mappings, self.recorded)
        own = index.by_customer.get(pick.customer.id, ())
        if any(row.live and mapping.key in index.owners(row.id) for row in own):
            return Choices()
        return Choices(
            live=tuple(row for row in unowned(mapping, index) if row.live),
            meant=candidates(mapping, index, self.recorded),
        )

    def doubts(self, clients: Sequence[InfimaClient]) -> list[tuple[InfimaClient, Doubt]]:
        """Why `plan` will hold the creates of these clients' mappings, which are in the file; none for adopted ones."""
        index = index_subscriptions(self.listing, self.mappings.mappings, self.recorded)
        bound = {key for owners in index.claims.values() for key in owners}
        by_client = {ref.id: m for m in self.mappings.mappings for ref in m.infima_clients}
        return [
            (client, doubt)
            for client in clients
            if (mapping := by_client[client.id]).key not in bound
            for doubt in twin_doubts(mapping, index, self.recorded)
        ]

    def sure(self) -> list[Pair]:
        """Unmapped clients with the one customer of their name, where nothing else is to be asked (`Sameness`).

        The customer is in no mapping yet and has no Subscription, not even one that another mapping claims.
        """
        index = index_subscriptions(self.listing, self.mappings.mappings, self.recorded)
        used = {m.halo_customer.id for m in self.mappings.mappings}
        sameness = Sameness(self.clients, self.customers)
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

    def write(self, edit: Callable[[str], str]) -> FileEdit:
        """Change the file as it is now: spliced, checked as a whole, replaced in one step."""
        made = self._made(edit)
        made.write()
        self.mappings = made.mappings
        return made

    def take_back(self, made: FileEdit) -> None:
        """Put back what the file held before this edit, byte for byte, if it still holds what was written then."""
        before = FileEdit.make(self.file, lambda _: made.old.decode("utf-8"), now=self.context.clock.now())
        undone = FileEdit(path=made.path, old=made.new, new=made.old, mappings=before.mappings)
        undone.write()
        self.mappings = undone.mappings

    def _made(self, edit: Callable[[str], str]) -> FileEdit:
        return FileEdit.make(self.file, edit, now=self.context.clock.now())


def new_mapping(client: InfimaClient, pick: Pick) -> NewMapping:
    """The entry that an answer comes to."""
    return NewMapping(
        clients=(client_ref(client),),
        customer=customer_ref(pick.customer),
        key=pick.key,
        subscription_id=None if pick.adopt is None else pick.adopt.id,
    )


def new_mappings(pairs: Sequence[Pair]) -> list[NewMapping]:
    """The entries of several pairs."""
    return [new_mapping(client, Pick(customer=customer)) for client, customer in pairs]
