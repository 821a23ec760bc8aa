"""The report as one offline HTML file: no request leaves it, no script is needed to read it.

Whatever the template prints goes through `_exit`, then through jinja's escaping: no template can forget either. Names
become text nodes or quoted attribute values; the content security policy permits this file's own style and script by
their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reconciler import __version__
from reconciler.answers.words import capital
from reconciler.history.months import month_of
from reconciler.model import MappingKey
from reconciler.planning.changes import Outcome
from reconciler.planning.money import Amount, add_up
from reconciler.render.document import View, signed, view
from reconciler.render.html_rows import PageRow, Tone, past_headline, past_rows, plan_headline, plan_rows
from reconciler.render.html_time import Background, Name, audit_trail, over_time
from reconciler.render.text import legible, pieces
from reconciler.render.words import WORDS, circumstances, details, monthly_amounts, moved, users_after_run

if TYPE_CHECKING:
    from reconciler.plan_document.layout import NeedJson, PlanJson

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 2000
"""Characters of one message that are shown."""

NAME = 120
"""Characters of one name that are shown."""

STORY_LINES = 7
"""The newest recorded changes of a mapping that its story shows."""

MOVEMENTS = 5
"""The largest movements up, and as many down, that are shown."""

Figure = tuple[str, str]


def render_html(document: PlanJson) -> str:
    """The plan, or what became of it, as one HTML file. Without a history it tells of this plan only."""
    run = document.get("run")
    now = datetime.fromisoformat(run["finished_at"] if run else document["timestamp"])
    return draw_report(Background(now=now, month=month_of(now)), document)


def draw_report(around: Background, document: PlanJson | None = None) -> str:
    """The report about a plan, whose numbers are then the plan's, or about the newest recorded run."""
    figures: Iterable[Figure]
    if document is None:
        rows, waiting = past_rows(around), around.needs
        headline = past_headline(around, people=len(waiting))
        figures = _past_figures(rows)
    else:
        shown = view(document)
        rows, waiting = plan_rows(shown, around), _with_newer_looks(document.get("needs", []), around)
        headline = plan_headline(shown, around, people=len(waiting))
        figures = _plan_figures(shown)
    charts, monthly = over_time(around)
    moves = _movements(around, rows)
    audit, audit_left_out = audit_trail(around)
    needs = _cards(waiting, around, rows)
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    text = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            policy=_policy(style, script),
            style=Markup(style),  # noqa: S704 - ours, and nothing foreign in it
            script=Markup(script),  # noqa: S704
            title=f"Users, {around.month.start:%B %Y}",
            headline=headline,
            figures=list(figures),
            needs=needs,
            needs_in_all=sum(len(card.each) or 1 for card in needs),
            charts=charts,
            monthly=monthly,
            movements_of=f"in {around.month.start:%B %Y}" if around.timeline.points else "in this plan",
            up=[one for one in moves if one.delta > 0][:MOVEMENTS],
            down=[one for one in moves if one.delta < 0][:MOVEMENTS],
            largest=abs(moves[0].delta) if moves else 1,
            rows=rows,
            priced=any(row.amount is not None for row in rows),
            changed=sum(not row.status.same for row in rows),
            story_lines=STORY_LINES,
            month=around.month,
            audit=audit,
            audit_left_out=audit_left_out,
            names={row.key: row.customer or row.key for row in rows},
            has_run=bool(rows or audit or charts),
            version=__version__,
            made_at=around.now.astimezone(UTC),
        )
    )
    return "\n".join(filter(None, map(str.strip, text.splitlines()))) + "\n"


def _with_newer_looks(needs: list[NeedJson], around: Background) -> list[NeedJson]:
    """The document's needs; where the report looked at invoices itself, that look is newer than the document's."""
    if not around.looked:
        return needs
    newer = [need for need in around.needs if need["kind"] == "not-invoiced"]
    return [*newer, *(need for need in needs if need["kind"] != "not-invoiced")]


# --- figures ---------------------------------------------------------------------------------------------------------


