"""What all drawings share: the plan document as sorted, typed rows with their reasons in words.

Made from the JSON document, never from a `Plan`, so that `show PLAN_FILE` draws what `plan` drew. Text is still as it
came: each drawing cleans it at its own exit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING

from reconciler.answers.words import capital, edited_words, fixed_beside, plural, sentence
from reconciler.planning.changes import Action, ActionReason, Outcome
from reconciler.planning.money import written
from reconciler.planning.outcomes import Ending
from reconciler.planning.rules import Level, Rule

if TYPE_CHECKING:
    from reconciler.plan_document.layout import ApprovalJson, ChangeJson, PlanJson, UnownedJson, ViolationJson


class Kind(IntEnum):
    """What a row is for its reader, in reading order."""

    HELD = 0
    CREATE = 1
    UPDATE = 2
    UNCHANGED = 3


_KINDS = {Action.CREATE: Kind.CREATE, Action.UPDATE: Kind.UPDATE, Action.NO_OP: Kind.UNCHANGED}

_REASONS = {
    ActionReason.NEW_MAPPING: "no Subscription yet",
    ActionReason.COUNT_CHANGED: "count changed",
    ActionReason.CHANGED_IN_HALO: "changed in HaloPSA since the last run",
    ActionReason.RETIRED: "mapping is retired",
    ActionReason.FIXED: "set in mappings.yaml",
    ActionReason.FIRST_COUNT: "first count after the create",
    ActionReason.IN_STEP: "count matches",
    ActionReason.NOTHING_TO_RETIRE: "retired, and there is no Subscription",
    ActionReason.UNKNOWN_COUNT: "count is not known",
    ActionReason.UNKNOWN_SUBSCRIPTION: "which Subscription it is, is in doubt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A broken safety rule in words. `key` is empty at run level; the remedy names the option that lifts it."""

    rule: str
    level: Level
    key: str
    message: str
    remedy: str
    measure: str = ""
    allowed: str | None = None
    approval: ApprovalJson | None = None

    @property
    def lifted_by(self) -> str:
        """What lifted it, in a sentence: a person for this run, or an entry of the reviewed file."""
        reason, approval = sentence(self.allowed or ""), self.approval
        if approval is None:
            return f"Reason given: {reason}"
        extent = f" up to {approval['up_to']}" if "up_to" in approval else ""
        if "quantity_from" in approval and "quantity_to" in approval:
            extent = f" {approval['quantity_from']} to {approval['quantity_to']}"
        by = f", {approval['approved_by']}" if "approved_by" in approval else ""
        return f"Approved{extent} until {approval['until']} (mappings.yaml line {approval['line']}{by}): {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mapping in the plan. Counts are whole users, None where no number is known.

    `after` is what the plan wants; `ending`, after a run, knows what HaloPSA shows.
    """

    key: str
    kind: Kind
    action: str
    customer: str
    customer_id: int
    subscription_id: int | None
    subscription_name: str
    before: int | None
    after: int | None
    change: ChangeJson
    problems: tuple[Problem, ...]
    outcome: Outcome | None
    outcome_message: str
    ending: Ending | None = None
    clients: str = ""
    others: tuple[UnownedJson, ...] = ()

    @property
    def names_both(self) -> bool:
        """True for creates and for what is held: there a reader must see whose users would be billed to whom."""
        return self.kind is Kind.HELD or self.action == Action.CREATE

    @property
    def parties(self) -> str:
        """Client and customer where both matter, else the customer."""
        return f"{self.clients} -> {self.customer}" if self.names_both else self.customer

    @property
    def reason(self) -> str:
        """Why, in words, with the arithmetic where users were counted; only rows that are drawn have it made."""
        return _reason(self) + _in_proportion(self)

    @property
    def not_attempted(self) -> bool:
        """True where a run did not come to it."""
        return self.ending is not None and self.ending.not_attempted

    @property
    def shown_after(self) -> int | None:
        """The quantity that a plan wants, or, after a run, the one that HaloPSA shows; None where it is not known."""
        return self.after if self.ending is None else self.ending.after

    @property
    def delta(self) -> int | None:
        """Users more (or less, negative) than before; None where a side is not known."""
        return None if self.shown_after is None else self.shown_after - (self.before or 0)

    @property
    def before_in_words(self) -> str:
        """0 for a Subscription that does not exist yet; a question mark where HaloPSA gave no count."""
        if self.before is not None:
            return str(self.before)
        return "0" if self.action == Action.CREATE else "?"

    @property
    def after_in_words(self) -> str:
        """The quantity that is wanted, or after a run what HaloPSA shows; a question mark where it is not known."""
        return "?" if self.shown_after is None else str(self.shown_after)

    @property
    def caused_by_edit(self) -> bool:
        """False for a change that would happen without the edit of mappings.yaml under review."""
        return self.change.get("caused_by", "mappings") == "mappings"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The document in reading order. `rows` are sorted: held, create, update, unchanged; each by key.

    After a run what is not well comes first: failed, unknown, stale, held.
    `applied` is true when the document tells what `apply` did.
    """

    document: PlanJson
    rows: tuple[Row, ...]
    refusals: tuple[Problem, ...]
    lifted: tuple[Problem, ...]
    applied: bool

    def of_kind(self, *kinds: Kind) -> tuple[Row, ...]:
        """The rows of these kinds, in order."""
        return tuple(row for row in self.rows if row.kind in kinds)

    def with_outcome(self, *outcomes: Outcome | None) -> tuple[Row, ...]:
        """The rows that `apply` ended with one of these outcomes, in order."""
        return tuple(row for row in self.rows if row.outcome in outcomes)

    @property
    def pending_writes(self) -> tuple[Row, ...]:
        """The rows that would be written, or would be but for a refusal."""
        return self.of_kind(Kind.CREATE, Kind.UPDATE)

    @property
    def writes_by_cause(self) -> tuple[list[Row], list[Row]]:
        """Those that the edit under review causes, or all where no edit is; and those that would happen without it."""
        rows = self.pending_writes
        return [row for row in rows if row.caused_by_edit], [row for row in rows if not row.caused_by_edit]

    @property
    def endings(self) -> tuple[Ending, ...]:
        """What is known of every change after a run."""
        return tuple(row.ending for row in self.rows if row.ending is not None)

    @property
    def selected(self) -> bool:
        """True when --only or --exclude left mappings out."""
        return self.document.get("selected", False)

    @property
    def compares_edit(self) -> bool:
        """True when the plan was made --against another version of mappings.yaml."""
        return any("caused_by" in row.change for row in self.rows)


