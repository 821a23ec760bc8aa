"""The story of one night's proposals: what people answered, what is offered now, the branch, its review, the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from reconciler.answers.proposals import Confidence, Proposal
from reconciler.errors import Forbidden, StateError
from reconciler.forge.github import GitHub, Kept, pull_request
from reconciler.forge.offering import Closed, Offering, Reviews, now_offered, sort_out
from reconciler.forge.proposal_branch import BranchLook, ProposalBranch
from reconciler.forge.proposal_edits import ProposedEdits, propose_edits
from reconciler.forge.proposals import Proposed, body, one_line, title
from reconciler.forge.words import Origin
from reconciler.model import Fate, Offers
from reconciler.plan_document.layout import PlanJson

MARKER = "<!-- reconciler: proposals -->"


class Review(Protocol):
    """Where a forge has the branch looked at: a pull request, a merge request."""

    @property
    def way_out(self) -> str:
        """How a person declines there."""
        ...

    def find(self, look: BranchLook) -> Reviews:
        """What became of the reviews so far."""
        ...

    def push_options(self, told: Proposed) -> tuple[str, ...]:
        """Wishes that go with the push, for a forge that takes them so."""
        ...

    def keep(self, told: Proposed) -> tuple[str, str]:
        """Open it or bring it up to date; how it is called, and what was done. Without a name there is none."""
        ...

    def close(self, told: Proposed) -> str:
        """End it, because nothing is left; what was done. The branch is deleted afterwards."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubReview:
    """A pull request."""

    github: GitHub
    branch: str
    base: str
    where: Origin
    way_out: str = "close it"

    def find(self, look: BranchLook) -> Reviews:  # noqa: ARG002 - GitHub itself remembers
        return self.github.reviews(self.branch, self.base)

    def push_options(self, told: Proposed) -> tuple[str, ...]:  # noqa: ARG002 - GitHub takes none
        return ()

    def keep(self, told: Proposed) -> tuple[str, str]:
        text = _sized(told, self.where)
        try:
            kept = self.github.keep_pull_request(self.branch, self.base, MARKER, title(told), text)
        except Forbidden as error:
            return "", f"The branch {self.branch} is there, but no pull request: {error.hint} Or open it by hand."
        number = self.github.reviews(self.branch, self.base).open
        name = pull_request(number) if number else f"branch {self.branch}"
        return name, f"{name[:1].upper()}{name[1:]}: {kept}."

    def close(self, told: Proposed) -> str:
        text = _sized(told, self.where)
        kept = self.github.close_pull_request(self.branch, self.base, MARKER, title(told), text)
        return "" if kept is Kept.NOTHING else f"The pull request: {kept}, because nothing is left."


