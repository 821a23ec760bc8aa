"""What is told as right again: only what really waits no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from reconciler.answers.needs import THE_RUN, needs_met
from reconciler.state.recorded import Need, NeedKind

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
HELD = Need(
    kind=NeedKind.HELD, id="held:infima-107", key="infima-107", who="Harbour Clinic", what="Zero.", step="ask",
    since=SINCE, users=12,
)  # fmt: skip
REFUSED = replace(HELD, kind=NeedKind.REFUSED, id="refused:source-empty", key="", who=THE_RUN)


def test_what_is_gone_is_met() -> None:
    assert needs_met([HELD, REFUSED], []) == (REFUSED, HELD)


def test_what_stays_is_not() -> None:
    assert needs_met([HELD], [replace(HELD, users=13)]) == ()


def test_of_a_mapping_nothing_is_met_while_anything_of_it_waits() -> None:
    failed = replace(HELD, kind=NeedKind.FAILED, id="failed:infima-107")
    assert needs_met([HELD], [failed]) == ()


def test_of_the_whole_run_nothing_is_met_while_anything_of_it_waits() -> None:
    overdue = replace(REFUSED, kind=NeedKind.OVERDUE, id="overdue:run")
    assert needs_met([REFUSED, HELD], [overdue]) == (HELD,)


def test_unmapped_clients_have_no_key_and_are_told_apart() -> None:
    one = replace(HELD, kind=NeedKind.UNMAPPED, id="unmapped:1", key="", who="One")
    two = replace(one, id="unmapped:2", who="Two")
    assert needs_met([one, two], [two]) == (one,)


def test_each_is_told_once() -> None:
    assert needs_met([HELD, HELD], []) == (HELD,)
