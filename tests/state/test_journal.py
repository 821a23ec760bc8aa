"""The journal: durable records, a chain that shows every cut and every changed byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import StateError
from reconciler.state.base import IntentResult
from reconciler.state.directory import DirectoryState
from reconciler.state.journal import GENESIS, journal_name, make_record, read_line, read_records
from tests.state.samples import START, intent, read_journal, run_info, verdict


@pytest.fixture
def journal(store: DirectoryState, tmp_path: Path) -> Path:
    """The journal of a run with two intents, the second without an outcome."""
    info = run_info()
    with store.open_run(info) as run:
        run.intend(intent(1))
        run.conclude(1, IntentResult.OK)
        run.note("plan", {"summary": {"update": 1}, "who": "Zoë"})
        run.intend(intent(2))
        run.finish(verdict())
    return tmp_path / "state" / journal_name(info)


def test_records_come_back_in_order(journal: Path) -> None:
    reading = read_journal(journal)

    assert (reading.torn, reading.problem) == (b"", "")
    assert [record.kind for record in reading.records] == [
        "run-started",
        "intent",
        "outcome",
        "note:plan",
        "intent",
        "verdict",
    ]
    assert [record.seq for record in reading.records] == [1, 2, 3, 4, 5, 6]
    assert reading.records[0].prev == GENESIS


def test_intent_keeps_what_is_about_to_be_sent(journal: Path) -> None:
    facts = read_journal(journal).records[1].facts

    assert facts == {
        "number": 1,
        "request": "set-counts",
        "entries": [{"key": "acme", "subscription_id": 9001, "before": 12, "after": 15}],
        "body_sha256": "ab" * 32,
    }


def test_intent_without_outcome_is_unknown(journal: Path) -> None:
    assert read_journal(journal).unknown_intents == (2,)


@pytest.mark.parametrize(
    ("result", "unknown"),
    [
        (IntentResult.OK, ()),
        (IntentResult.REFUSED, ()),
        (IntentResult.NOT_SENT, ()),
        (IntentResult.UNKNOWN, (1,)),
    ],
)
def test_only_a_known_outcome_settles_an_intent(
    store: DirectoryState, tmp_path: Path, result: IntentResult, unknown: tuple[int, ...]
) -> None:
    with store.open_run(run_info()) as run:
        run.intend(intent(1))
        run.conclude(1, result)

    assert read_journal(tmp_path / "state" / journal_name(run_info())).unknown_intents == unknown


def test_cut_at_any_byte_reads_to_a_prefix(journal: Path) -> None:
    content = journal.read_bytes()
    whole = read_records(content).records
    for end in range(len(content)):
        reading = read_records(content[:end])
        assert reading.records == whole[: content[:end].count(b"\n")]
        assert reading.torn == content[:end].rpartition(b"\n")[2]
        assert reading.problem == ""


def test_any_changed_byte_is_detected(journal: Path) -> None:
    content = journal.read_bytes()
    whole = read_records(content).records
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        reading = read_records(bytes(damaged))
        assert reading.problem or reading.torn
        assert reading.records == whole[: content[:place].count(b"\n")]


def test_any_lost_line_in_the_middle_is_detected(journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    for lost in range(len(lines) - 1):
        reading = read_records(b"".join(lines[:lost] + lines[lost + 1 :]))
        assert "missing" in reading.problem
        assert len(reading.records) == lost


def test_lines_of_another_run_do_not_fit(journal: Path) -> None:
    content = journal.read_bytes()

    reading = read_records(content + content.splitlines(keepends=True)[-1])

    assert "missing" in reading.problem


def test_other_json_is_no_record() -> None:
    for line in (b"null\n", b"[]\n", b"{}\n", b'{"seq": 1}\n', b"\xff\n", b"[" * 100_000 + b"\n"):
        with pytest.raises(ValueError, match="not a journal record"):
            read_line(line)


def test_facts_that_are_no_json_are_refused() -> None:
    with pytest.raises(StateError, match="cannot be written as JSON"):
        make_record(seq=1, time=START, kind="note", run=run_info().id, facts={"x": float("nan")}, prev=GENESIS)


def test_record_is_one_ascii_line_whatever_the_names_are() -> None:
    facts = {"name": "Zoë\u2028\n\ud800"}

    _, line = make_record(seq=1, time=START, kind="note", run=run_info().id, facts=facts, prev=GENESIS)

    assert line.isascii()
    assert line.count(b"\n") == 1
    assert read_line(line).facts == facts


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\nb", ".hidden", "x" * 101])
def test_run_id_that_is_no_file_name_is_refused(store: DirectoryState, name: str) -> None:
    with pytest.raises(StateError, match="cannot be a file name"), store.open_run(run_info(name)):
        pass


def test_same_run_is_not_continued(store: DirectoryState) -> None:
    with store.open_run(run_info()):
        pass
    with pytest.raises(StateError, match="File exists"), store.open_run(run_info()):
        pass
