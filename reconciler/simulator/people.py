"""What people, and INFIMA's directory sync, do to the world between requests."""

from __future__ import annotations

from typing import Any

from reconciler.simulator.records import Actor, ClientRecord, Row


class People:
    """Edits by hand, as methods of the world. Each is one mutation in its log, never made by a request."""

    customers: dict[int, Row]
    infima_clients: dict[int, ClientRecord]

    def create_licence(self, fields: Row, *, actor: Actor) -> Row:
        """Store a new licence row; the world does it."""
        raise NotImplementedError

    def change_licence(self, licence_id: int, fields: Row, *, actor: Actor) -> Row:
        """Change members of a licence row; the world does it."""
        raise NotImplementedError

    def change_customer(self, customer_id: int, fields: Row, *, actor: Actor = Actor.PERSON) -> None:
        """Change members of a customer row; the world does it."""
        raise NotImplementedError

    def change_client(self, client_id: int, fields: Row, *, actor: Actor = Actor.PERSON) -> None:
        """Change attributes of an INFIMA client; the world does it."""
        raise NotImplementedError

    def add_client(self, client_id: int, name: str, active: int = 0, inactive: int = 0) -> Any:
        """Put an INFIMA client in place; the world does it."""
        raise NotImplementedError

    def add_customer(self, customer_id: int, name: str) -> Any:
        """Put a Halo customer in place; the world does it."""
        raise NotImplementedError

    def remove_client(self, client_id: int) -> None:
        """Delete an INFIMA client; the world does it."""
        raise NotImplementedError

    # ---- Halo, Subscriptions ----------------------------------------------------------------------------------------

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

    # ---- Halo, customers --------------------------------------------------------------------------------------------

    def person_renames_customer(self, customer_id: int, name: str) -> None:
        """Someone renames a Halo customer."""
        self.change_customer(customer_id, {"name": name})

    def person_deactivates_customer(self, customer_id: int) -> None:
        """Someone makes a Halo customer inactive."""
        self.change_customer(customer_id, {"inactive": True})

    def person_activates_customer(self, customer_id: int) -> None:
        """Someone makes a Halo customer active again."""
        self.change_customer(customer_id, {"inactive": False})

    # ---- INFIMA -----------------------------------------------------------------------------------------------------

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
