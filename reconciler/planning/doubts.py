"""What is doubtful about a mapping's clients and customer, and what merely deserves a warning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from reconciler.model import (
    ClientRef,
    CountRule,
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Mapping,
    UnreadableUsers,
    UserCount,
)
from reconciler.planning.changes import Action
from reconciler.planning.index import Index
from reconciler.planning.quantity import has_ended
from reconciler.planning.rules import Doubt, Rule, allow_command
from reconciler.planning.witness import Names, name_doubts, renamed, strangers


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
