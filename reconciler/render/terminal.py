"""The plan and its outcome for a terminal, in Terraform's words and symbols, as plain lines.

Plain lines, because rich takes seconds for a table of ten thousand rows. Symbols and colours never carry a meaning
alone: each line says it in a word too. The program's own words are ASCII, so that they survive every console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.planning.changes import Action, Outcome
from reconciler.render.amounts import amount_in_words, amounts_sentence
from reconciler.render.document import (
    AFTERWARDS,
    OTHERS,
    Kind,
    Problem,
    Row,
    View,
    attach,
    causes,
    other_in_words,
    outcome_verdict,
    pending_writes,
    plural,
    sentence,
    signed,
    to_attach,
    users_in_words,
    verdict,
    view,
)
from reconciler.render.pen import Ink, Pen
from reconciler.render.text import display_width, pad

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlanJson

LISTED = 20
"""Unmapped clients and unmanaged Subscriptions that are listed without `verbose`."""

ONE_LINE = 115
"""Columns from which on a row stands on one line."""

KEY = 64
"""Characters of the longest key: half a key is none."""

_MARKS = {
    Kind.HELD: ("!", "held", Ink.RED),
    Kind.CREATE: ("+", "create", Ink.GREEN),
    Kind.UPDATE: ("~", "update", Ink.YELLOW),
    Kind.UNCHANGED: (" ", "no change", Ink.PLAIN),
}

_OUTCOME_MARKS = {
    Outcome.APPLIED: ("~", Ink.GREEN),
    Outcome.UNCHANGED: (" ", Ink.PLAIN),
    Outcome.HELD: ("!", Ink.RED),
    Outcome.STALE: ("!", Ink.YELLOW),
    Outcome.FAILED: ("!", Ink.RED),
    Outcome.UNKNOWN: ("!", Ink.RED),
    None: ("!", Ink.YELLOW),
}

_UNDONE = frozenset({Outcome.HELD, Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN, None})


def render_plan(
    document: PlanJson, *, verbose: bool = False, colour: bool = False, width: int = 100, encoding: str = "utf-8"
) -> str:
    """Return the plan as lines for a terminal that is `width` columns wide and writes `encoding`.

    Only what changes or is held is drawn; `verbose` draws every row and every name.
    """
    pen, shown = Pen(colour=colour, width=width, encoding=encoding), view(document)
    sections = [
        _heading(pen, shown),
        _refusals(pen, shown.refusals),
        _held(pen, shown),
        _lifted(pen, shown.lifted),
        *_changes(pen, shown, verbose=verbose),
        _unmapped(pen, document, verbose=verbose),
        _unmanaged(pen, document, verbose=verbose),
        _warnings(pen, document),
        [
            pen.ink(" ".join(verdict(shown)).rstrip(), Ink.RED if shown.refusals else Ink.BOLD),
            *filter(None, [amounts_sentence(shown)]),
        ],
    ]
    return _joined(sections)


def render_outcome(
    document: PlanJson, *, verbose: bool = False, colour: bool = False, width: int = 100, encoding: str = "utf-8"
) -> str:
    """Return what `apply` did, with a line for each change that was tried or withheld and the next steps.

    What a rule withheld was told in full by the plan, which `apply` draws first; here it has its one line. `verbose`
    draws the unchanged rows as well.
    """
    pen, shown = Pen(colour=colour, width=width, encoding=encoding), view(document)
    quiet = () if verbose else (Outcome.UNCHANGED,)
    rows = () if shown.refusals else tuple(row for row in shown.rows if row.outcome not in quiet)
    ink = Ink.GREEN if not (shown.refusals or any(row.outcome in _UNDONE for row in shown.rows)) else Ink.RED
    closing = pen.ink(outcome_verdict(shown), ink) + f" {users_in_words(shown)}"
    sections = [
        _outcomes(pen, rows, verbose=verbose),
        [line for cause in causes(shown) for line in pen.prose(cause, indent="")],
        _next_steps(pen, shown),
        [closing, *filter(None, [amounts_sentence(shown)])],
    ]
    return _joined(sections)


def _joined(sections: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _heading(pen: Pen, shown: View) -> list[str]:
    document = shown.document
    read = document["timestamp"].replace("T", " ").replace("Z", " UTC")
    lines = list(
        pen.prose(
            f"HaloPSA {document['halo_url']} and INFIMA partner {document['infima_partner']}, as read {read}.",
            indent="",
        )
    )
    if not document["complete"]:
        lines.append("Only the mappings selected by --only and --exclude are in this plan.")
    used = [kind for kind in (Kind.CREATE, Kind.UPDATE, Kind.HELD) if shown.of_kind(kind)]
    if used:
        lines.append("Changes are indicated with the following symbols:")
        lines += [f"  {pen.ink(mark, ink)} {word}" for mark, word, ink in map(_MARKS.__getitem__, used)]
    return lines


def _refusals(pen: Pen, refusals: Sequence[Problem]) -> list[str]:
    if not refusals:
        return []
    lines = [pen.ink("Refused by a safety rule. Nothing is written.", Ink.RED)]
    for problem in refusals:
        lines += ["", *_problem(pen, problem, indent="  ", mark=pen.ink("!", Ink.RED) + " ")]
    return lines


def _problem(pen: Pen, problem: Problem, *, indent: str, mark: str = "") -> Iterator[str]:
    body = indent + " " * (2 if mark else 0)
    lines = list(pen.prose(f"{problem.message} {problem.measure}", indent=body, first=f"{problem.rule}: "))
    lines[0] = indent + mark + lines[0][len(body) :]
    yield from lines
    if problem.remedy:
        yield from pen.prose(problem.remedy, indent=body + "  ", first="To do: ")


def _held(pen: Pen, shown: View) -> list[str]:
    rows = shown.of_kind(Kind.HELD)
    if not rows:
        return []
    lines = [pen.ink(f"Held by a safety rule ({len(rows)}). These are not written:", Ink.BOLD)]
    for row, drawn in zip(rows, _table(pen, rows, _plan_mark), strict=True):
        lines += ["", drawn]
        if not row.caused_by_edit:
            lines.append("      This would be held without the edit of mappings.yaml too.")
        for problem in row.problems:
            lines += _problem(pen, problem, indent="      ")
        lines += _others(pen, row)
    return lines


def _lifted(pen: Pen, lifted: Sequence[Problem]) -> list[str]:
    lines = [pen.ink("Rules lifted with --allow or approved in mappings.yaml:", Ink.BOLD)] if lifted else []
    for problem in lifted:
        whose = f" for {problem.key}" if problem.key else ""
        lines += pen.prose(
            f"{whose}: {problem.message} {problem.lifted_by}",
            indent="  ",
            first=problem.rule,
        )
    return lines


def _changes(pen: Pen, shown: View, *, verbose: bool) -> Iterator[list[str]]:
    rows = pending_writes(shown)
    here = [row for row in rows if row.caused_by_edit]
    anyway = [row for row in rows if not row.caused_by_edit]
    if here:
        ordinary = " Where no reason is given, the users counted have changed." if any(map(_is_ordinary, here)) else ""
        title = "From this edit of mappings.yaml:" if shown.compares_edit else f"Changes:{ordinary}"
        if shown.refusals:
            title = "What the plan was before it was refused:"
        yield [pen.ink(title, Ink.BOLD), *_with_others(pen, here)]
    elif shown.compares_edit:
        yield ["This edit of mappings.yaml changes no quantity by itself."]
    if anyway:
        fold = "" if verbose else " Listed with -v."
        title = f"{plural(len(anyway), 'change')} would happen without this edit too.{fold}"
        yield [title, *(_with_others(pen, anyway) if verbose else [])]
    unchanged = shown.of_kind(Kind.UNCHANGED)
    if verbose and unchanged:
        yield [pen.ink("Unchanged:", Ink.BOLD), *_table(pen, unchanged, _plan_mark)]


def _plan_mark(row: Row) -> tuple[str, str, Ink, str]:
    """Symbol, word, colour and last words of a row in a plan."""
    withheld = "" if row.action == Action.NO_OP else f"{row.action} withheld"
    if row.kind is Kind.HELD:
        return *_MARKS[row.kind], withheld
    return *_MARKS[row.kind], "" if _is_ordinary(row) else row.reason


def _is_ordinary(row: Row) -> bool:
    """True where the reason is that the users counted have changed, and the quantity becomes just that number."""
    return row.reason == f"count changed: {plural(row.after or 0, 'user')} counted"


def _outcome_mark(row: Row) -> tuple[str, str, Ink, str]:
    """Symbol, word, colour and last words of a row after `apply`."""
    mark, ink = _OUTCOME_MARKS[row.outcome]
    if row.ending is None:
        return mark, "", ink, ""
    tail = row.ending.details
    if row.problems:
        tail = f"{tail}: {', '.join(problem.rule for problem in row.problems)}"
    return ("+" if row.ending.word == "created" else mark), row.ending.word, ink, tail


def _table(pen: Pen, rows: Sequence[Row], mark_of: Callable[[Row], tuple[str, str, Ink, str]]) -> list[str]:
    """A row: symbol, word, client -> customer, key, Subscription, before -> after, difference, amount, reason.

    On a narrow terminal it takes a second line, from the key on: names are cut to fit, ids and numbers never are.
    """
    priced = any(row.amount is not None for row in rows)
    narrow = pen.width < ONE_LINE
    room = max(40, min(72, pen.width - (36 if narrow else 84)))
    cells = [
        (
            mark_of(row)[1],
            _parties(pen, row, room),
            pen.clean(row.key, KEY),
            "new" if row.subscription_id is None else f"#{row.subscription_id}",
            row.before_in_words,
            row.after_in_words,
            f"({signed(row.delta)})",
            amount_in_words(row) if priced else "",
        )
        for row in rows
    ]
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row, row_cells in zip(rows, cells, strict=True):
        mark, _, ink, tail = mark_of(row)
        word, names, key, subscription, before, after, delta, amount = (
            pad(cell, width, right=index in _NUMBERS)
            for index, (cell, width) in enumerate(zip(row_cells, widths, strict=True))
        )
        first = f"  {pen.ink(f'{mark} {word}', ink)}  {names}".rstrip()
        rest = f"{key}  {subscription}  {before} -> {after}  {delta}" + (f"  {amount}" if priced else "")
        rest = f"{rest}  {pen.clean(tail, 120)}".rstrip()
        lines.append(f"{first}\n      {rest}" if narrow else f"  {pen.ink(f'{mark} {word}', ink)}  {names}  {rest}")
    return lines


def _parties(pen: Pen, row: Row, width: int) -> str:
    """INFIMA client -> HaloPSA customer; one name where an update has the same for both."""
    if row.clients == row.customer and not row.names_both:
        return f"{pen.clean(row.customer, width)} (customer {row.customer_id})"
    half = width // 2
    return f"{pen.clean(row.clients, half)} -> {pen.clean(row.customer, half)} (customer {row.customer_id})"


def _others(pen: Pen, row: Row) -> list[str]:
    """What the customer of a create has already: perhaps the very Subscription that is wanted."""
    if not row.others:
        return []
    listed = [f"        #{other_in_words(other, pen.clean(other['name'], 60))}" for other in row.others[:LISTED]]
    more = [f"        and {len(row.others) - LISTED} more"] if len(row.others) > LISTED else []
    return [f"      {OTHERS}:", *listed, *more]


def _with_others(pen: Pen, rows: Sequence[Row]) -> list[str]:
    drawn = zip(rows, _table(pen, rows, _plan_mark), strict=True)
    return [line for row, first in drawn for line in (first, *_others(pen, row))]


_NUMBERS = frozenset({4, 5, 6, 7})
"""Columns of a row that are aligned to the right."""


def _unmapped(pen: Pen, document: PlanJson, *, verbose: bool) -> list[str]:
    clients = document["unmapped_clients"]
    if not clients:
        return []
    title = f"INFIMA clients neither mapped nor ignored ({len(clients)}). No mapping bills them:"
    lines = [
        f"  {client['id']}  {pen.clean(client['name'])}"
        + ("" if client["user_count"] is None else f"  {plural(client['user_count'], 'user')}")
        for client in clients
    ]
    return [pen.ink(title, Ink.BOLD), *_folded(lines, verbose=verbose)]


def _unmanaged(pen: Pen, document: PlanJson, *, verbose: bool) -> list[str]:
    subscriptions = document["unmanaged_subscriptions"]
    if not subscriptions:
        return []
    title = f"Subscriptions no longer in mappings.yaml ({len(subscriptions)}). They stay as they are:"
    lines = [
        f"  #{row['id']}  {pen.clean(row['name'], 48)}, was {pen.clean(row['key'], KEY)}, for "
        f"{pen.clean(row['customer_name'], 48) or 'a customer that is not listed'}: quantity "
        + ("not known" if row["count"] is None else str(row["count"]))
        for row in subscriptions
    ]
    return [pen.ink(title, Ink.BOLD), *_folded(lines, verbose=verbose)]


def _folded(lines: Sequence[str], *, verbose: bool) -> list[str]:
    if verbose or len(lines) <= LISTED:
        return list(lines)
    return [*lines[:LISTED], f"  and {len(lines) - LISTED} more; all are listed with -v"]


def _warnings(pen: Pen, document: PlanJson) -> list[str]:
    return [line for warning in document["warnings"] for line in pen.prose(warning, indent="", first="Warning: ")]


def _outcomes(pen: Pen, rows: Sequence[Row], *, verbose: bool) -> list[str]:
    waiting = [row for row in rows if row.ending is not None and row.ending.not_attempted]
    folded = waiting if len(waiting) > LISTED and not verbose else []
    drawn_rows = [row for row in rows if row not in folded]
    lines = []
    for row, drawn in zip(drawn_rows, _table(pen, drawn_rows, _outcome_mark), strict=True):
        lines.append(drawn)
        if row.outcome_message and not row.problems and row not in waiting:
            lines += pen.prose(sentence(row.outcome_message), indent="      ")
    if folded:
        names = ", ".join(pen.clean(row.key, KEY) for row in folded[:3])
        told = f"not attempted, nothing was sent for them: {names} and {len(folded) - 3} more; all with -v"
        lines.append(f"  {pen.ink('!', Ink.RED)} {len(folded)} {told}")
    return lines


def _next_steps(pen: Pen, shown: View) -> list[str]:
    created, lines = to_attach(shown), []
    if created:
        lines = [pen.ink(f"Next step, by hand in HaloPSA: {attach(len(created))}", Ink.BOLD)]
        lines += [
            f"  Subscription #{row.subscription_id} {pen.clean(row.subscription_name, 48)}"
            f" for customer {pen.clean(row.customer, 48)} ({row.customer_id})"
            for row in created
        ]
    for outcome, step in AFTERWARDS.items():
        if shown.with_outcome(outcome):
            lines += pen.prose(f"{outcome.capitalize()}: {step}", indent="")
    return lines
