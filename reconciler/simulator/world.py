"""One in-memory world behind both APIs, with its own account of what happened to it.

Oracles judge by `mutations` and `requests`, never by what the program says of itself. Every method may be called from
several threads; a request is handled while holding `lock`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock
from typing import Any, NamedTuple

from reconciler.clock import Clock, SystemClock
from reconciler.simulator.records import Actor, ClientRecord, Mutation, RequestRecord, Row
from reconciler.simulator.switches import Switches


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCredentials:
    """What a client has to present. Made up, and meant to look so."""

    infima_api_key: str = "simulator-infima-key"
    halo_client_id: str = "simulator-client-id"
    halo_client_secret: str = "simulator-client-secret"  # noqa: S105 - made up
    halo_tenant: str = "simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token that Halo handed out."""

    scopes: frozenset[str]
    expires: datetime


class EarlierRow(NamedTuple):
    """What a licence row was before its latest changes: for listings that lag behind."""

    time: datetime
    listing: int
    before: Row | None


class World:
    """INFIMA's partner and clients, Halo's customers, licence rows and recurring invoices, and the log of changes."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        partner: str = "Northwind Managed IT",
        switches: Switches | None = None,
        credentials: WorldCredentials | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.lock = RLock()
        self.partner = partner
        self.switches = switches or Switches()
        self.credentials = credentials or WorldCredentials()
        self.infima_clients: dict[int, ClientRecord] = {}
        self.customers: dict[int, Row] = {}
        self.licences: dict[int, Row] = {}
        self.invoices: dict[int, Row] = {}
        self.mutations: list[Mutation] = []
        self.requests: list[RequestRecord] = []
        self.tokens: dict[str, Token] = {}
        self.infima_key_revoked = False
        self.accepted: deque[datetime] = deque()  # times of Halo requests inside the rate window
        self.past: dict[int, list[EarlierRow]] = {}  # earlier states of each licence row, oldest first
        self.listings = 0  # whole listings of licences begun so far
        self.nights = 0
        self._request: int | None = None
        self._issued = 0
        self._last_licence_id = 9000

    # ---- setting a world up: what is not in the log ------------------------------------------------------------------

    def add_client(self, client_id: int, name: str, active: int = 0, inactive: int = 0, **more: Any) -> ClientRecord:
        """Add an INFIMA client."""
        client = ClientRecord(id=client_id, name=name, active=active, inactive=inactive, **more)
        self.infima_clients[client_id] = client
        return client

    def add_customer(self, customer_id: int, name: str, **members: Any) -> Row:
        """Add a Halo customer; `members` are further members of its row."""
        row = {
            "id": customer_id,
            "name": name,
            "toplevel_id": 12,
            "toplevel_name": "Customers",
            "inactive": False,
            "use": "area",
            "key": customer_id,
            "is_account": False,
            "main_site_id": customer_id + 10_000,
            "accountsid": f"C{customer_id:05}",
            "customfields": [],
        } | members
        self.customers[customer_id] = row
        return row

    def add_licence(
        self, customer_id: int, name: str, count: float = 0, *, licence_id: int | None = None, **members: Any
    ) -> int:
        """Add a licence row, a Subscription unless `type=0` is among the members; returns its id."""
        fields = {"type": 1, "client_id": customer_id, "name": name, "count": count} | members
        number = licence_id or self._last_licence_id + 1
        self.licences[number] = self._complete(fields, number)
        self._last_licence_id = max(self._last_licence_id, number)
        return number

    def add_invoice(
        self, customer_id: int, name: str, lines: list[Row], /, *, disabled: bool = False, **members: Any
    ) -> int:
        """Add a recurring invoice; ids count down from -10, as Halo's do. Lines are whole rows; returns the id."""
        invoice_id = int(members.get("id", min(self.invoices, default=-9) - 1))
        self.invoices[invoice_id] = {
            "id": invoice_id,
            "client_id": customer_id,
            "client_name": self.customers[customer_id]["name"],
            "internal_note": name,
            "disabled": disabled,
            "period": 3,
            "nextcreationdate": "2026-12-01T00:00:00",
            "startdate": "2025-01-01T00:00:00",
            "lines": lines,
        } | members
        return invoice_id

    # ---- changes that are logged -------------------------------------------------------------------------------------

    def create_licence(self, fields: Row, *, actor: Actor) -> Row:
        """Store a new licence row under the next id and log it; returns the row."""
        with self.lock:
            licence_id = self._last_licence_id + 1
            row = self._complete(fields, licence_id)
            self._last_licence_id = licence_id
            self._remember(licence_id, None)
            self.licences[licence_id] = row
            self._log("licence", licence_id, "create", {name: (None, value) for name, value in row.items()}, actor)
            return row

    def change_licence(self, licence_id: int, fields: Row, *, actor: Actor) -> Row:
        """Change members of a licence row (None removes one) and log what differs; returns the row as it is then."""
        with self.lock:
            before = self.licences[licence_id]
            after = {name: value for name, value in (before | fields).items() if value is not None}
            changes = _differences(before, after)
            if changes:
                self._remember(licence_id, before)
                self.licences[licence_id] = after
                action = "delete" if changes.get("deleted", (None, None))[1] is True else "update"
                self._log("licence", licence_id, action, changes, actor)
            return after

    def change_customer(self, customer_id: int, fields: Row, *, actor: Actor = Actor.PERSON) -> None:
        """Change members of a Halo customer's row and log what differs."""
        with self.lock:
            before = self.customers[customer_id]
            self.customers[customer_id] = before | fields
            self._log("customer", customer_id, "update", _differences(before, before | fields), actor)

    def change_client(self, client_id: int, fields: Row, *, actor: Actor = Actor.PERSON) -> None:
        """Change attributes of an INFIMA client and log what differs."""
        with self.lock:
            client = self.infima_clients[client_id]
            before = {name: getattr(client, name) for name in fields}
            self.infima_clients[client_id] = replace(client, **fields)
            self._log("client", client_id, "update", _differences(before, fields), actor)

    def remove_client(self, client_id: int) -> None:
        """Delete an INFIMA client and log it."""
        with self.lock:
            client = self.infima_clients.pop(client_id)
            self._log("client", client_id, "delete", {"name": (client.name, None)}, Actor.PERSON)

    # ---- what people do: Subscriptions -------------------------------------------------------------------------------

    def person_sets_count(self, licence_id: int, count: float) -> None:
        """Someone types another quantity."""
        self.change_licence(licence_id, {"count": count}, actor=Actor.PERSON)

    def person_edits(self, licence_id: int, **members: Any) -> None:
        """Someone edits any other member: price, notes, the marker's field; None empties it."""
        self.change_licence(licence_id, members, actor=Actor.PERSON)

    def person_renames(self, licence_id: int, name: str) -> None:
        """Someone renames a Subscription."""
        self.change_licence(licence_id, {"name": name}, actor=Actor.PERSON)

    def person_moves(self, licence_id: int, customer_id: int) -> None:
        """Someone moves a Subscription to another customer."""
        moved = {"client_id": customer_id, "client_name": self.customers[customer_id]["name"]}
        self.change_licence(licence_id, moved, actor=Actor.PERSON)

    def person_deactivates(self, licence_id: int) -> None:
        """Someone makes a Subscription inactive."""
        self.change_licence(licence_id, {"is_active": False}, actor=Actor.PERSON)

    def person_activates(self, licence_id: int) -> None:
        """Someone makes a Subscription active again."""
        self.change_licence(licence_id, {"is_active": True}, actor=Actor.PERSON)

    def person_deletes(self, licence_id: int) -> None:
        """Someone deletes a Subscription; Halo keeps the row with its soft flag."""
        self.change_licence(licence_id, {"deleted": True}, actor=Actor.PERSON)

    def person_creates(self, customer_id: int, name: str, count: float = 0, **members: Any) -> int:
        """Someone makes a Subscription by hand; returns its id."""
        fields = {"type": 1, "client_id": customer_id, "name": name, "count": count} | members
        return int(self.create_licence(fields, actor=Actor.PERSON)["id"])

    # ---- what people do: customers -----------------------------------------------------------------------------------

    def person_renames_customer(self, customer_id: int, name: str) -> None:
        """Someone renames a Halo customer."""
        self.change_customer(customer_id, {"name": name})

    def person_deactivates_customer(self, customer_id: int) -> None:
        """Someone makes a Halo customer inactive."""
        self.change_customer(customer_id, {"inactive": True})

    def person_activates_customer(self, customer_id: int) -> None:
        """Someone makes a Halo customer active again."""
        self.change_customer(customer_id, {"inactive": False})

    # ---- what people and INFIMA's directory sync do: clients ---------------------------------------------------------

    def users_join(self, client_id: int, number: int = 1) -> None:
        """That many active users join."""
        client = self.infima_clients[client_id]
        self.change_client(client_id, {"active": client.active + number}, actor=Actor.DIRECTORY)

    def users_leave(self, client_id: int, number: int = 1, *, removed: bool = False) -> None:
        """That many active users become inactive, or disappear from the front of the list when removed."""
        client = self.infima_clients[client_id]
        number = min(number, client.active)
        left = {"gone": client.gone + number} if removed else {"inactive": client.inactive + number}
        self.change_client(client_id, {"active": client.active - number} | left, actor=Actor.DIRECTORY)

    def users_become(self, client_id: int, active: int, inactive: int | None = None) -> None:
        """Set the number of active users, and of inactive ones where given."""
        members: Row = {"active": active} | ({} if inactive is None else {"inactive": inactive})
        self.change_client(client_id, members, actor=Actor.DIRECTORY)

    def person_adds_client(self, name: str, active: int = 0, inactive: int = 0) -> int:
        """Someone signs up an INFIMA client; returns its id."""
        client_id = max(self.infima_clients, default=100) + 1
        self.add_client(client_id, name, active, inactive)
        return client_id

    def person_adds_customer(self, name: str) -> int:
        """Someone makes a Halo customer; returns its id."""
        customer_id = max(self.customers, default=10) + 1
        self.add_customer(customer_id, name)
        return customer_id

    def person_renames_client(self, client_id: int, name: str) -> None:
        """Someone renames an INFIMA client."""
        self.change_client(client_id, {"name": name})

    def person_archives_client(self, client_id: int) -> None:
        """Someone archives an INFIMA client: training and billing stop, the data stays."""
        self.change_client(client_id, {"archived": True})

    def person_removes_client(self, client_id: int) -> None:
        """Someone deletes an INFIMA client."""
        self.remove_client(client_id)

    # ---- requests ----------------------------------------------------------------------------------------------------

    @contextmanager
    def acting_for(self, request: int | None) -> Iterator[None]:
        """Changes made inside are logged as made by that request; with None, by no request."""
        with self.lock:
            before, self._request = self._request, request
            try:
                yield
            finally:
                self._request = before

    def issue_token(self, scopes: frozenset[str], expires: datetime) -> str:
        """Hand out an access token; only the world knows what it stands for."""
        with self.lock:
            self._issued += 1
            name = f"simulator-token-{self._issued}"
            self.tokens[name] = Token(scopes=scopes, expires=expires)
            return name

    def live_subscriptions(self) -> list[Row]:
        """Every row of type 1 that is not deleted, active or not."""
        return [row for row in self.licences.values() if row.get("type") == 1 and not row.get("deleted")]

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _complete(self, fields: Row, licence_id: int) -> Row:
        customer = self.customers.get(fields.get("client_id", -1), {})
        row: Row = {
            "id": licence_id,
            "type": 0,
            "count": 0,
            "client_name": customer.get("name"),
            "site_id": -1,
            "is_active": True,
            "deleted": False,
            "price": 0.0,
            "purchase_price": 0.0,
            "monthly_price": 0.0,
            "monthly_cost": 0.0,
            "billing_cycle": "Monthly",
            "start_date": "1901-01-01T00:00:00",
            "end_date": "1901-01-01T00:00:00",
            "licences_in_use": 0.0,
            "key": licence_id,
            "use": "licence",
        }
        row |= fields | {"id": licence_id}
        return {name: value for name, value in row.items() if value is not None}

    def _remember(self, licence_id: int, before: Row | None) -> None:
        self.past.setdefault(licence_id, []).append(EarlierRow(self.clock.now(), self.listings, before))

    def _log(self, kind: str, object_id: int, action: str, changes: dict[str, tuple[Any, Any]], actor: Actor) -> None:
        if changes:
            made = Mutation(
                number=len(self.mutations) + 1, time=self.clock.now(), kind=kind, object_id=object_id, action=action,
                changes=changes, actor=actor, request=self._request,
            )  # fmt: skip
            self.mutations.append(made)


def _differences(before: Row, after: Row) -> dict[str, tuple[Any, Any]]:
    names = [*before, *(name for name in after if name not in before)]
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
