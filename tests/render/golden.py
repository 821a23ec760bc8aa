"""Whole outputs as files that a reviewer reads. `RECONCILER_REWRITE_GOLDEN=1` rewrites them; CI never sets it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "golden" / "render"


def assert_golden(name: str, text: str) -> None:
    """Compare the text with the golden file of that name, byte for byte."""
    path = FOLDER / name
    if os.environ.get("RECONCILER_REWRITE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    assert path.is_file(), f"{path.name} is missing: make golden writes it"
    assert text == path.read_bytes().decode("utf-8")
