"""A repository with its workflows, over a small world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.bench import six_clients
from tests.workflows.scene import Scene, staged


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Six mappings; two customers have no Subscription yet, and nothing was ever applied."""
    with staged(tmp_path, six_clients()) as scene:
        yield scene
