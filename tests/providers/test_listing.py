"""A list is read completely and from a still state, or not at all; reads run side by side on a few threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import IncompleteRead, UnreadableAnswer
from reconciler.http.waiting import Deadline
from reconciler.providers.listing import MAX_ROWS, ListPage, PagedList, ReadPool, row_id
from tests.clock import VirtualClock
from tests.quiet import ignore_events


class Moving:
    """A list of ids that somebody changes between page reads, by a script of edits: add 1000+n, or drop the first."""

    def __init__(self, size: int, edits: list[str], *, cap: int, says_total: bool) -> None:
        self.rows: list[int] = list(range(1, size + 1))
        self.states = [tuple(self.rows)]
        self.edits, self.cap, self.says_total, self.reads = list(edits), cap, says_total, 0

    def fetch(self, start: int, size: int) -> ListPage:
        self.reads += 1
        if self.reads > 1 and self.edits:
            match self.edits.pop(0):
                case "append":
                    self.rows = [*self.rows, 1_000 + self.reads]
                case "insert":
                    self.rows = [1_000 + self.reads, *self.rows]
                case "drop":
                    self.rows = self.rows[1:]
            self.states.append(tuple(self.rows))
        size = min(size, self.cap)
        rows: list[dict[str, Any]] = [{"id": number} for number in self.rows[start : start + size]]
        return ListPage(rows=rows, total=len(self.rows) if self.says_total else None)


def listing(fetch: Any, ask: int = 10, *, twice: bool = False) -> PagedList:
    return PagedList(
        system="INFIMA",
        name="list",
        fetch=fetch,
        identify=lambda row: row_id(row, system="INFIMA", name="list"),
        ask=ask,
        total_is_sure=True,
        twice=twice,
    )


edits = st.lists(st.sampled_from(["append", "insert", "drop", "still"]), max_size=12)


@given(size=st.integers(0, 40), edits=edits, cap=st.integers(1, 12))
def test_a_moving_list_gives_what_it_once_was_or_nothing(size: int, edits: list[str], cap: int) -> None:
    """One edit, not one added and one dropped row: those cannot be told from a still list by any reader."""
    moving = Moving(size, [edit for edit in edits if edit in {"append", "still"}], cap=cap, says_total=True)
    try:
        rows = listing(moving.fetch).read()
    except IncompleteRead:
        return
    assert tuple(row["id"] for row in rows) in moving.states


@given(size=st.integers(0, 40), edits=edits, cap=st.integers(1, 12))
def test_no_row_comes_twice_and_none_is_made_up(size: int, edits: list[str], cap: int) -> None:
    moving = Moving(size, edits, cap=cap, says_total=True)
    try:
        rows = listing(moving.fetch).read()
    except IncompleteRead:
        return
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {number for state in moving.states for number in state}


@given(size=st.integers(0, 60), cap=st.integers(1, 12), says_total=st.booleans())
def test_a_still_list_is_read_whole_at_the_first_try(size: int, cap: int, *, says_total: bool) -> None:
    still = Moving(size, [], cap=cap, says_total=says_total)
    assert [row["id"] for row in listing(still.fetch).read()] == list(range(1, size + 1))
    pages = -(-size // min(cap, 10))
    assert still.reads == (max(1, pages) if says_total else pages + 1)


def test_a_list_that_settles_is_read_in_the_end() -> None:
    moving = Moving(25, ["append", "still", "still", "append"], cap=10, says_total=True)
    assert len(listing(moving.fetch).read()) == 27


def test_a_server_that_ignores_the_page_size_is_followed() -> None:
    def fetch(start: int, _size: int) -> ListPage:
        return ListPage(rows=[{"id": n} for n in range(start + 1, min(start + 30, 70) + 1)], total=70)

    assert len(listing(fetch, ask=10).read()) == 70


def test_a_total_on_the_first_page_only_is_enough() -> None:
    def fetch(start: int, size: int) -> ListPage:
        rows: list[dict[str, Any]] = [{"id": n} for n in range(start + 1, min(start + size, 25) + 1)]
        return ListPage(rows=rows, total=None if start else 25)

    assert len(listing(fetch).read()) == 25


def test_an_absurd_total_is_refused_at_once() -> None:
    reads: list[int] = []

    def fetch(start: int, _size: int) -> ListPage:
        reads.append(start)
        return ListPage(rows=[{"id": 1}], total=MAX_ROWS + 1)

    with pytest.raises(IncompleteRead, match="believable"):
        listing(fetch).read()
    assert len(reads) == 1


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(IncompleteRead, match="does not end"):
        listing(lambda start, size: ListPage(rows=[{"id": start + n + 1} for n in range(size)], total=None)).read()


@pytest.mark.parametrize("number", [None, 0, -1, "1", 2.5, True])
def test_a_row_needs_a_whole_number_above_zero(number: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        row_id({"id": number}, system="HaloPSA", name="list")


@pytest.mark.parametrize(("number", "good"), [(-240, True), (3, True), (0, False), (-(2**40), False)])
def test_invoices_have_negative_ids_but_never_zero(number: int, *, good: bool) -> None:
    if good:
        assert row_id({"id": number}, system="HaloPSA", name="list", least=-(2**31)) == number
    else:
        with pytest.raises(UnreadableAnswer):
            row_id({"id": number}, system="HaloPSA", name="list", least=-(2**31))


def test_a_total_that_changes_is_a_moving_list_even_when_the_rows_add_up() -> None:
    def fetch(start: int, _size: int) -> ListPage:
        return ListPage(rows=[{"id": start + n + 1} for n in range(2)], total=5 if start else 4)

    with pytest.raises(IncompleteRead, match="4 rows, then 5"):
        listing(fetch, ask=2).read()


def test_a_row_on_two_pages_is_a_moving_list_even_when_the_rows_add_up() -> None:
    def fetch(start: int, _size: int) -> ListPage:
        return ListPage(rows=[{"id": 2}, {"id": 3}] if start else [{"id": 1}, {"id": 2}], total=3)

    with pytest.raises(IncompleteRead, match="twice"):
        listing(fetch, ask=2).read()


class Blinking:
    """Twelve rows without a total; `blanks` are the numbers of the requests that are answered with an empty page."""

    def __init__(self, *blanks: int) -> None:
        self.blanks, self.requests = blanks, 0

    def fetch(self, start: int, size: int) -> ListPage:
        self.requests += 1
        rows: list[dict[str, Any]] = [{"id": number} for number in range(1, 13)][start : start + size]
        return ListPage(rows=[] if self.requests in self.blanks else rows, total=None)


@pytest.mark.parametrize("blanks", [(), (1,), (2,), (3,), (1, 4)])
def test_without_a_total_a_blank_page_is_not_taken_for_the_end(blanks: tuple[int, ...]) -> None:
    """A page of the middle that comes empty once would make a smaller list of it, and a wrong quantity."""
    assert len(listing(Blinking(*blanks).fetch, twice=True).read()) == 12


def test_a_list_without_a_total_that_never_agrees_is_refused() -> None:
    with pytest.raises(IncompleteRead, match="no two reads in a row agree; read 4 times"):
        listing(Blinking(2, 7).fetch, twice=True).read()


def test_a_total_needs_no_second_read() -> None:
    still = Moving(12, [], cap=10, says_total=True)
    assert len(listing(still.fetch, twice=True).read()) == 12
    assert still.reads == 2


@pytest.fixture
def deadline() -> Deadline:
    return Deadline(clock=VirtualClock(), observer=ignore_events, ends_at=100.0)


@pytest.fixture
def pool(deadline: Deadline) -> Iterator[ReadPool]:
    pool = ReadPool(3, deadline)
    yield pool
    pool.close()


def test_results_come_in_the_order_asked(pool: ReadPool) -> None:
    first_may_end = threading.Event()

    def read(number: int) -> int:
        if number == 0:
            first_may_end.wait(5)
        else:
            first_may_end.set()
        return number * 10

    assert pool.map(read, range(5)) == [0, 10, 20, 30, 40]


def test_no_more_run_at_once_than_there_are_workers(pool: ReadPool) -> None:
    lock, running, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(3, timeout=5)

    def read(_number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.wait()
        with lock:
            running[0] -= 1

    pool.map(read, range(9))
    assert most[0] == 3


def test_the_first_failure_is_raised_and_the_rest_is_not_started(pool: ReadPool) -> None:
    started: list[int] = []

    def read(number: int) -> None:
        started.append(number)
        if number == 0:
            raise ValueError("first")
        threading.Event().wait(0.05)

    with pytest.raises(ValueError, match="first"):
        pool.map(read, range(100))
    assert len(started) < 100


def test_ctrl_c_stops_what_is_in_flight(pool: ReadPool, deadline: Deadline, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: Any, **_kwargs: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("reconciler.providers.listing.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.map(lambda number: number, range(3))
    assert deadline.stopped
