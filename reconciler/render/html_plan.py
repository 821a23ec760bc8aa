"""The report's headline, needs and rows from the JSON plan: its numbers are the plan's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from reconciler.errors import ExitCode
from reconciler.model import MappingKey
from reconciler.plan_document.layout import ChangeJson
from reconciler.planning.changes import Action, Outcome
from reconciler.planning.money import Amount, written
from reconciler.render.amounts import row_amount
from reconciler.render.document import (
    Kind,
    Problem,
    Row,
    View,
    capital,
    causes,
    other_in_words,
    outcome_verdict,
    plural,
    sentence,
    users_in_words,
    verdict,
)
from reconciler.render.html_charts import draw_sparkline
from reconciler.render.html_page import Background, Badge, Headline, PageRow, Tone
from reconciler.render.html_time import moment_in_words, overdue

HELD = Badge(sign="!", word="held", tone=Tone.CALL)
SAME = Badge(sign="=", word="unchanged", tone=Tone.PLAIN, same=True)

_BAD_ENDINGS: dict[int, str] = {
    ExitCode.INCOMPLETE: "The last run is incomplete: look at what failed or is unknown.",
    ExitCode.INTERRUPTED: "The last run was interrupted.",
}
_TONES: dict[int, Tone] = {ExitCode.DONE: Tone.GOOD, ExitCode.HELD: Tone.CALL}

_KINDS = {
    Kind.HELD: HELD,
    Kind.CREATE: Badge(sign="+", word="to create", tone=Tone.PLAIN),
    Kind.UPDATE: Badge(sign="~", word="to update", tone=Tone.PLAIN),
    Kind.UNCHANGED: SAME,
}
CREATED = Badge(sign="\u2713", word="created", tone=Tone.GOOD)
OUTCOMES = {
    Outcome.APPLIED: Badge(sign="\u2713", word="updated", tone=Tone.GOOD),
    Outcome.UNCHANGED: SAME,
    Outcome.HELD: HELD,
    Outcome.STALE: Badge(sign="!", word="moved", tone=Tone.CALL),
    Outcome.FAILED: Badge(sign="\u2715", word="failed", tone=Tone.BAD),
    Outcome.UNKNOWN: Badge(sign="?", word="unknown", tone=Tone.BAD),
}


def plan_headline(shown: View, around: Background, *, people: int) -> Headline:
    """The plan's verdict, or the run's, with how fresh it is."""
    document = shown.document
    notes = tuple(sentence(text) for text in document["warnings"])
    run = document.get("run")
    if run is None or not shown.applied:
        words, figures = verdict(shown)
        taken = datetime.fromisoformat(document["timestamp"])
        tone = Tone.BAD if shown.refusals else Tone.CALL if shown.of_kind(Kind.HELD) else Tone.GOOD
        fresh = f"A preview: nothing has been written. Both systems were read {moment_in_words(taken, around.now)}."
        return Headline(
            tone=tone, title=_preview_title(shown), sentence=f"{words} {figures}".strip(), freshness=fresh, notes=notes
        )
    finished = datetime.fromisoformat(run["finished_at"])
    who = next((past.info.actor for past in around.runs if past.info.id == run["id"]), "")
    by = f" by {who}" if who else ""
    return Headline(
        tone=_TONES.get(run["exit_code"], Tone.BAD),
        title=ending_title(
            run["exit_code"],
            people,
            whole=not shown.selected,
            all_seen=around.invoices.all_seen,
            refused=bool(shown.refusals),
        ),
        sentence=" ".join([outcome_verdict(shown), users_in_words(shown, "\u2192"), *causes(shown)]),
        freshness=f"Run {run['id']}{by} ended {moment_in_words(finished, around.now)}.",
        warnings=overdue(around.runs, around.now),
        notes=(*filter(None, (around.invoices.sentence,)), *notes),
    )


def ending_title(exit_code: int, people: int, *, whole: bool, all_seen: bool, refused: bool = False) -> str:
    """The judgement on a run, in words that need no explanation.

    "All is well" is said after a run over all mappings, where nothing waits for a person and every Subscription was
    seen on a live recurring invoice.
    """
    if refused:
        return f"The last run was refused by a safety rule. {_things(people)} a person."
    if exit_code in _BAD_ENDINGS or exit_code not in _TONES:
        return _BAD_ENDINGS.get(exit_code, "The last run failed: nothing was brought up to date.")
    if whole and all_seen and not people and exit_code == ExitCode.DONE:
        return "All is well: the last run was fine."
    about = "The last run was fine" if whole else "The last run was about selected mappings only"
    waiting = f"{_things(people)} a person" if people else "Nothing that was looked at waits for a person"
    return f"{about}. {waiting}."


def _things(number: int) -> str:
    return "1 thing needs" if number == 1 else f"{number} things need"


def _preview_title(shown: View) -> str:
    if shown.refusals:
        return "Refused: a safety rule would stop the whole run."
    held = len(shown.of_kind(Kind.HELD))
    if held:
        return f"{plural(held, 'change')} would be held for a person."
    return "Nothing stands in the way."


def _step(problem: Problem) -> str:
    return capital(problem.remedy)


def _what(problem: Problem) -> str:
    return f"{capital(problem.message)} (Rule: {problem.rule}.)"


def plan_rows(shown: View, around: Background) -> tuple[PageRow, ...]:
    """Every mapping of the plan, with its story."""
    changes = {change["name"]: change for change in shown.document["resource_changes"]}
    return tuple(_row(i, row, changes[row.key], around) for i, row in enumerate(shown.rows))


def _row(number: int, row: Row, change: ChangeJson, around: Background) -> PageRow:
    key = MappingKey(row.key)
    points = around.timeline.between(key, around.drawn_from, around.until)
    return PageRow(
        number=number,
        key=key,
        customer=row.customer,
        customer_id=row.customer_id,
        status=_status(row),
        counted=change["quantity"]["counted"],
        rule=change["quantity"]["rule"],
        before=row.before,
        after=row.shown_after,
        story=tuple(_story(row, change)),
        spark=draw_sparkline(points, start=around.drawn_from, end=around.until),
        past=tuple(around.by_key.get(key, ())),
        amount=row_amount(row, row.amount) if row.amount else None,
    )


def price_story(unit_price: Decimal, source: str, amount: Amount) -> str:
    """What the users come to in money, and who says the price."""
    moves = f" before and {amount.after:,} after the change" if amount.change else ""
    return (
        f"Estimate: {written(unit_price, amount.currency)} a user and month (price from {source}), so "
        f"{written(amount.before, amount.currency)} a month{moves}."
    )


def _status(row: Row) -> Badge:
    if row.outcome is None:
        return _KINDS[row.kind]
    return CREATED if row.outcome is Outcome.APPLIED and row.action == Action.CREATE else OUTCOMES[row.outcome]


def _story(row: Row, change: ChangeJson) -> Iterator[str]:
    """Why this number: what was read, the rule, what it comes to, the quantity in HaloPSA, what holds it."""
    for client in change["infima_clients"]:
        if client["active_users"] is None:
            yield f"INFIMA client {client['name']} ({client['id']}): no complete count was read."
        else:
            listed = client["listed_users"]
            whole = f" of {listed} listed" if listed is not None and listed != client["active_users"] else ""
            active = plural(client["active_users"], "active user")
            yield f"INFIMA client {client['name']} ({client['id']}): {active}{whole}."
    quantity = change["quantity"]
    result = "no number" if quantity["result"] is None else f"the quantity {quantity['result']}"
    yield f"Rule: {quantity['rule']}. From that follows {result}."
    if row.before is None:
        yield f"HaloPSA has no known quantity for customer {row.customer} ({row.customer_id})."
    else:
        number = f"Subscription {row.subscription_id} ({row.subscription_name})"
        yield f"In HaloPSA {number} of customer {row.customer} ({row.customer_id}) has the quantity {row.before}."
    if row.amount:
        yield price_story(Decimal(row.amount["unit_price"]), row.amount["source"], row_amount(row, row.amount))
    for other in row.others:
        yield f"A Subscription of this customer that no mapping has: {other_in_words(other, other['name'])}."
    for problem in row.problems:
        yield f"Held: {_what(problem)} {_step(problem)}"
    if row.outcome_message and row.outcome is not Outcome.HELD:
        yield capital(sentence(_told(row)))


def _told(row: Row) -> str:
    """How a row ended: its word, what is known of the writing, and the message."""
    ending = row.ending
    details = "" if ending is None else ": ".join(filter(None, [ending.word, ending.details]))
    return ". ".join(filter(None, [details, capital(row.outcome_message)]))
