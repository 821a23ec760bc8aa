"""A history of nights from a seed: what happens between them, what befalls each run, and what is said afterwards."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from reconciler.render.markdown import render_markdown
from reconciler.render.pen import Pen
from reconciler.render.terminal import render_outcome
from reconciler.simulator.records import Actor, Endpoint, Mutation, RequestRecord
from reconciler.simulator.world import World
from reconciler.state.directory import DirectoryState
from reconciler.state.history import PastRun
from tests.clock import VirtualClock
from tests.faults.kinds import DISTORTIONS, NO_ANSWER, STATUSES, WRITE_FAULTS, Fault, FaultKind
from tests.stage import TEMPLATE, remember_markers
from tests.truth.scene import Answer, Fate, Scene

SHOWS_OTHERWISE = {
    FaultKind.LATE_EFFECT, FaultKind.LATE_EFFECT_LOST, FaultKind.LATE_EFFECT_ACCEPTED, FaultKind.REDIRECT,
}  # fmt: skip
"""Faults whose effect comes after the last look: what was said was true when it was said."""

WRITE_KINDS = sorted((STATUSES | NO_ANSWER | WRITE_FAULTS | DISTORTIONS) - SHOWS_OTHERWISE)
BOTH_MOMENTS = STATUSES | NO_ANSWER | DISTORTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One mapping as the world knows it: its key, its INFIMA client, its customer, and the Subscription it adopted."""

    key: str
    client: int
    customer: int
    adopted: int | None = None


@dataclass(slots=True, kw_only=True)
class Night:
    """One run with everything it said, and what the world says of it.

    `before` and `after` are the quantities by key, None where there is no Subscription, `ids` the keys by id. `posts`
    are the mutating requests that HaloPSA received of this run, `mutations` what came of them. `texts` has each drawing
    by name.
    """

    number: int
    started_at: datetime
    story: str
    answer: Answer
    partial: bool
    before: dict[str, int | None]
    after: dict[str, int | None]
    counts: dict[str, int]
    ids: dict[int, str]
    posts: list[RequestRecord]
    mutations: list[Mutation]
    touched: frozenset[str]
    document: dict[str, Any] | None = None
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The JSON's rows by key; empty where there is no plan."""
        changes = [] if self.document is None else self.document.get("resource_changes", [])
        return {row["name"]: row for row in changes}


@dataclass(slots=True, kw_only=True)
class History:
    """A whole history: its nights, and what the records say in the end."""

    seed: int
    scene: Scene
    own: list[Own]
    nights: list[Night] = field(default_factory=list)
    recorded: tuple[PastRun, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)

    def licence_ids(self, own: Own) -> list[int]:
        """The Subscriptions of a mapping: the adopted one, else those with its marker."""
        if own.adopted is not None:
            return [own.adopted]
        return [i for i, row in self.scene.world.licences.items() if row.get("snowid") == own.key]

    def quantity(self, own: Own) -> int | None:
        """What HaloPSA has for a mapping now."""
        ids = self.licence_ids(own)
        return int(sum(self.scene.world.licences[i]["count"] for i in ids)) if ids else None


