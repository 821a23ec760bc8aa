"""What is doubtful about a mapping's clients and customer, and what merely deserves a warning.

Names are the second witness: ids decide (DESIGN 5). A name that is another one's live name says that ids were swapped:
that holds whatever the change is. Another name that differs holds a create, and is a warning on what exists.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from reconciler.model import (
    ClientRef,
    CountRule,
    CustomerRef,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    Mappings,
    MarkerField,
    Place,
    UnreadableUsers,
    UserCount,
)
from reconciler.moments import spelled
from reconciler.names import agrees, alike, folded
from reconciler.planning.changes import Action
from reconciler.planning.index import Index
from reconciler.planning.quantity import has_ended
from reconciler.planning.rules import Doubt, Rule, allow_command, probe_command
from reconciler.state.recorded import Recorded

Ref = ClientRef | CustomerRef


@dataclass(frozen=True)
class NameIndex:
    """Who is called what; made of the live lists when the first name differs, for that is rare."""

    live: MappingABC[InfimaClientId, InfimaClient] | MappingABC[HaloCustomerId, HaloCustomer]
    refs: Sequence[Ref]

    @cached_property
    def _ids(self) -> dict[str, list[int]]:
        ids: dict[str, list[int]] = defaultdict(list)
        for row in self.live.values():
            if not (isinstance(row, HaloCustomer) and row.inactive):
                ids[folded(row.name)].append(row.id)
        return {name: sorted(found) for name, found in ids.items() if name}

    @cached_property
    def places(self) -> dict[int, Place | None]:
        """Where the file names each id first."""
        return {ref.id: ref.place for ref in reversed(self.refs)}

    def called(self, name: str) -> list[int]:
        """The ids whose live name this is, in ascending order."""
        return self._ids.get(folded(name), [])


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
    there = said.index.places.get(other)
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
        if not alike(client.real or client.ref.name, bills)
    ]


# -- Clients, customers and contracts ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The observation, indexed for looking things up by id."""

    clients: dict[InfimaClientId, InfimaClient]
    users: dict[InfimaClientId, UserCount | UnreadableUsers]
    customers: dict[HaloCustomerId, HaloCustomer]
    index: Index
    names: Names


def contract_doubts(mapping: Mapping, today: date) -> tuple[Doubt, ...]:
    """A fixed quantity whose last day is over: nobody has said what follows."""
    rule = mapping.quantity
    if mapping.retired or not has_ended(rule, today):
        return ()
    message = f"the fixed quantity of {rule.fixed} held until {rule.until}; what follows has to be agreed"
    remedy = (
        f"agree with the customer, then edit the quantity at {mapping.place}: a later until, another fixed, or delete "
        "fixed, reason and until to count users again"
    )
    return (Doubt(rule=Rule.CONTRACT_EXPIRED, message=message, remedy=remedy),)


def reading_doubts(mapping: Mapping, live: Live) -> tuple[Doubt, ...]:
    """Clients that are not listed, or whose users could not be read. A number from the file needs neither."""
    if not mapping.counts_users:
        return ()
    doubts = []
    for ref in mapping.infima_clients:
        client, users = live.clients.get(ref.id), live.users.get(ref.id)
        if client is None:
            doubts.append(
                Doubt(
                    rule=Rule.CLIENT_MISSING,
                    message=f"INFIMA does not list client {ref.id} ({ref.name}); missing is not zero",
                    remedy=(
                        "look into INFIMA first: an outage looks like this too; if the client has left, set retired: "
                        "true; if it was archived by mistake, restore it"
                    ),
                )
            )
        elif mapping.quantity.count is CountRule.CLIENT_RECORD:
            if client.user_count is None:
                doubts.append(_unreadable(ref, "its record carries no usable user_count"))
        elif not isinstance(users, UserCount):
            doubts.append(_unreadable(ref, users.reason if users else "its users were not read"))
        elif users.without_status and users.active != client.user_count:
            doubts.append(_without_status(ref, users, client.user_count))
    return tuple(doubts)


