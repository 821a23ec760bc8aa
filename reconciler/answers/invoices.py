"""Whether Subscriptions are on a recurring invoice: one that is on none bills nothing, whatever its quantity.

Facts about recurring invoices are in the fact sheet, section 5. Nothing here ever writes; the reads go through a port.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from reconciler.answers.invoice_rows import (
    Row,
    day_in,
    elements_of,
    has_quantities,
    id_of,
    is_billing,
    is_live,
    is_over,
    lines_of,
    tells_lines,
    whole_number,
)
from reconciler.errors import ApiError
from reconciler.events import Observer, PhaseAdvanced, PhaseFinished, PhaseStarted
from reconciler.model import (
    Attached,
    HaloCustomerId,
    InvoiceLook,
    MappingKey,
    Outlook,
    Recorded,
    SubscriptionId,
    screen_numbers,
)
from reconciler.plan import LOOKS_HOLD
from reconciler.planning.changes import Action, Change

PHASE = "Reading recurring invoices"
NIGHT_REQUESTS = 50
"""So many requests a night may spend on recurring invoices (DESIGN 14)."""

FRESH = timedelta(hours=20)
"""A Subscription that was seen attached so recently is not looked at again."""


class InvoiceReader(Protocol):
    """What of HaloPSA is read."""

    @property
    def invoice_requests(self) -> int:
        """How many requests for recurring invoices were sent so far."""
        ...

    def recurring_invoices(self, most_requests: int | None = None) -> tuple[Row, ...]:
        """All recurring invoices, inactive ones included, with their lines where HaloPSA lists those.

        Raises `ApiError`, also where the list takes more than `most_requests` requests.
        """
        ...

    def recurring_invoice(self, invoice_id: int) -> Row:
        """One recurring invoice with its lines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A Subscription that is asked about: its customer, and the invoices on which it was seen before."""

    subscription_id: SubscriptionId
    customer_id: HaloCustomerId | None
    seen_on: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The verdict for one Subscription. `invoices` are ids as the API has them: negative.

    `everywhere` is false where only the invoices of its own customer were looked at.
    """

    verdict: Attached
    invoices: tuple[int, ...] = ()
    everywhere: bool = True

    @property
    def numbers(self) -> tuple[int, ...]:
        """The invoices' numbers as HaloPSA's screens show them."""
        return screen_numbers(self.invoices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look: the verdict of each Subscription that it could judge, and each customer's next invoice.

    A Subscription for which the requests did not suffice is in neither.
    """

    attachments: MappingABC[SubscriptionId, Attachment] = field(default_factory=dict)
    invoice_days: MappingABC[HaloCustomerId, date] = field(default_factory=dict)


def invoice_note(seen: Attachment | InvoiceLook) -> str:
    """A Subscription's place on recurring invoices, in words."""
    numbers = ", ".join(str(number) for number in screen_numbers(seen.invoices))
    noun = "invoice" if len(seen.invoices) == 1 else "invoices"
    match seen.verdict:
        case Attached.YES:
            return f"on recurring {noun} {numbers}"
        case Attached.PERHAPS:
            return f"perhaps on recurring {noun} {numbers}, which selects by criteria: look there"
        case Attached.DISABLED:
            return f"only on recurring {noun} {numbers}, where it is switched off or has ended: it bills nothing"
        case Attached.NO if not seen.everywhere:
            return "on no recurring invoice of its customer; the invoices of others were not checked"
        case _:
            return "on no recurring invoice: it bills nothing"


# ---------------------------------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------------------------------


def look(
    reader: InvoiceReader,
    wanted: Sequence[Wanted],
    *,
    today: date,
    observe: Observer,
    requests: int | None = None,
    everywhere: bool = True,
) -> Looked:
    """Look for Subscriptions on recurring invoices, those first that stand first.

    HaloPSA's list is asked for the lines; where it leaves them out each invoice is read, first those where a
    Subscription was seen before and those of its own customer. With `requests` no more than so many are sent, and what
    they do not suffice for is left out. Without `everywhere` other customers' invoices are not read. Raises `ApiError`.
    """
    observe(PhaseStarted(phase=PHASE))
    spent = reader.invoice_requests
    headers = {number: row for row in reader.recurring_invoices(requests) if (number := id_of(row)) is not None}
    pages = _Pages(today=today, wanted=wanted, headers=headers)
    own = pages.unread_own()
    others = sorted(set(pages.unread) - set(own), reverse=True)
    if requests is not None and len(pages.unread) > requests - (reader.invoice_requests - spent):
        others = []  # a part of the others proves nothing
    to_read = [*own, *(others if everywhere else ())]
    for done, number in enumerate(to_read, start=1):
        if pages.all_found() or (requests is not None and reader.invoice_requests - spent >= requests):
            break
        pages.take(number, reader.recurring_invoice(number))
        observe(PhaseAdvanced(phase=PHASE, done=done, total=len(to_read)))
    observe(PhaseFinished(phase=PHASE, detail=f"{len(headers) - len(pages.unread)} of {len(headers)} invoices"))
    return Looked(attachments=pages.attachments(), invoice_days=pages.days())


@dataclass(slots=True)
class _Found:
    """Invoices on which one Subscription was seen, by what they come to."""

    yes: set[int] = field(default_factory=set)
    disabled: set[int] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)

    def attachment(self, *, everywhere: bool) -> Attachment:
        for verdict, invoices in (
            (Attached.YES, self.yes),
            (Attached.PERHAPS, self.perhaps),
            (Attached.DISABLED, self.disabled),
        ):
            if invoices:
                ids = tuple(sorted(invoices, reverse=True))
                return Attachment(verdict=verdict, invoices=ids, everywhere=everywhere)
        return Attachment(verdict=Attached.NO, everywhere=everywhere)


