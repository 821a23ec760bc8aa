"""The directory backend: what is recorded is there, and stays there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import filelock
import pytest

from reconciler.errors import StateConflict, StateError, StateLocked
from reconciler.model import MappingKey, SubscriptionId, Tenant
from reconciler.state.directory import DirectoryState
from reconciler.state.document import StateDocument, encode
from reconciler.state.journal import journal_name
from reconciler.state.recorded import Recorded
from tests.state.samples import START, StillClock, attempt, binding, intent, read_journal, run_info, verdict
from tests.state.unlocked import no_run_lock

TENANT = Tenant(halo_url="https://halo.example.com", infima_partner="Example MSP")


def test_missing_directory_is_the_empty_state(store: DirectoryState, tmp_path: Path) -> None:
    assert store.read() == Recorded()
    assert not (tmp_path / "state").exists()


def test_everything_recorded_is_read_by_the_next_store(tmp_path: Path, clock: StillClock) -> None:
    with DirectoryState(tmp_path / "s", clock=clock).open_run(run_info()) as run:
        run.record_ground(TENANT, [])
        run.record_attempts([attempt("acme"), attempt("borealis")])
        run.record_bindings([binding("acme", 9001)])
        inside = run.recorded
        run.finish(verdict(finished_at=START + timedelta(seconds=9)))

    recorded = DirectoryState(tmp_path / "s", clock=clock).read()
    assert recorded.tenant == TENANT
    assert recorded.bindings == inside.bindings == {"acme": binding("acme", 9001)}
    assert recorded.attempts == inside.attempts == {"borealis": attempt("borealis")}
    assert recorded.last_good_run == START + timedelta(seconds=9)


def test_failed_run_does_not_move_the_last_good_one(store: DirectoryState) -> None:
    with store.open_run(run_info("r1")) as run:
        run.finish(verdict("r1"))
    with store.open_run(run_info("r2")) as run:
        run.finish(verdict("r2", finished_at=START + timedelta(days=1), exit_code=4))

    assert store.read().last_good_run == START


def test_attempt_is_granted_once(store: DirectoryState) -> None:
    with store.open_run(run_info("r1")) as run:
        assert run.record_attempts([attempt("acme", "n1")]) == {"acme"}
    with store.open_run(run_info("r2")) as run:
        assert run.record_attempts([attempt("acme", "n2"), attempt("borealis", "n3")]) == {"borealis"}
        assert run.recorded.attempts[MappingKey("acme")].nonce == "n1"


def test_settled_attempt_may_be_made_again(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        run.record_attempts([attempt("acme", "n1")])
        run.settle_attempts({MappingKey("acme"): "n1"})
        assert run.record_attempts([attempt("acme", "n2")]) == {"acme"}


def test_replaced_attempt_is_granted(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        run.record_attempts([attempt("acme", "n1")])
        assert run.record_attempts([attempt("acme", "n2")], replacing={MappingKey("acme"): "n1"}) == {"acme"}


def test_conflicting_binding_changes_nothing_and_is_journaled(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        with pytest.raises(StateConflict):
            run.record_bindings([binding("borealis", 9002), binding("acme", 9003)])
        assert set(run.recorded.bindings) == {"acme"}

    kinds = [record.kind for record in read_journal(tmp_path / "state" / journal_name(run_info())).records]
    assert kinds == ["run-started", "bindings", "bindings", "conflict", "ended-without-verdict"]


def test_released_binding_is_given_up_for_good(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        run.record_decision(MappingKey("acme"), give_up=[SubscriptionId(9001)])

    assert store.read().bindings == {}
    assert store.read().given_up == {"acme": (9001,)}


def test_nothing_to_record_writes_nothing(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info()) as run:
        before = (tmp_path / "state" / "state.json").read_bytes()
        assert run.record_attempts([]) == frozenset()
        run.record_bindings([])
        run.settle_attempts({})
        assert (tmp_path / "state" / "state.json").read_bytes() == before


@pytest.mark.parametrize("durable", [True, False])
def test_directory_knows_whether_it_is_kept(tmp_path: Path, clock: StillClock, *, durable: bool) -> None:
    store = DirectoryState(tmp_path, clock=clock, durable=durable)

    assert store.read().durable is durable
    with store.open_run(run_info()) as run:
        assert run.recorded.durable is durable


def test_damaged_state_stops_the_run_and_stays_as_it_is(store: DirectoryState, tmp_path: Path) -> None:
    file = tmp_path / "state" / "state.json"
    file.parent.mkdir()
    file.write_bytes(b'{"bindings": {')
    with pytest.raises(StateError, match=r"state/state\.json is damaged"), store.open_run(run_info()):
        pass
    with pytest.raises(StateError, match=r"state/state\.json is damaged"):
        store.read()
    assert file.read_bytes() == b'{"bindings": {'


def test_state_that_vanishes_during_a_run_stops_it(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        (tmp_path / "state" / "state.json").unlink()
        with pytest.raises(StateError, match="vanished"):
            run.record_attempts([attempt("acme")])
        assert not (tmp_path / "state" / "state.json").exists()
        (tmp_path / "state" / "state.json").touch()
        with pytest.raises(StateError, match="damaged"):
            run.record_attempts([attempt("acme")])
        (tmp_path / "state" / "state.json").unlink()
        with pytest.raises(StateError, match="vanished"):
            run.finish(verdict())
        run.finished = True


def test_run_that_raises_says_so_in_its_journal(store: DirectoryState, tmp_path: Path) -> None:
    def crash() -> None:
        with store.open_run(run_info()) as run:
            run.intend(intent(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()

    last = read_journal(tmp_path / "state" / journal_name(run_info())).records[-1]
    assert (last.kind, last.facts) == ("ended-without-verdict", {"reason": "ZeroDivisionError"})


def test_run_that_raises_after_its_verdict_keeps_the_verdict(store: DirectoryState) -> None:
    def late_trouble() -> None:
        with store.open_run(run_info()) as run:
            run.finish(verdict())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        late_trouble()
    assert store.history.unfinished() == {}


def test_same_systems_are_written_down_once(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info()) as run:
        run.record_ground(TENANT, [binding("acme", 9001)])
        run.record_ground(TENANT, [binding("borealis", 9002)])
        run.record_ground(TENANT, [])
        inside = run.recorded

    kinds = [record.kind for record in read_journal(tmp_path / "state" / journal_name(run_info())).records]
    assert kinds == ["run-started", "tenant", "bindings", "bindings", "ended-without-verdict"]
    assert (inside.tenant, sorted(inside.bindings)) == (TENANT, ["acme", "borealis"])


def test_systems_and_what_was_found_in_them_are_one_step(store: DirectoryState, tmp_path: Path) -> None:
    """A conflict takes the bindings away as a whole; whose state it is stays said."""
    with store.open_run(run_info()) as run:
        with pytest.raises(StateConflict):
            run.record_ground(TENANT, [binding("acme", 9001), binding("borealis", 9001)])
        assert run.recorded.tenant == TENANT
        assert run.recorded.bindings == {}


def test_lost_journal_of_the_run_before_is_noted(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info("r1")) as run:
        run.finish(verdict("r1"))
    (tmp_path / "state" / journal_name(run_info("r1"))).unlink()

    with store.open_run(run_info("r2")):
        pass
    record = read_journal(tmp_path / "state" / journal_name(run_info("r2"))).records[1]
    assert (record.kind, record.facts) == (
        "previous-run",
        {"file": journal_name(run_info("r1")), "lost": "record 2"},
    )


def test_second_run_is_told_who_holds_the_state(store: DirectoryState) -> None:
    with store.open_run(run_info("r1")):
        with pytest.raises(StateLocked, match=r"`apply` by .+ on .+, process \d+, since 2026-11-22") as caught:
            store.open_run(run_info("r2")).__enter__()
        assert str(os.getpid()) in caught.value.message
        assert f"end process {os.getpid()}" in caught.value.hint


def test_holder_note_that_cannot_be_read_still_blocks(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info("r1")):
        (tmp_path / "state" / "run.holder").write_text("{")
        with pytest.raises(StateLocked, match="left no name"):
            store.open_run(run_info("r2")).__enter__()


def test_leftovers_of_a_dead_process_do_not_block(store: DirectoryState, tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    (directory / "run.lock").touch()
    (directory / "change.lock").touch()
    (directory / "run.holder").write_text(
        json.dumps({"pid": 1, "host": "h", "user": "u", "command": "c", "since": "s"})
    )
    (directory / ".state.json.0123.tmp").write_text("half a st")

    with store.open_run(run_info()) as run:
        assert run.record_attempts([attempt("acme")]) == {"acme"}
    assert not (directory / ".state.json.0123.tmp").exists()


def test_lock_ends_with_its_process(tmp_path: Path, store: DirectoryState) -> None:
    script = (
        "import sys; from pathlib import Path; from reconciler.clock import SystemClock\n"
        "from reconciler.state.directory import DirectoryState; from tests.state.samples import run_info\n"
        "with DirectoryState(Path(sys.argv[1]), clock=SystemClock()).open_run(run_info('child')):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script, str(tmp_path / "state")]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(StateLocked, match=f"process {child.pid}"):
            store.open_run(run_info("r2")).__enter__()
        child.kill()
        child.wait()

    with store.open_run(run_info("r2")) as run:
        assert run.record_attempts([attempt("acme")]) == {"acme"}


def test_change_that_hangs_elsewhere_is_said(
    store: DirectoryState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.state.directory.CHANGE_LOCK_SECONDS", 0.05)
    with store.open_run(run_info()) as run:
        hanging = filelock.FileLock(tmp_path / "state" / "change.lock")
        with hanging, pytest.raises(StateLocked, match="has been changing"):
            run.record_attempts([attempt("acme")])
        assert run.record_attempts([attempt("acme")]) == {"acme"}


def test_holder_without_a_user_name_is_still_named(store: DirectoryState, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    with store.open_run(run_info("r1")), pytest.raises(StateLocked, match="a user without a name"):
        store.open_run(run_info("r2")).__enter__()


def test_state_can_be_read_while_a_run_holds_it(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        run.record_bindings([binding("acme", 9001)])
        assert set(store.read().bindings) == {"acme"}


def test_location_is_what_a_person_would_name(clock: StillClock) -> None:
    assert DirectoryState(Path(".reconciler"), clock=clock).location == "directory .reconciler"


def test_lock_bypassed_two_runs_share_one_grant(tmp_path: Path, clock: StillClock) -> None:
    store = DirectoryState(tmp_path / "s", clock=clock)
    with no_run_lock(), store.open_run(run_info("r1")) as one, store.open_run(run_info("r2")) as two:
        assert one.record_attempts([attempt("acme", "n1", run="r1")]) == {"acme"}
        assert two.record_attempts([attempt("acme", "n2", run="r2")]) == frozenset()
        two.settle_attempts({MappingKey("acme"): "n2"})
        one.record_bindings([binding("acme", 9001)])
        with pytest.raises(StateConflict):
            two.record_bindings([binding("acme", 9002)])


@pytest.mark.parametrize("torn", [False, True])
def test_an_edited_journal_is_told_once_and_a_torn_end_is_no_damage(store: DirectoryState, *, torn: bool) -> None:
    with store.open_run(run_info("r1")) as run:
        run.note("x", {"n": 1})
    path = store_root(store) / journal_name(run_info("r1"))
    content = path.read_bytes()
    path.write_bytes(content + b'{"seq"' if torn else content.replace(b'"n": 1', b'"n": 2'))

    told = store.read().damage
    later = run_info("r2", started_at=START + timedelta(hours=1))
    with store.open_run(later) as run:
        told_again = run.recorded.damage

    assert told == told_again
    assert [journal_name(run_info("r1")) in words for words in told] == ([] if torn else [True])
    assert store.read().damage == ()


def test_a_lost_journal_is_told(store: DirectoryState) -> None:
    with store.open_run(run_info("r1")) as run:
        run.note("x", {"n": 1})
    (store_root(store) / journal_name(run_info("r1"))).unlink()
    [words] = store.read().damage
    assert "is lost" in words


def store_root(store: DirectoryState) -> Path:
    return Path(store.location.removeprefix("directory "))


def test_a_run_whose_lock_was_left_out_sees_that_another_one_wrote(tmp_path: Path, clock: StillClock) -> None:
    with DirectoryState(tmp_path / "s", clock=clock).open_run(run_info("r1")) as run:
        run.record_bindings([binding("acme", 9001)])
        assert not run.overtaken()
        file = tmp_path / "s" / "state.json"
        ours = file.read_bytes()
        file.write_bytes(ours + b"\n")
        assert run.overtaken()
        file.write_bytes(ours)


def test_a_binding_before_another_keys_row_is_never_written(store: DirectoryState) -> None:
    with pytest.raises(ValueError, match="acme stands before another key's row"):
        encode(StateDocument(bindings={MappingKey("acme"): binding("borealis", 9001)}))
