"""Two machines, one state branch: the older run that ends late does not undo what a newer one has written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.planning.changes import Plan
from reconciler.run import Finished
from reconciler.state.base import StateStore
from reconciler.state.git import GitState
from tests.stage import Stage, small_mappings, small_world
from tests.state.gitworld import bare_remote, clone, git, isolated_git


class Machine(Stage):
    """A stage whose state is a branch, seen from a clone of its own."""

    place: Path
    environ: dict[str, str]

    def store(self) -> StateStore:
        return GitState(self.place, clock=self.clock, environ=self.environ)


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Machine, Machine]:
    """Both on one world; the creates are over and everything is in step."""
    environ = isolated_git(tmp_path, "A")
    bare = bare_remote(tmp_path, environ)
    first = clone(bare, tmp_path / "first", environ)
    git(first, environ, "commit", "-q", "--allow-empty", "-m", "1")
    git(first, environ, "push", "-q", "origin", "HEAD:main")
    world = small_world()
    for row in world.licences.values():
        row.pop("snowid", None)
    lines = {f"c{101 + n}": f"    subscription_id: {9001 + n}" for n in range(3)}
    made = []
    for name in ("older", "newer"):
        machine = Machine(world, tmp_path / name, small_mappings(**lines), remembers=False)
        machine.place, machine.environ = clone(bare, tmp_path / f"{name}-clone", environ), environ
        made.append(machine)
    older, newer = made
    assert older.apply().verdict.exit_code == 0
    return older, newer


def apply_with(machine: Machine, meanwhile: Callable[[], None]) -> Finished:
    """An apply during which something happens between its plan and its first write."""
    plain, done = machine.events, []

    class Watching(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            plain.append(event)  # type: ignore[arg-type]
            if getattr(event, "phase", "") == "Setting quantities" and not done:
                done.append(event)
                meanwhile()

    machine.events = Watching()
    try:
        return machine.apply()
    finally:
        machine.events = plain


def test_an_older_run_that_ends_late_does_not_overwrite_the_newer_value(machines: tuple[Machine, Machine]) -> None:
    older, newer = machines
    newer.world.users_join(101, 5)  # 15: what the older run counts

    def another_night() -> None:
        older.clock.sleep(5)  # well within the minute for which a listing is good
        newer.world.users_join(101, 3)
        assert newer.apply().verdict.exit_code == 0

    late = apply_with(older, another_night)
    assert older.count_of(9001) == 18
    assert late.verdict.exit_code == 3
    told = late.applied.outcomes[next(k for k in late.applied.outcomes if k == "infima-101")]
    assert str(told.outcome) == "stale"
    assert told.message.startswith("changed since the plan: count 10 -> 18; nothing was written")


def test_alone_nothing_is_listed_once_more(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    older, _ = machines
    world = small_world()
    plain = Stage(world, tmp_path / "plain", small_mappings())
    assert plain.apply().verdict.exit_code == 0
    seen = []
    for stage in (older, plain):
        stage.world.users_join(101, 5)
        before = len(stage.world.requests)
        assert stage.apply().verdict.exit_code == 0
        seen.append(sum(r.path.endswith("/SoftwareLicence") for r in stage.world.requests[before:]))
    assert seen[0] == seen[1]


def test_both_machines_come_to_rest(machines: tuple[Machine, Machine]) -> None:
    older, newer = machines
    newer.world.users_join(102, 2)
    apply_with(older, lambda: None)
    plan: Plan = newer.plan()
    assert plan.writes == ()