def view(document: PlanJson) -> View:
    """Return the document in reading order and in words."""
    problems = [_problem(violation) for violation in document["violations"]]
    by_key: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.level is Level.MAPPING and problem.allowed is None:
            by_key[problem.key].append(problem)
    ran = "run" in document or any("outcome" in change for change in document["resource_changes"])
    rows = [_row(change, by_key, ran=ran) for change in document["resource_changes"]]
    return View(
        document=document,
        rows=tuple(sorted(rows, key=lambda row: (_rank(row), row.kind, row.key))),
        refusals=tuple(problem for problem in problems if problem.level is Level.RUN and problem.allowed is None),
        lifted=tuple(problem for problem in problems if problem.allowed is not None),
        applied=ran,
    )


_FIRST = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.STALE, None, Outcome.HELD)
"""What is not well, in the order in which it is told; None is what was not attempted."""


def _rank(row: Row) -> int:
    if row.ending is None or row.outcome not in _FIRST:
        return len(_FIRST)
    return _FIRST.index(None if row.not_attempted else row.outcome)


def _problem(violation: ViolationJson) -> Problem:
    rule = Rule(violation["rule"])
    figures = [f"{word} {violation[word]}" for word in ("measured", "limit") if violation[word] is not None]
    for word, money in (("measured", violation.get("measured_amount")), ("limit", violation.get("limit_amount"))):
        if money is not None:
            figures.append(f"{word} {written(Decimal(money['amount']), money['currency'])}")
    return Problem(
        rule=rule.value,
        level=rule.level,
        key=violation["name"],
        message=sentence(violation["message"]),
        remedy=sentence(violation["remedy"]),
        measure=sentence(capital(", ".join(figures))),
        allowed=violation["allowed"],
        approval=violation.get("approval"),
    )


