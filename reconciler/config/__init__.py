"""mappings.yaml -> `Mappings`, or every problem at once with its place, its cause and the next step.

The way of a file: `source` (bytes, characters) -> `reading` (YAML events to data with positions) -> `checking` (the
JSON schema) -> `building` (frozen values, defaults merged) -> `consistency` (what needs two entries or today's date).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.config.building import (
    MappingEntry,
    approval_tables,
    build_approvals,
    build_entries,
    build_ignored,
    build_limits,
    build_settings,
)
from reconciler.config.checking import check_schema
from reconciler.config.consistency import Ignored, check_amount_limits, check_approvals, check_consistency, time_zone
from reconciler.config.reading import ItemList, Table, read_document
from reconciler.config.source import (
    BYTE_ORDER_MARK,
    Diagnostic,
    Problems,
    Source,
    check_characters,
    decode,
    printable,
    read_bytes,
)
from reconciler.errors import ConfigError
from reconciler.model import Mappings

__all__ = [
    "Diagnostic",
    "Examination",
    "examine_mappings",
    "list_keys",
    "list_names",
    "load_mappings",
    "parse_mappings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What reading a mappings file gave: `mappings` where it has no error, and all diagnostics, warnings included."""

    mappings: Mappings | None
    diagnostics: tuple[Diagnostic, ...]
    error_count: int


def load_mappings(path: Path, *, now: datetime) -> Mappings:
    """Read and check the file at `path`.

    `now` decides, in the file's time zone, which `until` has passed. Raises ConfigError with every diagnostic.
    """
    return parse_mappings(read_bytes(path), file=str(path), now=now)


def parse_mappings(text: bytes | str, *, file: str, now: datetime) -> Mappings:
    """Check `text`; `file` is the name that diagnostics show. Raises ConfigError with every diagnostic."""
    examination = examine_mappings(text, file=file, now=now)
    if examination.mappings is None:
        count = examination.error_count
        noun = "problem" if count == 1 else "problems"
        raise ConfigError(printable(f"{file} has {count} {noun}"), diagnostics=examination.diagnostics)
    return examination.mappings


def examine_mappings(text: bytes | str, *, file: str, now: datetime) -> Examination:
    """Everything there is to say about `text`. Raises ConfigError only when it is no text of acceptable length."""
    source, problems, root = read_text(text, file=file)
    if root is None:
        return Examination(mappings=None, diagnostics=problems.all(), error_count=problems.error_count)
    refused = check_schema(root, problems)
    entries, ignored = _build(root, refused, source, problems)
    today = now.astimezone(time_zone(root, problems)).date()
    check_consistency(entries, ignored, problems, today=today)
    check_amount_limits(root, problems)
    approved = approval_tables(root, problems)
    check_approvals(approved, () if refused else entries, problems, today=today)
    mappings = None
    if not problems.has_errors:
        mappings = Mappings(
            mappings=tuple(entry.mapping for entry in entries),
            ignored=tuple(item for item, _ in ignored),
            limits=build_limits(root),
            approvals=build_approvals(approved, source),
            settings=build_settings(root),
            file=file,
            sha256=hashlib.sha256(source.text.replace("\r\n", "\n").encode()).hexdigest(),
        )
    return Examination(mappings=mappings, diagnostics=problems.all(), error_count=problems.error_count)


def read_text(text: bytes | str, *, file: str) -> tuple[Source, Problems, Table | None]:
    """The text as data with positions, not yet checked against the schema; None where its structure is uncertain."""
    decoded = decode(text, file=file)
    source = Source(decoded.removeprefix(BYTE_ORDER_MARK), file=file)
    problems = Problems(source)
    return source, problems, read_document(source, check_characters(source, problems), problems)


def _build(
    root: Table, refused: frozenset[int], source: Source, problems: Problems
) -> tuple[tuple[MappingEntry, ...], Ignored]:
    """Entries and ignored clients as far as the schema lets them be built, so that the second check sees them too."""
    if problems.untold:  # not every place is known any more
        return (), ()
    defaults, rows, ignore = root.get("defaults", Table(0, flow=False)), root.get("mappings"), root.get("ignore")
    entries: tuple[MappingEntry, ...] = ()
    if isinstance(rows, ItemList) and isinstance(defaults, Table) and not problems.within(defaults.start, defaults.end):
        entries = build_entries(root, refused, source)
    if isinstance(ignore, ItemList) and not problems.within(ignore.start, ignore.end):
        return entries, build_ignored(root, source)
    return entries, ()


def list_keys(path: Path) -> tuple[str, ...]:
    """The keys in the file, for shell completion: none from a file that cannot be read. Never raises."""
    return tuple(key_of(row) for row in _rows(path))


def list_names(path: Path) -> dict[str, str]:
    """Each name of a client or customer in the file with the first key that it belongs to, as `list_keys`."""
    found: dict[str, str] = {}
    for row in _rows(path):
        for named in (row.inner("infima_client"), *row.rows("infima_clients"), row.inner("halo_customer")):
            if isinstance(named.get("name"), str):
                found.setdefault(str(named["name"]), key_of(row))
    return found


def _rows(path: Path) -> list[Table]:
    try:
        root = read_text(read_bytes(path), file=str(path))[2]
    except ConfigError:
        return []
    return root.rows("mappings") if root is not None else []


def key_of(row: Table) -> str:
    """The key of an entry of `mappings`: its own, or the one that it has by default."""
    client = row.inner("infima_client")
    return str(row.get("key", f"infima-{client.get('id', '')}" if client else ""))
