"""Every planted bug, from the modules that hold them."""

from __future__ import annotations

from tests.torture import planted_create, planted_writes
from tests.torture.bugs import ALL, Bug, planted

__all__ = ["ALL", "Bug", "planted", "planted_create", "planted_writes"]
