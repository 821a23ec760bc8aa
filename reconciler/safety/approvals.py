"""What the reviewed file approves beforehand: one rule, within its bounds, until the end of a day. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from reconciler.model import Approval
from reconciler.planning.changes import Change, Plan, Violation


def with_approvals(
    violations: Iterable[Violation], changes: Iterable[Change], approvals: Sequence[Approval], *, today: date
) -> tuple[Violation, ...]:
    """The violations: lifted where an approval fits, and where one does not fit (any more) with a word about why.

    What `--allow` has lifted stays as it is. `today` is a day of `settings.timezone`.
    """
    if not approvals:
        return tuple(violations)
    quantities = {str(change.key): change.quantity.result for change in changes}
    return tuple(_with_approval(v, quantities.get(v.name), approvals, today) for v in violations)


def _with_approval(violation: Violation, quantity: int | None, approvals: Sequence[Approval], today: date) -> Violation:
    for approval in approvals:
        if not violation.stops or not _is_about(approval, violation):
            continue
        why_not = _why_not(approval, violation, quantity, today)
        if not why_not:
            return replace(violation, allowed=approval.reason, approval=approval)
        return replace(violation, message=f"{violation.message} ({why_not})")
    return violation


def _is_about(approval: Approval, violation: Violation) -> bool:
    return violation.rule.approvable and approval.rule == violation.rule and (approval.key or "") == violation.name


def _why_not(approval: Approval, violation: Violation, quantity: int | None, today: date) -> str:
    """Why the approval does not let this through; empty where it does."""
    extent = extent_in_words(approval.at_least, approval.at_most, approval.up_to)
    if today > approval.until:
        return f"the approval of {extent} ended on {day_in_words(approval.until)}"
    now = quantity if approval.key is not None else _measured(violation)
    within = now is not None and (approval.at_least or 0) <= now <= _highest(approval)
    if within or (approval.key is not None and approval.at_least is None):
        return ""
    counted = "not known" if now is None else str(now)
    return f"approved {extent} until {day_in_words(approval.until)}; now {counted}"


def _measured(violation: Violation) -> int | None:
    """What `up_to` is compared with; amounts are rounded up, so that what is over does not look like the bound."""
    if violation.measured_amount is not None:
        return math.ceil(violation.measured_amount.amount)
    return violation.measured


def _highest(approval: Approval) -> int | float:
    bound = approval.at_most if approval.key is not None else approval.up_to
    return float("inf") if bound is None else bound


def extent_in_words(at_least: int | None, at_most: int | None, up_to: int | None) -> str:
    """What an approval lets through: "12 to 20", "up to 40", "any quantity"."""
    if up_to is not None:
        return f"up to {up_to}"
    if at_least is None or at_most is None:
        return "any quantity"
    if at_least == at_most:
        return str(at_least)
    return f"{at_least} to {at_most}"


def day_in_words(day: date) -> str:
    """A day as people write it: "15 Dec"."""
    return f"{day.day} {day:%b}"


def proposed_bounds(plan: Plan, violation: Violation) -> tuple[int, int]:
    """What `approve` proposes: today's figure with a tenth of slack, never beyond today's quantity on the other side.

    For a rule about the whole run the second number is what `up_to` says.
    """
    change = next((c for c in plan.changes if c.key == violation.name), None)
    if change is None or change.quantity.result is None:
        return 0, _with_slack(_measured(violation) or 1)
    now, live = change.quantity.result, change.live_quantity
    lowest, highest = max(now - math.ceil(now / 10), 0), _with_slack(now)
    if live is not None and now < live:
        return lowest, min(highest, live)
    if live is not None and now > live:
        return max(lowest, live), highest
    return lowest, highest


def _with_slack(number: int) -> int:
    return number + math.ceil(number / 10)
