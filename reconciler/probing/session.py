"""The session that the questions share: a probe's own Subscriptions, how late HaloPSA is, and the findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.http.decoding import text_of, whole_number
from reconciler.probing.exchanges import MOST_CREATES, PATH, Exchange, Exchanges, Query, Untold
from reconciler.probing.report import UNTOLD, Answer, ProbeFinding, Question, Value
from reconciler.probing.shapes import Row
from reconciler.providers.halopsa import PAGE_ROWS

NOTHING_MADE = "the probe had no Subscription of its own to ask with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How long a listing did not show what was written: seconds, and listings that did not. `never` within the wait."""

    seconds: int
    listings: int
    never: bool = False


@dataclass(slots=True, kw_only=True)
class ProbeSession(Exchanges):
    """What the questions share. Mutable on purpose: it is the one place where a probe's progress lives.

    `wait` is how many seconds a listing may be late. `earlier` are rows that probes before it left, `named` the ids
    that answers gave, `lost` the names whose create may have made one that was never seen. `written` are the
    quantities of the last updates that were taken, `along` the members that an update wants, None while that is not
    known; `changed_to` is the quantity of the first change, None where none can be changed. `lag` is how many
    seconds a listing was late, `late_listings` how many listings were, `by_listings` says that reading them ends
    it, and `late_reads` that single reads are late too. `restart_time` lets the run's time begin anew, so that
    there is some for the end.
    """

    wait: float = 60.0
    restart_time: Callable[[], None] = lambda: None
    findings: dict[Question, ProbeFinding] = field(default_factory=dict)
    earlier: list[Row] = field(default_factory=list)
    named: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    creates: int = 0
    written: dict[int, int] = field(default_factory=dict)
    needs_customer: bool = False
    along: tuple[str, ...] | None = None
    changed_to: int | None = 1
    first_late: Late = Late(seconds=0, listings=0)
    change_late: Late = Late(seconds=0, listings=0)
    lag: float = 0.0
    late_listings: int = 0
    by_listings: bool = False
    late_reads: bool = False

    def create(self, row: Row) -> Exchange:
        """Write a new row; its name counts as lost until it is seen. Raises `Untold` where it did not leave."""
        if self.creates >= MOST_CREATES:
            raise Untold(f"the {MOST_CREATES} creates that a probe may send were used up")
        self.creates += 1
        exchange = self.post([row])
        if not exchange.refused:
            self.lost.append(str(row["name"]))
        return exchange

    def update(self, *wanted: tuple[int, int]) -> Exchange:
        """Set quantities by id in the form that this HaloPSA takes, again where the answer leaves it open.

        The values are absolute, so that a repeat does no harm.
        """
        exchange = self.post_absolute([self.good_row(number, count) for number, count in wanted])
        self.written |= dict(wanted) if exchange.ok else {}
        return exchange

    def good_row(self, number: int, count: int) -> Row:
        """One update in the form that is taken."""
        return {"id": number, "count": count, **self.shown(number, self.along or ())}

    def shown(self, number: int, members: Sequence[str]) -> Row:
        """These members of a Subscription of ours as it was last shown."""
        row = self.halo.shown(number)
        return {name: row[name] for name in members if row.get(name) is not None}

    # -- looking ------------------------------------------------------------------------------------------------------

    def listing(self, *more: tuple[str, str], number: int = 1, size: int = PAGE_ROWS) -> tuple[Exchange, list[Row]]:
        """One page of this customer's rows, those of the probe learned. Raises `Untold` where it is no list."""
        exchange = self.get(query=page_query(*self.ours_only, *more, number=number, size=size))
        return exchange, self.rows_of(exchange)

    @property
    def ours_only(self) -> Query:
        """The query that keeps to this customer, inactive rows included."""
        return ("client_id", str(self.customer)), ("includeinactive", "true")

    def rows_of(self, exchange: Exchange) -> list[Row]:
        """The rows of a listing, in the order given; the probe's own are learned. Raises `Untold` for anything else."""
        if not exchange.ok:
            raise Untold(f"a listing was refused: {exchange.told}")
        rows = exchange.body.get(self.rows_in) if isinstance(exchange.body, dict) else exchange.body
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Untold("a listing held no list of rows")
        for row in rows:
            self.halo.learn(row)
        return rows

    def by_id(self, number: int) -> Exchange:
        """The answer to a read of one Subscription."""
        return self.get(f"{PATH}/{number}", (("client_id", str(self.customer)),) if self.needs_customer else ())

    def read(self, number: int) -> tuple[Exchange, Row | None]:
        """One Subscription of ours by itself; None where HaloPSA does not show it."""
        exchange = self.by_id(number)
        row = exchange.body if exchange.ok and isinstance(exchange.body, dict) else None
        if row is None:
            return exchange, None
        if whole_number(row.get("id")) != number or (self.halo.learn(row) is None and not self.halo.shown(number)):
            raise Untold("a single read showed another row than was asked for")
        return exchange, row

    def first(self) -> int:
        """The Subscription that most questions are asked with. Raises `Untold` where there is none."""
        if not self.made:
            raise Untold(NOTHING_MADE)
        return self.made[0]

    def settle(self) -> None:
        """Where single reads are late, let what was written arrive, as long as it took before."""
        if self.late_reads:
            self.rest(self.lag)
            for _ in range(self.late_listings if self.by_listings else 0):
                self.listing()

    def take(self, rows: Sequence[Row]) -> None:
        """Count this probe's Subscriptions among the rows as made."""
        for row in self.own(rows):
            number = self.halo.learn(row)
            if number is not None and number not in self.made:
                self.made.append(number)
                if row["name"] in self.lost:
                    self.lost.remove(str(row["name"]))

    def own(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the rows that this probe made, by its word."""
        return [row for row in rows if self.halo.is_own(row) and self.word in text_of(row.get("name"))]

    # -- findings -----------------------------------------------------------------------------------------------------

    def tell(
        self, question: Question, answer: Answer, detail: str, *, value: Value = None, by: Exchange | None = None
    ) -> None:
        """Write an answer down; the first one stands."""
        finding = ProbeFinding(
            question=question, asks=question.asks, answer=answer, detail=detail, value=value,
            exchange=by.shape if by else None,
        )  # fmt: skip
        self.findings.setdefault(question, finding)

    def cannot(self, question: Question, why: str, *, by: Exchange | None = None) -> None:
        """Write down that a question could not be answered."""
        self.tell(question, UNTOLD, why, by=by)

    def value(self, question: Question) -> Value:
        """What was seen for a question so far."""
        return self.findings[question].value if question in self.findings else None


def page_query(*more: tuple[str, str], number: int = 1, size: int = PAGE_ROWS, descending: bool = False) -> Query:
    """One page in the order of the ids."""
    page = ("pageinate", "true"), ("page_no", str(number)), ("page_size", str(size))
    return (*page, ("order", "id"), ("orderdesc", "true" if descending else "false"), *more)
