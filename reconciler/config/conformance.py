"""A yes-or-no reading of a JSON schema, compiled once, for the many files that are right.

jsonschema explains what is wrong, and takes seconds for ten thousand mappings to say that nothing is. This module only
answers whether a value conforms; whatever does not is handed to jsonschema for the explanation. It knows exactly the
keywords that the schemas here use, refuses to compile any other, and a property test holds its answers against
jsonschema's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

Check = Callable[[Any], bool]
_Schema = Mapping[str, Any]

_SILENT = frozenset({"$schema", "$id", "$defs", "title", "description", "examples", "default", "then", "else"})
_TYPES: dict[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
}


def compile_schema(schema: _Schema | Literal[True, False], definitions: Mapping[str, _Schema]) -> Check:
    """A predicate for `schema`. Raises ValueError for a keyword or a reference that it does not know."""
    if isinstance(schema, bool):
        return lambda _value, answer=schema: answer  # type: ignore[misc]
    said = schema.keys() - _SILENT
    for kind, keywords, build in _WHOLE:
        if schema.get("type") == kind and said <= keywords:
            return build(schema)
    checks = [_KEYWORDS[keyword](schema, definitions) for keyword in schema if keyword in said and _known(keyword)]
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> bool:
        for each in checks:  # noqa: SIM110 - a generator would double the time of the hottest line here
            if not each(value):
                return False
        return True

    return check


def _whole_number(schema: _Schema) -> Check:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return lambda value: type(value) is int and least <= value <= most


def _text(schema: _Schema) -> Check:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    search = re.compile(schema.get("pattern", "")).search
    return lambda value: isinstance(value, str) and shortest <= len(value) <= longest and search(value) is not None


_WHOLE: tuple[tuple[str, frozenset[str], Callable[[_Schema], Check]], ...] = (
    ("integer", frozenset({"type", "minimum", "maximum"}), _whole_number),
    ("string", frozenset({"type", "minLength", "maxLength", "pattern"}), _text),
)
"""Whole numbers and texts with their bounds, which stand in every mapping several times: one look at each."""


def _known(keyword: str) -> bool:
    if keyword not in _KEYWORDS:
        raise ValueError(f"the schema keyword {keyword!r} is not known here")
    return True


def _type(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    return _TYPES[schema["type"]]


def _reference(schema: _Schema, definitions: Mapping[str, _Schema]) -> Check:
    return compile_schema(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)


def _object(schema: _Schema, definitions: Mapping[str, _Schema]) -> Check:
    members = {name: compile_schema(member, definitions) for name, member in schema["properties"].items()}
    closed = schema.get("additionalProperties") is False

    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        for name, member in value.items():
            member_check = members.get(name)
            if member_check is None:
                if closed:
                    return False
            elif not member_check(member):
                return False
        return True

    return check


def _closed(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    if schema["additionalProperties"] is not False or "properties" not in schema:
        raise ValueError("additionalProperties is known only as false, beside properties")
    return lambda _value: True  # _object looks at it


def _required(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    names = frozenset(schema["required"])
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def _dependent(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    needs = {name: frozenset(needed) for name, needed in schema["dependentRequired"].items()}
    return lambda value: (
        not isinstance(value, dict) or all(needed <= value.keys() for name, needed in needs.items() if name in value)
    )


def _items(schema: _Schema, definitions: Mapping[str, _Schema]) -> Check:
    item = compile_schema(schema["items"], definitions)
    return lambda value: not isinstance(value, list) or all(map(item, value))


def _condition(schema: _Schema, definitions: Mapping[str, _Schema]) -> Check:
    condition = compile_schema(schema["if"], definitions)
    then = compile_schema(schema.get("then", True), definitions)
    otherwise = compile_schema(schema.get("else", True), definitions)
    return lambda value: then(value) if condition(value) else otherwise(value)


def _sized(keyword: str, fits: Callable[[int, int], bool]) -> Callable[[_Schema, Mapping[str, _Schema]], Check]:
    def build(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
        bound = schema[keyword]
        return lambda value: not isinstance(value, list) or fits(len(value), bound)

    return build


def _one_of_words(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    words = schema["enum"]
    return lambda value: isinstance(value, str) and value in words


def _constant(schema: _Schema, _definitions: Mapping[str, _Schema]) -> Check:
    constant = schema["const"]
    return lambda value: type(value) is type(constant) and value == constant


_KEYWORDS: dict[str, Callable[[_Schema, Mapping[str, _Schema]], Check]] = {
    "$ref": _reference,
    "type": _type,
    "properties": _object,
    "additionalProperties": _closed,
    "required": _required,
    "dependentRequired": _dependent,
    "items": _items,
    "if": _condition,
    "enum": _one_of_words,
    "const": _constant,
    "minItems": _sized("minItems", lambda length, bound: length >= bound),
    "maxItems": _sized("maxItems", lambda length, bound: length <= bound),
}
