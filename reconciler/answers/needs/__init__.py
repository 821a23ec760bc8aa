"""The one list of what waits for a person (DESIGN 14), from a plan or a run's outcomes and from what is remembered.

Status, explain, report, summary, comment, issue, outputs and notification draw this list and make none of their own. A
need stays until a read showed it met: what this read could not tell is taken over from what was remembered. Pure.
"""

from reconciler.answers.needs.ending import ENDING_DAYS
from reconciler.answers.needs.given import THE_RUN, NeedInput
from reconciler.answers.needs.invoices import NEW_HAS_NO_PRICE, InvoicesKnown, bound, invoices_known
from reconciler.answers.needs.listing import find_needs, needs_met
from reconciler.answers.needs.runs import OVERDUE_AFTER, failed_run, record_missing
from reconciler.answers.needs.words import day_words, due_words, edited_words, fixed_beside

__all__ = [
    "ENDING_DAYS",
    "NEW_HAS_NO_PRICE",
    "OVERDUE_AFTER",
    "THE_RUN",
    "InvoicesKnown",
    "NeedInput",
    "bound",
    "day_words",
    "due_words",
    "edited_words",
    "failed_run",
    "find_needs",
    "fixed_beside",
    "invoices_known",
    "needs_met",
    "record_missing",
]
