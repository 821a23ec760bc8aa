"""The plan as a JSON document: Terraform's layout, written from a `Plan` and read back strictly (DESIGN 9)."""

from reconciler.plan_document.layout import FORMAT_VERSION, ChangeJson, PlanJson, ViolationJson
from reconciler.plan_document.read import MAX_PLAN_BYTES, SavedPlan, read_plan_file
from reconciler.plan_document.write import dump_document, error_document, plan_document

__all__ = [
    "FORMAT_VERSION",
    "MAX_PLAN_BYTES",
    "ChangeJson",
    "PlanJson",
    "SavedPlan",
    "ViolationJson",
    "dump_document",
    "error_document",
    "plan_document",
    "read_plan_file",
]
