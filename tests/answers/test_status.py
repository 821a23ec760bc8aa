"""Clients and mappings at a glance: what needs somebody stands first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.answers.attached import invoice_note
from reconciler.answers.invoices import Attachment
from reconciler.answers.needs import NeedInput, find_needs
from reconciler.answers.status import Attention, client_rows, last_changes, status_rows
from reconciler.model import ClientRef, IgnoredClient, InfimaClient, InfimaClientId, MappingKey, Place, SubscriptionId
from reconciler.planning.changes import Plan, Violation
from reconciler.planning.rules import Rule
from reconciler.state.base import HistoryChange
from reconciler.state.recorded import Attached, InvoiceLook, Recorded
from tests.builders import NOW, build_change, build_hold, build_mapping, build_mappings, build_plan
from tests.core import build_line
from tests.history.months import past


def client(number: int) -> InfimaClient:
    return InfimaClient(id=InfimaClientId(number), name=f"Client {number}")


def history(key: str, before: int | None, after: int, **members: str) -> HistoryChange:
    return build_line(before, after, key=key, **members)


def test_each_client_has_its_state_unmapped_first() -> None:
    ignored = IgnoredClient(
        client=ClientRef(id=InfimaClientId(104), name="x"), reason="ours", place=Place(file="f", line=1, column=1)
    )
    mappings = replace(build_mappings(build_mapping(101), build_mapping(102, retired=True)), ignored=(ignored,))
    rows = client_rows(mappings, [client(n) for n in (101, 102, 103, 104)])
    assert [(row.client.id, str(row.state), row.key, row.reason) for row in rows] == [
        (103, "unmapped", None, ""),
        (101, "mapped", "infima-101", ""),
        (102, "retired", "infima-102", ""),
        (104, "ignored", None, "ours"),
    ]


def test_a_client_that_is_mapped_again_after_a_retired_mapping_is_mapped() -> None:
    mappings = build_mappings(build_mapping(101, key="new"), build_mapping(101, key="old", retired=True))
    assert [row.key for row in client_rows(mappings, [client(101)])] == ["new"]


def looks(**verdicts: Attached) -> Recorded:
    """What was seen of these mappings' Subscriptions, each bound to the one that `build_change` gives it."""
    found = {}
    for place, (name, verdict) in enumerate(verdicts.items(), start=1):
        number = SubscriptionId(place)
        found[MappingKey(name.replace("_", "-"))] = InvoiceLook(subscription_id=number, looked_at=NOW, verdict=verdict)
    return Recorded(looks=found)


def listed(plan: Plan, recorded: Recorded) -> Plan:
    return replace(plan, needs=find_needs(NeedInput(plan=plan, recorded=recorded, now=NOW)))


def test_what_waits_comes_before_what_is_pending_before_what_is_in_step() -> None:
    recorded = looks(infima_101=Attached.YES, infima_102=Attached.YES, infima_103=Attached.NO)
    plan = build_plan(
        build_change(build_mapping(101), before=5, after=5, subscription=1),
        build_change(build_mapping(102), before=5, after=6, subscription=2),
        build_change(build_mapping(103), before=5, after=5, subscription=3),
        build_change(build_mapping(104), subscription=4, hold=build_hold()),
    )
    rows = status_rows(listed(plan, recorded), {}, recorded)
    assert [(row.change.key, row.attention, row.invoice) for row in rows] == [
        ("infima-104", Attention.NEED, "not checked"),
        ("infima-103", Attention.NEED, "not attached (22 Nov 2026)"),
        ("infima-102", Attention.PENDING, "attached (22 Nov 2026)"),
        ("infima-101", Attention.NONE, "attached (22 Nov 2026)"),
    ]


def test_a_retired_subscription_needs_no_invoice() -> None:
    recorded = looks(infima_101=Attached.NO)
    plan = build_plan(build_change(build_mapping(retired=True), before=0, after=0, subscription=1))
    assert listed(plan, recorded).needs == ()


def test_what_a_refused_run_would_set_is_not_promised() -> None:
    refusal = Violation(rule=Rule.SOURCE_DROPPED, name="", message="half", remedy="look")
    plan = build_plan(build_change(before=12, after=18), violations=(refusal,))
    [row] = status_rows(plan, {}, Recorded())
    assert row.note == "18 is due; the whole run is refused"


def test_the_last_change_is_the_newest_that_was_written() -> None:
    runs = [
        past(NOW, history("acme", None, 5, action="create"), run="r1", old=True),
        past(NOW + timedelta(days=1), history("acme", 5, 6), run="r2", old=True),
        past(NOW + timedelta(days=2), history("acme", 6, 9, outcome="held"), run="r3", old=True),
        past(NOW + timedelta(days=3), history("acme", 6, 6, action="adopt"), run="r4", old=True),
    ]
    assert {key: last.run.info.id for key, last in last_changes(runs).items()} == {"acme": "r2"}


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Attached.YES, "on recurring invoices 231, 232"),
        (Attached.PERHAPS, "perhaps on"),
        (Attached.DISABLED, "switched off or has ended"),
        (Attached.NO, "on no recurring invoice"),
    ],
)
def test_invoices_in_words(verdict: Attached, said: str) -> None:
    assert said in invoice_note(Attachment(verdict=verdict, invoices=(-240, -241)))
