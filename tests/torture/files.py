"""The files of the state as a stranger reads them: plain JSON, no code of the program."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from reconciler.simulator.records import Row
from tests.torture.evidence import read_records

records = read_records


def document(content: bytes | None) -> Row:
    """state.json, or an empty one."""
    found: Any = json.loads(content) if content else {}
    return found if isinstance(found, dict) else {}


def attempts_of(content: bytes | None) -> dict[str, Row]:
    """Open attempts by key."""
    return dict(document(content).get("attempts", {}))


def bindings_of(content: bytes | None) -> dict[str, int]:
    """Recorded ids by key."""
    return {key: row["subscription_id"] for key, row in document(content).get("bindings", {}).items()}


def counts_of(content: bytes | None) -> dict[str, int]:
    """The count of users that each binding's quantity last came from, where it is known."""
    rows = document(content).get("bindings", {})
    return {key: row["last_counted"] for key, row in rows.items() if row.get("last_counted") is not None}


def found_by_marker(content: bytes | None) -> set[str]:
    """Keys whose Subscription was found again by its marker: no earlier run of this state has made it."""
    rows = document(content).get("bindings", {})
    return {key for key, row in rows.items() if row.get("origin") == "marker"}


def seconds(moment: str) -> float:
    """A time of the state's files as seconds."""
    return datetime.fromisoformat(moment).timestamp()
