"""`clients`, `customers`, `status`, `check-invoices`: reading commands over a served world."""

from __future__ import annotations

import csv
import io
import json

import pytest

from reconciler.simulator.worlds import invoice_line
from tests.cli.bench import Bench


def test_clients_tells_unmapped_first(bench: Bench) -> None:
    bench.world.add_client(110, "Zephyr Cycles", active=17)
    answer = bench.run("clients", "-o", "json")
    rows = json.loads(answer.out)["clients"]
    assert (answer.code, rows[0]["id"], rows[0]["state"]) == (0, 110, "unmapped")
    assert [row["state"] for row in rows[1:]] == ["mapped"] * 6
    assert rows[1]["mapping"] == "infima-101"


def test_clients_unmapped_names_the_next_step(bench: Bench) -> None:
    bench.world.add_client(110, "Zephyr Cycles", active=17)
    answer = bench.run("clients", "--unmapped")
    assert "Zephyr Cycles" in answer.out
    assert "Acme" not in answer.out
    assert "reconciler map" in answer.err


@pytest.mark.parametrize("words", [["acme"], ["DENTAL", "acme"], ["11"]])
def test_customers_finds_by_words_and_by_id(bench: Bench, words: list[str]) -> None:
    found = json.loads(bench.run("customers", *words, "-o", "json").out)["customers"]
    assert [(c["id"], c["mappings"]) for c in found] == [(11, ["infima-101"])]


def test_customers_marks_inactive_ones_only_when_asked(bench: Bench) -> None:
    bench.world.person_deactivates_customer(12)
    assert json.loads(bench.run("customers", "borealis", "-o", "json").out)["customers"] == []
    found = json.loads(bench.run("customers", "borealis", "--inactive", "-o", "json").out)["customers"]
    assert [c["inactive"] for c in found] == [True]


def test_customers_that_are_not_found_get_the_two_usual_reasons(bench: Bench) -> None:
    answer = bench.run("customers", "nobody")
    assert answer.code == 0
    assert "a minute to index" in answer.err
    assert "--inactive" in answer.err


def test_status_puts_held_before_pending_before_in_step(bench: Bench) -> None:
    for number in (9001, 9002, 9003):
        bench.world.add_invoice(number - 8990, "Monthly", [invoice_line(1, number, "training")])
    bench.run("check-invoices")
    rows = json.loads(bench.run("status", "-o", "json").out)["mappings"]
    assert [row["key"] for row in rows] == [
        "infima-104", "infima-105", "infima-106", "infima-101", "infima-102", "infima-103",
    ]  # fmt: skip
    assert rows[0]["hold"] == "same-name"
    assert rows[-1]["attention"] is None


def test_status_tells_the_last_change_and_the_name_in_halo(bench: Bench) -> None:
    bench.run("apply", "--auto-approve", "--only", "infima-105")
    bench.world.person_renames(9001, "Training for Acme")
    rows = {row["key"]: row for row in json.loads(bench.run("status", "-o", "json").out)["mappings"]}
    assert (rows["infima-105"]["last_change"]["before"], rows["infima-105"]["last_change"]["after"]) == (None, 14)
    assert rows["infima-101"]["subscription"]["name"] == "Training for Acme"
    assert "Training for Acme" in bench.run("status", "-o", "markdown").out


def test_status_csv_has_no_formula(bench: Bench) -> None:
    bench.world.person_renames_customer(11, '=HYPERLINK("https://evil.example")')
    rows = list(csv.reader(io.StringIO(bench.run("status", "-o", "csv").out)))
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    assert len({len(row) for row in rows}) == 1


def test_status_only(bench: Bench) -> None:
    assert len(json.loads(bench.run("status", "--only", "infima-101", "-o", "json").out)["mappings"]) == 1


def test_status_reads_invoices_only_when_asked(bench: Bench) -> None:
    bench.run("status")
    assert not [r for r in bench.world.requests if "recurringinvoice" in r.path.lower()]
    rows = json.loads(bench.run("status", "--check-invoices", "-o", "json").out)["mappings"]
    assert {row["key"]: row["invoice"]["verdict"] for row in rows if row["invoice"]} == {
        "infima-101": "not attached",
        "infima-102": "not attached",
        "infima-103": "not attached",
    }


