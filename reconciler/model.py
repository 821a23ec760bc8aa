"""The words of the trade as frozen values: mappings, what was read from both systems, and who owns what.

Everything here is inert. Nothing in this module reads a clock, a file or a network, and nothing but the standard
library is imported, so that every other module may depend on it. Ids are `NewType`s: an INFIMA client id in the place
of a Halo customer id does not type-check.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
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


# -- What the state remembers -----------------------------------------------------------------------------------------


class BindingOrigin(StrEnum):
    """How a binding came to be."""

    CREATED = "created"  # this program created the Subscription
    FILE = "file"  # subscription_id in mappings.yaml
    MARKER = "marker"  # found again by the marker on the object
    ADOPTED = "adopted"  # a person ran adopt or resolve --adopt


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The recorded pair mapping key -> Subscription id.

    `awaiting_first_count` is true from a create until the first quantity was written and read back: such a
    Subscription stands at 0 because we made it so. `last_counted` is the number of users INFIMA gave when this
    binding's quantity was last confirmed, `last_quantity` the quantity that HaloPSA showed then.
    """

    key: MappingKey
    subscription_id: SubscriptionId
    customer_id: HaloCustomerId
    origin: BindingOrigin
    bound_at: datetime
    awaiting_first_count: bool = False
    last_counted: int | None = None
    last_quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedNight:
    """What one night counted while a fall is not yet written; `day` is a day of `settings.timezone`."""

    day: date
    counted: int


Falls = MappingABC[MappingKey, tuple[CountedNight, ...]]
"""The nights in a row, oldest first, that have counted each fall which is not yet written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One create request for one mapping, recorded before it is sent.

    `nonce` tells whose record it is when a store write was ambiguous. `generation` counts the attempts of one key
    from 1. While an attempt is recorded its outcome is unknown: settled ones are removed. `named_id` is what the
    create's answer named, where no listing showed it: it is read by itself before the attempt is ever replaced (H30).
    """

    key: MappingKey
    generation: int
    run: RunId
    nonce: str
    customer_id: HaloCustomerId
    subscription_name: str
    recorded_at: datetime
    named_id: SubscriptionId | None = None


class Attached(StrEnum):
    """What is known of a Subscription's place on recurring invoices, worst first."""

    NO = "not attached"
    DISABLED = "only where nothing is billed"
    PERHAPS = "perhaps attached"
    YES = "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLook:
    """What the newest look at recurring invoices showed of one mapping's Subscription.

    `invoices` are ids as the API has them: negative. `everywhere` is false where only the invoices of its own customer
    were looked at. `attached_at` is the last time that it was seen on a live one. `word` is the reason of a person who
    said that it is attached where no look can show it.
    """

    subscription_id: SubscriptionId
    looked_at: datetime
    verdict: Attached
    invoices: tuple[int, ...] = ()
    everywhere: bool = True
    attached_at: datetime | None = None
    word: str = ""

    @property
    def billed_on(self) -> tuple[int, ...] | None:
        """Numbers of the recurring invoices that bill it, as HaloPSA shows them; None where the look leaves it open."""
        if self.verdict is Attached.YES:
            return screen_numbers(self.invoices)
        return () if self.everywhere and self.verdict is not Attached.PERHAPS else None


def screen_numbers(invoices: Iterable[int]) -> tuple[int, ...]:
    """The numbers that HaloPSA's screens show for these ids of recurring invoices."""
    return tuple(-9 - number for number in invoices)


