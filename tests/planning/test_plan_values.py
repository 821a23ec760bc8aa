"""The plan's values where nothing is said, and what a saved row would have sent."""

from __future__ import annotations

import pytest

from reconciler.model import MappingKey
from reconciler.planning.changes import Action, Facts, PlannedRow
from reconciler.planning.rules import Rule


def test_facts_that_nobody_gives_are_zero_in_a_state_that_lasts() -> None:
    assert Facts() == Facts(
        clients_wanted=0,
        clients_found=0,
        bindings=0,
        bindings_found=0,
        recorded_tenant=None,
        durable=True,
    )


@pytest.mark.parametrize(
    ("action", "hold", "writes"),
    [
        (Action.CREATE, None, True),
        (Action.UPDATE, None, True),
        (Action.NO_OP, None, False),
        (Action.UPDATE, Rule.ZERO, False),
        (Action.NO_OP, Rule.ZERO, False),
    ],
)
def test_a_saved_row_sends_something_unless_it_is_held_or_in_step(
    action: Action, hold: Rule | None, *, writes: bool
) -> None:
    row = PlannedRow(
        key=MappingKey("a"), action=action, subscription_id=None, before=None, after=7, customer_id=None, hold=hold
    )
    assert row.performs_write is writes
