"""The month's statement: what each Subscription stood at on the invoice day and over the month, beside INFIMA's count.

Every mapping and every Subscription that is or was ours has a row: a number, or why there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from reconciler.history.months import Month, end_of, start_of
from reconciler.history.spans import Span, Subject
from reconciler.history.timeline import Known, NotKnown, Timeline, Why, why_not_known
from reconciler.model import HaloCustomerId, MappingKey, Mappings, Shown, Standing, SubscriptionId, UnitPrice
from reconciler.moments import moment_in
from reconciler.planning.changes import Action, Outcome
from reconciler.planning.money import CENT, estimate
from reconciler.state.history import PastRun
from reconciler.state.recorded import InvoiceLook, Recorded


class DayKnown(StrEnum):
    """What a row says of the invoice day."""

    KNOWN = "known"
    NONE = "no-subscription"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a key is, as mappings.yaml and the state have it; the ids are None and the name empty where unknown.

    `look` is what the newest look at recurring invoices showed, None where nobody has looked.
    """

    customer_id: HaloCustomerId | None = None
    customer: str = ""
    subscription_id: SubscriptionId | None = None
    price: UnitPrice | None = None
    look: InvoiceLook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One Subscription's month, or a mapping without one. Quantities are whole users, None where not known.

    `invoiced` is what stood at the end of the invoice day, `seen_at` the newest listing by then that showed it, `why`
    the reason where there is no number. `average` is over the `days_known` of the month's `days` so far at whose end
    the quantity is known; days before it was ours are in neither. `counted` is INFIMA's newest recorded count at the
    invoice day; `difference` is what stands beyond it (below it, negative): included users, a minimum, a fixed
    quantity or a hold.
    """

    key: MappingKey
    whom: Owner
    told: DayKnown
    invoiced: int | None = None
    why: str = ""
    first: int | None = None
    last: int | None = None
    peak: int | None = None
    average: Decimal | None = None
    days_known: int = 0
    days: int = 0
    counted: int | None = None
    standing: Standing | None = None
    managed: bool = True
    seen_at: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> int | None:
        """Users at the invoice day more than INFIMA counted then."""
        return None if self.invoiced is None or self.counted is None else self.invoiced - self.counted

    @property
    def amount(self) -> Decimal | None:
        """The month's amount, an estimate; None without a price or a quantity."""
        return None if self.invoiced is None or self.whom.price is None else estimate(self.invoiced, self.whom.price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A month's rows, sorted by customer and key. `until` is when the month ends, or now while it has not.

    `day` is the invoice day; `over` says that it has passed, so that its numbers are final.
    """

    month: Month
    day: date
    over: bool
    invoice_at: datetime
    until: datetime
    rows: tuple[StatementRow, ...]

    @property
    def invoiced(self) -> int | None:
        """All users at the invoice day, as far as known; None where nothing is."""
        known = [row.invoiced for row in self.rows if row.invoiced is not None]
        return sum(known) if known or not self.unknown else None

    @property
    def amounts(self) -> dict[str, Decimal]:
        """The estimated sum in each currency."""
        sums: dict[str, Decimal] = {}
        for row in self.rows:
            if row.amount is not None and row.whom.price is not None:
                currency = row.whom.price.currency
                sums[currency] = sums.get(currency, Decimal(0)) + row.amount
        return dict(sorted(sums.items()))

    @property
    def known(self) -> int:
        """How many rows have a number for the invoice day."""
        return sum(row.told is DayKnown.KNOWN for row in self.rows)

    @property
    def unknown(self) -> int:
        """How many rows have a quantity that is not known for the invoice day."""
        return sum(row.told is DayKnown.NOT_KNOWN for row in self.rows)

    @property
    def unmade(self) -> int:
        """How many mappings had no Subscription at the invoice day."""
        return sum(row.told is DayKnown.NONE for row in self.rows)

    @property
    def unpriced(self) -> int:
        """How many rows have users and no amount, because no price is known."""
        return sum(bool(row.invoiced) and row.amount is None for row in self.rows)


def owners_of(
    mappings: Mappings | None, recorded: Recorded, prices: Mapping[MappingKey, UnitPrice] | None = None
) -> dict[MappingKey, Owner]:
    """Customer, Subscription and price of every key that the file or the state knows.

    `prices` are those that runs have read from HaloPSA; the one in the file wins.
    """
    known = {m.key: m for m in mappings.mappings} if mappings else {}
    found = {}
    for key in known.keys() | recorded.bindings.keys():
        mapping, binding = known.get(key), recorded.bindings.get(key)
        found[key] = Owner(
            customer_id=mapping.halo_customer.id if mapping else binding.customer_id if binding else None,
            customer=mapping.halo_customer.name if mapping else "",
            subscription_id=binding.subscription_id if binding else mapping.subscription_id if mapping else None,
            price=(mapping.price if mapping else None) or (prices or {}).get(key),
            look=recorded.looks.get(key),
        )
    return found


def make_statement(
    timeline: Timeline,
    whom: Mapping[MappingKey, Owner],
    month: Month,
    *,
    invoice_day: int,
    now: datetime,
    unmade: Mapping[MappingKey, str] | None = None,
) -> Statement:
    """The statement of a month that has begun. The invoice day counts as a whole, and ends with the month.

    `unmade` says of mappings without a Subscription why there is none; an empty reason means that nobody has looked.
    """
    day = month.days[min(invoice_day, len(month.days)) - 1]
    until = min(month.end, now)
    reader = _MonthReader(timeline=timeline, whom=whom, month=month, day=day, now=now)
    rows = [row for row in map(reader.row, timeline.lines) if row is not None]
    rows += [_unmade_row(key, whom.get(key, Owner()), why) for key, why in (unmade or {}).items()]
    return Statement(
        month=month,
        day=day,
        over=end_of(day, month.zone) <= now,
        invoice_at=min(end_of(day, month.zone), until),
        until=until,
        rows=tuple(sorted(rows, key=lambda r: (r.whom.customer.casefold(), r.key, r.whom.subscription_id or 0))),
    )


def _unmade_row(key: MappingKey, whom: Owner, why: str) -> StatementRow:
    return StatementRow(
        key=key,
        whom=replace(whom, subscription_id=None, look=None),
        told=DayKnown.NONE if why else DayKnown.NOT_KNOWN,
        why=why or "no run has looked at this mapping yet",
    )


def unmade_mappings(mappings: Mappings | None, timeline: Timeline, runs: Sequence[PastRun]) -> dict[MappingKey, str]:
    """The mappings that never had a Subscription, and why; an empty reason where no run has looked at them."""
    if mappings is None:
        return {}
    made = {span.shown.key for line in timeline.lines.values() for span in line if span.shown.managed}
    looked = [run for run in runs if run.verdict.sightings != () and not run.verdict.decision]
    same_file = bool(looked) and looked[-1].info.mappings_sha256 == mappings.sha256
    newest = {change.key: change for run in looked for change in run.verdict.changes}
    found = {}
    for mapping in mappings.mappings:
        if mapping.key in made:
            continue
        line, why = newest.get(mapping.key), ""
        if line is not None and line.outcome == Outcome.HELD:
            why = f"no Subscription: held by {line.held_by}" if line.held_by else "no Subscription: held"
        elif line is not None and line.action == Action.CREATE:
            why = f"no Subscription that a run saw: its create was {line.outcome}"
        elif same_file:
            why = "retired, and no Subscription was made" if mapping.retired else "no Subscription"
        found[mapping.key] = why
    return found


# ---------------------------------------------------------------------------------------------------------------------
# One Subscription's month: days, averages, and reasons where a quantity is not known
# ---------------------------------------------------------------------------------------------------------------------

FRESH = timedelta(hours=36)
"""How old the newest listing may be to stand for a day that is not over."""

INSTANT = timedelta(microseconds=1)
"""A day ends this much before midnight: what is written at midnight belongs to the next day."""

State = Known | NotKnown


@dataclass(frozen=True, slots=True, kw_only=True)
class _MonthReader:
    """Reads lines of a timeline for a month that has begun, and for its invoice day."""

    timeline: Timeline
    whom: Mapping[MappingKey, Owner]
    month: Month
    day: date
    now: datetime

    def row(self, subject: Subject) -> StatementRow | None:
        """One line; None where nothing of it belongs to the month."""
        begun = [day for day in self.month.days if start_of(day, self.month.zone) <= self.now]
        states = {day: self._at_end_of(subject, day) for day in begun}
        spans = self._spans_of_month(subject)
        if not _belongs(states, spans):
            return None
        last = states[begun[-1]]
        invoice = states.get(self.day, last)
        about = _about(invoice) or self.timeline.lines[subject][-1]
        shown, ours = about.shown, not _not_ours_yet(invoice)
        known = [state.quantity for state in states.values() if state.quantity is not None]
        seen = [span.shown.quantity for span in spans if span.shown.quantity is not None]
        return StatementRow(
            key=shown.key,
            whom=_owner_now(self.whom.get(shown.key, Owner()), shown),
            told=DayKnown.KNOWN if isinstance(invoice, Known) else DayKnown.NOT_KNOWN if ours else DayKnown.NONE,
            invoiced=invoice.quantity,
            why=why_not_known(invoice, self.timeline, self.month.zone) if isinstance(invoice, NotKnown) else "",
            first=seen[0] if seen else None,
            last=last.quantity,
            peak=max(seen, default=None),
            average=_mean(known),
            days_known=len(known),
            days=sum(not _not_ours_yet(state) for state in states.values()),
            counted=self._counted(shown.key),
            standing=shown.standing,
            managed=shown.managed,
            seen_at=invoice.seen_at,
            notes=tuple(self._notes(about, spans)),
        )

    def _at_end_of(self, subject: Subject, day: date) -> State:
        """What stood when a day ended; of a day that is not over, what the newest listing shows."""
        end = end_of(day, self.month.zone)
        if end <= self.now:
            return self.timeline.stood(subject, end - INSTANT)
        return self.timeline.newest(subject, since=self.now - FRESH)

    def _spans_of_month(self, subject: Subject) -> list[Span]:
        until = min(self.month.end, self.now)
        line = self.timeline.lines[subject]
        return [s for s in line if s.since < until and s.last_seen >= self.month.start]

    def _counted(self, key: MappingKey) -> int | None:
        end = min(end_of(self.day, self.month.zone) - INSTANT, self.now)
        point = self.timeline.at(key, end)
        return point.counted if point else None

    def _notes(self, about: Span, spans: Sequence[Span]) -> Iterator[str]:
        shown, zone = about.shown, self.month.zone
        if shown.standing in _STANDING:
            yield f"{_STANDING[shown.standing]}, first seen so {moment_in(about.since, zone)}"
        if not shown.managed:
            yield "no mapping in mappings.yaml has it any more"
        for key in sorted({s.shown.key for s in spans} - {shown.key}):
            newest = max(s.last_seen for s in spans if s.shown.key == key)
            yield f"under the key {key} when seen {moment_in(newest, zone)}"


_STANDING = {
    Standing.INACTIVE: "inactive in HaloPSA",
    Standing.DELETED: "deleted in HaloPSA",
    Standing.GONE: "not in HaloPSA's list any more",
}


def _belongs(states: Mapping[date, State], spans: Sequence[Span]) -> bool:
    """False for what was not ours yet in the whole month, and for what had left at 0 before the month began."""
    if all(_not_ours_yet(state) for state in states.values()):
        return False
    relevant = spans or [s.before for s in states.values() if isinstance(s, NotKnown) and s.before is not None]
    return not relevant or any(span.shown.managed or span.shown.quantity for span in relevant)


def _not_ours_yet(state: State) -> bool:
    return isinstance(state, NotKnown) and state.why is Why.NOT_OURS_YET


def _about(state: State) -> Span | None:
    return state.span if isinstance(state, Known) else state.before or state.after


def _mean(daily: Sequence[int]) -> Decimal | None:
    if not daily:
        return None
    return (Decimal(sum(daily)) / len(daily)).quantize(CENT, rounding=ROUND_HALF_UP)


def _owner_now(whom: Owner, shown: Shown) -> Owner:
    """The owner with the ids and the name that the listing shows; a look at another Subscription says nothing."""
    return replace(
        whom,
        subscription_id=shown.subscription_id or whom.subscription_id,
        customer_id=shown.customer_id or whom.customer_id,
        customer=whom.customer or shown.customer,
        look=whom.look if whom.look and whom.look.subscription_id == shown.subscription_id else None,
    )
