"""The edits of mappings.yaml that the two systems suggest, each with its evidence. Pure: facts in, proposals out.

A proposal never is an approval or a higher limit, and nothing here writes: `apply_proposals` gives the new text, and a
person, or a reviewed pull request, decides about it.
"""

from reconciler.answers.proposals.editing import apply_proposals, edited
from reconciler.answers.proposals.facts import clients_to_weigh
from reconciler.answers.proposals.suggesting import standing, suggest
from reconciler.answers.proposals.values import Confidence, Edit, Proposal, ProposalKind

__all__ = [
    "Confidence",
    "Edit",
    "Proposal",
    "ProposalKind",
    "apply_proposals",
    "clients_to_weigh",
    "edited",
    "standing",
    "suggest",
]
