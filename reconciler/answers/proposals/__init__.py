"""The edits of mappings.yaml that the two systems suggest, each with its evidence. Pure: facts in, proposals out.

A proposal never is an approval or a higher limit, and nothing here writes: `apply_proposals` gives the new text, and a
person, or a reviewed pull request, decides about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto
from itertools import groupby
from typing import assert_never, cast

from reconciler.answers.proposals.newcomers import propose_newcomers
from reconciler.answers.proposals.upkeep import propose_unmanaged, propose_upkeep
from reconciler.answers.proposals.values import (
    Confidence,
    DropApproval,
    DropIgnore,
    JoinClient,
    Proposal,
    ProposalFacts,
    ProposalKind,
    Remark,
    Retire,
    SingleEdit,
    as_line,
    clients_to_weigh,
    judged,
    map_command,
)
from reconciler.config import Diagnostic, parse_mappings
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
from reconciler.errors import ConfigError, DecisionRefused
from reconciler.model import Mappings, Observation
from reconciler.planning.changes import Action, Change, Plan
from reconciler.planning.rules import Rule
from reconciler.state.recorded import Fate, Offers, Recorded

__all__ = ["Confidence", "Proposal", "ProposalKind", "apply_proposals", "clients_to_weigh", "standing", "suggest"]


def suggest(mappings: Mappings, observation: Observation, recorded: Recorded, *, text: str) -> tuple[Proposal, ...]:
    """All proposals, the surest first; `text` is the file that `mappings` was read from.

    Declined ones are among them: see `standing`. Each edit was tried: it is possible, and the file is valid after it;
    none is sure or likely that the plan of that file doubts.
    Raises `DecisionRefused` for other systems than those that the state belongs to, and where INFIMA's answer is in
    doubt as a whole: beside a new client there may be one that was left out.
    """
    facts = ProposalFacts.of(mappings, observation, recorded, text=text)
    for refusal in facts.plan.refusals:
        if refusal.rule in _HINTS:
            raise DecisionRefused(f"Nothing is proposed: {refusal.message}.", hint=_HINTS[refusal.rule])
    unmanaged = list(propose_unmanaged(facts))
    spoken_for = frozenset(client for _, client in unmanaged if client is not None)
    found = [*(one for one, _ in unmanaged), *propose_newcomers(facts, spoken_for), *propose_upkeep(facts)]
    companies = [[one for one in found if _company(one, facts) is company] for company in _Company]
    tried = [one for company in companies for wave in _waves(company) for one in _tried(wave, facts)]
    surest, kinds = list(Confidence), list(ProposalKind)
    return tuple(sorted(tried, key=lambda one: (surest.index(one.confidence), kinds.index(one.kind), one.key)))


_HINTS = {
    Rule.WRONG_TENANT: (
        "Look whether HALO_URL and INFIMA_API_KEY are the right ones, or name the right state with --state."
    ),
    Rule.SOURCE_EMPTY: "Look into INFIMA with `reconciler doctor`. `reconciler plan` tells what to do if it is right.",
    Rule.SOURCE_DROPPED: "Look into INFIMA. `reconciler plan` tells what to do if it is right.",
}
"""Refusals that put everything that was read in doubt, each with the next step."""


def standing(proposals: Iterable[Proposal], offers: Offers) -> tuple[tuple[Proposal, ...], tuple[Proposal, ...]]:
    """The proposals that stand, and those that a person has declined as they are."""
    kept: list[Proposal] = []
    declined: list[Proposal] = []
    for one in proposals:
        before = offers.get(one.fingerprint)
        (declined if before is not None and before.fate is Fate.DECLINED else kept).append(one)
    return tuple(kept), tuple(declined)


# ---------------------------------------------------------------------------------------------------------------------
# In the file, every other byte as it was
# ---------------------------------------------------------------------------------------------------------------------


def apply_proposals(text: str, proposals: Iterable[Proposal], *, file: str = "mappings.yaml") -> str:
    """`text` with these proposals' edits. Raises ConfigError where one of them is not possible.

    They are made in the order of their kinds, so that applying them a kind at a time gives the same text. Those that a
    large file may have many of are made in one step.
    """
    order = {kind: place for place, kind in enumerate(ProposalKind)}
    edits = [one.edit for one in sorted(proposals, key=lambda one: order[one.kind]) if one.edit is not None]
    for kind, alike in groupby(edits, key=type):
        if kind is NewMapping:
            text = add_mappings(text, cast("list[NewMapping]", list(alike)), file=file)
        elif kind is NewName:
            text = set_names(text, cast("list[NewName]", list(alike)), file=file)
        else:
            for each in cast("Iterable[SingleEdit]", alike):
                text = _edited(text, each, file)
    return text


def _edited(text: str, edit: SingleEdit, file: str) -> str:
    match edit:
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


# ---------------------------------------------------------------------------------------------------------------------
# What each would come to tonight
# ---------------------------------------------------------------------------------------------------------------------


def _waves(proposals: Sequence[Proposal]) -> Iterator[list[Proposal]]:
    """Proposals that do not touch each other, tried together; those that would share a customer come one after another.

    A large file is read a few times then, not once for every proposal.
    """
    left = list(proposals)
    while left:
        wave: list[Proposal] = []
        taken: set[str] = set()
        rest: list[Proposal] = []
        for one in left:
            touched = {one.customer, _key_of(one) or one.key} - {""} if isinstance(one.edit, _MOVING) else {one.key}
            (rest if taken & touched else wave).append(one)
            taken |= touched
        yield wave
        left = rest


_MOVING = (NewMapping, JoinClient, Retire)
"""Edits that may change what is billed."""


class _Company(Enum):
    """Proposals of one company do not change what the plan doubts about each other, wherever their customers are."""

    PLAIN = auto()
    MARKED = auto()  # its key stands in HaloPSA as a marker: to the plan of the others, the state has forgotten it
    QUESTION = auto()  # only a person can say whether its edit is made
    END = auto()  # a mapping that bills nobody any more takes doubts away from the others


def _company(one: Proposal, facts: ProposalFacts) -> _Company:
    if isinstance(one.edit, Retire):
        return _Company.END
    if one.confidence is Confidence.ASK:
        return _Company.QUESTION
    return _Company.MARKED if _key_of(one) in facts.index.by_marker else _Company.PLAIN


def _tried(wave: Sequence[Proposal], facts: ProposalFacts) -> Iterator[Proposal]:
    """The proposals of a wave with what tonight's run would do; one that the file does not take is left to a person."""
    try:
        plan = _plan_with(wave, facts)
    except ConfigError as error:
        half = len(wave) // 2
        if half:
            yield from _tried(wave[:half], facts)
            yield from _tried(wave[half:], facts)
        else:
            yield _left_to_a_person(wave[0], error)
        return
    changes = {str(change.key): change for change in plan.changes}
    before = {str(change.key): _tonight(change) for change in facts.plan.changes}
    for one in wave:
        key = _key_of(one)
        if key is None:
            yield one
            continue
        word = _tonight(changes[key])
        yield _judged(one if word == before.get(key) else replace(one, tonight=word), changes[key], plan)


