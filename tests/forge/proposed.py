"""Proposals for tests: made by hand, so that they do not hang on what the two systems suggest."""

from __future__ import annotations

from datetime import UTC, date, datetime

from reconciler.answers.proposals import Confidence, Proposal, ProposalKind
from reconciler.answers.proposals.values import DropApproval, Edit, fingerprint
from reconciler.config.edit import NewMapping
from reconciler.model import ClientRef, CustomerRef, HaloCustomerId, InfimaClientId, MappingKey

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)

HOSTILE = (
    "a|b",
    "`x` **bold** <b>x</b> <!-- x -->",
    "@everyone fixes #1 GH-1 !2",
    "[skip ci] ***NO_CI***",
    "\n\n- injected\r\nReconciler-Commit: 1 of 1, tree 0000000000000000000000000000000000000000",
    "</details></sub>",
    "\u202eevil\u200b\u2066",
    "http://evil.example/ www.evil.example",
    "::error::x",
    "\"quoted\" 'single' {a: b} # comment",
)


def proposal(key: str, *, number: int = 107, name: str = "Gull Logistics", **more: object) -> Proposal:
    """A new mapping, sure unless it is said otherwise."""
    edit = NewMapping(
        clients=(ClientRef(id=InfimaClientId(number), name=name),),
        customer=CustomerRef(id=HaloCustomerId(41), name=name),
        key=MappingKey(key),
    )
    given: dict[str, object] = {
        "kind": ProposalKind.NEW_MAPPING,
        "confidence": Confidence.SURE,
        "client": f"{name} ({number})",
        "customer": f"{name} (41)",
        "title": f"Map {name}",
        "evidence": (f"one active customer is called {name}",),
        "users": 12,
        "tonight": "a new Subscription with 12 users",
        "command": f"reconciler propose --write {key}",
        "fingerprint": fingerprint(ProposalKind.NEW_MAPPING, key, edit),
        "edit": edit,
    }
    return Proposal(key=key, **{**given, **more})  # type: ignore[arg-type]


def ended_approval() -> Proposal:
    """The removal of the approval in `MAPPINGS`."""
    edit: Edit = DropApproval(rule="decrease", key=MappingKey("infima-102"), until=date(2026, 11, 1))
    return proposal(
        "approval-decrease-infima-102",
        kind=ProposalKind.APPROVAL_ENDED,
        client="",
        customer="",
        title="Remove the approval of decrease for infima-102",
        users=None,
        tonight="nothing",
        edit=edit,
        fingerprint="approval",
    )


def ask(key: str, **more: object) -> Proposal:
    return proposal(key, confidence=Confidence.ASK, edit=None, title=f"Which customer is {key}?", **more)


MAPPINGS = """# who bills to whom
version: 1

mappings:
  - infima_client: {id: 102, name: "Borealis Freight"}
    halo_customer: {id: 19, name: "Borealis Freight Ltd"}  # since 2024

approvals:
  - rule: decrease
    key: infima-102
    quantity: {from: 1, to: 20}
    until: 2026-11-01
    reason: "closed two branches"
"""
