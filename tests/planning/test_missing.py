"""For how many nights in a row INFIMA has not listed a client: what it rests on, and that the state remembers it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from reconciler.model import InfimaClientId, MissingNights
from reconciler.planning.quantity import nights_missing
from reconciler.planning.snapshot import dump_snapshot, read_snapshot
from reconciler.run import read_live
from tests.builders import build_mapping, build_mappings
from tests.stage import Stage, small_mappings, small_world

DAY = date(2026, 11, 22)
ACME = InfimaClientId(101)
IGNORED = 'ignore:\n  - infima_client: {id: 999, name: "Own staff"}\n    reason: "ours"\n'


def test_another_day_is_another_night_and_the_same_day_is_not() -> None:
    mappings = build_mappings(build_mapping(101))
    first = nights_missing(mappings, [], {}, today=DAY)
    again = nights_missing(mappings, [], first, today=DAY)
    later = nights_missing(mappings, [], again, today=DAY + timedelta(days=3))
    assert first == again == {ACME: MissingNights(first=DAY, last=DAY, nights=1)}
    assert later == {ACME: MissingNights(first=DAY, last=DAY + timedelta(days=3), nights=2)}


def test_who_is_listed_again_or_retired_is_forgotten() -> None:
    before = {ACME: MissingNights(first=DAY, last=DAY, nights=1)}
    assert nights_missing(build_mappings(build_mapping(101)), [ACME], before, today=DAY) == {}
    assert nights_missing(build_mappings(build_mapping(101, retired=True)), [], before, today=DAY) == {}


def test_nights_are_remembered_across_runs_and_travel_with_a_snapshot(tmp_path: Path) -> None:
    stage = Stage(small_world(), tmp_path, small_mappings(IGNORED))
    gone = stage.world.infima_clients.pop(103)
    for _ in range(2):
        stage.apply()
        stage.clock.sleep(24 * 3600)

    missing = stage.store().read().missing
    assert {number: one.nights for number, one in missing.items()} == {103: 2, 999: 2}
    with stage.context() as context:
        seen = read_live(context)
    assert read_snapshot(dump_snapshot(seen).encode()).recorded.missing == missing

    stage.world.infima_clients[103] = gone
    stage.apply()
    assert set(stage.store().read().missing) == {999}


def test_a_refused_run_counts_for_nothing(tmp_path: Path) -> None:
    stage = Stage(small_world(), tmp_path, small_mappings())
    del stage.world.infima_clients[103]
    stage.apply()
    everyone = dict(stage.world.infima_clients)
    stage.world.infima_clients.clear()
    stage.clock.sleep(24 * 3600)
    assert stage.apply().plan.refused
    stage.world.infima_clients.update(everyone)
    assert {number: one.nights for number, one in stage.store().read().missing.items()} == {103: 1}