class _Pages:
    """The invoices as far as they were read, and what they say of the wanted Subscriptions."""

    def __init__(self, *, today: date, wanted: Sequence[Wanted], headers: MappingABC[int, Row]) -> None:
        self._today = today
        self._wanted = wanted
        self._headers = headers
        self._found = {one.subscription_id: _Found() for one in wanted}
        listed = any(has_quantities(line) for row in headers.values() for line in lines_of(row))
        self.unread = [number for number, row in headers.items() if not (listed and tells_lines(row))]
        for number in headers.keys() - set(self.unread):
            self._judge(number, headers[number])

    def take(self, number: int, invoice: Row) -> None:
        """An invoice that was read by itself."""
        self._judge(number, {**self._headers[number], **invoice})
        self.unread.remove(number)

    def all_found(self) -> bool:
        """True when every wanted Subscription is known to be attached."""
        return all(one.yes for one in self._found.values())

    def unread_own(self) -> list[int]:
        """Invoices still to be read that most likely carry a wanted Subscription, in the order of the wanted."""
        by_customer: dict[int, list[int]] = {}
        for number in self.unread:
            by_customer.setdefault(whole_number(self._headers[number].get("client_id")) or 0, []).append(number)
        unread = set(self.unread)
        order: dict[int, None] = {}
        for one in self._wanted:
            order |= dict.fromkeys(number for number in one.seen_on if number in unread)
            order |= dict.fromkeys(by_customer.get(one.customer_id or -1, ()))
        return list(order)

    def attachments(self) -> dict[SubscriptionId, Attachment]:
        """The verdicts: of those that were found, and of those whose own customer's invoices were all read."""
        unread = set(self.unread)
        customers_unread = {whole_number(self._headers[number].get("client_id")) for number in unread}
        told = {}
        for one in self._wanted:
            found = self._found[one.subscription_id]
            if found.yes or not (one.customer_id in customers_unread or unread & set(one.seen_on)):
                told[one.subscription_id] = found.attachment(everywhere=not unread or bool(found.yes))
        return told

    def days(self) -> dict[HaloCustomerId, date]:
        """The day of each wanted Subscription's customer's next invoice: its own, or the one that carries it."""
        days: dict[HaloCustomerId, date] = {}

        def note(customer: int | None, row: Row) -> None:
            day = day_in(row.get("nextcreationdate"))
            if customer and day is not None and day >= self._today and is_billing(row, self._today):
                known = days.get(HaloCustomerId(customer))
                days[HaloCustomerId(customer)] = day if known is None else min(known, day)

        for row in self._headers.values():
            note(whole_number(row.get("client_id")), row)
        for one in self._wanted:
            for number in self._found[one.subscription_id].yes:
                note(one.customer_id, self._headers[number])
        return days

    def _judge(self, number: int, invoice: Row) -> None:
        bills, customer = is_billing(invoice, self._today), whole_number(invoice.get("client_id"))
        for line in lines_of(invoice):
            live = bills and is_live(line) and not is_over(line.get("enddate"), self._today)
            for element in elements_of(line):
                licence = whole_number(element.get("licence_id"))
                if licence:
                    one = self._found.get(SubscriptionId(licence))
                    if one is not None:
                        (one.yes if live else one.disabled).add(number)
                elif live:  # it selects by criteria: which Subscriptions those catch only HaloPSA knows
                    for wanted in self._wanted:
                        if wanted.customer_id is not None and wanted.customer_id == customer:
                            self._found[wanted.subscription_id].perhaps.add(number)


# ---------------------------------------------------------------------------------------------------------------------
# What is remembered
# ---------------------------------------------------------------------------------------------------------------------


