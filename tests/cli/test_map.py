"""`map` and `fmt`: answers become entries, and not a byte of the rest changes."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.bench import Bench

ONE = """# ours
version: 1
mappings:
  # the first
  - infima_client: {id: 101, name: "Acme Dental"}   # keep
    halo_customer: {id: 11, name: "Acme Dental"}
"""


@pytest.fixture
def one(bench: Bench) -> Bench:
    """One mapping: five clients are left to map."""
    bench.file.write_text(ONE, encoding="utf-8")
    return bench


def entries(bench: Bench) -> list[tuple[int, int, int | None]]:
    rows = yaml.safe_load(bench.file.read_text(encoding="utf-8"))["mappings"]
    return [(r["infima_client"]["id"], r["halo_customer"]["id"], r.get("subscription_id")) for r in rows]


def test_one_client_is_mapped_without_a_question(one: Bench) -> None:
    answer = one.run("map", "102", "--customer", "12")
    assert answer.code == 0, answer.text
    assert entries(one) == [(101, 11, None), (102, 12, None)]
    assert one.file.read_text(encoding="utf-8").startswith(ONE)


def test_a_client_may_be_named(one: Bench) -> None:
    one.run("map", "corvid labs", "--customer", "13")
    assert entries(one)[-1] == (103, 13, None)


def test_windows_line_ends_stay(one: Bench) -> None:
    one.file.write_bytes(ONE.replace("\n", "\r\n").encode())
    one.run("map", "102", "--customer", "12")
    content = one.file.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == ONE.count("\n") + 3


def test_a_client_is_ignored_with_its_reason(one: Bench) -> None:
    one.run("map", "102", "--ignore", "our own staff")
    ignored = yaml.safe_load(one.file.read_text(encoding="utf-8"))["ignore"]
    assert ignored == [{"infima_client": {"id": 102, "name": "Borealis Freight"}, "reason": "our own staff"}]


def test_an_existing_subscription_is_adopted_by_option_and_told_without(one: Bench) -> None:
    told = one.run("map", "104", "--customer", "14").err
    assert "reconciler adopt infima-104 9010" in told
    one.file.write_text(ONE, encoding="utf-8")
    one.run("map", "104", "--customer", "14", "--subscription", "9010")
    assert entries(one)[-1] == (104, 14, 9010)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["101", "--customer", "11"], "in mappings.yaml already"),
        (["999", "--customer", "11"], "lists no client"),
        (["Acme Dentel", "--customer", "11"], "Did you mean Acme Dental?"),
        (["102", "--customer", "77"], "no customer 77"),
        (["102", "--customer", "12", "--ignore", "x"], "contradict"),
        (["102"], "What is to become of 102?"),
        (["102", "--ignore", " "], "needs a reason"),
        (["--customer", "12"], "Name the INFIMA client"),
        (["--suggest", "102"], "is for all"),
        (["-o", "json"], "goes with --suggest"),
        ([], "no terminal to ask on"),
        (["102", "--customer", "12", "--subscription", "9060"], "plain licence"),
        (["102", "--customer", "12", "--subscription", "9001"], "belongs to customer 11"),
        (["102", "--customer", "12", "--subscription", "5"], "does not know it"),
    ],
)
def test_wrong_use_is_told_and_writes_nothing(one: Bench, arguments: list[str], said: str) -> None:
    answer = one.run("map", *arguments)
    assert (answer.code, said in answer.err) == (64, True), answer.text
    assert one.file.read_text(encoding="utf-8") == ONE


def test_a_key_that_cannot_be_a_key_leaves_the_file_alone(one: Bench) -> None:
    answer = one.run("map", "102", "--customer", "12", "--key", "no spaces")
    assert answer.code == 1
    assert one.file.read_text(encoding="utf-8") == ONE


def test_an_inactive_customer_is_refused(one: Bench) -> None:
    one.world.person_deactivates_customer(12)
    assert "is inactive in HaloPSA" in one.run("map", "102", "--customer", "12").err


def test_suggestions_are_a_document(one: Bench) -> None:
    found = json.loads(one.run("map", "--suggest", "-o", "json").out)["suggestions"]
    assert [row["infima_client"]["id"] for row in found] == [102, 103, 104, 105, 106]
    assert (found[0]["halo_customers"][0], found[0]["likely"]) == (
        {"id": 12, "name": "Borealis Freight", "score": 100},
        True,
    )


def test_suggested_yaml_is_yaml(one: Bench) -> None:
    rows = yaml.safe_load(one.run("map", "--suggest", "-o", "yaml").out)
    assert rows[0] == {
        "infima_client": {"id": 102, "name": "Borealis Freight"},
        "halo_customer": {"id": 12, "name": "Borealis Freight"},
    }


def test_a_conversation(one: Bench) -> None:
    """Pick, search and pick, id with adoption, ignore, quit: each is written at once."""
    typed = ["a", "yes", "corvid", "a", "y", "14", "yes", "yes", "ignore because left us", "y", "quit"]
    answer = one.run("map", typed="\n".join(typed) + "\n")
    assert answer.code == 0, answer.text
    assert entries(one) == [(101, 11, None), (102, 12, None), (103, 13, None), (104, 14, 9010)]
    assert "left us" in one.file.read_text(encoding="utf-8")
    assert one.file.read_text(encoding="utf-8").startswith(ONE)


def test_a_no_asks_again_and_the_end_of_input_is_quit(one: Bench) -> None:
    answer = one.run("map", typed="a\nno\n")
    assert answer.code == 0
    assert one.file.read_text(encoding="utf-8") == ONE


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("j", "There is no j) in the list"),
        ("4711", "HaloPSA has no customer 4711"),
        ("zzz", "No customer in HaloPSA matches 'zzz'"),
        ("ignore", "Say why"),
        ("?", "Answer with a letter"),
        ("", "Answer with a letter"),
    ],
)
def test_a_wrong_answer_is_explained_and_asked_again(one: Bench, typed: str, said: str) -> None:
    assert said in one.run("map", typed=f"{typed}\nquit\n").err


def test_it_is_said_when_a_customer_is_billed_already(one: Bench) -> None:
    assert "is billed through infima-101 already" in one.run("map", typed="11\nno\nquit\n").err


def test_nothing_left_to_map(one: Bench) -> None:
    for client in (102, 103, 104, 105, 106):
        one.run("map", str(client), "--ignore", "x")
    assert "Every INFIMA client is mapped or ignored" in one.run("map", typed="").err


def test_fmt_check_diff_and_write(one: Bench) -> None:
    one.file.write_text(ONE.replace("  - infima", "  -   infima").replace("    halo", "      halo"), encoding="utf-8")
    before = one.file.read_text(encoding="utf-8")
    checked = one.run("fmt", "--check", "--diff")
    assert (checked.code, "+  - infima_client" in checked.out) == (1, True)
    assert one.file.read_text(encoding="utf-8") == before
    assert one.run("fmt").code == 0
    assert one.run("fmt", "--check").code == 0
    assert "# keep" in one.file.read_text(encoding="utf-8")


def test_fmt_refuses_an_invalid_file_with_its_place(one: Bench) -> None:
    one.file.write_text("version: 1\nmappings:\n  - nope: 1\n", encoding="utf-8")
    answer = one.run("fmt")
    assert (answer.code, "mappings.yaml:3:5" in answer.err) == (1, True)
