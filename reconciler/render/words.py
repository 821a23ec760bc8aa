"""What a whole plan, or what became of it, comes to: the sentences that all drawings share, amounts and needs as well.

Monthly amounts always have their currency and are always called an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from reconciler.answers.attached import NEW_HAS_NO_PRICE
from reconciler.answers.words import day_words, due_words, plural, sentence
from reconciler.model import UnitPrice
from reconciler.moments import find_zone, zone_name
from reconciler.plan_document.read import amount_in, in_doubt
from reconciler.planning.changes import ActionReason, Outcome
from reconciler.planning.money import Amount, add_up, estimate, written
from reconciler.planning.outcomes import users
from reconciler.render.document import Row, View

if TYPE_CHECKING:
    from reconciler.plan_document.layout import NeedJson, PlanJson


def read_at(document: PlanJson) -> str:
    """When both systems were read, as people read it: "2026-11-28 06:00:03 Europe/Berlin"."""
    moment = _read_moment(document)
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone_name(moment.tzinfo or UTC)}"


def read_on(document: PlanJson) -> date:
    """The day of it, from which days are counted."""
    return _read_moment(document).date()


def _read_moment(document: PlanJson) -> datetime:
    return datetime.fromisoformat(document["timestamp"]).astimezone(find_zone(document.get("timezone", "UTC")) or UTC)


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


def _figures(shown: View) -> str:
    summary = shown.document["summary"]
    return (
        f"{summary['create']} to create, {summary['update']} to update, {summary['held']} held, "
        f"{summary['no_op']} unchanged. Users: {summary['users_before']} -> {summary['users_after']}."
    )


def writes_title(shown: View, of_edit: str) -> str:
    """Return what stands above the rows that would be written; `of_edit` where the edit under review causes them."""
    if shown.refusals:
        return "What the plan was before it was refused:"
    return of_edit if shown.compares_edit else "Changes:"


def users_after_run(shown: View) -> tuple[int, int, int]:
    """Return the users before and after a run, and how many changes' quantity nobody knows now.

    Those on Subscriptions of which it cannot be told whose they are stand on both sides.
    """
    before, after, unknown = users(shown.endings)
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
    first = {ActionReason.NEW_MAPPING, ActionReason.FIRST_COUNT}
    return tuple(
        row
        for row in shown.rows
        if row.ending and (row.ending.created or (row.ending.written and row.change["action_reason"] in first))
    )


def attach(created: int, which: str = "") -> str:
    """Return what a person has to do after so many creates; `which` says where they are named, if not beside it."""
    each, until = ("it", "it bills") if created == 1 else ("each of them", "they bill")
    return f"attach {which or each} to a recurring invoice. Until then {until} nothing. {NEW_HAS_NO_PRICE}"


# --- monthly amounts -------------------------------------------------------------------------------------------------


def monthly_amounts(shown: View) -> tuple[tuple[Amount, ...], int]:
    """Return the monthly amount in each currency, and how many mappings have none.

    After a run only what was read back counts as changed.
    """
    summary = shown.document["summary"]
    if not shown.applied:
        return tuple(map(amount_in, summary["monthly_amounts"])), summary["without_amount"]
    return add_up(filter(None, map(row_amount, shown.rows))), summary["without_amount"]


def row_amount(row: Row) -> Amount | None:
    """Return the row's amount: as planned, or after a run by the quantity that HaloPSA shows; None if not known."""
    stated = row.change["monthly_amount"]
    if stated is None:
        return None
    amount = amount_in(stated)
    if row.shown_after in {None, row.before}:
        return amount.staying
    if row.shown_after == row.after:
        return amount
    price = UnitPrice(amount=Decimal(stated["unit_price"]), currency=stated["currency"])
    return replace(amount, after=estimate(row.shown_after or 0, price))


def priced(rows: Iterable[Row]) -> bool:
    """True when the monthly amount of some row is known."""
    return any(row.change["monthly_amount"] is not None for row in rows)


def amounts_sentence(shown: View) -> str:
    """Return the monthly amounts as a sentence; empty where none is known."""
    amounts, without = monthly_amounts(shown)
    if not amounts:
        return ""
    told = "; ".join(f"{written(one.before, one.currency)} -> {one.after:,} ({moved(one.change)})" for one in amounts)
    left = f"; not known for {plural(without, 'mapping')}" if without else ""
    return f"Monthly amount (estimate): {told}{left}."


def amount_in_words(row: Row) -> str:
    """Return how the row's monthly amount would move, e.g. "EUR +8.25/month"."""
    amount = row_amount(row)
    return f"{amount.currency} {moved(amount.change)}/month" if amount else "no amount"


def moved(amount: Decimal) -> str:
    """Return "+3.00", "-3.00" or "0.00"."""
    return f"{amount:+,}" if amount else f"{amount:,}"


# --- needs -----------------------------------------------------------------------------------------------------------

WORDS = {
    "refused": "refused",
    "failed": "failed",
    "unknown": "outcome not known",
    "record-missing": "record missing",
    "overdue": "overdue",
    "held": "held",
    "stale": "moved, not written",
    "not-invoiced": "not seen on a live invoice",
    "ending": "contract ends",
    "unmapped": "not mapped",
    "unmanaged": "not managed",
}
"""What a kind of need is called, for people."""


def in_all(number: int) -> str:
    """ "1 thing waits for a person", "3 things wait for a person", or that nothing does."""
    return (
        f"{plural(number, 'thing')} {'waits' if number == 1 else 'wait'} for a person"
        if number
        else "nothing waits for a person"
    )


def need_a_person(number: int) -> str:
    """ "1 thing needs a person", "3 things need a person"."""
    return f"{plural(number, 'thing')} {'needs' if number == 1 else 'need'} a person"


def circumstances(need: NeedJson, today: date) -> str:
    """Kind, since when, before which invoice and for how many users, in one line."""
    return ", ".join(filter(None, (WORDS[need["kind"]], *details(need, today))))


def details(need: NeedJson, today: date) -> tuple[str, str, str]:
    """Since when, before which invoice and for how many users; the last two are empty where that is not known."""
    since = f"since {day_words(datetime.fromisoformat(need['since']))}"
    due = due_words(date.fromisoformat(need["next_invoice"]) if need["next_invoice"] else None, today)
    return since, due, plural(need["users"], "user") if need["users"] else ""
