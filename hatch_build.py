"""Takes the man pages into the wheel, where `make dist` has drawn them from the commands' help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):  # type: ignore[type-arg]
    """A wheel built without them (`pip install .`) lacks them and is otherwise the same."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder `man` to what the wheel installs."""
        if version == "standard" and Path(self.root, "man").is_dir():
            build_data["shared_data"]["man"] = "share/man/man1"
