"""What the world keeps account of: its INFIMA clients, each change that was applied, each request that came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Row = dict[str, Any]
"""An object of either system as it goes over the wire."""


class System(StrEnum):
    """Which of the two systems a request went to."""

    INFIMA = "infima"
    HALO = "halo"


class Endpoint(StrEnum):
    """What a request was for; faults are aimed at these."""

    PARTNER = "infima.partner"
    CLIENTS = "infima.clients"
    USERS = "infima.users"
    TOKEN = "halo.token"  # noqa: S105 - the name of an endpoint
    LICENCES = "halo.licences"
    LICENCE = "halo.licence"
    WRITE = "halo.write"
    DELETE = "halo.delete"
    CUSTOMERS = "halo.customers"
    CUSTOMER = "halo.customer"
    INVOICES = "halo.invoices"
    INVOICE = "halo.invoice"
    CHANGES = "halo.changes"
    OTHER = "other"


class Actor(StrEnum):
    """Who made a change."""

    API = "api"  # a request, through a client of the API
    PERSON = "person"  # somebody in the vendor's web pages
    HALO = "halo"  # Halo by itself, beside what a request asked for
    DIRECTORY = "directory"  # INFIMA's sync of users


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One applied change. `changes` maps each changed field to (old, new); absent is None."""

    number: int
    time: datetime
    kind: str  # licence | customer | client
    object_id: int
    action: str  # create | update | delete
    changes: dict[str, tuple[Any, Any]]
    actor: Actor
    request: int | None  # number of the request that caused it; None for people


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request as it was received, and what was answered. Secrets are not kept."""

    number: int
    time: datetime
    system: System
    endpoint: Endpoint
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str
    user_agent: str
    mutating: bool  # whether the method may change something; the token request does not count
    connection: int | None = None  # number of the TCP connection, over real HTTP
    status: int | None = None  # None: no answer was given
    fault: str | None = None


@dataclass(slots=True, kw_only=True)
class ClientRecord:
    """An organisation in INFIMA with its users; users are made up from counts when they are asked for.

    `members` overrides members of the client's row on the wire (a hostile `user_count`), `extra_users` are appended
    to the user list as they are (a pending user, a status of null).
    """

    id: int
    name: str
    active: int = 0
    inactive: int = 0
    archived: bool = False
    gone: int = 0  # active users that left the list from its front, so that later ones move up
    stale_count: int | None = None  # what `user_count` says when it lags behind
    members: Row = field(default_factory=dict)
    extra_users: list[Row] = field(default_factory=list)

    def users(self) -> Iterator[Row]:
        """Active users first, then inactive ones, then the extra ones, in a stable order."""
        first = self.id * 100_000
        yield from (_user(first + self.gone + number, "active") for number in range(self.active))
        yield from (_user(first + 50_000 + number, "inactive") for number in range(self.inactive))
        yield from map(dict, self.extra_users)


FIRST_NAMES = ("Ada", "Bram", "Chloe", "Dinesh", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kaja", "Liam")
LAST_NAMES = ("Aalto", "Brandt", "Castillo", "Dube", "Eriksen", "Fontaine", "Gupta", "Haas", "Ito", "Jansen", "Kovac")


def _user(number: int, status: str) -> Row:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    return {
        "id": number,
        "email": f"{first}.{last}.{number}@example.com".lower(),
        "first_name": first,
        "last_name": last,
        "department": ("Sales", "Care", "Finance", "Office")[number % 4],
        "status": status,
        "preferred_language": "en",
        "role": ("Standard", "Finance", "Admin", "Executive")[number % 4],
        "created_date": "2025-02-03T08:00:00Z",
        "training_on_track": number % 3 != 0,
        "courses_behind": number % 3,
        "risk_score": 330 + number % 369,
        "phishing_click_rate_total": float(number % 40),
        "phishing_click_rate_last_year": float(number % 30),
    }
