"""`apply` as a person and as a nightly job run it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from reconciler.clock import SystemClock
from reconciler.model import RunId
from reconciler.state.base import RunInfo
from reconciler.state.places import open_state
from tests.cli.bench import Bench
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.faults.server import FaultyServer

READY = ("--exclude", "infima-104")


def test_it_creates_counts_and_says_what_is_left_to_do(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve", *READY)
    assert answer.code == 0
    assert "Apply complete! 2 created, 0 updated, 3 unchanged." in answer.out
    assert "recurring invoice" in answer.out
    assert "Eastgate Homes" in answer.out
    counts = {row.get("snowid"): row["count"] for row in bench.world.live_subscriptions()}
    assert (counts["infima-105"], counts["infima-106"]) == (14, 15)


def test_an_apply_that_asks_nobody_prints_each_row_once_with_the_new_id(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve", *READY)
    new = {
        str(row["id"]) for row in bench.world.live_subscriptions() if row.get("snowid") in {"infima-105", "infima-106"}
    }
    rows = [line for line in answer.out.splitlines() if "infima-105" in line or "infima-106" in line]
    assert len(rows) == 2
    assert {number for number in new if any(f"#{number} " in row for row in rows)} == new
    assert "attach the 2 Subscriptions created above to a recurring invoice" in " ".join(answer.out.split())


def test_an_apply_that_asks_shows_the_plan_before_the_question(bench: Bench) -> None:
    answer = bench.run("apply", *READY, typed="yes\n")
    assert sum("infima-105" in line for line in answer.out.splitlines()) == 2


def test_what_happens_otherwise_than_planned_is_told_though_the_plan_was_not(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json", *READY)
    bench.world.users_join(106, 1)
    answer = bench.run("apply", "tonight.json", "--auto-approve", *READY)
    assert re.search(r"! stale .*\n? *.*infima-106", answer.out)
    assert "new quantity 15 -> 16" in answer.out


def test_a_second_run_writes_nothing(bench: Bench) -> None:
    bench.run("apply", "--auto-approve", *READY)
    before = bench.writes()
    answer = bench.run("apply", "--auto-approve", *READY)
    assert (answer.code, bench.writes()) == (0, before)
    assert "0 created, 0 updated, 5 unchanged" in answer.out


def test_a_row_that_the_saved_plan_does_not_have_is_not_written(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json", *READY)
    bench.world.users_join(102, 1)
    answer = bench.run("apply", "tonight.json", "--auto-approve", *READY)
    assert answer.code == 3
    assert "1 stale" in answer.out
    assert bench.world.licences[9002]["count"] == 11


def test_terraform_tells_what_was_done_and_what_was_held(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve", "-o", "terraform")
    document = json.loads(answer.out)
    done = {row["name"]: row["change"] for row in document["resource_changes"]}
    assert (answer.code, answer.out.count("\n")) == (3, 1)
    assert (done["infima-105"]["actions"], done["infima-105"]["after_unknown"]) == (["create"], {})
    assert [row["resource_change"]["name"] for row in document["deferred_changes"]] == ["infima-104"]
    assert (document["applyable"], document["complete"], document["errored"]) == (False, False, False)


def test_a_hold_exits_with_3_and_the_rest_is_written(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve")
    assert answer.code == 3
    assert "2 created" in answer.out
    assert "1 held" in answer.out


def test_without_a_terminal_it_names_the_option(bench: Bench) -> None:
    answer = bench.run("apply")
    assert answer.code == 64
    assert "--auto-approve" in answer.err
    assert bench.world.requests == []


@pytest.mark.parametrize("typed", ["no\n", "y\n", "Yes\n", "\n"])
def test_only_yes_is_accepted(bench: Bench, typed: str) -> None:
    answer = bench.run("apply", *READY, typed=typed)
    assert answer.code == 1
    assert "Only 'yes' will be accepted" in answer.text
    assert "Apply cancelled" in answer.text
    assert bench.writes() == 0


def test_yes_is_accepted_and_a_new_listing_follows_it(bench: Bench) -> None:
    answer = bench.run("apply", *READY, typed="yes\n")
    assert answer.code == 0
    methods = [r.method for r in bench.world.requests if r.path.endswith("/SoftwareLicence")]
    assert methods.index("POST") >= 2


def test_an_edit_while_a_person_thinks_is_not_overwritten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.world.users_join(101, 2)

    def answer_slowly(*_: object, **__: object) -> str:
        bench.world.person_sets_count(9001, 11)
        return "yes"

    monkeypatch.setattr("click.prompt", answer_slowly)
    answer = bench.run("apply", "--only", "infima-101", typed="")
    assert answer.code == 3
    assert "count 10 -> 11" in answer.out
    assert bench.world.licences[9001]["count"] == 11


def test_a_saved_plan_performs_what_stands_in_both(bench: Bench) -> None:
    bench.world.users_join(101, 2)
    bench.run("plan", "--out", "tonight.json", *READY)
    bench.world.users_join(101, 1)
    answer = bench.run("apply", "tonight.json", "--auto-approve", *READY)
    assert answer.code == 3
    assert "1 stale; 2 created" in answer.out
    assert re.search(r"new quantity 12\s+->\s+13", answer.out)
    assert bench.world.licences[9001]["count"] == 10


def test_a_saved_plan_applied_twice_does_nothing_the_second_time(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json", *READY)
    bench.run("apply", "tonight.json", "--auto-approve", *READY)
    before = bench.writes()
    assert bench.run("apply", "tonight.json", "--auto-approve", *READY).code == 0
    assert bench.writes() == before


def test_a_saved_plan_of_another_mappings_file_is_refused(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json")
    bench.file.write_text(bench.file.read_text() + "# an edit\n")
    answer = bench.run("apply", "tonight.json", "--auto-approve")
    assert answer.code == 1
    assert "another mappings.yaml" in answer.err
    assert bench.writes() == 0


def test_a_saved_plan_fits_the_same_file_with_other_line_ends(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json")
    bench.file.write_bytes(b"\xef\xbb\xbf" + bench.file.read_bytes().replace(b"\n", b"\r\n"))
    answer = bench.run("apply", "tonight.json", "--auto-approve")
    assert "another mappings.yaml" not in answer.err
    assert bench.writes()


def test_a_saved_plan_gets_too_old(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json")
    saved = bench.folder / "tonight.json"
    saved.write_text(re.sub(r'"timestamp": "2[0-9]{3}', '"timestamp": "2001', saved.read_text()))
    answer = bench.run("apply", "tonight.json", "--auto-approve")
    assert answer.code == 1
    assert "hours old" in answer.err
    assert bench.writes() == 0


def test_json_gives_one_document_with_an_outcome_for_each_change(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve", "-o", "json")
    document = json.loads(answer.out)
    outcomes = {row["name"]: row["outcome"] for row in document["resource_changes"]}
    assert outcomes == {
        "infima-101": "unchanged",
        "infima-102": "unchanged",
        "infima-103": "unchanged",
        "infima-104": "held",
        "infima-105": "applied",
        "infima-106": "applied",
    }
    assert document["run"]["exit_code"] == answer.code == 3


@pytest.mark.parametrize("option", [("--state", "directory:kept"), ()])
def test_creates_in_ci_are_held_unless_the_state_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    held = bench.run("apply", "--auto-approve", *READY)
    assert (held.code, bench.writes()) == (3, 0)
    assert "state-not-durable" in held.out
    (bench.folder / ".reconciler").rename(bench.folder / "kept")
    if not option:
        monkeypatch.setenv("RECONCILER_STATE", "kept")
    kept = bench.run(*option, "apply", "--auto-approve", *READY)
    assert (kept.code, "2 created" in kept.out) == (0, True)


def test_a_second_run_at_once_is_told_who_holds_the_lock(bench: Bench) -> None:
    clock = SystemClock()
    store = open_state(None, mappings_path=bench.file, clock=clock, environ={})
    with store.open_run(RunInfo(id=RunId("other"), command="apply", started_at=clock.now())):
        answer = bench.run("apply", "--auto-approve")
    assert answer.code == 1
    assert str(os.getpid()) in answer.err
    assert bench.writes() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_reading_ends_at_once_with_130(bench: Bench, number: signal.Signals) -> None:
    slow = Faults([Fault(kind=FaultKind.SLOW_BODY, at="halo.customers", times=9)])
    with FaultyServer(bench.world, faults=slow) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "-o", "json"],
            env={**os.environ, **server.environment()},
            cwd=bench.folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 20
        while not any(r.path.endswith("/Client") for r in bench.world.requests) and time.monotonic() < deadline:
            time.sleep(0.05)
        started = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    assert "nothing was changed" in err
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert bench.writes() == 0


def test_a_create_that_a_later_run_finishes_still_names_its_next_step(bench: Bench) -> None:
    refuse = Faults(
        [Fault(kind=FaultKind.BAD_REQUEST, at="halo.write", nth=3, times=7)]
    )  # the batch, then both rows in each form
    with FaultyServer(bench.world, faults=refuse) as server:
        environment = {**os.environ, **server.environment()}
        words = [sys.executable, "-m", "reconciler", "apply", "--auto-approve", "-q", *READY]
        first, second = (
            subprocess.run(words, env=environment, cwd=bench.folder, capture_output=True, text=True, check=False)
            for _ in range(2)
        )
    assert first.returncode == 4, first.stdout
    assert second.returncode == 0, second.stdout
    assert "attach" in second.stdout


def test_an_answer_without_a_body_stops_nothing(bench: Bench) -> None:
    bench.world.switches = replace(bench.world.switches, post_shape="empty")
    for client in range(120, 126):
        bench.world.add_client(client, f"Client {client}", active=client)
        bench.world.add_customer(client, f"Client {client}")
        with bench.file.open("a") as file:
            file.write(
                f'  - infima_client: {{id: {client}, name: "Client {client}"}}\n'
                f'    halo_customer: {{id: {client}, name: "Client {client}"}}\n'
            )
    answer = bench.run("apply", "--auto-approve", *READY)
    assert answer.code == 0, answer.out
    assert "8 created" in answer.out


def test_a_warning_of_halo_is_shown_and_is_no_success(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.world.users_join(101, 2)
    warn = Faults([Fault(kind=FaultKind.WARNING, at="halo.write", times=1)])
    with FaultyServer(bench.world, faults=warn) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        answer = bench.run("apply", "--auto-approve", "--only", "infima-101")
    assert answer.code == 4
    assert "HaloPSA warns" in answer.out
    assert bench.world.licences[9001]["count"] == 12


def test_selecting_nothing_is_a_usage_error(bench: Bench) -> None:
    answer = bench.run("apply", "--auto-approve", "--only", "infima-101", "--exclude", "infima-101")
    assert answer.code == 64
    assert "leave no mapping over" in answer.err


def test_a_saved_plan_from_the_future_is_refused(bench: Bench) -> None:
    bench.run("plan", "--out", "tonight.json")
    saved = bench.folder / "tonight.json"
    saved.write_text(re.sub(r'"timestamp": "2[0-9]{3}', '"timestamp": "2091', saved.read_text()))
    answer = bench.run("apply", "tonight.json", "--auto-approve")
    assert answer.code == 1
    assert "future" in answer.err


@pytest.mark.parametrize(("redirection", "code"), [(">&-", 1), (">/dev/full", 1), ("2>&-", 0), ("2>/dev/full", 0)])
def test_broken_streams_are_told_by_the_exit_code_alone(bench: Bench, redirection: str, code: int) -> None:
    line = f"exec {sys.executable} -m reconciler apply --auto-approve {' '.join(READY)} {redirection}"
    done = subprocess.run(["sh", "-c", line], cwd=bench.folder, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert {row.get("snowid"): row["count"] for row in bench.world.live_subscriptions()}["infima-105"] == 14
