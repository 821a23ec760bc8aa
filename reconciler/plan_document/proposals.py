"""The shape of what `propose -o json` prints; `schema/proposals.schema.json` is made of it by `make schema`."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from reconciler.plan_document.layout import Count, LayoutVersion, Moment, says

ConfidenceName = Literal["sure", "likely", "ask"]
KindName = Literal[
    "new-mapping",
    "adopt",
    "combine",
    "rename",
    "retire",
    "fixed-ends",
    "unmanaged",
    "ignore-gone",
    "approval-ended",
]


class ProposalJson(TypedDict):
    """One suggested edit of mappings.yaml."""

    key: Annotated[str, says("The same on every night: `reconciler propose --write KEY` makes this one edit.")]
    kind: Annotated[KindName, says("What is proposed.")]
    confidence: Annotated[
        ConfidenceName,
        says("sure: --write makes it. likely: --write --likely does. ask: only a person can say."),
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
