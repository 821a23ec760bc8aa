"""What a remembered look at recurring invoices tells."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model import SubscriptionId
from reconciler.state.recorded import Attached, InvoiceLook


@pytest.mark.parametrize(
    ("verdict", "everywhere", "numbers"),
    [
        (Attached.YES, True, (1, 3)),
        (Attached.YES, False, (1, 3)),
        (Attached.PERHAPS, True, None),
        (Attached.NO, True, ()),
        (Attached.NO, False, None),
    ],
)
def test_the_numbers_of_the_invoices_that_bill_or_that_it_is_left_open(
    verdict: Attached, numbers: tuple[int, ...] | None, *, everywhere: bool
) -> None:
    seen = InvoiceLook(
        subscription_id=SubscriptionId(9001),
        looked_at=datetime(2026, 11, 28, tzinfo=UTC),
        verdict=verdict,
        invoices=(-10, -12),
        everywhere=everywhere,
    )
    assert seen.billed_on == numbers
