"""What the HTML report says, in its reading order, as plain values: the template only draws them.

A page is made from the JSON plan, from the history, or from both. Text is still as it came: `render.html` cleans
everything at its one exit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.answers.attached import InvoicesKnown
from reconciler.history.months import Month
from reconciler.history.timeline import Timeline
from reconciler.model import MappingKey, UnitPrice
from reconciler.plan_document.layout import NeedJson
from reconciler.planning.money import Amount
from reconciler.render.html_charts import Chart, Sparkline
from reconciler.state.history import PastChange, PastRun


class Tone(StrEnum):
    """How a thing is shown; each has a sign and a word as well, so that colour never carries meaning alone."""

    GOOD = "good"
    CALL = "call"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What a person calls a key's customer and clients."""

    customer: str = ""
    customer_id: int | None = None
    clients: tuple[str, ...] = ()
    subscription_id: int | None = None
    price: UnitPrice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The verdict: one word of judgement, the sentence, and how fresh it is.

    `warnings` are about the runs, and always in sight; `notes` are the plan's own, folded away where they are many.
    """

    tone: Tone
    title: str
    sentence: str
    freshness: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedLine:
    """One of several needs that say the same: whom it is about and its circumstances."""

    who: str
    key: str
    about: str
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedCard:
    """A need as the page shows it: whom it is about, what it is, its circumstances and the next step.

    `row` is the page row's number. `each` are the needs of a card that stands for several.
    """

    tone: Tone
    who: str
    key: str
    what: str
    about: str
    step: str
    row: int | None = None
    each: tuple[NeedLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A row's state: a sign, a word and a tone. `same` rows are hidden until asked for."""

    sign: str
    word: str
    tone: Tone
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One mapping. Quantities are whole users, None where not known; `story` tells why in sentences."""

    number: int
    key: MappingKey
    customer: str
    customer_id: int | None
    status: Badge
    counted: int | None
    rule: str
    before: int | None
    after: int | None
    story: tuple[str, ...]
    spark: Sparkline | None = None
    past: tuple[PastChange, ...] = ()
    amount: Amount | None = None

    @property
    def delta(self) -> int | None:
        """Users more, or fewer where negative."""
        return None if self.after is None else self.after - (self.before or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How far one customer moved; `share` is the length of its bar, 0 to 100."""

    customer: str
    key: MappingKey
    first: int
    last: int
    share: int
    row: int | None

    @property
    def delta(self) -> int:
        """Users more, or fewer where negative."""
        return self.last - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRun:
    """A run that wrote something, or a person's decision, with its lines; `left_out` lines are not shown."""

    run: PastRun
    lines: tuple[PastChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is known beside the plan: the records, names, and the span that is drawn.

    `needs` is the list as far as the state remembers it, and `invoices` says what is known of recurring invoices: a
    sentence, and whether every Subscription was seen on a live one. `looked` is true where that is of this moment.
    """

    now: datetime
    month: Month
    runs: Sequence[PastRun] = ()
    timeline: Timeline = field(default_factory=lambda: Timeline(points={}))
    names: Mapping[MappingKey, Name] = field(default_factory=dict)
    by_key: Mapping[MappingKey, Sequence[PastChange]] = field(default_factory=dict)
    needs: Sequence[NeedJson] = ()
    invoices: InvoicesKnown = field(default_factory=InvoicesKnown)
    looked: bool = False

    @property
    def until(self) -> datetime:
        """The end of the span: of the month, or now while it is not over."""
        return min(self.month.end, self.now)

    @property
    def since(self) -> datetime:
        """The beginning of the span: the same month a year before."""
        return self.month.back(12).start

    @property
    def drawn_from(self) -> datetime:
        """Where a mapping's line begins: with the first record, so that a young history fills its drawing."""
        first = min((line[0].at for line in self.timeline.points.values()), default=self.since)
        return max(first, self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """The whole report in reading order."""

    title: str
    made_at: datetime
    month: Month
    headline: Headline
    needs: tuple[NeedCard, ...]
    figures: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    monthly: tuple[tuple[str, int], ...]
    movements_of: str
    up: tuple[Movement, ...]
    down: tuple[Movement, ...]
    rows: tuple[PageRow, ...]
    audit: tuple[AuditRun, ...]
    audit_left_out: int
    version: str

    @property
    def priced(self) -> bool:
        """True when the monthly amount of some mapping is known."""
        return any(row.amount is not None for row in self.rows)

    @property
    def needs_in_all(self) -> int:
        """How many needs there are, counted one by one."""
        return sum(len(card.each) or 1 for card in self.needs)

    @property
    def has_run(self) -> bool:
        """False before the first run, where there is nothing to list yet."""
        return bool(self.rows or self.audit or self.charts)

    @property
    def changed(self) -> int:
        """How many rows are shown at first."""
        return sum(not row.status.same for row in self.rows)