def _judged(one: Proposal, change: Change, plan: Plan) -> Proposal:
    """The proposal; a question, with the plan's reasons, where the plan of the edited file doubts the mapping."""
    if one.confidence is Confidence.ASK or not isinstance(one.edit, _MOVING):
        return one
    doubts = {doubt.rule for doubt in change.doubts} - _OF_THE_NIGHT
    reasons = [each for each in plan.violations if each.name == change.key and each.stops and each.rule in doubts]
    if not reasons:
        return one
    told = (f"with this edit the plan holds the mapping: {each.message} ({each.rule})" for each in reasons)
    return replace(
        one,
        confidence=Confidence.ASK,
        evidence=(*one.evidence, *map(as_line, told)),
        tonight=f"held by {change.hold.rule}" if change.hold is not None else one.tonight,
        command=map_command(one.edit) if isinstance(one.edit, NewMapping) else one.command,
    )


_OF_THE_NIGHT = frozenset({Rule.CLIENT_UNREADABLE, Rule.FALLING})
"""Doubts about tonight's number. They say nothing against the edit."""


def _left_to_a_person(one: Proposal, error: ConfigError) -> Proposal:
    """The proposal without its edit, which the file does not take; with the reason."""
    told = [f"{each.message}; {each.hint}" for each in error.diagnostics if isinstance(each, Diagnostic)]
    why = told[0] if told else f"{error.message}; {error.hint}"
    by_question = isinstance(one.edit, NewMapping | JoinClient)
    return replace(
        one,
        confidence=Confidence.ASK,
        edit=None,
        evidence=(*one.evidence, as_line(f"this edit cannot be made in mappings.yaml: {why.rstrip('; ')}")),
        command="reconciler map" if by_question else "reconciler fmt",
    )


def _plan_with(wave: Sequence[Proposal], facts: ProposalFacts) -> Plan:
    """The plan with these edits in the file, judged by the safety rules."""
    text, mappings = apply_proposals(facts.text, wave, file=facts.mappings.file), facts.mappings
    if text != facts.text:
        mappings = parse_mappings(text, file=mappings.file, now=facts.observation.taken_at)
    return judged(mappings, facts.observation, facts.recorded)


def _key_of(one: Proposal) -> str | None:
    """The mapping whose quantity it is about, where it may change one."""
    match one.edit:
        case NewMapping():
            return one.edit.key or f"infima-{one.edit.clients[0].id}"
        case JoinClient() | Retire() | NewName():
            return one.edit.key
        case _:
            return None


def _tonight(change: Change) -> str:
    """What a run would do about one mapping."""
    before = change.before
    if change.hold is not None:
        return f"held by {change.hold.rule}: {change.hold.message}"
    match change.action:
        case Action.CREATE:
            return f"a new Subscription with the quantity {change.after.count}"
        case Action.UPDATE if before is not None:
            return f"Subscription {before.id}: {before.count} -> {change.after.count}"
        case _ if before is not None:
            return f"nothing: Subscription {before.id} stays at {before.count}"
        case _:
            return "nothing"
