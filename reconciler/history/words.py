"""Moments and reasons in words, for statement and history. Pure."""

from __future__ import annotations

from datetime import tzinfo

from reconciler.history.spans import Span
from reconciler.history.timeline import NotKnown, Timeline, Why
from reconciler.moments import moment_in


def why_not_known(state: NotKnown, timeline: Timeline, zone: tzinfo) -> str:
    """Why a quantity is not known, in one clause that can stand behind "not known: "."""
    if state.why is Why.NO_LOOK_YET:
        return f"the first recorded look at HaloPSA was {moment_in(timeline.listed.latest[0], zone)}"
    if state.why in _PLAIN:
        return _PLAIN[state.why]
    before, after = state.before, state.after
    if before is not None and after is None:
        return f"not looked at since {_last_seen(before, zone)}, when it was {_quantity(before)}"
    first_seen = moment_in(after.since, zone) if after is not None else "later"
    if state.why is Why.NOT_OURS_YET:
        return f"no Subscription of ours yet, first seen {first_seen}"
    if before is None:
        return f"first seen {first_seen}"
    return (
        f"it was {_quantity(before)} when seen {_last_seen(before, zone)} and {_quantity(after)} when seen {first_seen}"
    )


_PLAIN = {
    Why.LOST: "records of that time are lost or damaged: reconciler history --verify",
    Why.LET_GO: "no mapping, record or marker names it any more, so nobody looks at it",
    Why.UNREADABLE: "no whole number was read, or a write was not confirmed",
}


def _last_seen(span: Span, zone: tzinfo) -> str:
    return moment_in(max(span.since, span.until), zone)


def _quantity(span: Span | None) -> str:
    return "not known" if span is None or span.shown.quantity is None else str(span.shown.quantity)
