"""Random worlds and histories: every drawing has the same needs, none is lost between two nights (FAULTS T3 to T5).

What has to be on the list is judged by the simulator's own rows, in words of this file.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.forge.notify import TEXT, body
from reconciler.forge.result import read_result
from reconciler.forge.words import Occasion, Origin
from reconciler.simulator.records import Endpoint
from reconciler.simulator.worlds import invoice_line
from tests.faults.kinds import Fault, FaultKind
from tests.truth.nights import History, furnish
from tests.truth.scene import Fate, Scene, staged

Needs = dict[str, dict[str, Any]]
OF_ROWS = ("failed", "unknown", "stale")
"""Kinds that a later read may show to be met."""


def bills(world_invoices: dict[int, dict[str, Any]], licence: int) -> bool:
    """Whether a live recurring invoice has a live line for it."""
    return any(
        element["licence_id"] == licence
        for invoice in world_invoices.values()
        if not invoice["disabled"]
        for line in invoice["lines"]
        if not line.get("isinactive") and line.get("isActive") is not False
        for element in line["quantity_subscriptions"]
    )


def people_work(history: History, rng: Random) -> None:
    """Somebody attaches a Subscription, switches an invoice or a line off or on; a client appears; a count moves."""
    world = history.scene.world
    for own in history.own:
        ids = history.licence_ids(own)
        if ids and rng.random() < 0.3 and not bills(world.invoices, ids[0]):
            world.add_invoice(own.customer, "Monthly", [invoice_line(1, ids[0], "training")])
        if rng.random() < 0.1:
            users = world.infima_clients[own.client].active
            world.users_become(own.client, max(1, users + rng.choice((-20, -1, 1, 2))))
    for invoice in world.invoices.values():
        draw = rng.random()
        if draw < 0.1:
            invoice["disabled"] = not invoice["disabled"]
        elif draw < 0.2:
            invoice["lines"][0]["isActive"] = rng.random() < 0.5
    if rng.random() < 0.15:
        number = 900 + len(world.infima_clients)
        world.add_client(number, f"Newcomer {number}", active=rng.randint(1, 9))


def needs_of(document: dict[str, Any]) -> Needs:
    return {need["id"]: need for need in document.get("needs", [])}


def must_be_listed(history: History) -> set[str]:
    """By the world's rows alone: created and on no live invoice, and clients that nobody maps."""
    world, mapped = history.scene.world, {own.client for own in history.own}
    found = {f"unmapped:{number}" for number in world.infima_clients if number not in mapped}
    for own in history.own:
        ids = history.licence_ids(own)
        if own.adopted is None and len(ids) == 1 and not bills(world.invoices, ids[0]):
            found.add(f"not-invoiced:{own.key}")
    return found


def must_not_be_listed(history: History) -> set[str]:
    """Seen attached: every Subscription on a live invoice, which a night with 50 requests surely looked at."""
    world = history.scene.world
    return {
        f"not-invoiced:{own.key}"
        for own in history.own
        if (ids := history.licence_ids(own)) and all(bills(world.invoices, number) for number in ids)
    }


def message_of(document: dict[str, Any]) -> str:
    """What people are told where they are, with room for all of it."""
    where = Origin(run_url="", now=datetime(2026, 11, 22, tzinfo=UTC))
    return body(read_result(json.dumps(document).encode()), Occasion.NIGHT, where, TEXT, limit=10_000_000)


