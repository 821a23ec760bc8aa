"""What is offered again, and what a person's answer keeps from being offered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconciler.answers.proposals import Confidence, Proposal, ProposalKind
from reconciler.forge.github import Closed
from reconciler.forge.proposing import now_offered, sort_out
from reconciler.state.recorded import Fate, Offer, Offers

NIGHT = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
DAY = NIGHT + timedelta(hours=6)
TWELVE = "pull request 12"


def proposal(key: str, fingerprint: str = "") -> Proposal:
    return Proposal(
        kind=ProposalKind.NEW_MAPPING,
        key=key,
        confidence=Confidence.SURE,
        client="Gull Logistics (107)",
        customer="Gull Logistics Ltd (41)",
        title=f"Map {key}",
        evidence=(),
        users=12,
        tonight="12 users on a new Subscription",
        command=f"reconciler propose --write {key}",
        fingerprint=fingerprint or f"print-of-{key}",
    )


ONE, TWO = proposal("one"), proposal("two")
OFFERED = now_offered({}, [ONE, TWO], at=NIGHT, where=TWELVE)


def closed(*, merged: bool | None, at: datetime = DAY) -> Closed:
    return Closed(at=at, where=TWELVE, merged=merged)


def fates(offers: Offers) -> dict[str, Fate]:
    return {offer.key: offer.fate for offer in offers.values()}


def test_what_nobody_has_answered_is_offered_on() -> None:
    sorted_out = sort_out([ONE, TWO], OFFERED, None)
    assert sorted_out.offered == (ONE, TWO)
    assert sorted_out.remembered == OFFERED


def test_a_closed_pull_request_declines_all_that_stood_in_it() -> None:
    sorted_out = sort_out([ONE, TWO, proposal("three")], OFFERED, closed(merged=False))
    assert [one.key for one in sorted_out.offered] == ["three"]
    assert [(one.key, offer.where, offer.since) for one, offer in sorted_out.declined] == [
        ("one", TWELVE, DAY),
        ("two", TWELVE, DAY),
    ]


def test_it_stays_declined() -> None:
    first = sort_out([ONE, TWO], OFFERED, closed(merged=False))
    for nightly in ([ONE, TWO], [], [ONE]):
        first = sort_out(nightly, first.remembered, None)
        assert first.offered == ()
    assert fates(first.remembered) == {"one": Fate.DECLINED, "two": Fate.DECLINED}


def test_another_edit_under_the_same_key_is_offered() -> None:
    first = sort_out([ONE], OFFERED, closed(merged=False))
    other = proposal("one", "another")
    assert sort_out([other], first.remembered, None).offered == (other,)


def test_what_was_merged_is_taken_and_declined_once_it_is_undone() -> None:
    taken = sort_out([], OFFERED, closed(merged=True))
    assert fates(taken.remembered) == {"one": Fate.TAKEN, "two": Fate.TAKEN}
    undone = sort_out([ONE], taken.remembered, closed(merged=True))
    assert undone.offered == ()
    ((_, offer),) = undone.declined
    assert offer.where == "pull request 12, undone afterwards"
    assert fates(undone.remembered) == {"one": Fate.DECLINED, "two": Fate.TAKEN}


def test_what_a_person_took_out_before_the_merge_is_declined() -> None:
    undone = sort_out([TWO], OFFERED, closed(merged=True))
    assert [one.key for one, _ in undone.declined] == ["two"]
    assert fates(undone.remembered) == {"one": Fate.TAKEN, "two": Fate.DECLINED}


def test_an_answer_from_before_the_offer_is_no_answer_to_it() -> None:
    early = Closed(at=NIGHT - timedelta(hours=1), where="pull request 11", merged=False)
    assert sort_out([ONE, TWO], OFFERED, early).offered == (ONE, TWO)


def test_an_answer_in_the_very_second_of_the_offer_counts() -> None:
    """GitHub's times have no fractions, ours do."""
    at_once = closed(merged=False, at=NIGHT - timedelta(milliseconds=700))
    assert sort_out([ONE, TWO], OFFERED, at_once).offered == ()


def test_what_is_suggested_no_more_is_forgotten_unless_it_was_answered() -> None:
    assert sort_out([], OFFERED, None).remembered == {}


def test_a_pull_request_that_was_opened_again_offers_again() -> None:
    declined = sort_out([ONE], OFFERED, closed(merged=False)).remembered
    assert sort_out([ONE], declined, None, reopened=TWELVE).offered == (ONE,)
    assert sort_out([ONE], declined, None, reopened="pull request 13").offered == ()


def test_a_branch_that_has_gone_tells_by_what_is_suggested_still() -> None:
    answered = sort_out([ONE], OFFERED, closed(merged=None))
    assert fates(answered.remembered) == {"one": Fate.DECLINED, "two": Fate.TAKEN}
    assert answered.remembered[ONE.fingerprint].where == TWELVE


def test_what_is_forgotten_is_offered_again() -> None:
    """`propose --again` forgets the answer."""
    declined = sort_out([ONE, TWO], OFFERED, closed(merged=False)).remembered
    again = {fingerprint: offer for fingerprint, offer in declined.items() if offer.key != "one"}
    assert sort_out([ONE, TWO], again, closed(merged=False)).offered == (ONE,)


def test_since_when_it_is_offered_stays_while_the_review_is_the_same() -> None:
    assert now_offered(OFFERED, [ONE, TWO], at=DAY, where=TWELVE) == OFFERED
    moved = now_offered(OFFERED, [ONE], at=DAY, where="pull request 13")
    assert moved[ONE.fingerprint] == Offer(
        key="one", title="Map one", fate=Fate.OFFERED, since=DAY, where="pull request 13"
    )
