"""What holds for every desired and every live state: the diff closes the gap, is quiet when closed, and is one plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reconciler.model import (
    CountRule,
    HaloCustomerId,
    Mapping,
    MappingKey,
    Mappings,
    Observation,
    QuantityRule,
    Subscription,
    UnreadableUsers,
    UserCount,
)
from reconciler.plan import diff
from reconciler.plan_document import plan_document
from reconciler.planning.changes import Action, Plan, select
from reconciler.planning.index import index_subscriptions
from reconciler.planning.quantity import apply_rule
from reconciler.planning.rules import Allowance, Rule
from reconciler.safety.check import check
from reconciler.state.recorded import Binding, Recorded
from tests.builders import build_mapping, build_mappings, build_observation, build_subscription
from tests.core import (
    build_attempt,
    build_binding,
    build_client,
    build_count,
    build_customer,
    build_recorded,
    unreadable,
)


def holds_for(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`given`, on a machine that may be busy."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        quiet = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
        return quiet(given(*strategies)(test))

    return decorate


COUNTS = st.integers(0, 60)
RARELY = st.sampled_from([False] * 7 + [True])
RULES = st.builds(
    QuantityRule,
    count=st.sampled_from(CountRule),
    included=st.sampled_from([0, 0, 5]),
    minimum=st.sampled_from([None, None, 3]),
    maximum=st.sampled_from([None, None, 40]),
    fixed=st.sampled_from([None, None, None, 0, 25]),
    allow_zero=st.booleans(),
)


class Draft:
    """One mapping with its live sides, before they are put together: number n is client 100+n of customer 200+n."""

    def __init__(self, draw: st.DrawFn, number: int) -> None:
        self.mapping = build_mapping(
            100 + number,
            200 + number,
            name=f"Client {number}",
            rule=draw(RULES),
            retired=draw(st.sampled_from([False, False, False, True])),
            more_clients=[(150 + number, f"Branch {number}")] if draw(st.booleans()) else [],
        )
        ids = [ref.id for ref in self.mapping.infima_clients]
        listed = [number for number in ids if not draw(RARELY)]
        self.clients = [
            build_client(n, "Renamed" if draw(RARELY) else _name(self.mapping, n), user_count=draw(COUNTS))
            for n in listed
        ]
        self.counts: list[UserCount | UnreadableUsers] = [
            unreadable(n) if draw(RARELY) else build_count(n, draw(COUNTS)) for n in listed
        ]
        self.customers = [build_customer(self.mapping.halo_customer.id, f"Client {number}", inactive=draw(RARELY))] * (
            0 if draw(RARELY) else 1
        )
        self.rows = draw(st.lists(_rows(self.mapping, number), max_size=2, unique_by=lambda row: row.id))
        self.bindings = draw(st.lists(st.sampled_from([300 + number, 400 + number]), max_size=1))
        self.attempted = draw(RARELY)


def _name(mapping: Mapping, number: int) -> str:
    return next(ref.name for ref in mapping.infima_clients if ref.id == number)


def _rows(mapping: Mapping, number: int) -> st.SearchStrategy[Subscription]:
    return st.builds(
        build_subscription,
        st.sampled_from([300 + number, 400 + number]),
        st.sampled_from([mapping.halo_customer.id] * 6 + [HaloCustomerId(299)]),
        st.sampled_from([None, *range(60)]),
        marker=st.sampled_from([str(mapping.key)] * 4 + [None, None, "infima-999"]),
        is_active=RARELY.map(lambda rare: not rare),
        deleted=RARELY,
    )


@st.composite
def situations(draw: st.DrawFn, least: int = 0) -> tuple[Mappings, Observation, Recorded]:
    """Desired state, live state and recorded state, each piece as odd as it may come."""
    drafts = [Draft(draw, number) for number in range(draw(st.integers(least, 4)))]
    observation = build_observation(
        clients=[c for d in drafts for c in d.clients] + [build_client(999, "Nobody's")],
        counts=[u for d in drafts for u in d.counts],
        customers=[c for d in drafts for c in d.customers],
        subscriptions=[row for d in drafts for row in d.rows],
    )
    bindings: list[Binding] = [
        build_binding(number, d.mapping.key, customer=d.mapping.halo_customer.id, last_counted=draw(st.none() | COUNTS))
        for d in drafts
        for number in d.bindings
    ]
    attempts = [build_attempt(d.mapping.key) for d in drafts if d.attempted and not d.bindings]
    return build_mappings(*(d.mapping for d in drafts)), observation, build_recorded(*bindings, attempts=attempts)


def performed(plan: Plan, observation: Observation) -> Observation:
    """The live state after every write of the plan."""
    rows = {row.id: row for row in observation.subscriptions}
    for number, change in enumerate(plan.writes):
        after = change.after
        if change.action is Action.CREATE:
            made = build_subscription(9000 + number, after.customer_id, after.count, name=after.name, marker=change.key)
            rows[made.id] = made
        else:
            assert after.id is not None
            rows[after.id] = replace(rows[after.id], count=after.count)
    return replace(observation, subscriptions=tuple(rows.values()))


def document_of(plan: Plan) -> str:
    return json.dumps(plan_document(plan, version="0"))


# --- diff ------------------------------------------------------------------------------------------------------------


@holds_for(situations())
def test_applying_the_diff_closes_the_gap(situation: tuple[Mappings, Observation, Recorded]) -> None:
    """After the writes a second plan has none, and each quantity is what was counted."""
    mappings, observation, recorded = situation
    first = check(diff(mappings, observation, recorded), mappings.limits)
    assume(not first.refused)
    after = performed(first, observation)
    settled = replace(recorded, attempts={k: a for k, a in recorded.attempts.items() if k not in _written(first)})
    second = check(diff(mappings, after, settled), mappings.limits)
    assert second.writes == ()
    for change in second.changes:
        if change.key in _written(first):
            assert change.before is not None
            assert change.before.count == change.quantity.result


def _written(plan: Plan) -> set[MappingKey]:
    return {change.key for change in plan.writes}


@holds_for(situations())
def test_what_is_in_step_is_left_alone(situation: tuple[Mappings, Observation, Recorded]) -> None:
    mappings, observation, recorded = situation
    for change in diff(mappings, observation, recorded).changes:
        if change.before is not None and change.before.count == change.quantity.result:
            assert change.action is Action.NO_OP
            assert change.after == change.before


@holds_for(situations(least=1), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_mappings_does_not_matter(
    situation: tuple[Mappings, Observation, Recorded], random: Random
) -> None:
    """Equal plans, and equal to the byte once they are written down (O1, O2)."""
    mappings, observation, recorded = situation

    def shuffled(rows: Sequence[object]) -> tuple[object, ...]:
        mixed = list(rows)
        random.shuffle(mixed)
        return tuple(mixed)

    other = replace(
        observation,
        clients=shuffled(observation.clients),  # type: ignore[arg-type]
        user_counts=shuffled(observation.user_counts),  # type: ignore[arg-type]
        customers=shuffled(observation.customers),  # type: ignore[arg-type]
        subscriptions=shuffled(observation.subscriptions),  # type: ignore[arg-type]
    )
    mixed = replace(
        recorded,
        bindings=dict(shuffled(list(recorded.bindings.items()))),  # type: ignore[call-overload]
        attempts=dict(shuffled(list(recorded.attempts.items()))),  # type: ignore[call-overload]
    )
    jumbled = replace(mappings, mappings=shuffled(mappings.mappings))  # type: ignore[arg-type]
    plain = check(diff(mappings, observation, recorded), mappings.limits)
    again = check(diff(jumbled, other, mixed), mappings.limits)
    assert again == plain
    assert document_of(again) == document_of(plain)


@holds_for(situations(least=1), st.data())
def test_a_mapping_more_or_less_leaves_the_other_rows_as_they_were(
    situation: tuple[Mappings, Observation, Recorded], data: st.DataObject
) -> None:
    """Each mapping here has its own customer, so that none is another's namesake (O3). A lost state concerns all."""
    mappings, observation, recorded = situation
    assume(not index_subscriptions(observation.subscriptions, mappings.mappings, recorded).forgotten)
    out = data.draw(st.sampled_from(mappings.mappings))
    fewer = replace(mappings, mappings=tuple(m for m in mappings.mappings if m is not out))
    rows = {c.key: c for c in diff(mappings, observation, recorded).changes if c.key != out.key}
    assert {c.key: c for c in diff(fewer, observation, recorded).changes} == rows


