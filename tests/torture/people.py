"""Histories of people: they adopt, rename, swap, move and lose the state, name a wrong one, map a customer twice.

Nobody in them lifts a rule. The oracle reads the simulator's own log: every create is held against what the customer
had at that moment, by a truth that is kept here and that the program does not see. A live twin that no rule announced
is a create for a customer that had one already.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from reconciler.answers.adoption import DecisionContext, adopt, recreate
from reconciler.config.edit import set_subscription_id
from reconciler.errors import DecisionRefused, StateError
from reconciler.model import MappingKey, RunId, SubscriptionId
from reconciler.planning.index import index_subscriptions
from reconciler.planning.rules import Rule
from reconciler.simulator.clock import VirtualClock
from reconciler.simulator.records import Actor, Mutation, Row
from reconciler.simulator.world import World
from reconciler.state.base import RunInfo
from reconciler.state.directory import DirectoryState
from reconciler.state.moving import move_state
from tests.stage import TEMPLATE, Stage
from tests.torture.sweep import Result, workplace

MARKERS = ("kept", "dropped", "unlisted")
"""Halo keeps the marker; keeps none; shows it in the detail alone."""

OURS = (TEMPLATE, "Awareness training, old contract", "INFIMA", "infima security", "Security Awareness (renamed)")
OTHERS = ("Backup seats", "Microsoft 365 Business", "Room for training")
NAMES = ("Acme Dental", "Borealis Freight", "Corvid Labs", "Dunmore School")
NIGHT = 24 * 3600.0


@dataclass(slots=True)
class Line:
    """One mapping as the file says it."""

    key: str
    client: int
    client_name: str
    customer: int
    customer_name: str
    subscription: int | None = None


@dataclass(slots=True, kw_only=True)
class History:
    """A partner with a few customers, its file, and everything that people do to them."""

    rng: Random
    stage: Stage
    lines: list[Line]
    place: str = ".reconciler"
    trained: set[int] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    makers: dict[int, str] = field(default_factory=dict)

    # ---- what people do ---------------------------------------------------------------------------------------------

    def night(self) -> None:
        """One apply; nobody lifts anything."""
        self._write_file()
        before = len(self.stage.world.mutations)
        had = {line.customer: self._trained_at(line.customer) for line in self.lines}
        try:
            finished = self.stage.apply()
        except StateError:
            self.words.add("refused state")
            return
        if any(c.hold is not None and c.hold.rule in _TWIN_RULES for c in finished.plan.changes):
            self.words.add("held")
        told = any("is new" in warning for warning in finished.plan.warnings)
        self._judge(self.stage.world.mutations[before:], had, told=told)
        self.stage.clock.sleep(NIGHT)

    def adopt(self) -> None:
        """As the command does it: the state, and then the line in the file."""
        line = self.rng.choice(self.lines)
        rows = [r for r in self._live() if r["client_id"] == line.customer]
        if rows:
            self._decide(line, lambda context: adopt(context, SubscriptionId(self.rng.choice(rows)["id"])), "adopted")

    def give_up(self) -> None:
        """Somebody deletes a Subscription, and gives it up so that a new one is made."""
        line = self.rng.choice(self.lines)
        bound = self._store().look().bindings.get(MappingKey(line.key))
        if bound is not None and line.subscription is None:
            self.stage.world.person_deletes(bound.subscription_id)
            self._decide(line, recreate, "given up")

    def bring_back(self) -> None:
        """What was deleted is restored in Halo."""
        gone = [
            n for n, row in self.stage.world.licences.items() if row.get("deleted") or row.get("is_active") is False
        ]
        if gone:
            self.stage.world.person_activates(self.rng.choice(gone))
            self.words.add("brought back")

    def make_by_hand(self) -> None:
        name = self.rng.choice(OURS + OTHERS)
        made = self.stage.world.person_creates(self.rng.choice(self.lines).customer, name, self.rng.randint(0, 9))
        if name in OURS:
            self.trained.add(made)
        self.words.add("made by hand")

    def grow(self) -> None:
        self.stage.world.users_join(self.rng.choice(self.lines).client, 1)

    def adopt_as_before(self) -> None:
        """Adopted by a version that wrote nothing into the file, under any name: the state alone knows."""
        line = self.rng.choice(self.lines)
        if (
            line.subscription is None
            and not self._trained_at(line.customer)
            and self.stage.world.switches.marker == "kept"
        ):
            made = self.stage.world.person_creates(line.customer, "E-learning 2024", 5)
            number = made
            self._decide(
                line, lambda context: replace(adopt(context, SubscriptionId(number)), write_id=None), "as before"
            )
            bound = self._store().look().bindings.get(MappingKey(line.key))
            if bound is not None and bound.subscription_id == number:  # else nobody can know what it is
                self.trained.add(number)
                self.makers[number] = line.key

    def rename(self) -> None:
        if rows := self._live():
            self.stage.world.person_renames(self.rng.choice(rows)["id"], self.rng.choice(OURS))
            self.words.add("renamed")

    def deactivate(self) -> None:
        if rows := self._live():
            self.stage.world.person_deactivates(self.rng.choice(rows)["id"])
            self.words.add("deactivated")

    def swap(self) -> None:
        """Two ids change places in the file, the names stay."""
        if len(self.lines) > 1:
            one, other = self.rng.sample(self.lines, 2)
            if self.rng.random() < 0.5:
                one.client, other.client = other.client, one.client
            else:
                one.customer, other.customer = other.customer, one.customer
            self.words.add("swapped")

    def second_mapping(self) -> None:
        """A new client for a customer that is mapped already."""
        number = 200 + len(self.stage.world.infima_clients)
        line = self.rng.choice(self.lines)
        name = f"{line.customer_name} {number}"
        self.stage.world.add_client(number, name, active=3)
        self.lines.append(Line(f"infima-{number}", number, name, line.customer, line.customer_name))
        self.words.add("second mapping")

    def lose_state(self) -> None:
        shutil.rmtree(self.stage.folder / self.place, ignore_errors=True)
        self.words.add("state lost")

    def wrong_state(self) -> None:
        """For one night a mistyped --state."""
        right, self.place = self.place, f"typo-{self.rng.randint(1, 2)}"
        self.night()
        self.place = right
        self.words.add("wrong state")

    def move_state(self) -> None:
        source, self.place = self._store(), f"moved-{self.rng.randint(1, 3)}"
        info = RunInfo(id=RunId("mv"), command="state move", started_at=self.stage.clock.now())
        try:
            move_state(source, self._store(), info, now=self.stage.clock.now())
            self.words.add("state moved")
        except StateError:
            self.place = source.spec.rpartition("/")[2]

    # ---- the truth --------------------------------------------------------------------------------------------------

    def _live(self) -> list[Row]:
        rows = [self.stage.world.licences[n] for n in sorted(self.trained)]
        return [row for row in rows if not row.get("deleted") and row.get("is_active") is not False]

    def _trained_at(self, customer: int) -> set[int]:
        return {row["id"] for row in self._live() if row["client_id"] == customer}

    def _owned(self, but: str) -> set[int]:
        """What other lines of the file have by their id, or by a create of their own."""
        world = self.stage.world
        by_file = {line.subscription for line in self.lines if line.key != but and line.subscription}
        keys = {line.key for line in self.lines if line.key != but}
        made = {n for n, row in world.licences.items() if self.makers.get(n) in keys}
        return by_file | made

    def _swapped(self) -> set[str]:
        """Keys of lines whose name is another's live name: nothing may be written for them."""
        world = self.stage.world
        clients = {c.name: c.id for c in world.infima_clients.values()}
        customers = {str(row["name"]): number for number, row in world.customers.items()}
        return {
            line.key
            for line in self.lines
            if clients.get(line.client_name, line.client) != line.client
            or customers.get(line.customer_name, line.customer) != line.customer
        }

    def _judge(self, mutations: list[Mutation], had: dict[int, set[int]], *, told: bool) -> None:
        swapped = self._swapped()
        for each in mutations:
            request = next((r for r in self.stage.world.requests if r.number == each.request), None)
            key = _key_in(request.body if request is not None and each.action == "create" else "")
            pinned = (line.key for line in self.lines if line.subscription == each.object_id)
            owner = key or self.makers.get(each.object_id) or next(pinned, "")
            if owner in swapped and each.actor is not Actor.PERSON:
                self.wrong.append(f"swapped: {each.object_id} of {owner} was written under another's name")
            if each.action != "create" or each.actor is Actor.PERSON:
                continue
            row = self.stage.world.licences[each.object_id]
            twins = had.get(row["client_id"], set()) - self._owned(key)
            if twins and told:  # nothing carries a marker: no rule can tell a lost state from a first run
                self.words.add("twin of which only the new state was told")
            elif twins:
                self.wrong.append(f"twin: {each.object_id} for {key} beside {sorted(twins)}, which no rule announced")
            self.trained.add(each.object_id)
            self.makers[each.object_id] = key
            self.words.add("created")

    # ---- tools ------------------------------------------------------------------------------------------------------

    def _store(self) -> DirectoryState:
        return DirectoryState(self.stage.folder / self.place, clock=self.stage.clock)

    def _decide(self, line: Line, decide: Callable[[DecisionContext], object], word: str) -> None:
        self._write_file()
        mappings = self.stage.mappings()
        mapping = next(m for m in mappings.mappings if m.key == line.key)
        with self.stage.systems(mappings) as systems:
            listing = systems.target.subscriptions()
        info = RunInfo(id=RunId("by-hand"), command="adopt", started_at=self.stage.clock.now())
        try:
            with self._store().open_run(info) as run:
                context = DecisionContext(
                    mapping=mapping,
                    index=index_subscriptions(listing, mappings.mappings, run.recorded),
                    recorded=run.recorded,
                    now=self.stage.clock.now(),
                    settle=_SETTLE,
                )
                found = decide(context)
                run.record_decision(
                    mapping.key,
                    bind=found.bind,
                    give_up=found.give_up,
                    take_from=found.take_from,
                    abandon=found.settle,  # type: ignore[attr-defined]
                )
        except (DecisionRefused, StateError):
            return
        if (number := found.write_id) is not None:  # type: ignore[attr-defined]
            self.stage.text = set_subscription_id(self.stage.text, line.key, number)
            line.subscription = number
        self.words.add(word)

    def _write_file(self) -> None:
        rows = ["version: 1", "mappings:"]
        for line in self.lines:
            rows.append(f'  - key: {line.key}\n    infima_client: {{id: {line.client}, name: "{line.client_name}"}}')
            rows.append(f'    halo_customer: {{id: {line.customer}, name: "{line.customer_name}"}}')
            if line.subscription is not None:
                rows.append(f"    subscription_id: {line.subscription}")
        self.stage.text = "\n".join(rows) + "\n"
        self.stage.store = self._store  # type: ignore[method-assign]


