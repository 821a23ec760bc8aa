"""`resolve`: what the program must not decide alone, decided on live facts and recorded as one step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.clock import SystemClock
from reconciler.model import MappingKey
from reconciler.providers.halopsa import HaloTarget
from reconciler.state.directory import DirectoryState
from tests.cli.bench import Bench
from tests.core import build_attempt, build_info
from tests.stage import TEMPLATE

KEY = MappingKey("infima-105")


def state(bench: Bench) -> DirectoryState:
    return DirectoryState(bench.folder / ".reconciler", clock=SystemClock())


def leave_attempt(bench: Bench, *, hours: int = 1) -> None:
    """As a run leaves it whose create got no answer."""
    recorded_at = datetime.now(UTC) - timedelta(hours=hours)
    attempt = build_attempt(KEY, nonce="nonce-7", run="run-7", customer=15, age=timedelta(), now=recorded_at)
    with state(bench).open_run(build_info("run-7", recorded_at)) as run:
        run.record_attempts([attempt])


def resolve(bench: Bench, *options: str, key: str = KEY) -> tuple[int, str]:
    answer = bench.run("resolve", key, *options, "--reason", "looked in HaloPSA", "--yes")
    return answer.code, answer.text


def test_abandon_forgets_the_attempt_so_that_the_next_apply_creates(bench: Bench) -> None:
    leave_attempt(bench)
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 3
    code, text = resolve(bench, "--abandon")
    assert code == 0, text
    assert state(bench).read().attempts == {}
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 0
    assert [row["snowid"] for row in bench.world.live_subscriptions() if row.get("snowid") == KEY] == [KEY]


def test_abandon_warns_of_a_young_attempt_only(bench: Bench) -> None:
    leave_attempt(bench, hours=1)
    assert "only 1 h old" in resolve(bench, "--abandon")[1]
    leave_attempt(bench, hours=30)
    assert "old. If it takes effect later" not in resolve(bench, "--abandon")[1]


def test_abandon_is_refused_when_the_create_took_effect(bench: Bench) -> None:
    leave_attempt(bench)
    number = bench.world.person_creates(15, TEMPLATE, 0, snowid=KEY)
    code, text = resolve(bench, "--abandon")
    assert (code, f"reconciler resolve {KEY} --adopt {number}" in text) == (1, True)
    assert KEY in state(bench).read().attempts


def test_abandon_without_an_attempt_is_refused(bench: Bench) -> None:
    code, text = resolve(bench, "--abandon")
    assert (code, "has no create whose outcome is unknown" in text) == (1, True)


def test_adopt_closes_the_attempt_and_waits_for_the_first_count(bench: Bench) -> None:
    leave_attempt(bench)
    number = bench.world.person_creates(15, TEMPLATE, 0, snowid=KEY)
    code, text = resolve(bench, "--adopt", str(number))
    assert code == 0, text
    recorded = state(bench).read()
    assert recorded.attempts == {}
    assert recorded.bindings[KEY].awaiting_first_count
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 0
    assert bench.world.licences[number]["count"] == 14


def test_recreate_gives_up_a_deleted_subscription_and_the_next_apply_creates(bench: Bench) -> None:
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 0
    old = state(bench).read().bindings[KEY].subscription_id
    bench.world.person_deletes(old)
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 3
    code, text = resolve(bench, "--recreate")
    assert (code, f"Subscription {old} " in text) == (0, True)
    assert bench.run("apply", "--auto-approve", "--only", KEY).code == 0
    assert state(bench).read().bindings[KEY].subscription_id != old


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
    answer = bench.run("resolve", KEY, *options, "--reason", "r", "--yes")
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
