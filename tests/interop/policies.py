"""The policies of docs/policy.md as files: what the page shows is what runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
_BLOCK = re.compile(r"<!-- ([a-z]+/[a-z.]+) -->\n```[a-z]+\n(.*?)```", re.DOTALL)


def policies() -> dict[str, str]:
    """Each policy's text by the name of its file."""
    return dict(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def write_policies(folder: Path) -> None:
    """Lay the files where the page says that they lie."""
    for name, text in policies().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
