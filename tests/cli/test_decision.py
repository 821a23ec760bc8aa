"""`adopt` and `resolve`: a person decides on live facts; the state is written, HaloPSA never."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.cli import decision
from reconciler.clock import SystemClock
from reconciler.model import HaloCustomerId, MappingKey, RunId, SubscriptionId
from reconciler.providers.halopsa import HaloTarget
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from reconciler.state.recorded import Binding, BindingOrigin
from tests.cli.bench import Bench
from tests.core import build_attempt, build_info
from tests.stage import TEMPLATE

KEY = MappingKey("infima-104")

OPEN = MappingKey("infima-105")
"""The mapping whose create got no answer."""


def state(bench: Bench) -> DirectoryState:
    return DirectoryState(bench.folder / ".reconciler", clock=SystemClock())


def test_adopt_binds_what_a_person_made_and_the_next_plan_updates_it(bench: Bench) -> None:
    held = json.loads(bench.run("plan", "-o", "json", "--only", KEY).out)
    assert held["resource_changes"][0]["hold"]["rule"] == "same-name"
    answer = bench.run("adopt", KEY, "9010", "--reason", "made by hand", "--yes")
    assert answer.code == 0, answer.text
    binding = state(bench).read().bindings[KEY]
    assert (binding.subscription_id, binding.origin, binding.customer_id) == (9010, BindingOrigin.ADOPTED, 14)
    after = json.loads(bench.run("plan", "-o", "json", "--only", KEY).out)
    assert after["resource_changes"][0]["change"]["before"]["id"] == 9010


def test_adopt_writes_nothing_to_halo(bench: Bench) -> None:
    bench.run("adopt", KEY, "9010", "--reason", "made by hand", "--yes")
    assert bench.writes() == 0


def test_adopt_stands_in_the_history_with_its_reason_and_is_no_good_run(bench: Bench) -> None:
    bench.run("adopt", KEY, "9010", "--reason", "made by hand", "--yes")
    [past] = state(bench).history.changes_of(KEY)
    assert (past.change.action, past.change.message) == ("adopt", "made by hand")
    assert state(bench).read().last_good_run is None


def test_adopt_asks_on_a_terminal_and_takes_only_yes(bench: Bench) -> None:
    assert bench.run("adopt", KEY, "9010", "--reason", "r", typed="y\n").code == 1
    assert KEY not in state(bench).read().bindings
    assert bench.run("adopt", KEY, "9010", "--reason", "r", typed="yes\n").code == 0
    assert KEY in state(bench).read().bindings


def test_adopt_shows_what_it_saw(bench: Bench) -> None:
    out = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes").out
    assert "Subscription 9010 'INFIMA Security Awareness Training', quantity 13" in out
    assert "Dunmore School" in out


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (7777, "HaloPSA does not know Subscription 7777"),
        (9060, "is a plain licence"),
        (9001, "belongs to customer 11"),
        (9050, "belongs to customer 99"),
    ],
)
def test_adopt_refuses_what_is_not_the_mappings_own(bench: Bench, number: int, said: str) -> None:
    answer = bench.run("adopt", KEY, str(number), "--reason", "r", "--yes")
    assert answer.code == 1
    assert said in answer.err
    assert KEY not in state(bench).read().bindings


def test_adopt_refuses_an_inactive_subscription(bench: Bench) -> None:
    bench.world.person_deactivates(9010)
    assert "is inactive in HaloPSA" in bench.run("adopt", KEY, "9010", "--reason", "r", "--yes").err


def test_adopt_refuses_what_another_mapping_has(bench: Bench) -> None:
    bench.world.person_moves(9001, 14)
    answer = bench.run("adopt", KEY, "9001", "--reason", "r", "--yes")
    assert answer.code == 1
    assert "belongs to mapping infima-101" in answer.err


def test_adopt_refuses_against_the_file(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    mark = 'halo_customer: {id: 14, name: "Dunmore School"}\n'
    bench.file.write_text(text.replace(mark, mark + "    subscription_id: 9777\n"), encoding="utf-8")
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert "mappings.yaml says subscription_id: 9777" in answer.err


def test_adopting_twice_is_said_and_refused(bench: Bench) -> None:
    bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert "is bound to Subscription 9010 already" in bench.run("adopt", KEY, "9010", "--reason", "r", "--yes").err


def test_adopt_decides_between_two_that_carry_the_marker(bench: Bench) -> None:
    second = bench.world.person_creates(11, "INFIMA again", 3, snowid="infima-101")
    answer = bench.run("adopt", "infima-101", "9001", "--reason", "r", "--yes")
    assert f"Subscription {second} is given up: it stays as it is with quantity 3" in answer.out
    planned = json.loads(bench.run("plan", "-o", "json", "--only", "infima-101").out)
    assert planned["resource_changes"][0]["hold"] is None
    assert [row["id"] for row in planned["unmanaged_subscriptions"]] == [second]


def test_adopt_takes_over_from_a_key_that_left_the_file(bench: Bench) -> None:
    bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    text = bench.file.read_text(encoding="utf-8")
    bench.file.write_text(text.replace("- infima_client: {id: 104", "- key: dunmore\n    infima_client: {id: 104"))
    answer = bench.run("adopt", "dunmore", "9010", "--reason", "r", "--yes")
    assert "The binding of key infima-104" in answer.out
    assert [b.key for b in state(bench).read().bindings.values() if b.subscription_id == 9010] == ["dunmore"]


@pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
def test_adopt_needs_a_reason(bench: Bench, reason: list[str]) -> None:
    answer = bench.run("adopt", KEY, "9010", "--yes", *reason)
    assert (answer.code, "needs a reason" in answer.err) == (64, True)


def test_adopt_without_a_terminal_names_the_option(bench: Bench) -> None:
    answer = bench.run("adopt", KEY, "9010", "--reason", "r")
    assert (answer.code, "--yes" in answer.err) == (64, True)


def test_adopt_suggests_the_key_that_was_meant(bench: Bench) -> None:
    answer = bench.run("adopt", "infima-1O4", "9010", "--reason", "r", "--yes")
    assert (answer.code, "Did you mean infima-104?" in answer.err) == (64, True)


def test_adopt_refuses_the_state_of_another_halo(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run("apply", "--auto-approve", "--only", "infima-101")
    monkeypatch.setenv("HALO_URL", bench.halo_url.replace("127.0.0.1", "localhost"))
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert (answer.code, "This state belongs to" in answer.err) == (1, True)


def test_a_state_that_changed_meanwhile_is_looked_at_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else adopts the same Subscription for another key while a person thinks."""

    def meanwhile(_edit: object) -> bool:
        with state(bench).open_run(RunInfo(id=RunId("other"), command="adopt", started_at=datetime.now(UTC))) as run:
            binding = Binding(
                key=KEY, subscription_id=SubscriptionId(9777), customer_id=HaloCustomerId(14),
                origin=BindingOrigin.ADOPTED, bound_at=datetime.now(UTC),
            )  # fmt: skip
            run.record_bindings([binding])
        return True

    monkeypatch.setattr(decision, "_confirmed", meanwhile)
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", typed="")
    assert (answer.code, "The state changed while you were deciding" in answer.err) == (1, True)
    assert state(bench).read().bindings[KEY].subscription_id == 9777


