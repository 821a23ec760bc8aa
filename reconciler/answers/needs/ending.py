"""Needs about days to come: contracts and approvals that end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.answers.needs.given import THE_RUN, NeedInput, who_of
from reconciler.answers.needs.words import as_sentence, as_step, day_words, in_days
from reconciler.model import Need, NeedKind

ENDING_DAYS = 30
"""So many days before its last day a contract is a need."""


def ending(given: NeedInput) -> Iterator[Need]:
    """Contracts (`fixed` with `until`) that end soon."""
    every = given.plan.every_change if given.plan else ()
    mapped = given.mappings.mappings if given.mappings else tuple(change.mapping for change in every)
    for mapping in mapped:
        until = mapping.quantity.until
        if until is None or mapping.retired or not given.today <= until <= given.today + timedelta(days=ENDING_DAYS):
            continue
        longer, reason = until.replace(year=until.year + 1, day=min(until.day, 28)), mapping.quantity.reason or ""
        quoted = reason.replace("\\", "\\\\").replace('"', '\\"')
        yield Need(
            kind=NeedKind.ENDING,
            id=f"{NeedKind.ENDING}:{mapping.key}",
            key=mapping.key,
            who=who_of(mapping),
            what=as_sentence(
                f"the fixed quantity {mapping.quantity.fixed} ({reason}) ends {in_days(until, given.today)}"
                f"; after {day_words(until)} this mapping is held until the file says what follows"
            ),
            step=as_step(
                f"at {mapping.place}, if the contract goes on: quantity: {{fixed: {mapping.quantity.fixed}, reason: "
                f'"{quoted}", until: {longer.isoformat()}}}; if it ends, take fixed, reason and until out, and '
                f"see what follows: reconciler plan --only {mapping.key}"
            ),
            since=datetime.combine(until - timedelta(days=ENDING_DAYS), datetime.min.time(), tzinfo=given.now.tzinfo),
            customer_id=mapping.halo_customer.id,
            users=mapping.quantity.fixed or 0,
        )


def ending_approvals(given: NeedInput) -> Iterator[Need]:
    """Approvals that end soon: after that day what they let through is held again."""
    every = given.mappings.approvals if given.mappings else ()
    names = {m.key: m for m in given.mappings.mappings} if given.mappings else {}
    for approval in every:
        if not given.today <= approval.until <= given.today + timedelta(days=ENDING_DAYS):
            continue
        mapping = names.get(approval.key) if approval.key else None
        subject = f"{approval.rule}:{approval.key}" if approval.key else approval.rule
        later = (given.today + timedelta(days=2 * ENDING_DAYS)).isoformat()
        renew = (
            f"reconciler approve {approval.key} --until {later} --reason '...'" if approval.key else f"until: {later}"
        )
        yield Need(
            kind=NeedKind.ENDING,
            id=f"{NeedKind.ENDING}:approval:{subject}",
            key=approval.key or "",
            who=who_of(mapping) if mapping else THE_RUN,
            what=as_sentence(
                f"the approval of {subject} ({approval.reason}) ends {in_days(approval.until, given.today)}"
            ),
            step=as_step(f"if it is still needed, renew it at {approval.place}: {renew}; if not, take it out there"),
            since=datetime.combine(
                approval.until - timedelta(days=ENDING_DAYS), datetime.min.time(), tzinfo=given.now.tzinfo
            ),
            rule=approval.rule,
            customer_id=mapping.halo_customer.id if mapping else None,
        )
