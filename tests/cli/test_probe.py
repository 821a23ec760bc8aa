"""`probe`: it asks first, refuses who is billed, writes the answers, and `simulate --probe` behaves as they say."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from reconciler.cli.signals import Stopper
from reconciler.config.checking import schema_problems, schema_text
from reconciler.probing.report import Report
from reconciler.simulator.switches import Switches
from tests import plan_schema
from tests.cli.bench import Bench

THROWAWAY = 99


@pytest.fixture
def halo(bench: Bench) -> Bench:
    bench.world.add_customer(THROWAWAY, "Throw-away Ltd")
    return bench


def test_the_answers_are_written_told_and_remembered(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes")
    assert answer.code == 0
    assert "HaloPSA customer 99: Throw-away Ltd" in answer.err
    assert "sends at most 60 requests" in answer.err
    assert "No answer contradicts what reconciler assumes" in answer.out
    made = [row for row in halo.world.licences.values() if row["client_id"] == THROWAWAY and row["type"] == 1]
    probes = [row for row in made if row["name"].startswith("reconciler probe, may be deleted (")]
    assert len(probes) == 3
    assert all(row["count"] == 0 for row in probes)
    assert all(f"#{row['id']}  {row['name']}  quantity 0" in answer.out for row in probes)
    report = msgspec.json.decode((halo.folder / "probe.json").read_bytes(), type=Report)
    assert (report.made, report.ended_at_zero, report.unfit) == (3, True, {})
    assert "probe: customer 99" in halo.run("history").out


def test_the_file_keeps_its_schema_which_is_made_of_the_types(halo: Bench) -> None:
    halo.run("probe", "--customer", str(THROWAWAY), "--yes", "--out", "halo.json")
    document = json.loads((halo.folder / "halo.json").read_text())
    assert schema_problems(document, "probe.schema.json") == []
    assert schema_text("probe.schema.json") == plan_schema.probe_schema_text()


@pytest.mark.parametrize("word", ["no", "y", ""])
def test_it_asks_first_and_writes_nothing_without_a_plain_yes(halo: Bench, word: str) -> None:
    answer = halo.run("probe", "--customer", str(THROWAWAY), typed=f"{word}\n")
    assert answer.code == 1
    assert "Nothing was written to HaloPSA." in answer.err
    assert not [each for each in halo.world.requests if each.mutating]
    assert not (halo.folder / "probe.json").exists()


def test_without_a_terminal_it_names_the_option(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", str(THROWAWAY))
    assert (answer.code, "Add --yes." in answer.err) == (64, True)
    assert not halo.world.requests


def test_a_customer_with_a_mapping_is_refused_before_any_request(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", "12", "--yes")
    assert answer.code == 1
    assert "Customer 12 has a mapping (infima-102)" in answer.err
    assert not halo.world.requests


def test_a_customer_whose_subscription_is_remembered_is_refused(halo: Bench) -> None:
    (halo.folder / "mappings.yaml").write_text("version: 1\nmappings: []\n")
    answer = halo.run("probe", "--customer", "12", "--yes")
    assert answer.code == 1
    assert "has a mapping" in answer.err


def test_a_customer_that_does_not_exist_is_told_with_how_to_find_one(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", "4711", "--yes")
    assert answer.code == 1
    assert "HaloPSA knows no customer 4711." in answer.err
    assert "reconciler customers" in answer.err


def test_infima_is_not_needed(halo: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFIMA_API_KEY", raising=False)
    assert halo.run("probe", "--customer", str(THROWAWAY), "--yes").code == 0


def test_a_halo_that_resets_members_ends_with_3_and_says_why(halo: Bench) -> None:
    halo.world.switches = Switches(update_mode="reset")
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes")
    assert answer.code == 3
    assert "Do not use apply: an update of the quantity changes billing_cycle" in answer.out


def test_ctrl_c_ends_the_questions_and_everything_still_stands_at_0(
    halo: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_to_stop(_stopper: Stopper) -> bool:
        return any(str(row["name"]).startswith("reconciler probe") for row in halo.world.licences.values())

    monkeypatch.setattr(Stopper, "stopping", asked_to_stop)
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes")
    assert answer.code == 130
    assert "questions stay open" in answer.out
    assert "quantity 0" in answer.out
    assert (halo.folder / "probe.json").exists()


def test_a_marker_that_is_lost_says_what_to_write_into_the_file(halo: Bench) -> None:
    halo.world.switches = Switches(marker="dropped", marker_fields=("snowid",))
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes")
    assert "settings: {marker_field: third_party_productid}" in answer.out


def test_a_folder_that_does_not_exist_is_told_before_anything_is_sent(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes", "--out", "nowhere/probe.json")
    assert answer.code == 64
    assert not halo.world.requests


def test_the_simulator_behaves_as_the_report_says(halo: Bench) -> None:
    halo.world.switches = Switches(update_requires="client", lag_seconds=1, equal_creates="refuse")
    assert halo.run("probe", "--customer", str(THROWAWAY), "--yes").code == 0
    answer = halo.run("simulate", "--probe", "probe.json", "--write-world", "world.json")
    assert answer.code == 0
    written = Switches.from_json(json.loads((halo.folder / "world.json").read_text())["switches"])
    assert written.update_requires == "client"
    assert written.equal_creates == "refuse"
    assert written.lag_seconds >= 1
    assert "update_requires=client" in answer.err


@pytest.mark.parametrize(("content", "said"), [("{}", "is not a probe's report"), ("{", "is not JSON")])
def test_what_is_no_report_is_told(halo: Bench, content: str, said: str) -> None:
    Path(halo.folder / "p.json").write_text(content)
    answer = halo.run("simulate", "--probe", "p.json", "--for", "0.1")
    assert answer.code == 64
    assert said in answer.err


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("page-rows", -5),
        ("record-count", "nonsense"),
        ("token-lifetime", {"sec": 1}),
        ("create-listed", {"listings": 3, "seconds": -1}),
        ("create-listed", {"listings": 3}),
    ],
)
def test_an_edited_report_is_refused_by_the_simulator_in_words(halo: Bench, question: str, value: object) -> None:
    halo.run("probe", "--customer", str(THROWAWAY), "--yes")
    file = halo.folder / "probe.json"
    report = json.loads(file.read_text())
    next(one for one in report["findings"] if one["question"] == question)["value"] = value
    file.write_text(json.dumps(report))
    answer = halo.run("simulate", "--probe", "probe.json", "--write-world", "world.json")
    assert answer.code == 64
    assert "holds a value that no probe writes" in answer.err
    assert not (halo.folder / "world.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_a_full_disk_does_not_lose_the_answers_and_says_where_they_are(halo: Bench) -> None:
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes", "--out", "/dev/full")
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert "The answers are in the state: reconciler doctor shows them" in answer.err
    assert "quantity 0" in answer.out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_what_may_not_stand_at_0_weighs_more_than_a_full_disk(halo: Bench) -> None:
    halo.world.switches = Switches(count_zero="refuse")
    answer = halo.run("probe", "--customer", str(THROWAWAY), "--yes", "--out", "/dev/full")
    assert answer.code == 4
    assert "No space left on device" in answer.err
    assert "Wrote" not in answer.err