def furnish(folder: Path, seed: int) -> History:
    """A world of five to eight mappings, some with Subscriptions, and its mappings.yaml."""
    rng = Random(seed)  # noqa: S311 - has to repeat
    world = World(clock=VirtualClock())
    lines, own = ["version: 1", "settings:", f"  batch: {rng.choice((1, 2, 50))}", "mappings:"], []
    for index in range(rng.randint(5, 8)):
        client, customer, name = 101 + index, 11 + index, f"Client {chr(65 + index)}"
        users = rng.randint(2, 30)
        world.add_client(client, name, active=users)
        world.add_customer(customer, name)
        lines += [
            f'  - infima_client: {{id: {client}, name: "{name}"}}',
            f'    halo_customer: {{id: {customer}, name: "{name}"}}',
        ]
        key, adopted = f"infima-{client}", None
        draw = rng.random()
        if draw < 0.5:
            world.add_licence(customer, TEMPLATE, users, licence_id=9001 + index, snowid=key)
        elif draw < 0.7:
            adopted = 9001 + index
            world.add_licence(customer, TEMPLATE, users + rng.choice((0, 1)), licence_id=adopted)
            lines.append(f"    subscription_id: {adopted}")
        own.append(Own(key=key, client=client, customer=customer, adopted=adopted))
    (folder / "mappings.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    remember_markers(world, folder / ".reconciler")
    return History(seed=seed, scene=Scene(world, folder, rng), own=own)


# ---- what happens between two nights, and what befalls a run --------------------------------------------------------


def a_day_passes(history: History) -> None:
    """Users join and leave; now and then a person edits a quantity."""
    scene, rng = history.scene, history.scene.rng
    scene.clock.sleep(rng.choice((3_600.0, 86_400.0)))
    for own in history.own:
        client = scene.world.infima_clients[own.client]
        if rng.random() < 0.5:
            scene.world.users_become(own.client, max(1, client.active + rng.choice((-2, -1, 1, 2, 3))))
        ids = history.licence_ids(own)
        if ids and rng.random() < 0.05:
            scene.world.person_sets_count(ids[0], rng.randint(1, 40))


def draw_fate(rng: Random) -> tuple[str, Fate]:
    """What befalls the next run, with a name for it."""
    draw = rng.random()
    if draw < 0.15:
        return "nothing", Fate()
    if draw < 0.55:
        faults = tuple(_write_fault(rng) for _ in range(rng.choice((1, 1, 2, 3))))
        return " + ".join(map(str, faults)), Fate(faults=faults)
    if draw < 0.65:
        fault = Fault(
            kind=FaultKind.UNAVAILABLE, at=Endpoint.LICENCES, nth=rng.randint(2, 4), times=rng.choice((1, 40))
        )
        return f"{fault} and on", Fate(faults=(fault, _write_fault(rng)))
    if draw < 0.75:
        number = rng.choice((errno.ENOSPC, errno.EIO))
        return f"disk {number}", Fate(at=rng.randint(1, 30), ending=str(number), since_write=rng.random() < 0.8)
    if draw < 0.9:
        return "kill", Fate(at=rng.randint(1, 40), ending="kill")
    return "stop", Fate(at=rng.randint(1, 12), ending="stop", kind=rng.choice(("request", "answer", "")))


def _write_fault(rng: Random) -> Fault:
    kind = rng.choice(WRITE_KINDS)
    after = kind in BOTH_MOMENTS and kind is not FaultKind.CONNECT_ERROR and rng.random() < 0.5
    return Fault(kind=kind, at=Endpoint.WRITE, nth=rng.randint(1, 4), times=rng.choice((1, 1, 2, 9)), after=after)


# ---- a night --------------------------------------------------------------------------------------------------------


def play(history: History, nights: int, judge: Callable[[History, Night], None]) -> None:
    """Play that many nights and one without a fault; `judge` sees each."""
    for number in range(1, nights + 1):
        a_day_passes(history)
        story, fate = draw_fate(history.scene.rng)
        history.nights.append(one_night(history, number, story, fate))
        judge(history, history.nights[-1])
    history.scene.clock.sleep(90_000.0)
    history.nights.append(one_night(history, nights + 1, "nothing", Fate(), partial=False))
    judge(history, history.nights[-1])
    history.recorded = DirectoryState(history.scene.state_folder(), clock=history.scene.clock).history.runs()


def one_night(history: History, number: int, story: str, fate: Fate, *, partial: bool = True) -> Night:
    """One run, and everything that is said of it afterwards."""
    scene, rng = history.scene, history.scene.rng
    arguments, may_be_partial, partial = ["apply", "--auto-approve", "-o", "json"], partial, False
    if rng.random() < 0.2:
        saved = scene.folder / "saved.plan.json"
        if scene.cli("plan", "--out", str(saved)).code == 0 and saved.exists():
            _something_moves(history)
            arguments.append(str(saved))
    elif may_be_partial and rng.random() < 0.15:
        partial = True
        arguments += ["--only", rng.choice(history.own).key]
    world = scene.world
    requests, mutations = len(world.requests), len(world.mutations)
    before = {own.key: history.quantity(own) for own in history.own}
    started_at = scene.clock.now()
    answer = scene.cli(*arguments, fate=fate)
    if number > 1 and rng.random() < 0.5 and not answer.killed:
        scene.clock.sleep(30.0)
    posts = [r for r in world.requests[requests:] if r.mutating and r.endpoint is Endpoint.WRITE]
    arrived = [r for r in posts if (r.fault or "").partition(",")[0] != FaultKind.CONNECT_ERROR]
    night = Night(
        number=number,
        started_at=started_at,
        story=story,
        answer=answer,
        partial=partial,
        before=before,
        after={own.key: history.quantity(own) for own in history.own},
        counts={own.key: world.infima_clients[own.client].active for own in history.own},
        ids={number: own.key for own in history.own for number in history.licence_ids(own)},
        posts=arrived,
        mutations=[m for m in world.mutations[mutations:] if m.actor is Actor.API],
        touched=frozenset(own.key for own in history.own if any(_is_about(history, own, r) for r in arrived)),
    )
    _tell(history, night)
    return night


def _something_moves(history: History) -> None:
    rng, world = history.scene.rng, history.scene.world
    own = rng.choice(history.own)
    if ids := history.licence_ids(own):
        world.person_sets_count(ids[0], rng.randint(1, 40))
    world.users_become(rng.choice(history.own).client, rng.randint(2, 30))


def _is_about(history: History, own: Own, request: RequestRecord) -> bool:
    ids = history.licence_ids(own)
    rows = json.loads(request.body)
    return any(row.get("id") in ids if row.get("id") else row.get("snowid") == own.key for row in rows)


def _about_this_night(out: str) -> str:
    """The document without `needs_met`: those are sentences of earlier nights, kept as they were said then."""
    try:
        document = json.loads(out)
    except ValueError:
        return out
    document.pop("needs_met", None)
    return json.dumps(document, indent=1)


def _tell(history: History, night: Night) -> None:
    """Let every drawing speak."""
    scene, folder = history.scene, history.scene.folder
    result = folder / "result.json"
    result.write_text(night.answer.out, encoding="utf-8")
    night.texts["stdout"] = _about_this_night(night.answer.out)
    told = night.answer.err.splitlines()  # what is said there of an earlier run, the history is asked about
    night.texts["stderr"] = "\n".join(line for line in told if "taken into the history" not in line)
    for name, command in {
        "summary": ("ci", "summary", "--as", "night"),
        "applied": ("ci", "summary", "--as", "applied"),
        "verdict": ("ci", "verdict"),
        "outputs": ("ci", "outputs"),
    }.items():
        told = scene.cli(*command, "--result", str(result))
        night.texts[name] = told.out + told.err
    try:
        night.document = json.loads(night.answer.out)
    except ValueError:
        return
    if night.document is not None and not night.document["errored"]:
        night.texts["terminal"] = render_outcome(night.document, Pen(width=160))  # type: ignore[arg-type]
        night.texts["terminal -v"] = render_outcome(night.document, Pen(width=160, verbose=True))  # type: ignore[arg-type]
        night.texts["terminal once"] = render_outcome(night.document, Pen(width=400), planned=False)  # type: ignore[arg-type]
        night.texts["markdown"] = render_markdown(night.document)  # type: ignore[arg-type]