# --- mappings.yaml ---------------------------------------------------------------------------------------------------


def test_adopt_writes_the_id_into_the_file_and_disturbs_no_byte_of_the_rest(bench: Bench) -> None:
    before = bench.file.read_bytes()
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert "Written into mappings.yaml: subscription_id: 9010." in answer.out
    new = bench.file.read_bytes()
    assert new.replace(b"    subscription_id: 9010\n", b"", 1) == before
    assert bench.run("validate").code == 0


def test_an_adoption_survives_the_loss_of_the_state(bench: Bench) -> None:
    bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    shutil.rmtree(bench.folder / ".reconciler")
    [row] = json.loads(bench.run("plan", "-o", "json", "--only", KEY).out)["resource_changes"]
    assert (row["change"]["before"]["id"], row["hold"]) == (9010, None)


def test_what_was_given_up_is_not_taken_back_after_a_loss(bench: Bench) -> None:
    bench.world.add_licence(11, "Awareness training", 7, licence_id=9100)
    assert bench.run("adopt", "infima-101", "9100", "--reason", "the one on the invoice", "--yes").code == 0
    shutil.rmtree(bench.folder / ".reconciler")
    [row] = json.loads(bench.run("plan", "-o", "json", "--only", "infima-101").out)["resource_changes"]
    assert row["hold"]["rule"] == "identity-conflict"
    assert "9100" in row["hold"]["message"]
    assert "9001" in row["hold"]["message"]


