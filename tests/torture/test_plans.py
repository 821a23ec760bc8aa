"""A slice of O1 to O3: the same input, the same plan, whatever the order, the pages, the shapes, the other mappings."""

from __future__ import annotations

import pytest

from tests.torture.plans import play_plan


@pytest.mark.parametrize("seed", range(12))
def test_order_pages_shapes_and_other_mappings_do_not_matter(seed: int) -> None:
    assert play_plan(seed).violations == []
