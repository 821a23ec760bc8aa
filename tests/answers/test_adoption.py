"""Decisions about bindings: what may be bound, given up or forgotten, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.answers.adoption import DecisionContext, abandon, adopt, recreate
from reconciler.errors import DecisionRefused
from reconciler.model import Mapping, MappingKey, Subscription, SubscriptionId
from reconciler.planning.index import index_subscriptions
from reconciler.state.recorded import Attempt, Binding, BindingOrigin, Recorded
from tests.builders import NOW, build_mapping, build_subscription
from tests.core import build_attempt, build_binding

KEY = MappingKey("infima-101")
NINE = SubscriptionId(9001)


def bound(number: int, key: str = KEY) -> dict[MappingKey, Binding]:
    binding = build_binding(number, key)
    return {binding.key: binding}


def attempted(hours: int = 1) -> dict[MappingKey, Attempt]:
    return {KEY: build_attempt(nonce="nonce-7", run="run-7", age=timedelta(hours=hours))}


def context(
    *listing: Subscription,
    recorded: Recorded | None = None,
    mapping: Mapping | None = None,
    others: tuple[Mapping, ...] = (),
) -> DecisionContext:
    mapping, recorded = mapping or build_mapping(), recorded or Recorded()
    return DecisionContext(
        mapping=mapping,
        index=index_subscriptions(listing, (mapping, *others), recorded),
        recorded=recorded,
        now=NOW,
        settle=timedelta(hours=20),
    )


def test_adopting_binds_to_the_mappings_customer_as_a_persons_word() -> None:
    decision = adopt(context(build_subscription(count=7)), NINE)
    assert decision.bind is not None
    assert (decision.bind.customer_id, decision.bind.origin, decision.count) == (12, BindingOrigin.ADOPTED, 7)
    assert (decision.give_up, decision.take_from, decision.settle) == ((), (), None)


@pytest.mark.parametrize(("count", "awaiting"), [(0, True), (7, False)])
def test_only_what_an_open_create_left_at_zero_waits_for_its_first_count(count: int, awaiting: bool) -> None:  # noqa: FBT001
    decision = adopt(context(build_subscription(count=count), recorded=Recorded(attempts=attempted())), NINE)
    assert decision.bind is not None
    assert decision.bind.awaiting_first_count is awaiting


def test_what_state_and_marker_said_before_is_given_up() -> None:
    rivals = (build_subscription(9002, marker=KEY), build_subscription(9003))
    decision = adopt(context(build_subscription(), *rivals, recorded=Recorded(bindings=bound(9003))), NINE)
    assert decision.give_up == (9002, 9003)


def test_a_dead_copy_of_the_marker_is_nothing_to_give_up() -> None:
    dead = build_subscription(9002, marker=KEY, deleted=True)
    assert adopt(context(build_subscription(), dead), NINE).give_up == ()


def test_a_foreign_marker_is_told_and_stays() -> None:
    decision = adopt(context(build_subscription(marker="CSP-1")), NINE)
    assert any("marker CSP-1, which stays" in line for line in decision.follows)


def test_what_was_given_up_can_be_taken_back() -> None:
    recorded = Recorded(given_up={KEY: (NINE,)})
    assert adopt(context(build_subscription(marker=KEY), recorded=recorded), NINE).bind is not None


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ((), "does not know"),
        ((build_subscription(deleted=True),), "is deleted"),
        ((build_subscription(is_active=False),), "is inactive"),
        ((build_subscription(customer=13),), "belongs to customer 13"),
        ((build_subscription(customer=None),), "belongs to no customer"),
        ((replace(build_subscription(), type=0),), "plain licence"),
    ],
)
def test_what_cannot_be_billed_for_this_customer_is_refused(listing: tuple[Subscription, ...], said: str) -> None:
    with pytest.raises(DecisionRefused, match=said):
        adopt(context(*listing), NINE)


def test_the_hint_names_what_the_customer_has() -> None:
    with pytest.raises(DecisionRefused) as caught:
        adopt(context(build_subscription(9005, name="Other"), build_subscription(9004)), NINE)
    assert caught.value.hint.index("9004") < caught.value.hint.index("9005")


@pytest.mark.parametrize("how", ["file", "state", "marker"])
def test_what_another_mapping_claims_is_refused(how: str) -> None:
    other = build_mapping(102, 12, subscription_id=9001 if how == "file" else None)
    recorded = Recorded(bindings=bound(9001, "infima-102")) if how == "state" else Recorded()
    found = build_subscription(marker="infima-102" if how == "marker" else None)
    with pytest.raises(DecisionRefused, match="belongs to mapping infima-102"):
        adopt(context(found, recorded=recorded, others=(other,)), NINE)


def test_a_key_outside_the_file_gives_way() -> None:
    decision = adopt(context(build_subscription(), recorded=Recorded(bindings=bound(9001, "old"))), NINE)
    assert decision.take_from == ("old",)


def test_abandoning_forgets_exactly_the_attempt_that_was_seen() -> None:
    decision = abandon(context(recorded=Recorded(attempts=attempted())))
    assert (decision.settle, decision.bind, decision.give_up) == ("nonce-7", None, ())


def test_abandoning_names_namesakes_of_the_customer() -> None:
    decision = abandon(context(build_subscription(), recorded=Recorded(attempts=attempted())))
    assert any("of the same name" in line for line in decision.seen)


def test_abandoning_what_took_effect_is_refused_even_when_it_is_inactive() -> None:
    dead = build_subscription(marker=KEY, is_active=False)
    with pytest.raises(DecisionRefused, match="did take effect"):
        abandon(context(dead, recorded=Recorded(attempts=attempted())))


def test_recreating_gives_up_all_that_is_gone() -> None:
    dead = build_subscription(9002, marker=KEY, deleted=True)
    assert recreate(context(dead, recorded=Recorded(bindings=bound(9001)))).give_up == (9001, 9002)


@pytest.mark.parametrize("customer", [12, 13])
def test_recreating_is_refused_while_anything_lives_wherever_it_is(customer: int) -> None:
    with pytest.raises(DecisionRefused, match="bill the customer twice"):
        recreate(context(build_subscription(customer=customer), recorded=Recorded(bindings=bound(9001))))


def test_times_do_not_make_a_decision_another_one() -> None:
    one = adopt(context(build_subscription()), NINE)
    later = adopt(replace(context(build_subscription()), now=NOW + timedelta(minutes=5)), NINE)
    assert one.writes == later.writes
