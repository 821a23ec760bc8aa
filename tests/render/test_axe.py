"""axe-core finds nothing to mend in the HTML pages, in light and dark, on a telephone and a screen (`make axe`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.render.browser import FOUND, MISSING, Tab
from tests.render.htmlpage import KEYS, background, nights, page_of
from tests.render.stories import applied, document, night_plan, refused_plan

AXE = Path(os.environ.get("AXE", "build/axe/axe_playwright_python/axe.min.js"))
pytestmark = [
    pytest.mark.skipif(FOUND is None, reason=MISSING),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here; `make axe` fetches it"),
]
PAGES: dict[str, Callable[[], str]] = {
    "report after an apply": lambda: page_of(applied(night_plan(), exit_code=3), background(nights(KEYS))),
    "report of the history": lambda: page_of(None, background(nights(KEYS, failed=9), KEYS)),
    "report before the first run": lambda: page_of(None, background((), KEYS)),
    "plan": lambda: page_of(document(night_plan())),
    "refused plan": lambda: page_of(document(refused_plan())),
}
RUN = """
document.querySelectorAll('details').forEach(d => d.open = true);
axe.run().then(found => found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))
"""


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_there_is_no_violation(chromium: Tab, tmp_path: Path, name: str, scheme: str, width: int) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGES[name](), encoding="utf-8")
    chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    chromium.open(page, width=width)
    chromium.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
    assert chromium.evaluate(RUN) == []


def test_a_fault_would_be_found(chromium: Tab, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGES["plan"]().replace('<html lang="en">', "<html>").replace('role="status"', 'role="nothing"'))
    chromium.open(page, width=1440)
    chromium.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
    found = chromium.evaluate(RUN)
    assert {one.split(":")[0] for one in found} >= {"html-has-lang", "aria-roles"}
