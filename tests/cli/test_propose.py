"""`reconciler propose`: what it prints, what it writes, and what it never touches."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import get_args

import jsonschema
import pytest

from reconciler.answers.proposals import Confidence, ProposalKind
from reconciler.config.checking import schema_text
from reconciler.render.proposals import ConfidenceName, KindName
from reconciler.state.directory import DirectoryState
from reconciler.state.recorded import Fate, Offer
from tests import plan_schema
from tests.cli.bench import Bench
from tests.state.samples import StillClock

ZEPHYR = (
    '\n  - infima_client: {id: 142, name: "Zephyr Cycles"}\n    halo_customer: {id: 71, name: "Zephyr Cycles Ltd"}\n'
)


@pytest.fixture
def one(bench: Bench) -> Bench:
    """A new client that is sure, one that is likely, one that is asked about."""
    world = bench.world
    world.add_client(142, "Zephyr Cycles", active=17)
    world.add_customer(71, "Zephyr Cycles Ltd")
    world.add_client(143, "Bakery Quarry", active=5)
    world.add_customer(72, "Quarry Bakery")
    world.add_client(144, "Nobody at all", active=4)
    return bench


def keys(answer: str) -> dict[str, str]:
    return {row["key"]: row["confidence"] for row in json.loads(answer)["proposals"]}


def test_it_prints_what_it_proposes_and_writes_nothing(one: Bench) -> None:
    before = one.file.read_bytes()
    answer = one.run("propose")
    assert answer.code == 0
    assert "Sure (1): reconciler propose --write makes these edits." in answer.out
    assert "  map-142  Map Zephyr Cycles (142) to Zephyr Cycles Ltd (71)\n" in answer.out
    assert "    Tonight: a new Subscription with the quantity 17\n" in answer.out
    assert "Likely (1): look at each" in answer.out
    assert "    Next: reconciler map 144\n" in answer.out
    assert "3 proposals: 1 sure, 1 likely, 1 ask." in answer.err
    assert (one.file.read_bytes(), one.writes()) == (before, 0)


def test_write_makes_the_sure_ones_and_the_next_one_is_without_them(one: Bench) -> None:
    before = one.file.read_text()
    answer = one.run("propose", "--write")
    assert one.file.read_text() == before + ZEPHYR.lstrip("\n")
    assert "Sure (1): written.\n" in answer.out
    assert answer.err.splitlines()[-1] == f"Wrote 1 proposal into {one.file.name}. Next: reconciler plan"
    assert keys(one.run("propose", "-o", "json").out) == {"map-143": "likely", "map-144": "ask"}
    assert one.run("validate").code == 0


def test_likely_ones_are_written_only_when_that_is_asked_for(one: Bench) -> None:
    one.run("propose", "--write", "--likely")
    assert keys(one.run("propose", "-o", "json").out) == {"map-144": "ask"}
    answer = one.run("propose", "--write", "--likely")
    assert answer.err.splitlines()[-1] == "Nothing was written: nothing is sure."


def test_a_key_is_written_whatever_its_confidence(one: Bench) -> None:
    answer = one.run("propose", "--write", "map-143", "map-143")
    assert keys(one.run("propose", "-o", "json").out) == {"map-142": "sure", "map-144": "ask"}
    assert "1 proposal: 0 sure, 1 likely, 0 ask." in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--write", "map-144"), "map-144: only a person can say what to write.\n  Next: reconciler map 144"),
        (("map-14",), "map-14 is not proposed.\n  Did you mean map-14"),
        (("--again", "map-142"), "--again map-142: nothing of that key was declined."),
        (("--write", "-o", "patch"), "contradict each other"),
        (("--likely",), "--likely goes with --write or with -o patch."),
        (("--snapshot", "nothing.json"), "nothing.json cannot be read"),
    ],
)
def test_wrong_use_is_told_and_writes_nothing(one: Bench, arguments: tuple[str, ...], said: str) -> None:
    before = one.file.read_bytes()
    answer = one.run("propose", *arguments)
    assert answer.code in {1, 64}
    assert said in answer.err
    assert one.file.read_bytes() == before


def test_a_problem_in_the_file_proposes_nothing_and_is_told(one: Bench) -> None:
    one.file.write_text(one.file.read_text() + "mapings: []\n")
    before = one.file.read_bytes()
    answer = one.run("propose", "--write", "-o", "json")
    assert (answer.code, json.loads(answer.out)["errored"]) == (1, True)
    assert "mapings" in answer.err
    assert (one.file.read_bytes(), one.world.requests) == (before, [])


def test_json_is_as_its_schema_says(one: Bench) -> None:
    assert schema_text("proposals.schema.json") == plan_schema.proposals_schema_text()
    schema = json.loads(schema_text("proposals.schema.json"))
    jsonschema.validate(json.loads(one.run("propose", "-o", "json").out), schema)
    written = json.loads(one.run("propose", "--write", "-o", "json").out)
    jsonschema.validate(written, schema)
    assert [row["key"] for row in written["proposals"] if row["written"]] == ["map-142"]


def test_the_schema_names_every_kind_and_confidence() -> None:
    assert list(get_args(ConfidenceName)) == [str(one) for one in Confidence]
    assert list(get_args(KindName)) == [str(one) for one in ProposalKind]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "# the end without a line break"])
def test_git_takes_the_patch(one: Bench, newline: str, end: str) -> None:
    one.file.write_bytes((one.file.read_text() + end).replace("\n", newline).encode())
    answer = one.run("propose", "--likely", "-o", "patch")
    subprocess.run(["git", "init", "-q", "."], cwd=one.folder, check=True)
    subprocess.run(["git", "apply"], cwd=one.folder, input=answer.out.encode(), check=True)
    assert keys(one.run("propose", "-o", "json").out) == {"map-144": "ask"}
    assert one.run("propose", "-o", "patch").out == ""


def test_a_snapshot_needs_no_network(one: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    one.run("plan", "--save-snapshot", "night.json")
    live = json.loads(one.run("propose", "-o", "json").out)
    for name in ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_URL", "INFIMA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    asked = len(one.world.requests)
    answer = one.run("propose", "--snapshot", "night.json", "-o", "json")
    assert json.loads(answer.out)["proposals"] == live["proposals"]
    assert len(one.world.requests) == asked
    assert "what is proposed is made from a snapshot of" in answer.err


def test_what_was_declined_is_listed_and_comes_back_when_it_is_asked_for(one: Bench) -> None:
    [row] = [each for each in json.loads(one.run("propose", "-o", "json").out)["proposals"] if each["key"] == "map-142"]
    offer = Offer(key="map-142", title="x", fate=Fate.DECLINED, since=datetime(2026, 11, 20, tzinfo=UTC))
    store = DirectoryState(one.folder / ".reconciler", clock=StillClock())
    store.record_offers(lambda offers: {**offers, row["fingerprint"]: offer}, message="declined")

    answer = one.run("propose", "--write")
    assert "Declined (1): not proposed again while they say the same." in answer.out
    assert "    Back with: reconciler propose --again map-142\n" in answer.out
    assert "map-142" not in keys(one.run("propose", "-o", "json").out)
    assert "Zephyr" not in one.file.read_text()

    assert keys(one.run("propose", "--again", "map-142", "-o", "json").out)["map-142"] == "sure"
    assert keys(one.run("propose", "-o", "json").out)["map-142"] == "sure"


def test_another_partners_systems_propose_nothing(one: Bench) -> None:
    one.run("apply", "--auto-approve")
    one.world.partner = "Another MSP"
    answer = one.run("propose", "--write")
    assert answer.code == 1
    assert "Another MSP" in answer.err
    assert "Zephyr" not in one.file.read_text()


def test_too_many_at_once_are_told_before_the_night_refuses_them(one: Bench) -> None:
    one.file.write_text(one.file.read_text() + "limits: {max_creates: 0}\n")
    answer = one.run("propose")
    assert "With these edits the next run would be refused by many-creates" in answer.err


HOSTILE = (
    'Zeph"yr\\ \n- infima_client: {id: 9}',
    "::error::stop \x1b[31mred",
    "<script>@everyone</script> #12 \u202e\u200b {a: b} # comment",
    "'; rm -rf / ; `id` $(id)",
    "\u2028Zephyr\u0000 \ud7ff",
    "- [x](http://evil.example) | cell | ``` ",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(bench: Bench, name: str) -> None:
    bench.world.add_client(142, name, active=17)
    bench.world.add_customer(71, name)
    before = bench.file.read_text()
    shown = bench.run("propose")
    assert "\x1b" not in shown.out
    assert not [line for line in shown.out.splitlines() if line.lstrip().startswith("::")]

    bench.run("propose", "--write", "map-142")
    after = bench.file.read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 2 + after.startswith(before + "\n")
    assert bench.run("validate").code == 0
    assert keys(bench.run("propose", "-o", "json").out) == {}


def test_every_command_that_is_told_works_when_it_is_pasted(one: Bench) -> None:
    world = one.world
    world.add_customer(73, "Zephyr Freight")  # a branch, perhaps
    world.customers[11]["name"] = "Acme Dental Group"
    world.add_client(145, "Borealis Freight", active=3)  # its customer is mapped already
    world.add_client(146, "Tidewater Yoga", active=9)
    world.add_customer(74, "Tidewater Yoga")
    world.add_licence(74, "Awareness training by hand", 2, licence_id=9300)
    world.add_licence(15, "INFIMA", 3, licence_id=9301, snowid="infima-500")

    told = {row["key"]: row["command"] for row in json.loads(one.run("propose", "-o", "json").out)["proposals"]}
    assert len(told) == 7
    for key, command in told.items():
        if command == "reconciler map 144":  # asks questions
            continue
        answer = one.run(*command.split()[1:])
        assert answer.code == 0, (command, answer.err)
        assert key not in keys(one.run("propose", "-o", "json").out), command


def test_the_command_for_what_only_a_person_can_say_shows_what_is_known(one: Bench) -> None:
    one.world.add_licence(15, "INFIMA", 3, licence_id=9301, snowid="infima-105")
    one.file.write_text(
        one.file.read_text().replace("  - infima_client: {id: 105", "  - key: eastgate\n    infima_client: {id: 105")
    )
    told = {row["key"]: row["command"] for row in json.loads(one.run("propose", "-o", "json").out)["proposals"]}
    answer = one.run(*told["unmanaged-9301"].split()[1:])
    assert answer.code == 0, answer.err
