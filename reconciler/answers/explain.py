"""What `explain` tells: the story of one number, and what rules, errors and questions mean.

The story says what was read, which rule made it a quantity, what is live and what comes next.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import resources

from reconciler.answers.attached import invoice_note
from reconciler.answers.needs import THE_RUN
from reconciler.answers.words import capital, day_words, due_words, edited_words, named, sentence
from reconciler.model import CountRule, Limits, Subscription
from reconciler.moments import spelled
from reconciler.planning.changes import Action, Change, CountedClient, Plan, Violation
from reconciler.planning.money import in_words, written
from reconciler.planning.rules import Rule
from reconciler.state.history import PastChange
from reconciler.state.recorded import Attached, Attempt, Binding, BindingOrigin, InvoiceLook, Need

LAST_CHANGES = 10

_ORIGINS = {
    BindingOrigin.CREATED: "this program created it",
    BindingOrigin.FILE: "subscription_id in mappings.yaml names it",
    BindingOrigin.MARKER: "it carries the mapping's key as its marker",
    BindingOrigin.ADOPTED: "a person adopted it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that is known about one mapping's number. `plan` is the whole plan: a refusal stops this change too.

    `look` is the newest look at recurring invoices, None where there is none; `unread` says why none could be made now.
    """

    change: Change
    plan: Plan
    limits: Limits
    now: datetime
    subscription: Subscription | None = None
    binding: Binding | None = None
    attempt: Attempt | None = None
    history: tuple[PastChange, ...] = ()
    look: InvoiceLook | None = None
    unread: str = ""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What waits for a person here: the mapping's own, and what stops every run."""
        return tuple(need for need in self.plan.needs if need.key == self.change.key or need.who == THE_RUN)


def chapters(story: Story) -> dict[str, tuple[str, ...]]:
    """The story's lines by their headings, in reading order: the answer first, then its reasons, the next step last."""
    parts: list[tuple[str, Iterator[str]]] = [
        ("Answer", iter([answer(story)])),
        ("Who", _who(story)),
        ("Counted in INFIMA", _counted(story)),
        ("Rule", _rule(story)),
        ("Subscription in HaloPSA", _subscription(story)),
        ("Held", _holds(story)),
        ("Refused", _refusals(story)),
        ("Recurring invoice", _invoice(story)),
        ("Waits for a person", _waiting(story)),
        ("Last changes", _history(story)),
        ("Next step", iter([next_step(story)])),
    ]
    return {title: told for title, lines in parts if (told := tuple(lines))}


def answer(story: Story) -> str:
    """Why the number is what it is, in one sentence or two. "Bills" is said only of what was seen on a live invoice."""
    change = story.change
    live = change.before.count if change.before else None
    if change.hold is not None:
        until = "its create is settled" if change.hold.rule is Rule.ATTEMPT_OPEN else "somebody decides"
        return f"Held by {change.hold.rule}: {_stays(story)} until {until}."
    match change.action:
        case Action.CREATE:
            due, then = f"One with quantity {change.after.count}", f"creates one with quantity {change.after.count}"
            return f"There is no Subscription yet. {_next(story, due, then)}"
        case Action.UPDATE:
            follows = _next(story, str(change.after.count), f"sets {change.after.count}")
            told = f"{capital(_stands(story))}. {follows}"
            edited = edited_words(live, change.edited_since, change.quantity.counted, change.counted_before)
            return told if change.edited_from is None else f"{told} It was {edited}."
        case _ if change.before is None:
            return "Retired, and there is no Subscription: there is nothing to write."
        case _:
            return f"{_nothing_to_change(story)}, and the rule gives {live}."


def _nothing_to_change(story: Story) -> str:
    """What HaloPSA shows where the rule gives the same. Only the quantity is right where it is on no invoice."""
    told, seen, change = _stands(story), story.look, story.change
    billed = seen is None or seen.word or seen.verdict not in {Attached.NO, Attached.DISABLED}
    if not billed and not change.mapping.retired and change.before is not None and change.before.count:
        return f"The quantity is right: {told}"
    return f"Nothing to change: {told.replace('the quantity in HaloPSA is', 'HaloPSA has', 1)}"


