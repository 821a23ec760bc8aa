"""Proposals as the document that `propose -o json` prints, and that document on a terminal.

`schema/proposals.schema.json` is made of the types by `make schema`. Foreign text is made safe in the drawing, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypedDict

from reconciler.plan_document.layout import Count, LayoutVersion, Moment, says
from reconciler.render.pen import Ink, Pen, joined

ConfidenceName = Literal["sure", "likely", "ask"]
KindName = Literal[
    "new-mapping", "adopt", "combine", "rename", "retire", "fixed-ends", "unmanaged", "ignore-gone", "approval-ended"
]


class ProposalJson(TypedDict):
    """One suggested edit of mappings.yaml."""

    key: Annotated[str, says("The same on every night: `reconciler propose --write KEY` makes this one edit.")]
    kind: Annotated[KindName, says("What is proposed.")]
    confidence: Annotated[
        ConfidenceName, says("sure: --write makes it. likely: --write --likely does. ask: only a person can say.")
    ]
    client: Annotated[str, says("Names and ids of the INFIMA clients; may be empty.")]
    customer: Annotated[str, says("Name and id of the HaloPSA customer; may be empty.")]
    title: Annotated[str, says("The edit in one line.")]
    evidence: Annotated[list[str], says("What it rests on, a sentence each.")]
    users: Annotated[Count | None, says("The users at stake; null where their number is not known.")]
    tonight: Annotated[str, says("What the edit would come to in tonight's run, holds included.")]
    command: Annotated[str, says("The next step for a person; it works when it is pasted.")]
    editable: Annotated[bool, says("False where only a person can say what to write.")]
    written: Annotated[bool, says("True where this command has just made the edit.")]
    fingerprint: Annotated[
        str, says("The same while the edit is: what was declined is not made again until this changes.")
    ]


class ProposalsJson(TypedDict):
    """The whole document."""

    format_version: LayoutVersion
    reconciler_version: Annotated[str, says("The version of reconciler that printed this.")]
    taken_at: Annotated[Moment, says("When both systems were read, UTC.")]
    proposals: Annotated[list[ProposalJson], says("The surest first.")]
    declined: Annotated[list[ProposalJson], says("What a person has declined as it is: `propose --again KEY`.")]


HEADINGS = {
    "sure": ("Sure", "reconciler propose --write makes these edits", Ink.GREEN),
    "likely": ("Likely", "look at each; reconciler propose --write --likely makes these too", Ink.YELLOW),
    "ask": ("Ask", "only a person can say", Ink.BOLD),
}
_PROSE = 2000
NOTHING = "Nothing to propose: mappings.yaml says what both systems show."


def render_proposals(document: ProposalsJson, pen: Pen) -> str:
    """All proposals, grouped by how sure they are; the declined ones last."""
    sections = [_group(document, confidence, pen) for confidence in HEADINGS]
    return joined([*sections, _declined(document, pen)]) or NOTHING


def _group(document: ProposalsJson, confidence: str, pen: Pen) -> list[str]:
    group = [one for one in document["proposals"] if one["confidence"] == confidence]
    word, what, ink = HEADINGS[confidence]
    done = all(one["written"] for one in group)
    heading = f"{pen.ink(f'{word} ({len(group)})', ink)}: {'written' if done else what}."
    return [heading, *(line for one in group for line in _proposal(one, pen))] if group else []


def _declined(document: ProposalsJson, pen: Pen) -> list[str]:
    declined = document["declined"]
    lines = [f"Declined ({len(declined)}): not proposed again while they say the same."] if declined else []
    for one in declined:
        lines += pen.prose(one["title"], indent="  ", first=f"{one['key']}  ")
        lines.append(f"    Back with: reconciler propose --again {one['key']}")
    return lines


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