def _sized(told: Proposed, where: Origin) -> Callable[[int], str]:
    return lambda limit: body(told, where, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabReview:
    """A merge request, which GitLab opens when the push asks for it. It cannot be read with what a job may.

    A branch that is gone, or merged, is the answer of a person. Deleting the branch closes the merge request.
    """

    branch: str
    base: str
    job_url: str
    now: datetime
    way_out: str = "close it and delete its branch"

    def find(self, look: BranchLook) -> Reviews:
        where = f"branch {self.branch}"
        if look.tip is None:
            return Reviews(closed=Closed(at=self.now, where=f"{where}, deleted", merged=None))
        return Reviews(closed=Closed(at=self.now, where=where, merged=True)) if look.merged else Reviews()

    def push_options(self, told: Proposed) -> tuple[str, ...]:
        wishes = {"target": self.base, "title": title(told), "description": one_line(told, self.job_url)}
        return ("merge_request.create", *(f"merge_request.{name}={value}" for name, value in wishes.items()))

    def keep(self, told: Proposed) -> tuple[str, str]:  # noqa: ARG002 - the push has said it all
        return f"branch {self.branch}", f"GitLab keeps a merge request for {self.branch}."

    def close(self, told: Proposed) -> str:  # noqa: ARG002 - as above
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalJob:
    """What a night's proposals are made from. `text` is mappings.yaml as the default branch has it at `path`.

    `known` is what was remembered, `remember` writes it. `plan_of` plans for a text of mappings.yaml; None where that
    is not in order. `state` and `remembers` are as in `Proposed`.
    """

    branch: ProposalBranch
    look: BranchLook
    path: str
    text: str
    proposals: tuple[Proposal, ...]
    known: Offers
    remember: Callable[[Callable[[Offers], Offers]], None]
    plan_of: Callable[[str | bytes], PlanJson | None]
    now: Callable[[], datetime]
    state: str = ""
    remembers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NightReport:
    """What is proposed, what was done for it, a line each, and what somebody should look at; empty where nothing."""

    told: Proposed
    done: tuple[str, ...] = ()
    warning: str = ""


def bring_up_to_date(job: ProposalJob, review: Review) -> NightReport:
    """Make branch and review say what is proposed tonight.

    What people did on the branch is never overwritten: then only the review's text is brought up to date.
    """
    found, look = review.find(job.look), job.look
    if found.closed is not None and found.closed.merged and found.closed_head == look.tip:
        look = replace(look, people=())  # whatever people did there is on the default branch now
    night = _Night(job=job, review=review, found=found, look=look)
    if look.people:
        return _leave_alone(night)
    edits = propose_edits(job.text, _for_the_branch(night.offering.offered), file=job.path, now=job.now())
    document = job.plan_of(edits.text) if edits.commits else None
    told = _told(night, edits, document=document)
    return _offer(night, told, edits) if edits.commits else _withdraw(night, told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Night:
    """The job, what the forge knows of its review, and the branch as it is judged."""

    job: ProposalJob
    review: Review
    found: Reviews
    look: BranchLook

    @property
    def offering(self) -> Offering:
        return self.sorted_by(self.job.known)

    def sorted_by(self, known: Offers) -> Offering:
        reopened = pull_request(self.found.open) if self.found.open else ""
        return sort_out(self.job.proposals, known, self.found.closed, reopened=reopened)


def _offer(night: _Night, told: Proposed, edits: ProposedEdits) -> NightReport:
    job = night.job
    options = night.review.push_options(told)
    pushed = job.branch.put(night.look, job.path, edits.commits, now=job.now(), options=options)
    branch = f"Branch {job.branch.name}: {'pushed' if pushed else 'unchanged'}, {len(edits.made)} proposed."
    where, done = night.review.keep(told)
    at, made = job.now(), edits.made if where else ()  # what nobody can answer was not offered
    job.remember(lambda known: now_offered(night.sorted_by(known).remembered, made, at=at, where=where))
    if not where:
        return NightReport(told=told, done=(branch,), warning=done)
    return NightReport(told=told, done=(branch, done))


def _withdraw(night: _Night, told: Proposed) -> NightReport:
    """Nothing is left. It is remembered before the branch goes: a branch that has gone is a person's answer."""
    job = night.job
    job.remember(lambda known: night.sorted_by(known).remembered)
    done = night.review.close(told)
    job.branch.remove(night.look)
    removed = f"Branch {job.branch.name}: deleted." if night.look.tip else "Nothing is proposed."
    return NightReport(told=told, done=tuple(filter(None, (done, removed))))


def _leave_alone(night: _Night) -> NightReport:
    """People worked on the branch: it is theirs, and only the text is brought up to date."""
    job, offering = night.job, night.offering
    there = {f for f, offer in offering.remembered.items() if offer.fate is Fate.OFFERED}
    offered = _for_the_branch(offering.offered)
    document = _plan_at_tip(night)
    told = replace(
        _told(night, ProposedEdits(commits=(), made=(), text=job.text), document=document),
        made=tuple(one for one in offered if one.fingerprint in there),
        waiting=tuple(one for one in offered if one.fingerprint not in there),
        people=night.look.people,
    )
    job.remember(lambda known: night.sorted_by(known).remembered)
    alone = f"Branch {job.branch.name} is left alone: people worked on it."
    if night.found.open:
        return NightReport(told=told, done=(alone, night.review.keep(told)[1]))
    left = "Merge it, or close and delete it: the night after makes a new one of what is left."
    return NightReport(told=told, warning=f"{alone} {left}")


def _plan_at_tip(night: _Night) -> PlanJson | None:
    try:
        content = night.job.branch.file(night.job.path, night.look.tip or "")
    except StateError:  # people took the file away
        return None
    return night.job.plan_of(content)


def _for_the_branch(offered: Sequence[Proposal]) -> list[Proposal]:
    return [one for one in offered if one.edit is not None and one.confidence is not Confidence.ASK]


def _told(night: _Night, edits: ProposedEdits, *, document: PlanJson | None) -> Proposed:
    offering, job = night.offering, night.job
    on_the_branch = {one.fingerprint for one in _for_the_branch(offering.offered)} - set(edits.left)
    return Proposed(
        branch=job.branch.name,
        made=edits.made,
        asked=tuple(one for one in offering.offered if one.fingerprint not in on_the_branch),
        declined=offering.declined,
        left=edits.left,
        document=document,
        state=job.state,
        remembers=job.remembers,
        way_out=night.review.way_out,
    )