def _plan_figures(shown: View) -> Iterator[Figure]:
    """The plan's summary and monthly amounts; after a run, what was read back."""
    summary = shown.document["summary"]
    before, after = summary["users_before"], summary["users_after"]
    if shown.applied:
        before, after, _ = users_after_run(shown)
    yield "Users", f"{before} \u2192 {after}"
    yield "Difference", _signed(after - before)
    if shown.applied:
        yield from _outcome_figures(shown)
    else:
        yield "To create", str(summary["create"])
        yield "To update", str(summary["update"])
        yield "Held", str(summary["held"])
        yield "Unchanged", str(summary["no_op"])
    yield from _amount_figures(*monthly_amounts(shown))


def _outcome_figures(shown: View) -> Iterator[Figure]:
    """How many changes ended in which way; what did not end well is named where there is some."""
    ended = shown.endings
    yield "Created", str(sum(one.created for one in ended))
    yield "Updated", str(sum(one.written for one in ended))
    yield "Held", str(len(shown.with_outcome(Outcome.HELD)))
    yield "Unchanged", str(len(shown.with_outcome(Outcome.UNCHANGED)))
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE, None):
        if number := len(shown.with_outcome(outcome)):
            yield capital(outcome or "outcome not recorded"), str(number)


def _past_figures(rows: Sequence[PageRow]) -> Iterator[Figure]:
    """How many mappings stand in which state, and the monthly amounts of what the newest run left."""
    yield "Mappings", str(len(rows))
    for word, number in Counter(row.status.word for row in rows).items():
        yield word.capitalize(), str(number)
    without = sum(row.amount is None and bool(row.before or row.after) for row in rows)
    yield from _amount_figures(add_up(row.amount for row in rows if row.amount is not None), without)


def _amount_figures(amounts: Sequence[Amount], without: int) -> Iterator[Figure]:
    """One figure for each currency, and how many mappings are in none of them."""
    for one in amounts:
        yield f"Monthly amount, {one.currency} (estimate)", f"{one.after:,} ({_signed_amount(one.change)})"
    if amounts and without:
        yield "Without a known amount", str(without)


# --- what needs a person ---------------------------------------------------------------------------------------------

