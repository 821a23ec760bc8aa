"""What all drawings share: the plan document as sorted, typed rows with their reasons in words.

Made from the JSON document, never from a `Plan`, so that `show PLAN_FILE` draws what `plan` drew. Text is still as it
came: each drawing cleans it at its own exit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING

from reconciler.answers.attached import NEW_HAS_NO_PRICE
from reconciler.answers.words import edited_words, fixed_beside
from reconciler.moments import find_zone, zone_name
from reconciler.plan_document.read import in_doubt
from reconciler.planning.changes import Action, ActionReason, Outcome
from reconciler.planning.money import written
from reconciler.planning.outcomes import Ending, users
from reconciler.planning.rules import Level, Rule

if TYPE_CHECKING:
    from reconciler.plan_document.layout import (
        AmountJson,
        ApprovalJson,
        ChangeJson,
        PlaceJson,
        PlanJson,
        UnownedJson,
        ViolationJson,
    )


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

MAPPINGS_EDIT = "mappings"
"""Value of `caused_by` for a change that comes from the edit under review; others would happen anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A broken safety rule in words. `key` is empty at run level; the remedy names the option that lifts it."""

    rule: str
    level: Level
    key: str
    message: str
    remedy: str
    measure: str
    allowed: str | None
    approval: ApprovalJson | None = None

    @property
    def lifted_by(self) -> str:
        """What lifted it, in a sentence: a person for this run, or an entry of the reviewed file."""
        reason = sentence(self.allowed or "")
        return f"Reason given: {reason}" if self.approval is None else f"{approved(self.approval)}: {reason}"


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
    caused_by: str | None
    place: PlaceJson
    first_count: bool
    outcome: Outcome | None
    outcome_message: str
    ending: Ending | None = None
    amount: AmountJson | None = None
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
        return _reason(self.change) + _in_proportion(self.change)

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
        return self.caused_by in {None, MAPPINGS_EDIT}


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
    def priced(self) -> bool:
        """True when the monthly amount of some mapping is known."""
        return any(row.amount is not None for row in self.rows)

    @property
    def selected(self) -> bool:
        """True when --only or --exclude left mappings out."""
        return self.document.get("selected", False)

    @property
    def compares_edit(self) -> bool:
        """True when the plan was made --against another version of mappings.yaml."""
        return any(row.caused_by is not None for row in self.rows)


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
    return _FIRST.index(None if row.ending.not_attempted else row.outcome)


def approved(approval: ApprovalJson) -> str:
    """An approval in words: "Approved 12 to 20 until 2026-12-15 (mappings.yaml line 40, Ada Example, 3f2a9c1e)"."""
    extent = ""
    if "quantity_from" in approval and "quantity_to" in approval:
        extent = f" {approval['quantity_from']} to {approval['quantity_to']}"
    elif "up_to" in approval:
        extent = f" up to {approval['up_to']}"
    by = f", {approval['approved_by']}" if "approved_by" in approval else ""
    return f"Approved{extent} until {approval['until']} (mappings.yaml line {approval['line']}{by})"


def _problem(violation: ViolationJson) -> Problem:
    rule, key = Rule(violation["rule"]), violation["name"]
    figures = [f"{word} {violation[word]}" for word in ("measured", "limit") if violation[word] is not None]
    figures += [
        f"{word} {written(Decimal(money['amount']), money['currency'])}"
        for word, money in (("measured", violation.get("measured_amount")), ("limit", violation.get("limit_amount")))
        if money is not None
    ]
    return Problem(
        rule=rule.value,
        level=rule.level,
        key=key,
        message=sentence(violation["message"]),
        remedy=sentence(violation["remedy"]),
        measure=sentence(capital(", ".join(figures))),
        allowed=violation["allowed"],
        approval=violation.get("approval"),
    )


def _row(change: ChangeJson, problems: Mapping[str, list[Problem]], *, ran: bool) -> Row:
    sides, hold = change["change"], change["hold"]
    before, after = sides["before"], sides["after"]
    known = before or after
    action = Action(sides["actions"][0])
    held_by = tuple(problems.get(change["name"], ()))
    if hold is not None and not any(problem.rule == hold["rule"] for problem in held_by):
        # a hold is told even where the list of violations does not repeat it
        bare: ViolationJson = {
            "rule": hold["rule"],
            "message": hold["message"],
            "remedy": hold["remedy"],
            "level": "mapping",
            "name": change["name"],
            "measured": None,
            "limit": None,
            "allowed": None,
        }
        held_by = (_problem(bare), *held_by)
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
        caused_by=change.get("caused_by"),
        place=change["place"],
        first_count=change["action_reason"] in {ActionReason.NEW_MAPPING, ActionReason.FIRST_COUNT},
        outcome=outcome,
        outcome_message=change.get("outcome_message", ""),
        ending=_ending(change, action, outcome) if ran else None,
        amount=change["monthly_amount"],
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
    stated = change.get("outcome")
    if stated is not None:
        return Outcome(stated)
    return {Kind.HELD: Outcome.HELD, Kind.UNCHANGED: Outcome.UNCHANGED}.get(kind)


def _reason(change: ChangeJson) -> str:
    reason, quantity = ActionReason(change["action_reason"]), change["quantity"]
    words, counted = _REASONS[reason], quantity["counted"]
    if change.get("caused_by") == "drift":
        words = "changed in HaloPSA since the last run"
    if quantity["rule"].startswith("fixed"):
        told = words if reason is ActionReason.IN_STEP else f"{words}: {quantity['rule']}"
        return f"{told}{fixed_beside(quantity['result'], listed_users(change))}"
    edited = change.get("changed_in_halopsa")
    if edited is not None and reason in {ActionReason.CHANGED_IN_HALO, ActionReason.COUNT_CHANGED}:
        before = change["change"]["before"]
        since = datetime.fromisoformat(edited["since"]) if edited["since"] else None
        return edited_words(before["count"] if before else None, since, counted, edited["counted"])
    if counted is None or reason in {ActionReason.RETIRED, ActionReason.NOTHING_TO_RETIRE}:
        return words
    if counted == quantity["result"]:
        return f"{words}: {plural(counted, 'user')} counted"
    return f"{words}: {plural(counted, 'user')} counted; rule: {quantity['rule']}"


LARGE_TIMES, LARGE_USERS = 3, 3
"""A rise to so many times the quantity, and by so many users at least, is worth a word though no rule holds it."""


def _in_proportion(change: ChangeJson) -> str:
    """A word about a change that no limit holds and that is large beside the quantity it changes."""
    before, after = change["change"]["before"], change["change"]["after"]
    was, becomes = (side["count"] if side is not None else None for side in (before, after))
    if change["hold"] is not None or not was or not becomes or becomes - was < LARGE_USERS:
        return ""
    times = becomes // was
    return f"; {times} times as many" if times >= LARGE_TIMES else ""


def listed_users(change: ChangeJson) -> int | None:
    """What INFIMA's client list says of a mapping's clients together; None where it does not say it of each."""
    numbers = [client["user_count"] for client in change["infima_clients"]]
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None


def other_in_words(other: UnownedJson, name: str) -> str:
    """A Subscription that a create's customer has already: `name` is its name as the drawing spells it."""
    quantity = "quantity unknown" if other["count"] is None else f"quantity {other['count']}"
    if not other["live"]:
        return f"{other['id']} {name}: {quantity}, deleted or inactive"
    invoices = other["invoices"]
    if invoices is None:
        place = "invoices not checked"
    elif invoices:
        place = f"on invoice {', '.join(map(str, invoices))}"
    else:
        place = "on no recurring invoice"
    return f"{other['id']} {name}: {quantity}, {place}"


