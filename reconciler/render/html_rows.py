"""The report's headline and its rows, one for each mapping: from the JSON plan, or from the history where no plan is.

Text is still as it came: `render.html` cleans everything at its one exit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from reconciler.answers.words import capital, day_words, plural, sentence
from reconciler.errors import ExitCode
from reconciler.history.account import RunEnding, ending_of, is_whole
from reconciler.model import MappingKey
from reconciler.planning.changes import Action, Outcome
from reconciler.planning.money import Amount, amount_of, written
from reconciler.planning.rules import RUN_RULES
from reconciler.render.document import Kind, Row, View, other_in_words
from reconciler.render.html_time import Background, Name, Sparkline, draw_sparkline, moment_in_words, overdue
from reconciler.render.words import causes, need_a_person, outcome_verdict, row_amount, users_in_words, verdict
from reconciler.state.base import HistoryChange
from reconciler.state.history import PastChange, PastRun


class Tone(StrEnum):
    """How a thing is shown; each has a sign and a word as well, so that colour never carries meaning alone."""

    GOOD = "good"
    CALL = "call"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The verdict: one word of judgement, the sentence, and how fresh it is.

    `warnings` are about the runs, and always in sight; `notes` are the plan's own, folded away where they are many.
    """

    tone: Tone
    title: str
    sentence: str
    freshness: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A row's state: a sign, a word and a tone. `same` rows are hidden until asked for."""

    sign: str
    word: str
    tone: Tone
    same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """One mapping. Quantities are whole users, None where not known; `story` tells why in sentences."""

    number: int
    key: MappingKey
    customer: str
    status: Badge
    counted: int | None
    rule: str
    before: int | None
    after: int | None
    story: tuple[str, ...]
    spark: Sparkline | None = None
    past: tuple[PastChange, ...] = ()
    amount: Amount | None = None

    @property
    def delta(self) -> int | None:
        """Users more, or fewer where negative."""
        return None if self.after is None else self.after - (self.before or 0)


_HELD = Badge(sign="!", word="held", tone=Tone.CALL)
_SAME = Badge(sign="=", word="unchanged", tone=Tone.PLAIN, same=True)
_NOT_READ = Badge(sign="?", word="not looked at", tone=Tone.PLAIN, same=True)
_KINDS = {
    Kind.HELD: _HELD,
    Kind.CREATE: Badge(sign="+", word="to create", tone=Tone.PLAIN),
    Kind.UPDATE: Badge(sign="~", word="to update", tone=Tone.PLAIN),
    Kind.UNCHANGED: _SAME,
}
_CREATED = Badge(sign="\u2713", word="created", tone=Tone.GOOD)
_OUTCOMES = {
    Outcome.APPLIED: Badge(sign="\u2713", word="updated", tone=Tone.GOOD),
    Outcome.UNCHANGED: _SAME,
    Outcome.HELD: _HELD,
    Outcome.STALE: Badge(sign="!", word="moved", tone=Tone.CALL),
    Outcome.FAILED: Badge(sign="\u2715", word="failed", tone=Tone.BAD),
    Outcome.UNKNOWN: Badge(sign="?", word="unknown", tone=Tone.BAD),
}


def _badge(outcome: Outcome, action: str) -> Badge:
    return _CREATED if outcome is Outcome.APPLIED and action == Action.CREATE else _OUTCOMES[outcome]


def _price_story(unit_price: Decimal, source: str, amount: Amount) -> str:
    """What the users come to in money, and who says the price."""
    moves = f" before and {amount.after:,} after the change" if amount.change else ""
    return (
        f"Estimate: {written(unit_price, amount.currency)} a user and month (price from {source}), so "
        f"{written(amount.before, amount.currency)} a month{moves}."
    )


# --- headlines of runs -----------------------------------------------------------------------------------------------

_TONES: dict[int, Tone] = {ExitCode.DONE: Tone.GOOD, ExitCode.HELD: Tone.CALL}
_BAD_ENDINGS: dict[int, str] = {
    ExitCode.INCOMPLETE: "The last run is incomplete: look at what failed or is unknown.",
    ExitCode.INTERRUPTED: "The last run was interrupted.",
}


