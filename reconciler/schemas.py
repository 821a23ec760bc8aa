"""The JSON schemas that ship with the program: inside the wheel, or in `schema/` of a source checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def schema_text(name: str) -> str:
    """Text of `name`, e.g. "mappings.schema.json". FileNotFoundError means a broken installation."""
    shipped = resources.files("reconciler").joinpath("schema", name)
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parent.parent / "schema" / name).read_text(encoding="utf-8")
