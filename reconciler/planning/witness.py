"""Names as the second witness: what mappings.yaml calls a client or a customer, beside what the systems call it.

Ids decide (DESIGN 5). A name that is another one's live name says that ids were swapped: that holds whatever the change
is. Another name that differs holds a create, and is a warning on what exists.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field

from reconciler.model import (
    ClientRef,
    CustomerRef,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    Place,
)
from reconciler.names import agrees, folded, unlike_any
from reconciler.planning.rules import Doubt, Rule, allow_command

Ref = ClientRef | CustomerRef


@dataclass(slots=True)
class NameIndex:
    """Who is called what; made of the live lists when the first name differs, for that is rare."""

    live: MappingABC[InfimaClientId, InfimaClient] | MappingABC[HaloCustomerId, HaloCustomer]
    refs: Sequence[Ref]
    _ids: dict[str, list[int]] | None = field(default=None, init=False)
    _places: dict[int, Place | None] | None = field(default=None, init=False)

    def called(self, name: str) -> list[int]:
        """The ids whose live name this is, in ascending order."""
        if self._ids is None:
            ids: dict[str, list[int]] = defaultdict(list)
            for row in self.live.values():
                if not (isinstance(row, HaloCustomer) and row.inactive):
                    ids[folded(row.name)].append(row.id)
            self._ids = {name: sorted(found) for name, found in ids.items() if name}
        return self._ids.get(folded(name), [])

    def place_of(self, number: int) -> Place | None:
        """Where the file names this id, if it does."""
        if self._places is None:
            self._places = {ref.id: ref.place for ref in reversed(self.refs)}
        return self._places.get(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One name in the file beside what that id is called today; `real` is None where nobody has the id."""

    what: str
    member: str
    ref: Ref
    real: str | None
    index: NameIndex

    @property
    def differs(self) -> bool:
        return self.real is not None and not agrees(self.ref.name, self.real)

    @property
    def others(self) -> list[int]:
        """Whose live name it is instead."""
        if self.real is not None and not self.differs:
            return []
        return self.index.called(self.ref.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The live names of both systems, and all refs of the file."""

    clients: NameIndex
    customers: NameIndex

    @classmethod
    def of(
        cls,
        mappings: Sequence[Mapping],
        clients: MappingABC[InfimaClientId, InfimaClient],
        customers: MappingABC[HaloCustomerId, HaloCustomer],
    ) -> Names:
        return cls(
            clients=NameIndex(clients, [ref for m in mappings for ref in m.infima_clients]),
            customers=NameIndex(customers, [m.halo_customer for m in mappings]),
        )

    def said_in(self, mapping: Mapping) -> Iterator[Said]:
        """Each name of a mapping beside the live one, the customer's first."""
        customer = mapping.halo_customer
        yield _said("HaloPSA customer", "halo_customer", customer, self.customers)
        member = "infima_client" if len(mapping.infima_clients) == 1 else "infima_clients"
        for ref in mapping.infima_clients:
            yield _said("INFIMA client", member, ref, self.clients)


def _said(what: str, member: str, ref: Ref, index: NameIndex) -> Said:
    live: MappingABC[int, InfimaClient | HaloCustomer] = index.live  # type: ignore[assignment] # ids are whole numbers
    row = live.get(ref.id)
    return Said(what=what, member=member, ref=ref, real=None if row is None else row.name, index=index)


def name_doubts(mapping: Mapping, names: Names, *, creates: bool) -> tuple[Doubt, ...]:
    """Swapped ids, and at a create every name that is not the live one."""
    doubts = []
    for said in names.said_in(mapping):
        if said.others:
            doubts.append(_swapped(mapping, said, said.others[0]))
        elif creates and said.differs:
            doubts.append(_mismatch(mapping, said))
    return tuple(doubts)


def _swapped(mapping: Mapping, said: Said, other: int) -> Doubt:
    """Both lines, and the edit for either way in which it may be wrong."""
    ref, here = said.ref, said.ref.place or mapping.place
    there = said.index.place_of(other)
    is_called = "is not listed" if said.real is None else f"is called {said.real!r}"
    where = f", which the file names at {there}" if there is not None else ", which the file does not name"
    member = "" if said.member == "infima_clients" else f"{said.member}: "  # in a list the item stands alone
    edit = f"at {here} write {member}{_spelled(other, ref.name)}"
    if there is not None and said.real is not None:
        edit += f", and at {there} {_spelled(ref.id, said.real)}"
    renamed = "" if said.real is None else f"if it was renamed, at {here} write {_spelled(ref.id, said.real)}; "
    return Doubt(
        rule=Rule.NAME_SWAPPED,
        message=(
            f"{said.what} {ref.id} {is_called}, and {here} calls it {ref.name!r}, which is the name of {other}{where}; "
            "ids that were swapped bill a stranger"
        ),
        remedy=(
            f"if the name is right, {edit}; {renamed}"
            f"if both are right as they stand, run: {allow_command(mapping.key, Rule.NAME_SWAPPED)}"
        ),
    )


def _spelled(number: int, name: str) -> str:
    """A client or customer as mappings.yaml writes it."""
    return f"{{id: {number}, name: {json.dumps(name, ensure_ascii=False)}}}"


def _mismatch(mapping: Mapping, said: Said) -> Doubt:
    return Doubt(
        rule=Rule.NAME_MISMATCH,
        message=(
            f"{said.what} {said.ref.id} is named {said.real!r}, mappings.yaml says {said.ref.name!r}; "
            "a mistyped id would bill a stranger"
        ),
        remedy=(
            "correct the id or the name in mappings.yaml; if both are right, run: "
            f"{allow_command(mapping.key, Rule.NAME_MISMATCH)}"
        ),
    )


def renamed(mapping: Mapping, names: Names) -> list[str]:
    """Warnings about names that changed, with the new ones; swapped ids are a doubt, not a new name."""
    return [
        f"{mapping.key}: {said.what} {said.ref.id} is now named {said.real!r}, mappings.yaml says "
        f"{said.ref.name!r}; ids decide, so this holds nothing. Write today's names with: reconciler fmt --names"
        for said in names.said_in(mapping)
        if said.differs and not said.others
    ]


def strangers(mapping: Mapping, names: Names) -> list[str]:
    """Warnings about a create whose customer's name has nothing in common with a client's: is it the right one?"""
    customer, *clients = names.said_in(mapping)
    bills = customer.real or customer.ref.name
    return [
        f"{mapping.key}: INFIMA client {client.real or client.ref.name!r} ({client.ref.id}) would be billed to HaloPSA "
        f"customer {bills!r} ({customer.ref.id}): the names have nothing in common; look whether it is the right one"
        for client in clients
        if unlike_any(client.real or client.ref.name, [bills])
    ]
