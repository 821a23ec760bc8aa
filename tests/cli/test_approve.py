"""`approve`: an approval of what is held now, written into mappings.yaml and into nothing else."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.bench import Bench

KEY = "infima-101"
TODAY = datetime.now(UTC).date()
LAST = (TODAY + timedelta(days=10)).isoformat()


def approve(bench: Bench, *more: str, key: str = KEY, until: str = LAST) -> tuple[int, str]:
    answer = bench.run("approve", key, "--until", until, "--reason", "ticket 4711", *more)
    return answer.code, answer.text


def held(bench: Bench) -> dict[str, str]:
    rows = json.loads(bench.run("plan", "-o", "json").out)["resource_changes"]
    return {row["name"]: row["hold"]["rule"] for row in rows if row["hold"]}


@pytest.fixture
def emptied(bench: Bench) -> Bench:
    """A client of ten that has fallen to nobody: two rules hold it."""
    bench.world.users_become(101, 0)
    return bench


def test_it_writes_one_entry_for_each_rule_and_the_next_plan_lets_the_change_through(emptied: Bench) -> None:
    before = emptied.file.read_text(encoding="utf-8")
    assert held(emptied)[KEY] == "zero"
    code, text = approve(emptied)
    assert code == 0, text
    after = emptied.file.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert "  - rule: zero\n    key: infima-101\n    quantity: {from: 0, to: 0}\n" in after
    assert "  - rule: decrease\n" in after
    assert KEY not in held(emptied)
    assert emptied.writes() == 0


def test_the_diff_and_the_next_step_are_shown(emptied: Bench) -> None:
    _, text = approve(emptied)
    assert "+  - rule: zero" in text
    assert "commit it and open a pull request" in text


def test_bounds_can_be_given_and_an_earlier_approval_is_replaced(emptied: Bench) -> None:
    approve(emptied, "--from", "1", "--to", "3")
    assert held(emptied)[KEY] == "zero"
    code, text = approve(emptied, "--from", "0", "--to", "3")
    assert code == 0, text
    assert emptied.file.read_text(encoding="utf-8").count("rule: zero") == 1
    assert KEY not in held(emptied)


def test_remove_takes_out_exactly_what_was_written(emptied: Bench) -> None:
    before = emptied.file.read_bytes()
    approve(emptied)
    answer = emptied.run("approve", KEY, "--remove")
    assert answer.code == 0, answer.text
    assert emptied.file.read_bytes().rstrip() == before.rstrip()
    again = emptied.run("approve", KEY, "--remove")
    assert (again.code, "approves nothing of infima-101" in again.text) == (1, True)


def test_a_rule_about_the_whole_run_is_approved_by_its_name(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    bench.file.write_text(text.replace("version: 1\n", "version: 1\nlimits: {max_creates: 0}\n", 1), encoding="utf-8")
    assert bench.run("plan").code == 3
    code, told = approve(bench, "--up-to", "5", key="many-creates")
    assert code == 0, told
    assert bench.run("plan").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--until", "2020-01-01", "--reason", "r"], 64, "that day is over"),
        (["--until", "soon", "--reason", "r"], 64, "soon"),
        (["--reason", "r"], 64, "needs a last day"),
        (["--until", LAST], 64, "needs a reason"),
        (["--until", LAST, "--reason", "r", "--from", "5", "--to", "3"], 64, "--from 5 is above --to 3"),
        (["--until", LAST, "--reason", "r", "--up-to", "3"], 64, "is about one mapping"),
        (["--until", (TODAY + timedelta(days=120)).isoformat(), "--reason", "r"], 1, "more than 92 days ahead"),
    ],
)
def test_bad_input_writes_nothing(emptied: Bench, arguments: list[str], code: int, said: str) -> None:
    before = emptied.file.read_bytes()
    answer = emptied.run("approve", KEY, *arguments)
    assert (answer.code, said in answer.text) == (code, True), answer.text
    assert emptied.file.read_bytes() == before


def test_what_nothing_holds_and_what_cannot_be_approved_is_said(bench: Bench) -> None:
    code, text = approve(bench)
    assert (code, "Nothing holds infima-101" in text) == (1, True)
    code, text = approve(bench, key="infima-104")
    assert (code, "held by same-name, and that cannot be approved" in text) == (1, True)
    code, text = approve(bench, key="infima-1")
    assert (code, "no mapping with that key" in text) == (64, True)


def test_what_an_approval_let_through_is_told_in_every_drawing(emptied: Bench) -> None:
    approve(emptied)
    document = json.loads(emptied.run("plan", "-o", "json").out)
    [row] = [row for row in document["resource_changes"] if row["name"] == KEY]
    assert row["approval"]["reason"] == "ticket 4711"
    assert (row["approval"]["quantity_from"], row["approval"]["quantity_to"], row["approval"]["until"]) == (0, 0, LAST)
    assert {(a["rule"], a["key"]) for a in document["allowances"]} == {("zero", KEY), ("decrease", KEY)}
    for output in ("text", "markdown"):
        text = emptied.run("plan", "-o", output).out.replace("\n", " ").replace("  ", " ")
        assert f"Approved 0 to 0 until {LAST}" in text.replace("\\", ""), text
        assert "ticket 4711" in text


def test_who_brought_an_approval_in_is_told_from_git(emptied: Bench) -> None:
    def git(*arguments: str) -> None:
        named = ("-c", "user.name=Ada Example", "-c", "user.email=ada@acme.example")
        subprocess.run(["git", *named, *arguments], cwd=emptied.folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", "mappings.yaml")
    git("commit", "-qm", "Mappings")
    approve(emptied)
    assert "approved_by" not in approval_of(emptied), "not yet committed"
    git("commit", "-qam", "An approval")
    assert approval_of(emptied)["approved_by"].startswith("Ada Example, commit ")
    emptied.run("apply", "--auto-approve", "--only", KEY)
    told = json.loads(emptied.run("history", KEY, "-o", "json").out)["changes"][0]
    assert {one["reason"] for one in told["lifted"]} == {"ticket 4711"}
    assert all(one["by"].startswith("an approval in mappings.yaml (Ada Example, commit ") for one in told["lifted"])


def approval_of(bench: Bench) -> dict[str, str]:
    rows = json.loads(bench.run("plan", "-o", "json").out)["resource_changes"]
    [approval] = [row["approval"] for row in rows if row["name"] == KEY]
    return dict(approval)
