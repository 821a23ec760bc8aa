"""`source-dropped` after a loss of the state: what is not remembered is not compared, and the plan says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model import Limits, MappingKey, Mappings
from reconciler.plan import diff
from reconciler.planning.changes import Plan
from reconciler.planning.rules import Rule
from reconciler.safety.check import check
from reconciler.state.recorded import BindingOrigin, Recorded
from tests.builders import build_mapping, build_mappings, build_observation, build_subscription
from tests.core import build_binding, build_client, build_count, build_customer, build_recorded
from tests.stage import Stage, small_mappings, small_world

NOTHING = "INFIMA's counts cannot be compared with earlier ones: the state does not remember any"
NUMBERS = range(1, 5)


def fallen(recorded: Recorded, *, marked: bool = True) -> Plan:
    """Four Subscriptions of 40, and INFIMA counts 20 for each."""
    mappings = build_mappings(*(build_mapping(100 + n, 10 + n, name=f"Client {n}") for n in NUMBERS))
    return judged(mappings, recorded, marked=marked)


def judged(mappings: Mappings, recorded: Recorded, *, marked: bool = True) -> Plan:
    observation = build_observation(
        clients=[build_client(100 + n, f"Client {n}") for n in NUMBERS],
        counts=[build_count(100 + n, 20) for n in NUMBERS],
        customers=[build_customer(10 + n, f"Client {n}") for n in NUMBERS],
        subscriptions=[
            build_subscription(9000 + n, 10 + n, 40, marker=f"infima-{100 + n}" if marked else None) for n in NUMBERS
        ],
    )
    return check(diff(mappings, observation, recorded), Limits())


def bound(*counts: int | None, origin: BindingOrigin = BindingOrigin.CREATED) -> Recorded:
    """A state that knows as many of the Subscriptions, with the counts that it remembers of them."""
    return build_recorded(
        *(
            build_binding(9000 + n, f"infima-{100 + n}", customer=10 + n, last_counted=counted, origin=origin)
            for n, counted in enumerate(counts, start=1)
        )
    )


def refused_and_told(plan: Plan) -> tuple[bool, bool]:
    rules = [violation.rule for violation in plan.violations]
    return Rule.SOURCE_DROPPED in rules, any(warning.startswith(NOTHING) for warning in plan.warnings)


def test_an_empty_state_beside_our_markers_has_nothing_to_compare_with() -> None:
    assert refused_and_told(fallen(Recorded())) == (False, True)


@pytest.mark.parametrize("counts", [(40,), (40, None), (40, 40, 40, 40)])
def test_one_count_that_is_remembered_leaves_the_rule_as_it_is(counts: tuple[int | None, ...]) -> None:
    assert refused_and_told(fallen(bound(*counts))) == (True, False)


def test_a_state_that_knows_every_subscription_is_not_lost() -> None:
    """An older version kept no counts; what HaloPSA bills stands for them."""
    assert refused_and_told(fallen(bound(None, None, None, None))) == (True, False)


def test_what_was_found_again_and_never_confirmed_is_no_memory() -> None:
    """The first run after the loss bound them and was killed."""
    again = bound(None, None, None, None, origin=BindingOrigin.MARKER)
    assert refused_and_told(fallen(again)) == (False, True)


def test_a_first_run_over_adopted_subscriptions_compares_with_what_they_bill() -> None:
    """No marker of this file stands anywhere, so nothing was lost."""
    mappings = build_mappings(
        *(build_mapping(100 + n, 10 + n, name=f"Client {n}", subscription_id=9000 + n) for n in NUMBERS)
    )
    assert refused_and_told(judged(mappings, Recorded(), marked=False)) == (True, False)


def test_a_count_of_a_mapping_that_has_left_the_file_is_no_memory_of_the_others() -> None:
    gone = build_recorded(build_binding(9099, "infima-199", last_counted=50))
    assert refused_and_told(fallen(gone)) == (False, True)


def test_an_undecided_loss_without_any_count_has_nothing_to_compare_with() -> None:
    recorded = build_recorded(*bound(None, None, None, None).bindings.values(), undecided=(MappingKey("infima-105"),))
    assert refused_and_told(fallen(recorded)) == (False, True)


def test_after_a_loss_an_edited_rule_is_no_fall_and_the_next_night_compares_again(tmp_path: Path) -> None:
    """The 10 that are billed were 10 users; read by today's rule they would be 50."""
    stage = Stage(
        small_world(), tmp_path, small_mappings(c101="    quantity: {included: 40, minimum: 9}"), remembers=False
    )
    first = stage.apply()
    assert (refused_and_told(first.plan), first.verdict.exit_code) == ((False, True), 3)
    assert stage.count_of(9001) == 9
    assert refused_and_told(stage.plan()) == (False, False)
