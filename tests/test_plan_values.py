"""The plan's values where nothing is said."""

from __future__ import annotations

from reconciler.changes import Facts


def test_facts_that_nobody_gives_are_zero_in_a_state_that_lasts() -> None:
    assert Facts() == Facts(
        clients_listed=0,
        clients_wanted=0,
        clients_found=0,
        bindings=0,
        bindings_found=0,
        recorded_tenant=None,
        durable=True,
    )
