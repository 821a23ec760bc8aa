"""The words of the trade as frozen values: mappings.yaml, and what was read from both systems.

Everything here is inert. Nothing in this module reads a clock, a file or a network, and nothing but the standard
library is imported, so that every other module may depend on it. Ids are `NewType`s: an INFIMA client id in the place
of a Halo customer id does not type-check.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

InfimaClientId = NewType("InfimaClientId", int)
HaloCustomerId = NewType("HaloCustomerId", int)
SubscriptionId = NewType("SubscriptionId", int)
MappingKey = NewType("MappingKey", str)
RunId = NewType("RunId", str)

MAX_COUNT = 2**31 - 1
"""Largest count or id that is accepted from either system: Halo keeps both in a signed 32-bit column."""

SUBSCRIPTION_TYPE = 1
"""Value of `type` on a `SoftwareLicence` row that makes it a Subscription; 0 is a plain licence (halopsa.md 3.6)."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A decoded JSON value."""


class CountRule(StrEnum):
    """Where a client's count comes from."""

    ACTIVE_USERS = "active_users"  # walk the client's users, count those whose status is active
    CLIENT_RECORD = "client_record"  # trust `user_count` on INFIMA's client list


class MarkerField(StrEnum):
    """The field of a Subscription that carries the mapping's key, written once, at create."""

    SNOWID = "snowid"
    THIRD_PARTY_PRODUCTID = "third_party_productid"
    NOTES = "notes"
    NONE = "none"


# -- The desired state: mappings.yaml after it was read and found valid -----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in a text file. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRef:
    """An INFIMA client as mappings.yaml names it. The id identifies; the name is a second witness."""

    id: InfimaClientId
    name: str
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRef:
    """A Halo customer as mappings.yaml names it. The id identifies; the name is a second witness."""

    id: HaloCustomerId
    name: str
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityRule:
    """How a count of users becomes a quantity (DESIGN 5). Whole numbers throughout.

    `fixed` while it is set, else `counted - included`, at least `minimum`, at most `maximum`, never below 0.
    A `fixed` whose `until` has passed gives no number: its mapping is held (`contract-expired`).
    """

    count: CountRule = CountRule.ACTIVE_USERS
    included: int = 0
    minimum: int | None = None
    maximum: int | None = None
    fixed: int | None = None
    reason: str | None = None
    until: date | None = None
    allow_zero: bool = False


