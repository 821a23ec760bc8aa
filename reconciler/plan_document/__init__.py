"""The plan as a JSON document: Terraform's layout, written from a `Plan` and read back strictly (DESIGN 9).

Its shape is in `layout` and `failure`; saved plans are read by `read`.
"""

from reconciler.plan_document.failure import error_document
from reconciler.plan_document.write import dump_document, plan_document, with_outcomes

__all__ = [
    "dump_document",
    "error_document",
    "plan_document",
    "with_outcomes",
]
