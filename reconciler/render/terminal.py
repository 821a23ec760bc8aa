"""The plan and its outcome for a terminal, in Terraform's words and symbols, as plain lines.

Plain lines, because rich takes seconds for a table of ten thousand rows. Symbols and colours never carry a meaning
alone: each line says it in a word too. The program's own words are ASCII, so that they survive every console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.planning.changes import Outcome
from reconciler.render.amounts import amounts_sentence
from reconciler.render.document import (
    AFTERWARDS,
    Kind,
    Problem,
    Row,
    View,
    attach,
    causes,
    outcome_verdict,
    pending_writes,
    plural,
    read_at,
    sentence,
    to_attach,
    users_in_words,
    verdict,
    view,
)
from reconciler.render.pen import Ink, Pen
from reconciler.render.terminal_rows import (
    KEY,
    LISTED,
    MARKS,
    ORDINARY,
    Mark,
    draw_rows,
    is_ordinary,
    only_mark,
    others,
    outcome_mark,
    plan_mark,
)

if TYPE_CHECKING:
    from reconciler.plan_document.layout import PlanJson

_UNDONE = frozenset({Outcome.HELD, Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN, None})


def render_plan(
    document: PlanJson, *, verbose: bool = False, colour: bool = False, width: int = 100, encoding: str = "utf-8"
) -> str:
    """Return the plan as lines for a terminal that is `width` columns wide and writes `encoding`.

    Only what changes or is held is drawn; `verbose` draws every row and every name.
    """
    pen, shown = Pen(colour=colour, width=width, encoding=encoding), view(document)
    sections = [
        [*_heading(pen, shown), *_symbols(pen, shown)],
        _refusals(pen, shown.refusals),
        _held(pen, shown),
        _lifted(pen, shown.lifted),
        *_changes(pen, shown, verbose=verbose),
        *_besides(pen, document, verbose=verbose),
        [*_verdict(pen, shown), *pen.prose(amounts_sentence(shown), indent="")],
    ]
    return _joined(sections)


def render_before_apply(
    document: PlanJson, *, verbose: bool = False, colour: bool = False, width: int = 100, encoding: str = "utf-8"
) -> str:
    """Return what an `apply` that asks nobody tells before it writes: all but the rows that it is about to write.

    `render_outcome` draws those once, when it is known what became of them. A refused run is drawn as `plan` draws it.
    """
    pen, shown = Pen(colour=colour, width=width, encoding=encoding), view(document)
    if shown.refusals:
        return render_plan(document, verbose=verbose, colour=colour, width=width, encoding=encoding)
    sections = [
        _heading(pen, shown),
        _held(pen, shown),
        _lifted(pen, shown.lifted),
        *_besides(pen, document, verbose=verbose),
        _verdict(pen, shown),
    ]
    return _joined(sections)


def render_outcome(
    document: PlanJson,
    *,
    planned: bool = True,
    verbose: bool = False,
    colour: bool = False,
    width: int = 100,
    encoding: str = "utf-8",
) -> str:
    """Return what `apply` did, with a line for each change that was tried or withheld and the next steps.

    What a rule withheld was told in full before; here it has its one line. Without `planned` the rows were not drawn
    before: each is drawn here, with its reason, and what was told in full is left out. `verbose` draws the unchanged
    rows as well.
    """
    pen, shown = Pen(colour=colour, width=width, encoding=encoding), view(document)
    rows = tuple(row for row in shown.rows if _is_told(row, planned=planned, verbose=verbose))
    if shown.refusals:
        rows = ()
    ink = Ink.GREEN if not (shown.refusals or any(row.outcome in _UNDONE for row in shown.rows)) else Ink.RED
    sections = [
        _outcomes(pen, rows, folds=planned and not verbose, mark_of=outcome_mark if planned else only_mark),
        [line for cause in causes(shown) for line in pen.prose(cause, indent="")],
        _next_steps(pen, shown, rows_above=not planned),
        [
            *pen.coloured(outcome_verdict(shown), users_in_words(shown), ink=ink),
            *pen.prose(amounts_sentence(shown), indent=""),
        ],
    ]
    return _joined(sections)


def _is_told(row: Row, *, planned: bool, verbose: bool) -> bool:
    """Whether a row is drawn after the run: not where nothing was to be done, nor a hold that was told in full."""
    if row.outcome is Outcome.UNCHANGED:
        return verbose
    held_before = row.kind is Kind.HELD and row.outcome is Outcome.HELD and not (row.ending and row.ending.sent)
    return planned or not held_before


def _joined(sections: Iterable[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _heading(pen: Pen, shown: View) -> list[str]:
    document = shown.document
    read = read_at(document)
    lines = list(
        pen.prose(
            f"HaloPSA {document['halo_url']} and INFIMA partner {document['infima_partner']}, as read {read}.",
            indent="",
        )
    )
    if shown.selected:
        lines.append("Only the mappings selected by --only and --exclude are in this plan.")
    return lines


def _symbols(pen: Pen, shown: View) -> list[str]:
    used = [kind for kind in (Kind.CREATE, Kind.UPDATE, Kind.HELD) if shown.of_kind(kind)]
    if not used:
        return []
    symbols = [f"  {pen.ink(mark, ink)} {word}" for mark, word, ink in map(MARKS.__getitem__, used)]
    return ["Changes are indicated with the following symbols:", *symbols]


def _verdict(pen: Pen, shown: View) -> list[str]:
    return list(pen.coloured(" ".join(verdict(shown)), ink=Ink.RED if shown.refusals else Ink.BOLD))


def _besides(pen: Pen, document: PlanJson, *, verbose: bool) -> Iterator[list[str]]:
    yield _unmapped(pen, document, verbose=verbose)
    yield _unmanaged(pen, document, verbose=verbose)
    yield [line for warning in document["warnings"] for line in pen.prose(warning, indent="", first="Warning: ")]


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


def _changes(pen: Pen, shown: View, *, verbose: bool) -> Iterator[list[str]]:
    rows = pending_writes(shown)
    here = [row for row in rows if row.caused_by_edit]
    anyway = [row for row in rows if not row.caused_by_edit]
    if here:
        title = "From this edit of mappings.yaml:" if shown.compares_edit else "Changes:"
        if shown.refusals:
            title = "What the plan was before it was refused:"
        yield [*_title(pen, title, here), *_with_others(pen, here)]
    elif shown.compares_edit:
        yield ["This edit of mappings.yaml changes no quantity by itself."]
    if anyway:
        fold = "" if verbose else " Listed with -v."
        title = f"{plural(len(anyway), 'change')} would happen without this edit too.{fold}"
        yield [title, *(_with_others(pen, anyway) if verbose else [])]
    unchanged = shown.of_kind(Kind.UNCHANGED)
    if verbose and unchanged:
        yield [pen.ink("Unchanged:", Ink.BOLD), *draw_rows(pen, unchanged, plan_mark)]


def _title(pen: Pen, title: str, rows: Sequence[Row]) -> Iterator[str]:
    """A group's heading, with the ordinary reason where some row has just that."""
    return pen.coloured(title, ORDINARY if any(map(is_ordinary, rows)) else "", ink=Ink.BOLD)


