"""Ceilings that nobody tells of, counts that mean something else, pages too large: a cut list is never whole."""

from __future__ import annotations

from math import ceil
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import AnswerTooLarge, IncompleteRead
from reconciler.http import transport
from reconciler.providers.halopsa import PAGE_ROWS
from reconciler.providers.listing import SMALLEST_PAGE, ListPage, PagedList, row_id
from tests.providers.wiring import Wiring, halo_list, licence

LICENCES = "/api/SoftwareLicence"
MEANINGS = ("total", "rows of the page", "0", "absent", "one too few")


class Capped:
    """A list of ids behind a ceiling. `by_asked` counts pages in the size that was asked for, not the one granted."""

    def __init__(self, size: int, *, ceiling: int, meaning: str, by_asked: bool = False) -> None:
        self.ids, self.ceiling, self.meaning, self.by_asked = range(1, size + 1), ceiling, meaning, by_asked
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, size: int) -> ListPage:
        self.asked.append((start, size))
        granted = min(size, self.ceiling)
        start = start if self.by_asked else start // size * granted
        rows: list[dict[str, Any]] = [{"id": number} for number in self.ids[start : start + granted]]
        total = {"total": len(self.ids), "rows of the page": len(rows), "0": 0, "absent": None,
                 "one too few": max(len(self.ids) - 1, 0)}[self.meaning]  # fmt: skip
        return ListPage(rows=rows, total=total)


def read(capped: Any, ask: int = PAGE_ROWS, **more: Any) -> list[Any]:
    def identify(row: Any) -> int:
        return row_id(row, system="HaloPSA", name="list")

    paged = PagedList(system="HaloPSA", name="list", fetch=capped.fetch, identify=identify, ask=ask, **more)
    return [row["id"] for row in paged.read()]


@pytest.mark.parametrize("by_asked", [False, True])
@pytest.mark.parametrize("meaning", MEANINGS[:4])
@pytest.mark.parametrize("ceiling", [50, 100, 1_000])
@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 99, 100, 101, 150, 237, 1_000, 1_001])
def test_every_ceiling_and_meaning_gives_the_whole_list(
    size: int, ceiling: int, meaning: str, *, by_asked: bool
) -> None:
    capped = Capped(size, ceiling=ceiling, meaning=meaning, by_asked=by_asked)
    assert read(capped) == list(range(1, size + 1))
    pages = ceil(size / ceiling)
    proven = meaning == "total" and size > ceiling
    assert len(capped.asked) == max(1, pages + (not proven and size > 0))
    assert capped.asked[0] == (0, PAGE_ROWS), "a large page is asked for every time"


@given(
    size=st.integers(0, 60), ceiling=st.integers(1, 20), meaning=st.sampled_from(MEANINGS[:4]), ask=st.integers(1, 70)
)
def test_a_cut_list_is_never_taken_for_the_whole(size: int, ceiling: int, meaning: str, ask: int) -> None:
    assert read(Capped(size, ceiling=ceiling, meaning=meaning), ask=ask) == list(range(1, size + 1))


@pytest.mark.parametrize("size", [1, 2, 49, 50])
def test_a_count_below_the_rows_of_the_page_proves_nothing_and_hurts_nobody(size: int) -> None:
    capped = Capped(size, ceiling=50, meaning="one too few")
    assert read(capped) == list(range(1, size + 1))
    assert len(capped.asked) == 2


@pytest.mark.parametrize(("meaning", "sure"), [("total", 1), ("rows of the page", 0), ("0", 0), ("absent", 0),
                                               ("one too few", 0)])  # fmt: skip
def test_the_empty_page_tells_whether_the_list_is_counted_or_the_page(meaning: str, sure: int) -> None:
    told: list[bool] = []
    read(Capped(37, ceiling=50, meaning=meaning), on_sure=lambda: told.append(True))
    assert len(told) == sure


