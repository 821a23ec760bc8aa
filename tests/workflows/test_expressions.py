"""The little reader of workflow expressions reads them as GitHub does."""

from __future__ import annotations

import pytest

from tests.workflows.expressions import fill, holds

CONTEXTS = {
    "github": {"event_name": "push", "event": {"pull_request": {"number": 7}}},
    "steps": {"ready": {"outputs": {"ready": "true"}}},
    "needs": {"check": {"result": "success"}, "test": {"result": "failure"}},
}
FINE = {"always": lambda: True, "success": lambda: True, "cancelled": lambda: False, "join": lambda v, by: by.join(v)}
FAILED = {**FINE, "success": lambda: False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${{ github.event.pull_request.number }}", "7"),
        ("plan-${{ github.event.pull_request.number }}", "plan-7"),
        ("${{ github.event.missing.deeper }}", ""),
        ("${{ github.event_name == 'push' }}", "true"),
        ("${{ join(needs.*.result, ' ') }}", "success failure"),
        ("plain", "plain"),
    ],
)
def test_values_are_filled_in(text: str, value: str) -> None:
    assert fill(text, CONTEXTS, FINE) == value


@pytest.mark.parametrize(
    ("text", "fine", "failed"),
    [
        (None, True, False),
        ("${{ steps.ready.outputs.ready == 'true' }}", True, False),
        ("${{ always() && steps.ready.outputs.ready == 'true' }}", True, True),
        ("${{ always() && github.event_name != 'push' }}", False, False),
        ("${{ !cancelled() && (steps.nothing.outcome == '' || github.event_name == 'x') }}", True, True),
    ],
)
def test_a_condition_without_a_status_function_wants_success(text: str | None, *, fine: bool, failed: bool) -> None:
    assert (holds(text, CONTEXTS, FINE), holds(text, CONTEXTS, FAILED)) == (fine, failed)


@pytest.mark.parametrize("text", ["${{ github.a > 1 }}", "${{ nobody.knows }}", "${{ unknown() }}", "${{ 'a' 'b' }}"])
def test_what_is_not_known_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        fill(text, CONTEXTS, FINE)
