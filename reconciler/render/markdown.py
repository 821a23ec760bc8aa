"""The plan as GitHub-flavoured Markdown, for pull-request comments, job summaries and issues.

Written for someone who looks at it once, perhaps aloud, and knows neither git nor this program: the verdict first, then
what needs a person, then what changes, then the rest folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING

from reconciler.answers.words import capital, plural, sentence
from reconciler.planning.changes import Action, Outcome
from reconciler.render.document import OTHERS, Kind, Problem, Row, View, other_in_words, signed, view
from reconciler.render.text import markdown_code, markdown_safe
from reconciler.render.words import (
    amount_in_words,
    amounts_sentence,
    causes,
    circumstances,
    in_all,
    outcome_verdict,
    priced,
    read_at,
    read_on,
    users_in_words,
    verdict,
    writes_title,
)

if TYPE_CHECKING:
    from reconciler.plan_document.layout import NeedJson, PlanJson

LIMIT = 60_000
"""Characters; a comment on GitHub may have 65,536."""

_PROSE = 2000
"""Characters of one message or remedy that are shown."""

_NOTE_ROOM = 400
"""Characters kept free for the sentence that says what was cut."""

_COLUMNS = {
    "Action": "---",
    "Mapping": "---",
    "Customer": "---",
    "Before": "---:",
    "After": "---:",
    "Difference": "---:",
    "Monthly (estimate)": "---:",
    "Why": "---",
}
"""Each column of the table with its rule; that of numbers aligns them to the right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part that may be cut: an opening, one line an item, a closing. `what` names an item when some are cut."""

    what: str
    opening: str
    items: Sequence[str]
    closing: str = ""

    def within(self, room: int) -> tuple[str, int]:
        """As many items as fit into `room` characters, and the number of those that do not."""
        room -= len(self.opening) + len(self.closing) + 4
        lengths = accumulate(len(item) + 1 for item in self.items)
        kept = sum(length <= room for length in lengths)
        text = "\n".join([self.opening, *self.items[:kept], *([self.closing] if self.closing else [])])
        return (text if kept else ""), len(self.items) - kept


def fitted_blocks(blocks: Iterable[tuple[Block, int]], room: int, *, elsewhere: str) -> tuple[list[str], int]:
    """The blocks as far as they fit, a sentence about what was cut, and the characters that are left of `room`.

    Each block comes with the share of what is left that it may take (1 is all, 2 half); `elsewhere` says where the rest
    is.
    """
    parts, cut = [], []
    for block, share in blocks:
        text, missing = block.within(room // share)
        if text:
            parts.append(text)
            room -= len(text) + 2
        if missing:
            cut.append(f"{missing} {block.what}")
    if cut:
        parts.append(f"_Left out for want of space: {', '.join(cut)}. {elsewhere}_")
    return parts, room


def render_markdown(document: PlanJson, *, limit: int = LIMIT) -> str:
    """Return the plan, or what `apply` did, in at most `limit` characters.

    Verdict, refusals and holds are always there: should they alone be too long, holds shrink to a line each, and only
    then is the limit passed. What was cut for want of space is said at the end.
    """
    shown = view(document)
    top = _top(shown, brief=False)
    if len(top) > limit // 2:
        top = _top(shown, brief=True)
    bottom = _bottom(document)
    room = limit - len(top) - len(bottom) - _NOTE_ROOM
    whole = ((block, 1) for block in _blocks(shown))
    parts, _ = fitted_blocks(whole, room, elsewhere="The JSON plan has them all.")
    return "\n\n".join([top, *parts, bottom]) + "\n"


def _top(shown: View, *, brief: bool) -> str:
    words, figures = verdict(shown)
    if shown.applied:
        words, figures = outcome_verdict(shown), users_in_words(shown)
    lines = [f"### {words}"]
    for told in filter(None, (figures, amounts_sentence(shown))):
        lines += ["", told]
    for cause in causes(shown):
        lines += ["", f"**{markdown_safe(cause, _PROSE)}**"]
    if shown.refusals:
        lines += ["", "**Refused by a safety rule.** Nothing is written until a person has decided:", ""]
        for problem in shown.refusals:
            lines += _problem(problem, indent="", below="  ")
    if held := shown.of_kind(Kind.HELD):
        until = "Nothing is written for these until a person decides:"
        lines += ["", f"**Held by a safety rule: {len(held)}.** {until}", ""]
        lines += [line for row in held for line in (_brief_hold(row) if brief else _hold(row))]
    return "\n".join(lines)


def _hold(row: Row) -> Iterator[str]:
    planned = "?" if row.after is None else row.after
    wish = {
        Action.CREATE: f"no Subscription is created; the plan was one with {planned}",
        Action.UPDATE: f"it stays at {row.before_in_words}; the plan was {planned}",
        Action.NO_OP: f"it stays at {row.before_in_words}",
    }[Action(row.action)]
    anyway = "" if row.caused_by_edit else " This is so without the edit under review, too."
    yield f"- **{_parties(row)}** ({markdown_code(row.key)}): {wish}.{anyway}"
    for problem in row.problems:
        yield from _problem(problem, indent="  ")
    if row.others:
        yield f"  - {OTHERS}: {_others(row)}."


def _brief_hold(row: Row) -> Iterator[str]:
    rules = ", ".join(f"`{problem.rule}`" for problem in row.problems)
    yield f"- {_parties(row)} ({markdown_code(row.key)}): {rules}, stays at {row.before_in_words}"


def _problem(problem: Problem, *, indent: str, below: str = "") -> Iterator[str]:
    yield f"{indent}- `{problem.rule}`: {markdown_safe(problem.message, _PROSE)} {problem.measure}".rstrip()
    if problem.remedy:
        yield f"{indent}{below}- To do: {markdown_safe(problem.remedy, _PROSE)}"


def _blocks(shown: View) -> Iterator[Block]:
    """What may be cut, most important first, which is also the order of reading."""
    if shown.applied:
        yield from _waiting(shown)
        yield from _tried(shown)
    else:
        yield from _planned(shown)
        yield from _waiting(shown)
    yield from _notes(shown)
    unchanged = shown.with_outcome(Outcome.UNCHANGED) if shown.applied else shown.of_kind(Kind.UNCHANGED)
    if unchanged:
        yield _folded(f"{plural(len(unchanged), 'mapping')} unchanged", "unchanged rows", unchanged, shown)


def _planned(shown: View) -> Iterator[Block]:
    here, anyway = shown.writes_by_cause
    if here:
        yield _table(f"**{writes_title(shown, 'What this edit changes:')}**", "changes", here, shown)
        yield from _beside(here)
    elif shown.compares_edit:
        yield Block(what="sentences", opening="", items=["This edit changes no quantity by itself."])
    if anyway:
        title = f"{plural(len(anyway), 'change')} that would happen tonight anyway, without this edit"
        yield _folded(title, "changes that would happen anyway", anyway, shown)
        yield from _beside(anyway)


def _tried(shown: View) -> Iterator[Block]:
    if shown.refusals:
        return
    rows = [row for row in shown.rows if row.kind is not Kind.HELD and row.outcome is not Outcome.UNCHANGED]
    waiting, tried = [r for r in rows if r.not_attempted], [r for r in rows if not r.not_attempted]
    if tried:
        yield _table("**What was tried:**", "tried changes", tried, shown)
    if waiting:
        title = f"{plural(len(waiting), 'change')} not attempted: nothing was sent for them"
        yield _folded(title, "changes that were not attempted", waiting, shown)


def _table(title: str, what: str, rows: Iterable[Row], shown: View, *, closing: str = "") -> Block:
    """Rows below their title; there is a column for money only where some amount is known."""
    with_amounts = priced(shown.rows)
    columns = [name for name in _COLUMNS if with_amounts or name != "Monthly (estimate)"]
    head = f"| {' | '.join(columns)} |\n|{'|'.join(map(_COLUMNS.__getitem__, columns))}|"
    items = [_table_row(row, with_amounts=with_amounts) for row in rows]
    return Block(what=what, opening=f"{title}\n\n{head}", items=items, closing=closing)


def _folded(title: str, what: str, rows: Iterable[Row], shown: View) -> Block:
    return _table(f"<details><summary>{title}</summary>", what, rows, shown, closing="\n</details>")


def _table_row(row: Row, *, with_amounts: bool) -> str:
    action, why = row.action.replace("no-op", "none"), row.reason
    if row.ending is not None:
        action, why = row.ending.told, "" if row.not_attempted else sentence(row.outcome_message) or why
    cells = (
        action,
        markdown_code(row.key),
        _parties(row),
        row.before_in_words,
        row.after_in_words,
        signed(row.delta),
        *((amount_in_words(row),) if with_amounts else ()),
        markdown_safe(why, 300),
    )
    return f"| {' | '.join(cells)} |"


def _waiting(shown: View) -> Iterator[Block]:
    """The one list of needs. Refusals and holds that stand at the top with all their rules are not told twice."""
    needs = shown.document.get("needs", [])
    held = {row.key for row in shown.of_kind(Kind.HELD)}
    above = [n for n in needs if n["kind"] == "refused" or (n["kind"] == "held" and n["key"] in held)]
    below = [need for need in needs if need not in above]
    if below:
        more = f"; {len(above)} of them {'is' if len(above) == 1 else 'are'} told above" if above else ""
        title = f"**{capital(in_all(len(needs)))}**, the soonest invoice first{more}:\n"
        items = markdown_needs(below, read_on(shown.document))
        yield Block(what="things that wait for a person", opening=title, items=items)


def markdown_needs(needs: Iterable[NeedJson], today: date) -> list[str]:
    """What waits for a person as Markdown, one item a need."""
    return [
        f"- **{markdown_safe(need['who'])}**{_in_brackets(need['key'])}, "
        f"{circumstances(need, today)}: {markdown_safe(need['what'], _PROSE)}\n"
        f"  - To do: {markdown_safe(need['step'], _PROSE)}"
        for need in needs
    ]


def _in_brackets(key: str) -> str:
    return f" ({markdown_code(key)})" if key else ""


def _parties(row: Row) -> str:
    customer = markdown_safe(row.customer) if row.customer.strip() else f"customer {row.customer_id}"
    return f"{markdown_safe(row.clients)} -> {customer}" if row.names_both else customer


def _others(row: Row) -> str:
    return "; ".join(other_in_words(other, markdown_safe(other["name"])) for other in row.others)


def _beside(rows: Iterable[Row]) -> Iterator[Block]:
    """What the customers of creates have already."""
    items = [f"- {_parties(row)} ({markdown_code(row.key)}): {_others(row)}" for row in rows if row.others]
    if items:
        opening = "**Customers that have other Subscriptions, which no mapping has:**\n"
        yield Block(what="customers with other Subscriptions", opening=opening, items=items)


def _notes(shown: View) -> Iterator[Block]:
    if shown.lifted:
        opening = "**Rules lifted with `--allow` or approved in mappings.yaml:**\n"
        items = [
            f"- `{problem.rule}`{f' for {markdown_code(problem.key)}' if problem.key else ''}: "
            f"{markdown_safe(problem.message, _PROSE)} {markdown_safe(problem.lifted_by, _PROSE)}"
            for problem in shown.lifted
        ]
        yield Block(what="lifted rules", opening=opening, items=items)
    if warnings := shown.document["warnings"]:
        items = [f"- {markdown_safe(sentence(warning), _PROSE)}" for warning in warnings]
        yield Block(what="warnings", opening="**Warnings:**\n", items=items)


def _bottom(document: PlanJson) -> str:
    scope = " Only selected mappings are in this plan." if document.get("selected") else ""
    return (
        f"<sub>HaloPSA {markdown_code(document['halo_url'])} and INFIMA partner "
        f"{markdown_safe(document['infima_partner'])}, as read {markdown_code(read_at(document))}.{scope}</sub>"
    )
