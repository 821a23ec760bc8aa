"""One night's proposals: what people answered, what is offered now, the branch, its review, what is remembered.

An offer is answered by closing its pull request. A merged one was taken, so whoever undid it afterwards has answered as
well. What was answered is not offered again until the edit itself is another one, or a person asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from reconciler.answers.proposals import Confidence, Proposal
from reconciler.answers.words import capital
from reconciler.errors import Forbidden, StateError
from reconciler.forge.branches import BranchLook, ProposalBranch
from reconciler.forge.github import Body, Closed, GitHub, Kept, Reviews, pull_request
from reconciler.forge.proposals import Proposed, ProposedEdits, body, one_line, propose_edits, title
from reconciler.forge.words import Origin
from reconciler.plan_document.layout import PlanJson
from reconciler.state.recorded import Fate, Offer, Offers

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
        """Open it or bring it up to date. Returns its name, empty where there is none, and what was done."""
        ...

    def close(self, told: Proposed) -> str:
        """End it, because nothing is left, and return what was done. The branch is deleted afterwards."""
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
        try:
            kept = self._put(self.github.keep_pull_request, told)
        except Forbidden as error:
            return "", f"The branch {self.branch} is there, but no pull request: {error.hint} Or open it by hand."
        number = self.github.reviews(self.branch, self.base).open
        name = pull_request(number) if number else f"branch {self.branch}"
        return name, f"{capital(name)}: {kept}."

    def close(self, told: Proposed) -> str:
        kept = self._put(self.github.close_pull_request, told)
        return "" if kept is Kept.NOTHING else f"The pull request: {kept}, because nothing is left."

    def _put(self, put: Callable[[str, str, str, str, Body], Kept], told: Proposed) -> Kept:
        return put(self.branch, self.base, MARKER, title(told), lambda limit: body(told, self.where, limit=limit))


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
    """What is proposed, a line for each thing that was done, and what somebody should look at (may be empty)."""

    told: Proposed
    done: tuple[str, ...] = ()
    warning: str = ""


def bring_up_to_date(job: ProposalJob, review: Review) -> NightReport:
    """Make branch and review say what is proposed tonight.

    What people did on the branch is never overwritten: then only the review's text is brought up to date.
    """
    night = _Night(job, review)
    if night.look.people:
        return night.leave_alone()
    edits = propose_edits(job.text, night.for_the_branch, file=job.path, now=job.now())
    return night.offer(edits) if edits.commits else night.withdraw(edits)


class _Night:
    """The job, what the forge knows of its review, the branch as it is judged, and tonight's proposals, sorted."""

    def __init__(self, job: ProposalJob, review: Review) -> None:
        self.job, self.review, self.look, self.found = job, review, job.look, review.find(job.look)
        closed = self.found.closed
        if closed is not None and closed.merged and self.found.closed_head == job.look.tip:
            self.look = replace(job.look, people=())  # whatever people did there is on the default branch now
        self.offering = self.sorted_by(job.known)
        self.for_the_branch = [
            one for one in self.offering.offered if one.edit is not None and one.confidence is not Confidence.ASK
        ]

    def sorted_by(self, known: Offers) -> Offering:
        reopened = pull_request(self.found.open) if self.found.open else ""
        return sort_out(self.job.proposals, known, self.found.closed, reopened=reopened)

    def offer(self, edits: ProposedEdits) -> NightReport:
        """Push the commits and bring the review up to date."""
        job, told = self.job, self._told(edits, self.job.plan_of(edits.text))
        options = self.review.push_options(told)
        pushed = job.branch.put(self.look, job.path, edits.commits, now=job.now(), options=options)
        branch = f"Branch {job.branch.name}: {'pushed' if pushed else 'unchanged'}, {len(edits.made)} proposed."
        where, done = self.review.keep(told)
        at, made = job.now(), edits.made if where else ()  # what nobody can answer was not offered
        job.remember(lambda known: now_offered(self.sorted_by(known).remembered, made, at=at, where=where))
        if not where:
            return NightReport(told=told, done=(branch,), warning=done)
        return NightReport(told=told, done=(branch, done))

    def withdraw(self, edits: ProposedEdits) -> NightReport:
        """Nothing is left. It is remembered before the branch goes: a branch that has gone is a person's answer."""
        job, told = self.job, self._told(edits, None)
        job.remember(lambda known: self.sorted_by(known).remembered)
        done = self.review.close(told)
        job.branch.remove(self.look)
        removed = f"Branch {job.branch.name}: deleted." if self.look.tip else "Nothing is proposed."
        return NightReport(told=told, done=tuple(filter(None, (done, removed))))

    def leave_alone(self) -> NightReport:
        """People worked on the branch: it is theirs, and only the text is brought up to date."""
        job = self.job
        try:
            theirs = job.branch.file(job.path, self.look.tip or "")
        except StateError:  # people took the file away
            theirs = None
        document = job.plan_of(theirs) if theirs is not None else None
        there = {f for f, offer in self.offering.remembered.items() if offer.fate is Fate.OFFERED}
        told = replace(
            self._told(ProposedEdits(commits=(), made=(), text=job.text), document),
            made=tuple(one for one in self.for_the_branch if one.fingerprint in there),
            waiting=tuple(one for one in self.for_the_branch if one.fingerprint not in there),
            people=self.look.people,
        )
        job.remember(lambda known: self.sorted_by(known).remembered)
        alone = f"Branch {job.branch.name} is left alone: people worked on it."
        if self.found.open:
            return NightReport(told=told, done=(alone, self.review.keep(told)[1]))
        left = "Merge it, or close and delete it: the night after makes a new one of what is left."
        return NightReport(told=told, warning=f"{alone} {left}")

    def _told(self, edits: ProposedEdits, document: PlanJson | None) -> Proposed:
        on_the_branch = {one.fingerprint for one in self.for_the_branch} - set(edits.left)
        return Proposed(
            made=edits.made,
            asked=tuple(one for one in self.offering.offered if one.fingerprint not in on_the_branch),
            declined=self.offering.declined,
            left=edits.left,
            document=document,
            state=self.job.state,
            remembers=self.job.remembers,
            way_out=self.review.way_out,
        )


