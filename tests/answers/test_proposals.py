"""What is proposed, and that each edit keeps every other byte."""

from __future__ import annotations

from dataclasses import replace

from reconciler.answers.proposals import Confidence, ProposalKind, apply_proposals, standing, suggest
from reconciler.config import parse_mappings
from reconciler.model import Fate, Offer, Recorded
from tests.builders import NOW, build_observation

HEAD = """version: 1

mappings:
  - infima_client: {id: 101, name: "Acme Dental"}  # the first one
    halo_customer: {id: 12, name: "Acme Dental"}
"""
ENDED = """
approvals:
  - rule: decrease
    key: infima-101
    quantity: {from: 1, to: 5}
    until: 2026-11-21
    reason: "ticket 4711"
"""


def test_an_approval_that_has_ended_is_to_be_removed() -> None:
    text = HEAD + ENDED
    mappings = parse_mappings(text, file="mappings.yaml", now=NOW)

    [one] = suggest(mappings, build_observation(), Recorded(), text=text)

    assert (one.kind, one.key, one.confidence) == (
        ProposalKind.APPROVAL_ENDED,
        "approval-decrease-infima-101",
        Confidence.SURE,
    )
    assert apply_proposals(text, [one]) == HEAD


def test_what_was_declined_stands_again_only_when_it_says_something_else() -> None:
    text = HEAD + ENDED
    mappings = parse_mappings(text, file="mappings.yaml", now=NOW)
    [one] = suggest(mappings, build_observation(), Recorded(), text=text)
    declined = Offer(key=one.key, title=one.title, fate=Fate.DECLINED, since=NOW)

    assert standing([one], {one.fingerprint: declined}) == ((), (one,))
    assert standing([one], {one.fingerprint: replace(declined, fate=Fate.OFFERED)}) == ((one,), ())
    assert standing([one], {"what it said before": declined}) == ((one,), ())