_SETTLE = timedelta(hours=20)
ACTS = (
    "night", "night", "night", "adopt", "give_up", "bring_back", "make_by_hand", "make_by_hand", "rename", "deactivate",
    "grow", "grow", "adopt_as_before",
    "swap", "second_mapping", "lose_state", "wrong_state", "move_state",
)  # fmt: skip


def _key_in(body: str) -> str:
    """The key for which a create was sent: its marker; without one, none."""
    rows = json.loads(body) if body else []
    return str(rows[0].get("snowid", "")) if rows and isinstance(rows, list) else ""


def play_history(seed: int) -> Result:
    """One history of people, with the markers in one of three positions."""
    rng, folder = Random(f"{seed} people"), workplace()  # noqa: S311 - has to repeat
    world = World(clock=VirtualClock())
    world.switches = replace(world.switches, marker=MARKERS[seed % len(MARKERS)])
    lines = []
    for place in range(rng.randint(1, 4)):
        client, customer, name = 101 + place, 11 + place, NAMES[place]
        world.add_client(client, name, active=rng.choice((2, 9, 30)))
        world.add_customer(customer, name)
        lines.append(Line(f"infima-{client}", client, name, customer, name))
    stage = Stage(world, folder, "", remembers=False)
    history = History(rng=rng, stage=stage, lines=lines, words={f"markers {world.switches.marker}"})
    try:
        for _ in range(rng.randint(3, 9)):
            getattr(history, rng.choice(ACTS))()
        history.night()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(what=f"people {seed}", violations=history.wrong, reached=history.words)


_TWIN_RULES = frozenset({Rule.SAME_NAME, Rule.RESEMBLES, Rule.STATE_LOST, Rule.NAME_SWAPPED, Rule.IDENTITY_CONFLICT})
