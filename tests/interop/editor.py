"""Mistakes that people make at night, and what an editor says of them; what it completes a mapping to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

BAD = Path(__file__).parent.parent / "configs" / "bad"
GOLDEN = Path(__file__).parent.parent / "golden" / "editor.txt"

MISTAKES = (
    "missing-client", "missing-customer", "missing-name", "missing-key-for-several", "client-and-clients",
    "clients-empty", "unknown-key-mapping", "unknown-key-top", "fixed-without-reason", "until-without-fixed",
    "date-in-words", "amount-comma", "amount-number", "currency-in-words", "key-with-space", "key-number",
    "name-empty", "name-number", "number-quoted", "number-zero-id", "number-negative", "retired-text", "word-yes",
    "limit-percent", "count-unknown", "quantity-is-number", "mappings-table", "approval-without-reason",
    "duplicate-key-mapping",
)  # fmt: skip
"""Files of tests/configs/bad whose mistake the schema, or YAML itself, can tell an editor."""

A_MAPPING = ("version: 1\nmappings:\n  - ", 2, 4)
THE_LIST = ("version: 1\n", 1, 0)


def questions() -> str:
    """What editor.mjs reads."""
    texts = {name: (BAD / f"{name}.yaml").read_text(encoding="utf-8") for name in MISTAKES}
    return json.dumps({"problems": texts, "completions": {"a mapping": A_MAPPING, "the list": THE_LIST}})


def as_text(problems: Mapping[str, list[str]]) -> str:
    """The answers as the golden file has them: a line for each problem, behind the file's name."""
    return "".join(f"{name}: {line}\n" for name, lines in problems.items() for line in lines or ["nothing"])