_BAD = frozenset({"refused", "failed", "unknown", "record-missing", "overdue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedCard:
    """A need as the page shows it: whom it is about, what it is, its circumstances and the next step.

    `row` is the page row's number. `each` are the needs of a card that stands for several: who, key, about, row.
    """

    tone: Tone
    who: str
    key: str
    what: str
    about: str
    step: str
    row: int | None = None
    each: tuple[tuple[str, str, str, int | None], ...] = ()


def _cards(needs: Sequence[NeedJson], around: Background, rows: Sequence[PageRow]) -> tuple[NeedCard, ...]:
    """The list as the report shows it: needs that say the same of several mappings are one card."""
    numbers: dict[str, int] = {row.key: row.number for row in rows}
    alike: dict[tuple[str, str, str], list[NeedJson]] = {}
    for need in needs:
        alike.setdefault((need["kind"], *_general(need)), []).append(need)
    return tuple(
        _group_card(group, what, step, around.now.date(), numbers)
        if len(group) > 1
        else _card(group[0], around.now.date(), numbers)
        for (_, what, step), group in alike.items()
    )


def _card(need: NeedJson, today: date, rows: Mapping[str, int]) -> NeedCard:
    return NeedCard(
        tone=_tone(need),
        who=need["who"],
        key=need["key"],
        what=need["what"],
        about=capital(circumstances(need, today)),
        step=need["step"],
        row=rows.get(need["key"]),
    )


def _group_card(group: Sequence[NeedJson], what: str, step: str, today: date, rows: Mapping[str, int]) -> NeedCard:
    since, users = details(group[0], today)[0], sum(need["users"] for need in group)
    together = all(details(need, today)[0] == since for need in group)
    about = (since if together else "", f"{users} users in all" if users else "")
    return NeedCard(
        tone=_tone(group[0]),
        who=f"{capital(WORDS[group[0]['kind']])} ({len(group)})",
        key="",
        what=what,
        about=capital(", ".join(filter(None, about))),
        step=step,
        each=tuple(
            (need["who"], need["key"], _line(need, today, since=not together), rows.get(need["key"])) for need in group
        ),
    )


def _line(need: NeedJson, today: date, *, since: bool) -> str:
    """One need of several: its Subscription, since when, before which invoice and for how many users."""
    number = "" if need["subscription_id"] is None else f"Subscription {need['subscription_id']}"
    return ", ".join(filter(None, (number, *details(need, today)[0 if since else 1 :])))


def _tone(need: NeedJson) -> Tone:
    return Tone.BAD if need["kind"] in _BAD else Tone.CALL


def _general(need: NeedJson) -> tuple[str, str]:
    """What a need says and its next step without whose it is, where both hold for all such needs; else as they are."""
    what, step = need["what"], need["step"]
    if need["subscription_id"] is not None:
        number = f"Subscription {need['subscription_id']}"
        what, step = (text.replace(number, "the Subscription") for text in (what, step))
    customer = need["who"].rsplit(" -> ", maxsplit=1)[-1]
    step = step.replace(f"the recurring invoice of {customer},", "the customer's recurring invoice,")
    if need["key"]:
        step = step.replace(f" --only {need['key']}", "")
    if need["kind"] == "unmapped":
        what, step = re.sub(r" \([0-9]+ users?\)", "", what), re.sub(r"^(reconciler map) [0-9]+$", r"\1", step)
    if need["key"] and need["key"] in step:
        return need["what"], need["step"]  # a command with the wrong key would be worse than a second card
    return capital(what), step


# --- movements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How far one customer's users moved; `row` is the page row's number."""

    customer: str
    key: MappingKey
    first: int
    last: int
    row: int | None

    @property
    def delta(self) -> int:
        """Users more, or fewer where negative."""
        return self.last - self.first


def _movements(around: Background, rows: Sequence[PageRow]) -> list[Movement]:
    """What moved, the largest movements first: of the month or, without a history, of the plan."""
    if around.timeline.points:
        moves = list(_month_moves(around, {row.key: row for row in rows}))
    else:
        moves = [
            Movement(customer=row.customer, key=row.key, first=row.before or 0, last=row.after, row=row.number)
            for row in rows
            if row.after is not None and row.status.word != "held"
        ]
    return sorted((one for one in moves if one.delta), key=lambda one: (-abs(one.delta), one.key))


def _month_moves(around: Background, rows: Mapping[MappingKey, PageRow]) -> Iterator[Movement]:
    for key in around.timeline.points:
        points = around.timeline.between(key, around.month.start, around.until)
        known = [point.quantity for point in points if point.quantity is not None]
        if known:
            named = rows.get(key) or around.names.get(key, Name())
            first = known[0] if points[0].at == around.month.start else _created_at_zero(key, around, known[0])
            number = rows[key].number if key in rows else None
            yield Movement(customer=named.customer, key=key, first=first, last=known[-1], row=number)


def _created_at_zero(key: MappingKey, around: Background, first: int) -> int:
    """A Subscription that was created in the month began with nobody; one first seen in it began as it was seen."""
    first_line = next(iter(around.by_key.get(key, ())), None)
    return 0 if first_line is not None and first_line.change.action == "create" else first


# --- drawing ---------------------------------------------------------------------------------------------------------


def _policy(style: str, script: str) -> Markup:
    """What the page may load: its own style and script, by their hashes, and nothing else."""
    hashes = f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    return Markup(f"default-src 'none'; {hashes}; base-uri 'none'; form-action 'none'")  # noqa: S704 - ours alone


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_exit,
    )
    environment.filters |= {"signed": _signed, "short": _short, "moved": _signed_amount, "pieces": _pieces}
    return environment


def _exit(value: object) -> object:
    """The one exit of the format: foreign text cannot hide, reorder or overflow; jinja escapes it afterwards."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return legible(value, LONGEST)
    return "?" if value is None else value


def _short(name: str) -> str:
    return _arrows(legible(name, NAME))


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Our own sentence, what is there to be copied apart from the words; the words have a real arrow."""
    return [(code, part if code else _arrows(part)) for code, part in pieces(legible(text, LONGEST))]


def _signed_amount(amount: Decimal) -> str:
    """A difference with a real minus sign."""
    return moved(amount).replace("-", "\u2212")


def _arrows(text: str) -> str:
    return text.replace(" -> ", " \u2192 ")


def _signed(number: int | None) -> str:
    """A difference with a real minus sign, which screen readers read as one."""
    return signed(number).replace("-", "\u2212")


def _asset(name: str) -> str:
    lines = (TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(filter(None, map(str.strip, lines)))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
