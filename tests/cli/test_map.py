"""`map` and `fmt`: answers become entries, and not a byte of the rest changes."""

from __future__ import annotations

import json

import pytest
import yaml

from reconciler.cli.files import FileEdit
from reconciler.cli.mapsession import MapSession
from tests.cli.bench import Answer, Bench

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


@pytest.mark.parametrize("name", ["INFIMA  security awareness training", "Awareness training (security)"])
def test_a_subscription_that_may_be_the_one_is_decided_before_anything_is_written(one: Bench, name: str) -> None:
    one.world.licences[9010]["name"] = name
    told = one.run("map", "104", "--customer", "14")
    assert (told.code, one.file.read_text(encoding="utf-8")) == (64, ONE)
    for said in ("9010", name, "reconciler map 104 --customer 14 --subscription 9010", "--subscription new"):
        assert said in told.err
    one.run("map", "104", "--customer", "14", "--subscription", "9010")
    assert entries(one)[-1] == (104, 14, 9010)


def test_none_of_those_that_exist_is_written_and_its_hold_is_told(one: Bench) -> None:
    told = one.run("map", "104", "--customer", "14", "--subscription", "new")
    assert (told.code, entries(one)[-1]) == (0, (104, 14, None))
    assert "plan will hold Dunmore School (same-name)" in told.err
    assert "--allow same-name:infima-104" in one.run("plan").out


def test_a_subscription_with_the_mappings_own_marker_is_no_question(one: Bench) -> None:
    """It is found again by the marker; so is one that another name has nothing in common with."""
    one.world.add_licence(15, "Backup", 3, licence_id=9070)
    for client in ("102", "105"):
        assert one.run("map", client, "--customer", str(int(client) - 90)).code == 0
    assert entries(one)[1:] == [(102, 12, None), (105, 15, None)]


def test_names_with_nothing_in_common_want_a_yes(one: Bench) -> None:
    told = one.run("map", "105", "--customer", "16")
    assert (told.code, one.file.read_text(encoding="utf-8")) == (64, ONE)
    assert "Eastgate Homes (105) and HaloPSA customer Fenwick Law (16)" in told.err
    assert "reconciler map 105 --customer 16 --yes" in told.err
    asked = one.run("map", "105", "--customer", "16", typed="\n")
    assert ("[y/N]" in asked.err, one.file.read_text(encoding="utf-8")) == (True, ONE)
    assert one.run("map", "105", "--customer", "16", typed="y\n").code == 0
    assert one.run("map", "106", "--customer", "15", "--yes").code == 0
    assert entries(one)[1:] == [(105, 16, None), (106, 15, None)]


def test_the_subscription_of_another_mapping_is_not_adopted(one: Bench) -> None:
    """Two mappings on one Subscription would overwrite each other's quantity."""
    told = one.run("map", "102", "--customer", "11", "--subscription", "9001", "--yes")
    assert (told.code, one.file.read_text(encoding="utf-8")) == (64, ONE)
    assert "it belongs to the mapping infima-101" in told.err


def test_a_free_subscription_that_is_named_is_the_second_one(one: Bench) -> None:
    one.world.add_licence(11, "Awareness, the branch", 3, licence_id=9071)
    told = one.run("map", "102", "--customer", "11", "--subscription", "9071", "--yes")
    assert (told.code, entries(one)[-1]) == (0, (102, 11, 9071)), told.text


def test_a_deleted_namesake_is_to_be_restored_first(one: Bench) -> None:
    one.world.licences[9010]["is_active"] = False
    told = one.run("map", "104", "--customer", "14")
    assert (told.code, one.file.read_text(encoding="utf-8")) == (64, ONE)
    assert "To take it, restore it in HaloPSA first" in told.err


def test_a_fixed_quantity_is_not_called_a_sum(one: Bench) -> None:
    rule = '    quantity: {fixed: 40, reason: "contract", until: 2099-12-31}\n'
    one.file.write_text(ONE + rule, encoding="utf-8")
    answer = one.run("map", "102", "--customer", "11", "--key", "infima-101", "--yes")
    assert "the quantity of infima-101 is a fixed 40, whoever joins" in answer.out


def test_yes_decides_nothing_but_the_names(one: Bench) -> None:
    told = one.run("map", "105", "--customer", "14", "--yes")
    assert (told.code, "--subscription 9010 --yes" in told.err) == (64, True)