def _next(story: Story, due: str, then: str) -> str:
    """What comes next: the change, unless the whole run is refused."""
    if not story.plan.refused:
        return f"The next apply {then}."
    rules = ", ".join(dict.fromkeys(str(v.rule) for v in story.plan.refusals))
    return f"{due} is due, but the whole run is refused ({rules}): nothing is written until somebody decides."


def _stands(story: Story) -> str:
    """What HaloPSA shows, and whether that is known to be billed."""
    live = story.change.before.count if story.change.before else None
    seen = story.look
    told = f"the quantity in HaloPSA is {live}"
    if seen is not None and seen.verdict is Attached.YES:
        told = f"HaloPSA bills {live}"
    elif story.change.mapping.retired or not live:
        pass
    elif seen is None:
        told += " (whether it is on a recurring invoice is not checked)"
    elif seen.word:
        told += f" (on a recurring invoice as a person said: {seen.word})"
    elif seen.verdict is Attached.PERHAPS:
        told += " (perhaps billed: an invoice selects by criteria)"
    elif seen.everywhere:
        told += ", and it bills nothing: it is on no live recurring invoice"
    else:
        told += ", and it is on no live recurring invoice of its customer"
    return told


def _stays(story: Story) -> str:
    """What goes on while the change is held."""
    change = story.change
    if change.before is not None:
        if change.before.count is None:
            return "the quantity in HaloPSA stays what it is, and HaloPSA gives no whole number for it"
        if change.hold is not None and change.hold.rule is Rule.SUBSCRIPTION_GONE and not change.before.count:
            return "its Subscription has the quantity 0"
        return _stands(story).replace("the quantity in HaloPSA is", "the quantity in HaloPSA stays", 1)
    known = [one for one in change.candidates if one.id is not None]
    if not known:
        return "there is no Subscription that is surely its own, and none is created"
    each = " and ".join(f"{one.id} ({'?' if one.count is None else one.count})" for one in known)
    total = sum(one.count or 0 for one in known)
    if len(known) == 1:
        return f"Subscription {each} stays as it is in HaloPSA"
    return f"Subscriptions {each}, {total} together, stay as they are in HaloPSA"


def next_step(story: Story) -> str:
    """The one thing to do now: that of the most urgent need, else the apply, else nothing."""
    change = story.change
    own = [need for need in story.needs if need.key == change.key]
    if change.hold is not None:
        return sentence(change.hold.remedy)
    if story.plan.refused:
        return sentence(story.plan.refusals[0].remedy)
    if change.action is not Action.NO_OP:
        return f"reconciler apply --only {change.key}"
    if own:
        return own[0].step
    if story.look is None and change.before is not None and not change.mapping.retired:
        return "Nothing that is known. To see whether it is on a recurring invoice: reconciler check-invoices"
    return "Nothing to do."


def _who(story: Story) -> Iterator[str]:
    mapping, change = story.change.mapping, story.change
    clients = " + ".join(map(named, change.clients))
    yield f"Mapping {mapping.key}, {mapping.place}"
    yield f"INFIMA {clients} -> HaloPSA {change.customer.name} ({change.customer.id})"


