"""Bringing everything that a probe made to 0, its own and what earlier ones left, and seeing that it stands there."""

from __future__ import annotations

from contextlib import suppress

from reconciler.http.decoding import text_of, whole_number
from reconciler.probing.exchanges import Untold
from reconciler.probing.rows import Row, quantity
from reconciler.probing.session import ProbeSession
from reconciler.probing.updates import first_form

ROUNDS = 4


def bring_to_zero(session: ProbeSession) -> list[tuple[int, str, int | None]]:
    """Look, set to 0 what is not, look again; returns each one's id, name and quantity as it was last seen.

    It raises nothing: what could not be seen is None.
    """
    shown: dict[int, Row] = {}
    written, one_by_one = False, False
    for _ in range(ROUNDS):
        with suppress(Untold):
            shown |= _look(session, after_write=written)
        above = [number for number, row in sorted(shown.items()) if quantity(row) != 0]
        if shown and not above:
            break
        with suppress(Untold):
            written = written or bool(above)
            one_by_one = _set_to_zero(session, above, one_by_one=one_by_one)
    return [(number, text_of(row.get("name")), quantity(row)) for number, row in sorted(_all(session, shown).items())]


def _set_to_zero(session: ProbeSession, above: list[int], *, one_by_one: bool) -> bool:
    """Write 0; true where a batch was refused, so that the next round sends each row by itself."""
    if session.along is None and above:
        first_form(session, above[0], 0)
        above = above[1:]
    refused = False
    for group in [[number] for number in above] if one_by_one else [above] if above else []:
        refused = session.update(*((number, 0) for number in group)).refused or refused
    return one_by_one or refused


def _look(session: ProbeSession, *, after_write: bool) -> dict[int, Row]:
    """Every probe's Subscription at this customer: in a listing, and by itself where listings or the list are late."""
    if after_write:
        session.settle()
    _, rows = session.listing()
    shown = {}
    for row in rows:
        number = session.halo.learn(row)
        if number is not None:
            shown[number] = row
    session.take(rows)
    for number in {*session.made, *session.named}:
        if number not in shown or (session.late_listings and not session.late_reads):
            _, single = session.read(number)
            if single is not None:
                session.take([single])
                shown[number] = single
    return shown


def _all(session: ProbeSession, shown: dict[int, Row]) -> dict[int, Row]:
    """What was seen at the end, and what was made and not seen again: nothing is known of its quantity."""
    unseen: dict[int, Row] = {number: {"name": session.name(0)} for number in session.made if number not in shown}
    earlier = {number: dict(row) for row in session.earlier if (number := whole_number(row.get("id"), least=1))}
    return {**earlier, **unseen, **shown}
