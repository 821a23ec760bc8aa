"""The report's headline, needs and rows from the history alone, where no plan was given."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.answers.words import day_words
from reconciler.history.account import RunEnding, ending_of, is_whole
from reconciler.model import MappingKey
from reconciler.planning.changes import Action, Outcome
from reconciler.planning.money import Amount, amount_of
from reconciler.planning.rules import RUN_RULES
from reconciler.render.document import capital, plural, sentence
from reconciler.render.html_charts import draw_sparkline
from reconciler.render.html_page import Background, Badge, Headline, Name, PageRow, Tone
from reconciler.render.html_plan import CREATED, OUTCOMES, SAME, ending_title, price_story
from reconciler.render.html_time import moment_in_words, overdue
from reconciler.state.base import HistoryChange
from reconciler.state.history import PastRun

NOT_READ = Badge(sign="?", word="not looked at", tone=Tone.PLAIN, same=True)
_FIRST = {Outcome.HELD, Outcome.STALE, Outcome.FAILED, Outcome.UNKNOWN}


def newest_run(around: Background) -> PastRun | None:
    """The last run within the span; people's decisions about single bindings are none."""
    runs = [r for r in around.runs if not r.verdict.decision and r.verdict.finished_at <= around.until]
    return runs[-1] if runs else None


def past_headline(around: Background, *, people: int) -> Headline:
    """The newest run's verdict with its freshness."""
    run = newest_run(around)
    if run is None:
        mapped = f"mappings.yaml has {plural(len(around.names), 'mapping')}. " if around.names else ""
        return Headline(
            tone=Tone.CALL,
            title="Nothing has run yet.",
            sentence=f"{mapped}This page tells of runs, and there is none on record yet. See what the first one would "
            "do with reconciler plan; then do it with reconciler apply. From then on this page has users, movements "
            "and reasons.",
            freshness="",
        )
    verdict, ending = run.verdict, ending_of(run.verdict)
    users = f" Users: {verdict.users_before} \u2192 {verdict.users_after}." if verdict.users_after else ""
    return Headline(
        tone={RunEnding.GOOD: Tone.GOOD, RunEnding.HELD: Tone.CALL}.get(ending, Tone.BAD),
        title=ending_title(
            verdict.exit_code,
            people,
            whole=is_whole(run),
            all_seen=around.invoices.all_seen,
            refused=any(change.held_by in RUN_RULES for change in verdict.changes),
        ),
        sentence=f"{sentence(verdict.sentence)}{users}",
        freshness=f"Run {run.info.id}{f' by {run.info.actor}' if run.info.actor else ''} "
        f"ended {moment_in_words(verdict.finished_at, around.now)}.",
        warnings=(*overdue(around.runs, around.now), *_partial(around, run)),
        notes=tuple(filter(None, (around.invoices.sentence,))),
    )


def _partial(around: Background, run: PastRun) -> Iterator[str]:
    """What a run of some mappings says nothing of."""
    if is_whole(run):
        return
    before = [one for one in around.runs if is_whole(one) and one.verdict.finished_at < run.verdict.finished_at]
    left = (
        "no run has looked at the others yet"
        if not before
        else (f"the others are as the run of {day_words(before[-1].verdict.finished_at)} left them")
    )
    if ending_of(run.verdict) in {RunEnding.GOOD, RunEnding.HELD, RunEnding.INCOMPLETE}:
        yield f"This run was about selected mappings only ({run.info.command}); {left}, and what waited then waits on."


def past_rows(around: Background) -> tuple[PageRow, ...]:
    """Every mapping whose Subscription the records know, as the newest run left it; what needs a person first."""
    run = newest_run(around)
    lines = {change.key: change for change in run.verdict.changes} if run else {}
    status = SAME if run is not None and ending_of(run.verdict) in {RunEnding.GOOD, RunEnding.HELD} else NOT_READ
    keys = {
        key
        for key in around.timeline.points
        if key in lines or ((point := around.timeline.at(key, around.until)) and point.quantity is not None)
    }
    order = sorted(keys, key=lambda key: (_rank(lines.get(key)), key))
    return tuple(_row(i, key, lines.get(key), status, around) for i, key in enumerate(order))


def _rank(line: HistoryChange | None) -> int:
    if line is None or line.outcome == Outcome.UNCHANGED:
        return 2
    return 0 if line.outcome in _FIRST else 1


def _row(number: int, key: MappingKey, line: HistoryChange | None, quiet: Badge, around: Background) -> PageRow:
    name = around.names.get(key, Name())
    point = around.timeline.at(key, around.until)
    past = tuple(around.by_key.get(key, ()))
    quantity = point.quantity if point else None
    newest = next((one.change for one in reversed(past) if one.change.rule), None)
    return PageRow(
        number=number,
        key=key,
        customer=name.customer,
        customer_id=name.customer_id,
        status=_status(line, quiet),
        counted=line.counted if line else point.counted if point else None,
        rule=newest.rule if newest else "",
        before=line.before if line else quantity,
        after=line.after if line else quantity,
        story=tuple(_story(name, line, quantity, newest)),
        spark=draw_sparkline(
            around.timeline.between(key, around.drawn_from, around.until), start=around.drawn_from, end=around.until
        ),
        past=past,
        amount=_amount(name, line, quantity),
    )


def _status(line: HistoryChange | None, quiet: Badge) -> Badge:
    if line is None:
        return quiet
    if line.outcome == Outcome.APPLIED and line.action == Action.CREATE:
        return CREATED
    return OUTCOMES.get(Outcome(line.outcome), quiet)


def _amount(name: Name, line: HistoryChange | None, quantity: int | None) -> Amount | None:
    """What the mapping comes to a month, from what stood before the newest run to what stands since."""
    before = quantity if line is None or line.outcome != Outcome.APPLIED else line.before or 0
    return amount_of(name.price, before, quantity)


def _story(name: Name, line: HistoryChange | None, quantity: int | None, newest: HistoryChange | None) -> Iterator[str]:
    if name.clients:
        yield f"Counted from INFIMA: {', '.join(name.clients)}."
    told = line or newest
    if told is not None and told.counted is not None:
        counted = plural(told.counted, "active user")
        yield f"INFIMA counted {counted}; rule: {told.rule}." if told.rule else f"INFIMA counted {counted}."
    number = line.subscription_id if line else name.subscription_id
    by = f", on Subscription {number}," if number else ""
    if quantity is not None:
        yield f"The quantity in HaloPSA{by} is {quantity}."
    amount = _amount(name, None, quantity)
    if name.price and amount:
        yield price_story(name.price.amount, name.price.source, amount)
    if line is None:
        yield "The last run changed nothing here."
    elif line.message:
        yield capital(sentence(f"{line.outcome}: {line.message}"))