def _without_status(ref: ClientRef, users: UserCount, said: int | None) -> Doubt:
    """Somebody without a status may be active. Where INFIMA's own count agrees without them, nobody is left out."""
    listed = "gives no number" if said is None else f"says {said}"
    return Doubt(
        rule=Rule.CLIENT_UNREADABLE,
        message=(
            f"users of INFIMA client {ref.id} ({ref.name}) without a status: {users.without_status} of {users.listed}; "
            f"{users.active} are active without them, and INFIMA's client list {listed}"
        ),
        remedy=(
            "give these users a status in INFIMA; or, where the client list has the right number, write "
            "quantity: {count: client_record}"
        ),
    )


def _unreadable(ref: ClientRef, why: str) -> Doubt:
    return Doubt(
        rule=Rule.CLIENT_UNREADABLE,
        message=f"the users of INFIMA client {ref.id} ({ref.name}) could not be read completely: {why}",
        remedy="run again; if it stays, check that the API key may read this client",
    )


def customer_doubts(mapping: Mapping, action: Action, customer: HaloCustomer | None, live: Live) -> tuple[Doubt, ...]:
    wanted = mapping.halo_customer
    doubts = []
    if customer is None and action is Action.CREATE:
        doubts.append(
            Doubt(
                rule=Rule.CUSTOMER_UNKNOWN,
                message=f"customer {wanted.id} ({wanted.name}) is not among HaloPSA's customers: nothing is created",
                remedy=f"correct halo_customer at {mapping.place}: reconciler customers SEARCH finds the id",
            )
        )
    elif not mapping.retired and (customer is None or customer.inactive):
        state = "is not among HaloPSA's customers" if customer is None else "is inactive in HaloPSA"
        doubts.append(
            Doubt(
                rule=Rule.CUSTOMER_INACTIVE,
                message=f"customer {wanted.id} ({wanted.name}) {state}",
                remedy=(
                    "activate the customer in HaloPSA, or set retired: true to bring the quantity to 0; if it is to be "
                    f"billed all the same, run: {allow_command(mapping.key, Rule.CUSTOMER_INACTIVE)}"
                ),
            )
        )
    return (*doubts, *name_doubts(mapping, live.names, creates=action is Action.CREATE))


def warnings_about(mapping: Mapping, action: Action, live: Live, now: datetime) -> list[str]:
    """Things a person should know that hold nothing. `now` is in the file's time zone."""
    found = strangers(mapping, live.names) if action is Action.CREATE else renamed(mapping, live.names)
    until = mapping.quantity.until
    if until is not None and not mapping.retired:
        left = (until - now.date()).days
        if 0 <= left <= _FIXED_ENDS_SOON_DAYS:
            when = "today" if left == 0 else f"in {left} {'day' if left == 1 else 'days'}"
            found.append(
                f"{mapping.key}: the fixed quantity ends {when} ({until.isoformat()}); after that the mapping is "
                "held until the entry is renewed or removed"
            )
    return found


_FIXED_ENDS_SOON_DAYS = 30


def probe_warnings(mappings: Mappings, recorded: Recorded, *, halo_url: str) -> Iterator[str]:
    """Sentences about a probe that was cut off, and about a marker field that the last one has seen fail."""
    for probe in recorded.probes:
        began = spelled(probe.recorded_at, mappings.settings.timezone)
        again = probe_command(str(probe.customer_id))
        yield f"a probe of {began} was cut off, or did not see all that it made stand at 0. Run again: {again}"
    field, lost = str(mappings.settings.marker_field), recorded.halo.of(halo_url).lost_markers
    if field in lost:  # it is then no second witness of a binding
        kept = next(str(other) for other in MarkerField if str(other) not in lost)
        setting = f"settings: {{marker_field: {kept}}}"
        yield f"by the last probe HaloPSA does not keep a marker in {field}: write {setting} into mappings.yaml"
