"""The ports: what the core needs from INFIMA and from HaloPSA, in the trade's words and free of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Protocol

from reconciler.model import (
    HaloCustomer,
    HaloCustomerId,
    InfimaClient,
    InfimaClientId,
    Json,
    MappingKey,
    Subscription,
    SubscriptionId,
    UnreadableUsers,
    UserCount,
)


class CountSource(Protocol):
    """Where counts come from: INFIMA. Every method reads completely or raises an `ApiError`."""

    def partner(self) -> str:
        """Name of the partner that the key belongs to."""
        ...

    def clients(self) -> tuple[InfimaClient, ...]:
        """All clients, sorted by id."""
        ...

    def user_counts(self, client_ids: Sequence[InfimaClientId]) -> tuple[UserCount | UnreadableUsers, ...]:
        """Active users of each client, in the order asked; read concurrently.

        One client that cannot be read yields `UnreadableUsers`; a 401, or a source that fails client after client,
        raises.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """The template of a create. The quantity is not part of it: a Subscription is always created with count 0."""

    key: MappingKey
    customer_id: HaloCustomerId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWrite:
    """Set one existing Subscription's quantity to an absolute whole number."""

    subscription_id: SubscriptionId
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest:
    """A mutating request as inert bytes, so that what is journaled before the write is what goes out."""

    body: bytes

    @property
    def sha256(self) -> str:
        """Hash of the exact bytes, hexadecimal."""
        return sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A clean 2xx. `subscription_id` is what the answer names for a single create, where it names one."""

    subscription_id: SubscriptionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A definite no without effect: 400, 403, 404, 409, 415 or 422, or the connection was never made (status None)."""

    status: int | None
    message: str

    @property
    def lacks_right(self) -> bool:
        """True for 403: every further write would fail the same way."""
        return self.status == HTTPStatus.FORBIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """Whether the write took effect is unknown: 401, 408, 429, 5xx, no answer, an unreadable answer or a warning.

    `warned` holds what HaloPSA says in `_warning` about single rows, by the id that the answer gives them;
    `retry_after` is how many seconds it asks to wait.
    """

    status: int | None
    message: str
    retry_after: float | None = None
    warned: Mapping[SubscriptionId, str] = field(default_factory=dict)

    @property
    def server_failed(self) -> bool:
        """False for a 2xx that could not be made out: that speaks of an odd answer, not of a server in trouble."""
        return self.status is None or not HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def throttled(self) -> bool:
        """True for 429: HaloPSA's request limit. Whether it comes before any effect is not known (FAULTS, Q9)."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


WriteAnswer = Accepted | Refused | Unclear


class SubscriptionTarget(Protocol):
    """Where quantities go: HaloPSA. Reads are complete or raise; a write is sent once and raises no `ApiError`."""

    def customers(self) -> tuple[HaloCustomer, ...]:
        """All customers, inactive ones included, sorted by id."""
        ...

    def subscriptions(self) -> tuple[Subscription, ...]:
        """One complete listing of `SoftwareLicence` (licences and inactive rows included), sorted by id."""
        ...

    def subscription(self, subscription_id: SubscriptionId) -> Subscription:
        """One Subscription by its id. Raises `NotFound` where HaloPSA does not know it."""
        ...

    def find_customers(self, search: str, *, include_inactive: bool = False) -> tuple[HaloCustomer, ...]:
        """The customers that HaloPSA's own search finds. Its rules are not known: never decide by it."""
        ...

    @property
    def invoice_requests(self) -> int:
        """How many requests for recurring invoices were sent so far."""
        ...

    def recurring_invoices(self, most_requests: int | None = None) -> tuple[Mapping[str, Json], ...]:
        """All recurring invoices as HaloPSA gives them, inactive ones included, with their lines where it lists those.

        Raises `ApiError`, also where the list takes more than `most_requests` requests.
        """
        ...

    def recurring_invoice(self, invoice_id: int) -> Mapping[str, Json]:
        """One recurring invoice with its lines."""
        ...

    def prepare_create(self, new: NewSubscription) -> WriteRequest:
        """The one POST that creates a Subscription: array of one, count 0, marker inside."""
        ...

    def prepare_counts(self, writes: Sequence[CountWrite], *, along: Sequence[str] = ()) -> WriteRequest:
        """The POST that sets the counts, and nothing else, of Subscriptions that a listing of this run returned.

        The members in `along` go with them exactly as the last read showed them, where it showed any (FAULTS W18).
        An id which no listing returned raises `RequestForbidden`: Halo might create a row for it (FAULTS W9).
        """
        ...

    def send(self, request: WriteRequest) -> WriteAnswer:
        """Send a prepared write exactly once, whatever the answer; never raises an `ApiError`."""
        ...

    def wait(self, seconds: float, reason: str) -> None:
        """Wait, saying why. Raises `DeadlineExceeded` when the run has not that much time, `Interrupted` on a stop."""
        ...

    def await_budget(self, requests: int) -> None:
        """Wait until that many requests may go out without waiting, and the token outlives them."""
        ...


class Systems(Protocol):
    """Both systems, connected. `halo_url` is the instance's address, part of the tenant."""

    @property
    def source(self) -> CountSource:
        """INFIMA."""
        ...

    @property
    def target(self) -> SubscriptionTarget:
        """HaloPSA."""
        ...

    @property
    def halo_url(self) -> str:
        """Where HaloPSA is."""
        ...

    @property
    def restart_time(self) -> Callable[[], None]:
        """Lets the run's total time begin anew: after a person took theirs to answer."""
        ...

    @property
    def clock_ahead(self) -> Callable[[], timedelta | None]:
        """How far this machine's clock is ahead of HaloPSA's; None where HaloPSA's answers carry no date."""
        ...
