"""Complete or nothing: how a paged list is read, its pages side by side, from a server that promises no stillness."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from reconciler.errors import AnswerTooLarge, IncompleteRead, UnreadableAnswer
from reconciler.http.decoding import whole_number
from reconciler.http.waiting import Deadline
from reconciler.model import Json

A = TypeVar("A")
B = TypeVar("B")


class ReadPool:
    """A small thread pool for reads. A read on it must not ask it for more: the pool would wait for itself."""

    def __init__(self, workers: int, deadline: Deadline) -> None:
        self._executor = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="read")
        self._deadline = deadline

    def map(self, read: Callable[[A], B], items: Iterable[A]) -> list[B]:
        """Read all items, at most `workers` at a time, and return the results in the order asked.

        The first failure cancels what has not started, and is raised when nothing is in flight any more.
        """
        futures: list[Future[B]] = [self._executor.submit(read, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            # Ctrl-C: reads in flight look at `stopped` and end within a second.
            self._deadline.stop()
            for future in futures:
                future.cancel()
            raise
        failed = [f for f in futures if f.done() and not f.cancelled() and f.exception() is not None]
        if failed:
            in_flight = [f for f in futures if not f.cancel()]
            wait(in_flight)
        return [f.result() for f in failed or futures]

    def close(self) -> None:
        """Let the threads go; waits for none of them."""
        self._executor.shutdown(wait=False, cancel_futures=True)


# ---- lists in pages --------------------------------------------------------------------------------------------------

Row = dict[str, Json]

REREADS = 3
"""So many times a list that changed while it was paged is read again from its start."""

SMALLEST_PAGE = 10
"""Rows: a page of so few that is still too large is an error."""

MAX_PAGES = 2_000
MAX_ROWS = 1_000_000


class ListPage(NamedTuple):
    """One page of a list. `total` is what the server says the whole list holds, None where it does not say."""

    rows: list[Row]
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedList:
    """How one list is read.

    `fetch(start, size)` reads the page that begins at row `start` of pages of `size` rows; `identify` gives a row's id
    or raises `UnreadableAnswer`. `ask` is the page size to try first: the size of the page that comes back is what the
    server grants, and is used from then on; a page that is too large to be read is asked for again in smaller ones, and
    `on_smaller` is told of which size. `parallel` reads several pages; it returns them in order.

    A total proves that a list is whole where it exceeds the rows of the first page, or, with `total_is_sure`, always:
    HaloPSA may give the rows of the page as its total (FAULTS H30). What no total proves is read until an empty page.
    Where that empty page tells the total of all rows, the server counts the list and not the page: `on_sure` is called.
    With `twice`, a list that no total proves counts as whole only when two reads in a row give the same ids.
    """

    system: str
    name: str
    fetch: Callable[[int, int], ListPage]
    identify: Callable[[Row], Hashable]
    ask: int
    parallel: Callable[[Callable[[int], ListPage], Iterable[int]], list[ListPage]] = lambda read, starts: [
        read(start) for start in starts
    ]
    total_is_sure: bool = False
    twice: bool = False
    on_smaller: Callable[[int], None] = lambda _size: None
    on_sure: Callable[[], None] = lambda: None

    def read(self) -> list[Row]:
        """Return all rows. Raises `IncompleteRead` when the list is not complete, repeats rows or changes meanwhile."""
        what, earlier, ask, tries = "", None, self.ask, 0
        while tries <= REREADS:
            try:
                rows, proven = self._read_once(ask)
            except AnswerTooLarge:
                if ask <= SMALLEST_PAGE:
                    raise
                ask = max(SMALLEST_PAGE, ask // 2)
                self.on_smaller(ask)
                continue
            except _Shifted as exc:
                what, earlier, tries = str(exc), None, tries + 1
                continue
            found = {self.identify(row) for row in rows}
            if proven or not self.twice or found == earlier:
                return rows
            what, earlier, tries = "it says no total, and no two reads in a row agree", found, tries + 1
        raise self._incomplete(f"{what}; read {tries} times")

    def _read_once(self, ask: int) -> tuple[list[Row], bool]:
        """All rows, and whether a total proves them to be all."""
        first = self.fetch(0, ask)
        rows = _Rows(identify=self.identify)
        rows.add(first)
        total, size = first.total, len(first.rows)
        if total is None or (total <= size and not self.total_is_sure):
            return self._until_empty(rows, size, said=total), False
        if total > MAX_ROWS or (size and total / size > MAX_PAGES):
            raise self._incomplete(f"it says {total} rows in pages of {size}, more than is believable")
        if 0 < size < total:
            for page in self.parallel(lambda start: self.fetch(start, size), range(size, total, size)):
                if page.total not in {None, total}:
                    raise _Shifted(f"it said {total} rows, then {page.total}")
                rows.add(page)
        if len(rows.seen) != total:
            raise _Shifted(f"it says {total} rows and gave {len(rows.seen)}")
        return rows.all(), True

    def _until_empty(self, rows: _Rows, size: int, *, said: int | None) -> list[Row]:
        """Read on until an empty page: nothing else tells the end from a short page. `said` is the largest total."""
        start, short, most = size, size == 0, said or 0
        for _ in range(MAX_PAGES):
            page = self.fetch(start, size) if size else ListPage(rows=[], total=None)
            most = max(most, page.total or 0)
            if not page.rows and most > len(rows.seen):
                raise _Shifted(f"it says {most} rows and gave {len(rows.seen)}")
            if not page.rows:
                if page.total == len(rows.seen) > 0:
                    self.on_sure()
                return rows.all()
            if short:
                raise _Shifted("a page in the middle was short")
            short = len(page.rows) < size
            if rows.add(page) == 0:
                raise self._incomplete("a page holds nothing new: the server repeats itself")
            start += size
        raise self._incomplete(f"it does not end after {MAX_PAGES} pages")

    def _incomplete(self, what: str) -> IncompleteRead:
        return IncompleteRead(
            f"{self.system}'s {self.name} cannot be read completely: {what}.",
            system=self.system,
            hint="Nothing was decided from a part of it. Run again when nobody is changing it.",
        )


class _Shifted(Exception):
    """The list moved while it was read, or pretends to have."""


@dataclass(slots=True, kw_only=True)
class _Rows:
    identify: Callable[[Row], Hashable]
    seen: dict[Hashable, Row] = field(default_factory=dict)
    repeated: bool = False

    def add(self, page: ListPage) -> int:
        """Take a page's rows in; return how many were new."""
        before = len(self.seen)
        for row in page.rows:
            if self.seen.setdefault(self.identify(row), row) is not row:
                self.repeated = True
        return len(self.seen) - before

    def all(self) -> list[Row]:
        """The rows, each once. One that came twice may stand in for one that was skipped, so the list moved."""
        if self.repeated:
            raise _Shifted("a row came twice")
        return list(self.seen.values())


def page_from(answer: Json, *, rows: str, total: str, system: str, name: str) -> ListPage:
    """Take the page out of an envelope. Raises `UnreadableAnswer` when it is not the one that the contract says."""
    if not isinstance(answer, dict):
        raise UnreadableAnswer(f"{system}'s {name}: the answer is not an object.", system=system)
    items = answer.get(rows)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UnreadableAnswer(f'{system}\'s {name}: the answer has no list of objects called "{rows}".', system=system)
    said = answer.get(total)
    count = whole_number(said)
    if said is not None and count is None:
        raise UnreadableAnswer(f'{system}\'s {name}: "{total}" is not a whole number.', system=system)
    return ListPage(rows=[item for item in items if isinstance(item, dict)], total=count)


def row_id(row: Row, *, system: str, name: str, least: int = 1) -> int:
    """A row's id. Raises `UnreadableAnswer` for anything but a whole number of at least `least`."""
    number = whole_number(row.get("id"), least=least)
    if number is None or (number == 0 and least < 0):
        raise UnreadableAnswer(f"{system}'s {name}: a row has no usable id.", system=system)
    return number
