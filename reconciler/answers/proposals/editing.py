"""Proposals put into the text of mappings.yaml, every other byte as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import assert_never

from reconciler.answers.proposals.values import (
    DropApproval,
    DropIgnore,
    Edit,
    JoinClient,
    Proposal,
    ProposalKind,
    Remark,
    Retire,
)
from reconciler.config.edit import (
    NewMapping,
    NewName,
    add_mappings,
    add_remark,
    join_client,
    remove_approval,
    remove_ignore,
    retire_mapping,
    set_names,
)


def apply_proposals(text: str, proposals: Iterable[Proposal], *, file: str = "mappings.yaml") -> str:
    """`text` with these proposals' edits. Raises ConfigError where one of them is not possible.

    They are made in the order of their kinds, so that applying them a kind at a time gives the same text.
    """
    order = {kind: place for place, kind in enumerate(ProposalKind)}
    edits = [one.edit for one in sorted(proposals, key=lambda one: order[one.kind]) if one.edit is not None]
    for _, alike in groupby(edits, key=type):
        text = _edited(text, list(alike), file)
    return text


def _edited(text: str, edits: Sequence[Edit], file: str) -> str:
    """`text` with edits of one type: those that a large file may have many of are made in one step."""
    match edits[0]:
        case NewMapping():
            return add_mappings(text, [each for each in edits if isinstance(each, NewMapping)], file=file)
        case NewName():
            return set_names(text, [each for each in edits if isinstance(each, NewName)], file=file)
    for each in edits:
        text = edited(text, each, file=file)
    return text


def edited(text: str, edit: Edit, *, file: str = "mappings.yaml") -> str:
    """`text` with one edit. Raises ConfigError where the file's layout does not allow it."""
    match edit:
        case NewMapping() | NewName():
            return _edited(text, [edit], file)
        case JoinClient():
            return join_client(text, edit.key, edit.client, file=file)
        case Retire():
            return retire_mapping(text, edit.key, file=file)
        case Remark():
            return add_remark(text, edit.key, edit.text, file=file)
        case DropIgnore():
            return remove_ignore(text, edit.client, file=file)
        case DropApproval():
            return remove_approval(text, edit.rule, edit.key, edit.until, file=file)
        case _:
            assert_never(edit)
