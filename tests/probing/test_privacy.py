"""No value of a customer, a user or the partner stands in probe.json: names of members, types, statuses, our own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.probing.report import encode_report
from reconciler.probing.shapes import shape_of
from reconciler.simulator.world import World, WorldCredentials
from tests.clock import VirtualClock
from tests.faults.kinds import Fault, FaultKind
from tests.probing.setting import ProbeStage

CUSTOMER = 7345001
WORD = "Zorblax"
"""Stands in every text of this world; its numbers begin with 7345."""

CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "refusals": {"update_requires": "client_name_type", "equal_creates": "refuse", "count_zero": "refuse_at_create"},
    "binding": {"update_requires": "client", "refusal_shape": "binding"},
    "text": {"update_requires": "client", "refusal_shape": "string"},
    "members": {"unknown_members": True, "prices": "yearly", "count_shape": "string"},
    "markers": {"marker": "overwritten"},
    "lists": {"page_ceiling": 20, "order": "changing", "record_count": "wrong", "default_rows": 10},
    "paging": {"paging_ignored": True, "invoice_lines_in_list": "filled", "includeinactive_honoured": False},
    "lag": {"lag_seconds": 5, "lag_on_single_read": True, "post_shape": "array"},
    "limit": {"rate_limit": 15, "rate_window_seconds": 40, "rate_body": "object"},
    "filters": {"licence_type_honoured": False, "envelope_key": "softwarelicences"},
    "reset": {"update_mode": "reset"},
    "created": {"unknown_id": "create"},
}


def telling_world() -> World:
    """A world in which every foreign value can be recognised."""
    secrets = WorldCredentials(halo_client_id=f"{WORD}-id", halo_client_secret=f"{WORD}-secret")
    world = World(clock=VirtualClock(), partner=f"{WORD} Managed IT", credentials=secrets)
    for number in range(7345001, 7345020):
        world.add_customer(number, f"{WORD} customer {number}", accountsid=f"{WORD}-{number}")
        world.add_client(number, f"{WORD} client {number}", active=734)
    texts = {name: f"{WORD} {name}" for name in ("notes", "snowid", "product_sku", "billing_cycle", "distributor")}
    for number in range(60):
        world.add_licence(
            7345001 + number % 19, f"{WORD} licence {number}", 73450 + number, licence_id=73450100 + number,
            price=7345.67, is_active=number % 9 != 4, site_name=f"{WORD} site", deleted=number % 17 == 3, **texts,
        )  # fmt: skip
    line = {"id": 7345900, "description": f"{WORD} line", "quantity_subscriptions": [{"licence_id": 73450100}]}
    world.add_invoice(7345002, f"{WORD} invoice", [line], total=7345.99)
    return world


@pytest.mark.parametrize("case", CASES)
def test_no_foreign_value_stands_in_the_report(tmp_path: Path, case: str) -> None:
    stage = ProbeStage(tmp_path, world=telling_world(), **CASES[case])
    text = encode_report(stage.probe(CUSTOMER).report)
    assert WORD.casefold() not in text.casefold()
    assert not re.search(r"7345", text)
    for text_of_ours in ("halo.example.com", "api agent", "bearer", "simulator-token", "dana"):
        assert text_of_ours not in text.casefold()


@pytest.mark.parametrize("kind", [FaultKind.BAD_REQUEST, FaultKind.HTML, FaultKind.WARNING, FaultKind.UNPROCESSABLE])
def test_no_foreign_value_comes_in_with_what_goes_wrong(tmp_path: Path, kind: FaultKind) -> None:
    for nth in range(1, 9):
        stage = ProbeStage(tmp_path / str(nth), world=telling_world())
        stage.faults.script = (Fault(kind=kind, at="halo.write", nth=nth, after=True),)
        text = encode_report(stage.probe(CUSTOMER).report)
        assert WORD.casefold() not in text.casefold()
        assert "7345" not in text


def test_texts_of_a_report_are_ours_or_names_and_types(tmp_path: Path) -> None:
    """Every text of the file is one that this program wrote, or the name of a member of a row."""
    report = ProbeStage(tmp_path, world=telling_world()).probe(CUSTOMER).report
    types = {
        "null", "true or false", "whole number", "number with a point", "number with a fraction", "text", "empty text",
        "the text that was sent", "list", "object",
    }  # fmt: skip
    for finding in report.findings:
        shape = json.loads(json.dumps(finding.exchange.answer if finding.exchange else None))
        assert leaves(shape) <= types, finding.question


def leaves(shape: Any) -> set[str]:
    match shape:
        case dict():
            return set().union(*map(leaves, shape.values()))
        case list():
            return set().union(*map(leaves, shape))
        case None:
            return set()
        case _:
            return {shape}


def test_a_member_whose_name_could_be_a_value_is_not_named() -> None:
    body = {"Zorblax Ltd & Co": 1, "[0].count": ["x"], "Message": "Zorblax is unknown"}
    assert shape_of(body) == {"(another name)": "whole number", "[0].count": "list", "Message": "text"}


def test_an_odd_member_of_a_row_is_counted_and_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An own field of a partner may be called after a customer: only what can be nothing but a name is written."""
    monkeypatch.setattr("reconciler.simulator.licences.RESET", {f"{WORD} Ltd & Co": "x"})
    stage = ProbeStage(tmp_path, world=telling_world(), update_mode="reset")
    text = encode_report(stage.probe(CUSTOMER).report)
    assert "(another name)" in text
    assert WORD.casefold() not in text.casefold()