def _counted(story: Story) -> Iterator[str]:
    mapping = story.change.mapping
    if not mapping.counts_users:
        yield f"Not asked: the quantity is {'retired' if mapping.retired else 'fixed'} in mappings.yaml."
        for client in story.change.clients:
            if client.user_count is not None:
                yield f"{named(client)}: INFIMA's client list says {client.user_count}"
        return
    for client in story.change.clients:
        yield f"{named(client)}: {_numbers(client, mapping.quantity.count)}"
    total = story.change.quantity.counted
    if len(story.change.clients) > 1:
        yield f"Together: {'not known' if total is None else total}"
    yield f"Read at {_time(story, story.now)}"


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
        yield f"Bound in the state since {_time(story, story.binding.bound_at)} to #{story.binding.subscription_id}"
    elif found is not None:
        yield "Not recorded in the state yet: the next apply does that"
    if story.attempt is not None:
        yield (
            f"A create was sent at {_time(story, story.attempt.recorded_at)} by run {story.attempt.run}; its outcome "
            "is not known yet"
        )


def _holds(story: Story) -> Iterator[str]:
    yield from (_broken(v) for v in story.plan.violations if v.stops and v.name == story.change.key)
    if story.change.hold is not None:
        yield f"More about the rule: reconciler explain {story.change.hold.rule}"


def _refusals(story: Story) -> Iterator[str]:
    for refusal in story.plan.refusals:
        yield f"The whole run: {_broken(refusal)}"
        yield f"To do: {sentence(refusal.remedy)}"


def _broken(violation: Violation) -> str:
    measured = "" if violation.measured is None else f" (measured {violation.measured}, limit {violation.limit})"
    return f"{violation.rule}: {sentence(violation.message)}{measured}"


def _invoice(story: Story) -> Iterator[str]:
    if story.unread:
        yield story.unread
    if story.look is None:
        if story.subscription is not None and not story.unread:
            yield "Not checked. `reconciler check-invoices` looks at all recurring invoices."
        return
    yield f"Looked at on {day_words(story.look.looked_at)}: {invoice_note(story.look)}"
    if story.look.word:
        yield f"A person said that it is attached: {story.look.word}"
    if story.look.verdict is Attached.NO and not story.look.everywhere:
        yield "`reconciler check-invoices` looks at the invoices of all customers."


def _waiting(story: Story) -> Iterator[str]:
    for need in story.needs:
        days = filter(None, (f"since {day_words(need.since)}", due_words(need.next_invoice, story.now.date())))
        yield f"{need.kind} ({', '.join(days)}): {need.what}"


def _history(story: Story) -> Iterator[str]:
    for past in story.history[-LAST_CHANGES:][::-1]:
        change, run = past.change, past.run
        numbers = f"{'new' if change.before is None else change.before} -> {_or_unknown(change.after)}"
        why = f": {change.message}" if change.message else ""
        who = f" by {run.info.actor}" if run.info.actor else ""
        origin = f"({change.rule}; run {run.info.id}{who})"
        yield f"{_time(story, run.verdict.finished_at)}  {change.action} {numbers}  {change.outcome}  {origin}{why}"


def _time(story: Story, moment: datetime) -> str:
    return spelled(moment, story.now.tzinfo)


def _or_unknown(number: int | None) -> str:
    return "not known" if number is None else str(number)


# ---------------------------------------------------------------------------------------------------------------------
# Topics
# ---------------------------------------------------------------------------------------------------------------------


class TopicKind(StrEnum):
    """What a topic is about."""

    RULE = "safety rule"
    ERROR = "error"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing that can be looked up: what it means, why it is so, what to do."""

    name: str
    kind: TopicKind
    means: str
    why: str
    do: str


@cache
def topics() -> tuple[Topic, ...]:
    """Everything that can be looked up: rules, then errors, then questions. Their texts are in `topics.toml`."""
    text = resources.files("reconciler.answers").joinpath("topics.toml").read_text(encoding="utf-8")
    return tuple(
        Topic(name=name, kind=TopicKind[kind.upper()], **texts)
        for kind, named in tomllib.loads(text).items()
        for name, texts in named.items()
    )


def find_topic(name: str) -> Topic | None:
    """The topic of that name, whatever its case; spaces and underscores count as hyphens."""
    folded = "-".join(name.casefold().replace("_", " ").split())
    return next((topic for topic in topics() if topic.name == folded), None)