# ---- what people answered -------------------------------------------------------------------------------------------


class Offering(NamedTuple):
    """Tonight's proposals, sorted: those to offer, those declined, and what is remembered of either from now on."""

    offered: tuple[Proposal, ...]
    declined: tuple[tuple[Proposal, Offer], ...]
    remembered: Offers


def sort_out(proposals: Sequence[Proposal], known: Offers, closed: Closed | None, *, reopened: str = "") -> Offering:
    """Sort tonight's proposals by what was answered. `reopened` is the review that is open now."""
    suggested = {one.fingerprint for one in proposals}
    answered = {
        fingerprint: _answered(offer, closed, reopened=reopened, suggested=fingerprint in suggested)
        for fingerprint, offer in known.items()
    }
    # What the systems suggest no more, and nobody has answered, is as if it had never been offered.
    remembered = {f: offer for f, offer in answered.items() if f in suggested or offer.fate is not Fate.OFFERED}
    declined = {f: offer for f, offer in remembered.items() if offer.fate is Fate.DECLINED}
    return Offering(
        offered=tuple(one for one in proposals if one.fingerprint not in declined),
        declined=tuple((one, declined[one.fingerprint]) for one in proposals if one.fingerprint in declined),
        remembered=remembered,
    )


def _answered(offer: Offer, closed: Closed | None, *, reopened: str, suggested: bool) -> Offer:
    """The offer with the answer that it got."""
    if offer.fate is Fate.TAKEN:
        undone = replace(offer, fate=Fate.DECLINED, where=f"{offer.where}, undone afterwards")
        return undone if suggested else offer
    if offer.fate is Fate.DECLINED:
        return replace(offer, fate=Fate.OFFERED) if offer.where == reopened else offer
    if closed is None or (closed.where != offer.where and closed.at <= offer.since):
        return offer
    taken = closed.merged is True or (closed.merged is None and not suggested)
    answer = replace(offer, fate=Fate.TAKEN if taken else Fate.DECLINED, since=closed.at, where=closed.where)
    return _answered(answer, None, reopened="", suggested=suggested)


def now_offered(known: Offers, proposals: Iterable[Proposal], *, at: datetime, where: str) -> Offers:
    """What is remembered once these stand in a review; since when one stands in it stays."""
    standing = {f for f, offer in known.items() if offer.fate is Fate.OFFERED and offer.where == where}
    new = {
        one.fingerprint: Offer(key=one.key, title=one.title, fate=Fate.OFFERED, since=at, where=where)
        for one in proposals
        if one.fingerprint not in standing
    }
    return {**known, **new}
