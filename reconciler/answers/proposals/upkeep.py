"""What is no longer true in mappings.yaml, proposed as edits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from reconciler.answers.proposals.values import Confidence, DropApproval, Proposal, ProposalKind, fingerprint
from reconciler.model import Approval, Mappings


def ended_approvals(mappings: Mappings, today: date) -> Iterable[Proposal]:
    for each in mappings.approvals:
        if each.until < today:
            yield _ended_approval(each)


def _ended_approval(each: Approval) -> Proposal:
    kind, name = ProposalKind.APPROVAL_ENDED, each.key or each.rule
    key = f"approval-{each.rule}" + (f"-{each.key}" if each.key else "")
    edit = DropApproval(rule=each.rule, key=each.key, until=each.until)
    return Proposal(
        kind=kind,
        key=key,
        confidence=Confidence.SURE,
        client="",
        customer="",
        title=f"Remove the approval of {each.rule} for {name}, which ended on {each.until.isoformat()}",
        evidence=(f"{each.place}: its last day was {each.until.isoformat()}, and after it an approval does nothing.",),
        users=None,
        tonight="nothing: it lifts no rule any more",
        command=f"reconciler propose --write {key}",
        fingerprint=fingerprint(kind, key, edit),
        edit=edit,
    )