def read_at(document: PlanJson) -> str:
    """When both systems were read, as people read it: "2026-11-28 06:00:03 Europe/Berlin"."""
    moment = _read_moment(document)
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone_name(moment.tzinfo or UTC)}"


def read_on(document: PlanJson) -> date:
    """The day of it, from which days are counted."""
    return _read_moment(document).date()


def _read_moment(document: PlanJson) -> datetime:
    return datetime.fromisoformat(document["timestamp"]).astimezone(find_zone(document.get("timezone", "UTC")) or UTC)


OTHERS = "Subscriptions of this customer that no mapping has"


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends with a mark of its own or is empty."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def capital(text: str) -> str:
    """Return the text as a sentence begins."""
    return text[:1].upper() + text[1:]


def plural(number: int, noun: str) -> str:
    """Return "1 change", "2 changes"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def signed(number: int | None) -> str:
    """Return "+3", "-3", "0", or "?" for an unknown number."""
    return "?" if number is None else f"{number:+d}" if number else "0"


def verdict(shown: View) -> tuple[str, str]:
    """Return what the plan comes to: the sentence that counts, and the figures behind it where that holds none."""
    summary = shown.document["summary"]
    if shown.refusals:
        rules = "a safety rule stops" if len(shown.refusals) == 1 else f"{len(shown.refusals)} safety rules stop"
        return f"Refused: {rules} this run, and nothing is written.", f"Without that: {_figures(shown)}"
    if not (summary["create"] or summary["update"] or summary["held"]):
        if shown.selected:
            return f"No changes among the {plural(summary['no_op'], 'mapping')} selected.", ""
        return "No changes. HaloPSA matches mappings.yaml and INFIMA's counts.", ""
    return f"Plan: {_figures(shown)}", ""


def pending_writes(shown: View) -> tuple[Row, ...]:
    """The rows that would be written, or would be but for a refusal."""
    return shown.of_kind(Kind.CREATE, Kind.UPDATE)


def _figures(shown: View) -> str:
    summary = shown.document["summary"]
    return (
        f"{summary['create']} to create, {summary['update']} to update, {summary['held']} held, "
        f"{summary['no_op']} unchanged. Users: {summary['users_before']} -> {summary['users_after']}."
    )


def endings(shown: View) -> tuple[Ending, ...]:
    """What is known of every change after a run."""
    return tuple(row.ending for row in shown.rows if row.ending is not None)


def users_after_run(shown: View) -> tuple[int, int, int]:
    """Return the users before and after a run, and how many changes' quantity nobody knows now.

    Those on Subscriptions of which it cannot be told whose they are stand on both sides.
    """
    before, after, unknown = users(endings(shown))
    doubt = in_doubt(shown.document["resource_changes"])
    return before + doubt, after + doubt, unknown


def users_in_words(shown: View, arrow: str = "->") -> str:
    """Return the users before and after a run, with what is not known of them."""
    before, after, unknown = users_after_run(shown)
    told = f"Users: {before} {arrow} {after}."
    if unknown:
        told += f" What HaloPSA has now is not known for {plural(unknown, 'Subscription')}: counted as before."
    return told


def causes(shown: View) -> tuple[str, ...]:
    """Return what a run tells once for all its rows: why it wrote no more, and that its record is missing."""
    run = shown.document.get("run")
    if run is None:
        return ()
    told = []
    if "halted" in run:
        told.append(f"Stopped: {sentence(run['halted'])}")
    if "record_missing" in run:
        told.append(
            f"Record missing: {sentence(run['record_missing'])} This text is the only record of this run until the "
            "next apply has looked at HaloPSA and completed the history."
        )
    return tuple(told)


def outcome_verdict(shown: View) -> str:
    """Return how `apply` ended, in the run's own words: what is drawn and what the history keeps are one sentence."""
    return shown.document["run"]["verdict"] if "run" in shown.document else "This document tells of no run."


AFTERWARDS = {
    Outcome.FAILED: "The next run does what is missing. If it fails again, mend what the message names.",
    Outcome.UNKNOWN: "Look at this Subscription in HaloPSA; the next run looks as well and heals it where it can.",
    Outcome.STALE: "It moved since the plan was made, and was left alone. Plan again, or let the next run look.",
}
"""What comes after an outcome that is not plainly good."""


def to_attach(shown: View) -> tuple[Row, ...]:
    """Return the rows whose Subscription is new, or got its first quantity after an earlier run had created it."""
    return tuple(
        row
        for row in shown.rows
        if row.ending is not None and (row.ending.created or (row.first_count and row.ending.written))
    )


def attach(created: int, which: str = "") -> str:
    """Return what a person has to do after so many creates; `which` says where they are named, if not beside it."""
    if created == 1:
        return f"attach {which or 'it'} to a recurring invoice. Until then it bills nothing. {NEW_HAS_NO_PRICE}"
    return f"attach {which or 'each of them'} to a recurring invoice. Until then they bill nothing. {NEW_HAS_NO_PRICE}"
