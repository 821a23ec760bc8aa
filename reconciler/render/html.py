"""The report as one offline HTML file: no request leaves it, no script is needed to read it.

Whatever the template prints goes through `_exit`, then through jinja's escaping: no template can forget either. Names
become text nodes or quoted attribute values; the content security policy permits this file's own style and script by
their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reconciler import __version__
from reconciler.history.months import month_of
from reconciler.plan_document.layout import NeedJson
from reconciler.planning.changes import Outcome
from reconciler.planning.money import Amount, add_up
from reconciler.render.amounts import monthly_amounts, moved
from reconciler.render.document import View, capital, endings, signed, users_after_run, view
from reconciler.render.html_needs import need_cards
from reconciler.render.html_page import Background, Headline, NeedCard, PageRow, ReportPage
from reconciler.render.html_past import past_headline, past_rows
from reconciler.render.html_plan import plan_headline, plan_rows
from reconciler.render.html_time import audit_trail, movements, over_time
from reconciler.render.text import cut, pieces, visible

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlanJson

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 2000
"""Characters of one message that are shown."""

NAME = 120
"""Characters of one name that are shown."""

STORY_LINES = 7
"""The newest recorded changes of a mapping that its story shows."""


def render_html(document: PlanJson) -> str:
    """The plan, or what became of it, as one HTML file. Without a history it tells of this plan only."""
    run = document.get("run")
    now = datetime.fromisoformat(run["finished_at"] if run else document["timestamp"])
    return draw_page(make_page(Background(now=now, month=month_of(now)), document))


def make_page(around: Background, document: PlanJson | None = None) -> ReportPage:
    """The report about a plan, whose numbers are then the plan's, or about the newest recorded run."""
    if document is None:
        rows = past_rows(around)
        needs = _cards(around.needs, around, rows)
        figures = (*_figures(rows), *_row_amounts(rows))
        return _page(around, past_headline(around, people=len(around.needs)), needs, rows, figures)
    shown = view(document)
    rows = plan_rows(shown, around)
    waiting = _with_newer_looks(document.get("needs", []), around)
    figures = (*_plan_figures(shown), *_plan_amounts(shown))
    return _page(
        around, plan_headline(shown, around, people=len(waiting)), _cards(waiting, around, rows), rows, figures
    )


def _cards(needs: Sequence[NeedJson], around: Background, rows: tuple[PageRow, ...]) -> tuple[NeedCard, ...]:
    return need_cards(needs, around.now.date(), {row.key: row.number for row in rows})


def _with_newer_looks(needs: list[NeedJson], around: Background) -> list[NeedJson]:
    """The document's needs; where the report looked at invoices itself, that look is newer than the document's."""
    if not around.looked:
        return needs
    newer = [need for need in around.needs if need["kind"] == "not-invoiced"]
    return [*newer, *(need for need in needs if need["kind"] != "not-invoiced")]


def _page(
    around: Background,
    headline: Headline,
    needs: tuple[NeedCard, ...],
    rows: tuple[PageRow, ...],
    figures: tuple[tuple[str, str], ...],
) -> ReportPage:
    charts, monthly = over_time(around)
    of, up, down = movements(around, rows)
    audit, left_out = audit_trail(around)
    return ReportPage(
        title=f"Users, {around.month.start:%B %Y}",
        made_at=around.now.astimezone(UTC),
        month=around.month,
        headline=headline,
        needs=needs,
        figures=figures,
        charts=charts,
        monthly=monthly,
        movements_of=of,
        up=up,
        down=down,
        rows=rows,
        audit=audit,
        audit_left_out=left_out,
        version=__version__,
    )


def _plan_figures(shown: View) -> tuple[tuple[str, str], ...]:
    """The plan's summary; after a run, what was read back."""
    summary = shown.document["summary"]
    if shown.applied:
        before, after, _ = users_after_run(shown)
    else:
        before, after = summary["users_before"], summary["users_after"]
    users = (("Users", f"{before} \u2192 {after}"), ("Difference", _signed(after - before)))
    if shown.applied:
        return (*users, *_outcome_figures(shown))
    return (
        *users,
        ("To create", str(summary["create"])),
        ("To update", str(summary["update"])),
        ("Held", str(summary["held"])),
        ("Unchanged", str(summary["no_op"])),
    )


