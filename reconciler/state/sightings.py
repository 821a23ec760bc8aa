"""What a history says that HaloPSA's listings showed, and what a new run has to add to it. Pure.

A line of the history keeps of a listing what the lines before it do not tell already, and once a month everything. So
saying nothing of a Subscription means that it was seen as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reconciler.model import Shown, Sighting, Standing, SubscriptionId
from reconciler.state.journal import Record
from reconciler.state.spelling import convert

Told = dict[SubscriptionId, Shown]


def told_by(records: Sequence[Record]) -> Told:
    """What the records, from a full one on, tell of each Subscription; nothing behind a gap: a record is lost there."""
    told: Told = {}
    seq = None
    for record in records:
        if seq is not None and record.seq != seq + 1:
            told = {}
        seq = record.seq
        if rows := record.facts.get("rows"):
            told = _by_id(convert(rows, tuple[Shown, ...]))
        for sighting in convert(record.facts.get("sightings", ()), tuple[Sighting, ...]):
            told |= _by_id(sighting.rows)
    return told


def news_in(sightings: Iterable[Sighting], told: Told) -> tuple[Sighting, ...]:
    """The sightings, each with the rows that differ from what was told before it."""
    found, told = [], dict(told)
    for sighting in sightings:
        rows = [row for row in sighting.rows if told.get(row.subscription_id) != row]
        here = {row.subscription_id for row in sighting.rows}
        rows += [_let_go(row) for number, row in told.items() if number not in here and not _is_let_go(row)]
        told |= _by_id(rows)
        found.append(replace(sighting, rows=tuple(sorted(rows, key=lambda row: row.subscription_id))))
    return tuple(found)


def _by_id(rows: Iterable[Shown]) -> Told:
    return {row.subscription_id: row for row in rows}


def _is_let_go(row: Shown) -> bool:
    return row.standing is Standing.LET_GO


def _let_go(row: Shown) -> Shown:
    return replace(row, quantity=None, standing=Standing.LET_GO, managed=False)
