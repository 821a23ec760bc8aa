"""Bringing everything that a probe made to 0, its own and what earlier ones left, and seeing that it stands there."""

from __future__ import annotations

from contextlib import suppress

from reconciler.http.decoding import text_of, whole_number
from reconciler.probing.exchanges import Untold
from reconciler.probing.questions import Question
from reconciler.probing.report import Answer
from reconciler.probing.rows import Row, quantity
from reconciler.probing.session import ProbeSession
from reconciler.probing.updates import first_form

ROUNDS = 4


def bring_to_zero(session: ProbeSession) -> list[tuple[int, str, int | None]]:
    """Look, set to 0 what is not, look again; returns each one's id, name and quantity as it was last seen.

    It raises nothing: what could not be seen is None.
    """
    shown: dict[int, Row] = {}
    written, one_by_one = bool(session.writes), False
    doubtful = session.writes > session.creates and not _lag_is_known(session)
    for _ in range(ROUNDS):
        with suppress(Untold):
            _look(session, shown, after_write=written)
        above = [number for number, row in sorted(shown.items()) if doubtful or quantity(row) != 0]
        if shown and not above:
            break
        with suppress(Untold):
            written = written or bool(above)
            one_by_one = _set_to_zero(session, above, one_by_one=one_by_one)
            doubtful = doubtful and one_by_one
    seen = {number: (text_of(row.get("name")), quantity(row)) for number, row in _all(session, shown).items()}
    return [(number, name, None if doubtful and not count else count) for number, (name, count) in sorted(seen.items())]


def _lag_is_known(session: ProbeSession) -> bool:
    """Whether it was told how late a change shows; where not, a 0 may be one from before an update."""
    change = session.findings.get(Question.CHANGE_LISTED)
    return session.changed_to is None or (change is not None and change.answer is not Answer.UNTOLD)


def _set_to_zero(session: ProbeSession, above: list[int], *, one_by_one: bool) -> bool:
    """Write 0; true where a batch was refused, so that the next round sends each row by itself."""
    if session.along is None and above:
        first_form(session, above[0], 0)
        above = above[1:]
    refused = False
    for group in [[number] for number in above] if one_by_one else [above] if above else []:
        refused = session.update(*((number, 0) for number in group)).refused or refused
    return one_by_one or refused


def _look(session: ProbeSession, shown: dict[int, Row], *, after_write: bool) -> None:
    """Keep every probe's Subscription at this customer as it is now: listed, and read by itself.

    A listing is enough only where it is known to show a change at once. What one look cannot tell hides no other's.
    """
    if after_write:
        session.settle()
    with suppress(Untold):
        _take_listed(session, shown)
    change = session.findings.get(Question.CHANGE_LISTED)
    prompt = session.changed_to is None or (change is not None and change.answer is Answer.YES)
    for number in sorted({*session.made, *session.named, *shown}):
        if number in shown and (prompt or session.late_reads):
            continue
        listed = shown.get(number)
        if listed is not None:  # the listing may be from before the last change
            shown[number] = {name: value for name, value in listed.items() if name != "count"}
        with suppress(Untold):
            _, single = session.read(number)
            if single is not None:
                session.take([single])
                shown[number] = single


def _take_listed(session: ProbeSession, shown: dict[int, Row]) -> None:
    """Those that a listing shows."""
    _, rows = session.listing()
    for row in rows:
        number = session.halo.learn(row)
        if number is not None:
            shown[number] = row
    session.take(rows)


def _all(session: ProbeSession, shown: dict[int, Row]) -> dict[int, Row]:
    """What was seen at the end, and what was made and not seen again: nothing is known of its quantity."""
    unseen: dict[int, Row] = {number: {"name": session.name(0)} for number in session.made if number not in shown}
    earlier = {number: dict(row) for row in session.earlier if (number := whole_number(row.get("id"), least=1))}
    return {**earlier, **unseen, **shown}
