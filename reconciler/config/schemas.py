"""The JSON schemas that ship with the program: inside the wheel, or in `schema/` of a source checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def schema_text(name: str) -> str:
    """Text of `name`, e.g. "mappings.schema.json". FileNotFoundError means a broken installation."""
    shipped = _PACKAGE / "schema" / name
    return (shipped if shipped.is_file() else _PACKAGE.parent / "schema" / name).read_text(encoding="utf-8")
