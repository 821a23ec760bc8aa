"""The session that the questions share: a probe's own Subscriptions, how late HaloPSA is, and the findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.http.decoding import text_of, whole_number
from reconciler.probing.exchanges import PATH, Exchange, Exchanges, Untold
from reconciler.probing.questions import ASKED, Question
from reconciler.probing.report import Answer, ProbeFinding, Value
from reconciler.probing.rows import Row

PAGED = (("pageinate", "true"), ("page_no", "1"))
BY_ID = (("order", "id"), ("orderdesc", "false"))
DOWN = (("order", "id"), ("orderdesc", "true"))


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

    def listing(self, *more: tuple[str, str]) -> tuple[Exchange, list[Row]]:
        """One page of this customer's rows, those of the probe learned. Raises `Untold` where it is no list."""
        exchange = self.get(query=(*PAGED, ("page_size", "1000"), *BY_ID, *self.ours_only, *more))
        return exchange, self.rows_of(exchange)

    def listing_down(self) -> tuple[Exchange, list[Row]]:
        """The same with the highest id first."""
        exchange = self.get(query=(*PAGED, ("page_size", "1000"), *DOWN, *self.ours_only))
        return exchange, self.rows_of(exchange)

    @property
    def ours_only(self) -> tuple[tuple[str, str], ...]:
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

    def read(self, number: int) -> tuple[Exchange, Row | None]:
        """One Subscription of ours by itself; None where HaloPSA does not show it."""
        query = (("client_id", str(self.customer)),) if self.needs_customer else ()
        exchange = self.get(f"{PATH}/{number}", query)
        row = exchange.body if exchange.ok and isinstance(exchange.body, dict) else None
        if row is None:
            return exchange, None
        if whole_number(row.get("id")) != number or (self.halo.learn(row) is None and not self.halo.shown(number)):
            raise Untold("a single read showed another row than was asked for")
        return exchange, row

    def settle(self) -> None:
        """Where single reads are late, let what was written arrive, as long as it took before."""
        if not self.late_reads:
            return
        self.rest(self.lag)
        for _ in range(self.late_listings if self.by_listings else 0):
            self.listing()

    def take(self, rows: Sequence[Row]) -> list[int]:
        """Count this probe's Subscriptions among the rows as made; returns those that were not seen before."""
        new = []
        for row in self.own(rows):
            number = self.halo.learn(row)
            if number is None or number in self.made:
                continue
            new.append(number)
            self.made.append(number)
            if row["name"] in self.lost:
                self.lost.remove(str(row["name"]))
        return new

    def own(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the rows that this probe made, by its word."""
        return [row for row in rows if self.halo.is_own(row) and self.word in text_of(row.get("name"))]

    # -- findings -----------------------------------------------------------------------------------------------------

    def tell(
        self, question: Question, answer: Answer, detail: str, *, value: Value = None, by: Exchange | None = None
    ) -> None:
        """Write an answer down; the first one stands."""
        shape = by.shape if by else None
        finding = ProbeFinding(
            question=question, asks=ASKED[question], answer=answer, detail=detail, value=value, exchange=shape
        )
        self.findings.setdefault(question, finding)

    def cannot(self, question: Question, why: str, *, by: Exchange | None = None) -> None:
        """Write down that a question could not be answered."""
        self.tell(question, Answer.UNTOLD, why, by=by)
