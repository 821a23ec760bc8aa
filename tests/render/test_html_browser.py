"""The report in a real browser: it is quiet, asks for nothing, sorts, filters and fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.browser import FOUND, MISSING, Tab
from tests.render.hostile import LISTED
from tests.render.htmlpage import KEYS, background, nights, page_of
from tests.render.stories import applied, night_plan

pytestmark = pytest.mark.skipif(FOUND is None, reason=MISSING)
VISIBLE = "[...document.querySelectorAll('#rows tbody tr')].filter(r => r.offsetParent !== null)"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """What became of a night with holds, and three months before it."""
    page = tmp_path / "report.html"
    page.write_text(page_of(applied(night_plan(), exit_code=3), background(nights(KEYS))), encoding="utf-8")
    return page


@pytest.fixture
def opened(chromium: Tab, report: Path) -> Tab:
    """The report, open and wide; nothing heard yet."""
    chromium.said.clear()
    chromium.asked.clear()
    chromium.open(report, width=1440)
    return chromium


def test_it_opens_from_a_file_without_a_word_in_the_console(opened: Tab) -> None:
    assert opened.said == []
    assert opened.evaluate("document.title") == "Users, November 2026"


def test_no_request_leaves_it(opened: Tab) -> None:
    assert [url for url in opened.asked if not url.startswith("file:")] == []
    assert len(opened.asked) == 1


def test_a_click_on_a_column_sorts_by_its_numbers_and_back(opened: Tab) -> None:
    after = f"{VISIBLE}.map(r => parseInt(r.cells[5].textContent))"
    button = "document.querySelectorAll('#rows th button')[5].click()"
    opened.evaluate(button)
    rising = opened.evaluate(after)
    opened.evaluate(button)
    assert rising == sorted(rising)
    assert opened.evaluate(after) == sorted(rising, reverse=True)
    assert opened.evaluate("document.querySelectorAll('#rows th')[5].getAttribute('aria-sort')") == "descending"


def test_only_changed_rows_are_shown_until_the_box_is_ticked(opened: Tab) -> None:
    assert opened.evaluate(f"{VISIBLE}.length") == 5
    opened.evaluate("document.getElementById('same').click()")
    assert opened.evaluate(f"{VISIBLE}.length") == 8


def test_typing_a_name_leaves_its_rows(opened: Tab) -> None:
    opened.evaluate(
        "const box = document.getElementById('find'); box.value = 'dunmore'; box.dispatchEvent(new Event('input'))"
    )
    assert opened.evaluate(f"{VISIBLE}.map(r => r.querySelector('bdi').textContent)") == ["Dunmore School"]
    assert opened.evaluate("document.getElementById('found').textContent") == "1 found"


def test_why_opens_the_story(opened: Tab) -> None:
    opened.evaluate("document.querySelector('#rows summary').click()")
    assert opened.evaluate("document.querySelector('#row-0 details').open") is True
    assert opened.evaluate("document.querySelector('#row-0 .story li').offsetParent !== null") is True


@pytest.mark.parametrize("width", [390, 800, 1440])
def test_a_story_stands_below_its_whole_row(opened: Tab, report: Path, width: int) -> None:
    opened.open(report, width=width)
    opened.evaluate("document.querySelectorAll('#rows details').forEach(d => d.open = true)")
    opened.evaluate("new Promise(done => setTimeout(done, 100))")
    overlaps = """
    [...document.querySelectorAll('#rows tbody tr')].filter(r => r.offsetParent !== null).filter(r => {
      const top = r.querySelector('.story ul').getBoundingClientRect().top;
      const cells = [...r.querySelectorAll('.n, .k, .s')].filter(c => !c.closest('.story'));
      return cells.some(c => c.getBoundingClientRect().bottom > top + 1);
    }).length"""
    assert opened.evaluate(overlaps) == 0


def test_a_link_to_a_row_opens_its_story_even_where_the_row_was_hidden(opened: Tab) -> None:
    opened.evaluate("location.hash = '#row-7'")
    opened.evaluate("new Promise(done => setTimeout(done, 100))")
    assert opened.evaluate("document.querySelector('#row-7 details').open") is True
    assert opened.evaluate("document.querySelector('#row-7').offsetParent !== null") is True


@pytest.mark.parametrize("width", [320, 390])
def test_a_telephone_hides_the_unchanged_rows_too(opened: Tab, report: Path, width: int) -> None:
    opened.open(report, width=width)
    assert opened.evaluate(f"{VISIBLE}.length") == 5
    opened.evaluate("document.getElementById('same').click()")
    assert opened.evaluate(f"{VISIBLE}.length") == 8


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_no_figure_and_no_header_is_broken(opened: Tab, report: Path, width: int) -> None:
    opened.open(report, width=width)
    broken = """
    (() => {
      const found = [];
      for (const whole of document.querySelectorAll('.figures dd, .figures dt, #rows thead th')) {
        if (whole.closest('thead')?.offsetWidth === 1) continue;  // for screen readers only: each cell has its label
        const walk = document.createTreeWalker(whole, NodeFilter.SHOW_TEXT), range = document.createRange();
        while (walk.nextNode()) {
          for (const word of walk.currentNode.data.matchAll(/\\S+/g)) {
            range.setStart(walk.currentNode, word.index);
            range.setEnd(walk.currentNode, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) found.push(word[0]);
          }
        }
      }
      return found;
    })()"""
    assert opened.evaluate(broken) == []


@pytest.mark.parametrize("width", [320, 768, 1440])
def test_nothing_sticks_out_sideways(chromium: Tab, report: Path, width: int) -> None:
    chromium.open(report, width=width, height=800)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_long_hostile_names_do_not_stick_out_either(chromium: Tab, tmp_path: Path) -> None:
    page = tmp_path / "hostile.html"
    names = {f"infima-{number}": name for number, name in enumerate(LISTED, start=101)}
    page.write_text(page_of(None, background(nights(names), names)), encoding="utf-8")
    chromium.said.clear()
    chromium.open(page, width=320)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 320
    assert chromium.said == []


def test_without_its_script_everything_can_still_be_read(chromium: Tab, report: Path) -> None:
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(report, width=1440)
        assert chromium.evaluate(f"{VISIBLE}.length") == 5
        assert chromium.evaluate("document.querySelectorAll('#rows button').length") == 0
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_foreign_script_would_not_run(chromium: Tab, report: Path) -> None:
    """Planted past the escaping, to prove that the policy holds as a second wall."""
    planted = report.read_text(encoding="utf-8").replace("</main>", "<script>document.title = 'taken'</script></main>")
    report.write_text(planted, encoding="utf-8")
    chromium.open(report, width=1440)
    assert chromium.evaluate("document.title") == "Users, November 2026"


def test_it_prints_as_a_table_without_its_controls(chromium: Tab, report: Path) -> None:
    chromium.open(report, width=1440)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert chromium.evaluate("getComputedStyle(document.querySelector('#rows')).display") == "table"
        assert chromium.evaluate("document.getElementById('find').offsetParent === null") is True
        # a button is not drawn again in the header of the next page
        assert chromium.evaluate("getComputedStyle(document.querySelector('#rows th button')).display") == "contents"
    finally:
        chromium.call("Emulation.setEmulatedMedia", media="")