def test_a_patch_is_all_of_stdout_and_applies(bench: Bench) -> None:
    before = bench.file.read_bytes()
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes", "-o", "patch")
    assert (answer.code, bench.file.read_bytes()) == (0, before)
    assert answer.out.startswith("--- a/mappings.yaml\n+++ b/mappings.yaml\n")
    assert "What follows:" in answer.err
    assert state(bench).read().bindings[KEY].subscription_id == 9010
    applied = subprocess.run(["git", "apply"], cwd=bench.folder, input=answer.out.encode(), check=False)
    assert applied.returncode == 0
    assert b"    subscription_id: 9010\n" in bench.file.read_bytes()


def test_in_ci_the_patch_is_printed_instead_of_an_edit_that_dies_with_the_job(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    before = bench.file.read_bytes()
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert (answer.code, bench.file.read_bytes()) == (0, before)
    assert "+    subscription_id: 9010\n" in answer.out


def test_a_binding_from_before_gets_its_line(bench: Bench) -> None:
    """Adopted by an older version: the state knows it, the file does not."""
    bench.run("adopt", KEY, "9010", "--reason", "r", "--yes", "-o", "patch")
    answer = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert (answer.code, b"subscription_id: 9010" in bench.file.read_bytes()) == (0, True)
    again = bench.run("adopt", KEY, "9010", "--reason", "r", "--yes")
    assert (again.code, "bound to Subscription 9010 already" in again.err) == (1, True)


def test_a_file_that_cannot_be_edited_is_told_before_anything_is_recorded(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    bench.file.write_text(text.replace("mappings:", "mappings: &all"), encoding="utf-8")
    assert bench.run("adopt", KEY, "9010", "--reason", "r", "--yes").code == 1
    assert KEY not in state(bench).read().bindings


# --- resolve ---------------------------------------------------------------------------------------------------------


def leave_attempt(bench: Bench, *, hours: int = 1) -> None:
    """As a run leaves it whose create got no answer."""
    recorded_at = datetime.now(UTC) - timedelta(hours=hours)
    attempt = build_attempt(OPEN, nonce="nonce-7", run="run-7", customer=15, age=timedelta(), now=recorded_at)
    with state(bench).open_run(build_info("run-7", recorded_at)) as run:
        run.record_attempts([attempt])


def resolve(bench: Bench, *options: str, key: str = OPEN) -> tuple[int, str]:
    answer = bench.run("resolve", key, *options, "--reason", "looked in HaloPSA", "--yes")
    return answer.code, answer.text


def test_abandon_forgets_the_attempt_so_that_the_next_apply_creates(bench: Bench) -> None:
    leave_attempt(bench)
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 3
    code, text = resolve(bench, "--abandon")
    assert code == 0, text
    assert state(bench).read().attempts == {}
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 0
    assert [row["snowid"] for row in bench.world.live_subscriptions() if row.get("snowid") == OPEN] == [OPEN]


def test_abandon_warns_of_a_young_attempt_only(bench: Bench) -> None:
    leave_attempt(bench, hours=1)
    assert "only 1 h old" in resolve(bench, "--abandon")[1]
    leave_attempt(bench, hours=30)
    assert "old. If it takes effect later" not in resolve(bench, "--abandon")[1]


def test_abandon_is_refused_when_the_create_took_effect(bench: Bench) -> None:
    leave_attempt(bench)
    number = bench.world.person_creates(15, TEMPLATE, 0, snowid=OPEN)
    code, text = resolve(bench, "--abandon")
    assert (code, f"reconciler resolve {OPEN} --adopt {number}" in text) == (1, True)
    assert OPEN in state(bench).read().attempts


def test_abandon_without_an_attempt_is_refused(bench: Bench) -> None:
    code, text = resolve(bench, "--abandon")
    assert (code, "has no create whose outcome is unknown" in text) == (1, True)


def test_adopt_closes_the_attempt_and_waits_for_the_first_count(bench: Bench) -> None:
    leave_attempt(bench)
    number = bench.world.person_creates(15, TEMPLATE, 0, snowid=OPEN)
    code, text = resolve(bench, "--adopt", str(number))
    assert code == 0, text
    recorded = state(bench).read()
    assert recorded.attempts == {}
    assert recorded.bindings[OPEN].awaiting_first_count
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 0
    assert bench.world.licences[number]["count"] == 14


def test_recreate_gives_up_a_deleted_subscription_and_the_next_apply_creates(bench: Bench) -> None:
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 0
    old = state(bench).read().bindings[OPEN].subscription_id
    bench.world.person_deletes(old)
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 3
    code, text = resolve(bench, "--recreate")
    assert (code, f"Subscription {old} " in text) == (0, True)
    assert bench.run("apply", "--auto-approve", "--only", OPEN).code == 0
    assert state(bench).read().bindings[OPEN].subscription_id != old


def test_recreate_works_after_the_state_was_lost(bench: Bench) -> None:
    """Then only the marker on the dead object says whose it was."""
    bench.world.person_deactivates(9002)
    code, text = resolve(bench, "--recreate", key="infima-102")
    assert code == 0, text
    assert bench.run("apply", "--auto-approve", "--only", "infima-102").code == 0
    assert state(bench).read().bindings[MappingKey("infima-102")].subscription_id != 9002


def test_recreate_is_refused_while_the_subscription_lives(bench: Bench) -> None:
    code, text = resolve(bench, "--recreate", key="infima-101")
    assert (code, "a second one would bill the customer twice" in text) == (1, True)


def test_recreate_without_a_subscription_is_refused(bench: Bench) -> None:
    assert "has no Subscription yet" in resolve(bench, "--recreate")[1]
    leave_attempt(bench)
    assert "reconciler resolve infima-105 --abandon --reason" in resolve(bench, "--recreate")[1]


def test_recreate_against_the_file_names_the_line(bench: Bench) -> None:
    text = bench.file.read_text(encoding="utf-8")
    mark = 'halo_customer: {id: 15, name: "Eastgate Homes"}\n'
    bench.file.write_text(text.replace(mark, mark + "    subscription_id: 9777\n"), encoding="utf-8")
    assert "Delete the line subscription_id: 9777 (mappings.yaml:" in resolve(bench, "--recreate")[1]


@pytest.mark.parametrize("options", [[], ["--abandon", "--recreate"], ["--adopt", "9001", "--abandon"]])
def test_exactly_one_way_out_is_taken(bench: Bench, options: list[str]) -> None:
    answer = bench.run("resolve", OPEN, *options, "--reason", "r", "--yes")
    assert (answer.code, "exactly one of" in answer.err) == (64, True)


def test_nothing_is_ever_written_to_halo(bench: Bench) -> None:
    leave_attempt(bench)
    resolve(bench, "--abandon")
    resolve(bench, "--recreate", key="infima-101")
    assert bench.writes() == 0


def test_recreate_is_refused_while_one_lives_that_no_list_shows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The known id is read by itself: a list may leave out what exists."""
    complete = HaloTarget.subscriptions
    monkeypatch.setattr(
        HaloTarget, "subscriptions", lambda self: tuple(row for row in complete(self) if row.id != 9001)
    )
    code, text = resolve(bench, "--recreate", key="infima-101")
    assert (code, "a second one would bill the customer twice" in text) == (1, True)
