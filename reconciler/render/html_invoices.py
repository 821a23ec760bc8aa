"""What of the recurring invoices needs a person: Subscriptions that bill nothing, whatever their quantity."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.answers.invoices import Attached
from reconciler.answers.status import invoice_note
from reconciler.render.document import capital
from reconciler.render.html_page import Background, Need, PageRow, Tone
from reconciler.render.html_plan import ATTACH

_STEPS = {
    Attached.NO: "In HaloPSA open the customer's recurring invoice, add a line whose quantity comes from this "
    "Subscription, and save it.",
    Attached.DISABLED: "In HaloPSA switch that invoice or its line on again, or add a line to another invoice.",
    Attached.PERHAPS: "In HaloPSA look whether that line takes in this Subscription.",
}


def with_invoices(needs: tuple[Need, ...], around: Background, rows: tuple[PageRow, ...]) -> tuple[Need, ...]:
    """The needs, with what a look at the recurring invoices found in the place of guesses about new Subscriptions."""
    if around.invoices is None:
        return needs
    return (*(need for need in needs if need.step != ATTACH), *_unattached(around, rows))


def _unattached(around: Background, rows: tuple[PageRow, ...]) -> Iterator[Need]:
    for row in rows:
        found = (around.invoices or {}).get(row.key)
        if found is not None and found.verdict is not Attached.YES and row.after:
            yield Need(
                tone=Tone.CALL,
                who=row.customer,
                key=row.key,
                what=f"{capital(invoice_note(found))}.",
                step=_STEPS[found.verdict],
                row=row.number,
            )