def test_a_mapped_customer_is_asked_about_and_refused_without_a_terminal(one: Bench) -> None:
    told = one.run("map", "102", "--customer", "11", "--yes")
    assert (told.code, one.file.read_text(encoding="utf-8")) == (64, ONE)
    assert "Together: reconciler map 102 --customer 11 --key infima-101 --yes" in told.err
    assert "A second one: reconciler map 102 --customer 11 --key infima-102 --yes" in told.err


TOGETHER = """# ours
version: 1
mappings:
  # the first
  - key: infima-101
    infima_clients:
      - {id: 101, name: "Acme Dental"}   # keep
      - {id: 102, name: "Borealis Freight"}
    halo_customer: {id: 11, name: "Acme Dental"}
"""


@pytest.mark.parametrize("typed", [None, "y\na\ny\n"], ids=["option", "terminal"])
def test_together_makes_a_combined_mapping_and_keeps_its_subscription(one: Bench, typed: str | None) -> None:
    options = ["--key", "infima-101", "--yes"] if typed is None else []
    answer = one.run("map", "102", "--customer", "11", *options, typed=typed)
    assert (answer.code, one.file.read_text(encoding="utf-8")) == (0, TOGETHER), answer.text
    row = json.loads(one.run("plan", "-o", "json").out)["resource_changes"][0]
    assert (row["address"], row["change"]["after"]["count"]) == ("halo_subscription.infima-101", 21)
    assert row["change"]["actions"] == ["update"]


def test_a_layout_that_cannot_be_edited_is_printed_to_be_written_by_hand(one: Bench) -> None:
    block = "infima_client:\n      id: 101\n      name: Acme Dental\n"
    text = ONE.replace('infima_client: {id: 101, name: "Acme Dental"}   # keep\n', block)
    one.file.write_text(text, encoding="utf-8")
    answer = one.run("map", "102", "--customer", "11", "--key", "infima-101", "--yes")
    assert one.file.read_text(encoding="utf-8") == text
    assert "Nothing was written" in answer.err
    assert yaml.safe_load(answer.out) == {
        "key": "infima-101",
        "infima_clients": [{"id": 101, "name": "Acme Dental"}, {"id": 102, "name": "Borealis Freight"}],
    }


def test_a_second_one_has_a_key_of_its_own_and_its_hold_is_told(one: Bench) -> None:
    answer = one.run("map", "102", "--customer", "11", typed="y\ns\ninfima-101\nacme-second\n")
    rows = yaml.safe_load(one.file.read_text(encoding="utf-8"))["mappings"]
    assert (answer.code, rows[-1]["key"]) == (0, "acme-second")
    assert "That key cannot be" in answer.err
    assert "--allow same-name:acme-second" in answer.err


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
        (["--yes"], "Name the INFIMA client"),
        (["102", "--ignore", "x", "--key", "k"], "go with --customer"),
        (["102", "--ignore", "x", "--subscription", "9010"], "go with --customer"),
        (["102", "--ignore", "x", "--yes"], "go with --customer"),
        (["--suggest", "102"], "is for all"),
        (["-o", "json"], "works only together with --suggest"),
        ([], "no terminal to ask on"),
        (["102", "--customer", "12", "--subscription", "9060"], "plain licence"),
        (["102", "--customer", "12", "--subscription", "9001"], "belongs to customer 11"),
        (["102", "--customer", "12", "--subscription", "5"], "does not know it"),
        (["102", "--customer", "12", "--subscription", "0"], "neither the id of a Subscription nor 'new'"),
        (["102", "--customer", "11", "--key", "infima-101", "--subscription", "new"], "does not go with"),
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


def talk(bench: Bench, *typed: str) -> Answer:
    """`map` on a terminal; the sure matches are answered with no."""
    return bench.run("map", typed="\n".join(["n", *typed]) + "\n")


def test_a_conversation(one: Bench) -> None:
    """Pick, search and pick, id with adoption, ignore, quit: each is written at once."""
    answer = talk(one, "a", "yes", "corvid", "a", "y", "14", "yes", "a", "ignore because left us", "y", "quit")
    assert answer.code == 0, answer.text
    assert entries(one) == [(101, 11, None), (102, 12, None), (103, 13, None), (104, 14, 9010)]
    assert "left us" in one.file.read_text(encoding="utf-8")
    assert one.file.read_text(encoding="utf-8").startswith(ONE)


def test_every_subscription_that_nobody_owns_is_shown_to_pick_from(one: Bench) -> None:
    one.world.add_licence(14, "Backup", 3, licence_id=9011)
    answer = talk(one, "skip", "skip", "a", "y", "z", "#9011", "quit")
    assert entries(one)[-1] == (104, 14, 9011)
    assert "a) adopt #9010 INFIMA Security Awareness Training: 13 (may be the one)" in answer.err
    assert "c) adopt #9011 Backup: 3\n" in answer.err


