"""`explain`: one number's story over a served world, and topics without any network."""

from __future__ import annotations

import json

import pytest

from reconciler.answers.explain import topics
from reconciler.simulator.worlds import invoice_line
from tests.cli.bench import Bench


@pytest.mark.parametrize("name", ["infima-101", "INFIMA-101", "101", "Acme Dental", "acme  dental", "11", "acme"])
def test_a_mapping_is_found_by_key_name_or_id(bench: Bench, name: str) -> None:
    answer = bench.run("explain", name, "-o", "json")
    assert (answer.code, json.loads(answer.out)["key"]) == (0, "infima-101")


def test_several_words_need_no_quotes(bench: Bench) -> None:
    assert json.loads(bench.run("explain", "corvid", "labs", "-o", "json").out)["key"] == "infima-103"


def test_a_run_that_would_be_refused_is_not_promised(bench: Bench) -> None:
    """The rule that refuses it looks at everybody's users, so everybody's are read."""
    bench.run("apply", "--auto-approve")
    for number in (101, 102, 103, 104):
        bench.world.users_leave(number, 5)
    bench.world.users_join(105, 2)
    answer = bench.run("explain", "infima-105")
    said = " ".join(answer.out.split())
    assert "16 is due, but the whole run is refused (source-dropped)" in said
    assert "reconciler apply --allow source-dropped --reason '...'" in answer.out, "on one line, to be pasted"
    assert "The next apply sets" not in answer.out


def test_the_whole_story_is_told(bench: Bench) -> None:
    bench.run("apply", "--auto-approve", "--only", "infima-105")
    bench.world.users_join(105, 2)
    bench.world.add_invoice(15, "Monthly", [invoice_line(1, 9061, "training")])
    out = bench.run("explain", "infima-105").out
    for said in (
        "The next apply sets 16.",
        "16 active, 4 not active and not counted, of 20 users",
        "Known because this program created it",
        "create new -> 14  applied",
        "on recurring invoice 1",
        "reconciler apply --only infima-105",
    ):
        assert said in out


def test_a_hold_is_told_with_its_remedy(bench: Bench) -> None:
    document = json.loads(bench.run("explain", "infima-104", "-o", "json").out)
    assert document["hold"] == "same-name"
    assert "reconciler adopt infima-104 9010" in document["next_step"]


def test_a_deleted_subscription_is_told(bench: Bench) -> None:
    bench.run("apply", "--auto-approve", "--only", "infima-101")
    bench.world.person_deletes(9001)
    document = json.loads(bench.run("explain", "infima-101", "-o", "json").out)
    assert document["hold"] == "subscription-gone"
    assert "resolve infima-101 --recreate" in document["next_step"]


def test_invoices_that_may_not_be_read_are_not_checked(bench: Bench) -> None:
    switches = bench.world.switches
    bench.world.switches = switches.from_json(switches.to_json() | {"agent_lacks": ["read:invoices"]})
    answer = bench.run("explain", "infima-101")
    assert (answer.code, "Not checked now: HaloPSA answered 403" in answer.out) == (0, True)


def test_an_ignored_client_is_told_so(bench: Bench) -> None:
    ignore = 'ignore:\n  - infima_client: {id: 999, name: "Our own staff"}\n    reason: "internal"\n'
    bench.file.write_text(bench.file.read_text(encoding="utf-8") + ignore, encoding="utf-8")
    answer = bench.run("explain", "our own staff")
    assert (answer.code, "is ignored on purpose: internal" in answer.out) == (0, True)


def test_an_unmapped_client_is_told_with_the_command_that_maps_it(bench: Bench) -> None:
    bench.world.add_client(110, "Zephyr Cycles", active=3)
    document = json.loads(bench.run("explain", "zephyr cycles", "-o", "json").out)
    assert "no mapping counts it" in document["answer"]
    assert document["next_step"].startswith("reconciler map 110 ")


def test_a_customer_without_a_mapping_is_told(bench: Bench) -> None:
    bench.world.add_customer(71, "Zephyr Cycles Ltd", inactive=True)
    assert "is inactive in HaloPSA, and no mapping bills to it" in bench.run("explain", "zephyr cycles ltd").out


def test_a_stranger_stays_one_when_nobody_can_be_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALO_URL")
    answer = bench.run("explain", "zephyr cycles")
    assert (answer.code, "Nothing in mappings.yaml" in answer.err) == (64, True)


@pytest.mark.parametrize("topic", [topic.name for topic in topics()])
def test_topics_need_no_network_no_file_and_no_variables(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    bench.file.unlink()
    monkeypatch.delenv("HALO_URL")
    answer = bench.run("explain", topic)
    assert (answer.code, answer.out.startswith(f"{topic} (")) == (0, True)
    assert bench.world.requests == []


def test_topics_are_listed(bench: Bench) -> None:
    names = [row["name"] for row in json.loads(bench.run("explain", "-o", "json").out)["topics"]]
    assert names == [topic.name for topic in topics()]
    assert "invoice-zero" in bench.run("explain").out


def test_a_mapping_called_like_a_rule_is_the_mapping(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    bench.file.write_text(text.replace("- infima_client: {id: 106", "- key: moved\n    infima_client: {id: 106"))
    assert json.loads(bench.run("explain", "moved", "-o", "json").out)["key"] == "moved"


@pytest.mark.parametrize(
    ("name", "said"),
    [("same-nam", "Did you mean same-name?"), ("Acme Dentel", "Did you mean Acme Dental?"), ("qqqq", "lists clients")],
)
def test_what_is_not_found_gets_a_hint(bench: Bench, name: str, said: str) -> None:
    answer = bench.run("explain", name)
    assert (answer.code, said in answer.err) == (64, True)


def test_an_ambiguous_name_lists_the_keys(bench: Bench) -> None:
    answer = bench.run("explain", "de")  # Acme Dental and nobody else has it; "o" is in four of six names
    assert answer.code == 0
    answer = bench.run("explain", "o")
    assert (answer.code, "'o' may mean 4 mappings: infima-102, infima-103, infima-104, infima-105" in answer.err) == (
        64,
        True,
    )
