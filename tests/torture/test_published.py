"""docs/reliability.md shows the figures that the campaign gave."""

from __future__ import annotations

import json

from tests.figures import DOCUMENT, document
from tests.torture.published import FIGURES, tables


def test_the_document_shows_the_campaigns_own_figures() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == document(text, "figures", tables(figures))
