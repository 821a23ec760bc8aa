"""The first check of what was read: `schema/mappings.schema.json`, its errors told in the words of the trade."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from reconciler.config.reading import ItemList, Table
from reconciler.config.source import Problems, quoted

MAX_MAPPINGS = 20_000

_FOREIGN = re.compile("url|host(?!ed)|secret|token|password|api_?key|header|scope|tenant|proxy")

_EXAMPLES = {
    "version": "1",
    "mappings": "[]",
    "infima_client": '{id: 101, name: "Acme Dental"}',
    "halo_customer": '{id: 12, name: "Acme Dental Group"}',
    "id": "101",
    "reason": '"internal"',
    "amount": '"500.00"',
    "currency": "EUR",
    "rule": "decrease",
    "until": "2026-12-15",
    "from": "12",
    "to": "20",
    "subscription": '{name: "INFIMA Security Awareness Training"}',
    "quantity": "{minimum: 10}",
    "price": '{amount: "2.75", currency: EUR}',
    "max_decrease": "{users: 5, percent: 25}",
    "max_increase": "{users: 20, percent: 50}",
    **dict.fromkeys(("max_total_decrease", "max_total_increase"), '{amount: "500.00", currency: EUR}'),
    "halo_budget": "{requests: 240, seconds: 300}",
}
"""How a member is written that is missing, or whose value is a mapping."""

_Path = tuple[str | int, ...]

_WANTED = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def schema_text(name: str) -> str:
    """A schema that ships with the program, e.g. "mappings.schema.json": in the wheel, or in a checkout's `schema/`.

    FileNotFoundError means a broken installation.
    """
    package = Path(__file__).resolve().parents[1]
    shipped = package / "schema" / name
    return (shipped if shipped.is_file() else package.parent / "schema" / name).read_text(encoding="utf-8")


@cache
def mappings_schema() -> dict[str, Any]:
    """The schema of mappings.yaml as data."""
    schema: dict[str, Any] = json.loads(schema_text("mappings.schema.json"))
    return schema


def schema_problems(document: Any, name: str) -> list[str]:
    """What a schema that ships with the program says of a document of another kind, one sentence for each problem."""
    validator = Draft202012Validator(json.loads(schema_text(name)))
    return [
        f"{error.json_path.removeprefix('$.').removeprefix('$') or 'the file'}: {error.message[:200]}"
        for error in sorted(validator.iter_errors(document), key=lambda error: error.json_path)
    ]


def check_schema(root: Table, problems: Problems) -> frozenset[int]:
    """Record what the schema refuses in `root`, in words; returns the indices of the mappings that it refuses."""
    schema = mappings_schema()
    entries = root.get("mappings")
    if isinstance(entries, ItemList) and len(entries) > MAX_MAPPINGS:
        hint = "split the customers over several files, one per Halo instance"
        problems.error(entries.spans[MAX_MAPPINGS][0], f"more than {MAX_MAPPINGS:,} mappings", hint)
        return frozenset(range(len(entries)))
    refused: set[int] = set()
    missing: dict[_Path, list[str]] = defaultdict(list)
    replaced: dict[_Path, set[str]] = defaultdict(set)
    for error in Draft202012Validator(schema).iter_errors(root):
        path: _Path = tuple(error.absolute_path)
        if path[:1] == ("mappings",) and len(path) > 1 and isinstance(path[1], int):
            refused.add(path[1])
        match error.validator:
            case "required":
                missing[path] += [name for name in error.validator_value if name not in error.instance]
            case "additionalProperties":
                replaced[path] |= _tell_unknown_keys(root, path, error.schema["properties"], problems)
            case "dependentRequired":
                _tell_dependents(root, path, error.validator_value, problems)
            case None:  # jsonschema leaves the last step out of the path of a `false` schema; there is one only
                key_at, _ = _locate(root, (*path, "infima_client"))
                hint = "keep one of the two; infima_clients can hold a single client"
                problems.error(key_at, "infima_client beside infima_clients", hint)
            case _:
                problems.error(_locate(root, path)[1], *_about(error, path))
    for path, names in missing.items():
        _tell_missing(root, path, [name for name in dict.fromkeys(names) if name not in replaced[path]], problems)
    return frozenset(refused)


def _at(root: Table, path: _Path) -> Any:
    """What stands at `path`."""
    node: Any = root
    for step in path:
        node = node[step]
    return node


def _locate(root: Table, path: _Path) -> tuple[int, int]:
    """Offsets of the key (or `-` item) and of the value at `path`."""
    if not path:
        return root.start, root.start
    parent = _at(root, path[:-1])
    span = parent.spans[path[-1]]
    return (span[0], span[1]) if isinstance(parent, Table) else (span[0], span[0])


def closest_word(word: str, known: Sequence[str]) -> list[str]:
    """The known word that was probably meant, in a list of one; an empty list where none is near."""
    return get_close_matches(word, known, n=1, cutoff=0.6)


def _tell_unknown_keys(root: Table, path: _Path, known: dict[str, Any], problems: Problems) -> set[str]:
    """Report the unknown keys of a table; returns the known ones that were probably meant."""
    meant = set()
    table: Table = _at(root, path)
    for name in table:
        if name in known:
            continue
        candidates = [k for k in known if k not in table] or list(known)
        close = closest_word(name.casefold().replace("-", "_"), candidates)
        meant.update(close)
        hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
        joined = re.match(r"(\w+)(?::| *[{\[])", name)
        if _FOREIGN.search(name.casefold()):
            hint = "addresses and secrets come from the environment, never from this file"
        elif joined and joined[1] in known:
            meant.add(joined[1])
            hint = f"write `{joined[1]}: `, with a colon and a space behind it"
        elif elsewhere := _belongs(name, path):
            hint = elsewhere
        problems.error(table.spans[name][0], f"unknown key {quoted(name)}", hint)
    return meant


def _belongs(name: str, path: _Path) -> str:
    """Where a member belongs that is known, but not here: a line that begins too far to the left or to the right."""
    schema = mappings_schema()
    of_an_entry, in_an_entry = schema["properties"]["mappings"]["items"]["properties"], path[:1] == ("mappings",)
    if name in of_an_entry and not path:
        return "it belongs to an entry of mappings: indent it like the `infima_client` of that entry"
    if name in of_an_entry and in_an_entry and len(path) > 2:  # noqa: PLR2004 - inside a member of an entry
        return "it belongs beside infima_client: begin the line further left, or close the bracket before"
    if name in {"id", "name"} and in_an_entry:
        return "it belongs inside infima_client or halo_customer: begin the line further right"
    if name in schema["properties"] and path:
        return "it belongs to the top level: begin the line without a space"
    inside = [part for part, about in schema["properties"].items() if name in about.get("properties", {})]
    return f"it belongs inside {inside[0]}: indent it" if inside and not path else ""


def _tell_missing(root: Table, path: _Path, names: list[str], problems: Problems) -> None:
    if not names:
        return
    table: Table = _at(root, path)
    listed = " and ".join("infima_client (or infima_clients)" if n == "infima_client" and path else n for n in names)
    verb = "is" if len(names) == 1 else "are"
    where = f" in {path[-1]}" if path and isinstance(path[-1], str) else ""
    example = _EXAMPLES.get(names[0], '"Acme Dental"')
    hint = f"write, for example, `{names[0]}: {example}`"
    if names == ["key"]:
        hint = "several clients billed as one Subscription need a key, for example `key: acme`"
    problems.error(table.start, f"{listed} {verb} missing{where}", hint)


def _tell_dependents(root: Table, path: _Path, needs: dict[str, list[str]], problems: Problems) -> None:
    table: Table = _at(root, path)
    hints = {
        "reason": 'say why the number is fixed: `reason: "contract 2026"`',
        "fixed": "until is the last day of a fixed quantity: add `fixed`, or delete until",
        "amount": 'currency is that of an amount: add, for example, `amount: "500.00"`, or delete currency',
    }
    for name, needed in needs.items():
        for other in needed:
            if name in table and other not in table:
                problems.error(table.spans[name][0], f"{name} without {other}", hints.get(other, f"add {other}"))


def _about(error: Any, path: _Path) -> tuple[str, str]:  # noqa: PLR0911 - a table of wordings
    """Message and hint for an error about one value."""
    name, value, wanted = _name(path), error.instance, error.validator_value
    match error.validator:
        case "type":
            return f"{name}: {_WANTED[wanted]} is wanted, {_found(value)} was found", _type_hint(value, wanted, name)
        case "const":
            return f"{name}: {wanted} is wanted, {_found(value)} was found", f"write `{name}: {wanted}`"
        case "enum":
            close = closest_word(str(value), wanted)
            hint = f"did you mean {close[0]}?" if close else f"one of: {', '.join(wanted)}"
            problem = "cannot be approved" if name == "rule" else "is not known"
            return f"{name}: {quoted(value)} {problem}", hint
        case "minimum" | "maximum" as bound:
            side = "below" if bound == "minimum" else "above"
            hint = f"write a number from {error.schema['minimum']} to {error.schema['maximum']}"
            return f"{name}: {value} is {side} {wanted}", hint
        case "minLength":
            return f"{name} is empty", "write it out"
        case "maxLength":
            return f"{name} is longer than {wanted} characters", "shorten it"
        case "pattern" if name in _PATTERNS:
            problem, hint = _PATTERNS[name]
            return f"{name}: {quoted(value)} {problem}", hint
        case "pattern":
            return f"{name} is only spaces", "write it out"
        case "minItems":
            return f"{name} is empty", "name at least one client"
        case _:  # maxItems
            return f"{name} has more than {wanted} entries", "delete some"


_PATTERNS = {
    "key": ("cannot be a key", "1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or a digit"),
    "timezone": ("is not a time zone", "write, for example, `timezone: Europe/London`"),
    "until": ("is not a day", "write year-month-day, for example 2026-12-31"),
    "amount": (
        "is not an amount",
        'write a number in quotes with a point and at most four decimals, for example "500.00"',
    ),
    "currency": ("is not a currency", "write its three capital letters, for example EUR"),
}
"""Members whose text has a form, with what is said of another text, and the hint."""


def _name(path: _Path) -> str:
    last = path[-1] if path else ""
    return f"item {last + 1} of {path[-2]}" if isinstance(last, int) else last


def _found(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"the number {value}"
        case str():
            return f"the text {quoted(value)}"
    return "nothing" if value is None else "a mapping" if isinstance(value, dict) else "a list"


def _type_hint(value: object, wanted: str, name: str) -> str:  # noqa: PLR0911 - a table of wordings
    match value, wanted:
        case None, "array":
            return f"write `{name}: []` for none"
        case None, "object" if name in _EXAMPLES:
            return f"write, for example, `{name}: {_EXAMPLES[name]}`, or delete the line"
        case None, _:
            return "write it out, or delete the line"
        case str(), "integer":
            return "write the digits without quotes" if value.isascii() and value.isdigit() else "write it in digits"
        case ((bool() | int()), "string"):
            return f'quote it: "{str(value).lower()}"'
        case ((str() | int()), "boolean"):
            return "write true or false, without quotes"
        case dict(), "array":
            return "begin each entry with `- `"
        case ((str() | int()), "object") if name == "price" and (
            number := re.match(r"[0-9]+(?:\.[0-9]+)?\Z", str(value))
        ):
            return f'write, for example, `price: {{amount: "{number[0]}", currency: EUR}}`'
        case _, "object" if name in _EXAMPLES:
            return f"write, for example, `{name}: {_EXAMPLES[name]}`"
        case _, "object":
            return "write it as `key: value` lines, or as {key: value}"
        case _:
            return f"write {_WANTED[wanted]}"