def _run_headline(
    around: Background,
    people: int,
    *,
    run: str,
    actor: str,
    finished: datetime,
    exit_code: int,
    whole: bool,
    refused: bool,
    told: str,
    partial: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> Headline:
    by = f" by {actor}" if actor else ""
    return Headline(
        tone=_TONES.get(exit_code, Tone.BAD),
        title=_ending_title(exit_code, people, whole=whole, all_seen=around.invoices.all_seen, refused=refused),
        sentence=told,
        freshness=f"Run {run}{by} ended {moment_in_words(finished, around)}.",
        warnings=(*overdue(around), *partial),
        notes=(*filter(None, (around.invoices.sentence,)), *notes),
    )


def _ending_title(exit_code: int, people: int, *, whole: bool, all_seen: bool, refused: bool) -> str:
    """The judgement on a run, in words that need no explanation.

    "All is well" is said after a run over all mappings, where nothing waits for a person and every Subscription was
    seen on a live recurring invoice.
    """
    if refused:
        return f"The last run was refused by a safety rule. {need_a_person(people)}."
    if exit_code not in _TONES:
        return _BAD_ENDINGS.get(exit_code, "The last run failed: nothing was brought up to date.")
    if whole and all_seen and not people and exit_code == ExitCode.DONE:
        return "All is well: the last run was fine."
    about = "The last run was fine" if whole else "The last run was about selected mappings only"
    return f"{about}. {need_a_person(people) if people else 'Nothing that was looked at waits for a person'}."


# --- from the plan ---------------------------------------------------------------------------------------------------


def plan_headline(shown: View, around: Background, *, people: int) -> Headline:
    """The plan's verdict, or the run's, with how fresh it is."""
    document, run = shown.document, shown.document.get("run")
    notes = tuple(sentence(text) for text in document["warnings"])
    if run is not None:
        return _run_headline(
            around,
            people,
            run=run["id"],
            actor=next((past.info.actor for past in around.runs if past.info.id == run["id"]), ""),
            finished=datetime.fromisoformat(run["finished_at"]),
            exit_code=run["exit_code"],
            whole=not shown.selected,
            refused=bool(shown.refusals),
            told=" ".join([outcome_verdict(shown), users_in_words(shown, "\u2192"), *causes(shown)]),
            notes=notes,
        )
    tone, title = Tone.GOOD, "Nothing stands in the way."
    if shown.refusals:
        tone, title = Tone.BAD, "Refused: a safety rule would stop the whole run."
    elif held := len(shown.of_kind(Kind.HELD)):
        tone, title = Tone.CALL, f"{plural(held, 'change')} would be held for a person."
    read = moment_in_words(datetime.fromisoformat(document["timestamp"]), around)
    fresh = f"A preview: nothing has been written. Both systems were read {read}."
    return Headline(tone=tone, title=title, sentence=" ".join(verdict(shown)).strip(), freshness=fresh, notes=notes)


def plan_rows(shown: View, around: Background) -> tuple[PageRow, ...]:
    """Every mapping of the plan, with its story."""
    return tuple(_plan_row(number, row, around) for number, row in enumerate(shown.rows))


def _plan_row(number: int, row: Row, around: Background) -> PageRow:
    key = MappingKey(row.key)
    return PageRow(
        number=number,
        key=key,
        customer=row.customer,
        status=_KINDS[row.kind] if row.outcome is None else _badge(row.outcome, row.action),
        counted=row.change["quantity"]["counted"],
        rule=row.change["quantity"]["rule"],
        before=row.before,
        after=row.shown_after,
        story=tuple(_plan_story(row)),
        spark=draw_sparkline(key, around),
        past=tuple(around.by_key.get(key, ())),
        amount=row_amount(row),
    )


def _plan_story(row: Row) -> Iterator[str]:
    """Why this number: what was read, the rule, what it comes to, the quantity in HaloPSA, what holds it."""
    for client in row.change["infima_clients"]:
        found = "no complete count was read"
        if client["active_users"] is not None:
            whole = f" of {client['listed_users']} listed"
            told = client["listed_users"] not in {None, client["active_users"]}
            found = f"{plural(client['active_users'], 'active user')}{whole if told else ''}"
        yield f"INFIMA client {client['name']} ({client['id']}): {found}."
    quantity = row.change["quantity"]
    result = "no number" if quantity["result"] is None else f"the quantity {quantity['result']}"
    yield f"Rule: {quantity['rule']}. From that follows {result}."
    customer = f"customer {row.customer} ({row.customer_id})"
    if row.before is None:
        yield f"HaloPSA has no known quantity for {customer}."
    else:
        number = f"Subscription {row.subscription_id} ({row.subscription_name})"
        yield f"In HaloPSA {number} of {customer} has the quantity {row.before}."
    stated, amount = row.change["monthly_amount"], row_amount(row)
    if stated and amount:
        yield _price_story(Decimal(stated["unit_price"]), stated["source"], amount)
    for other in row.others:
        yield f"A Subscription of this customer that no mapping has: {other_in_words(other, other['name'])}."
    for problem in row.problems:
        yield f"Held: {capital(problem.message)} (Rule: {problem.rule}.) {capital(problem.remedy)}"
    if row.ending and row.outcome_message and row.outcome is not Outcome.HELD:
        yield capital(sentence(f"{row.ending.told}. {capital(row.outcome_message)}"))


# --- from the history ------------------------------------------------------------------------------------------------


def _newest_run(around: Background) -> PastRun | None:
    """The last run within the span; people's decisions about single bindings are none."""
    runs = [r for r in around.runs if not r.verdict.decision and r.verdict.finished_at <= around.until]
    return runs[-1] if runs else None


def past_headline(around: Background, *, people: int) -> Headline:
    """The newest run's verdict with its freshness."""
    run = _newest_run(around)
    if run is None:
        mapped = f"mappings.yaml has {plural(len(around.names), 'mapping')}. " if around.names else ""
        return Headline(
            tone=Tone.CALL,
            title="Nothing has run yet.",
            sentence=f"{mapped}This page tells of runs, and there is none on record yet. See what the first one would "
            "do with reconciler plan; then do it with reconciler apply. From then on this page has users, movements "
            "and reasons.",
        )
    ended = run.verdict
    users = f" Users: {ended.users_before} \u2192 {ended.users_after}." if ended.users_after else ""
    return _run_headline(
        around,
        people,
        run=run.info.id,
        actor=run.info.actor,
        finished=ended.finished_at,
        exit_code=ended.exit_code,
        whole=is_whole(run),
        refused=any(change.held_by in RUN_RULES for change in ended.changes),
        told=f"{sentence(ended.sentence)}{users}",
        partial=_partial(around, run),
    )


def _partial(around: Background, run: PastRun) -> Iterator[str]:
    """What a run of some mappings says nothing of."""
    if is_whole(run) or ending_of(run.verdict) not in {RunEnding.GOOD, RunEnding.HELD, RunEnding.INCOMPLETE}:
        return
    ended = [one.verdict.finished_at for one in around.runs if is_whole(one)]
    before = [moment for moment in ended if moment < run.verdict.finished_at]
    left = "no run has looked at the others yet"
    if before:
        left = f"the others are as the run of {day_words(before[-1])} left them"
    yield f"This run was about selected mappings only ({run.info.command}); {left}, and what waited then waits on."


def past_rows(around: Background) -> tuple[PageRow, ...]:
    """Every mapping whose Subscription the records know, as the newest run left it; what needs a person first."""
    run = _newest_run(around)
    lines = {change.key: change for change in run.verdict.changes} if run else {}
    looked = run is not None and ending_of(run.verdict) in {RunEnding.GOOD, RunEnding.HELD}
    keys = {
        key
        for key in around.timeline.points
        if key in lines or ((point := around.timeline.at(key, around.until)) and point.quantity is not None)
    }
    order = sorted(keys, key=lambda key: (_rank(lines.get(key)), key))
    quiet = _SAME if looked else _NOT_READ
    return tuple(_past_row(number, key, lines.get(key), quiet, around) for number, key in enumerate(order))


def _rank(line: HistoryChange | None) -> int:
    if line is None or line.outcome == Outcome.UNCHANGED:
        return 2
    return 1 if line.outcome == Outcome.APPLIED else 0


def _past_row(number: int, key: MappingKey, line: HistoryChange | None, quiet: Badge, around: Background) -> PageRow:
    name, point = around.names.get(key, Name()), around.timeline.at(key, around.until)
    past = tuple(around.by_key.get(key, ()))
    quantity = point.quantity if point else None
    newest = next((one.change for one in reversed(past) if one.change.rule), None)
    stood = quantity if line is None or line.outcome != Outcome.APPLIED else line.before or 0
    return PageRow(
        number=number,
        key=key,
        customer=name.customer,
        status=_badge(Outcome(line.outcome), line.action) if line else quiet,
        counted=line.counted if line else point.counted if point else None,
        rule=newest.rule if newest else "",
        before=line.before if line else quantity,
        after=line.after if line else quantity,
        story=tuple(_past_story(name, line, quantity, newest)),
        spark=draw_sparkline(key, around),
        past=past,
        amount=amount_of(name.price, stood, quantity),
    )


def _past_story(
    name: Name, line: HistoryChange | None, quantity: int | None, newest: HistoryChange | None
) -> Iterator[str]:
    if name.clients:
        yield f"Counted from INFIMA: {', '.join(name.clients)}."
    told = line or newest
    if told is not None and told.counted is not None:
        rule = f"; rule: {told.rule}" if told.rule else ""
        yield f"INFIMA counted {plural(told.counted, 'active user')}{rule}."
    number = line.subscription_id if line else name.subscription_id
    by = f", on Subscription {number}," if number else ""
    if quantity is not None:
        yield f"The quantity in HaloPSA{by} is {quantity}."
    amount = amount_of(name.price, quantity, quantity)
    if name.price and amount:
        yield _price_story(name.price.amount, name.price.source, amount)
    if line is None:
        yield "The last run changed nothing here."
    elif line.message:
        yield capital(sentence(f"{line.outcome}: {line.message}"))
