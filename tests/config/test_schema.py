"""The schema itself: valid, described for editors, and whatever it refuses is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.config import read_text
from reconciler.config.checking import check_schema, mappings_schema, schema_text
from reconciler.config.splice import plain
from reconciler.model import Limits, MarkerField, Settings
from tests.config.generated_files import thorough

SCHEMA = mappings_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
COMPLETE = plain(read_text((Path(__file__).parent.parent / "configs/good/complete.yaml").read_bytes(), file="m")[2])


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every described property of the schema with its path, those behind references included once."""
    if not isinstance(schema, dict):
        return
    for name, member in schema.get("properties", {}).items():
        yield f"{path}/{name}", member
        yield from properties(member, f"{path}/{name}")
    yield from properties(schema.get("items"), f"{path}/-")
    for name, definition in schema.get("$defs", {}).items():
        yield from properties(definition, f"{path}#{name}")


def test_the_schema_is_valid_draft_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]
    assert SCHEMA["title"]


def test_there_are_properties_to_look_at() -> None:
    assert len(list(properties(SCHEMA))) > 40


@pytest.mark.parametrize(("path", "member"), [pytest.param(*each, id=each[0]) for each in properties(SCHEMA)])
def test_every_property_has_a_description_and_valid_examples(path: str, member: dict[str, Any]) -> None:
    assert member["description"].endswith("."), path
    checker = VALIDATOR.evolve(schema={**member, "$defs": SCHEMA["$defs"]})
    assert member["examples"], path
    for example in member["examples"]:
        checker.validate(example)


def test_no_table_takes_unknown_keys() -> None:
    def tables(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for member in node.values():
                yield from tables(member)

    assert all(table["additionalProperties"] is False for table in tables(SCHEMA))


def test_defaults_in_the_schema_are_those_of_the_model() -> None:
    settings, limits = SCHEMA["properties"]["settings"]["properties"], SCHEMA["properties"]["limits"]["properties"]
    for name in ("batch", "concurrency", "request_timeout_seconds", "run_timeout_minutes", "marker_wait_seconds"):
        assert settings[name]["default"] == getattr(Settings(), name)
    assert settings["settle_hours"]["default"] == Settings().settle_hours
    assert settings["marker_field"]["enum"] == [field.value for field in MarkerField]
    assert settings["halo_budget"]["properties"]["requests"]["default"] == Settings().halo_budget.requests
    for name in ("max_decrease", "max_increase"):
        default = {k: v["default"] for k, v in limits[name]["properties"].items() if "default" in v}
        assert default == {"users": getattr(Limits(), name).users, "percent": getattr(Limits(), name).percent}
    assert limits["max_creates"]["default"] == Limits().max_creates
    assert limits["max_total_decrease_percent"]["default"] == Limits().max_total_decrease_percent


_LEAVES = [None, True, False, "", " ", "x", "a b", "active_users", "notes", "2026-12-31", "infima-1"]
_TREES: list[Any] = [[], {}, {"id": 1, "name": "x"}, [{"id": 1, "name": "x"}], {"fixed": 1}]
_VALUES = st.one_of(st.integers(-2, 2**31 + 1), st.sampled_from(_LEAVES), st.sampled_from(_TREES).map(copy.deepcopy))
_NAMES = st.sampled_from(sorted({path.rsplit("/", 1)[1] for path, _ in properties(SCHEMA)} - {"-"} | {"unknown"}))


def _containers(node: Any) -> list[Any]:
    inner = list(node.values()) if isinstance(node, dict) else list(node) if isinstance(node, list) else []
    return [node for node in [node] if isinstance(node, dict | list)] + [c for each in inner for c in _containers(each)]


@thorough
@given(data=st.data())
def test_whatever_the_schema_refuses_is_told(data: st.DataObject) -> None:
    """On a good document with a few members changed, removed or added at any depth."""
    document = copy.deepcopy(COMPLETE)
    for _ in range(data.draw(st.integers(0, 3))):
        container = data.draw(st.sampled_from(_containers(document)))
        if isinstance(container, list):
            container.append(data.draw(_VALUES))
        elif container and data.draw(st.booleans()):
            del container[data.draw(st.sampled_from(sorted(container)))]
        else:
            name = data.draw(st.sampled_from(sorted(container)) if container else _NAMES)
            container[data.draw(st.one_of(st.just(name), _NAMES))] = data.draw(_VALUES)
    _, problems, root = read_text(json.dumps(document), file="mappings.yaml")
    assert root is not None
    check_schema(root, problems)
    assert problems.has_errors != VALIDATOR.is_valid(document)


def test_an_unknown_schema_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        schema_text("no.schema.json")