def _with_others(pen: Pen, rows: Sequence[Row]) -> list[str]:
    drawn = zip(rows, draw_rows(pen, rows, plan_mark), strict=True)
    return [line for row, first in drawn for line in (first, *others(pen, row))]


def _unmapped(pen: Pen, document: PlanJson, *, verbose: bool) -> list[str]:
    clients = document["unmapped_clients"]
    if not clients:
        return []
    title = f"INFIMA clients neither mapped nor ignored ({len(clients)}). No mapping counts them:"
    lines = [
        f"  {client['id']}  {pen.clean(client['name'], max(20, pen.width - 30))}"
        + ("" if client["user_count"] is None else f"  {plural(client['user_count'], 'user')}")
        for client in clients
    ]
    return [*pen.coloured(title, ink=Ink.BOLD), *_folded(lines, verbose=verbose)]


def _unmanaged(pen: Pen, document: PlanJson, *, verbose: bool) -> list[str]:
    subscriptions = document["unmanaged_subscriptions"]
    if not subscriptions:
        return []
    title = f"Subscriptions no longer in mappings.yaml ({len(subscriptions)}). They stay as they are:"
    lines = [
        "\n".join(
            pen.prose(
                f"{pen.clean(row['name'], 48)}, was {pen.clean(row['key'], KEY)}, for "
                f"{pen.clean(row['customer_name'], 48) or 'a customer that is not listed'}: quantity "
                + ("not known" if row["count"] is None else str(row["count"])),
                indent="  ",
                first=f"#{row['id']}  ",
            )
        )
        for row in subscriptions
    ]
    return [*pen.coloured(title, ink=Ink.BOLD), *_folded(lines, verbose=verbose)]


def _folded(lines: Sequence[str], *, verbose: bool) -> list[str]:
    if verbose or len(lines) <= LISTED:
        return list(lines)
    return [*lines[:LISTED], f"  and {len(lines) - LISTED} more; all are listed with -v"]


def _outcomes(pen: Pen, rows: Sequence[Row], *, folds: bool, mark_of: Callable[[Row], Mark]) -> list[str]:
    waiting = [row for row in rows if row.ending is not None and row.ending.not_attempted]
    folded = waiting if folds and len(waiting) > LISTED else []
    drawn_rows = [row for row in rows if row not in folded]
    lines = list(_title(pen, "Changes:", drawn_rows)) if drawn_rows and mark_of is only_mark else []
    for row, drawn in zip(drawn_rows, draw_rows(pen, drawn_rows, mark_of), strict=True):
        lines.append(drawn)
        if row.outcome_message and not row.problems and row not in waiting:
            lines += pen.prose(sentence(row.outcome_message), indent="      ")
        if mark_of is only_mark:
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
            lines += pen.prose(f"{outcome.capitalize()}: {step}", indent="")
    return lines
