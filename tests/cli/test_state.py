"""`state show` and `state move`."""

from __future__ import annotations

import json

from tests.cli.bench import Bench


def test_show_tells_what_is_remembered_without_any_request(bench: Bench) -> None:
    answer = bench.run("state", "show")
    assert answer.code == 0
    assert "infima-101: Subscription 9001 of customer 11, created" in answer.out
    document = json.loads(bench.run("state", "show", "-o", "json").out)
    assert [(row["key"], row["subscription_id"]) for row in document["bindings"]] == [
        ("infima-101", 9001),
        ("infima-102", 9002),
        ("infima-103", 9003),
    ]
    assert document["new"] is False
    assert bench.world.requests == []


def test_a_place_that_does_not_exist_is_said_to_be_new_by_show_plan_and_apply(bench: Bench) -> None:
    assert "It is new" in bench.run("--state", "directory:typo", "state", "show").out
    planned = bench.run("--state", "directory:typo", "plan")
    assert "the state in directory typo is new: nothing is remembered there yet" in planned.out
    assert "state-lost" in planned.out
    assert "is new" in bench.run("--state", "directory:typo", "apply", "--auto-approve").out
    assert "is new" not in bench.run("--state", "directory:typo", "plan").out
    assert "is new" not in bench.run("plan").out


def test_move_asks_and_tells_what_to_do_next(bench: Bench) -> None:
    assert bench.run("state", "move", "--to", "directory:kept").code == 64
    assert bench.run("state", "move", "--to", "directory:kept", typed="\n").code == 1
    moved = bench.run("state", "move", "--to", "directory:kept", typed="y\n")
    assert (moved.code, "set RECONCILER_STATE=directory:" in moved.out) == (0, True)
    refused = bench.run("plan")
    assert (refused.code, "was moved to directory:" in refused.err) == (1, True)
    assert bench.run("apply", "--auto-approve").code == 1
    assert bench.writes() == 0
    assert bench.run("--state", "directory:kept", "plan").code == 0
    assert "is refused here" in bench.run("state", "show").out


def test_move_back_is_the_same_command_the_other_way_round(bench: Bench) -> None:
    bench.run("state", "move", "--to", "directory:kept", "--yes")
    assert bench.run("--state", "directory:kept", "state", "move", "--to", "directory:.reconciler", "--yes").code == 0
    assert bench.run("plan").code == 0
    assert bench.run("--state", "directory:kept", "plan").code == 1
