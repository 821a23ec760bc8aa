"""A person who takes their time: no lock is held, the run's time begins with the answer, an old plan is made again."""

from __future__ import annotations

from pathlib import Path

from reconciler.model import RunId
from reconciler.planning.changes import Plan, planned_rows
from reconciler.state.base import RunInfo
from tests.stage import Stage, small_mappings, small_world


def stage(tmp_path: Path) -> Stage:
    made = Stage(small_world(), tmp_path, small_mappings())
    made.world.users_join(101, 3)
    made.world.users_join(102, 2)
    return made


def test_a_yes_after_half_an_hour_writes(tmp_path: Path) -> None:
    night = stage(tmp_path)

    def thinks(_plan: Plan) -> bool:
        night.clock.sleep(31 * 60)
        return True

    finished = night.apply(confirm=thinks)
    assert finished.verdict.exit_code == 0
    assert (night.count_of(9001), night.count_of(9002)) == (13, 13)


def test_the_night_passes_an_open_prompt(tmp_path: Path) -> None:
    night = stage(tmp_path)
    nightly = []

    def thinks(_plan: Plan) -> bool:
        nightly.append(night.apply().verdict.exit_code)
        return True

    finished = night.apply(confirm=thinks)
    assert (nightly, finished.verdict.exit_code) == ([0], 0)
    assert [str(s.outcome) for s in finished.applied.outcomes.values()].count("applied") == 0  # the night did it


def test_what_moved_while_a_person_thought_is_left_alone(tmp_path: Path) -> None:
    night = stage(tmp_path)

    def thinks(_plan: Plan) -> bool:
        night.clock.sleep(120)
        night.world.users_leave(101, 1)  # 12 now, the person saw 13
        night.world.person_sets_count(9002, 12)
        return True

    finished = night.apply(confirm=thinks)
    told = {str(key): str(settled.outcome) for key, settled in finished.applied.outcomes.items()}
    assert (told["infima-101"], told["infima-102"], finished.verdict.exit_code) == ("stale", "stale", 3)
    assert (night.count_of(9001), night.count_of(9002)) == (10, 12)


def test_a_no_is_recorded_and_holds_nobody_up(tmp_path: Path) -> None:
    night = stage(tmp_path)
    finished = night.apply(confirm=lambda _plan: False)
    assert not finished.confirmed
    assert night.writes() == []
    assert [run.verdict.sentence for run in night.store().history.runs()] == ["Apply cancelled: it was not confirmed."]
    holder = RunInfo(id=RunId("holder"), command="apply", started_at=night.clock.now())
    with night.store().open_run(holder):
        assert not night.apply(confirm=lambda _plan: False).confirmed  # told, and not raised


def test_a_saved_plan_takes_writes_away_also_where_the_plan_is_made_again(tmp_path: Path) -> None:
    """What a person saw at the prompt adds nothing to what the saved plan holds."""
    night = stage(tmp_path)
    saved = night.plan()
    night.world.users_join(101, 1)  # 14 now, the saved plan has 13

    def thinks(_plan: Plan) -> bool:
        night.clock.sleep(120)
        return True

    finished = night.apply(confirm=thinks, agreed=planned_rows(saved))
    told = {str(key): str(settled.outcome) for key, settled in finished.applied.outcomes.items()}
    assert (told["infima-101"], told["infima-102"]) == ("stale", "applied")
    assert (night.count_of(9001), night.count_of(9002)) == (10, 13)
