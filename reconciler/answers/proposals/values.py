"""A proposal as a value: what it would write, why, how sure that is, and what it would come to tonight."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date
from enum import StrEnum

from reconciler.config.edit import NewMapping, NewName
from reconciler.model import ClientRef, InfimaClientId, MappingKey


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
class JoinClient:
    """One more client in the mapping called `key`."""

    key: MappingKey
    client: ClientRef


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


Edit = NewMapping | JoinClient | NewName | Retire | Remark | DropIgnore | DropApproval


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


def fingerprint(kind: ProposalKind, key: str, *content: object) -> str:
    """A hash of what is proposed; numbers that change from night to night are no part of it."""
    spelled = json.dumps([kind, key, *map(_plain, content)], sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def as_sentence(text: str) -> str:
    """A line of its own, which begins with a word of ours; behind a command to be pasted stands no full stop."""
    ends = text.endswith((".", "?")) or "reconciler " in text
    return f"{text[:1].upper()}{text[1:]}" + ("" if ends else ".")
