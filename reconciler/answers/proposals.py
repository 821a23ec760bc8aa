"""The edits of mappings.yaml that the two systems suggest, each with its evidence. Pure: facts in, proposals out.

A proposal is a value: what it would write, why, how sure that is, and what it would come to tonight. It never is an
approval or a higher limit, and nothing here writes: `apply_proposals` gives the new text, and a person, or a reviewed
pull request, decides about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum

from reconciler.config.edit import NewMapping, add_mapping, join_client, remove_approvals, retire_mapping, set_name
from reconciler.model import (
    Approval,
    ClientRef,
    CustomerRef,
    Fate,
    InfimaClientId,
    MappingKey,
    Mappings,
    Observation,
    Offers,
    Recorded,
)


class Confidence(StrEnum):
    """How sure a proposal is. `propose --write` makes those that are sure, `--likely` the likely ones too."""

    SURE = "sure"
    LIKELY = "likely"
    ASK = "ask"


class ProposalKind(StrEnum):
    """What is proposed, in the order in which it is told."""

    NEW_MAPPING = "new-mapping"  # an INFIMA client that nobody has mapped
    ADOPT = "adopt"  # the same, and the customer has a Subscription that is meant
    COMBINE = "combine"  # the same, and the customer is mapped already
    RENAME = "rename"  # a name in the file that is not today's
    RETIRE = "retire"  # a client that INFIMA has not listed for long
    FIXED_ENDS = "fixed-ends"  # a contract that ends soon
    UNMANAGED = "unmanaged"  # a Subscription with a marker of ours that no mapping has
    IGNORE_GONE = "ignore-gone"  # an ignored client that INFIMA has not listed for long
    APPROVAL_ENDED = "approval-ended"  # an approval whose last day is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One more client in the mapping called `key`."""

    key: MappingKey
    client: ClientRef


@dataclass(frozen=True, slots=True, kw_only=True)
class NewName:
    """Another name beside the id of this client or customer in the mapping called `key`."""

    key: MappingKey
    ref: ClientRef | CustomerRef
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """`retired: true` in the mapping called `key`."""

    key: MappingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment above the quantity of the mapping called `key`."""

    key: MappingKey
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIgnore:
    """The entry of `ignore` about this client goes."""

    client: InfimaClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropApproval:
    """The approval of this rule goes, for `key` where it is about one mapping; others of that key stay."""

    rule: str
    key: MappingKey | None
    until: date


Edit = NewMapping | Join | NewName | Retire | Remark | DropIgnore | DropApproval


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One suggested edit. All texts are plain, foreign names in them as they are: each drawing makes them safe.

    `key` is unique among the proposals of a file and the same on every night: `propose --again KEY`. `title` is one
    line, `evidence` are further ones. `client` and `customer` are names with ids, empty where there is none. `users`
    are those at stake, None where their number is not known. `tonight` is what the edit would come to in tonight's run.
    `command` is the next step for a person, and works when it is pasted. `edit` is None where only a person can say
    what to write. `fingerprint` stays the same while the edit does: a declined proposal is not made again until it
    changes.
    """

    kind: ProposalKind
    key: str
    confidence: Confidence
    client: str
    customer: str
    title: str
    evidence: tuple[str, ...]
    users: int | None
    tonight: str
    command: str
    fingerprint: str
    edit: Edit | None = None


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
    return tuple(_ended_approvals(mappings, today))


def standing(proposals: Iterable[Proposal], offers: Offers) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """The proposals that stand, and those that a person has declined as they are."""
    kept: list[Proposal] = []
    declined: list[Proposal] = []
    for one in proposals:
        before = offers.get(one.fingerprint)
        (declined if before is not None and before.fate is Fate.DECLINED else kept).append(one)
    return tuple(kept), tuple(declined)


def apply_proposals(text: str, proposals: Sequence[Proposal], *, file: str = "mappings.yaml") -> str:
    """`text` with these proposals' edits, every other byte as it was. Raises ConfigError where one is not possible.

    One after the other, so that applying them in several steps, a kind at a time, gives the same text.
    """
    for one in proposals:
        if one.edit is not None:
            text = edited(text, one.edit, file=file)
    return text


def edited(text: str, edit: Edit, *, file: str = "mappings.yaml") -> str:
    """`text` with one edit. Raises ConfigError where the file's layout does not allow it."""
    match edit:
        case NewMapping():
            return add_mapping(text, edit, file=file)
        case Join():
            return join_client(text, edit.key, edit.client, file=file)
        case NewName():
            return set_name(text, edit.ref, edit.name, file=file)
        case Retire():
            return retire_mapping(text, edit.key, file=file)
        case DropApproval():
            return remove_approvals(text, edit.key or edit.rule, file=file)
        case Remark() | DropIgnore():
            raise NotImplementedError


def fingerprint(kind: ProposalKind, key: str, *content: object) -> str:
    """A hash of what is proposed; numbers that change from night to night are no part of it."""
    spelled = json.dumps([kind, key, *map(_plain, content)], sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value  # type: ignore[call-overload]


def _ended_approvals(mappings: Mappings, today: date) -> Iterable[Proposal]:
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
