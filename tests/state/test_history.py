"""The history: what people ask of it, and that no line of it can be edited or lost unnoticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.model import MappingKey, RunId
from reconciler.state.base import IntentResult
from reconciler.state.directory import DirectoryState
from reconciler.state.history import Finding
from reconciler.state.journal import GENESIS, journal_name, make_record
from tests.state.samples import START, attempt, change, intent, read_journal, run_info, verdict

DAY = timedelta(days=1)


def night(store: DirectoryState, name: str, after: timedelta = timedelta(), **facts: object) -> None:
    with store.open_run(run_info(name, started_at=START + after)) as run:
        run.intend(intent(1))
        run.conclude(1, IntentResult.OK)
        run.finish(verdict(name, finished_at=START + after, **facts))  # type: ignore[arg-type]


@pytest.fixture
def root(store: DirectoryState, tmp_path: Path) -> Path:
    """A state with three runs in two months."""
    night(store, "r1", changes=(change("acme", 12, 15), change("borealis", 4, 7)))
    night(store, "r2", DAY)
    night(store, "r3", 15 * DAY, changes=(change("acme", 15, 9),), snapshot={"acme": 9})
    return tmp_path / "state"


def test_runs_come_back_as_they_were(root: Path, store: DirectoryState) -> None:
    runs = store.history.runs()

    assert [run.info for run in runs] == [
        run_info("r1"),
        run_info("r2", started_at=START + DAY),
        run_info("r3", started_at=START + 15 * DAY),
    ]
    assert runs[0].verdict == verdict("r1", changes=(change("acme"), change("borealis", 4, 7)), snapshot={})


def test_decision_by_hand_is_told_from_a_good_run(store: DirectoryState) -> None:
    with store.open_run(run_info()) as run:
        run.finish(replace(verdict(), decision=True))

    assert [(run.verdict.decision, run.verdict.good) for run in store.history.runs()] == [(True, False)]
    assert store.read().last_good_run is None


def test_changes_of_one_mapping_come_with_their_run(root: Path, store: DirectoryState) -> None:
    found = store.history.changes_of(MappingKey("acme"))

    assert [(past.run.info.id, past.change.before, past.change.after) for past in found] == [
        ("r1", 12, 15),
        ("r3", 15, 9),
    ]
    assert store.history.changes_of(MappingKey("nobody")) == ()


def test_month_has_one_snapshot(root: Path, store: DirectoryState) -> None:
    assert [(shot.run, dict(shot.quantities)) for shot in store.history.snapshots()] == [
        ("r1", {"acme": 15, "borealis": 7}),
        ("r3", {"acme": 9}),
    ]
    assert sorted(path.name for path in (root / "history").iterdir()) == ["2026-11.jsonl", "2026-12.jsonl"]


def test_run_that_read_nothing_leaves_the_snapshot_to_the_next(store: DirectoryState) -> None:
    night(store, "r1", snapshot={})
    night(store, "r2", DAY, snapshot={"acme": 3})

    assert [shot.run for shot in store.history.snapshots()] == ["r2"]


def test_untouched_records_verify(root: Path, store: DirectoryState) -> None:
    assert store.history.verify() == ()


def test_empty_state_verifies(store: DirectoryState) -> None:
    assert store.history.verify() == ()
    assert store.history.runs() == ()


def _records(root: Path) -> list[Path]:
    return sorted([*(root / "history").iterdir(), *(root / "journal").iterdir()])


def test_any_edited_line_is_found_where_it_stands(root: Path, store: DirectoryState) -> None:
    for path in _records(root):
        content = path.read_bytes()
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines):
            edited = line.replace(b'"kind": "', b'"kind": "x', 1)
            assert edited != line
            path.write_bytes(b"".join([*lines[:number], edited, *lines[number + 1 :]]))
            found = store.history.verify()
            assert (path.relative_to(root).as_posix(), number + 1) in {(one.file, one.line) for one in found}
        path.write_bytes(content)
    assert store.history.verify() == ()


def test_any_lost_line_is_found(root: Path, store: DirectoryState) -> None:
    for path in _records(root):
        content = path.read_bytes()
        lines = content.splitlines(keepends=True)
        for number in range(len(lines)):
            path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            assert [one for one in store.history.verify() if not one.crash], (path.name, number)
        path.write_bytes(content)


def test_any_lost_file_is_found(root: Path, store: DirectoryState) -> None:
    for path in _records(root):
        content = path.read_bytes()
        path.unlink()
        assert store.history.verify(), path.name
        path.write_bytes(content)


def test_swapped_lines_are_found(root: Path, store: DirectoryState) -> None:
    path = root / "history" / "2026-11.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] + lines[0] + lines[2].replace(b"r2", b"r9"))

    assert any("damaged" in one.message for one in store.history.verify())


def test_damage_is_reported_but_neither_repaired_nor_spread(root: Path, store: DirectoryState) -> None:
    path = root / "history" / "2026-12.jsonl"
    damaged = path.read_bytes().replace(b'"exit_code": 0', b'"exit_code": 3')
    path.write_bytes(damaged)

    night(store, "r4", 16 * DAY)

    assert path.read_bytes().startswith(damaged)
    assert [run.info.id for run in store.history.runs()] == ["r1", "r2", "r4"]
    assert {one.line for one in store.history.verify() if "damaged" in one.message} == {1}


def test_torn_line_is_left_and_not_glued_to(root: Path, store: DirectoryState) -> None:
    path = root / "history" / "2026-12.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq": 99, "half')

    night(store, "r4", 16 * DAY)

    assert store.history.runs()[-1].info.id == "r4"
    assert [str(one) for one in store.history.verify()] == [
        "history/2026-12.jsonl:3: the line is damaged or was edited"
    ]


def test_history_ahead_of_the_state_is_what_a_crash_leaves(root: Path, store: DirectoryState) -> None:
    """Killed between the history's rename and state.json's: the next run goes on from the line on disk."""
    before = (root / "state.json").read_bytes()
    night(store, "r4", 16 * DAY)
    (root / "journal" / Path(journal_name(run_info("r4", started_at=START + 16 * DAY))).name).unlink()
    (root / "state.json").write_bytes(before)

    night(store, "r5", 17 * DAY)

    assert [run.info.id for run in store.history.runs()] == ["r1", "r2", "r3", "r4", "r5"]
    assert store.history.verify() == ()


def test_chain_goes_on_behind_a_lost_month(root: Path, store: DirectoryState) -> None:
    (root / "history" / "2026-12.jsonl").unlink()

    night(store, "r4", 16 * DAY)

    assert [str(one) for one in store.history.verify()] == [
        "history/2026-12.jsonl:1: record 6 does not follow record 3: something between them is lost"
    ]


def test_a_lost_end_is_missed_behind_the_last_line_there_is(root: Path, store: DirectoryState) -> None:
    month = root / "history" / "2026-12.jsonl"
    lines = month.read_bytes().splitlines(keepends=True)
    month.write_bytes(b"".join(lines[:-1]))
    name = f"history/2026-12.jsonl:{len(lines)}"
    assert [str(one) for one in store.history.verify()] == [f"{name}: record 5, the newest one known, is lost"]
    month.unlink()
    assert [str(one).partition(": ")[0] for one in store.history.verify()] == ["history/2026-12.jsonl:1"]


def test_verdict_given_twice_is_one_line(store: DirectoryState) -> None:
    """A caller may repeat `finish` when the disk failed half-way."""
    with store.open_run(run_info()) as run:
        run.finish(verdict())
        run.finish(verdict())

    assert len(store.history.runs()) == 1
    assert store.history.verify() == ()


def test_clock_that_goes_back_over_the_month_keeps_the_chain(root: Path, store: DirectoryState) -> None:
    night(store, "r4", 2 * DAY)

    assert store.history.verify() == ()
    assert [run.info.id for run in store.history.runs()] == ["r1", "r2", "r3", "r4"]


def test_history_goes_on_after_the_state_was_moved_away(root: Path, store: DirectoryState) -> None:
    (root / "state.json").unlink()

    night(store, "r4", 16 * DAY)

    assert store.history.verify() == ()
    assert len(store.history.runs()) == 4


def test_damaged_state_is_said_instead_of_verified(root: Path, store: DirectoryState) -> None:
    (root / "state.json").write_text("{}")

    with pytest.raises(StateError, match="damaged"):
        store.history.verify()


def test_crashed_run_is_listed_with_its_unknown_requests(root: Path, store: DirectoryState) -> None:
    begun = run_info("r4", started_at=START + 16 * DAY)
    name = journal_name(begun)
    with store.open_run(begun) as run:
        run.intend(intent(1))
    lines = (root / name).read_bytes().splitlines(keepends=True)
    (root / name).write_bytes(b"".join(lines[:2]) + lines[2][:20])

    lost = store.history.unfinished()
    assert [(lost[file].records[0].run, file, lost[file].unknown_intents) for file in lost] == [("r4", name, (1,))]


def test_next_run_notes_what_the_crashed_one_left_open(store: DirectoryState, tmp_path: Path) -> None:
    crashed = store.open_run(run_info("r1"))
    run = crashed.__enter__()
    run.intend(intent(7))
    run._journal.close()  # from here on the run writes nothing more, as after a SIGKILL
    journal = tmp_path / "state" / journal_name(run_info("r1"))
    journal.write_bytes(journal.read_bytes() + b"torn")
    with pytest.raises(StateError):
        crashed.__exit__(None, None, None)

    night(store, "r2", DAY)

    noted = read_journal(tmp_path / "state" / journal_name(run_info("r2", started_at=START + DAY))).records[1]
    assert noted.kind == "previous-run"
    assert noted.facts == {
        "file": journal_name(run_info("r1")),
        "damage": "the last line has no end",
        "unknown_intents": [7],
    }
    assert store.history.verify() == (
        Finding(
            file=journal_name(run_info("r1")),
            line=3,
            message="the last line has no end: the run broke off while writing it",
            crash=True,
        ),
    )


def test_journal_cut_after_its_successor_started_is_found(store: DirectoryState, tmp_path: Path) -> None:
    with store.open_run(run_info("r1")) as run:
        run.record_attempts([attempt("acme")])
    night(store, "r2", DAY)
    journal = tmp_path / "state" / journal_name(run_info("r1"))
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))

    assert [one.message for one in store.history.verify()] == ["the end of the run before it is lost"]


def test_a_record_that_only_another_version_can_read_says_so(store: DirectoryState, tmp_path: Path) -> None:
    night(store, "r1")
    _, line = make_record(seq=1, time=START, kind="run", run=RunId("r2"), facts={"actor": 5}, prev=GENESIS)
    (tmp_path / "state" / "history" / "2026-10.jsonl").write_bytes(line)
    with pytest.raises(StateError, match="record 1 of run r2 cannot be read") as caught:
        store.history.runs()
    assert "upgrade" in caught.value.hint