@holds_for(situations())
def test_every_written_number_comes_from_a_complete_read_or_from_the_file(
    situation: tuple[Mappings, Observation, Recorded],
) -> None:
    """M1, M6 and M7 as far as a plan can keep them."""
    mappings, observation, recorded = situation
    read = {u.client_id: u.active for u in observation.user_counts if isinstance(u, UserCount)}
    records = {c.id: c.user_count for c in observation.clients}
    for change in check(diff(mappings, observation, recorded), mappings.limits).writes:
        mapping = change.mapping
        if mapping.retired:
            assert change.after.count == 0
            continue
        if mapping.quantity.fixed is not None:
            assert change.after.count == mapping.quantity.fixed
            continue
        source = records if mapping.quantity.count is CountRule.CLIENT_RECORD else read
        numbers = [source[ref.id] for ref in mapping.infima_clients]
        assert change.after.count == apply_rule(mapping.quantity, sum(n or 0 for n in numbers))
        if change.after.count == 0 and change.action is Action.UPDATE:
            assert mapping.quantity.allow_zero


@holds_for(situations())
def test_an_update_touches_nothing_but_the_count_of_one_live_subscription_of_its_customer(
    situation: tuple[Mappings, Observation, Recorded],
) -> None:
    mappings, observation, recorded = situation
    plan = check(diff(mappings, observation, recorded), mappings.limits)
    rows = {row.id: row for row in observation.subscriptions}
    updates = [c for c in plan.writes if c.action is Action.UPDATE]
    assert len({c.after.id for c in updates}) == len(updates)
    for change in updates:
        assert change.before is not None
        assert replace(change.after, count=change.before.count) == change.before
        assert change.after.id is not None
        row = rows[change.after.id]
        assert row.live
        assert row.is_subscription
        assert row.customer_id == change.mapping.halo_customer.id


