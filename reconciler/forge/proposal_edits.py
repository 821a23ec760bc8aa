"""Proposals as commits: mappings.yaml after each kind of edit, and a message that says what was done and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.answers.proposals import Proposal, ProposalKind, apply_proposals
from reconciler.config import parse_mappings
from reconciler.errors import ConfigError
from reconciler.forge.proposal_branch import ProposedCommit
from reconciler.render.document import plural
from reconciler.render.text import commit_safe

_WIDTH = 300
_MOST_LINES = 300
"""Lines in one commit message: a first night may map a thousand clients."""

_SUBJECTS = {
    ProposalKind.NEW_MAPPING: ("Map", "INFIMA client", ""),
    ProposalKind.ADOPT: ("Map", "INFIMA client", ", each with the Subscription that its customer has"),
    ProposalKind.COMBINE: ("Add", "INFIMA client", " to the mapping of the customer"),
    ProposalKind.RENAME: ("Bring", "name", " up to date"),
    ProposalKind.RETIRE: ("Retire", "mapping", ": INFIMA does not list the client any more"),
    ProposalKind.FIXED_ENDS: ("Remark on", "fixed quantity", " that ends soon"),
    ProposalKind.UNMANAGED: ("Take up", "Subscription", " that has our marker"),
    ProposalKind.IGNORE_GONE: ("Remove", "ignored client", " that INFIMA does not list any more"),
    ProposalKind.APPROVAL_ENDED: ("Remove", "approval", " whose last day is over"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedEdits:
    """What the branch is to hold. `left` are proposals that could not be made in this file, with the reason."""

    commits: tuple[ProposedCommit, ...]
    made: tuple[Proposal, ...]
    text: str
    left: dict[str, str] = field(default_factory=dict)


def propose_edits(text: str, proposals: Sequence[Proposal], *, file: str, now: datetime) -> ProposedEdits:
    """Put the proposals into `text`, one commit for each kind; each commit leaves a valid file.

    One that the file's layout does not allow is left out, and the others are made all the same.
    """
    commits: list[ProposedCommit] = []
    made: list[Proposal] = []
    left: dict[str, str] = {}
    for kind in ProposalKind:
        alike = [one for one in proposals if one.kind is kind and one.edit is not None]
        done, after = _put(text, alike, left, file=file, now=now)
        if after != text:
            commits.append(_commit(kind, done, after))
            made += done
            text = after
    return ProposedEdits(commits=tuple(commits), made=tuple(made), text=text, left=left)


def _put(
    text: str, alike: list[Proposal], left: dict[str, str], *, file: str, now: datetime
) -> tuple[list[Proposal], str]:
    """All of them in one step; where that fails, one by one."""
    try:
        return alike, _edited(text, alike, file=file, now=now)
    except ConfigError as error:
        if len(alike) == 1:
            left[alike[0].fingerprint] = error.message
            return [], text
    done: list[Proposal] = []
    for one in alike:
        more, text = _put(text, [one], left, file=file, now=now)
        done += more
    return done, text


def _edited(text: str, proposals: Sequence[Proposal], *, file: str, now: datetime) -> str:
    after = apply_proposals(text, proposals, file=file)
    if after != text:
        parse_mappings(after, file=file, now=now)
    return after


def _commit(kind: ProposalKind, done: Sequence[Proposal], after: str) -> ProposedCommit:
    lines = [line for one in done for line in (f"- {commit_safe(one.title, _WIDTH)}", *_evidence(one))]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"- and more: {len(done)} in all"]
    return ProposedCommit(subject=subject(kind, len(done)), lines=tuple(lines), content=after.encode("utf-8"))


def subject(kind: ProposalKind, number: int) -> str:
    """What so many edits of a kind do, in one line without a name."""
    verb, noun, rest = _SUBJECTS[kind]
    counted = plural(number, noun).replace("quantitys", "quantities")
    return f"{verb} {counted}{rest}"


def _evidence(one: Proposal) -> list[str]:
    return [f"  {commit_safe(line, _WIDTH)}" for line in one.evidence]
