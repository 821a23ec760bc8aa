"""A bench for each test: its own world, its own folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.bench import Bench, served, six_clients
from tests.stage import remember_markers, small_mappings


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Six mappings over the world of `six_clients`, whose first three were created in an earlier night."""
    world = six_clients()
    remember_markers(world, tmp_path / ".reconciler")
    (tmp_path / "mappings.yaml").write_text(small_mappings(c104=""), encoding="utf-8")
    with served(world, tmp_path, capsys, monkeypatch) as made:
        yield made
