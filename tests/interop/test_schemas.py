"""What ajv's strict mode wants of every schema, without ajv: `make interop` compiles them with the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

FILES = sorted((Path(__file__).parents[2] / "schema").glob("*.schema.json"))
FOR_EDITORS = {"defaultSnippets", "errorMessage"}
"""What editors read and no validator does: whoever compiles strictly has to declare them."""

KNOWN = {
    "$schema", "$id", "$ref", "$defs", "title", "description", "examples", "default", "type", "enum", "const",
    "properties", "required", "additionalProperties", "dependentRequired", "patternProperties", "propertyNames",
    "items", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "minProperties", "anyOf", "if", "then", "else",
}  # fmt: skip


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema below `node`, itself included; not the examples, defaults and snippets in it."""
    if isinstance(node, list):
        for inner in node:
            yield from schemas(inner)
    if not isinstance(node, dict):
        return
    yield node
    for name, member in node.items():
        if name in {"properties", "$defs", "patternProperties"}:
            yield from schemas(list(member.values()))
        elif name in {"items", "additionalProperties", "propertyNames", "if", "then", "else", "anyOf"}:
            yield from schemas(member)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_schema_is_strict(file: Path) -> None:
    whole = json.loads(file.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(whole)
    for node in schemas(whole):
        assert set(node) <= KNOWN | FOR_EDITORS
        assert set(node.get("required", ())) <= set(node.get("properties", {})), "what is required is defined beside it"
        kinds = node.get("type", [])
        assert isinstance(kinds, str) or len(set(kinds) - {"null"}) <= 1, "one type, and null"
        assert "if" in node or not {"then", "else"} & set(node)
