"""The planted bugs about twins, strangers and lost memory: what the histories of people have to find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.planning import doubts, observation, twins
from reconciler.planning.rules import Rule
from reconciler.state import document
from tests.torture.bugs import ALL, Planter, bug, spoils
from tests.torture.planted_writes import without_doubts

_BEFORE = len(ALL)


@bug("the same name is no reason to ask")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.SAME_NAME)


@bug("what resembles is no reason to ask")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.RESEMBLES)


spoils("a second mapping of a customer is no reason to ask", twins._sibling)(lambda _original, _mapping, _index: None)


@spoils("only mappings that name the customer are asked what it has already", twins._sibling)
def _(original: Any, mapping: Any, index: Any) -> Any:
    near = {other.key: other for other in index.siblings.get(mapping.halo_customer.id, ())}
    return original(mapping, replace(index, billing=near))


@bug("a lost state is no reason to ask")
def _(plant: Planter) -> None:
    without_doubts(plant, Rule.STATE_LOST)


@spoils("a lost state is asked about once", document.note_loss)
def _(original: Any, state: Any, *, undecided: Any, decided: Any) -> Any:
    return original(state, undecided=(), decided=decided)


spoils("a state that is new is not said to be new", twins.new_state)(lambda _original, *_args: "")


@spoils("a state that is new is said to be new once", twins.new_state)
def _(original: Any, recorded: Any, creates: Any) -> Any:
    return original(recorded, creates) if recorded.is_new else ""


spoils("what was given up is taken back by its marker", twins.given_up_perhaps)(lambda _original, *_args: None)
spoils("an id that the listing leaves out counts as gone", observation.reveal_known)(
    lambda _original, _target, _mappings, listing, _recorded, **_more: listing
)


@spoils("swapped ids are no reason to ask", doubts.name_doubts)
def _(original: Any, *args: Any, **more: Any) -> Any:
    return tuple(doubt for doubt in original(*args, **more) if doubt.rule is not Rule.NAME_SWAPPED)


@spoils("of a combined mapping only the first client's name is looked at", doubts.name_doubts)
def _(original: Any, mapping: Any, *args: Any, **more: Any) -> Any:
    return original(replace(mapping, infima_clients=mapping.infima_clients[:1]), *args, **more)


@spoils("another name is no reason to ask before a create", doubts.name_doubts)
def _(original: Any, *args: Any, creates: bool) -> Any:
    return original(*args, creates=False)


ABOUT_TWINS = tuple(ALL[_BEFORE:])
