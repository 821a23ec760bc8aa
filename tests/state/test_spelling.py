"""One spelling for each value."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal

import pytest

from reconciler.state.spelling import to_line
from tests.state.samples import START


def test_each_kind_of_value_has_one_spelling() -> None:
    value = {
        "at": START,
        "day": date(2026, 11, 22),
        "keys": frozenset({"corvid", "acme"}),
        "name": "Münch\x7f\n\ud83d",
        "none": None,
        "price": Decimal("2.50"),
        "share": 1.5,
    }
    assert to_line(value) == (
        '{"at": "2026-11-22T05:17:03Z", "day": "2026-11-22", "keys": ["acme", "corvid"], '
        '"name": "M\\u00fcnch\\u007f\\n\\ud83d", "none": null, "price": "2.50", "share": 1.5}'
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, datetime(2026, 11, 22)])  # noqa: DTZ001 - the point of it
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON has no|no time zone"):
        to_line({"value": value})
