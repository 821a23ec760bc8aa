"""Proposals for the billing engineer who decides about them: the commits of the branch, and the text of its review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.answers.proposals import Confidence, Proposal, ProposalKind, apply_proposals
from reconciler.answers.words import capital, day_words, plural, sentence
from reconciler.config import parse_mappings
from reconciler.errors import ConfigError
from reconciler.forge.branches import ProposedCommit
from reconciler.forge.words import COMMENT_LIMIT, Origin, fitted, in_plain_words, written_by
from reconciler.plan_document.layout import PlanJson
from reconciler.render.document import view
from reconciler.render.markdown import Block, fitted_blocks, render_markdown
from reconciler.render.text import commit_safe, markdown_code, markdown_safe
from reconciler.render.words import need_a_person
from reconciler.state.recorded import Offer

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
        after = apply_proposals(text, alike, file=file)
        if after != text:
            parse_mappings(after, file=file, now=now)
    except ConfigError as error:
        if len(alike) == 1:
            left[alike[0].fingerprint] = error.message
            return [], text
    else:
        return alike, after
    done: list[Proposal] = []
    for one in alike:
        more, text = _put(text, [one], left, file=file, now=now)
        done += more
    return done, text


def _commit(kind: ProposalKind, done: Sequence[Proposal], after: str) -> ProposedCommit:
    lines = []
    for one in done:
        lines.append(f"- {commit_safe(one.title, _WIDTH)}")
        lines += [f"  {commit_safe(line, _WIDTH)}" for line in one.evidence]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"- and more: {len(done)} in all"]
    return ProposedCommit(subject=subject(kind, len(done)), lines=tuple(lines), content=after.encode("utf-8"))


def subject(kind: ProposalKind, number: int) -> str:
    """What so many edits of a kind do, in one line without a name."""
    verb, noun, rest = _SUBJECTS[kind]
    return f"{verb} {plural(number, noun)}{rest}"


# ---- the text of the review -----------------------------------------------------------------------------------------

_CELL = 500
_PROSE = 2_000
_HEADER = "| INFIMA client | HaloPSA customer | Why | Users | What tonight would write |\n|---|---|---|---:|---|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What there is to say. `made` stand on the branch; `asked` wait for a person's own edit.

    `left` has, by fingerprint, why an edit could not be made in this file. `people` tells what people did on the
    branch, which is then left to them; `waiting` are proposals that are therefore not on it. `document` is the plan of
    the branch; None where mappings.yaml on it is not in order. `state` is how --state names what remembers the answers,
    and `remembers` is false where that does not outlast the job; `way_out` is how a person declines.
    """

    made: tuple[Proposal, ...]
    asked: tuple[Proposal, ...]
    declined: tuple[tuple[Proposal, Offer], ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    waiting: tuple[Proposal, ...] = ()
    document: PlanJson | None = None
    state: str = ""
    remembers: bool = True
    way_out: str = "close it"


def title(told: Proposed) -> str:
    """The pull request's title: numbers, and never a name."""
    if not told.made and not told.people:
        return "mappings.yaml: nothing is proposed any more"
    return f"mappings.yaml: {plural(len(told.made), 'proposed edit')}"


def one_line(told: Proposed, where: str) -> str:
    """The description where a forge takes a single line. `where` is the address of the whole text, or empty."""
    asked = f" {need_a_person(len(told.asked))} besides." if told.asked else ""
    place = f" The evidence and the plan: {where}" if where else ""
    return f"{plural(len(told.made), 'edit')} of mappings.yaml that INFIMA and HaloPSA suggest.{asked}{place}"


def body(told: Proposed, where: Origin, *, limit: int = COMMENT_LIMIT) -> str:
    """The whole text in at most `limit` characters; what was left out is said."""
    bottom = written_by(where)
    lead = _lead(told)
    everything = "`reconciler propose` shows all of them."
    parts, room = fitted_blocks(_blocks(told), limit - len(bottom) - len(lead) - 200, elsewhere=everything)
    if told.document is not None:
        heading = "## What tonight's run would do with this branch"
        parts.append(f"{heading}\n\n{render_markdown(told.document, limit=max(room - len(heading), 0)).rstrip()}")
    return fitted("\n\n".join([lead, *parts]), bottom, limit)


def _lead(told: Proposed) -> str:
    if told.people:
        return "\n\n".join(_left_alone(told))
    if not told.made:
        done = "Each edit of mappings.yaml that was proposed here is made, or INFIMA and HaloPSA suggest it no longer."
        left = "What is left needs a person." if told.asked else "Nobody has to do anything."
        return f"## Nothing is proposed any more\n\n{done} {left}"
    lead = [f"## {plural(len(told.made), 'proposed edit')} of mappings.yaml", " ".join(_sentences(told))]
    if not told.remembers:
        lead.append(
            "**What is declined here is not remembered**, because the state does not outlast the job: set "
            "`RECONCILER_STATE: git:reconciler-state`."
        )
    return "\n\n".join(lead)


def _sentences(told: Proposed) -> Iterator[str]:
    yield "INFIMA and HaloPSA suggest these edits. Nothing has been written to HaloPSA."
    if told.document is not None:
        yield in_plain_words(view(told.document)).replace("Merging the edit", "Merging it")
    yield (
        f"**To agree**, merge it. **To decline**, {told.way_out}: nothing of it is proposed again. To decline one "
        "edit, take it out of mappings.yaml on this branch and merge the rest; from then on the branch is yours, and "
        "the program leaves it alone."
    )


def _left_alone(told: Proposed) -> Iterator[str]:
    yield "## Proposed edits of mappings.yaml, edited by people"
    yield (
        "People have worked on this branch, so the program leaves it alone and only brings this text up to date. Merge "
        "the pull request, or close it and delete the branch: the night after that makes a new one of what is left."
    )
    yield "\n".join(f"- {markdown_safe(one, _CELL)}" for one in told.people[:20])
    if told.document is None:
        yield "**mappings.yaml on this branch is not in order**, so there is no plan of it: see the checks below."


def _blocks(told: Proposed) -> Iterator[tuple[Block, int]]:
    """Each part that may be cut, with the share of the room that is left which it may take (1 is all, 2 half)."""
    for kind in ProposalKind:
        alike = [one for one in told.made if one.kind is kind]
        if alike:
            opening = f"**{subject(kind, len(alike))}:**\n\n{_HEADER}"
            yield Block(what=f"edits of the kind {kind}", opening=opening, items=[_row(one) for one in alike]), 2
    if told.waiting:
        opening = "### Suggested since people worked on this branch, and not on it\n\n" + _HEADER
        yield Block(what="edits that are not on the branch", opening=opening, items=[_row(o) for o in told.waiting]), 3
    if told.asked:
        items = [_asked(one, told.left) for one in told.asked]
        yield Block(what="things that need a person", opening=f"### {need_a_person(len(told.asked))}\n", items=items), 2
    if told.declined:
        opening = f"<details><summary>{len(told.declined)} declined</summary>\n"
        items = [_declined(one, offer, told.state) for one, offer in told.declined]
        yield Block(what="declined edits", opening=opening, items=items, closing="\n</details>"), 4


_SAID_BY_THE_ROW = {ProposalKind.NEW_MAPPING, ProposalKind.ADOPT, ProposalKind.COMBINE}
"""Kinds whose title says no more than the heading and the row's other cells."""

_WITHOUT_USERS = {ProposalKind.RENAME, ProposalKind.IGNORE_GONE, ProposalKind.APPROVAL_ENDED}
"""Kinds that are about nobody's number."""


def _row(one: Proposal) -> str:
    unsure = f"**{one.confidence}**: " if one.confidence is not Confidence.SURE else ""
    cells = (
        markdown_safe(one.client) if one.client else "-",
        markdown_safe(one.customer) if one.customer else "-",
        unsure + markdown_safe(_evidence(one), _CELL),
        _users(one),
        markdown_safe(one.tonight, _CELL),
    )
    return f"| {' | '.join(cells)} |"


def _users(one: Proposal) -> str:
    if one.users is None:
        return "-" if one.kind in _WITHOUT_USERS else "?"
    return str(one.users)


def _evidence(one: Proposal) -> str:
    return _prose(one.evidence if one.kind in _SAID_BY_THE_ROW and one.evidence else (one.title, *one.evidence))


def _prose(texts: Iterable[str]) -> str:
    return " ".join(capital(sentence(text)) for text in texts)


_WITH_COMMAND = re.compile(r"(.+): (reconciler map \d+ --(?:customer \d+ --key \S+|ignore '[a-z ]+'))")
"""Evidence that ends with another command of ours, whole: no name of a client or customer stands behind one."""


def _asked(one: Proposal, left: Mapping[str, str]) -> str:
    others = [found for line in one.evidence if (found := _WITH_COMMAND.fullmatch(line))]
    why = _prose((one.title, *(line for line in one.evidence if not _WITH_COMMAND.fullmatch(line))))
    if one.fingerprint in left:
        why = f"{why} The edit could not be made here: {left[one.fingerprint]}"
    lines = [f"- {markdown_safe(why, _PROSE)}", f"  - To do: {_command(one.command)}"]
    return "\n".join([*lines, *(f"  - {markdown_safe(found[1], _CELL)}: {_command(found[2])}" for found in others)])


def _command(text: str) -> str:
    return markdown_code(text, _CELL)


def _declined(one: Proposal, offer: Offer, state: str) -> str:
    where = f", {offer.where}" if offer.where else ""
    again = _command(" ".join(filter(None, ["reconciler propose --again", one.key, state and f"--state {state}"])))
    return f"- {markdown_safe(one.title, _CELL)}: {day_words(offer.since)}{markdown_safe(where)}. Again: {again}"