def check_drawings(scene: Scene, document: dict[str, Any], *, ended: bool) -> None:
    """T5: status, explain, report, summary, message and outputs have the document's list."""
    needs = needs_of(document)
    (scene.folder / "result.json").write_text(json.dumps(document), encoding="utf-8")
    outputs = scene.cli("ci", "outputs", "--result", "result.json").out
    assert f"attention={max(len(needs), 0 if ended else 1)}\n" in outputs
    summary = scene.cli("ci", "summary", "--as", "night", "--result", "result.json").out
    if needs:
        assert re.search(rf"\b{len(needs)} things? waits? for a person", summary), summary[:500]
    else:
        assert "Nothing that was looked at waits for a person" in summary
        assert "things wait" not in summary
    message = message_of(document)
    assert message.count("To do: ") == len(needs)
    status = json.loads(scene.cli("status", "-o", "json").out)
    settled = {i for i in needs if i.split(":")[0] in OF_ROWS}
    assert set(needs_of(status)) - settled == set(needs) - settled
    assert scene.cli("report", "--out", "report.html").code == 0
    page = (scene.folder / "report.html").read_text(encoding="utf-8")
    told = re.search(r"What needs a person(?: \((\d+)\))?</h2>", page)
    assert told is not None
    assert int(told[1] or 0) == len(needs)
    assert ("All is well" in page) <= (not needs)
    for key in {need["key"] for need in needs.values() if need["key"]}:
        explained = json.loads(scene.cli("explain", key, "-o", "json", "--no-invoices").out)
        own = {i for i, need in needs_of(explained).items() if need["key"] == key}
        assert own - settled == {i for i, need in needs.items() if need["key"] == key} - settled
        assert explained["next_step"] != "Nothing to do."


def play_nights(seed: int, folder: Path) -> None:
    """Five nights of one world; raises `AssertionError` for what is not so."""
    folder.mkdir(exist_ok=True)
    history = furnish(folder, seed)
    rng = Random(seed)  # noqa: S311 - has to repeat
    lines = rng.choice(("none", "filled", "bare"))
    switches = history.scene.world.switches
    history.scene.world.switches = switches.from_json(switches.to_json() | {"invoice_lines_in_list": lines})
    before: Needs = {}
    with staged(history.scene) as scene:
        for night in range(5):
            scene.clock.sleep(86_400.0)
            people_work(history, rng)
            down = night > 0 and rng.random() < 0.25
            fault = Fault(kind=FaultKind.FORBIDDEN, at=Endpoint.CLIENTS, nth=1, times=1_000)
            only = ["--only", rng.choice(history.own).key] if rng.random() < 0.2 else []
            asked, fate = len(scene.world.requests), Fate(faults=(fault,) if down else ())
            answer = scene.cli("apply", "--auto-approve", "-o", "json", *only, fate=fate)
            document = json.loads(answer.out)
            needs = needs_of(document)
            spent = [r for r in scene.world.requests[asked:] if r.path.lower().startswith("/api/recurringinvoice")]
            assert len(spent) <= 50
            if down:
                assert set(before) <= set(needs), "a night that read nothing has met nothing"
                assert "failed:run" in needs
            else:
                if not only:
                    assert must_be_listed(history) <= set(needs)
                    assert not must_not_be_listed(history) & set(needs)
                met = {need["id"] for need in document.get("needs_met", [])}
                assert not met & set(needs), "what waits is not told as right again"
                assert met or not (before and not needs), "when all is right again, it is told"
                held = {f"held:{row['name']}" for row in document["resource_changes"] if row["hold"]}
                assert held <= set(needs)
                check_drawings(scene, document, ended=answer.code in {0, 3})
            kept = set(before) & set(needs)
            assert all(needs[i]["since"] <= before[i]["since"] for i in kept), "a need keeps its age"
            before = needs


@pytest.mark.parametrize("seed", range(1, 7))
def test_every_drawing_has_the_same_needs_and_none_is_lost(seed: int, tmp_path: Path) -> None:
    play_nights(seed, tmp_path)


PLANTED: dict[str, tuple[str, Any]] = {
    "a night that read nothing forgets what waited": ("reconciler.answers.needs._stands", lambda *_: False),
    "the reminder to attach ends at once": ("reconciler.answers.attached.not_invoiced", lambda *_: None),
    "a dead line bills": ("reconciler.answers.invoices.is_live", lambda _: True),
    "the report says that nothing waits": ("reconciler.render.html._cards", lambda *_: ()),
    "the outputs say 0": ("reconciler.forge.result._attention", lambda *_: 0),
    "status shows nothing": ("reconciler.cli.status.needs_json", lambda _: []),
    "explain has nothing to do": ("reconciler.cli.explain.next_step", lambda _: "Nothing to do."),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_each_false_word_is_found_when_it_is_put_back(
    bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*PLANTED[bug])
    for seed in range(1, 9):
        try:
            play_nights(seed, tmp_path / str(seed))
        except AssertionError:
            return
    pytest.fail(f"nobody noticed: {bug}")
