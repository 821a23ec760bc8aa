"""The plan as a JSON document: Terraform's layout, written from a `Plan` and read back strictly (DESIGN 9)."""

from reconciler.plan_document.write import dump_document, error_document, plan_document, with_outcomes

__all__ = ["dump_document", "error_document", "plan_document", "with_outcomes"]