def _outcome_figures(shown: View) -> Iterator[tuple[str, str]]:
    """How many changes ended in which way; what did not end well is named where there is some."""
    ended = endings(shown)
    yield "Created", str(sum(one.created for one in ended))
    yield "Updated", str(sum(one.written for one in ended))
    yield "Held", str(len(shown.with_outcome(Outcome.HELD)))
    yield "Unchanged", str(len(shown.with_outcome(Outcome.UNCHANGED)))
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE):
        if number := len(shown.with_outcome(outcome)):
            yield capital(outcome), str(number)
    if untold := len(shown.with_outcome(None)):
        yield "Not told of", str(untold)


def _figures(rows: tuple[PageRow, ...]) -> tuple[tuple[str, str], ...]:
    """How many mappings stand in which state."""
    words: dict[str, int] = {}
    for row in rows:
        words[row.status.word] = words.get(row.status.word, 0) + 1
    return (("Mappings", str(len(rows))), *((word.capitalize(), str(number)) for word, number in words.items()))


def _plan_amounts(shown: View) -> tuple[tuple[str, str], ...]:
    """The plan's monthly amounts; after a run, by what was read back."""
    return _amount_figures(*monthly_amounts(shown))


def _row_amounts(rows: tuple[PageRow, ...]) -> tuple[tuple[str, str], ...]:
    """The monthly amounts of what the newest run left, and how it moved them."""
    known = [row.amount for row in rows if row.amount is not None]
    return _amount_figures(add_up(known), sum(row.amount is None and bool(row.before or row.after) for row in rows))


def _amount_figures(amounts: tuple[Amount, ...], without: int) -> tuple[tuple[str, str], ...]:
    """One figure for each currency, and how many mappings are in none of them."""
    figures = [
        (f"Monthly amount, {one.currency} (estimate)", f"{one.after:,} ({_signed_amount(one.change)})")
        for one in amounts
    ]
    if amounts and without:
        figures.append(("Without a known amount", str(without)))
    return tuple(figures)


def _signed_amount(amount: Decimal) -> str:
    """A difference with a real minus sign."""
    return moved(amount).replace("-", "\u2212")


def draw_page(page: ReportPage) -> str:
    """The page as HTML."""
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    text = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            page=page,
            policy=Markup(policy),  # noqa: S704 - ours, and nothing foreign in it
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            story_lines=STORY_LINES,
            names={row.key: row.customer or row.key for row in page.rows},
        )
    )
    return "\n".join(line for line in (raw.strip() for raw in text.splitlines()) if line) + "\n"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_exit,
    )
    environment.filters["signed"] = _signed
    environment.filters["short"] = _short
    environment.filters["moved"] = _signed_amount
    environment.filters["pieces"] = _pieces
    return environment


def _exit(value: object) -> object:
    """The one exit of the format: foreign text cannot hide, reorder or overflow; jinja escapes it afterwards."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return cut(visible(value[: 4 * LONGEST]), LONGEST)
    return "?" if value is None else value


def _short(name: str) -> str:
    return _arrows(cut(visible(name[: 4 * NAME]), NAME))


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Our own sentence, what is there to be copied apart from the words; the words have a real arrow."""
    clean = cut(visible(text[: 4 * LONGEST]), LONGEST)
    return [(code, part if code else _arrows(part)) for code, part in pieces(clean)]


def _arrows(text: str) -> str:
    return text.replace(" -> ", " \u2192 ")


def _signed(number: int | None) -> str:
    """A difference with a real minus sign, which screen readers read as one."""
    return signed(number).replace("-", "\u2212")


def _asset(name: str) -> str:
    return "\n".join(
        line.strip() for line in (TEMPLATES / name).read_text(encoding="utf-8").splitlines() if line.strip()
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
