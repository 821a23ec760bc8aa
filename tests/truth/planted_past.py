"""Bugs of the past put back in, each of which the oracle of months has to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from reconciler import run
from reconciler.history import account, spans, timeline
from reconciler.history.timeline import Known, NotKnown, Timeline, Why
from reconciler.model import Subscription
from reconciler.planning import index
from reconciler.state.base import HistoryChange

_stood = Timeline.stood
_owners = index._owners


@contextmanager
def _stood_as(unless: frozenset[Why]) -> Iterator[None]:
    """What was seen last is carried on, where that is not known for one of these reasons."""

    def carried(self: Timeline, subject: Any, moment: datetime) -> Known | NotKnown:
        state = _stood(self, subject, moment)
        if isinstance(state, NotKnown) and state.why in unless and state.before is not None:
            return Known(span=state.before, seen_at=state.before.since)
        return state

    with patch.object(Timeline, "stood", carried):
        yield


def _by_the_clock(looks: Any) -> Any:
    return sorted(looks, key=lambda look: look.at)


def _managed_alone(index: Any, mappings: Any, recorded: Any) -> Any:
    return {number: owner for number, owner in _owners(index, mappings, recorded).items() if owner[1]}


def _as_wanted(change: HistoryChange) -> tuple[int | None, int | None]:
    return change.wanted if change.wanted is not None else change.after, change.wanted


@contextmanager
def _clocks_rule() -> Iterator[None]:
    """Listings are dated by the machine's clock, and follow each other by it."""
    with (
        patch.object(run._Seen, "_halo_time", lambda _, moment: moment),
        patch.object(timeline, "looks_of", lambda *given: _by_the_clock(spans.looks_of(*given))),
    ):
        yield


PLANTED: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "a quantity stands until the listing that shows another": lambda: _stood_as(frozenset({Why.BETWEEN})),
    "a quantity stands on after the last listing": lambda: _stood_as(frozenset({Why.NOT_SINCE})),
    "a deleted or inactive Subscription keeps its number": lambda: patch.object(
        Subscription, "quantity", property(lambda row: row.count)
    ),
    "runs follow each other by their clocks": _clocks_rule,
    "a key is a Subscription": lambda: patch.object(spans, "_subject", lambda row, _: row.key),
    "what has left the file is forgotten": lambda: patch.object(index, "_owners", _managed_alone),
    "after is what was wanted": lambda: patch.object(account, "after_and_wanted", _as_wanted),
}
"""Each bug by the false thing that it makes the program say."""
