"""What waits for a person, as the cards of the HTML pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from reconciler.plan_document.layout import NeedJson
from reconciler.render.html_page import NeedCard, Tone
from reconciler.render.needs import circumstances

_BAD = frozenset({"refused", "failed", "unknown", "record-missing", "overdue"})


def need_cards(needs: Sequence[NeedJson], today: date, rows: Mapping[str, int]) -> tuple[NeedCard, ...]:
    """The list as the report shows it; `rows` are the page's rows by key."""
    return tuple(
        NeedCard(
            tone=Tone.BAD if need["kind"] in _BAD else Tone.CALL,
            who=need["who"],
            key=need["key"],
            what=need["what"],
            about=circumstances(need, today),
            step=need["step"],
            row=rows.get(need["key"]),
        )
        for need in needs
    )