def test_one_client_is_asked_about_on_a_terminal(one: Bench) -> None:
    """The next step that the list of needs tells."""
    answer = one.run("map", "105", typed="a\ny\n")
    assert answer.code == 0
    assert "[1 of 1] INFIMA client Eastgate Homes (105)" in answer.err
    assert (105, 15, None) in entries(one)
    assert one.run("map", "106", typed="skip\n").code == 0
    assert "What is to become of 106?" in one.run("map", "106", "--yes", typed="a\n").err
    assert 106 not in [row[0] for row in entries(one)]


def test_sure_matches_are_shown_and_written_with_one_yes(one: Bench) -> None:
    """Not the one whose customer has a Subscription that nobody owns; and b takes all of them back."""
    one.world.customers[16]["name"] = "Fenwick Legal"
    answer = one.run("map", typed="y\nquit\n")
    assert "Corvid Labs (103) -> Corvid Labs (13)" in answer.err
    assert entries(one) == [(101, 11, None), (102, 12, None), (103, 13, None), (105, 15, None)]
    assert "[1 of 2] INFIMA client Dunmore School" in answer.err
    one.file.write_text(ONE, encoding="utf-8")
    answer = one.run("map", typed="y\nb\nquit\n")
    assert "Taken back: what was written for the sure matches" in answer.err
    assert one.file.read_text(encoding="utf-8") == ONE


def test_one_whose_key_is_taken_is_told_and_asked_and_the_others_are_mapped(one: Bench) -> None:
    """A customer's second mapping was given the key that another client's would get by default."""
    one.file.write_text(ONE.replace("- infima_client", "- key: infima-105\n    infima_client"), encoding="utf-8")
    answer = one.run("map", typed="y\nskip\na\ny\n\nquit\n")
    assert answer.code == 0, answer.text
    assert "Eastgate Homes (105) needs a key of its own, infima-105 is taken (mappings.yaml:" in answer.err
    assert "Map all 3?" in answer.err
    assert entries(one) == [(101, 11, None), (102, 12, None), (103, 13, None), (106, 16, None), (105, 15, None)]
    assert "  - key: infima-105-2\n    infima_client: {id: 105" in one.file.read_text(encoding="utf-8")


def test_the_sure_matches_can_be_left_by_quit(one: Bench) -> None:
    assert "[1 of" not in one.run("map", typed="quit\n").err
    assert one.file.read_text(encoding="utf-8") == ONE


def test_b_goes_back_byte_for_byte_and_asks_again(one: Bench) -> None:
    answer = talk(one, "b", "a", "y", "skip", "b", "b", "a", "y", "quit")
    assert "There is nothing before this one" in answer.err
    assert answer.err.count("[1 of 5] INFIMA client Borealis Freight") == 3
    assert answer.err.count("[2 of 5] INFIMA client Corvid Labs") == 3
    assert entries(one) == [(101, 11, None), (102, 12, None)]


def test_b_within_a_client_leads_back_to_its_customer(one: Bench) -> None:
    talk(one, "14", "y", "b", "11", "b", "11", "s", "b", "11", "a", "n", "quit")
    assert one.file.read_text(encoding="utf-8") == ONE


def test_what_somebody_else_wrote_meanwhile_is_not_taken_back(one: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    taking_back = MapSession.take_back

    def after_an_edit(session: MapSession, made: FileEdit) -> None:
        one.file.write_bytes(made.new + b"# mine\n")
        taking_back(session, made)

    monkeypatch.setattr(MapSession, "take_back", after_an_edit)
    answer = talk(one, "a", "y", "b")
    assert (answer.code, "changed in the meantime" in answer.err) == (1, True)
    assert one.file.read_text(encoding="utf-8").endswith("# mine\n")


def test_a_no_asks_again_and_the_end_of_input_is_quit(one: Bench) -> None:
    answer = talk(one, "a", "no")
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
    assert talk(one, typed, "quit").err.count(said) == (2 if said == "Answer with a letter" else 1)


def test_it_is_said_when_a_customer_is_billed_already(one: Bench) -> None:
    told = talk(one, "11", "b", "quit").err
    assert "Acme Dental (11) is mapped already" in told
    assert "together with Acme Dental (101) on one Subscription: the quantity of infima-101 is their sum" in told


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
