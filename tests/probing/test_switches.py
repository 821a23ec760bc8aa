"""Every position of every switch of the simulator is told from the others by a probe, or it is said why it cannot be.

The table is made from `Switches`: a new switch is asked for here, and fails until a question of the probe tells it or
`UNSEEN` says why none can.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from reconciler.probing.report import encode_report
from reconciler.simulator.switches import Switches, switches_as_probed
from tests.probing.setting import ProbeStage, probe_world

INFIMA = "INFIMA's: a probe asks HaloPSA"
NOT_SENT = "reconciler never sends such a quantity, and a probe sends 0 and 1 only"
LIMIT = "a probe does not run into the request limit on purpose"
SET_UP = "what this application may do, which doctor tries: no habit of HaloPSA's"

UNSEEN: dict[str, str] = {
    "rate_limit": LIMIT,
    "rate_window_seconds": LIMIT,
    "count_fraction": NOT_SENT,
    "count_negative": NOT_SENT,
    "customer_currency": "a customer's own value; a probe looks at its own Subscriptions",
    "search": "reconciler decides nothing by HaloPSA's search",
    "application_scopes": SET_UP,
    "agent_lacks": SET_UP,
    "tenant_required": "the sign-in with HALO_TENANT as it is set works, or no question can be asked",
    "user_count": INFIMA,
    "status_filter": INFIMA,
    "status_default": INFIMA,
    "status_spelling": INFIMA,
    "total": INFIMA,
    "limit_over_50": INFIMA,
    "bad_key": INFIMA,
    "key_client": INFIMA,
    "other_client": INFIMA,
    "archived": INFIMA,
}
"""Switches that no probe can see, each with the reason."""

SAME: dict[tuple[str, Any], str] = {
    ("prices", "zero"): "as given: a new Subscription has no price, and a probe writes none",
    ("unknown_id", "revive"): "as not_found: it concerns deleted rows, and a probe deletes nothing",
    ("page_ceiling", None): "as 1000: reconciler asks for 1,000 rows",
    ("deleted_listed", False): "untold: that none is listed proves nothing, and a probe deletes nothing",
}
"""Positions that look like another one, each with the reason."""

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "token_seconds": (60, 3600, 7200),
    "lag_seconds": (0, 3, 20),
    "lag_reads": (0, 1, 3),
    "envelope_key": ("licences", "softwarelicences"),
    "default_rows": (50, 20),
    "page_ceiling": (50, 100, 1000, None),
    "marker_fields": (("snowid", "third_party_productid", "notes"), ("snowid",), ("snowid", "notes"), ("notes",)),
    "scopes_withheld": ((), ("read:invoices",)),
}
"""Positions of the switches whose type does not list them."""

BESIDES: dict[str, dict[str, Any]] = {
    "refusal_status": {"update_requires": "client"},
    "refusal_shape": {"update_requires": "client"},
    "lag_of": {"lag_seconds": 4},
    "lag_on_single_read": {"lag_seconds": 4},
    "includeinactive_honoured": {"includeinactive_default": True},
    "marker_fields": {"marker": "dropped"},
    "missing_scope_status": {
        "edit_implies_read": False,
        "application_scopes": (*Switches().application_scopes, "read:softwarelicensing"),
    },
    "edit_implies_read": {"application_scopes": (*Switches().application_scopes, "read:softwarelicensing")},
    "retry_after": {"rate_limit": 12, "rate_window_seconds": 40},
    "rate_body": {"rate_limit": 12, "rate_window_seconds": 40},
}
"""What makes a switch visible at all."""

ROWS = {"page_ceiling": 1_100}
HINTS = get_type_hints(Switches)


def positions(name: str) -> tuple[Any, ...]:
    if name in EXAMPLES:
        return EXAMPLES[name]
    if HINTS[name] is bool:
        return False, True
    if get_origin(HINTS[name]) is Literal:
        return get_args(HINTS[name])
    return (f"a switch of type {HINTS[name]} needs EXAMPLES",)


TABLE = [
    (each.name, position) for each in fields(Switches) if each.name not in UNSEEN for position in positions(each.name)
]


def as_probed(folder: Path, name: str, position: Any) -> Switches:
    """The switches that a probe of such a world sets."""
    world = probe_world(ROWS.get(name, 130))
    if name == "deleted_listed":
        world.licences[9005]["deleted"] = True
    if name == "invoice_lines_in_list":
        assert world.invoices
    stage = ProbeStage(folder, world=world, **{**BESIDES.get(name, {}), name: position})
    ended = stage.probe()
    assert stage.sent[-1] <= 60
    assert all(row["count"] == 0 for row in stage.made()) or (name, position) == ("count_zero", "refuse")
    return Switches.from_json(switches_as_probed(json.loads(encode_report(ended.report))))


@pytest.mark.parametrize(("name", "position"), TABLE, ids=str)
def test_a_position_is_told_from_the_others(tmp_path: Path, name: str, position: Any) -> None:
    seen = getattr(as_probed(tmp_path, name, position), name)
    if (name, position) in SAME:
        assert seen in positions(name)
        return
    if name == "lag_seconds":
        assert position <= seen <= position * 2 + 1, "polls are that far apart"
        assert (seen == 0) == (position == 0)
        return
    assert seen == position


def test_every_reason_is_about_a_switch_that_exists() -> None:
    names = {each.name for each in fields(Switches)}
    assert set(UNSEEN) | set(EXAMPLES) | set(BESIDES) | {name for name, _ in SAME} <= names
    assert all(UNSEEN.values())
    assert not set(UNSEEN) & {name for name, _ in SAME}