@pytest.mark.parametrize(("counted", "pages"), [("count", [2, 1]), (37, [2, 1]), (0, [2, 2]), (None, [2, 2])])
def test_what_a_run_has_seen_of_counts_spares_it_the_page_more(wiring: Wiring, counted: Any, pages: list[int]) -> None:
    wiring.halo.answer(LICENCES, halo_list([licence(number) for number in range(1, 38)], total=counted))
    asked = []
    for _ in pages:
        assert len(wiring.target.subscriptions()) == 37
        asked.append(len(wiring.halo.asked(LICENCES)))
        wiring.halo.requests.clear()
    assert asked == pages


def test_a_server_that_gives_its_first_page_again_is_not_believed() -> None:
    class Repeating(Capped):
        def fetch(self, start: int, size: int) -> ListPage:
            return super().fetch(0 * start, size)

    with pytest.raises(IncompleteRead, match="repeats itself"):
        read(Repeating(37, ceiling=50, meaning="total"))


def test_a_count_that_grows_while_the_list_is_read_means_that_it_moved() -> None:
    answers = [ListPage(rows=[{"id": 1}], total=1), *(ListPage(rows=[], total=2) for _ in range(9))]

    class Growing:
        def fetch(self, start: int, _size: int) -> ListPage:
            return answers[0] if start == 0 else answers[1]

    with pytest.raises(IncompleteRead, match="it says 2 rows and gave 1; read 4 times"):
        read(Growing())


# -- pages over the cap of bytes ----------------------------------------------------------------------------------


class Fat(Capped):
    """A list of which only so many rows fit into an answer."""

    def __init__(self, size: int, *, fits: int) -> None:
        super().__init__(size, ceiling=1_000, meaning="total")
        self.fits = fits

    def fetch(self, start: int, size: int) -> ListPage:
        page = super().fetch(start, size)
        if len(page.rows) > self.fits:
            raise AnswerTooLarge("more than is ever read", system="HaloPSA")
        return page


@pytest.mark.parametrize("fits", [10, 11, 62, 499, 500, 999])
def test_a_page_that_is_too_large_is_asked_for_again_smaller(fits: int) -> None:
    smaller: list[int] = []
    assert read(Fat(1_000, fits=fits), on_smaller=smaller.append) == list(range(1, 1_001))
    assert smaller[-1] <= fits
    assert len(smaller) <= 7


def test_ten_rows_that_are_still_too_large_are_an_error() -> None:
    fat = Fat(1_000, fits=9)
    with pytest.raises(AnswerTooLarge):
        read(fat)
    assert fat.asked[-1] == (0, SMALLEST_PAGE)


def test_a_later_page_that_is_too_large_begins_the_list_anew() -> None:
    class FatEnd(Capped):
        def fetch(self, start: int, size: int) -> ListPage:
            page = super().fetch(start, size)
            if any(row["id"] == 150 for row in page.rows) and len(page.rows) > 40:
                raise AnswerTooLarge("more than is ever read", system="HaloPSA")
            return page

    capped = FatEnd(200, ceiling=100, meaning="rows of the page")
    assert read(capped) == list(range(1, 201))


def test_the_size_that_fitted_is_asked_for_in_the_same_runs_next_listing(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 30_000)
    rows = [{**licence(number), "notes": "x" * 100} for number in range(1, 301)]
    wiring.halo.answer(LICENCES, halo_list(rows))
    assert len(wiring.target.subscriptions()) == 300
    first = [request.url.params["page_size"] for request in wiring.halo.asked(LICENCES)]
    assert first[:3] == ["1000", "500", "250"]
    wiring.halo.requests.clear()
    assert len(wiring.target.subscriptions()) == 300
    again = [request.url.params["page_size"] for request in wiring.halo.asked(LICENCES)]
    assert set(again) == {first[-1]}


def test_an_answer_that_is_too_large_is_not_asked_for_again_as_it_was(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 3_000)
    wiring.halo.answer(LICENCES, httpx.Response(200, json={"licences": [{"id": 1, "notes": "x" * 4_000}]}))
    with pytest.raises(AnswerTooLarge, match="more than 3,000 bytes"):
        wiring.target.subscriptions()
    sizes = [request.url.params["page_size"] for request in wiring.halo.asked(LICENCES)]
    assert sizes == ["1000", "500", "250", "125", "62", "31", "15", "10"]
