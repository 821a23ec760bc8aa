"""The head start: what is read while mappings.yaml is still being checked, and when nothing of it is used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.ahead import glance_at_settings
from reconciler.config import parse_mappings
from reconciler.model import RequestBudget, Settings
from tests.cli.bench import NAMES, Bench

ENTRY = "mappings:\n  - infima_client: {id: 101, name: Acme Dental}\n    halo_customer: {id: 11, name: Acme Dental}\n"


def glance(folder: Path, text: str) -> Settings | None:
    (folder / "mappings.yaml").write_text(text, encoding="utf-8")
    return glance_at_settings(folder / "mappings.yaml")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("version: 1\n" + ENTRY, Settings()),
        ("version: 1\nsettings: {concurrency: 2}\n" + ENTRY, Settings(concurrency=2)),
        ("version: 1\n" + ENTRY + "settings: {concurrency: 2}", Settings(concurrency=2)),
        (
            "settings:\n  # few\n\n  concurrency: 2\n# all\n  halo_budget: {requests: 90, seconds: 300}\nversion: 1\n",
            Settings(concurrency=2, halo_budget=RequestBudget(requests=90, seconds=300)),
        ),
        ("version: 1\nsettings:\n" + ENTRY, None),
        ("version: 1\nsettings: {concurrency: 0}\n" + ENTRY, None),
        ("version: 1\nsettings: {concurrency: 2\n" + ENTRY, None),
        ("settings: {concurrency: 2}\nsettings: {concurrency: 3}\n", None),
        ("settings: {concurrency: 2}" + " " * 10_000, None),
    ],
)
def test_settings_at_a_glance(tmp_path: Path, text: str, settings: Settings | None) -> None:
    assert glance(tmp_path, text) == settings


def test_a_file_that_is_none_gives_no_head_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [glance_at_settings(tmp_path / name) for name in ("absent", "pipe", ".")] == [None] * 3


PARTS = ["version: 1\n", ENTRY, "settings:\n  concurrency: 3\n", "limits: {max_creates: 3}\n", "# note\n"]


@given(st.permutations(PARTS))
def test_a_glance_says_what_the_file_says_wherever_the_settings_stand(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    text = "".join(parts)
    told = parse_mappings(text, file="mappings.yaml", today=date(2026, 1, 1)).settings
    assert glance(tmp_path_factory.mktemp("glance"), text) == told


def test_every_list_is_read_once(bench: Bench) -> None:
    bench.run("plan")
    asked = [record.path for record in bench.world.requests]
    assert sorted(set(asked)) == sorted(asked)


def test_settings_that_a_glance_gets_wrong_are_read_with_anew(bench: Bench) -> None:
    """A file in one pair of brackets hides its settings from a glance: the right ones are used all the same."""
    usual = bench.run("plan", "-q").out
    once = len(bench.world.requests)
    inside = ", ".join(
        f"{{infima_client: {{id: {101 + i}, name: {name}}}, halo_customer: {{id: {11 + i}, name: {name}}}}}"
        for i, name in enumerate(NAMES)
    )
    bench.file.write_text(f"{{version: 1, settings: {{concurrency: 1}}, mappings: [{inside}]}}\n", encoding="utf-8")
    assert glance_at_settings(bench.file) == Settings()
    bench.world.requests.clear()
    answer = bench.run("plan", "-q")
    assert answer.out.splitlines()[-1] == usual.splitlines()[-1]
    assert once < len(bench.world.requests) <= 2 * once


def test_a_broken_file_is_all_that_is_told(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings: 7\n", encoding="utf-8")
    answer = bench.run("plan")
    assert answer.code == 1
    assert "Reading" not in answer.err
    assert "Connecting" not in answer.err
    assert "mappings.yaml:2:11" in answer.err
    assert bench.writes() == 0


def test_a_broken_file_ends_the_command_at_once_though_a_server_does_not_answer(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings: 7\n", encoding="utf-8")
    silent = threading.Event()
    with_silence = {**os.environ, "HALO_URL": _deaf_server(silent), "PYTHONPATH": str(Path(__file__).parents[2])}
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan"],
        cwd=bench.folder,
        env=with_silence,
        capture_output=True,
        timeout=30,
        check=False,
    )
    silent.set()
    assert done.returncode == 1
    assert time.monotonic() - begun < 10


def _deaf_server(until: threading.Event) -> str:
    """A server that takes connections and never says a word; it ends when `until` is set."""
    listener = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        with listener:
            until.wait(30)

    threading.Thread(target=listen, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_what_is_missing_for_connecting_is_told_after_the_file(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALO_CLIENT_ID")
    assert "HALO_CLIENT_ID" in bench.run("plan").err
    bench.file.write_text("version: 1\nmappings: 7\n", encoding="utf-8")
    answer = bench.run("plan")
    assert "mappings.yaml:2:11" in answer.err
    assert "HALO_CLIENT_ID" not in answer.err


def test_a_plan_from_a_snapshot_reads_nothing_ahead(bench: Bench) -> None:
    bench.run("plan", "-q", "--save-snapshot", "seen.json")
    bench.world.requests.clear()
    assert bench.run("plan", "-q", "--snapshot", "seen.json").code == 0
    assert bench.world.requests == []


def test_a_read_that_failed_ahead_is_told_as_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "not-the-key")
    answer = bench.run("plan")
    assert answer.code == 1
    assert "INFIMA" in answer.err


def test_errors_of_the_file_come_before_errors_of_the_systems(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "not-the-key")
    bench.file.write_text("version: 1\nmappings: 7\n", encoding="utf-8")
    assert "401" not in bench.run("plan").err