def test_check_invoices_tells_each_case(bench: Bench) -> None:
    bench.world.add_invoice(11, "Monthly", [invoice_line(1, 9001, "training")])
    bench.world.add_invoice(12, "Monthly", [invoice_line(1, 9002, "training")], disabled=True)
    bench.world.add_invoice(13, "Monthly", [invoice_line(1, 0, "all", by_criteria=True)])
    document = json.loads(bench.run("check-invoices", "-o", "json").out)
    assert {row["key"]: row["verdict"] for row in document["subscriptions"]} == {
        "infima-101": "attached",
        "infima-102": "only where nothing is billed",
        "infima-103": "perhaps attached",
    }
    assert document["mappings_without_subscription"] == 3
    assert document["subscriptions"][-1]["invoices"] == [{"id": -10, "number": 1}]


def test_check_invoices_without_the_right_says_which_is_missing(bench: Bench) -> None:
    bench.world.switches = bench.world.switches.from_json(
        bench.world.switches.to_json() | {"agent_lacks": ["read:invoices"]}
    )
    answer = bench.run("check-invoices")
    assert (answer.code, "read:invoices" in answer.err) == (1, True)


def test_the_report_names_who_is_on_no_recurring_invoice(bench: Bench) -> None:
    bench.world.add_invoice(11, "Monthly", [invoice_line(1, 9001, "training")])
    bench.world.add_invoice(12, "Monthly", [invoice_line(1, 9002, "training")], disabled=True)
    bench.world.add_invoice(13, "Monthly", [invoice_line(1, 0, "all", by_criteria=True)])
    assert bench.run("plan", "--out", "plan.json").code == 0
    assert bench.run("report", "--plan", "plan.json", "--check-invoices").code == 0
    html = (bench.folder / "report.html").read_text(encoding="utf-8")
    needs = html.split('id="needs"')[1].split("</section>")[0]
    assert "Perhaps on recurring invoice 1" not in html
    assert "where it is switched off or has ended: it bills nothing (looked at on" in needs
    assert "is perhaps on recurring invoice" in needs, "this program made it: somebody has to look once"
    assert needs.count("infima-101") == 0
    assert bench.writes() == 0


def test_the_report_without_the_right_to_read_invoices_is_an_error_not_an_all_clear(bench: Bench) -> None:
    bench.world.switches = bench.world.switches.from_json(
        bench.world.switches.to_json() | {"agent_lacks": ["read:invoices"]}
    )
    answer = bench.run("report", "--check-invoices")
    assert (answer.code, "read:invoices" in answer.err) == (1, True)
    assert not (bench.folder / "report.html").exists()


def test_nothing_here_writes(bench: Bench) -> None:
    for command in (["clients"], ["customers", "acme"], ["status", "--check-invoices"]):
        assert bench.run(*command).code == 0
    assert bench.writes() == 0
    assert bench.records() == ["state.json"]


def test_check_invoices_writes_nothing_to_halo_and_remembers_what_it_saw(bench: Bench) -> None:
    bench.world.add_invoice(11, "Monthly", [invoice_line(1, 9001, "training")])
    answer = bench.run("check-invoices")
    assert answer.code == 3, "two Subscriptions are on no invoice"
    assert bench.writes() == 0
    waiting = {need["id"] for need in json.loads(bench.run("status", "-o", "json").out)["needs"]}
    assert {"not-invoiced:infima-102", "not-invoiced:infima-103"} <= waiting
    assert "not-invoiced:infima-101" not in waiting
    for number in (9002, 9003):
        bench.world.add_invoice(number - 8990, "Monthly", [invoice_line(1, number, "training")])
    assert bench.run("check-invoices").code == 0
    assert "not-invoiced" not in bench.run("status", "-o", "json").out


def test_a_person_says_what_no_look_can_show(bench: Bench) -> None:
    bench.world.add_invoice(13, "Monthly", [invoice_line(1, 0, "all", by_criteria=True)])
    bench.run("check-invoices", "--only", "infima-103")
    assert "resolve infima-103 --attached" in bench.run("explain", "infima-103").out
    said = bench.run("resolve", "infima-103", "--attached", "--reason", "line 1 takes all in", "--yes")
    assert said.code == 0
    status = json.loads(bench.run("status", "-o", "json").out)
    assert "not-invoiced:infima-103" not in {need["id"] for need in status["needs"]}
    bench.run("check-invoices", "--only", "infima-101")
    refused = bench.run("resolve", "infima-101", "--attached", "--reason", "I think so", "--yes")
    assert (refused.code, "on no recurring invoice: it bills nothing" in refused.err) == (1, True)
