"""On which invoice a Subscription is that no mapping has, beside a create that is held."""

from __future__ import annotations

import json

import pytest

from reconciler.simulator.worlds import invoice_line
from tests.cli.bench import Bench


@pytest.fixture
def held(bench: Bench) -> Bench:
    """Eastgate's create is held by one that resembles it, Fenwick's by none."""
    made = bench.world.add_licence(15, "Awareness training (Eastgate)", 9)
    bench.world.add_invoice(15, "Monthly", [invoice_line(1, made, "Training")])
    return bench


def others(bench: Bench) -> list[object]:
    document = json.loads(bench.run("plan", "-o", "json").out)
    [row] = [change for change in document["resource_changes"] if change["name"] == "infima-105"]
    assert row["hold"]["rule"] == "resembles"
    return [(one["name"], one["invoices"]) for one in row["customer_subscriptions"]]


def test_a_night_looks_for_what_may_be_meant_and_the_next_plan_says_on_which_invoice_it_is(held: Bench) -> None:
    assert others(held) == [("Awareness training (Eastgate)", None)]
    held.run("apply", "--auto-approve")
    assert others(held) == [("Awareness training (Eastgate)", [1])]
    assert "Awareness training (Eastgate): quantity 9, on invoice 1" in held.run("plan").out


def test_one_that_is_on_none_is_said_to_be_on_none_and_what_was_not_looked_at_is_not(held: Bench) -> None:
    held.world.invoices.clear()
    held.run("apply", "--auto-approve")
    assert others(held) == [("Awareness training (Eastgate)", [])]
    held.world.add_licence(15, "INFIMA", 2)
    assert others(held) == [("Awareness training (Eastgate)", []), ("INFIMA", None)]
