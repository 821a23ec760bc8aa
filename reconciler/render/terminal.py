"""The plan, its outcome and what waits for a person on a terminal, in Terraform's words and symbols, as plain lines.

Plain lines, because rich takes seconds for a table of ten thousand rows. Symbols and colours never carry a meaning
alone: each line says it in a word too. The program's own words are ASCII, so that they survive every console.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from reconciler.answers.words import plural, sentence
from reconciler.planning.changes import Outcome
from reconciler.render.document import Kind, Problem, Row, View, view
from reconciler.render.pen import (
    KEY,
    LISTED,
    MARKS,
    PLAIN,
    Ink,
    Pen,
    draw_rows,
    joined,
    only_mark,
    others,
    outcome_mark,
    plan_mark,
    rows_title,
)
from reconciler.render.words import (
    AFTERWARDS,
    amounts_sentence,
    attach,
    causes,
    circumstances,
    outcome_verdict,
    read_at,
    to_attach,
    users_in_words,
    verdict,
    writes_title,
)

if TYPE_CHECKING:
    from reconciler.plan_document.layout import NeedJson, PlanJson

_UNDONE = frozenset({Outcome.HELD, Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN, None})


def render_plan(document: PlanJson, pen: Pen = PLAIN, *, before_apply: bool = False) -> str:
    """Return the plan as lines. Only what changes or is held is drawn, unless the pen is verbose.

    `before_apply` is for an `apply` that asks nobody: all but the rows that it is about to write, which
    `render_outcome` draws once, when it is known what became of them. A refused run is drawn whole all the same.
    """
    shown = view(document)
    whole = bool(shown.refusals) or not before_apply
    sections = [
        [*_heading(pen, shown), *(_symbols(pen, shown) if whole else ())],
        _refusals(pen, shown.refusals),
        _held(pen, shown),
        _lifted(pen, shown.lifted),
        *(_changes(pen, shown) if whole else ()),
        _unmapped(pen, document),
        _unmanaged(pen, document),
        [line for warning in document["warnings"] for line in pen.prose(warning, first="Warning: ")],
        [
            *pen.coloured(" ".join(verdict(shown)), ink=Ink.RED if shown.refusals else Ink.BOLD),
            *(pen.prose(amounts_sentence(shown)) if whole else ()),
        ],
    ]
    return f"{joined(sections)}\n"


def render_outcome(document: PlanJson, pen: Pen = PLAIN, *, planned: bool = True) -> str:
    """Return what `apply` did, with a line for each change that was tried or withheld and the next steps.

    What a rule withheld was told in full before; here it has its one line. Without `planned` the rows were not drawn
    before: each is drawn here, with its reason, and what was told in full is left out. A verbose pen draws the
    unchanged rows as well.
    """
    shown = view(document)
    rows = () if shown.refusals else [row for row in shown.rows if _is_told(row, planned=planned, verbose=pen.verbose)]
    undone = shown.refusals or any(row.outcome in _UNDONE for row in shown.rows)
    sections = [
        _outcomes(pen, rows, planned=planned),
        [line for cause in causes(shown) for line in pen.prose(cause)],
        _next_steps(pen, shown, rows_above=not planned),
        [
            *pen.coloured(outcome_verdict(shown), users_in_words(shown), ink=Ink.RED if undone else Ink.GREEN),
            *pen.prose(amounts_sentence(shown)),
        ],
    ]
    return f"{joined(sections)}\n"


def render_needs(needs: Sequence[NeedJson], today: date, pen: Pen) -> str:
    """Return what waits for a person; empty where nothing does."""
    lines = [f"Waits for a person ({len(needs)}), the soonest invoice first:"] if needs else []
    for place, need in enumerate(needs, start=1):
        key = f" ({need['key']})" if need["key"] else ""
        lines += pen.prose(f"{need['who']}{key}: {circumstances(need, today)}", indent="  ", first=f"{place}. ")
        lines += pen.prose(need["what"], indent="     ")
        lines += pen.prose(need["step"], indent="     ", first="To do: ")
    return "\n".join(lines)


def _heading(pen: Pen, shown: View) -> Iterator[str]:
    document = shown.document
    systems = f"HaloPSA {document['halo_url']} and INFIMA partner {document['infima_partner']}"
    yield from pen.prose(f"{systems}, as read {read_at(document)}.")
    if shown.selected:
        yield "Only the mappings selected by --only and --exclude are in this plan."


def _symbols(pen: Pen, shown: View) -> list[str]:
    used = [MARKS[kind] for kind in (Kind.CREATE, Kind.UPDATE, Kind.HELD) if shown.of_kind(kind)]
    symbols = [f"  {pen.ink(mark, ink)} {word}" for mark, word, ink in used]
    return ["Changes are indicated with the following symbols:", *symbols] if used else []


def _refusals(pen: Pen, refusals: Sequence[Problem]) -> list[str]:
    lines = [pen.ink("Refused by a safety rule. Nothing is written.", Ink.RED)] if refusals else []
    for problem in refusals:
        first, *more = _problem(pen, problem, indent="    ")
        lines += ["", f"  {pen.ink('!', Ink.RED)} {first.lstrip()}", *more]
    return lines


def _problem(pen: Pen, problem: Problem, *, indent: str) -> Iterator[str]:
    yield from pen.prose(f"{problem.message} {problem.measure}", indent=indent, first=f"{problem.rule}: ")
    if problem.remedy:
        yield from pen.prose(problem.remedy, indent=f"{indent}  ", first="To do: ")


def _held(pen: Pen, shown: View) -> list[str]:
    rows = shown.of_kind(Kind.HELD)
    lines = [pen.ink(f"Held by a safety rule ({len(rows)}). These are not written:", Ink.BOLD)] if rows else []
    for row, drawn in zip(rows, draw_rows(pen, rows, plan_mark), strict=True):
        lines += ["", drawn]
        if not row.caused_by_edit:
            lines.append("      This would be held without the edit of mappings.yaml too.")
        for problem in row.problems:
            lines += _problem(pen, problem, indent="      ")
        lines += others(pen, row)
    return lines


def _lifted(pen: Pen, lifted: Sequence[Problem]) -> list[str]:
    lines = [pen.ink("Rules lifted with --allow or approved in mappings.yaml:", Ink.BOLD)] if lifted else []
    for problem in lifted:
        whose = f" for {problem.key}" if problem.key else ""
        lines += pen.prose(f"{whose}: {problem.message} {problem.lifted_by}", indent="  ", first=problem.rule)
    return lines


def _changes(pen: Pen, shown: View) -> Iterator[list[str]]:
    here, anyway = shown.writes_by_cause
    if here:
        title = writes_title(shown, "From this edit of mappings.yaml:")
        yield [*rows_title(pen, title, here), *_with_others(pen, here)]
    elif shown.compares_edit:
        yield ["This edit of mappings.yaml changes no quantity by itself."]
    if anyway:
        title = f"{plural(len(anyway), 'change')} would happen without this edit too."
        yield [title, *_with_others(pen, anyway)] if pen.verbose else [f"{title} Listed with -v."]
    unchanged = shown.of_kind(Kind.UNCHANGED)
    if pen.verbose and unchanged:
        yield [pen.ink("Unchanged:", Ink.BOLD), *draw_rows(pen, unchanged, plan_mark)]


def _with_others(pen: Pen, rows: Sequence[Row]) -> list[str]:
    drawn = zip(rows, draw_rows(pen, rows, plan_mark), strict=True)
    return [line for row, first in drawn for line in (first, *others(pen, row))]


def _unmapped(pen: Pen, document: PlanJson) -> list[str]:
    clients = document["unmapped_clients"]
    title = f"INFIMA clients neither mapped nor ignored ({len(clients)}). No mapping counts them:"
    lines = [
        f"  {client['id']}  {pen.clean(client['name'], max(20, pen.width - 30))}"
        + ("" if client["user_count"] is None else f"  {plural(client['user_count'], 'user')}")
        for client in clients
    ]
    return [*pen.coloured(title, ink=Ink.BOLD), *_folded(pen, lines)] if clients else []


def _unmanaged(pen: Pen, document: PlanJson) -> list[str]:
    subscriptions = document["unmanaged_subscriptions"]
    title = f"Subscriptions no longer in mappings.yaml ({len(subscriptions)}). They stay as they are:"
    lines = []
    for row in subscriptions:
        name, customer = pen.clean(row["name"], 48), pen.clean(row["customer_name"], 48)
        quantity = "not known" if row["count"] is None else str(row["count"])
        whose = f"was {pen.clean(row['key'], KEY)}, for {customer or 'a customer that is not listed'}"
        told = f"{name}, {whose}: quantity {quantity}"
        lines.append("\n".join(pen.prose(told, indent="  ", first=f"#{row['id']}  ")))
    return [*pen.coloured(title, ink=Ink.BOLD), *_folded(pen, lines)] if subscriptions else []


def _folded(pen: Pen, lines: Sequence[str]) -> Sequence[str]:
    if pen.verbose or len(lines) <= LISTED:
        return lines
    return [*lines[:LISTED], f"  and {len(lines) - LISTED} more; all are listed with -v"]


def _is_told(row: Row, *, planned: bool, verbose: bool) -> bool:
    """Whether a row is drawn after the run: not where nothing was to be done, nor a hold that was told in full."""
    if row.outcome is Outcome.UNCHANGED:
        return verbose
    held_before = row.kind is Kind.HELD and row.outcome is Outcome.HELD and not (row.ending and row.ending.sent)
    return planned or not held_before


def _outcomes(pen: Pen, rows: Sequence[Row], *, planned: bool) -> list[str]:
    waiting = [row for row in rows if row.not_attempted]
    folded = waiting if planned and not pen.verbose and len(waiting) > LISTED else []
    drawn_rows = [row for row in rows if row not in folded]
    lines = list(rows_title(pen, "Changes:", drawn_rows)) if drawn_rows and not planned else []
    drawn = draw_rows(pen, drawn_rows, outcome_mark if planned else only_mark)
    for row, text in zip(drawn_rows, drawn, strict=True):
        lines.append(text)
        if row.outcome_message and not row.problems and not row.not_attempted:
            lines += pen.prose(sentence(row.outcome_message), indent="      ")
        if not planned:
            lines += others(pen, row)
    if folded:
        names = ", ".join(pen.clean(row.key, KEY) for row in folded[:3])
        told = f"not attempted, nothing was sent for them: {names} and {len(folded) - 3} more; all with -v"
        lines.append(f"  {pen.ink('!', Ink.RED)} {len(folded)} {told}")
    return lines


def _next_steps(pen: Pen, shown: View, *, rows_above: bool) -> list[str]:
    """What a person has to do now; `rows_above` says that each created Subscription stands in a row above."""
    attached, lines = to_attach(shown), []
    told_above = rows_above and all(row.ending is not None and row.ending.created for row in attached)
    if attached:
        those = "the Subscription" if len(attached) == 1 else f"the {len(attached)} Subscriptions"
        which = f"{those} created above" if told_above else ""
        lines = list(pen.coloured(f"Next step, by hand in HaloPSA: {attach(len(attached), which)}", ink=Ink.BOLD))
    for row in () if told_above else attached:
        name, customer = pen.clean(row.subscription_name, 48), pen.clean(row.customer, 48)
        first = f"Subscription #{row.subscription_id} "
        lines += pen.prose(f"{name} for customer {customer} ({row.customer_id})", indent="  ", first=first)
    for outcome, step in AFTERWARDS.items():
        if shown.with_outcome(outcome):
            lines += pen.prose(f"{outcome.capitalize()}: {step}")
    return lines
