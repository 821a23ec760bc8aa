"""What the state remembers between runs, as frozen values, and what it says at the start of one (`Recorded`).

Inert like `model`: nothing here reads a clock, a file or a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Self

from reconciler.model import HaloCustomerId, InfimaClientId, MappingKey, RunId, SubscriptionId, Tenant


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
    rule: str = ""
    since: datetime
    next_invoice: date | None = None
    users: int = 0
    customer_id: HaloCustomerId | None = None
    subscription_id: SubscriptionId | None = None


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
class Remembered:
    """What the state remembers for the runs to come. An empty one is legal: markers and the file find again.

    `given_up` are the Subscriptions that count no more as a key's: a person said so with `resolve`. `undecided` are
    the keys of which nobody knows, since the state was lost, whether they had a Subscription; `never_bound` those that
    stood in the file when the first run wrote with this state, and of which it has known none since. `falls` are the
    nights in a row that have counted a fall which is not yet written. `probes` have begun and not ended. `offers` are
    the edits of mappings.yaml that were offered for review. `missing` are the clients that the file names and INFIMA
    does not list.
    """

    tenant: Tenant | None = None
    bindings: MappingABC[MappingKey, Binding] = field(default_factory=dict)
    attempts: MappingABC[MappingKey, Attempt] = field(default_factory=dict)
    given_up: MappingABC[MappingKey, tuple[SubscriptionId, ...]] = field(default_factory=dict)
    undecided: frozenset[MappingKey] = frozenset()
    never_bound: frozenset[MappingKey] = frozenset()
    last_good_run: datetime | None = None
    falls: Falls = field(default_factory=dict)
    open_runs: tuple[OpenRun, ...] = ()
    halo: HaloFacts = HaloFacts()
    probes: tuple[ProbeAttempt, ...] = ()
    looks: MappingABC[MappingKey, InvoiceLook] = field(default_factory=dict)
    other_looks: MappingABC[SubscriptionId, InvoiceLook] = field(default_factory=dict)
    invoice_days: MappingABC[HaloCustomerId, date] = field(default_factory=dict)
    invoices_unread: str = ""
    needs: tuple[Need, ...] = ()
    offers: Offers = field(default_factory=dict)
    missing: Missing = field(default_factory=dict)

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

    def with_outlook(self, outlook: Outlook) -> Self:
        """The same with another outlook."""
        return replace(
            self,
            looks=outlook.looks,
            other_looks=outlook.other_looks,
            invoice_days=outlook.invoice_days,
            invoices_unread=outlook.unread,
            needs=outlook.needs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Remembered):
    """What a run knows of its state: what is remembered, and about the state itself.

    `durable` is false where it dies with the job. `damage` says in words what is wrong with the newest records of
    earlier runs. `location` is how a person names the state; `is_new` is true where nothing stands there yet.
    """

    durable: bool = True
    damage: tuple[str, ...] = ()
    location: str = field(default="", compare=False)
    is_new: bool = field(default=False, compare=False)

    @property
    def untried(self) -> bool:
        """True where no run has written with this state: it holds nothing, or decisions by hand alone."""
        created = any(binding.origin is BindingOrigin.CREATED for binding in self.bindings.values())
        return self.tenant is None and not created
