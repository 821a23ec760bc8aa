"""Every planted bug, from the modules that hold them."""

from __future__ import annotations

from tests.torture import planted_create, planted_twins, planted_writes
from tests.torture.bugs import ALL, Bug, planted
from tests.torture.planted_twins import ABOUT_TWINS

__all__ = ["ABOUT_TWINS", "ALL", "Bug", "planted", "planted_create", "planted_twins", "planted_writes"]
