"""Periods in which HaloPSA's listings showed the same of a Subscription: the lines of a timeline. Pure.

Listings follow each other as they were recorded, in the order of the chain. A machine's clock may be wrong, so each has
two times: no record puts it later than `latest`, none earlier than `earliest`. Where clocks agree, both are its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from reconciler.model import MappingKey, Shown, SubscriptionId

Subject = SubscriptionId | MappingKey
"""What a line is about: a Subscription; in records of old versions, which do not name it for sure, a mapping's key."""

UNNAMED = SubscriptionId(0)
"""The id in rows that are known by their key alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One complete listing: what it showed that the ones before did not.

    `whole` is true where saying nothing of a Subscription means that it was as before. `after_gap` says that records
    between it and the one before are lost.
    """

    at: datetime
    rows: tuple[Shown, ...]
    whole: bool = True
    after_gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """While the listings showed the same: from the first of them to the last.

    `first` is that first listing's number. `lost` says that records right behind the span are damaged or missing.
    """

    shown: Shown
    since: datetime
    until: datetime
    first: int
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The times of all complete listings, in the order of the chain."""

    latest: tuple[datetime, ...] = ()
    earliest: tuple[datetime, ...] = ()


def times_of(looks: Sequence[Look]) -> Listed:
    """When the listings were made, as far as clocks that disagree can tell."""
    times = [look.at for look in looks]
    return Listed(
        latest=tuple(accumulate(times, max)),
        earliest=tuple(reversed(tuple(accumulate(reversed(times), min)))),
    )


def draw_spans(looks: Sequence[Look], listed: Listed) -> dict[Subject, tuple[Span, ...]]:
    """The spans of every Subscription."""
    return {
        subject: tuple(
            Span(
                shown=seen.shown,
                since=listed.latest[seen.first],
                until=listed.earliest[seen.last],
                first=seen.first,
                lost=seen.lost,
            )
            for seen in line
        )
        for subject, line in _follow(looks).items()
    }


@dataclass(slots=True, kw_only=True)
class _OpenSpan:
    """A span under way: numbers of the first and the last listing that are known to have shown it."""

    shown: Shown
    first: int
    last: int
    ended: bool = False
    lost: bool = False

    def end(self, whole: Sequence[int], before: int, *, lost: bool = False) -> None:
        """It lasted to the last whole listing before that one, if none named it later."""
        if self.ended:
            return
        index = bisect_left(whole, before)
        if index:
            self.last = max(self.last, whole[index - 1])
        self.ended, self.lost = True, lost


def _follow(looks: Sequence[Look]) -> Mapping[Subject, list[_OpenSpan]]:
    lines: dict[Subject, list[_OpenSpan]] = {}
    whole: list[int] = []
    for number, look in enumerate(looks):
        if look.after_gap:
            for line in lines.values():
                line[-1].end(whole, number, lost=True)
        for row in look.rows:
            line = lines.setdefault(_subject(row, lines), [])
            if line and line[-1].shown == row and not line[-1].ended:
                line[-1].last = number
                continue
            if line:
                line[-1].end(whole, number)
            line.append(_OpenSpan(shown=row, first=number, last=number))
        if look.whole:
            whole.append(number)
    for line in lines.values():
        line[-1].end(whole, len(looks))
    return lines


def _subject(row: Shown, lines: dict[Subject, list[_OpenSpan]]) -> Subject:
    """Whose line a row goes on. An old record's line, kept by key, becomes the Subscription's at its first listing."""
    if row.subscription_id == UNNAMED:
        return row.key
    if row.subscription_id not in lines and row.managed and row.key in lines:
        lines[row.subscription_id] = lines.pop(row.key)
    return row.subscription_id
