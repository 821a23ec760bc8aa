"""What is offered tonight, given what people answered before. Pure.

An offer is answered by closing its pull request. A merged one was taken, so whoever undid it afterwards has answered as
well. What was answered is not offered again until the edit itself is another one, or a person asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.answers.proposals import Proposal
from reconciler.model import Fate, Offer, Offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The newest review that a person ended: when, where ("pull request 12"), and whether it was merged.

    `merged` is None where nobody can say: a branch that has gone may have been merged before.
    """

    at: datetime
    where: str
    merged: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The reviews of our branch. `open` is the number of the open one; `closed` the newest that was ended.

    `closed_head` is the commit that the branch had then. One that we ended ourselves, because nothing was left, does
    not count: nobody has answered it.
    """

    open: int | None = None
    closed: Closed | None = None
    closed_head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
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
