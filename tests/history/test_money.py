"""Amounts over time: from prices in mappings.yaml or HaloPSA, exact, per currency, estimates, never sent to HaloPSA."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from reconciler.config import parse_mappings
from reconciler.errors import ConfigError
from reconciler.model import UnitPrice
from tests.history.conftest import Command
from tests.render.htmlpage import parse
from tests.stage import Stage, small_mappings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFAULT = 'defaults:\n  price: {amount: "2.75", currency: EUR}\n'
OWN = '    price: {amount: "0.1", currency: USD}'


def priced(extra: str = DEFAULT, **changes: str) -> str:
    return small_mappings(extra, **changes)


def test_a_mapping_s_own_price_wins_over_the_default() -> None:
    made = parse_mappings(priced(c102=OWN), file="m", now=NOW)
    prices = [mapping.price for mapping in made.mappings[:2]]
    assert prices == [
        UnitPrice(amount=Decimal("2.75"), currency="EUR"),
        UnitPrice(amount=Decimal("0.1"), currency="USD"),
    ]


def test_without_a_price_there_is_none() -> None:
    assert parse_mappings(small_mappings(), file="m", now=NOW).mappings[0].price is None


@pytest.mark.parametrize(
    "price",
    [
        "{amount: 2.75, currency: EUR}",
        "{amount: 3, currency: EUR}",
        '{amount: "-1", currency: EUR}',
        '{amount: "1e3", currency: EUR}',
        '{amount: "NaN", currency: EUR}',
        '{amount: "1.00001", currency: EUR}',
        '{amount: "٣", currency: EUR}',
        '{amount: "1", currency: eur}',
        '{amount: "1"}',
    ],
)
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ConfigError):
        parse_mappings(small_mappings(f"defaults:\n  price: {price}\n"), file="m", now=NOW)


def test_the_statement_has_amounts_per_currency(autumn: Stage, command: Command) -> None:
    (autumn.folder / "mappings.yaml").write_text(priced(c102=OWN), encoding="utf-8")
    words = ("statement", "--month", "2026-10", "--invoice-day", "31")
    document = json.loads(command(*words, "-o", "json").out)
    assert document["estimated_amounts"] == {"EUR": str(Decimal("2.75") * (12 + 12 + 13 + 14 + 15)), "USD": "1.20"}
    rows = list(csv.DictReader(io.StringIO(command(*words, "-o", "csv").out)))
    assert [(row["Amount (estimate)"], row["Currency"]) for row in rows[:2]] == [("33.00", "EUR"), ("1.20", "USD")]
    assert "Estimated amount of 2026-10: EUR 181.50." in command(*words).err


def test_without_prices_no_amount_is_shown(autumn: Stage, command: Command) -> None:
    assert "Amount" not in command("statement", "--month", "2026-10", "-o", "csv").out


def test_the_report_shows_the_amount_and_its_change_as_an_estimate(autumn: Stage, command: Command) -> None:
    (autumn.folder / "mappings.yaml").write_text(priced(), encoding="utf-8")
    command("report")
    seen = parse((autumn.folder / "report.html").read_text(encoding="utf-8"))
    figures = dict(zip(seen.text_of("dt"), seen.text_of("dd"), strict=True))
    users = sum(int(autumn.count_of(number)) for number in autumn.world.licences if number != 9050)
    # two users more on the last night; what is held does not count
    assert figures["Monthly amount, EUR (estimate)"] == f"{users * Decimal('2.75'):,} (+5.50)"


def test_no_price_is_ever_sent_to_halo(autumn: Stage) -> None:
    autumn.text = priced()
    autumn.world.users_join(105, 1)
    autumn.apply()
    assert autumn.writes()
    assert not any("2.75" in body or "price" in body for body in autumn.writes())


# ---- HaloPSA's own prices, as runs have read them --------------------------------------------------------------------

LIVE = "settings: {currency: EUR}\n"


@pytest.fixture
def live_prices(stage: Stage) -> Stage:
    """Prices stand in HaloPSA alone; one changes after the first night, and so does a count."""
    stage.text = priced(LIVE)
    (stage.folder / "mappings.yaml").write_text(stage.text, encoding="utf-8")
    for number in list(stage.world.licences):
        stage.world.person_edits(number, price=2.75, monthly_price=2.75)
    stage.apply()
    stage.world.person_edits(9001, price=3.0, monthly_price=3.0)
    stage.world.users_join(101, 1)
    stage.clock.sleep(86_400)
    stage.apply()
    return stage


def test_the_statement_knows_the_prices_that_runs_have_read(live_prices: Stage, command: Command) -> None:
    day = live_prices.clock.now().day
    found = command("statement", "--invoice-day", str(day), "-o", "json")
    rows = {row["key"]: row for row in json.loads(found.out)["rows"]}
    first = rows["infima-101"]
    assert (first["unit_price"], first["price_source"], first["currency"]) == ("3.0", "HaloPSA", "EUR")
    assert first["estimated_amount"] == str(first["invoice_day"] * Decimal("3.00"))
    assert rows["infima-102"]["unit_price"] == "2.75"


def test_the_file_s_price_wins_in_the_statement_too(live_prices: Stage, command: Command) -> None:
    (live_prices.folder / "mappings.yaml").write_text(priced(DEFAULT + LIVE), encoding="utf-8")
    rows = json.loads(command("statement", "--invoice-day", "31", "-o", "json").out)["rows"]
    assert {row["price_source"] for row in rows} == {"mappings.yaml"}


def test_what_has_no_price_is_counted_not_added(live_prices: Stage, command: Command) -> None:
    (live_prices.folder / "mappings.yaml").write_text(small_mappings(), encoding="utf-8")
    live_prices.text = small_mappings()
    live_prices.world.users_join(102, 1)
    live_prices.clock.sleep(86_400)
    live_prices.apply()  # no currency any more: this night's line says that no price is known
    document = json.loads(command("statement", "--invoice-day", "31", "-o", "json").out)
    rows = {row["key"]: row for row in document["rows"]}
    assert rows["infima-102"]["estimated_amount"] is None
    assert document["without_amount"] >= 1


def test_a_price_that_halo_does_not_know_makes_no_amount(stage: Stage, command: Command) -> None:
    stage.text = priced(LIVE)
    (stage.folder / "mappings.yaml").write_text(stage.text, encoding="utf-8")
    for number in list(stage.world.licences):
        stage.world.person_edits(number, price=0.0, monthly_price=0.0)
    stage.apply()
    assert json.loads(command("statement", "--invoice-day", "31", "-o", "json").out)["estimated_amounts"] == {}


def test_backtest_judges_amounts_by_the_recorded_prices(live_prices: Stage, command: Command) -> None:
    strict = 'settings: {currency: EUR}\nlimits: {max_increase: {amount: "2.99"}}\n'
    (live_prices.folder / "stricter.yaml").write_text(priced(strict), encoding="utf-8")
    words = ("backtest", "--mappings", str(live_prices.folder / "stricter.yaml"), "--since", "2026-09-01", "-o", "json")
    *_, night = json.loads(command(*words).out)["nights"]
    assert night["held"] == [{"key": "infima-101", "rule": "amount-increase"}]
    lax = strict.replace("2.99", "3.00")
    (live_prices.folder / "stricter.yaml").write_text(priced(lax), encoding="utf-8")
    *_, night = json.loads(command(*words).out)["nights"]
    assert night["held"] == []