def _row(change: ChangeJson, problems: Mapping[str, list[Problem]], *, ran: bool) -> Row:
    hold, before, after = change["hold"], change["change"]["before"], change["change"]["after"]
    known, action = before or after, Action(change["change"]["actions"][0])
    held_by = tuple(problems.get(change["name"], ()))
    if hold is not None and not any(problem.rule == hold["rule"] for problem in held_by):
        # a hold is told even where the list of violations does not repeat it
        message, remedy = sentence(hold["message"]), sentence(hold["remedy"])
        bare = Problem(rule=hold["rule"], level=Level.MAPPING, key=change["name"], message=message, remedy=remedy)
        held_by = (bare, *held_by)
    kind = _KINDS[action] if hold is None else Kind.HELD
    outcome = _outcome(change, kind) if ran else None
    return Row(
        key=change["name"],
        kind=kind,
        action=action.value,
        customer=change["halo_customer"]["name"],
        customer_id=change["halo_customer"]["id"],
        subscription_id=known.get("id") if known else None,
        subscription_name=known["name"] if known else "",
        before=before["count"] if before else None,
        after=after["count"] if after else None,
        change=change,
        problems=held_by if hold is not None else (),
        outcome=outcome,
        outcome_message=change.get("outcome_message", ""),
        ending=_ending(change, action, outcome) if ran else None,
        clients=", ".join(client["name"] for client in change["infima_clients"]),
        others=tuple(change.get("customer_subscriptions", ())),
    )


def _ending(change: ChangeJson, action: Action, outcome: Outcome | None) -> Ending:
    before, after = change["change"]["before"], change["change"]["after"]
    return Ending(
        outcome=outcome,
        creates=action is Action.CREATE,
        sent=change.get("sent", outcome is Outcome.UNKNOWN),
        checked=change.get("checked", False),
        exists=after is not None and after.get("id") is not None,
        before=before["count"] if before else None,
        wanted=after["count"] if after else None,
        shown=change.get("outcome_count"),
    )


def _outcome(change: ChangeJson, kind: Kind) -> Outcome | None:
    """What `apply` says of the change; a row it does not mention was left alone, and None where it should not be."""
    if "outcome" in change:
        return Outcome(change["outcome"])
    return {Kind.HELD: Outcome.HELD, Kind.UNCHANGED: Outcome.UNCHANGED}.get(kind)


def _reason(row: Row) -> str:
    change, reason, quantity = row.change, ActionReason(row.change["action_reason"]), row.change["quantity"]
    words, counted = _REASONS[reason], quantity["counted"]
    if change.get("caused_by") == "drift":
        words = "changed in HaloPSA since the last run"
    if quantity["rule"].startswith("fixed"):
        told = words if reason is ActionReason.IN_STEP else f"{words}: {quantity['rule']}"
        return f"{told}{fixed_beside(quantity['result'], _listed_users(change))}"
    edited = change.get("changed_in_halopsa")
    if edited is not None and reason in {ActionReason.CHANGED_IN_HALO, ActionReason.COUNT_CHANGED}:
        since = datetime.fromisoformat(edited["since"]) if edited["since"] else None
        return edited_words(row.before, since, counted, edited["counted"])
    if counted is None or reason in {ActionReason.RETIRED, ActionReason.NOTHING_TO_RETIRE}:
        return words
    if counted == quantity["result"]:
        return f"{words}: {plural(counted, 'user')} counted"
    return f"{words}: {plural(counted, 'user')} counted; rule: {quantity['rule']}"


LARGE_TIMES, LARGE_USERS = 3, 3
"""A rise to so many times the quantity, and by so many users at least, is worth a word though no rule holds it."""


def _in_proportion(row: Row) -> str:
    """A word about a change that no limit holds and that is large beside the quantity it changes."""
    if row.kind is Kind.HELD or not row.before or not row.after or row.after - row.before < LARGE_USERS:
        return ""
    times = row.after // row.before
    return f"; {times} times as many" if times >= LARGE_TIMES else ""


def _listed_users(change: ChangeJson) -> int | None:
    """What INFIMA's client list says of a mapping's clients together; None where it does not say it of each."""
    clients = change["infima_clients"]
    known = [number for client in clients if (number := client["user_count"]) is not None]
    return sum(known) if known and len(known) == len(clients) else None


def other_in_words(other: UnownedJson, name: str) -> str:
    """A Subscription that a create's customer has already: `name` is its name as the drawing spells it."""
    quantity = "quantity unknown" if other["count"] is None else f"quantity {other['count']}"
    if not other["live"]:
        return f"{other['id']} {name}: {quantity}, deleted or inactive"
    place = "invoices not checked"
    if other["invoices"] is not None:
        numbers = ", ".join(map(str, other["invoices"]))
        place = f"on invoice {numbers}" if numbers else "on no recurring invoice"
    return f"{other['id']} {name}: {quantity}, {place}"


OTHERS = "Subscriptions of this customer that no mapping has"


def signed(number: int | None) -> str:
    """Return "+3", "-3", "0", or "?" for an unknown number."""
    return "?" if number is None else f"{number:+d}" if number else "0"
