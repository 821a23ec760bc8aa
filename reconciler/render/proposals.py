"""Proposals on a terminal, drawn from their document. Foreign text is made safe here, once."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.plan_document.proposals import ProposalJson, ProposalsJson
from reconciler.render.pen import Ink, Pen

HEADINGS = {
    "sure": ("Sure", "reconciler propose --write makes these edits", Ink.GREEN),
    "likely": ("Likely", "look at each; reconciler propose --write --likely makes these too", Ink.YELLOW),
    "ask": ("Ask", "only a person can say", Ink.BOLD),
}
_PROSE = 2000
NOTHING = "Nothing to propose: mappings.yaml says what both systems show."


def render_proposals(document: ProposalsJson, pen: Pen) -> str:
    """All proposals, grouped by how sure they are; the declined ones last."""
    return "\n".join(_lines(document, pen)) or NOTHING


def _lines(document: ProposalsJson, pen: Pen) -> Iterator[str]:
    between: tuple[str, ...] = ()
    for confidence, (word, what, ink) in HEADINGS.items():
        group = [one for one in document["proposals"] if one["confidence"] == confidence]
        if group:
            yield from between
            done = all(one["written"] for one in group)
            yield f"{pen.ink(f'{word} ({len(group)})', ink)}: {'written' if done else what}."
            for one in group:
                yield from _proposal(one, pen)
            between = ("",)
    if document["declined"]:
        yield from between
        yield f"Declined ({len(document['declined'])}): not proposed again while they say the same."
        for one in document["declined"]:
            yield from pen.prose(f"{one['title']}", indent="  ", first=f"{one['key']}  ")
            yield f"    Back with: reconciler propose --again {one['key']}"


def _proposal(one: ProposalJson, pen: Pen) -> Iterator[str]:
    yield ""
    yield from pen.prose(one["title"], indent="  ", first=f"{one['key']}  ")
    if one["written"]:
        return
    for line in one["evidence"]:
        yield from pen.prose(line, indent="    ", first="- ")
    yield from pen.prose(one["tonight"], indent="    ", first="Tonight: ")
    if one["confidence"] == "ask":
        yield f"    Next: {pen.clean(one['command'], _PROSE)}"  # on one line, however narrow: it is there to be pasted