class PriceSource(StrEnum):
    """Who says what one user costs."""

    FILE = "mappings.yaml"
    HALO = "HaloPSA"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice:
    """What one user costs a month: for estimates and for limits given as amounts, never sent to HaloPSA.

    `currency` is three letters of ISO 4217.
    """

    amount: Decimal
    currency: str
    source: PriceSource = PriceSource.FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount a month in one currency (three letters of ISO 4217), as limits state it."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One entry of mappings.yaml: INFIMA client(s) -> Halo customer, with a quantity rule.

    `key` names it for ever: it is the marker on the Subscription and the key of the binding. `place` is where the
    entry stands in the file.
    """

    key: MappingKey
    infima_clients: tuple[ClientRef, ...]
    halo_customer: CustomerRef
    subscription_name: str
    quantity: QuantityRule
    place: Place
    subscription_id: SubscriptionId | None = None
    retired: bool = False
    price: UnitPrice | None = None

    @property
    def counts_users(self) -> bool:
        """True where the quantity comes from a count of users, not from a number in the reviewed file."""
        return not self.retired and self.quantity.fixed is None

    @property
    def walks_users(self) -> bool:
        """True where the users of its clients have to be read one by one."""
        return self.counts_users and self.quantity.count is CountRule.ACTIVE_USERS


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredClient:
    """An INFIMA client that is left out, on purpose."""

    client: ClientRef
    reason: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLimit:
    """A change is held when it exceeds both numbers: `users` (absolute) and `percent` of the live quantity.

    `amount` is a limit of its own: a change that moves the monthly amount by more is held, however few users it is.
    """

    users: int
    percent: int
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Safety limits of mappings.yaml with the defaults of DESIGN 5.

    `decrease_nights`: a fall is written only when so many nights in a row have counted it.
    """

    max_decrease: ChangeLimit = ChangeLimit(users=5, percent=25)
    max_increase: ChangeLimit = ChangeLimit(users=20, percent=50)
    max_total_decrease_percent: int = 20
    max_total_decrease: Money | None = None
    max_total_increase: Money | None = None
    max_creates: int = 20
    decrease_nights: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a reviewer of mappings.yaml has agreed to beforehand: one rule, within bounds, until the end of a day.

    `rule` is a safety rule's id. A rule about one mapping has its `key`, and where it is about a number the bounds
    `at_least` and `at_most` of the new quantity, both inclusive. A rule about the whole run has `up_to`: creates for
    `many-creates`, percent for `source-dropped`. `place` is where the entry stands in the file, `approved_by` who
    brought it in and when, where git tells.
    """

    rule: str
    until: date
    reason: str
    place: Place
    key: MappingKey | None = None
    at_least: int | None = None
    at_most: int | None = None
    up_to: int | None = None
    approved_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBudget:
    """At most `requests` requests in any rolling `seconds` seconds."""

    requests: int = 240
    seconds: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Operating settings of mappings.yaml with the defaults of DESIGN 5. Times are in the unit that the name says.

    Days, months and `until` are meant in `timezone`; its name is that of the IANA database.
    """

    marker_field: MarkerField = MarkerField.SNOWID
    halo_budget: RequestBudget = RequestBudget()
    batch: int = 50
    concurrency: int = 8
    request_timeout_seconds: int = 60
    run_timeout_minutes: int = 30
    marker_wait_seconds: int = 60
    settle_hours: int = 20
    currency: str | None = None
    timezone: tzinfo = UTC

    def day(self, moment: datetime) -> date:
        """The day that this moment lies in, in the user's time zone."""
        return moment.astimezone(self.timezone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mappings:
    """mappings.yaml, loaded and valid. `sha256` is of the text with LF as line end, without a byte order mark."""

    mappings: tuple[Mapping, ...]
    ignored: tuple[IgnoredClient, ...] = ()
    limits: Limits = Limits()
    approvals: tuple[Approval, ...] = ()
    settings: Settings = Settings()
    file: str = "mappings.yaml"
    sha256: str = ""


# -- The live state: everything one run read from both systems --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class InfimaClient:
    """One row of INFIMA's client list. The counters are None where the row does not carry a usable number."""

    id: InfimaClientId
    name: str
    user_count: int | None = None
    inactive_user_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCount:
    """A complete read of one client's users: `active` of the `listed` users have the status active.

    `without_status` of them have none at all, so that nobody can tell whether they are active.
    """

    client_id: InfimaClientId
    active: int
    listed: int
    without_status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableUsers:
    """One client's users could not be read completely; `reason` is a sentence for a person."""

    client_id: InfimaClientId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloCustomer:
    """A Halo `Client` row. `currency` is None where the row does not name one by its three letters."""

    id: HaloCustomerId
    name: str
    inactive: bool = False
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A Halo `SoftwareLicence` row, Subscription or plain licence.

    `count` is None where Halo sent no acceptable whole number. `raw` is the row as it came, for the check that a
    write changed nothing but the count; it takes no part in equality. `unit_price` is what one user costs a month by
    that row, in a currency that the row does not tell; None where the row does not say it beyond doubt. `last_day` is
    the end of its term, None where there is none or it renews by itself.
    """

    id: SubscriptionId
    customer_id: HaloCustomerId | None
    name: str
    count: int | None
    type: int = SUBSCRIPTION_TYPE
    is_active: bool = True
    deleted: bool = False
    marker: str | None = None
    unit_price: Decimal | None = None
    last_day: date | None = None
    raw: MappingABC[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def live(self) -> bool:
        """True for a Subscription that is neither deleted nor inactive."""
        return self.is_active and not self.deleted

    @property
    def quantity(self) -> int | None:
        """Its quantity that counts: 0 where it is deleted or inactive, whatever number it still carries."""
        return self.count if self.live else 0

    @property
    def is_subscription(self) -> bool:
        """False for a plain licence, which shares the endpoint and the id space."""
        return self.type == SUBSCRIPTION_TYPE


class Standing(StrEnum):
    """How a Subscription that is ours stands in a complete listing."""

    LIVE = "live"
    INACTIVE = "inactive"
    DELETED = "deleted"
    GONE = "gone"  # the listing does not have its id
    LET_GO = "let-go"  # no mapping, record or marker calls it ours any more: its quantity is not looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One Subscription that is ours, as a complete listing shows it.

    `quantity` is 0 where it is inactive, deleted or gone, None where HaloPSA gave no whole number or
    nobody looks any more. `managed` is false where no mapping of the file claims it; `key` is then the one it had.
    """

    subscription_id: SubscriptionId
    key: MappingKey
    quantity: int | None
    standing: Standing = Standing.LIVE
    managed: bool = True
    customer_id: HaloCustomerId | None = None
    customer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one complete listing showed of our Subscriptions, sorted by id. `at` is when the listing began.

    In a run's verdict `rows` are all of them; in a line of the history those that differ from what the lines before
    it tell.
    """

    at: datetime
    rows: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Which two systems a run spoke to. INFIMA has no partner id, so its name stands for it (infima.md 3)."""

    halo_url: str
    infima_partner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything read from both systems in one run: complete lists, sorted by id, or no observation at all.

    `listed_at` is when the listing of Subscriptions began, where that is not `taken_at`: counting users takes long.
    It takes no part in equality, and a saved snapshot goes without.
    """

    taken_at: datetime
    tenant: Tenant
    clients: tuple[InfimaClient, ...]
    user_counts: tuple[UserCount | UnreadableUsers, ...]
    customers: tuple[HaloCustomer, ...]
    subscriptions: tuple[Subscription, ...]
    listed_at: datetime | None = field(default=None, compare=False)
