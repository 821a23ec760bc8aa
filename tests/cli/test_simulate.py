"""`simulate`: worlds of one's own, nights, and docs/practice.md, whose every command works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.config.checking import schema_problems
from reconciler.simulator.server import Server, ask
from reconciler.simulator.worlds import demo_world, night_passes, scaled_world, world_document, world_from
from tests.cli.bench import Bench

PAGE = (Path(__file__).parents[2] / "docs" / "practice.md").read_text(encoding="utf-8")
SMALL = json.loads(next(found[1] for found in re.finditer(r"```json\n(.*?)```", PAGE, re.DOTALL)))


def test_a_world_is_written_served_and_read_again(bench: Bench) -> None:
    assert bench.run("simulate", "--clients", "7", "--night", "3", "--write-world", "world.json").code == 0
    document = json.loads((bench.folder / "world.json").read_text())
    assert (document["nights"], len(document["infima_clients"])) == (3, 7)
    answer = bench.run("simulate", "--world", "world.json", "--for", "0.1", "--env-file", "s.env")
    assert answer.code == 0
    assert "HALO_URL=http://127.0.0.1:" in (bench.folder / "s.env").read_text()


@pytest.mark.parametrize("world", [demo_world(), scaled_world(5)])
def test_what_is_written_keeps_the_schema(world: object) -> None:
    night_passes(world)  # type: ignore[arg-type]
    assert schema_problems(json.loads(json.dumps(world_document(world))), "world.schema.json") == []  # type: ignore[arg-type]


def test_the_smallest_world_of_the_page_can_be_planned_from(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schema_problems(SMALL, "world.schema.json") == []
    with Server(world_from(SMALL)) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        answer = bench.run("clients", "-o", "json")
    assert answer.code == 0
    assert all(str(client["id"]) in answer.out for client in SMALL["infima_clients"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"infima_clients": [{"id": 1}]}, "'name' is a required property"),
        ({"infima_clients": [{"id": 1, "name": "A", "active": "many"}]}, "infima_clients[0].active"),
        ({"clients": []}, "clients"),
        ({"format": 2}, "format"),
        ({"switches": {"no_such": 1}}, "no_such"),
    ],
)
def test_what_is_no_world_is_told_with_its_place(bench: Bench, change: dict[str, object], said: str) -> None:
    (bench.folder / "w.json").write_text(json.dumps({"infima_clients": [], "customers": [], **change}))
    answer = bench.run("simulate", "--world", "w.json", "--for", "0.1")
    assert answer.code == 64
    assert said in answer.err
    assert "docs/practice.md" in answer.err


def test_a_night_passes_in_the_simulator_that_runs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(demo_world()) as server:
        monkeypatch.setenv("HALO_URL", server.halo_url)
        answer = bench.run("simulate", "--night", "2")
        assert server.world.nights == 2
    assert answer.code == 0
    assert re.match(r"Night 2 has passed\. (1 change|\d+ changes) in INFIMA", answer.out)
    assert " -> " in answer.out
    gone = bench.run("simulate", "--night")
    assert gone.code == 64
    assert "No simulator answers" in gone.err


def test_every_edit_of_the_page_works() -> None:
    edits = re.findall(r"-d '(\{.*?\})'[^\n]*/_simulator/edit", PAGE)
    assert len(edits) >= 6
    with Server(world_from(SMALL)) as server:
        for edit in edits:
            ask(server.halo_url, "POST", "edit", **json.loads(edit))
        assert len(server.world.infima_clients) == len(SMALL["infima_clients"])  # one came, one went
        assert ask(server.halo_url, "GET", "world")["customers"]