class NeedKind(StrEnum):
    """What waits for a person (DESIGN 14), in the order in which equal ones are listed."""

    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RECORD_MISSING = "record-missing"
    OVERDUE = "overdue"
    HELD = "held"
    STALE = "stale"
    NOT_INVOICED = "not-invoiced"
    ENDING = "ending"
    UNMAPPED = "unmapped"
    UNMANAGED = "unmanaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that waits for a person. All texts are plain; each drawing makes them safe at its own exit.

    `id` is the same on every night. `key` is the mapping's, empty where the need is about no mapping; `who` are the
    names. `step` is the next step: a command or a line of YAML that works when it is pasted. `next_invoice` is the day
    of the customer's next invoice, None where it is not known; `users` are those at stake.
    """

    kind: NeedKind
    id: str
    key: str
    who: str
    what: str
    step: str
    since: datetime
    rule: str = ""
    customer_id: HaloCustomerId | None = None
    subscription_id: SubscriptionId | None = None
    next_invoice: date | None = None
    users: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run leaves for later drawings: looks at invoices, the customers' next invoices, and the open needs.

    `other_looks` are those at Subscriptions that no mapping has, beside a create that is held. `unread` says why the
    recurring invoices could not be looked at last time, and is empty where they were.
    """

    looks: MappingABC[MappingKey, InvoiceLook] = field(default_factory=dict)
    other_looks: MappingABC[SubscriptionId, InvoiceLook] = field(default_factory=dict)
    invoice_days: MappingABC[HaloCustomerId, date] = field(default_factory=dict)
    unread: str = ""
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that began to write and whose end is not in the history: it is under way, or was cut off.

    `keys` are the mappings that it was about to write: what shows there may be its own write.
    """

    run: RunId
    journal: str
    since: datetime
    keys: tuple[MappingKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAttempt:
    """A probe that began to write at a customer, recorded before its first request; it is removed at its end.

    `word` stands in the names and markers of all that it makes.
    """

    customer_id: HaloCustomerId
    word: str
    run: RunId
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRecord:
    """What the newest probe of the HaloPSA at `halo_url` found out, and when (DESIGN 15).

    `answers` has for each question "yes", "no" or "could not be told", with what was seen. `unfit` says by question
    why this HaloPSA cannot be written safely, `advice` what to set or to know; both in sentences.
    """

    at: datetime
    halo_url: str
    answers: MappingABC[str, str] = field(default_factory=dict)
    unfit: MappingABC[str, str] = field(default_factory=dict)
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloFacts:
    """What this HaloPSA has shown of habits that no documentation tells, so that a later run need not find out again.

    `update_members` are the members that an update must hold besides id and count (FAULTS W18). The others are a
    probe's: `page_rows` is the most rows that a page holds, `lost_markers` are the fields that do not keep a marker,
    `lag_seconds` is how long a listing may not show what was written.
    """

    update_members: tuple[str, ...] = ()
    page_rows: int | None = None
    lost_markers: tuple[str, ...] = ()
    lag_seconds: int = 0
    probe: ProbeRecord | None = None

    def probe_of(self, halo_url: str) -> ProbeRecord | None:
        """The newest probe, where it was one of this HaloPSA."""
        return self.probe if self.probe is not None and self.probe.halo_url == halo_url else None

    def of(self, halo_url: str) -> HaloFacts:
        """What holds for this HaloPSA: what a probe of another one found says nothing of it."""
        other = self.probe is not None and self.probe.halo_url != halo_url
        return HaloFacts(update_members=self.update_members) if other else self


class Fate(StrEnum):
    """What became of a proposal (answers.proposals) that was offered for review."""

    OFFERED = "offered"
    TAKEN = "taken"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A proposed edit of mappings.yaml that was offered for review; the state keeps it under its fingerprint.

    `title` is for people. `since` is when its fate was learned, and `where` the place, such as "pull request 12".
    """

    key: str
    title: str
    fate: Fate
    since: datetime
    where: str = ""


Offers = MappingABC[str, Offer]
"""Fingerprint -> what was offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNights:
    """The nights in a row in which INFIMA's complete list lacked a client that the file names.

    `first` and `last` are days of `settings.timezone`; `nights` counts the days on which a run has looked.
    """

    first: date
    last: date
    nights: int


Missing = MappingABC[InfimaClientId, MissingNights]
"""The clients that the file names and INFIMA does not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the state says at the start of a run. An empty one is legal: markers and the file find again.

    `recreate` holds the keys for which a person said `resolve KEY --recreate`: their old Subscription is given up.
    `damage` says in words what is wrong with the newest records of earlier runs. `undecided` are the keys of which
    nobody knows, since the state was lost, whether they had a Subscription; `never_bound` those that stood in the file
    when the first run wrote with this state, and of which it has known none since. `location` is how a person names
    the state; `is_new` is true where nothing stands there yet. `falls` are the nights in a row that have counted a fall
    which is not yet written. `offers` are the edits of mappings.yaml that were offered for review. `missing` are the
    clients that the file names and INFIMA does not list. `probes` have begun and not ended.
    """

    tenant: Tenant | None = None
    bindings: MappingABC[MappingKey, Binding] = field(default_factory=dict)
    attempts: MappingABC[MappingKey, Attempt] = field(default_factory=dict)
    given_up: MappingABC[MappingKey, tuple[SubscriptionId, ...]] = field(default_factory=dict)
    last_good_run: datetime | None = None
    falls: Falls = field(default_factory=dict)
    open_runs: tuple[OpenRun, ...] = ()
    halo: HaloFacts = HaloFacts()
    probes: tuple[ProbeAttempt, ...] = ()
    durable: bool = True
    damage: tuple[str, ...] = ()
    undecided: frozenset[MappingKey] = frozenset()
    never_bound: frozenset[MappingKey] = frozenset()
    location: str = field(default="", compare=False)
    is_new: bool = field(default=False, compare=False)
    looks: MappingABC[MappingKey, InvoiceLook] = field(default_factory=dict)
    other_looks: MappingABC[SubscriptionId, InvoiceLook] = field(default_factory=dict)
    invoice_days: MappingABC[HaloCustomerId, date] = field(default_factory=dict)
    invoices_unread: str = ""
    needs: tuple[Need, ...] = ()
    offers: Offers = field(default_factory=dict)
    missing: Missing = field(default_factory=dict)

    @property
    def untried(self) -> bool:
        """True where no run has written with this state: it holds nothing, or decisions by hand alone."""
        created = any(binding.origin is BindingOrigin.CREATED for binding in self.bindings.values())
        return self.tenant is None and not created

    @property
    def outlook(self) -> Outlook:
        """What the last run left for later drawings."""
        return Outlook(
            looks=self.looks,
            other_looks=self.other_looks,
            invoice_days=self.invoice_days,
            unread=self.invoices_unread,
            needs=self.needs,
        )

    def with_outlook(self, outlook: Outlook) -> Recorded:
        """The same records with another outlook."""
        return replace(
            self,
            looks=outlook.looks,
            other_looks=outlook.other_looks,
            invoice_days=outlook.invoice_days,
            invoices_unread=outlook.unread,
            needs=outlook.needs,
        )
