"""What the history keeps of listings: the news, and once a month everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.model import MappingKey, Shown, Sighting, Standing, SubscriptionId
from reconciler.state.directory import DirectoryState
from reconciler.state.history import PastRun
from tests.clock import VirtualClock
from tests.core import build_info, build_verdict

START = datetime(2026, 9, 3, 2, tzinfo=UTC)


def row(number: int, quantity: int | None, standing: Standing = Standing.LIVE) -> Shown:
    return Shown(
        subscription_id=SubscriptionId(number), key=MappingKey(f"infima-{number}"), quantity=quantity, standing=standing
    )


class Years:
    """A state directory and its runs, a day apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".reconciler"
        self.clock = VirtualClock()
        self.store = DirectoryState(self.folder, clock=self.clock)
        self.number = 0

    def night(self, *sightings: tuple[Shown, ...], days: int = 1, whole: bool = True) -> None:
        self.number += 1
        at = START + timedelta(days=self.number * days)
        run = f"run-{self.number}"
        rows = sightings[-1] if sightings else ()
        seen = tuple(Sighting(at=at, rows=rows) for rows in sightings)
        snapshot = {r.key: r.quantity or 0 for r in rows} if whole else {}
        verdict = build_verdict(run, at, snapshot=snapshot, sightings=seen)
        with self.store.open_run(build_info(run, at)) as state:
            state.finish(verdict)

    @property
    def runs(self) -> tuple[PastRun, ...]:
        return self.store.history.runs()

    def kept(self, run: int) -> list[list[int]]:
        """The ids in the run's sightings."""
        return [[r.subscription_id for r in one.rows] for one in self.runs[run].verdict.sightings or ()]


def test_the_first_run_tells_all_and_the_next_ones_what_differs(tmp_path: Path) -> None:
    years = Years(tmp_path)
    years.night((row(1, 10), row(2, 20)))
    years.night((row(1, 10), row(2, 20)))
    years.night((row(1, 10), row(2, 21)), (row(1, 11), row(2, 21), row(3, 5)))
    assert [years.kept(run) for run in range(3)] == [[[1, 2]], [[]], [[2], [1, 3]]]


def test_what_is_no_longer_ours_is_said_once(tmp_path: Path) -> None:
    years = Years(tmp_path)
    years.night((row(1, 10), row(2, 20)))
    years.night((row(1, 10),))
    years.night((row(1, 10),))
    assert [years.kept(run) for run in range(3)] == [[[1, 2]], [[2]], [[]]]
    [left] = (years.runs[1].verdict.sightings or ())[0].rows
    assert (left.standing, left.quantity, left.managed) == (Standing.LET_GO, None, False)


def test_a_run_without_a_listing_is_not_taken_for_one_of_an_old_version(tmp_path: Path) -> None:
    years = Years(tmp_path)
    years.night()
    assert years.runs[0].verdict.sightings == ()


def test_the_month_s_full_record_holds_every_row_and_the_next_month_builds_on_it(tmp_path: Path) -> None:
    years = Years(tmp_path)
    for _ in range(3):
        years.night((row(1, 10), row(2, 20)), days=20)
    assert [len(snapshot.rows or ()) for snapshot in years.store.history.snapshots()] == [2, 2, 2]
    assert [years.kept(run) for run in range(3)] == [[[1, 2]], [[]], [[]]]


def test_months_without_a_whole_run_build_on_the_last_full_record_before(tmp_path: Path) -> None:
    years = Years(tmp_path)
    years.night((row(1, 10), row(2, 20)), days=20)
    years.night((row(1, 10), row(2, 22)), days=20, whole=False)
    years.night((row(1, 10), row(2, 22)), days=20, whole=False)
    assert [years.kept(run) for run in range(3)] == [[[1, 2]], [[2]], [[]]]


def test_behind_a_lost_record_everything_is_told_anew(tmp_path: Path) -> None:
    years = Years(tmp_path)
    for quantity in (10, 11, 12):
        years.night((row(1, quantity), row(2, 20)))
    [file] = (years.folder / "history").iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2] + lines[3:]))  # the second night's line is gone
    years.night((row(1, 12), row(2, 20)))
    assert [run.after_gap for run in years.runs] == [False, True, False]
    assert years.kept(2) == [[2]]  # the line behind the gap tells of 1 itself


def test_the_journal_s_verdict_stays_short(tmp_path: Path) -> None:
    years = Years(tmp_path)
    years.night(tuple(row(number, 10) for number in range(1, 200)))
    [journal] = (years.folder / "journal").iterdir()
    assert len(journal.read_bytes()) < 3_000


def test_a_past_run_says_what_was_recorded(tmp_path: Path) -> None:
    years = Years(tmp_path)
    shown = replace(row(1, 10, Standing.INACTIVE), managed=False, customer="Acme")
    years.night((shown,))
    assert years.runs[0].verdict.sightings == (Sighting(at=years.runs[0].verdict.finished_at, rows=(shown,)),)
