"""What waits for a person, drawn from the one list as the plan document has it: for a terminal and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from reconciler.answers.words import day_words, due_words
from reconciler.plan_document.layout import NeedJson
from reconciler.render.pen import Pen
from reconciler.render.text import markdown_code, markdown_safe

_PROSE = 2000
"""Characters of one text that are shown."""

WORDS = {
    "refused": "refused",
    "failed": "failed",
    "unknown": "outcome not known",
    "record-missing": "record missing",
    "overdue": "overdue",
    "held": "held",
    "stale": "moved, not written",
    "not-invoiced": "not seen on a live invoice",
    "ending": "contract ends",
    "unmapped": "not mapped",
    "unmanaged": "not managed",
}
"""What a kind of need is called, for people."""


def in_all(number: int) -> str:
    """ "1 thing waits for a person", "3 things wait for a person", or that nothing does."""
    if not number:
        return "nothing waits for a person"
    return f"{number} thing waits for a person" if number == 1 else f"{number} things wait for a person"


def circumstances(need: NeedJson, today: date) -> str:
    """Kind, since when, before which invoice and for how many users, in one line."""
    return ", ".join(filter(None, (WORDS[need["kind"]], *details(need, today))))


def details(need: NeedJson, today: date) -> tuple[str, str, str]:
    """Since when, before which invoice and for how many users; the last two are empty where that is not known."""
    since = f"since {day_words(datetime.fromisoformat(need['since']))}"
    due = due_words(date.fromisoformat(need["next_invoice"]) if need["next_invoice"] else None, today)
    users = f"{need['users']} {'user' if need['users'] == 1 else 'users'}" if need["users"] else ""
    return since, due, users


def render_needs(needs: Sequence[NeedJson], today: date, pen: Pen) -> str:
    """The list for a terminal; empty where nothing waits."""
    return "\n".join(_terminal(needs, today, pen))


def _terminal(needs: Sequence[NeedJson], today: date, pen: Pen) -> Iterator[str]:
    if not needs:
        return
    yield f"Waits for a person ({len(needs)}), the soonest invoice first:"
    for place, need in enumerate(needs, start=1):
        key = f" ({need['key']})" if need["key"] else ""
        yield from pen.prose(f"{need['who']}{key}: {circumstances(need, today)}", indent="  ", first=f"{place}. ")
        yield from pen.prose(need["what"], indent="     ")
        yield from pen.prose(need["step"], indent="     ", first="To do: ")


def markdown_needs(needs: Sequence[NeedJson], today: date) -> list[str]:
    """The list as Markdown, one item a need."""
    return [
        f"- **{markdown_safe(need['who'])}**{_key(need)}, "
        f"{circumstances(need, today)}: {markdown_safe(need['what'], _PROSE)}\n"
        f"  - To do: {markdown_safe(need['step'], _PROSE)}"
        for need in needs
    ]


def _key(need: NeedJson) -> str:
    return f" ({markdown_code(need['key'])})" if need["key"] else ""
