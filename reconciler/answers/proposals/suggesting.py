"""All proposals for a file, and which of them stand."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.answers.proposals.upkeep import ended_approvals
from reconciler.answers.proposals.values import Proposal
from reconciler.model import Fate, Mappings, Observation, Offers, Recorded


def suggest(
    mappings: Mappings,
    observation: Observation,
    recorded: Recorded,  # noqa: ARG001 - for the kinds to come
    *,
    text: str,  # noqa: ARG001 - for the kinds to come
) -> tuple[Proposal, ...]:
    """All proposals, the surest first; `text` is the file that `mappings` was read from.

    Declined ones are among them: see `standing`.
    """
    today = mappings.settings.day(observation.taken_at)
    return tuple(ended_approvals(mappings, today))


def standing(proposals: Iterable[Proposal], offers: Offers) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """The proposals that stand, and those that a person has declined as they are."""
    kept: list[Proposal] = []
    declined: list[Proposal] = []
    for one in proposals:
        before = offers.get(one.fingerprint)
        (declined if before is not None and before.fate is Fate.DECLINED else kept).append(one)
    return tuple(kept), tuple(declined)