@holds_for(situations())
def test_a_create_has_no_candidate(situation: tuple[Mappings, Observation, Recorded]) -> None:
    mappings, observation, recorded = situation
    for change in check(diff(mappings, observation, recorded), mappings.limits).writes:
        if change.action is Action.CREATE:
            assert change.key not in recorded.bindings
            assert change.key not in {row.marker for row in observation.subscriptions}
            assert change.key not in recorded.attempts


# --- check and select ------------------------------------------------------------------------------------------------

ALLOWANCES = st.lists(st.builds(Allowance, rule=st.sampled_from(Rule), reason=st.just("r")), max_size=18)


@holds_for(situations(), ALLOWANCES)
def test_rules_only_take_writes_away(
    situation: tuple[Mappings, Observation, Recorded], allowances: list[Allowance]
) -> None:
    mappings, observation, recorded = situation
    bare = diff(mappings, observation, recorded)
    judged = check(bare, mappings.limits, allowances)
    assert tuple(replace(c, hold=None) for c in judged.changes) == bare.changes
    assert {c.key for c in judged.writes} <= {c.key for c in bare.writes}


@holds_for(situations(), ALLOWANCES)
def test_no_allowance_reaches_what_is_not_to_be_lifted(
    situation: tuple[Mappings, Observation, Recorded], allowances: list[Allowance]
) -> None:
    mappings, observation, recorded = situation
    judged = check(diff(mappings, observation, recorded), mappings.limits, allowances)
    for change in judged.writes:
        assert all(doubt.rule.liftable for doubt in change.doubts)


@holds_for(situations())
def test_every_hold_has_its_violation_and_every_violation_its_hold(
    situation: tuple[Mappings, Observation, Recorded],
) -> None:
    mappings, observation, recorded = situation
    judged = check(diff(mappings, observation, recorded), mappings.limits)
    named = {v.name for v in judged.violations if v.name}
    assert {c.key for c in judged.held} == named
    for change in judged.held:
        assert change.hold is not None
        assert change.hold.message in {v.message for v in judged.violations if v.name == change.key}


@holds_for(situations(), st.data())
def test_only_and_exclude_change_no_row(situation: tuple[Mappings, Observation, Recorded], data: st.DataObject) -> None:
    mappings, observation, recorded = situation
    judged = check(diff(mappings, observation, recorded), mappings.limits)
    keys = [c.key for c in judged.changes]
    wanted = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    part = select(judged, only=wanted)
    assert set(part.writes) <= set(judged.writes)
    assert set(part.changes) <= set(judged.changes)
