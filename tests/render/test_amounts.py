"""Monthly amounts in the drawings: with currency, called an estimate, never added over currencies, unknown never 0."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.errors import PlanFileError
from reconciler.model import PriceSource, UnitPrice
from reconciler.plan_document import dump_document, plan_document, with_outcomes
from reconciler.plan_document.read import read_plan_file
from reconciler.planning.changes import Change, Plan
from reconciler.render.document import view
from reconciler.render.html import render_html
from reconciler.render.markdown import render_markdown
from reconciler.render.terminal import render_outcome, render_plan
from reconciler.render.words import amounts_sentence, monthly_amounts
from reconciler.simulator.switches import Switches
from tests.builders import build_change, build_hold, build_mapping, build_plan
from tests.render.htmlpage import parse
from tests.stage import Stage, small_mappings, small_world


def priced(key: str, before: int, after: int, price: str | None, currency: str = "EUR", **more: object) -> Change:
    change = build_change(build_mapping(key=key), before=before, after=after, **more)  # type: ignore[arg-type]
    unit = UnitPrice(amount=Decimal(price), currency=currency, source=PriceSource.HALO) if price else None
    return replace(change, price=unit)


@pytest.fixture
def plan() -> Plan:
    return build_plan(
        priced("a", 10, 12, "2.75"),
        priced("b", 400, 401, "3.10", "USD"),
        priced("c", 10, 0, "2.75", hold=build_hold()),
        priced("d", 7, 8, None),
    )


def test_each_currency_has_its_own_sum_and_the_rest_is_counted(plan: Plan) -> None:
    told = amounts_sentence(view(plan_document(plan, version="0")))
    assert told == (
        "Monthly amount (estimate): EUR 55.00 -> 60.50 (+5.50); USD 1,240.00 -> 1,243.10 (+3.10); "
        "not known for 1 mapping."
    )


def test_where_no_price_is_known_nothing_is_said_of_money() -> None:
    document = plan_document(build_plan(priced("d", 7, 8, None)), version="0")
    for drawing in (render_plan(document), render_markdown(document), render_html(document)):
        assert "estimate" not in drawing.casefold()
        assert "0.00" not in drawing


def test_the_terminal_has_the_amount_of_each_row(plan: Plan) -> None:
    drawn = render_plan(plan_document(plan, version="0"))
    assert "(+2)  EUR +5.50/month" in drawn
    assert re.search(r"\(\+1\) +no amount", drawn)
    assert "EUR -27.50/month" in drawn


def test_markdown_has_a_column_for_it(plan: Plan) -> None:
    drawn = render_markdown(plan_document(plan, version="0"))
    assert "| Difference | Monthly (estimate) | Why |" in drawn
    assert "| +2 | EUR +5.50/month |" in drawn
    assert "Monthly amount (estimate): EUR 55.00" in drawn


def test_html_has_figures_a_column_and_the_price_s_source(plan: Plan) -> None:
    html = render_html(plan_document(plan, version="0"))
    seen = parse(html)
    figures = dict(zip(seen.text_of("dt"), seen.text_of("dd"), strict=True))
    assert figures["Monthly amount, EUR (estimate)"] == "60.50 (+5.50)"
    assert figures["Monthly amount, USD (estimate)"] == "1,243.10 (+3.10)"
    assert figures["Without a known amount"] == "1"
    assert "Estimate: EUR 2.75 a user and month (price from HaloPSA), so EUR 27.50 a month before and 33.00" in html


def test_json_has_texts_not_numbers(plan: Plan) -> None:
    document = json.loads(dump_document(plan_document(plan, version="0")))
    rows = {row["name"]: row["monthly_amount"] for row in document["resource_changes"]}
    assert rows["a"] == {
        "unit_price": "2.75",
        "source": "HaloPSA",
        "currency": "EUR",
        "before": "27.50",
        "after": "33.00",
        "change": "5.50",
    }
    assert rows["d"] is None
    assert document["summary"]["without_amount"] == 1
    assert [one["currency"] for one in document["summary"]["monthly_amounts"]] == ["EUR", "USD"]


def test_a_saved_plan_comes_back_with_its_amounts(plan: Plan) -> None:
    text = dump_document(plan_document(plan, version="0"))
    assert dump_document(read_plan_file(text.encode()).document) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"after": "33.00"', '"after": "34.00"'),
        ('"after": "33.00", "change": "5.50"', '"after": "34.00", "change": "6.50"'),
        ('"unit_price": "2.75"', '"unit_price": 2.75'),
        ('"unit_price": "2.75"', '"unit_price": "NaN"'),
        ('"currency": "EUR"', '"currency": "<b>"'),
        ('"without_amount": 1', '"without_amount": 0'),
    ],
)
def test_amounts_that_contradict_each_other_are_refused(plan: Plan, old: str, new: str) -> None:
    text = dump_document(plan_document(plan, version="0"))
    assert old in text
    with pytest.raises(PlanFileError):
        read_plan_file(text.replace(old, new, 1).encode())


def test_after_a_run_only_what_was_read_back_has_moved(tmp_path: Path) -> None:
    stage = Stage(small_world(), tmp_path, small_mappings('defaults: {price: {amount: "2.75", currency: EUR}}\n'))
    stage.apply()
    stage.world.users_join(101, 2)
    stage.world.users_leave(102, 12)
    finished = stage.apply()
    shown = view(
        with_outcomes(
            plan_document(finished.plan, version="0"), finished.plan, finished.applied.outcomes, finished.verdict
        )
    )
    [amount], _ = monthly_amounts(shown)
    assert amount.change == Decimal("5.50")
    assert "(+5.50)" in render_outcome(shown.document)


@pytest.mark.parametrize(
    ("prices", "known"),
    [
        ("given", True),
        ("price_only", True),
        ("yearly", True),
        ("contradicting", False),
        ("zero", False),
        ("null", False),
        ("absent", False),
        ("text", False),
    ],
)
def test_however_halo_tells_its_prices(tmp_path: Path, prices: str, *, known: bool) -> None:
    world = small_world()
    for number in list(world.licences):
        world.person_edits(number, price=2.75, monthly_price=2.75)
    world.switches = Switches.from_json({"prices": prices, "customer_currency": "EUR"})
    changes = Stage(world, tmp_path, small_mappings()).plan().changes
    found = {change.price for change in changes if change.before is not None}
    wanted = UnitPrice(amount=Decimal("2.75"), currency="EUR", source=PriceSource.HALO)
    assert found == ({wanted} if known else {None})