def night_look(
    reader: InvoiceReader, changes: Sequence[Change], recorded: Recorded, *, now: datetime, observe: Observer
) -> Outlook:
    """What a night sees of the recurring invoices, within its requests, on top of what was remembered.

    It looks first at the Subscriptions that were never seen attached, then at the oldest looks, and last at those that
    may be meant by a held create. Where nothing is due nothing is asked; where HaloPSA refuses, the outlook says why,
    and all looks stay as they are.
    """
    outlook = recorded.outlook
    wanted, others = due(changes, recorded, now=now), _others_due(changes, recorded, now=now)
    everything = [*wanted.values(), *others]
    if not everything:
        return outlook
    try:
        looked = look(reader, everything, today=now.date(), observe=observe, requests=NIGHT_REQUESTS)
    except ApiError as error:
        observe(PhaseFinished(phase=PHASE, detail=f"not checked: {error.message}"))
        return replace(outlook, unread=f"{error.message} {error.hint}".strip())
    outlook = remember(outlook, looked, {key: one.subscription_id for key, one in wanted.items()}, now=now)
    seen = {one.subscription_id: _seen(one.subscription_id, looked, now) for one in others}
    kept = {number: one for number, one in outlook.other_looks.items() if now - one.looked_at <= LOOKS_HOLD}
    return replace(outlook, other_looks=kept | {number: one for number, one in seen.items() if one is not None})


def _others_due(changes: Sequence[Change], recorded: Recorded, *, now: datetime) -> list[Wanted]:
    """The Subscriptions that no mapping has, beside a create that is held; none where every look is fresh enough."""
    held = (c for c in changes if c.action is Action.CREATE and c.hold is not None)
    found = [(one.id, change.mapping.halo_customer.id) for change in held for one in change.unowned if one.live]
    looks = {number: recorded.other_looks.get(number) for number, _ in found}
    if all(seen is not None and now - seen.looked_at < FRESH for seen in looks.values()):
        return []
    return [
        Wanted(subscription_id=number, customer_id=customer, seen_on=seen.invoices if (seen := looks[number]) else ())
        for number, customer in dict(found).items()
    ]


def _seen(number: SubscriptionId, looked: Looked, now: datetime) -> InvoiceLook | None:
    found = looked.attachments.get(number)
    if found is None:
        return None
    return InvoiceLook(
        subscription_id=number,
        looked_at=now,
        verdict=found.verdict,
        invoices=found.invoices,
        everywhere=found.everywhere,
    )


def due(changes: Sequence[Change], recorded: Recorded, *, now: datetime) -> dict[MappingKey, Wanted]:
    """Whose Subscription a night looks for, in the order of the looking; empty where every look is fresh enough."""
    wanted = wanted_of(changes, recorded)
    looks = [look_of(key, recorded) for key in wanted]
    fresh = all(seen is not None and seen.verdict is Attached.YES and now - seen.looked_at < FRESH for seen in looks)
    return {} if fresh else wanted


def wanted_of(changes: Sequence[Change], recorded: Recorded) -> dict[MappingKey, Wanted]:
    """Every Subscription that should be billed: those never seen attached first, then the oldest looks."""
    found: list[tuple[tuple[bool, str, MappingKey], Wanted]] = []
    for change in changes:
        binding, seen = recorded.bindings.get(change.key), look_of(change.key, recorded)
        number = binding.subscription_id if binding else change.before.id if change.before else None
        if number is None or change.mapping.retired:
            continue
        wanted = Wanted(
            subscription_id=number,
            customer_id=binding.customer_id if binding else change.mapping.halo_customer.id,
            seen_on=seen.invoices if seen is not None else (),
        )
        attached = seen is not None and seen.verdict is Attached.YES
        looked_at = seen.looked_at.astimezone(UTC).isoformat() if seen is not None else ""
        found.append(((attached, looked_at, change.key), wanted))
    return {rank[2]: wanted for rank, wanted in sorted(found, key=lambda row: row[0])}


def look_of(key: MappingKey, recorded: Recorded) -> InvoiceLook | None:
    """The remembered look at this key's Subscription; one at another Subscription says nothing of this one."""
    seen, binding = recorded.outlook.looks.get(key), recorded.bindings.get(key)
    fits = seen is not None and (binding is None or binding.subscription_id == seen.subscription_id)
    return seen if fits else None


def remember(
    outlook: Outlook, looked: Looked, asked: MappingABC[MappingKey, SubscriptionId], *, now: datetime
) -> Outlook:
    """The outlook with a look's verdicts in it. A person's word stands while no look contradicts it."""
    looks = dict(outlook.looks)
    for key, number in asked.items():
        found = looked.attachments.get(number)
        if found is None:
            continue
        before = looks.get(key)
        known = before if before is not None and before.subscription_id == number else None
        attached = found.verdict is Attached.YES
        open_question = found.verdict is Attached.PERHAPS or not found.everywhere
        looks[key] = InvoiceLook(
            subscription_id=number,
            looked_at=now,
            verdict=found.verdict,
            invoices=found.invoices,
            everywhere=found.everywhere,
            attached_at=now if attached else known.attached_at if known else None,
            word=known.word if known and open_question else "",
        )
    return replace(outlook, looks=looks, invoice_days={**outlook.invoice_days, **looked.invoice_days}, unread="")
