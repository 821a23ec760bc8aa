"""A seeded slice of the campaign: what every drawing says is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.simulator.records import Endpoint
from reconciler.state.directory import DirectoryState
from tests.faults.kinds import Fault, FaultKind
from tests.truth.campaign import found_in, judged
from tests.truth.nights import furnish
from tests.truth.planted import PLANTS
from tests.truth.scene import Fate, staged

SEEDS = range(1, 41)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_drawing_says_what_is_not_so(seed: int, tmp_path: Path) -> None:
    assert judged(seed, tmp_path).false == []


UNREADABLE = [
    FaultKind.HTML,
    FaultKind.EMPTY_LIST,
    FaultKind.EMPTY_BODY,
    FaultKind.RATE_LIMITED_SECONDS,
    FaultKind.FORBIDDEN,
]


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_source_that_gives_nobodys_users_is_refused_and_red(kind: FaultKind, tmp_path: Path) -> None:
    history = furnish(tmp_path, 3)
    fault = Fault(kind=kind, at=Endpoint.USERS, nth=1, times=10_000)
    with staged(history.scene) as scene:
        answer = scene.cli("apply", "--auto-approve", "-o", "json", fate=Fate(faults=(fault,)))
        (tmp_path / "result.json").write_text(answer.out)
        verdict = scene.cli("ci", "verdict", "--result", "result.json")
        recorded = DirectoryState(scene.state_folder(), clock=scene.clock).read()
    assert not any(record.mutating and record.endpoint is Endpoint.WRITE for record in scene.world.requests)
    assert (answer.code, verdict.code, recorded.last_good_run) in {(3, 1, None), (1, 1, None)}
    assert "source-empty" in answer.out or '"errored": true' in answer.out


@pytest.mark.timeout(120)
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_false_sentence_is_found(plant: str) -> None:
    assert found_in(plant)
