"""The small world of the simulator's tests."""

from __future__ import annotations

from tests.simulator.conftest import halo, infima, world

__all__ = ["halo", "infima", "world"]
