"""Why a change happens: because of an edit of mappings.yaml, of a new count, or of somebody's hand in HaloPSA.

One observation is compared with two configurations, the edited one and the base. What both would do happens tonight
anyway; the rest comes from the edit. Pure.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import Approval, Mappings, Place
from reconciler.planning.changes import Action, Change, Plan

FROM_EDIT = "mappings"
FROM_COUNTS = "counts"
FROM_DRIFT = "drift"


def attribute(plan: Plan, base: Plan | None) -> Plan:
    """Set `caused_by` on every change that does something or is held.

    `base` is the plan from the same observation and the base's mappings.yaml; None when the base has no usable file,
    and then everything comes from the edit.
    """
    before = {c.key: c for c in base.changes} if base is not None else {}
    return replace(plan, changes=tuple(_attributed(c, before.get(c.key)) for c in plan.changes))


def new_approvals(edited: Mappings, base: Mappings | None) -> tuple[str, ...]:
    """What the approvals that an edit adds let through, a sentence each."""
    known = {_terms(each) for each in base.approvals} if base is not None else set()
    return tuple(_in_words(each) for each in edited.approvals if _terms(each) not in known)


def _terms(approval: Approval) -> Approval:
    """The approval without where it stands and who brought it in: moving a line approves nothing new."""
    return replace(approval, place=Place(file="", line=0, column=0), approved_by="")


def _in_words(approval: Approval) -> str:
    if approval.key is None:
        whose = f"{approval.rule} up to {approval.up_to}"
    elif approval.at_least is None:
        whose = f"{approval.rule} of {approval.key}, whatever the quantity"
    else:
        whose = f"{approval.rule} of {approval.key}, to a quantity of {approval.at_least} to {approval.at_most}"
    return f"this edit approves {whose}, until {approval.until} ({approval.reason})"


def _attributed(change: Change, base: Change | None) -> Change:
    if change.action is Action.NO_OP and change.hold is None and not _does_something(base):
        return change
    cause = _own_cause(change) if base is not None and _effect(change) == _effect(base) else FROM_EDIT
    return replace(change, caused_by=cause)


def _does_something(base: Change | None) -> bool:
    """True when the base would write here: an edit that takes a write away is an effect of the edit."""
    return base is not None and (base.action is not Action.NO_OP or base.hold is not None)


def _effect(change: Change) -> tuple[object, ...]:
    """What HaloPSA ends with, and the rule that withholds the change, where one does."""
    return change.action, change.before, change.after, change.hold.rule if change.hold else None


def _own_cause(change: Change) -> str:
    """Drift where INFIMA counts what it counted last time and HaloPSA nevertheless shows another number."""
    unmoved = change.counted_before is not None and change.counted_before == change.quantity.counted
    return FROM_DRIFT if unmoved and change.action is Action.UPDATE else FROM_COUNTS
