"""What the schema says in an editor, without one: `make interop` asks the real language server for the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from reconciler.config.checking import mappings_schema
from tests.interop.editor import BAD, GOLDEN, MISTAKES

SCHEMA = mappings_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def told() -> dict[str, list[str]]:
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        name, _, message = line.partition(": ")
        lines[name].append(message)
    return lines


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


def test_each_mistake_is_told_where_it_is() -> None:
    """The line is the one that the program's own message names, which is the first line of the file."""
    for name, lines in told().items():
        expected = (BAD / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(":")[0]
        assert expected in {line.split(":")[0] for line in lines}, name
    assert tuple(told()) == MISTAKES


def test_what_an_editor_says_is_written_for_people() -> None:
    """No regular expression, no riddle."""
    for name, lines in told().items():
        for line in lines:
            message = line.partition(" ")[2]
            assert not re.search(r"\\|\[A-Z|\^|\(\?|does not match", message), name
            assert message[0].isupper(), name


def test_the_schema_finds_each_of_them_too() -> None:
    by_yaml = {"duplicate-key-mapping", "word-yes"}  # PyYAML takes the last of two, and YES for true
    for name in MISTAKES:
        document = yaml.safe_load((BAD / f"{name}.yaml").read_text(encoding="utf-8"))

        assert VALIDATOR.is_valid(document) is (name in by_yaml), name


def test_every_pattern_has_a_sentence_for_people() -> None:
    for node in nodes(SCHEMA):
        if isinstance(node.get("pattern"), str):
            assert node["errorMessage"].endswith("."), node["pattern"]


def test_completing_a_mapping_gives_client_and_customer_and_does_not_retire_it() -> None:
    mapping = SCHEMA["properties"]["mappings"]["items"]
    (snippet,) = mapping["defaultSnippets"]
    assert set(snippet["body"]) == {"infima_client", "halo_customer"}
    for part in snippet["body"].values():
        assert set(part) == {"id", "name"}
    # an editor puts in by itself what is required at the top, and what has a default: half a mapping, retired: false
    assert "required" not in mapping
    assert "default" not in mapping["properties"]["retired"]
