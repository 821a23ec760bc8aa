"""The story of one number: what was read, which rule made it a quantity, what is live, what comes next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.answers.invoices import Attached, Attachment
from reconciler.answers.status import invoice_note
from reconciler.model import (
    Attempt,
    Binding,
    BindingOrigin,
    CountRule,
    Limits,
    Subscription,
)
from reconciler.planning.changes import Action, Change, CountedClient, Violation
from reconciler.planning.money import in_words, written
from reconciler.planning.rules import Rule
from reconciler.state.base import HistoryChange

LAST_CHANGES = 10

_ORIGINS = {
    BindingOrigin.CREATED: "this program created it",
    BindingOrigin.FILE: "subscription_id in mappings.yaml names it",
    BindingOrigin.MARKER: "it carries the mapping's key as its marker",
    BindingOrigin.ADOPTED: "a person adopted it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLine:
    """One line of the history: when, in which run, by whom, and what."""

    at: datetime
    run: str
    actor: str
    change: HistoryChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that is known about one mapping's number.

    `attachment` is None where invoices were not read; `unread` then says why. `now` is when both systems were read.
    """

    change: Change
    violations: tuple[Violation, ...]
    limits: Limits
    now: datetime
    subscription: Subscription | None = None
    binding: Binding | None = None
    attempt: Attempt | None = None
    history: tuple[PastLine, ...] = ()
    attachment: Attachment | None = None
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A heading and its lines."""

    title: str
    lines: tuple[str, ...]


def chapters(story: Story) -> tuple[Chapter, ...]:
    """The story in reading order: the answer first, then its reasons, the next step last."""
    parts: list[tuple[str, Iterator[str]]] = [
        ("Answer", iter([answer(story)])),
        ("Who", _who(story)),
        ("Counted in INFIMA", _counted(story)),
        ("Rule", _rule(story)),
        ("Subscription in HaloPSA", _subscription(story)),
        ("Held", _holds(story)),
        ("Recurring invoice", _invoice(story)),
        ("Last changes", _history(story.history)),
        ("Next step", iter([next_step(story)])),
    ]
    told = [Chapter(title=title, lines=tuple(lines)) for title, lines in parts]
    return tuple(chapter for chapter in told if chapter.lines)


def answer(story: Story) -> str:
    """Why the number is what it is, in one sentence."""
    change = story.change
    live = change.before.count if change.before else None
    if change.hold is not None:
        bills = f"HaloPSA keeps billing {live}" if live else "nothing is billed"
        if change.before is not None and live is None:
            bills = "HaloPSA keeps billing what it bills, and gives no whole number for it"
        until = "its create is settled" if change.hold.rule is Rule.ATTEMPT_OPEN else "somebody decides"
        return f"Held by {change.hold.rule}: {bills} until {until}."
    if change.before is None and change.action is Action.NO_OP:
        return "Retired, and there is no Subscription: nothing is billed."
    match change.action:
        case Action.CREATE:
            return f"There is no Subscription yet. The next apply creates one with quantity {change.after.count}."
        case Action.UPDATE:
            return f"HaloPSA bills {live}; the next apply sets {change.after.count}."
        case _:
            return f"In step: HaloPSA bills {live}, and that is what the rule gives."


def next_step(story: Story) -> str:
    """The one thing to do now."""
    change = story.change
    if change.hold is not None:
        return _sentence(change.hold.remedy)
    if change.action is not Action.NO_OP:
        return f"reconciler apply --only {change.key}"
    attachment = story.attachment
    if attachment is not None and attachment.verdict is not Attached.YES and not change.mapping.retired:
        return (
            "In HaloPSA, see that a line of the customer's recurring invoice takes its quantity from the Subscription."
        )
    if attachment is None and change.before is not None and not change.mapping.retired:
        return "Nothing. If the invoice shows another number: reconciler check-invoices"
    return "Nothing to do."


def _who(story: Story) -> Iterator[str]:
    mapping, change = story.change.mapping, story.change
    clients = " + ".join(f"{client.name} ({client.id})" for client in change.clients)
    yield f"Mapping {mapping.key}, {mapping.place}"
    yield f"INFIMA {clients} -> HaloPSA {change.customer.name} ({change.customer.id})"


def _counted(story: Story) -> Iterator[str]:
    mapping = story.change.mapping
    if not mapping.counts_users:
        yield f"Not asked: the quantity is {'retired' if mapping.retired else 'fixed'} in mappings.yaml."
        return
    for client in story.change.clients:
        yield f"{client.name} ({client.id}): {_numbers(client, mapping.quantity.count)}"
    total = story.change.quantity.counted
    if len(story.change.clients) > 1:
        yield f"Together: {'not known' if total is None else total}"
    yield f"Read at {_time(story.now)}"


def _numbers(client: CountedClient, source: CountRule) -> str:
    if source is CountRule.CLIENT_RECORD:
        return f"{_or_unknown(client.user_count)} on INFIMA's client list, which this mapping trusts (client_record)"
    if client.active_users is None or client.listed_users is None:
        return "its users could not be read"
    others = client.listed_users - client.active_users
    record = "" if client.user_count is None else f"; INFIMA's client list says {client.user_count}"
    return f"{client.active_users} active, {others} not active and not counted, of {client.listed_users} users{record}"


def _rule(story: Story) -> Iterator[str]:
    change, rule = story.change, story.change.mapping.quantity
    quantity = change.quantity
    yield f"{quantity.rule} -> {_or_unknown(quantity.result)}"
    counted, result = quantity.counted, quantity.result
    if change.mapping.counts_users and counted is not None and result is not None and counted != result:
        left = max(counted - rule.included, 0)
        if rule.included:
            yield f"{counted} counted - {rule.included} included = {left}"
        if rule.minimum is not None and left < rule.minimum:
            yield f"raised to the minimum of {rule.minimum}"
        if rule.maximum is not None and left > rule.maximum:
            yield f"cut to the maximum of {rule.maximum}"
    fall, rise = story.limits.max_decrease, story.limits.max_increase
    yield (
        f"Held when it falls by more than {fall.users} users and {fall.percent} %, or rises by more than "
        f"{rise.users} users and {rise.percent} %"
    )
    yield from _money(change, story.limits)


def _money(change: Change, limits: Limits) -> Iterator[str]:
    for word, limit in (("falls", limits.max_decrease.amount), ("rises", limits.max_increase.amount)):
        if limit is not None:
            yield f"Held when its monthly amount {word} by more than {in_words(limit)}, or {word} and is not known"
    amount, price = change.amount, change.price
    if price is not None:
        yield f"Price: {in_words(price)} a user and month, from {price.source}; for estimates, never sent"
    if amount is not None:
        yield f"Estimate: {written(amount.before, amount.currency)} a month now, {amount.after:,} by the plan"


def _subscription(story: Story) -> Iterator[str]:
    found, change = story.subscription, story.change
    if found is None:
        yield "None that is surely this mapping's." if change.hold else "None."
    else:
        state = "deleted" if found.deleted else "live" if found.is_active else "inactive"
        yield f"#{found.id} {found.name!r}, quantity {_or_unknown(found.count)}, {state}, customer {found.customer_id}"
        if found.name != change.mapping.subscription_name:
            yield "Its name is not the template's: renamed, or made by hand. That is fine, ids decide."
    if change.origin is not None:
        yield f"Known because {_ORIGINS[change.origin]}"
    if story.binding is not None:
        yield f"Bound in the state since {_time(story.binding.bound_at)} to #{story.binding.subscription_id}"
    elif found is not None:
        yield "Not recorded in the state yet: the next apply does that"
    if story.attempt is not None:
        yield (
            f"A create was sent at {_time(story.attempt.recorded_at)} by run {story.attempt.run}; its outcome is not "
            "known yet"
        )


def _holds(story: Story) -> Iterator[str]:
    for violation in story.violations:
        if violation.stops:
            measured = (
                "" if violation.measured is None else f" (measured {violation.measured}, limit {violation.limit})"
            )
            yield f"{violation.rule}: {_sentence(violation.message)}{measured}"
    if story.change.hold is not None:
        yield f"More about the rule: reconciler explain {story.change.hold.rule}"


def _invoice(story: Story) -> Iterator[str]:
    if story.attachment is not None:
        yield invoice_note(story.attachment)
        if story.attachment.verdict is Attached.NO:
            yield "Looked at: the recurring invoices of this customer. `reconciler check-invoices` looks at all."
    elif story.unread:
        yield story.unread


def _history(history: Sequence[PastLine]) -> Iterator[str]:
    for past in list(history)[-LAST_CHANGES:][::-1]:
        change = past.change
        numbers = f"{'new' if change.before is None else change.before} -> {_or_unknown(change.after)}"
        why = f": {change.message}" if change.message else ""
        who = f" by {past.actor}" if past.actor else ""
        origin = f"({change.rule}; run {past.run}{who})"
        yield f"{_time(past.at)}  {change.action} {numbers}  {change.outcome}  {origin}{why}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _or_unknown(number: int | None) -> str:
    return "not known" if number is None else str(number)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."
