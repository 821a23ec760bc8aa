"""mappings.yaml comes first: no request leaves before it is valid, whatever the command."""

from __future__ import annotations

import pytest

from reconciler.cli.main import COMMANDS
from tests.cli.bench import Bench

READ_MAPPINGS = {
    "plan": (),
    "apply": ("--auto-approve",),
    "status": (),
    "explain": ("infima-101",),
    "clients": (),
    "customers": ("acme",),
    "check-invoices": (),
    "map": ("--suggest",),
    "report": (),
    "adopt": ("infima-104", "9010", "--reason", "found by hand", "--yes"),
    "resolve": ("infima-104", "--reason", "looked for it", "--abandon", "--yes"),
    "approve": ("infima-104", "--until", "2026-12-15", "--reason", "ticket 4711"),
    "doctor": (),
    "validate": (),
    "fmt": (),
    "undo": ("12345678",),
    "backtest": (),
    "propose": (),
    "probe": ("--customer", "11", "--yes"),
    "statement": (),
    "history": (),
}
"""Every command that reads mappings.yaml, with what it cannot do without."""

NO_FILE = {"init", "show", "ci", "completion", "demo", "simulate", "state"}

BROKEN = [
    "version: 1\nmappings: 7\n",
    "version: 1\nmappings: []\nsettings: {concurency: 2}\n",
    "version: 1\nmappings: [\n",
]


def test_every_command_is_looked_at() -> None:
    assert set(READ_MAPPINGS) | NO_FILE == set(COMMANDS)


@pytest.mark.parametrize("text", BROKEN, ids=["shape", "settings", "syntax"])
@pytest.mark.parametrize("name", READ_MAPPINGS)
def test_no_request_leaves_before_the_file_is_valid(bench: Bench, name: str, text: str) -> None:
    bench.file.write_text(text, encoding="utf-8")
    bench.run(name, *READ_MAPPINGS[name])
    assert bench.world.requests == []


@pytest.mark.parametrize("name", ["plan", "apply", "status", "clients", "customers"])
def test_a_broken_file_is_all_that_is_told(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is missing in the environment, and nothing about reading."""
    monkeypatch.delenv("HALO_CLIENT_ID")
    bench.file.write_text("version: 1\nmappings: 7\n", encoding="utf-8")
    answer = bench.run(name, *READ_MAPPINGS[name])
    assert answer.code == 1
    assert "mappings.yaml:2:11" in answer.err
    assert not any(word in answer.err for word in ("Reading", "Connecting", "HALO_CLIENT_ID"))


@pytest.mark.parametrize("name", ["plan", "apply", "check-invoices"])
def test_every_list_is_read_once(bench: Bench, name: str) -> None:
    bench.run(name, *READ_MAPPINGS[name])
    asked = [(record.path, record.query) for record in bench.world.requests if not record.mutating]
    assert asked
    assert name == "apply" or sorted(set(asked)) == sorted(asked)
