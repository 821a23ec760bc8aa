"""Whose users are billed to whom, and what the customer has already: in every drawing of a create and of a hold."""

from __future__ import annotations

import html
import json

import pytest

from reconciler.plan_document import dump_document, plan_document
from reconciler.plan_document.layout import PlanJson
from reconciler.render.annotations import render_annotations
from reconciler.render.html import render_html
from reconciler.render.markdown import render_markdown
from reconciler.render.pen import Pen
from reconciler.render.terminal import render_plan
from reconciler.safety.check import check
from tests.builders import build_mapping, build_mappings, build_subscription
from tests.core import observe_fitting, plan_of

MAPPING = build_mapping(name="Zephyr Cycles", customer_name="Bramble Catering")
OTHER = build_subscription(9041, name="Backup <seats>", count=37)


def planned(*rows: object) -> PlanJson:
    mappings = build_mappings(MAPPING)
    plan = check(plan_of(mappings, observe_fitting(MAPPING, 15, *rows)), mappings.limits)  # type: ignore[arg-type]
    return plan_document(plan, version="0")


DRAWINGS = {
    "text": lambda document: render_plan(document, Pen(width=200)),
    "markdown": render_markdown,
    "html": lambda document: html.unescape(render_html(document)),
    "json": lambda document: json.dumps(json.loads(dump_document(document)), ensure_ascii=False),
}


@pytest.mark.parametrize("name", [OTHER.name, "Awareness training, old"], ids=["create", "held"])
@pytest.mark.parametrize("drawing", sorted(DRAWINGS))
def test_both_names_and_the_customers_others_are_told(drawing: str, name: str) -> None:
    row = build_subscription(9041, name=name, count=37)
    shown = DRAWINGS[drawing](planned(row))
    for told in ("Zephyr Cycles", "Bramble Catering", "9041", "37", name.partition(" <")[0]):
        assert told in shown


@pytest.mark.parametrize("drawing", ["text", "markdown"])
def test_they_are_told_as_one_pair(drawing: str) -> None:
    assert "Zephyr Cycles -> Bramble Catering" in DRAWINGS[drawing](planned())
    assert "Zephyr Cycles -> Bramble Catering" in DRAWINGS[drawing](planned(build_subscription(9002)))


def test_an_annotation_tells_them_too() -> None:
    assert "Zephyr Cycles -> Bramble Catering" in render_annotations(planned())


def test_the_document_lists_them_with_everything_that_is_known() -> None:
    [row] = planned(OTHER, build_subscription(9001, name="Old", count=None, deleted=True))["resource_changes"]
    assert row["customer_subscriptions"] == [
        {"id": 9041, "name": "Backup <seats>", "count": 37, "live": True, "invoices": None},
        {"id": 9001, "name": "Old", "count": None, "live": False, "invoices": None},
    ]


def test_an_update_lists_none() -> None:
    [row] = planned(build_subscription(9001, marker=MAPPING.key))["resource_changes"]
    assert "customer_subscriptions" not in row
